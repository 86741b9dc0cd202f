//! Connections to the upstream: checked out, driven by the exchange that uses them, checked in.
//!
//! hyper-util's pooled client spawns a task for each connection, and every HTTP chunk then crosses from
//! that task to the one that serves the downstream. The crossing costs four times more than everything
//! else we do with an event. So an idle connection is kept here together with the future that drives
//! it, and [`ResponseBody`] polls that future itself.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::{Body as _, Frame, Incoming};
use hyper::client::conn::http1;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::DynError;
use crate::capture::{Ended, Take};

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;
type Sender = http1::SendRequest<Full<Bytes>>;
type Driver = http1::Connection<Stream, Full<Bytes>>;

/// Idle connections kept for each host. More than an agent's burst; each costs two small buffers.
const MAX_IDLE_PER_HOST: usize = 64;

/// How long an idle connection is believed to be alive. Below the 60 s after which AWS's load balancers
/// close an idle connection, so that it is we who let go first.
const MAX_IDLE_AGE: Duration = Duration::from_secs(50);

/// Bytes that are read from the service before the downstream takes them. A frame of a reply has less than one
/// kilobyte; hyper's own limit is 400 KiB.
const BUFFER: usize = 16 * 1024;

/// The pool of idle connections of one process, and the way to make new ones.
pub(crate) struct Connections {
    connector: HttpsConnector<HttpConnector>,
    connect_timeout: Duration,
    idle: Mutex<HashMap<Origin, Vec<Idle>>>,
}

/// Scheme, host and port: what a connection can be reused for.
type Origin = (http::uri::Scheme, http::uri::Authority);

struct Idle {
    connection: Connection,
    since: Instant,
}

/// One HTTP/1.1 connection and the future that drives it.
struct Connection {
    origin: Origin,
    sender: Sender,
    /// On the heap, because the exchange moves it from hand to hand.
    driver: Box<Driver>,
}

/// Why no response head came back.
#[derive(Debug)]
pub(crate) enum SendError {
    /// No connection could be made; nothing was sent.
    Connect(DynError),
    /// Making the connection took longer than the limit.
    ConnectTimeout(Duration),
    /// The connection broke after the request was (partly) sent.
    Broken(DynError),
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connections")
            .field("connect_timeout", &self.connect_timeout)
            .finish_non_exhaustive()
    }
}

