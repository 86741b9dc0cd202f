//! What the program around a gateway tells it of their process.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What the program knows of the process and the gateway does not look at by itself: it reads no files and
/// installs no logger. Shared between the two; see [`GatewayOptions::process`](crate::GatewayOptions::process).
#[derive(Debug, Default)]
pub struct ProcessState {
    dropped_log_lines: AtomicU64,
    is_short_of_memory: AtomicBool,
    refreshes: AtomicU64,
    failed_refreshes: AtomicU64,
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

    /// An access token was asked for, and came or did not.
    pub fn count_refresh(&self, has_come: bool) {
        let count = if has_come {
            &self.refreshes
        } else {
            &self.failed_refreshes
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// How many access tokens came when they were asked for, and how many did not.
    pub fn refreshes(&self) -> (u64, u64) {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (load(&self.refreshes), load(&self.failed_refreshes))
    }

    /// Whether so much memory is used that nothing more may be taken on: then new requests are refused before
    /// their bodies are read. Those under way go on.
    pub fn set_short_of_memory(&self, is_short: bool) {
        self.is_short_of_memory.store(is_short, Ordering::Relaxed);
    }

    /// What was said last.
    pub fn is_short_of_memory(&self) -> bool {
        self.is_short_of_memory.load(Ordering::Relaxed)
    }
}
