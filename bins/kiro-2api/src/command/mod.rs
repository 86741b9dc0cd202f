//! The commands, one file each, and what they share.

pub(crate) mod accounts;
pub(crate) mod bench;
pub(crate) mod chat;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod doctor;
mod facts;
pub(crate) mod key;
pub(crate) mod login;
pub(crate) mod models;
pub(crate) mod replay;
pub(crate) mod serve;
pub(crate) mod sim;
pub(crate) mod usage;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::TcpSocket;

use crate::config::Source;

/// A line on standard output, if somebody reads it: nobody has to, so a pipe that is closed is no failure, as it
/// would be for `println!`.
macro_rules! say {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($words)*);
    }};
}
pub(crate) use say;

/// What a command may fail with; printed with its causes.
pub(crate) type Failure = Box<dyn std::error::Error>;

/// Where a command that serves nobody reads its configuration.
#[derive(Debug, clap::Args)]
pub(crate) struct ConfigFile {
    /// Configuration file [default: kiro-2api.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigFile {
    fn source(&self) -> Source {
        Source::of_process(self.config.clone(), None)
    }
}

/// Runs a command that may refresh tokens. Ctrl-C ends it; what a refresh brings is saved all the same, because `main`
/// waits for that.
pub(crate) async fn interruptible(
    command: impl Future<Output = Result<ExitCode, Failure>>,
) -> Result<ExitCode, Failure> {
    /// What shells report for a program that Ctrl-C has ended.
    const INTERRUPTED: u8 = 130;
    tokio::select! {
        done = command => done,
        () = interrupted() => Ok(ExitCode::from(INTERRUPTED)),
    }
}

/// Resolves when somebody presses Ctrl-C; never where that cannot be known.
async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// How a command ends that has said what is wrong.
fn exit_code(is_well: bool) -> ExitCode {
    match is_well {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// A failure with a cause.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub(crate) struct Because {
    what: String,
    source: io::Error,
}

/// Binds exactly this address. With `reuse_port`, others who say so as well may have it at the same time.
pub(crate) async fn bind(address: SocketAddr, reuse_port: bool) -> Result<TcpListener, Failure> {
    let bound = if reuse_port {
        shared(address)
    } else {
        TcpListener::bind(address).await
    };
    bound.map_err(|source| {
        let what = format!("cannot listen on {address}; choose another address with --listen");
        Because { what, source }.into()
    })
}

#[cfg(unix)]
fn shared(address: SocketAddr) -> io::Result<TcpListener> {
    /// As many as the standard library has it.
    const BACKLOG: u32 = 1024;
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

#[cfg(not(unix))]
fn shared(_: SocketAddr) -> io::Result<TcpListener> {
    let why = "server.reuse_port is for Unix systems only";
    Err(io::Error::new(io::ErrorKind::Unsupported, why))
}
