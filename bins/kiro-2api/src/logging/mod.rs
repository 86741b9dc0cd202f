//! What is logged, and in which form. Logs go to standard error, answers to standard output.

mod lines;

use std::panic::PanicHookInfo;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use kiro_gateway::ProcessState;
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};
use lines::Lines;

/// How long the end of the process waits for a reader of what was logged last.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Those of the process.
static LINES: OnceLock<Lines> = OnceLock::new();

/// Changes what is logged.
pub(crate) struct Level {
    set: Box<dyn Fn(&str) + Send>,
}

impl Level {
    /// In the form of `log.level`.
    pub(crate) fn set(&self, level: &str) {
        (self.set)(level);
    }
}

/// Installs the subscriber. A second call in one process changes nothing. Lines that nobody reads are counted
/// in `process`.
pub(crate) fn init(log: &Log, process: &Arc<ProcessState>) -> Level {
    let lines = LINES.get_or_init(|| Lines::new(std::io::stderr(), process.clone()));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(&log.level))
        .with_writer(lines.clone());
    // An error means that a subscriber is there already.
    let set: Box<dyn Fn(&str) + Send> = match log.format {
        LogFormat::Text => {
            let builder = builder.with_target(false).with_filter_reloading();
            let handle = builder.reload_handle();
            let _ = builder.try_init();
            Box::new(move |level| drop(handle.reload(filter(level))))
        }
        LogFormat::Json => {
            let builder = builder.json().flatten_event(true).with_filter_reloading();
            let handle = builder.reload_handle();
            let _ = builder.try_init();
            Box::new(move |level| drop(handle.reload(filter(level))))
        }
    };
    // The usual hook writes to standard error itself, and waits for its reader.
    std::panic::set_hook(Box::new(log_panic));
    Level { set }
}

/// Sees that what was logged is read before the process ends, if somebody reads it.
pub(crate) fn flush() {
    if let Some(lines) = LINES.get() {
        lines.flush(LAST_LINES);
    }
}

/// On one line: the message may repeat what a client has sent.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let payload = panic.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let message = text.or(payload.downcast_ref::<String>().map(String::as_str));
    let place = panic.location().map(ToString::to_string);
    tracing::error!(
        reason = %message.unwrap_or_default().escape_debug(),
        "a thread has panicked at {}",
        place.as_deref().unwrap_or("an unknown place"),
    );
}

fn filter(level: &str) -> EnvFilter {
    EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"))
}
