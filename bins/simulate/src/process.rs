//! One process of a replica: it runs, is stopped for a while, or has been killed.

use std::panic;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// What a replica does takes no time between two of its messages, so a process that is stopped or killed is seen by
/// its messages alone: all of them pass [`go_on`](Self::go_on), which waits until the process runs again, and ends the
/// task of one that was killed.
///
/// Clones are the same process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Process(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    is_killed: bool,
    stopped_until: Option<Instant>,
}

/// What the tasks of a killed process end with.
#[derive(Debug)]
struct Killed;

impl Process {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn kill(&self) {
        self.state().is_killed = true;
    }

    pub(crate) fn is_killed(&self) -> bool {
        self.state().is_killed
    }

    /// Whether the other one is a clone of this one.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Stops it, as a collection of garbage or the machine below does.
    pub(crate) fn stop_for(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut state = self.state();
        state.stopped_until = state.stopped_until.max(Some(until));
    }

    /// Waits until it runs.
    pub(crate) async fn go_on(&self) {
        loop {
            let (is_killed, until) = {
                let state = self.state();
                (state.is_killed, state.stopped_until)
            };
            if is_killed {
                // Not a panic that anybody should read of: the task ends, and all that it holds is dropped.
                panic::resume_unwind(Box::new(Killed));
            }
            match until.filter(|until| Instant::now() < *until) {
                Some(until) => sleep_until(until).await,
                None => return,
            }
        }
    }
}
