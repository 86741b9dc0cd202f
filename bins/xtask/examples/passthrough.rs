//! A bare hyper pass-through: what a proxy written with hyper costs before it does anything. `cargo xtask bench`
//! measures the gateway beside it.
//!
//! ```text
//! passthrough pooled HOST:PORT    with hyper-util's client: a task of its own for each upstream connection
//! passthrough inline HOST:PORT    the upstream connection is driven by the task that serves the client
//! ```

#![allow(clippy::print_stdout, reason = "a program talks to its user")]

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http1::{Connection, SendRequest, handshake};
use hyper::service::service_fn;
use hyper::{Request, Response, Uri, server};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Body = UnsyncBoxBody<Bytes, Failure>;

#[derive(Clone)]
enum Upstream {
    Pooled(Arc<Client<HttpConnector, Full<Bytes>>>),
    Inline(Arc<Mutex<Vec<Idle>>>),
}

/// A connection that nobody uses, and the future that drives it.
type Idle = (
    SendRequest<Full<Bytes>>,
    Connection<TokioIo<TcpStream>, Full<Bytes>>,
);

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, kind, address] = &arguments[..] else {
        return Err("usage: passthrough pooled|inline HOST:PORT".into());
    };
    let upstream = match kind.as_str() {
        "pooled" => {
            let mut connector = HttpConnector::new();
            connector.set_nodelay(true);
            let client = Client::builder(TokioExecutor::new()).build(connector);
            Upstream::Pooled(Arc::new(client))
        }
        _ => Upstream::Inline(Arc::default()),
    };
    let address: &'static str = address.clone().leak();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("passthrough listens on http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let upstream = upstream.clone();
        let service = service_fn(move |request| {
            let upstream = upstream.clone();
            async move { Ok::<_, Infallible>(pass(upstream, address, request).await) }
        });
        tokio::spawn(
            server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
        );
    }
}

async fn pass(upstream: Upstream, address: &str, request: Request<Incoming>) -> Response<Body> {
    match try_pass(upstream, address, request).await {
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
    address: &str,
    request: Request<Incoming>,
) -> Result<Response<Body>, Failure> {
    let (mut head, body) = request.into_parts();
    let body = Full::new(body.collect().await?.to_bytes());
    match upstream {
        Upstream::Pooled(client) => {
            head.uri = Uri::try_from(format!("http://{address}{}", head.uri))?;
            let response = client.request(Request::from_parts(head, body)).await?;
            Ok(response.map(|body| body.map_err(Into::into).boxed_unsync()))
        }
        Upstream::Inline(idle) => {
            let reused = lock(&idle).pop();
            let (mut sender, mut driver) = match reused {
                Some(connection) => connection,
                None => connect(address).await?,
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

async fn connect(address: &str) -> Result<Idle, Failure> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(handshake(TokioIo::new(stream)).await?)
}

/// A response body that drives its own connection, and puts it back at its end.
struct Driven {
    body: Incoming,
    connection: Option<Idle>,
    idle: Arc<Mutex<Vec<Idle>>>,
}

impl hyper::body::Body for Driven {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
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

fn lock(idle: &Mutex<Vec<Idle>>) -> std::sync::MutexGuard<'_, Vec<Idle>> {
    // A panic while the lock was held cannot have left the list half changed.
    idle.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
