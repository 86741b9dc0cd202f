//! The gateway beside a route of your own: `REFRESH_TOKEN=… PROXY_API_KEY=… embed`.
//!
//! `KIRO_ENDPOINT` replaces all hosts, for a simulator.

#![allow(clippy::print_stdout, reason = "a program talks to its user")]
#![allow(clippy::disallowed_methods, reason = "a program reads its environment")]

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use kiro_auth::{
    Credential, HttpRefresher, HttpRefresherOptions, Pool, Secret, SystemClock, TokenSource, Vault,
    VaultOptions,
};
use kiro_gateway::{Body, Gateway, GatewayOptions};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let gateway = gateway()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let gateway = gateway.clone();
        let service = service_fn(move |request| route(gateway.clone(), request));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

/// Your routes first; what is left is the gateway's.
async fn route(gateway: Gateway, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    match request.uri().path() {
        "/mine" => Ok(Response::new(
            Full::new(Bytes::from_static(b"a route of my own\n")).boxed_unsync(),
        )),
        _ => Ok(gateway.handle(request).await),
    }
}

fn gateway() -> Result<Gateway, Box<dyn Error>> {
    let endpoint = std::env::var("KIRO_ENDPOINT").ok();
    let endpoint = endpoint.map(|address| address.parse()).transpose()?;
    let roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let tls = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut options = HttpRefresherOptions::default();
    options.auth_endpoint.clone_from(&endpoint);
    let refresher = Arc::new(HttpRefresher::new(tls.clone(), options)?);
    // What is rotated lasts as long as the process; `Vault::open` keeps it in a folder.
    let vault = Vault::in_memory(&VaultOptions::default());
    let pool_of = move |sent: Credential| {
        let store = vault.store(sent);
        Pool::new(vec![TokenSource::new(
            store,
            refresher.clone(),
            Arc::new(SystemClock),
        )])
    };
    let own = pool_of(Credential::from_refresh_token(std::env::var(
        "REFRESH_TOKEN",
    )?)?);
    let key = Secret::new(std::env::var("PROXY_API_KEY")?);
    let mut options = GatewayOptions::new(key, Some(own), Box::new(pool_of), tls);
    options.upstream.endpoint = endpoint;
    Ok(Gateway::new(options)?)
}
