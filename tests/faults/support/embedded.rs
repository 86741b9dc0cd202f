//! The server of the program in this process, for the rows that need parts which no configuration can name.

use std::net::SocketAddr;
use std::sync::Arc;

use kiro_auth::{
    Credential, HttpRefresher, HttpRefresherOptions, MemoryStore, Pool, Refresher, Secret,
    SystemClock, TokenSource,
};
use kiro_gateway::{Gateway, GatewayOptions, MakePool, ServerOptions, serve};
use kiro_sim::Simulator;
use tokio::net::TcpListener;

use super::KEY;

/// A client of TLS that trusts these authorities and nobody else.
pub(crate) fn trusting(roots: rustls::RootCertStore) -> rustls::ClientConfig {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// Serves with an account of the simulator, asks `upstream`, and does so until the test ends.
pub(crate) async fn gateway(
    sim: &Simulator,
    upstream: &str,
    tls: rustls::ClientConfig,
    make_pool: MakePool,
) -> SocketAddr {
    let mut options = HttpRefresherOptions::default();
    options.auth_endpoint = Some(sim.base_url().parse().unwrap());
    let refresher: Arc<dyn Refresher> = Arc::new(HttpRefresher::new(tls.clone(), options).unwrap());
    let token = sim.issue_social().refresh_token.unwrap();
    let store = MemoryStore::new(Credential::from_refresh_token(token).unwrap());
    let source = TokenSource::new(Arc::new(store), refresher, Arc::new(SystemClock));
    let pool = Pool::new(vec![source]);
    let mut options = GatewayOptions::new(Secret::from(KEY), Some(pool), make_pool, tls);
    options.upstream.endpoint = Some(upstream.parse().unwrap());
    options.upstream.max_retries = 1;
    let gateway = Gateway::new(options).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(
        listener,
        gateway,
        ServerOptions::default(),
        std::future::pending(),
    ));
    address
}
