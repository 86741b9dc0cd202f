//! An account at a simulated Kiro, and what replicas need for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kiro_auth::{
    Credential, CredentialStore, HttpRefresher, HttpRefresherOptions, RedisStore,
    RedisStoreOptions, Refresher, Secret,
};
use kiro_sim::{IssuedCredential, Rotation, SimOptions, Simulator};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::server::{DEADLINE, Server};

/// The key that every replica is configured with.
pub(crate) fn key() -> Secret {
    Secret::from("planted-seal-key-0123456789")
}

pub(crate) async fn simulator(rotation: Rotation) -> Simulator {
    let mut options = SimOptions::default();
    options.rotation = rotation;
    Simulator::start(options).await.unwrap()
}

/// The configuration that all replicas start from: a refresh token.
pub(crate) fn seed(issued: &IssuedCredential) -> Credential {
    Credential::from_refresh_token(issued.refresh_token.as_deref().unwrap()).unwrap()
}

/// A replica's store, with a short lease.
pub(crate) fn store(server: &Server, seed: Credential) -> RedisStore {
    let mut options = RedisStoreOptions::default();
    options.lease = Duration::from_secs(2);
    RedisStore::new(&server.url(), seed, &key(), options).unwrap()
}

pub(crate) fn refresher(service: SocketAddr) -> Arc<dyn Refresher> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let mut options = HttpRefresherOptions::default();
    options.auth_endpoint = Some(format!("http://{service}").parse().unwrap());
    Arc::new(HttpRefresher::new(tls, options).unwrap())
}

/// The status with which the service answers a request that carries this token.
pub(crate) async fn call(service: SocketAddr, token: &Secret) -> u16 {
    let mut stream = TcpStream::connect(service).await.unwrap();
    let request = format!(
        "GET /getUsageLimits HTTP/1.1\r\nhost: {service}\r\nauthorization: Bearer {}\r\nconnection: close\r\n\r\n",
        token.expose()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let head = String::from_utf8_lossy(&answer[..answer.len().min(12)]).into_owned();
    head.strip_prefix("HTTP/1.1 ").unwrap().parse().unwrap()
}

/// The refresh token that a new replica would find.
pub(crate) async fn refresh_token(store: &RedisStore) -> Secret {
    store.load().await.unwrap().refresh_token.unwrap()
}

/// Waits for a condition, with a deadline.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !condition().await {
        assert!(started.elapsed() < DEADLINE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
