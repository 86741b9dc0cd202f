//! What several examples begin with: a gateway from the environment, and a server in front of whatever answers.
//! `embed` has both written out.

#![allow(clippy::print_stdout, reason = "programs talk to their users")]
#![allow(clippy::disallowed_methods, reason = "programs read their environment")]

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use kiro_auth::{
    Credential, HttpRefresher, HttpRefresherOptions, MemoryStore, Pool, Refresher, Secret,
    SystemClock, TokenSource,
};
use kiro_gateway::{Body, Gateway, GatewayOptions};
use tokio::net::TcpListener;

/// What a program fails with.
pub type Failure = Box<dyn Error>;

/// The roots of the web.
pub fn tls() -> rustls::ClientConfig {
    let roots = webpki_roots::TLS_SERVER_ROOTS.to_vec();
    rustls::ClientConfig::builder()
        .with_root_certificates(rustls::RootCertStore { roots })
        .with_no_client_auth()
}

/// Refreshes by HTTP. `KIRO_ENDPOINT` replaces all hosts, for a simulator.
///
/// # Errors
///
/// The address is none.
pub fn refresher() -> Result<Arc<dyn Refresher>, Failure> {
    let mut options = HttpRefresherOptions::default();
    options.auth_endpoint = endpoint()?;
    Ok(Arc::new(HttpRefresher::new(tls(), options)?))
}

/// A gateway for whoever knows `PROXY_API_KEY`, with the login of `REFRESH_TOKEN`.
///
/// # Errors
///
/// A variable is missing, or the key is too short.
pub fn gateway() -> Result<Gateway, Failure> {
    let refresher = refresher()?;
    let pool_of = move |credential| {
        let store = Arc::new(MemoryStore::new(credential));
        let clock = Arc::new(SystemClock);
        Pool::new(vec![TokenSource::new(store, refresher.clone(), clock)])
    };
    let own = Credential::from_refresh_token(std::env::var("REFRESH_TOKEN")?)?;
    let own = pool_of(own);
    let key = Secret::new(std::env::var("PROXY_API_KEY")?);
    let mut options = GatewayOptions::new(key, Some(own), Box::new(pool_of), tls());
    options.upstream.endpoint = endpoint()?;
    Ok(Gateway::new(options)?)
}

/// Serves on a free port of this machine, which it prints, and does not end.
///
/// # Errors
///
/// There is no port, or no connection to be had.
pub async fn serve<F>(
    answer: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static,
) -> Result<(), Failure>
where
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let answer = answer.clone();
        let service = service_fn(move |request| {
            let answering = answer(request);
            async { Ok::<_, Infallible>(answering.await) }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

fn endpoint() -> Result<Option<http::Uri>, Failure> {
    let endpoint = std::env::var("KIRO_ENDPOINT").ok();
    Ok(endpoint.map(|address| address.parse()).transpose()?)
}
