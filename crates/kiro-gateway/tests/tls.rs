//! TLS on the listener: what is negotiated, what does not get in, and the drain.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use kiro_gateway::ServerOptions;
use kiro_sim::{Matcher, Script, SimOptions};
use rustls::{ClientConfig, ProtocolVersion};
use serde_json::Value;
use support::{House, KEY, SOON, streamed, whole};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Longer than any test takes, so that nothing here happens because time has passed.
const NEVER: Duration = Duration::from_secs(600);

/// A gateway behind TLS, and a client that trusts it and offers no ALPN.
async fn house(change: impl FnOnce(&mut ServerOptions)) -> (House, ClientConfig) {
    let (tls, client) = support::self_signed();
    let mut options = ServerOptions::default();
    options.tls = Some(tls);
    change(&mut options);
    let house = House::built(
        SimOptions::default(),
        support::client_tls(),
        options,
        |_| {},
    )
    .await;
    (house, client)
}

/// The client with some protocols to offer.
fn offering(client: &ClientConfig, protocols: &[&str]) -> ClientConfig {
    let mut client = client.clone();
    let names = protocols.iter().map(|name| name.as_bytes().to_vec());
    client.alpn_protocols = names.collect();
    client
}

async fn dial(house: &House, client: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(house.address).await.unwrap();
    let name = house.address.ip().into();
    let connecting = TlsConnector::from(Arc::new(client)).connect(name, stream);
    tokio::time::timeout(SOON, connecting).await.unwrap()
}

