//! The time of day.

use std::time::{SystemTime, UNIX_EPOCH};

/// The wall clock, for what people read; nothing is decided by it.
pub(crate) fn seconds_since_epoch() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "a time stamp for people, not a decision"
    )]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
