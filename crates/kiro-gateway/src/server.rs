//! Accepting connections, and draining them.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, Version, header};
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SetOnce, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::beginning::Beginning;
use crate::body::Body;
use crate::brake::Peer;
use crate::closing;
use crate::error::{Error, ErrorKind};
use crate::gateway::Gateway;
use crate::handshake::{acceptor, handshake};
use crate::response::refuse;
use crate::routes;
use crate::unread::{Downstream, Unread};

/// How connections are served.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServerOptions {
    /// TLS on the listener: certificate, versions, who may connect. Where it names no ALPN protocols, `h2` and
    /// `http/1.1` are offered, in this order. Default: none, which is plain HTTP.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Most connections that are open. Beyond it none is accepted until one has ended: those who come wait in
    /// the backlog of the system, which costs nothing and refuses by itself when it is full, while accepting
    /// one to close it would cost a handshake and look like a fault. Default: 10 000; see that the
    /// process may open twice as many files. `None`: no limit.
    pub max_connections: Option<NonZeroUsize>,
    /// For the head of a request to arrive, and before it for the TLS handshake. Default: 10 s.
    pub header_timeout: Duration,
    /// For a client to take more of an answer when its side of the connection is full; then the connection
    /// is closed, and the upstream's with it. A client that does not take a stream of HTTP/2 while it takes
    /// others loses that one. Default: 60 s.
    pub write_timeout: Duration,
    /// Whether a client may close its half of an HTTP/1 connection after a request (`nc -N`) and still get its
    /// answer. A client that has left looks the same on the wire until something is written to it; so with
    /// this, what one has left behind goes on upstream, and is paid for, until the next write to it has
    /// failed. Default: `false`, who closes has left; clients cancel in this way.
    pub half_close: bool,
    /// For open streams to finish after the shutdown signal; then they are ended, each in its dialect's
    /// way. Default: 30 s, the time that service managers commonly grant before they kill.
    pub drain: Duration,
    /// Between the shutdown signal and the end of accepting. `/readyz` is red meanwhile and everything is
    /// served: for load balancers that must see it first. Default: none.
    pub drain_delay: Duration,
    /// Whether others listen on the same port (`SO_REUSEPORT`) and take over: then nobody is turned away
    /// while the listener is closed. Linux only; elsewhere it does nothing. Default: `false`.
    pub hand_over: bool,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            tls: None,
            max_connections: NonZeroUsize::new(10_000),
            header_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(60),
            half_close: false,
            drain: Duration::from_secs(30),
            drain_delay: Duration::ZERO,
            hand_over: false,
        }
    }
}

/// Time for the last words of streams that were ended at the drain deadline.
const GOODBYE: Duration = Duration::from_secs(1);

/// For those who have connected before the listener was closed to send their first request. They could not
/// know, and most clients do not try again when a connection ends before the answer.
const FIRST_REQUEST: Duration = Duration::from_secs(2);

/// Pause after a failed accept, usually for want of file descriptors: without it the loop would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Streams of one HTTP/2 connection at the same time.
const MAX_STREAMS: u32 = 200;

/// Streams that a client may open and reset before they were looked at, and streams that we may have to reset
/// for its mistakes, before its connection is closed: the flood of CVE-2023-44487 costs it a connection for
/// every so many.
const MAX_RESETS: usize = 20;
const MAX_ERRORS: usize = 100;

/// Bytes of the head of one HTTP/2 request, unpacked. Hyper's own limit for HTTP/1 is about as large.
const MAX_HEADER_BYTES: u32 = 64 * 1024;

/// Bytes that one HTTP/1 connection may hold: of a head, of a body that nobody has taken yet, and of an answer for
/// a client that does not take it. Hyper's own limit is 400 KiB, of which a thousand slow readers make 600 MB.
const HTTP1_BUFFER: usize = 32 * 1024;

/// Bytes that one HTTP/2 stream may hold for a client that does not take them.
const SEND_BUFFER: usize = 64 * 1024;

/// Serves a gateway until `shutdown` is ready, then drains: accepts no more, lets open exchanges finish
/// until the deadline, and ends the rest.
///
/// # Errors
///
/// None after the start; the result leaves room for it.
pub async fn serve(
    listener: TcpListener,
    gateway: Gateway,
    options: ServerOptions,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    serve_watched(listener, gateway, watch::channel(options).1, shutdown).await
}

