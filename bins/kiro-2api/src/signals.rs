//! What the operator asks of the running process by signals.

use std::time::Duration;

/// How long an end at once waits for what is saved last: refreshes that are under way, which take about a second
/// as a rule and may bring the only working refresh token, and what the caller has.
const LAST_SAVES: Duration = Duration::from_secs(3);

/// Resolves when the process is asked to stop in order: SIGTERM or Ctrl-C. Asked a second time, or by SIGQUIT,
/// it ends at once, after `last_save`.
pub(crate) async fn asked_to_stop(last_save: impl Future<Output = ()> + Send + 'static) {
    let mut signals = Signals::listen();
    match signals.next().await {
        Signal::Quit => end_at_once(Signal::Quit, signals, last_save).await,
        Signal::Terminate | Signal::Interrupt => {
            tokio::spawn(async move {
                let second = signals.next().await;
                end_at_once(second, signals, last_save).await;
            });
        }
    }
}

/// Ends the process whoever is being served. Only rotated tokens and the last save are waited for, and by one
/// more signal not even they.
async fn end_at_once(signal: Signal, mut signals: Signals, last_save: impl Future<Output = ()>) {
    let saves = async { tokio::join!(kiro_auth::refreshes_landed(), last_save) };
    tokio::select! {
        _ = tokio::time::timeout(LAST_SAVES, saves) => {}
        _ = signals.next() => {}
    }
    crate::logging::flush();
    // What shells report for a program that a signal has ended.
    std::process::exit(128 + signal as i32);
}

/// A signal with its number, which is the same on all systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signal {
    Interrupt = 2,
    #[cfg_attr(not(unix), expect(dead_code, reason = "there is none"))]
    Quit = 3,
    #[cfg_attr(not(unix), expect(dead_code, reason = "there is none"))]
    Terminate = 15,
}

/// SIGHUP, which asks for a reload.
pub(crate) struct Hangups {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
mod listening {
    use tokio::signal::unix::{self, SignalKind};

    use super::{Hangups, Signal};

    pub(super) struct Signals {
        interrupt: Option<unix::Signal>,
        quit: Option<unix::Signal>,
        terminate: Option<unix::Signal>,
    }

    impl Signals {
        pub(super) fn listen() -> Self {
            Self {
                interrupt: listen(SignalKind::interrupt()),
                quit: listen(SignalKind::quit()),
                terminate: listen(SignalKind::terminate()),
            }
        }

        pub(super) async fn next(&mut self) -> Signal {
            tokio::select! {
                () = next(&mut self.interrupt) => Signal::Interrupt,
                () = next(&mut self.quit) => Signal::Quit,
                () = next(&mut self.terminate) => Signal::Terminate,
            }
        }
    }

    impl Hangups {
        pub(crate) fn listen() -> Self {
            Self {
                signal: listen(SignalKind::hangup()),
            }
        }

        pub(crate) async fn next(&mut self) {
            next(&mut self.signal).await;
        }
    }

    fn listen(kind: SignalKind) -> Option<unix::Signal> {
        unix::signal(kind)
            .inspect_err(|error| tracing::warn!(?kind, %error, "a signal cannot be caught"))
            .ok()
    }

    /// The next one, or nothing for ever.
    async fn next(signal: &mut Option<unix::Signal>) {
        match signal {
            Some(signal) => drop(signal.recv().await),
            None => std::future::pending().await,
        }
    }
}

#[cfg(not(unix))]
mod listening {
    use super::{Hangups, Signal};

    pub(super) struct Signals;

    impl Signals {
        pub(super) fn listen() -> Self {
            Self
        }

        pub(super) async fn next(&mut self) -> Signal {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
            Signal::Interrupt
        }
    }

    impl Hangups {
        pub(crate) fn listen() -> Self {
            Self {}
        }

        pub(crate) async fn next(&mut self) {
            std::future::pending().await
        }
    }
}

use listening::Signals;
