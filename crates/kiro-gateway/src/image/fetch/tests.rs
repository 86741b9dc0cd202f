//! Servers that a stranger may name, on the loopback interface, and a resolver that says what it is told.

use std::sync::Mutex;

use kiro_protocol::conversation::ImageFormat;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::super::{FetchImages, Images, Wanted};
use super::*;

const GIF: &[u8] = b"GIF89a";

/// Answers each request by its path, and remembers the heads.
struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// On 127.0.0.1, answering `/NAME` with what `answer` has for `NAME`.
    async fn start(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0", answer).await
    }

    async fn start_at(
        address: &str,
        answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let heads = seen.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let head = read_head(&mut stream).await;
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                heads.lock().unwrap().push(head);
                // The client may have left, which is its right.
                let _ = stream.write_all(&answer(&path)).await;
            }
        });
        Self { address, seen }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

fn ok(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn redirect(location: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n").into()
}

/// Options under which 127.0.0.1, and no other address of this machine, may be asked at these ports.
fn options(ports: &[u16]) -> ImageOptions {
    ImageOptions {
        ports: ports.to_vec(),
        allow_private: vec![IpAddr::from([127, 0, 0, 1])],
        ..ImageOptions::default()
    }
}

fn tls() -> rustls::ClientConfig {
    tls_with(rustls::RootCertStore::empty())
}

fn tls_with(roots: rustls::RootCertStore) -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// A resolver with one answer after the other, the last one again and again, and how often it was asked.
fn resolver(answers: &'static [&'static [&'static str]]) -> (Resolve, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let resolve = move |_| -> Resolving {
        let turn = count.fetch_add(1, Ordering::Relaxed);
        let answer = answers.get(turn).or(answers.last());
        let addresses = answer.map(|found| found.iter().map(|a| a.parse().unwrap()).collect());
        Box::pin(async move { addresses.ok_or_else(|| io::Error::other("no such name")) })
    };
    (Box::new(resolve), asked)
}

fn fetcher(options: ImageOptions, resolve: Resolve) -> Fetcher {
    Fetcher::with_resolver(options, tls(), "test/1", resolve)
}

impl Fetcher {
    /// One picture, as the only one of a request.
    async fn one(&self, url: &str) -> Result<Image, FetchError> {
        self.fetch(url, &self.budget()).await
    }
}

/// A fetcher for one server, and no names.
fn fetcher_of(server: &Server) -> Fetcher {
    fetcher(options(&[server.address.port()]), resolver(&[]).0)
}

#[tokio::test]
async fn a_picture_is_fetched_without_anything_of_the_caller() {
    let server = Server::start(|_| ok(GIF)).await;
    let image = fetcher_of(&server).one(&server.url("/a.png?b=c#d")).await;
    assert_eq!(image.unwrap().format(), ImageFormat::Gif);
    let address = server.address;
    assert_eq!(
        server.seen(),
        [format!(
            "GET /a.png?b=c HTTP/1.1\r\nhost: {address}\r\naccept: image/png, image/jpeg, image/gif, image/webp\r\naccept-encoding: identity\r\nconnection: close\r\nuser-agent: test/1\r\n\r\n"
        )]
    );
}

#[tokio::test]
async fn a_url_that_cannot_be_right_is_refused_before_anyone_is_asked() {
    let (resolve, asked) = resolver(&[&["127.0.0.1"]]);
    let fetcher = fetcher(options(&[80, 443]), resolve);
    for (url, words) in [
        ("http:", "not a valid"),
        ("http://", "not a valid"),
        ("http:///a", "not a valid"),
        ("https:a", "not a valid"),
        ("http://a b/", "not a valid"),
        ("http://[::1", "not a valid"),
        ("http://[fe80::1%25eth0]/", "not a valid"),
        ("http://a:99999/", "not a valid"),
        ("http://user@a/", "a user name"),
        ("https://user:password@a/", "a user name"),
        ("http://127.0.0.1:80@a/", "a user name"),
        ("http://a:22/", "port 22"),
        ("https://a:8443/", "port 8443"),
    ] {
        let error = fetcher.one(url).await.unwrap_err().to_string();
        assert!(error.contains(words), "{url}: {error}");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn an_address_that_is_not_public_is_refused_however_it_is_written() {
    let server = Server::start(|_| ok(GIF)).await;
    let port = server.address.port();
    let options = ImageOptions {
        ports: vec![port],
        ..ImageOptions::default()
    };
    // With the system's resolver, which reads numbers in many ways.
    let fetcher = Fetcher::new(options, tls(), "test/1");
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0.0.0.0",
        "0",
        "localhost",
        "LOCALHOST.",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "169.254.169.254",
        "10.0.0.1",
        "[fd00:ec2::254]",
    ] {
        let error = fetcher.one(&format!("http://{host}:{port}/")).await;
        let error = error.unwrap_err();
        assert!(matches!(error, FetchError::NotPublic), "{host}: {error}");
    }
    assert_eq!(server.seen(), [""; 0]);
}

#[tokio::test]
async fn a_name_is_what_its_addresses_are() {
    let server = Server::start(|_| ok(GIF)).await;
    let port = server.address.port();
    let url = format!("http://pictures.example:{port}/");
    for private in [
        &["10.0.0.1"] as &'static [&'static str],
        &["127.0.0.2", "::1", "169.254.169.254"],
        &["::ffff:10.0.0.1"],
        &["::ffff:127.0.0.1"],
        &[],
    ] {
        let answers: &'static [&'static [&'static str]] = Box::leak(Box::new([private]));
        let fetcher = fetcher(options(&[port]), resolver(answers).0);
        let error = fetcher.one(&url).await.unwrap_err();
        assert!(
            matches!(error, FetchError::NotPublic),
            "{private:?}: {error}"
        );
    }
    // A name that does not exist is told like one of our network.
    let error = fetcher(options(&[port]), resolver(&[]).0).one(&url).await;
    assert!(matches!(error, Err(FetchError::NotPublic)), "{error:?}");
    assert_eq!(server.seen(), [""; 0]);

    // Of several addresses, the ones that are allowed are connected to.
    let (resolve, _) = resolver(&[&["10.0.0.1", "127.0.0.1"]]);
    let image = fetcher(options(&[port]), resolve).one(&url).await;
    assert!(image.is_ok(), "{image:?}");
}

#[tokio::test]
async fn a_name_that_changes_its_mind_is_asked_once() {
    let server = Server::start(|_| ok(GIF)).await;
    let port = server.address.port();
    let (resolve, asked) = resolver(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let fetcher = fetcher(options(&[port]), resolve);
    let url = format!("http://rebind.example:{port}/");
    assert!(fetcher.one(&url).await.is_ok());
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert!(server.seen()[0].contains(&format!("\r\nhost: rebind.example:{port}\r\n")));
    // The next time its new address is looked at.
    let error = fetcher.one(&url).await.unwrap_err();
    assert!(matches!(error, FetchError::NotPublic), "{error}");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_name_that_changes_its_mind_between_redirects_is_refused() {
    let server = Server::start(|_| redirect("/again")).await;
    let port = server.address.port();
    let (resolve, asked) = resolver(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let fetcher = fetcher(options(&[port]), resolve);
    let error = fetcher.one(&format!("http://rebind.example:{port}/")).await;
    assert!(matches!(error, Err(FetchError::NotPublic)), "{error:?}");
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_redirect_is_checked_like_the_url() {
    let hidden = Server::start_at("127.0.0.2:0", |_| ok(GIF)).await;
    let secret = hidden.url("/secret");
    let server = Server::start(move |path| match path {
        "/private" => redirect(&secret),
        "/metadata" => redirect("http://169.254.169.254/latest/meta-data/"),
        "/mapped" => redirect("//[::ffff:127.0.0.2]/"),
        "/file" => redirect("file:///etc/passwd"),
        "/data" => redirect("data:image/gif;base64,R0lGODlh"),
        "/port" => redirect("http://127.0.0.1:22/"),
        "/user" => redirect("http://user@127.0.0.1/"),
        "/nowhere" => b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n".into(),
        _ => redirect("/loop"),
    })
    .await;
    let ports = [server.address.port(), hidden.address.port(), 80];
    let fetcher = fetcher(options(&ports), resolver(&[]).0);
    for (path, words) in [
        ("/private", "no public address"),
        ("/metadata", "no public address"),
        ("/mapped", "no public address"),
        ("/file", "not a valid"),
        ("/data", "not a valid"),
        ("/port", "port 22"),
        ("/user", "a user name"),
        ("/nowhere", "status 302"),
        ("/loop", "more than 3 redirects"),
    ] {
        let error = fetcher.one(&server.url(path)).await.unwrap_err();
        assert!(error.to_string().contains(words), "{path}: {error}");
    }
    assert_eq!(hidden.seen(), [""; 0]);
}

#[tokio::test]
async fn redirects_lead_where_they_say() {
    let server = Server::start(|path| match path {
        "/a/b" => redirect("c?d=e"),
        "/a/c?d=e" => redirect("?f"),
        "/a/c?f" => redirect("/g"),
        "/g" => ok(GIF),
        other => panic!("{other}"),
    })
    .await;
    assert!(fetcher_of(&server).one(&server.url("/a/b")).await.is_ok());
}

#[test]
fn a_redirect_is_read_beside_its_base() {
    let base: Uri = "https://a.example:444/b/c?d".parse().unwrap();
    for (location, whole) in [
        ("http://x/y", "http://x/y"),
        ("//x/y", "https://x/y"),
        ("/y", "https://a.example:444/y"),
        ("y?u=http://z", "https://a.example:444/b/y?u=http://z"),
        ("?y", "https://a.example:444/b/c?y"),
        ("", "https://a.example:444/b/"),
        ("javascript:x", "javascript:x"),
    ] {
        assert_eq!(join(&base, location), whole, "{location}");
    }
}

#[tokio::test]
async fn only_a_whole_picture_within_the_limits_is_taken() {
    let server = Server::start(|path| match path {
        "/large" => ok(&[GIF, &[0; 60]].concat()),
        "/chunked" => {
            let mut answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
            answer.extend(b"6\r\nGIF89a\r\n".repeat(20));
            answer
        }
        "/exact" => ok(&[GIF, &[0; 58]].concat()),
        "/page" => ok(b"<html>"),
        "/gone" => b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".into(),
        "/part" => b"HTTP/1.1 206 Partial Content\r\ncontent-length: 0\r\n\r\n".into(),
        "/cut" => b"HTTP/1.1 200 OK\r\ncontent-length: 60\r\n\r\nGIF89a".into(),
        "/head" => [b"HTTP/1.1 200 OK\r\na: ", &[b'x'; 100_000][..]].concat(),
        _ => b"SSH-2.0\r\n".into(),
    })
    .await;
    let port = server.address.port();
    let options = ImageOptions {
        max_bytes: 64,
        ..options(&[port])
    };
    let fetcher = fetcher(options, resolver(&[]).0);
    for (path, words) in [
        ("/large", "larger than 64 bytes"),
        ("/chunked", "larger than 64 bytes"),
        ("/page", "neither PNG"),
        ("/gone", "status 404"),
        ("/part", "status 206"),
        ("/cut", "broke off"),
        ("/head", "broke off"),
        ("/other", "broke off"),
    ] {
        let error = fetcher.one(&server.url(path)).await.unwrap_err();
        assert!(error.to_string().contains(words), "{path}: {error}");
    }
    assert!(fetcher.one(&server.url("/exact")).await.is_ok());
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_or_says_nothing_is_told() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = ImageOptions {
        timeout: Duration::from_millis(100),
        ..options(&[address.port(), silent.local_addr().unwrap().port()])
    };
    let fetcher = fetcher(options, resolver(&[]).0);
    let error = fetcher.one(&format!("http://{address}/")).await;
    assert!(
        matches!(error, Err(FetchError::Unreachable(_))),
        "{error:?}"
    );
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let error = fetcher.one(&url).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "fetching the URL took longer than 0.1 seconds"
    );
}

#[tokio::test]
async fn nobody_waits_for_ever_for_the_fetches_of_others() {
    let server = Server::start(|_| ok(GIF)).await;
    let options = ImageOptions {
        max_fetches: 0,
        timeout: Duration::from_millis(10),
        ..options(&[server.address.port()])
    };
    let fetched = fetcher(options, resolver(&[]).0);
    let error = fetched.one(&server.url("/")).await.unwrap_err();
    assert!(matches!(error, FetchError::Busy), "{error}");
    assert_eq!(server.seen(), [""; 0]);
}

#[tokio::test]
async fn a_certificate_is_asked_for_by_name_and_checked() {
    let key = rcgen::generate_simple_self_signed(["pictures.example".to_owned()]).unwrap();
    let certificate = key.cert.der().clone();
    let private = rustls::pki_types::PrivatePkcs8KeyDer::from(key.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], private.into())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
    let names = Arc::new(Mutex::new(Vec::new()));
    let seen = names.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let name = stream.get_ref().1.server_name().map(str::to_owned);
            let head = read_head(&mut stream).await;
            seen.lock().unwrap().push((name.unwrap(), head));
            stream.write_all(&ok(GIF)).await.unwrap();
            // Without it the end of the connection would look like a cut.
            stream.shutdown().await.unwrap();
        }
    });
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let (resolve, _) = resolver(&[&["127.0.0.1"]]);
    let fetcher = Fetcher::with_resolver(options(&[port]), tls_with(roots), "test/1", resolve);
    let image = fetcher
        .one(&format!("https://pictures.example:{port}/a"))
        .await;
    assert!(image.is_ok(), "{image:?}");
    {
        let names = names.lock().unwrap();
        assert_eq!(names[0].0, "pictures.example");
        let host = format!("\r\nhost: pictures.example:{port}\r\n");
        assert!(names[0].1.contains(&host), "{}", names[0].1);
    }
    let other = format!("https://other.example:{port}/a");
    let error = fetcher.one(&other).await.unwrap_err();
    assert!(matches!(error, FetchError::Unreachable(_)), "{error}");
}

fn wanted(urls: &[String]) -> Vec<Wanted> {
    let wanted = urls.iter().enumerate().map(|(index, url)| Wanted {
        url: url.as_str().into(),
        place: format!("messages[{index}].content[0].image_url"),
    });
    wanted.collect()
}

fn images(server: &Server) -> Images {
    let options = ImageOptions {
        fetch: FetchImages::All,
        ..options(&[server.address.port()])
    };
    Images::new(options, tls(), "test/1")
}

#[tokio::test]
async fn a_url_is_fetched_once_and_the_oldest_of_too_many_are_not() {
    let server = Server::start(|_| ok(GIF)).await;
    let mut urls: Vec<_> = (0..22).map(|n| server.url(&format!("/{n}"))).collect();
    // The first one is shown again at the end, which makes it one of the newest.
    urls.push(urls[0].clone());
    let pictures = images(&server).fetch(&wanted(&urls)).await.unwrap();
    let super::super::Pictures::Fetched(pictures) = pictures else {
        panic!("they are fetched");
    };
    assert_eq!(server.seen().len(), 20);
    for (index, url) in urls.iter().enumerate() {
        let is_there = pictures[url.as_str()].is_some();
        assert_eq!(is_there, ![1, 2].contains(&index), "{index}");
    }
}

#[tokio::test]
async fn the_pictures_of_a_request_are_limited_together() {
    let server = Server::start(|_| ok(GIF)).await;
    let urls: Vec<_> = (0..3).map(|n| server.url(&format!("/{n}"))).collect();
    for (bytes, is_enough) in [(18, true), (17, false)] {
        let options = ImageOptions {
            max_total_bytes: bytes,
            ..options(&[server.address.port()])
        };
        let images = Images::new(options, tls(), "test/1");
        match images.fetch(&wanted(&urls)).await {
            Ok(_) => assert!(is_enough, "{bytes}"),
            Err(error) => {
                assert!(!is_enough, "{error}");
                let message = error.public_message();
                assert!(
                    message.contains("larger than 17 bytes together"),
                    "{message}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_refusal_says_where_why_and_what_to_do() {
    let server = Server::start(|path| match path {
        "/good" => ok(GIF),
        _ => ok(b"<html>"),
    })
    .await;
    let urls = [server.url("/good"), server.url("/page")];
    let error = images(&server).fetch(&wanted(&urls)).await.unwrap_err();
    assert_eq!(error.status(), 400);
    assert_eq!(error.code(), Some("invalid_value"));
    assert_eq!(error.param(), Some("messages[1].content[0].image_url"));
    assert_eq!(
        error.public_message(),
        "Invalid image: what the URL leads to is neither PNG, JPEG, GIF nor WebP. Send the URL of the image itself, not of a page that shows it."
    );
}