/// As [`serve`], with options that may change meanwhile: connections that come later get the new ones, and
/// so do the drain and its deadlines. That is how a certificate is replaced.
///
/// # Errors
///
/// As [`serve`].
pub async fn serve_watched(
    listener: TcpListener,
    gateway: Gateway,
    options: watch::Receiver<ServerOptions>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let mut server = Server::new(gateway, options);
    server.accept_until(&listener, shutdown).await;
    server.gateway.begin_drain();
    server.take_changes();
    let delay = server.options.drain_delay;
    server.accept_until(&listener, sleep(delay)).await;
    if server.options.hand_over && closing::leave_to_others(&listener) {
        server
            .accept_until(&listener, sleep(closing::HANDSHAKES))
            .await;
    }
    for (stream, peer) in closing::close(listener) {
        // They are there already, whether there is a place for them or not.
        let place = server.places.clone().try_acquire_owned().ok();
        server.admit(stream, peer, place);
    }
    let gateway = server.gateway.clone();
    server.drain().await;
    gateway.settled().await;
    Ok(())
}

/// The place of a connection among those that there may be.
type Place = Option<OwnedSemaphorePermit>;

/// What is open, and how what comes is served.
struct Server {
    gateway: Gateway,
    changes: watch::Receiver<ServerOptions>,
    /// Those in force.
    options: ServerOptions,
    tls: Option<TlsAcceptor>,
    handshakes: JoinSet<Option<(TlsStream<TcpStream>, SocketAddr, Place)>>,
    /// For connections. Their number stays what it was at the start.
    places: Arc<Semaphore>,
    /// Every open connection has a receiver; `true` tells them to close.
    closing: watch::Sender<bool>,
}

impl Server {
    fn new(gateway: Gateway, mut changes: watch::Receiver<ServerOptions>) -> Self {
        let options = changes.borrow_and_update().clone();
        Self {
            gateway,
            changes,
            tls: options.tls.clone().map(acceptor),
            places: Arc::new(Semaphore::new(most(&options))),
            options,
            handshakes: JoinSet::new(),
            closing: watch::Sender::new(false),
        }
    }

