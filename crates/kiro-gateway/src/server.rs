//! Accepting connections, and draining them.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;

use crate::beginning::Beginning;
use crate::gateway::Gateway;
use crate::handshake::{acceptor, handshake};

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
    /// is closed, and the upstream's with it. Default: 60 s.
    pub write_timeout: Duration,
    /// For open streams to finish after the shutdown signal; then they are ended, each in its dialect's
    /// way. Default: 30 s, the time that service managers commonly grant before they kill.
    pub drain: Duration,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            tls: None,
            max_connections: NonZeroUsize::new(10_000),
            header_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(60),
            drain: Duration::from_secs(30),
        }
    }
}

/// Time for the last words of streams that were ended at the drain deadline.
const GOODBYE: Duration = Duration::from_secs(1);

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
    let graceful = GracefulShutdown::new();
    let tls = options.tls.clone().map(acceptor);
    let mut handshakes = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    let most = options
        .max_connections
        .map_or(usize::MAX, NonZeroUsize::get);
    let places = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
    loop {
        tokio::select! {
            accepted = accept(&listener, &places) => match (accepted, &tls) {
                (Ok((stream, _, place)), None) => {
                    send_at_once(&stream);
                    connection(stream, place, gateway.clone(), &options, &graceful);
                }
                (Ok((stream, peer, place)), Some(tls)) => {
                    send_at_once(&stream);
                    let limit = options.header_timeout;
                    let shaken = handshake(tls.clone(), stream, peer, limit);
                    handshakes.spawn(async move { Some((shaken.await?, place)) });
                }
                (Err(error), _) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(done) = handshakes.join_next() => if let Ok(Some((stream, place))) = done {
                connection(stream, place, gateway.clone(), &options, &graceful);
            },
            () = &mut shutdown => break,
        }
    }
    drop(listener);
    // Nobody has sent a request there yet.
    drop(handshakes);
    drain(gateway, graceful, options.drain).await;
    Ok(())
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

/// Serves a connection in the version of HTTP that its first bytes are in: they tell what ALPN has settled,
/// and what is spoken where there was none.
fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    place: OwnedSemaphorePermit,
    gateway: Gateway,
    options: &ServerOptions,
    graceful: &GracefulShutdown,
) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
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
    let stream = Beginning::new(stream, options.header_timeout);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(options.write_timeout));
    let connection = builder
        .serve_connection(TokioIo::new(Box::pin(stream)), gateway)
        .into_owned();
    let watched = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = watched.await {
            tracing::debug!(error = &*error, "a downstream connection ended early");
        }
        drop(place);
    });
}

async fn drain(gateway: Gateway, graceful: GracefulShutdown, deadline: Duration) {
    let open = graceful.count();
    tracing::info!(open, ?deadline, "draining");
    let mut finished = std::pin::pin!(graceful.shutdown());
    if tokio::time::timeout(deadline, &mut finished).await.is_ok() {
        return;
    }
    tracing::warn!("the drain deadline has passed; ending open streams");
    gateway.end_streams();
    if tokio::time::timeout(GOODBYE, finished).await.is_err() {
        tracing::warn!("some connections did not end in time");
    }
}
