//! What time it is, as a value that tests can replace.

use std::fmt;
use std::time::SystemTime;

/// Tells the wall-clock time.
///
/// Tokens expire at a time of day, so their life is measured on the wall clock; a clock that jumps makes
/// a token look older or younger than it is, and the upstream's refusal then corrects us.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time at this moment.
    fn now(&self) -> SystemTime;
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(
        clippy::disallowed_methods,
        reason = "the one place that reads the machine's clock"
    )]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

#[cfg(any(test, feature = "test-util"))]
pub use manual::ManualClock;

#[cfg(any(test, feature = "test-util"))]
mod manual {
    use std::sync::{Arc, Mutex, PoisonError};
    use std::time::{Duration, SystemTime};

    use super::Clock;

    /// A clock that stands still until a test moves it. Clones show the same time.
    ///
    /// ```
    /// use std::time::Duration;
    /// use kiro_auth::{Clock, ManualClock};
    ///
    /// let clock = ManualClock::new();
    /// let morning = clock.now();
    /// clock.advance(Duration::from_secs(3600));
    /// assert_eq!(clock.now(), morning + Duration::from_secs(3600));
    /// ```
    #[derive(Debug, Clone)]
    pub struct ManualClock(Arc<Mutex<SystemTime>>);

    impl ManualClock {
        /// A clock that shows 2026-10-20T12:00:00Z.
        pub fn new() -> Self {
            Self::at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_792_497_600))
        }

        /// A clock that shows `time`.
        pub fn at(time: SystemTime) -> Self {
            Self(Arc::new(Mutex::new(time)))
        }

        /// Moves the clock forward.
        pub fn advance(&self, by: Duration) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) += by;
        }

        /// Sets the clock, backwards too: machines do that.
        pub fn set(&self, time: SystemTime) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = time;
        }
    }

    impl Default for ManualClock {
        fn default() -> Self {
            Self::new()
        }
    }

    impl Clock for ManualClock {
        fn now(&self) -> SystemTime {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }
}
