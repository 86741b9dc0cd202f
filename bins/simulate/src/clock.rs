//! What time it is: the true time, which is that of Redis and of the services, and what a replica believes.

use std::time::{Duration, SystemTime};

use kiro_auth::Clock;
use tokio::time::Instant;

/// The time of a run, which stands still while anybody has something to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time {
    begun: Instant,
}

/// 2026-10-20T12:00:00Z
const BEGINNING: Duration = Duration::from_secs(1_792_497_600);

impl Time {
    pub(crate) fn begin() -> Self {
        Self {
            begun: Instant::now(),
        }
    }

    /// Since the beginning of the run.
    pub(crate) fn elapsed(self) -> Duration {
        self.begun.elapsed()
    }

    pub(crate) fn now(self) -> SystemTime {
        SystemTime::UNIX_EPOCH + BEGINNING + self.elapsed()
    }

    /// Since the epoch.
    pub(crate) fn micros(self) -> u64 {
        (BEGINNING + self.elapsed()).as_micros() as u64
    }
}

/// The clock of one replica, which may be wrong.
#[derive(Debug)]
pub(crate) struct SkewedClock {
    pub(crate) time: Time,
    /// In milliseconds.
    pub(crate) skew: i64,
}

impl Clock for SkewedClock {
    fn now(&self) -> SystemTime {
        let by = Duration::from_millis(self.skew.unsigned_abs());
        match self.skew < 0 {
            true => self.time.now() - by,
            false => self.time.now() + by,
        }
    }
}
