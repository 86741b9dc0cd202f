//! A bare hyper pass-through: what a proxy written with hyper costs before it does anything. Built with the same
//! flags as the gateway, from the same crates.
//!
//! ```text
//! kiro-bench passthrough pooled HOST:PORT [FOLDER]   with hyper-util's client: a task of its own for each upstream connection
//! kiro-bench passthrough inline HOST:PORT [FOLDER]   the upstream connection is driven by the task that serves the client
//! ```
//!
//! With a certificate in FOLDER both sides speak TLS.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http1::{Connection, SendRequest, handshake};
use hyper::service::service_fn;
use hyper::{Request, Response, Uri, server};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tower_service::Service as _;

use super::tls::Identity;
use crate::Failure;

type Problem = Box<dyn std::error::Error + Send + Sync>;
type Body = UnsyncBoxBody<Bytes, Problem>;
type Connector = HttpsConnector<HttpConnector>;
type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Where requests go.
#[derive(Clone)]
struct Upstream {
    base: &'static str,
    connections: Connections,
}

#[derive(Clone)]
enum Connections {
    Pooled(Arc<Client<Connector, Full<Bytes>>>),
    Inline(Connector, Arc<Mutex<Vec<Idle>>>),
}

/// A connection that nobody uses, and the future that drives it.
type Idle = (SendRequest<Full<Bytes>>, Connection<Stream, Full<Bytes>>);

/// Serves until the process is stopped. Prints its address.
///
/// # Errors
///
/// It cannot listen.
pub(crate) fn serve(kind: &str, address: &str, identity: Option<&str>) -> Result<(), Failure> {
    let identity = identity
        .map(|folder| Identity::read(folder.as_ref()))
        .transpose()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(listen(kind, address, identity))
}

async fn listen(kind: &str, address: &str, identity: Option<Identity>) -> Result<(), Failure> {
    let scheme = if identity.is_some() { "https" } else { "http" };
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    let roots = match &identity {
        Some(identity) => identity.client()?,
        None => Identity::nobody()?,
    };
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(roots)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    let connections = match kind {
        "pooled" => {
            let client = Client::builder(TokioExecutor::new()).build(connector);
            Connections::Pooled(Arc::new(client))
        }
        _ => Connections::Inline(connector, Arc::default()),
    };
    let base = format!("{scheme}://{address}").leak();
    let upstream = Upstream { base, connections };
    let acceptor = identity.map(|identity| identity.server()).transpose()?;
    let acceptor = acceptor.map(TlsAcceptor::from);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("passthrough listens on {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (upstream, acceptor) = (upstream.clone(), acceptor.clone());
        tokio::spawn(async move {
            match acceptor {
                Some(acceptor) => {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve_connection(stream, upstream).await;
                    }
                }
                None => serve_connection(stream, upstream).await,
            }
        });
    }
}

async fn serve_connection(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    upstream: Upstream,
) {
    let service = service_fn(move |request| {
        let upstream = upstream.clone();
        async move { Ok::<_, Infallible>(pass(upstream, request).await) }
    });
    // An error is the end of the connection.
    let _ = server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn pass(upstream: Upstream, request: Request<Incoming>) -> Response<Body> {
    match try_pass(upstream, request).await {
        Ok(response) => response,
        Err(error) => {
            let text = Full::new(Bytes::from(error.to_string()));
            let mut response = Response::new(text.map_err(Into::into).boxed_unsync());
            *response.status_mut() = hyper::StatusCode::BAD_GATEWAY;
            response
        }
    }
}

async fn try_pass(
    upstream: Upstream,
    request: Request<Incoming>,
) -> Result<Response<Body>, Problem> {
    let (mut head, body) = request.into_parts();
    let body = Full::new(body.collect().await?.to_bytes());
    match upstream.connections {
        Connections::Pooled(client) => {
            head.uri = Uri::try_from(format!("{}{}", upstream.base, head.uri))?;
            let response = client.request(Request::from_parts(head, body)).await?;
            Ok(response.map(|body| body.map_err(Into::into).boxed_unsync()))
        }
        Connections::Inline(connector, idle) => {
            let reused = lock(&idle).pop();
            let (mut sender, mut driver) = match reused {
                Some(connection) => connection,
                None => connect(connector, upstream.base).await?,
            };
            let sent = async {
                sender.ready().await?;
                sender.send_request(Request::from_parts(head, body)).await
            };
            let response = tokio::select! {
                response = sent => response?,
                _ = &mut driver => return Err("the upstream hung up".into()),
            };
            Ok(response.map(|body| {
                let connection = Some((sender, driver));
                let body = Driven {
                    body,
                    connection,
                    idle,
                };
                body.boxed_unsync()
            }))
        }
    }
}

async fn connect(mut connector: Connector, base: &'static str) -> Result<Idle, Problem> {
    poll_fn(|cx| connector.poll_ready(cx)).await?;
    let stream = connector.call(Uri::from_static(base)).await?;
    Ok(handshake(stream).await?)
}

/// A response body that drives its own connection, and puts it back at its end.
struct Driven {
    body: Incoming,
    connection: Option<Idle>,
    idle: Arc<Mutex<Vec<Idle>>>,
}

impl hyper::body::Body for Driven {
    type Data = Bytes;
    type Error = Problem;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Problem>>> {
        let this = &mut *self;
        let mut frame = Pin::new(&mut this.body).poll_frame(cx);
        while frame.is_pending() {
            let Some((_, driver)) = &mut this.connection else {
                break;
            };
            let driven = Pin::new(driver).poll(cx);
            frame = Pin::new(&mut this.body).poll_frame(cx);
            if driven.is_pending() {
                break;
            }
            this.connection = None;
        }
        if let Poll::Ready(None) = frame {
            lock(&this.idle).extend(this.connection.take());
        }
        frame.map_err(Into::into)
    }
}

fn lock(idle: &Mutex<Vec<Idle>>) -> MutexGuard<'_, Vec<Idle>> {
    // A panic while the lock was held cannot have left the list half changed.
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}