impl Connections {
    /// Connections with one TLS configuration, for HTTP/1.1 only: a stream of ours lasts minutes, and
    /// on a shared HTTP/2 connection one slow reader would hold up the others.
    pub(crate) fn new(tls: rustls::ClientConfig, connect_timeout: Duration) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        // Off by default in hyper-util; without it every small write waits for a delayed ACK.
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(Duration::from_secs(30)));
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        Self {
            connector,
            connect_timeout,
            idle: Mutex::default(),
        }
    }

    /// Sends a request and waits for the head of its response.
    ///
    /// A reused connection that turns out to be dead before any byte of a response came back is
    /// replaced by a fresh one, once.
    pub(crate) async fn send(
        self: &Arc<Self>,
        request: Request<Bytes>,
    ) -> Result<Response<ResponseBody>, SendError> {
        let origin = origin(request.uri())?;
        if let Some(connection) = self.check_out(&origin).await {
            match connection.exchange(origin_form(&request)).await {
                Ok(done) => return Ok(self.wrap(done)),
                Err(error) => {
                    tracing::debug!(%error, "a kept connection was dead; using a fresh one")
                }
            }
        }
        // Seldom, so it takes no room in the exchanges that do without.
        let connection = Box::pin(self.connect(request.uri(), origin)).await?;
        let done = connection.exchange(origin_form(&request)).await;
        done.map(|done| self.wrap(done))
            .map_err(|error| SendError::Broken(error.into()))
    }

    fn wrap(
        self: &Arc<Self>,
        (response, connection): (Response<Incoming>, Connection),
    ) -> Response<ResponseBody> {
        response.map(|body| ResponseBody {
            body,
            connection: Some(connection),
            home: self.clone(),
            take: Take::default(),
        })
    }

    async fn connect(&self, uri: &Uri, origin: Origin) -> Result<Connection, SendError> {
        let connecting = async {
            let stream = call(&self.connector, uri.clone()).await?;
            let mut builder = http1::Builder::new();
            let (sender, driver) = builder.max_buf_size(BUFFER).handshake(stream).await?;
            Ok::<_, DynError>(Connection {
                origin,
                sender,
                driver: Box::new(driver),
            })
        };
        match tokio::time::timeout(self.connect_timeout, connecting).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(SendError::Connect(error)),
            Err(_) => Err(SendError::ConnectTimeout(self.connect_timeout)),
        }
    }

    /// The most recently used connection that is still alive.
    async fn check_out(&self, origin: &Origin) -> Option<Connection> {
        loop {
            let idle = self.lock().get_mut(origin)?.pop()?;
            if idle.since.elapsed() > MAX_IDLE_AGE {
                continue;
            }
            let mut connection = idle.connection;
            if connection.is_alive().await {
                return Some(connection);
            }
        }
    }

    fn check_in(&self, connection: Connection) {
        let mut idle = self.lock();
        let kept = idle.entry(connection.origin.clone()).or_default();
        kept.retain(|idle| idle.since.elapsed() <= MAX_IDLE_AGE);
        if kept.len() < MAX_IDLE_PER_HOST {
            kept.push(Idle {
                connection,
                since: Instant::now(),
            });
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Origin, Vec<Idle>>> {
        // The map is never left half changed: each critical section is one push, pop or retain.
        self.idle
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Connection {
    /// Polls the driver once: it sees the end of a connection that the other side has closed.
    async fn is_alive(&mut self) -> bool {
        std::future::poll_fn(|cx| {
            if Pin::new(&mut self.driver).poll(cx).is_ready() {
                return Poll::Ready(false);
            }
            Poll::Ready(matches!(self.sender.poll_ready(cx), Poll::Ready(Ok(()))))
        })
        .await
    }

    /// Sends one request, driving the connection until the response head is there.
    async fn exchange(
        mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, Self), hyper::Error> {
        let response = {
            let mut sending = std::pin::pin!(self.sender.send_request(request));
            let mut driver_done = false;
            std::future::poll_fn(|cx| {
                loop {
                    if let Poll::Ready(response) = sending.as_mut().poll(cx) {
                        return Poll::Ready(response);
                    }
                    // Once the driver has ended, `sending` resolves: hyper drops its other half.
                    if driver_done || Pin::new(&mut self.driver).poll(cx).is_pending() {
                        // The driver may have delivered the head in the poll above.
                        return sending.as_mut().poll(cx);
                    }
                    driver_done = true;
                }
            })
            .await?
        };
        Ok((response, self))
    }
}

/// The body of a response, driving the connection it comes from.
///
/// When it has been read to its end, the connection goes back to the idle ones. When it is dropped
/// before, the connection is closed, which tells the upstream to stop.
pub(crate) struct ResponseBody {
    body: Incoming,
    connection: Option<Connection>,
    home: Arc<Connections>,
    /// Where it is recorded what comes.
    take: Take,
}

impl std::fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseBody")
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

impl ResponseBody {
    pub(super) fn record_on(&mut self, take: Take) {
        self.take = take;
    }

    /// The next segment of the body, or `None` at its end.
    pub(crate) fn poll_segment(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, hyper::Error>> {
        loop {
            match ready!(self.poll_frame(cx)) {
                None => {
                    self.take.end(Ended::Complete);
                    self.give_back(cx);
                    return Poll::Ready(Ok(None));
                }
                Some(Err(error)) => {
                    self.take.end(Ended::Broken);
                    return Poll::Ready(Err(error));
                }
                // Trailers carry nothing for us.
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.take.segment(&data);
                        return Poll::Ready(Ok(Some(data)));
                    }
                }
            }
        }
    }

    /// Reads the rest of a small body, at most `limit` bytes of it.
    pub(crate) async fn read_up_to(&mut self, limit: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Ok(Some(segment)) = std::future::poll_fn(|cx| self.poll_segment(cx)).await {
            bytes.extend_from_slice(&segment[..segment.len().min(limit - bytes.len())]);
            if bytes.len() == limit {
                break;
            }
        }
        bytes
    }

    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        if let Some(connection) = &mut self.connection
            && Pin::new(&mut connection.driver).poll(cx).is_ready()
        {
            self.connection = None;
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn give_back(&mut self, cx: &mut Context<'_>) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        let open = Pin::new(&mut connection.driver).poll(cx).is_pending();
        if open && !connection.sender.is_closed() {
            self.home.check_in(connection);
        }
    }
}

fn origin(uri: &Uri) -> Result<Origin, SendError> {
    match (uri.scheme(), uri.authority()) {
        (Some(scheme), Some(authority)) => Ok((scheme.clone(), authority.clone())),
        _ => Err(SendError::Connect(
            format!("the upstream address `{uri}` is not absolute").into(),
        )),
    }
}

/// hyper's connections want the path alone in the request line and the host in its header.
fn origin_form(request: &Request<Bytes>) -> Request<Full<Bytes>> {
    let mut out = Request::new(Full::new(request.body().clone()));
    *out.method_mut() = request.method().clone();
    *out.headers_mut() = request.headers().clone();
    if let Some(authority) = request.uri().authority()
        && let Ok(host) = http::HeaderValue::from_str(authority.as_str())
    {
        out.headers_mut().insert(http::header::HOST, host);
    }
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    // A path that came out of a valid address is a valid address by itself.
    *out.uri_mut() = path.parse().unwrap_or_default();
    out
}

async fn call(connector: &HttpsConnector<HttpConnector>, uri: Uri) -> Result<Stream, DynError> {
    use hyper_util::service::TowerToHyperService;
    hyper::service::Service::call(&TowerToHyperService::new(connector.clone()), uri).await
}