/// Sends a chat request in the version that was negotiated; the body is read by the caller.
async fn send(stream: TlsStream<TcpStream>, body: &Value) -> Response<Incoming> {
    let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let path = "/v1/chat/completions";
    let request = if is_h2 {
        Request::post(format!("https://localhost{path}"))
    } else {
        Request::post(path).header("host", "localhost")
    };
    let request = request
        .header("authorization", format!("Bearer {KEY}"))
        .body(Full::new(Bytes::from(body.to_string())))
        .unwrap();
    let io = TokioIo::new(stream);
    let response = if is_h2 {
        let (mut client, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        tokio::time::timeout(SOON, client.send_request(request)).await
    } else {
        let (mut client, connection) = http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        tokio::time::timeout(SOON, client.send_request(request)).await
    };
    response.unwrap().unwrap()
}

async fn text(response: Response<Incoming>) -> String {
    let body = response.into_body().collect();
    let body = tokio::time::timeout(SOON, body).await.unwrap().unwrap();
    String::from_utf8(body.to_bytes().to_vec()).unwrap()
}

/// What is sent before the other side closes, in whichever way.
async fn until_closed(stream: &mut TcpStream) -> Vec<u8> {
    let mut received = Vec::new();
    let read = stream.read_to_end(&mut received);
    // A reset is an end as well.
    let _ = tokio::time::timeout(SOON, read).await.unwrap();
    received
}

#[tokio::test]
async fn each_client_is_served_in_the_version_it_negotiates() {
    let (house, client) = house(|_| {}).await;
    for (offered, negotiated, version) in [
        (&["h2", "http/1.1"][..], Some("h2"), Version::HTTP_2),
        (&["http/1.1", "h2"], Some("h2"), Version::HTTP_2),
        (&["h2"], Some("h2"), Version::HTTP_2),
        (&["http/1.1"], Some("http/1.1"), Version::HTTP_11),
        (&[], None, Version::HTTP_11),
    ] {
        for body in [whole("x"), streamed("x")] {
            let stream = dial(&house, offering(&client, offered)).await.unwrap();
            let protocol = stream.get_ref().1.alpn_protocol();
            assert_eq!(protocol, negotiated.map(str::as_bytes), "{offered:?}");
            let response = send(stream, &body).await;
            assert_eq!(response.version(), version, "{offered:?}");
            assert_eq!(response.status(), 200, "{offered:?}");
            let text = text(response).await;
            let whole = text.ends_with('}') || text.ends_with("data: [DONE]\n\n");
            assert!(whole, "{offered:?} {text}");
        }
    }
}

#[tokio::test]
async fn protocols_that_the_configuration_names_are_not_added_to() {
    let (house, client) = house(|options| {
        let tls = Arc::make_mut(options.tls.as_mut().unwrap());
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    })
    .await;
    let stream = dial(&house, offering(&client, &["h2", "http/1.1"])).await;
    let stream = stream.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert!(dial(&house, offering(&client, &["h2"])).await.is_err());
}

#[tokio::test]
async fn tls_1_2_and_1_3_get_in_and_1_1_does_not() {
    let (house, client) = house(|_| {}).await;
    let stream = dial(&house, client.clone()).await.unwrap();
    let version = stream.get_ref().1.protocol_version();
    assert_eq!(version, Some(ProtocolVersion::TLSv1_3));
    let mut roots = rustls::RootCertStore::empty();
    let chain = stream.get_ref().1.peer_certificates().unwrap();
    roots.add(chain[0].clone()).unwrap();
    let old = ClientConfig::builder_with_provider(client.crypto_provider().clone())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = dial(&house, old).await.unwrap();
    let version = stream.get_ref().1.protocol_version();
    assert_eq!(version, Some(ProtocolVersion::TLSv1_2));
    assert_eq!(send(stream, &whole("x")).await.status(), 200);

    // No client of today speaks TLS 1.1, so this is its hello by hand (RFC 4346, 7.4.1.2).
    let mut hello = vec![3, 2];
    hello.extend([7; 32]); // random
    hello.extend([0]); // no session
    hello.extend([0, 4, 0xc0, 0x13, 0, 0x2f]); // ECDHE_RSA and RSA, each with AES_128_CBC_SHA
    hello.extend([1, 0]); // no compression
    // signature_algorithms, ECDSA with SHA-256: so that it is the version which is wrong
    hello.extend([0, 8, 0, 13, 0, 4, 0, 2, 4, 3]);
    let mut record = vec![0x16, 3, 1, 0, hello.len() as u8 + 4, 1, 0, 0];
    record.push(hello.len() as u8);
    record.extend(hello);
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    stream.write_all(&record).await.unwrap();
    let alert = until_closed(&mut stream).await;
    // A fatal alert: protocol_version.
    assert_eq!((alert[0], &alert[5..]), (0x15, &[2, 70][..]), "{alert:?}");
}

#[tokio::test]
async fn a_request_without_tls_is_ended_with_an_alert() {
    let (house, _) = house(|options| options.header_timeout = NEVER).await;
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    let request = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let alert = until_closed(&mut stream).await;
    assert_eq!((alert[0], alert[5]), (0x15, 2), "{alert:?}");
}

#[tokio::test]
async fn a_stalled_handshake_holds_up_nobody() {
    let (house, client) = house(|options| options.header_timeout = NEVER).await;
    let mut silent = TcpStream::connect(house.address).await.unwrap();
    let mut halting = TcpStream::connect(house.address).await.unwrap();
    halting.write_all(&[0x16, 3, 1]).await.unwrap();
    for _ in 0..3 {
        let stream = dial(&house, client.clone()).await.unwrap();
        assert_eq!(send(stream, &whole("x")).await.status(), 200);
    }
    for stalled in [&mut silent, &mut halting] {
        let ended = stalled.try_read(&mut [0]);
        let waits = ended.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        assert!(waits, "the server still waits for the rest of the hello");
    }
}

#[tokio::test]
async fn a_stalled_handshake_is_cut_at_the_limit() {
    let limit = Duration::from_millis(200);
    let (house, _) = house(|options| options.header_timeout = limit).await;
    for start in [&[][..], &[0x16, 3, 1]] {
        let begun = Instant::now();
        let mut stream = TcpStream::connect(house.address).await.unwrap();
        stream.write_all(start).await.unwrap();
        assert_eq!(until_closed(&mut stream).await, b"");
        assert!(begun.elapsed() >= limit, "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn the_drain_lets_streams_finish_and_does_not_wait_for_handshakes() {
    let (house, client) = house(|options| {
        options.header_timeout = NEVER;
        options.drain = NEVER;
    })
    .await;
    let pieces = ["a ", "b ", "c ", "d "];
    house.sim.script(
        Matcher::any(),
        Script::new()
            .text_slowly(&pieces, Duration::from_millis(100))
            .stop("END_TURN"),
    );
    // Those who came later are served, so the server has accepted it.
    let mut stalled = TcpStream::connect(house.address).await.unwrap();
    let mut open = Vec::new();
    for protocol in ["http/1.1", "h2"] {
        let stream = dial(&house, offering(&client, &[protocol])).await.unwrap();
        open.push(send(stream, &streamed("x")).await);
    }
    house.stop();
    assert_eq!(until_closed(&mut stalled).await, b"");
    for response in open {
        let text = text(response).await;
        assert!(
            text.contains("d ") && text.ends_with("data: [DONE]\n\n"),
            "{text}"
        );
    }
    house.stopped().await;
}

#[tokio::test]
async fn at_the_deadline_open_streams_say_goodbye() {
    let (house, client) = house(|options| options.drain = Duration::from_millis(100)).await;
    house
        .sim
        .script(Matcher::any(), Script::new().text("One ").hang());
    let mut open = Vec::new();
    for protocol in ["http/1.1", "h2"] {
        let stream = dial(&house, offering(&client, &[protocol])).await.unwrap();
        open.push(send(stream, &streamed("x")).await);
    }
    house.stop();
    for response in open {
        let text = text(response).await;
        assert!(
            text.contains("shutting down") && text.ends_with("data: [DONE]\n\n"),
            "{text}"
        );
        assert!(!text.contains("\"finish_reason\":\"stop\""), "{text}");
    }
    house.stopped().await;
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed_at_the_limit() {
    let limit = Duration::from_millis(200);
    for tls in [false, true] {
        let (certificate, client) = support::self_signed();
        let mut options = ServerOptions::default();
        options.header_timeout = limit;
        options.tls = tls.then_some(certificate);
        let house = House::built(
            SimOptions::default(),
            support::client_tls(),
            options,
            |_| {},
        )
        .await;
        for start in [
            &b""[..],
            b"G",
            b"PRI * HT",
            b"GET / HTTP/1.1\r\nhost: x\r\n",
        ] {
            let begun = Instant::now();
            let mut received = Vec::new();
            let read = async {
                if tls {
                    let mut stream = dial(&house, client.clone()).await.unwrap();
                    stream.write_all(start).await.unwrap();
                    let _ = stream.read_to_end(&mut received).await;
                } else {
                    let mut stream = TcpStream::connect(house.address).await.unwrap();
                    stream.write_all(start).await.unwrap();
                    let _ = stream.read_to_end(&mut received).await;
                }
            };
            tokio::time::timeout(SOON, read)
                .await
                .unwrap_or_else(|_| panic!("{tls} {start:?} is held"));
            assert!(begun.elapsed() >= limit, "{:?}", begun.elapsed());
        }
    }
}
