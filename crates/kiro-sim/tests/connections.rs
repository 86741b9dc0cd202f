//! Connections: kept, counted, encrypted, closed; and nothing left after the end.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on may as well panic"
)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use kiro_sim::{Matcher, Script, Simulator};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use support::{Client, DEADLINE, ask, krs, simulator, start};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A certificate for `localhost`, and the configurations of both sides.
fn tls() -> (Arc<ServerConfig>, TlsConnector) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate: CertificateDer<'static> = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), TlsConnector::from(Arc::new(client)))
}

async fn connect_tls(sim: &Simulator, connector: &TlsConnector) -> Client {
    let stream = TcpStream::connect(sim.address()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    Client::over(connector.connect(name, stream).await.unwrap()).await
}

#[tokio::test]
async fn many_requests_share_one_connection() {
    let sim = simulator().await;
    let credential = sim.issue_social();
    let mut client = Client::connect(&sim).await;
    for _ in 0..20 {
        assert!(
            client
                .call(krs(&credential, &ask("sim:delay=0ms Hi")))
                .await
                .is_whole
        );
    }
    assert_eq!(sim.connections().accepted, 1);
    assert!(sim.requests().iter().all(|request| request.connection == 1));
}

#[tokio::test]
async fn tls_is_spoken_and_handshakes_are_counted() {
    let (server, connector) = tls();
    let sim = start(|options| options.tls = Some(server)).await;
    assert!(sim.base_url().starts_with("https://"));
    let credential = sim.issue_social();
    for _ in 0..2 {
        let mut client = connect_tls(&sim, &connector).await;
        for _ in 0..3 {
            assert_eq!(client.call(krs(&credential, &ask("Hi"))).await.status, 200);
        }
    }
    let connections = sim.connections();
    assert_eq!((connections.accepted, connections.tls_handshakes), (2, 2));
}

#[tokio::test]
async fn a_cut_under_tls_is_no_clean_end() {
    let (server, connector) = tls();
    let sim = start(|options| options.tls = Some(server)).await;
    let credential = sim.issue_social();
    sim.script(Matcher::any(), Script::new().text("half").cut());
    let answer = connect_tls(&sim, &connector)
        .await
        .call(krs(&credential, &ask("Hi")))
        .await;
    assert_eq!((answer.text().as_str(), answer.is_whole), ("half", false));
}

#[tokio::test]
async fn a_failed_handshake_is_counted_as_a_connection_only() {
    let (server, _) = tls();
    let sim = start(|options| options.tls = Some(server)).await;
    let mut stream = TcpStream::connect(sim.address()).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, b"GET / HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    let closed =
        |state: &kiro_sim::SimState| state.connections.accepted == 1 && state.connections.open == 0;
    let state = sim.wait_until(closed, DEADLINE).await.unwrap();
    assert_eq!(state.connections.tls_handshakes, 0);
}

#[tokio::test]
async fn idle_connections_are_closed_and_busy_ones_are_not() {
    let sim = simulator().await;
    let credential = sim.issue_social();
    sim.script(
        Matcher::any().text_contains("slow"),
        Script::new().text("half").hang(),
    );
    let mut idle = Client::connect(&sim).await;
    idle.call(krs(&credential, &ask("Hi"))).await;
    let mut busy = Client::connect(&sim).await;
    let _open = busy.send(krs(&credential, &ask("slow"))).await.unwrap();
    assert_eq!(sim.connections().open, 2);
    sim.close_idle_connections();
    sim.wait_until(|state| state.connections.open == 1, DEADLINE)
        .await
        .unwrap();
    assert_eq!(sim.open_streams(), 1);
    assert!(idle.send(krs(&credential, &ask("Hi"))).await.is_err());
    sim.close_idle_connections();
}

#[tokio::test]
async fn shutdown_closes_open_streams_and_leaves_nothing_behind() {
    let sim = simulator().await;
    let credential = sim.issue_social();
    sim.script(Matcher::any(), Script::new().text("half").hang());
    let mut client = Client::connect(&sim).await;
    let response = client.send(krs(&credential, &ask("Hi"))).await.unwrap();
    let address = sim.address();
    let tasks = tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks();
    assert!(tasks >= 3, "{tasks}");
    tokio::time::timeout(DEADLINE, sim.shutdown())
        .await
        .unwrap();
    assert!(!support::Answer::read(response).await.is_whole);
    assert!(TcpStream::connect(address).await.is_err());
    drop(client);
    let metrics = tokio::runtime::Handle::current().metrics();
    let nothing_left = async {
        while metrics.num_alive_tasks() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, nothing_left).await.unwrap();
}

#[tokio::test]
async fn dropping_the_handle_stops_it_too() {
    let sim = simulator().await;
    let address = sim.address();
    drop(sim);
    let refused = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, refused).await.unwrap();
}

#[tokio::test]
async fn waiting_has_an_end() {
    let sim = simulator().await;
    let credential = sim.issue_social();
    let late = sim
        .wait_for_requests(1, Duration::from_millis(10))
        .await
        .unwrap_err();
    assert_eq!(late.state.requests, 0);
    let mut client = Client::connect(&sim).await;
    let (requests, _) = tokio::join!(
        sim.wait_for_requests(1, DEADLINE),
        client.call(krs(&credential, &ask("Hi")))
    );
    assert_eq!(requests.unwrap().len(), 1);
}

#[tokio::test]
async fn only_so_many_requests_are_remembered() {
    let sim = start(|options| options.remembered_requests = 3).await;
    let credential = sim.issue_social();
    let mut client = Client::connect(&sim).await;
    for _ in 0..5 {
        client.call(krs(&credential, &ask("sim:echo x"))).await;
    }
    let numbers: Vec<u64> = sim
        .requests()
        .iter()
        .map(|request| request.number)
        .collect();
    assert_eq!(numbers, [3, 4, 5]);
    assert_eq!(sim.state().requests, 5);
    sim.forget_requests();
    assert_eq!(sim.requests().len(), 0);

    let sim = start(|options| options.remembered_bytes = 1).await;
    let credential = sim.issue_social();
    let mut client = Client::connect(&sim).await;
    for _ in 0..2 {
        client.call(krs(&credential, &ask("sim:echo x"))).await;
    }
    assert_eq!(sim.requests().len(), 1);
}
