//! What the program around a gateway tells it of their process.

use std::sync::atomic::{AtomicU64, Ordering};

/// What the program knows of the process and the gateway does not look at by itself: it reads no files and
/// installs no logger. Shared between the two; see [`GatewayOptions::process`](crate::GatewayOptions::process).
#[derive(Debug, Default)]
pub struct ProcessState {
    dropped_log_lines: AtomicU64,
}

impl ProcessState {
    /// So many more lines of the log were dropped because nobody read them.
    pub fn count_dropped_log_lines(&self, lines: u64) {
        self.dropped_log_lines.fetch_add(lines, Ordering::Relaxed);
    }

    /// How many there were so far.
    pub fn dropped_log_lines(&self) -> u64 {
        self.dropped_log_lines.load(Ordering::Relaxed)
    }
}
