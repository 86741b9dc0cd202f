//! What is logged, and in which form. Logs go to standard error, answers to standard output.

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

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

/// Installs the subscriber. A second call in one process changes nothing.
pub(crate) fn init(log: &Log) -> Level {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(&log.level))
        .with_writer(std::io::stderr);
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
    Level { set }
}

fn filter(level: &str) -> EnvFilter {
    EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"))
}
