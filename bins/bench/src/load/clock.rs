//! One clock for all processes of the machine.

use std::thread;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of `CLOCK_MONOTONIC`, which begins for all processes at the same time.
pub(super) fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    // Neither is negative: the clock begins with the machine.
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Sleeps until that time of [`now`].
pub(super) fn sleep_until(time: u64) {
    let left = time.saturating_sub(now());
    if left > 0 {
        thread::sleep(Duration::from_nanos(left));
    }
}

/// Lets the sleep of this thread end when it should: Linux takes 50 µs more by default, to save energy.
pub(super) fn sleep_precisely() {
    // Where it is not allowed, events are late, which is measured and told.
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
}
