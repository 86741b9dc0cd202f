//! Accepting connections and ending them.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::service;
use crate::state::Shared;
use crate::stream::{Line, Transport, Wire};

/// Pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// What the handle tells the connections. Every value wins over the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Serve,
    /// Connections without a request under way are closed; the count makes each order a new one.
    CloseIdle(u64),
    Stop,
}

/// Accepts until told to stop, then drops every connection as it is.
pub(crate) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    mut orders: watch::Receiver<Order>,
) {
    let tls = shared.options.tls.clone().map(TlsAcceptor::from);
    let mut connections = JoinSet::new();
    let mut n = 0;
    while *orders.borrow_and_update() != Order::Stop {
        tokio::select! {
            accepted = listener.accept() => {
                // A failed accept concerns that one connection, or passes when descriptors are free again;
                // until then, asking without a pause would only burn the processor.
                let Ok((stream, _)) = accepted else {
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                };
                n += 1;
                let connection = Connection {
                    number: n,
                    shared: Arc::clone(&shared),
                    orders: orders.clone(),
                };
                connections.spawn(connection.run(stream, tls.clone()));
            }
            Some(_) = connections.join_next() => {}
            changed = orders.changed() => if changed.is_err() { break },
        }
    }
    connections.shutdown().await;
}

struct Connection {
    number: u64,
    shared: Arc<Shared>,
    orders: watch::Receiver<Order>,
}

impl Connection {
    async fn run(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        let _open = OpenConnection::new(Arc::clone(&self.shared));
        // Without it the last segment of a reply would wait for an acknowledgement.
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let transport = match tls {
            None => Transport::Plain(stream),
            Some(tls) => match tls.accept(stream).await {
                Ok(stream) => Transport::Tls(Box::new(stream)),
                Err(error) => {
                    tracing::debug!(%error, "a TLS handshake failed");
                    return;
                }
            },
        };
        if matches!(transport, Transport::Tls(_)) {
            self.shared
                .change(|inner| inner.state.connections.tls_handshakes += 1);
        }
        self.serve(transport).await;
    }

    async fn serve(mut self, transport: Transport) {
        let line = Arc::new(Line::default());
        let wire = Wire::new(transport, Arc::clone(&line));
        let service = service_fn(|request| {
            service::answer(
                Arc::clone(&self.shared),
                Arc::clone(&line),
                self.number,
                request,
            )
        });
        let mut connection =
            pin!(http1::Builder::new().serve_connection(TokioIo::new(wire), service));
        self.orders.mark_unchanged();
        loop {
            tokio::select! {
                result = connection.as_mut() => {
                    if let Err(error) = result {
                        tracing::trace!(%error, "a connection ended with an error");
                    }
                    return;
                }
                Ok(()) = self.orders.changed() => connection.as_mut().graceful_shutdown(),
            }
        }
    }
}

/// Counts a connection as open while it lives.
struct OpenConnection {
    shared: Arc<Shared>,
}

impl OpenConnection {
    fn new(shared: Arc<Shared>) -> Self {
        shared.change(|inner| {
            inner.state.connections.accepted += 1;
            inner.state.connections.open += 1;
        });
        Self { shared }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.shared
            .change(|inner| inner.state.connections.open -= 1);
    }
}
