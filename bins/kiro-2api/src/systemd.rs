//! systemd, or whoever speaks its protocols: sockets that are passed, and what the service manager is told.

use listenfd::ListenFd;
use tokio::net::TcpListener;

use crate::command::Failure;

/// Sockets that were passed to this process (sd_listen_fds(3)).
pub(crate) struct Sockets(ListenFd);

impl Sockets {
    /// To be called before there is a second thread: what was passed is removed from the environment, so that
    /// no child takes it for its own.
    pub(crate) fn of_process() -> Self {
        Self(ListenFd::from_env())
    }

    /// The one to listen on; `None` where none was passed.
    ///
    /// # Errors
    ///
    /// There are several, or it is no listening TCP socket.
    pub(crate) fn listener(mut self) -> Result<Option<TcpListener>, Failure> {
        match self.0.len() {
            0 => return Ok(None),
            1 => {}
            n => {
                let why = format!(
                    "{n} sockets were passed; write one ListenStream= into the socket unit"
                );
                return Err(why.into());
            }
        }
        let Some(listener) = self.0.take_tcp_listener(0)? else {
            return Ok(None);
        };
        listener.set_nonblocking(true)?;
        Ok(Some(TcpListener::from_std(listener)?))
    }
}

/// Requests are served, with the configuration as it is.
pub(crate) fn ready() {
    #[cfg(unix)]
    tell(&[sd_notify::NotifyState::Ready]);
}

/// The configuration is being read again; [`ready`] follows in any case.
pub(crate) fn reloading() {
    #[cfg(unix)]
    if let Ok(now) = sd_notify::NotifyState::monotonic_usec_now() {
        tell(&[sd_notify::NotifyState::Reloading, now]);
    }
}

/// The drain has begun.
pub(crate) fn stopping() {
    #[cfg(unix)]
    tell(&[sd_notify::NotifyState::Stopping]);
}

/// Tells a watchdog that tasks still run here, twice in each of its intervals. Does nothing where there is none.
pub(crate) async fn feed_watchdog() {
    #[cfg(unix)]
    if let Some(interval) = sd_notify::watchdog_enabled() {
        loop {
            tell(&[sd_notify::NotifyState::Watchdog]);
            tokio::time::sleep(interval / 2).await;
        }
    }
}

/// Nothing depends on it here, so a failure is no more than worth a line. Where nobody wants to know,
/// it does nothing.
#[cfg(unix)]
fn tell(state: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "the service manager could not be told");
    }
}