    async fn accept_until(&mut self, listener: &TcpListener, end: impl Future<Output = ()>) {
        let mut end = std::pin::pin!(end);
        loop {
            tokio::select! {
                accepted = accept(listener, &self.places) => match accepted {
                    Ok((stream, peer, place)) => self.admit(stream, peer, Some(place)),
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(done) = self.handshakes.join_next() => if let Ok(Some((stream, peer, place))) = done {
                    self.connection(stream, peer, place);
                },
                () = &mut end => return,
            }
        }
    }

    fn admit(&mut self, stream: TcpStream, peer: SocketAddr, place: Place) {
        self.take_changes();
        send_at_once(&stream);
        match &self.tls {
            None => self.connection(stream, peer, place),
            Some(tls) => {
                let limit = self.options.header_timeout;
                let shaken = handshake(tls.clone(), stream, peer, limit);
                self.handshakes
                    .spawn(async move { Some((shaken.await?, peer, place)) });
            }
        }
    }

    fn take_changes(&mut self) {
        // Whoever changed the options may be gone; the last ones stand.
        if self.changes.has_changed().unwrap_or(false) {
            self.options = self.changes.borrow_and_update().clone();
            self.tls = self.options.tls.clone().map(acceptor);
        }
    }

    /// Serves a connection in the version of HTTP that its first bytes are in: they tell what ALPN has
    /// settled, and what is spoken where there was none.
    fn connection(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: SocketAddr,
        place: Place,
    ) {
        let options = &self.options;
        let builder = builder(options);
        let stream = Beginning::new(stream, options.header_timeout);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(options.write_timeout));
        let stream = TokioIo::new(Box::pin(stream));
        let (gateway, begun) = (self.gateway.clone(), Arc::new(SetOnce::new()));
        let has_begun = begun.clone();
        let (unread, limit) = (Arc::new(Unread::default()), options.write_timeout);
        let streams = unread.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer.ip()));
            // It has been told before, by all but the first request.
            let _ = begun.set(());
            let (version, streams) = (request.version(), streams.clone());
            let answering = match has_one_host(&request) {
                true => gateway.call(request),
                false => Box::pin(std::future::ready(Ok(without_host(&request)))),
            };
            async move {
                let response = answering.await?;
                Ok::<_, Infallible>(response.map(|body| match version {
                    Version::HTTP_2 => streams.watched(body),
                    _ => Downstream::Plain(body),
                }))
            }
        });
        let mut closing = self.closing.subscribe();
        tokio::spawn(async move {
            let connection = builder.serve_connection(stream, service);
            let mut connection = std::pin::pin!(connection);
            let serving = async {
                tokio::select! {
                    // What has arrived is looked at before the time is.
                    biased;
                    ended = &mut connection => ended,
                    () = told_to_close(&mut closing, &has_begun) => {
                        connection.as_mut().graceful_shutdown();
                        connection.await
                    }
                }
            };
            let ended = tokio::select! {
                biased;
                ended = serving => ended,
                never = unread.leave_after(limit) => match never {},
            };
            if let Err(error) = ended {
                tracing::debug!(error = &*error, "a downstream connection ended early");
            }
            drop(place);
        });
    }

    async fn drain(mut self) {
        let deadline = Instant::now() + self.options.drain;
        let open = self.closing.receiver_count();
        tracing::info!(open, deadline = ?self.options.drain, "draining");
        self.closing.send_replace(true);
        let last = Instant::now() + FIRST_REQUEST;
        while let Ok(Some(done)) = timeout_at(last.min(deadline), self.handshakes.join_next()).await
        {
            if let Ok(Some((stream, peer, place))) = done {
                self.connection(stream, peer, place);
            }
        }
        // Nobody has sent a request there yet.
        self.handshakes.shutdown().await;
        if timeout_at(deadline, self.closing.closed()).await.is_ok() {
            return;
        }
        tracing::warn!("the drain deadline has passed; ending open streams");
        self.gateway.end_streams();
        if timeout(GOODBYE, self.closing.closed()).await.is_err() {
            tracing::warn!("some connections did not end in time");
        }
    }
}

/// What hyper makes of a connection.
fn builder(options: &ServerOptions) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .max_buf_size(HTTP1_BUFFER)
        .half_close(options.half_close)
        .header_read_timeout(options.header_timeout);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_RESETS)
        .max_local_error_reset_streams(MAX_ERRORS)
        .max_header_list_size(MAX_HEADER_BYTES)
        .max_send_buf_size(SEND_BUFFER)
        // Who does not answer is gone, or never was there.
        .keep_alive_interval(options.header_timeout)
        .keep_alive_timeout(options.header_timeout);
    builder
}

/// Ready when the server closes and the first request is there, or does not come: hyper closes a connection
/// at once that has not begun.
async fn told_to_close(closing: &mut watch::Receiver<bool>, begun: &SetOnce<()>) {
    // The server outlives its last word.
    let _ = closing.wait_for(|closing| *closing).await;
    let _ = timeout(FIRST_REQUEST, begun.wait()).await;
}

fn most(options: &ServerOptions) -> usize {
    let most = options
        .max_connections
        .map_or(usize::MAX, NonZeroUsize::get);
    most.min(Semaphore::MAX_PERMITS)
}

/// The next connection, once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await;
    let place = place.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, place))
}

/// A token is a small write; without this it would wait for the acknowledgement of the one before.
fn send_at_once(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
}

/// Whether a request says whom it is for, as HTTP/1.1 demands (RFC 9112, section 3.2). Who forwards requests
/// and finds another host in them than we do could be fooled by one with several.
fn has_one_host<B>(request: &Request<B>) -> bool {
    let n_hosts = request.headers().get_all(header::HOST).iter().count();
    n_hosts == 1 || (n_hosts == 0 && request.version() != Version::HTTP_11)
}

fn without_host<B>(request: &Request<B>) -> Response<Body> {
    let dialect = routes::dialect(request.uri().path(), request.headers());
    let message = "The request has no Host header, or more than one.";
    refuse(dialect, &Error::new(ErrorKind::InvalidRequest, message))
}
