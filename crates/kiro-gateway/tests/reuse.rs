//! Upstream connections are reused, and replaced when they have died.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::sync::Arc;

use kiro_sim::{Matcher, Script, SimOptions};
use support::{House, whole};

/// A simulator with TLS, and a client configuration that trusts it.
fn tls() -> (SimOptions, rustls::ClientConfig) {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])
        .expect("the certificate is good");
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der())
        .expect("the certificate is good");
    let server = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("the certificate is good")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("the certificate is good");
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(made.cert.der().clone())
        .expect("the certificate is good");
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the certificate is good")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut options = SimOptions::default();
    options.tls = Some(Arc::new(server));
    (options, client)
}

#[tokio::test]
async fn a_hundred_requests_in_a_row_make_at_most_two_handshakes() {
    let (sim, client) = tls();
    let house = House::built(sim, client, Default::default(), |_| {}).await;
    house
        .sim
        .script(Matcher::any(), Script::new().text("ok").stop("END_TURN"));
    for _ in 0..50 {
        assert_eq!(house.chat(&whole("x")).await.status, 200);
        assert_eq!(house.chat(&support::streamed("x")).await.status, 200);
    }
    let connections = house.sim.connections();
    // One for the token, one for all the rest.
    assert!(connections.tls_handshakes <= 2, "{connections:?}");
}

#[tokio::test]
async fn a_connection_that_the_upstream_closed_is_replaced_unnoticed() {
    let house = House::start().await;
    house
        .sim
        .script(Matcher::any(), Script::new().text("ok").stop("END_TURN"));
    for _ in 0..5 {
        assert_eq!(house.chat(&whole("x")).await.status, 200);
        house.sim.close_idle_connections();
    }
    assert_eq!(
        house.sim.requests_for(kiro_sim::Operation::Generate).len(),
        5,
        "none was sent twice"
    );
}
