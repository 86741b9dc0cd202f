//! The commands, one file each, and what they share.

pub(crate) mod demo;
pub(crate) mod key;
pub(crate) mod serve;
pub(crate) mod sim;

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

/// What a command may fail with; printed with its causes.
pub(crate) type Failure = Box<dyn std::error::Error>;

/// A failure with a cause.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub(crate) struct Because {
    what: String,
    source: io::Error,
}

/// Binds exactly this address.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|source| {
        let what = format!("cannot listen on {address}; choose another address with --listen");
        Because { what, source }.into()
    })
}

/// Resolves when the process is asked to stop: Ctrl-C or SIGTERM. Asked a second time, it ends at once.
pub(crate) async fn asked_to_stop() {
    signal().await;
    tokio::spawn(async {
        signal().await;
        // 130 is what shells report for a program that ended by Ctrl-C.
        std::process::exit(130);
    });
}

async fn signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            },
            Err(error) => {
                tracing::warn!(%error, "SIGTERM cannot be caught; only Ctrl-C drains");
                let _ = tokio::signal::ctrl_c().await;
            }
        }
    }
    #[cfg(not(unix))]
    {
        let _ = tokio::signal::ctrl_c().await;
    }
}
