//! TLS on accepted connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What we speak, by its names in ALPN; the first one that the client offers as well is taken.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Bytes that wait in TLS for a client that does not take them. Its own limit is 64 KiB, which a thousand slow readers make
/// 64 MB.
const SEND_BUFFER: usize = 16 * 1024;

/// A configuration that names no protocols gets ours: without them nobody would get HTTP/2.
pub(crate) fn acceptor(mut config: Arc<ServerConfig>) -> TlsAcceptor {
    if config.alpn_protocols.is_empty() {
        Arc::make_mut(&mut config).alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
    }
    TlsAcceptor::from(config)
}

/// One handshake, within a time limit. What goes wrong is the other side's doing more often than not, so it
/// is of no interest to the operator.
pub(crate) async fn handshake(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    peer: SocketAddr,
    limit: Duration,
) -> Option<TlsStream<TcpStream>> {
    let accepting = acceptor.accept_with(stream, |tls| tls.set_buffer_limit(Some(SEND_BUFFER)));
    match tokio::time::timeout(limit, accepting).await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            tracing::debug!(%peer, %error, "a TLS handshake failed");
            None
        }
        Err(_) => {
            tracing::debug!(%peer, ?limit, "a TLS handshake took too long");
            None
        }
    }
}
