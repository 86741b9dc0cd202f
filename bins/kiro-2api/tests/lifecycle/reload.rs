//! Another configuration for the running process.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;

use super::*;

const OTHER: &str = "sk-other-0123456789abc";

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_puts_a_good_file_in_force_and_says_what_is_wrong_with_a_bad_one() {
    let (sim, folder) = (simulator().await, tempfile::tempdir().unwrap());
    let first = with_account(&sim);
    configure(folder.path(), &sim, &first, "");
    let logged = Logged::serve(folder.path(), "127.0.0.1:0", &[]);
    let pieces = ["a "; 30];
    sim.script(
        Matcher::any(),
        Script::new()
            .text_slowly(&pieces, Duration::from_millis(100))
            .text("end")
            .stop("END_TURN"),
    );
    let stream = open_stream(logged.address);
    let n_refreshes = sim.requests_for(Operation::SocialRefresh).len();

    let tables = "[store]\nkind = \"memory\"";
    configure(folder.path(), &sim, &first.replace(KEY, OTHER), tables);
    logged.send("-HUP");
    let log = logged.log_until("the configuration was reloaded", 1);
    assert!(
        log.contains("[store] has changed, which takes a restart"),
        "{log}"
    );
    assert_eq!((logged.status(KEY), logged.status(OTHER)), (401, 200));

    for (n, bad, words) in [
        (
            1,
            "[server]\nmax_boddy = 1",
            ["kiro-2api.toml", "max_boddy", "did you mean `max_body`"],
        ),
        (
            2,
            "[server]\nmax_body = \"big\"",
            ["kiro-2api.toml", "max_body", "expected a size"],
        ),
        (3, "[server", ["kiro-2api.toml", "TOML", "line"]),
        (
            4,
            "[server.tls]\ncert = \"c.pem\"",
            ["server.tls.cert", "server.tls.key", "is not"],
        ),
        (
            5,
            "[images]\nports = [\"x\"]",
            ["images.ports", "not a port", "`x`"],
        ),
    ] {
        configure(folder.path(), &sim, &first, bad);
        logged.send("-HUP");
        let log = logged.log_until("was not reloaded", n);
        let (_, said) = log.rsplit_once("was not reloaded").unwrap();
        assert!(
            words.iter().all(|words| said.contains(words)),
            "{words:?} {said}"
        );
        assert_eq!((logged.status(KEY), logged.status(OTHER)), (401, 200));
    }
    let rest = rest_of(stream);
    assert!(
        rest.contains("\"end\"") && rest.contains("[DONE]"),
        "{rest}"
    );
    let refreshes = sim.requests_for(Operation::SocialRefresh).len();
    assert_eq!(refreshes, n_refreshes, "its account is the same");
    logged.send("-TERM");
    assert_eq!(logged.ended(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_is_noticed_and_accounts_come_and_go() {
    let (sim, folder) = (simulator().await, tempfile::tempdir().unwrap());
    configure(folder.path(), &sim, "", "");
    let dotenv = folder.path().join(".env");
    fs::write(&dotenv, format!("PROXY_API_KEY={KEY}")).unwrap();
    let logged = Logged::serve(folder.path(), "127.0.0.1:0", &[]);
    assert_eq!(logged.status(KEY), 401, "it has no account");
    let token = sim.issue_social().refresh_token.unwrap();
    fs::write(
        &dotenv,
        format!("PROXY_API_KEY={OTHER}\nREFRESH_TOKEN={token}"),
    )
    .unwrap();
    logged.log_until("the configuration was reloaded", 1);
    assert_eq!((logged.status(KEY), logged.status(OTHER)), (401, 200));
    fs::remove_file(&dotenv).unwrap();
    let log = logged.log_until("was not reloaded", 1);
    assert!(log.contains("PROXY_API_KEY is not set"), "{log}");
    assert!(!log.contains(OTHER) && !log.contains(&token));
    assert_eq!(logged.status(OTHER), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_renewed_although_the_configuration_is_broken() {
    let (sim, folder) = (simulator().await, tempfile::tempdir().unwrap());
    configure(folder.path(), &sim, &with_account(&sim), "");
    let (files, old) = certificate_in(folder.path());
    let environment: Vec<_> = files.iter().map(|(name, file)| (*name, &**file)).collect();
    let logged = Logged::serve(folder.path(), "127.0.0.1:0", &environment);
    assert!(
        ask(logged.address, &old, None)
            .unwrap()
            .starts_with("HTTP/1.1 200")
    );
    fs::write(folder.path().join("kiro-2api.toml"), "x = 1").unwrap();
    let (_, new) = certificate_in(folder.path());
    logged.log_until("was not reloaded", 1);
    let begun = Instant::now();
    // The line comes before the certificate is read.
    while ask(logged.address, &new, None).is_err() {
        assert!(begun.elapsed() < SOON);
    }
    assert!(ask(logged.address, &old, None).is_err());
    // A key that does not fit changes nothing.
    fs::write(folder.path().join("key.pem"), certificate::Made::new().key).unwrap();
    let log = logged.log_until("the certificate was not reloaded", 1);
    assert!(
        log.contains("does not belong to the first certificate"),
        "{log}"
    );
    assert!(
        ask(logged.address, &new, None)
            .unwrap()
            .starts_with("HTTP/1.1 200")
    );
}

/// An authority that signs certificates of clients.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key.
type Identity = (CertificateDer<'static>, PrivateKeyDer<'static>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let cert = params.self_signed(&key).unwrap();
        Self {
            pem: certificate::pem("CERTIFICATE", cert.der()),
            issuer: Issuer::new(params, key),
        }
    }

    fn sign(&self) -> Identity {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["client".to_owned()]).unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        (
            cert.der().clone(),
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_authority_only_those_get_in_whom_it_has_signed_and_with_the_key() {
    let (sim, folder) = (simulator().await, tempfile::tempdir().unwrap());
    configure(folder.path(), &sim, &with_account(&sim), "");
    let (ours, others) = (Authority::new(), Authority::new());
    let file = folder.path().join("ca.pem");
    fs::write(&file, &ours.pem).unwrap();
    let (files, server) = certificate_in(folder.path());
    let mut environment: Vec<_> = files.iter().map(|(name, file)| (*name, &**file)).collect();
    environment.push(("KIRO_2API_SERVER__TLS__CLIENT_CA", file.to_str().unwrap()));
    let logged = Logged::serve(folder.path(), "127.0.0.1:0", &environment);
    let got_in = |identity: Option<Identity>| ask(logged.address, &server, identity);
    assert!(
        got_in(Some(ours.sign()))
            .unwrap()
            .starts_with("HTTP/1.1 200")
    );
    assert!(got_in(Some(others.sign())).is_err());
    assert!(got_in(None).is_err());
    let self_made = certificate::Made::new();
    let self_made = (
        CertificateDer::from_pem_slice(self_made.cert.as_bytes()).unwrap(),
        PrivateKeyDer::from_pem_slice(self_made.key.as_bytes()).unwrap(),
    );
    assert!(got_in(Some(self_made)).is_err());
    let answer = ask_with(logged.address, &server, Some(ours.sign()), "sk-wrong").unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");

    fs::write(&file, &others.pem).unwrap();
    logged.send("-HUP");
    logged.log_until("the configuration was reloaded", 1);
    assert!(got_in(Some(ours.sign())).is_err());
    assert!(
        got_in(Some(others.sign()))
            .unwrap()
            .starts_with("HTTP/1.1 200")
    );
}

/// One question over TLS to a server with this certificate.
fn ask(
    address: SocketAddr,
    server: &CertificateDer<'static>,
    identity: Option<Identity>,
) -> std::io::Result<String> {
    ask_with(address, server, identity, KEY)
}

fn ask_with(
    address: SocketAddr,
    server: &CertificateDer<'static>,
    identity: Option<Identity>,
    key: &str,
) -> std::io::Result<String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(server.clone()).unwrap();
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let config = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match identity {
        Some((cert, key)) => config.with_client_auth_cert(vec![cert], key).unwrap(),
        None => config.with_no_client_auth(),
    };
    let client = rustls::ClientConnection::new(config.into(), address.ip().into()).unwrap();
    let mut stream = rustls::StreamOwned::new(client, TcpStream::connect(address)?);
    stream.write_all(chat_request(key, &question()).as_bytes())?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    Ok(response)
}
