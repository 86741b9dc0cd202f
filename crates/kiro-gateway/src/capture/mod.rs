//! Evidence: what one exchange was, as a bundle that a person can read, send and replay.
//!
//! ```text
//! exchange ── Tape ──┐ what was asked, in which head
//! attempts ── Take ──┤ what was sent and what came back, with its times     (bounded, in memory)
//! response ── Tape ──┘ what went downstream, with its times
//!                    └─ at the end of the exchange ─> Recorded ─> sink ── redact ─> Bundle
//! ```
//!
//! A tape is nothing where nothing is captured. What was recorded can be read in one way only,
//! [`Recorded::redact`], so no secret leaves by an oversight.

mod bundle;
mod frames;
mod heads;
mod memory;
mod pieces;
mod recorded;
mod secrets;
mod sent;
mod tape;

use std::fmt;
use std::sync::Arc;

pub use bundle::{
    Answer, Asked, Attempt, Body, Bundle, Caller, Content, Ended, FORMAT, Fault, Head, Limits,
    Names, Outcome, Piece, Request, Response, Settings, Version,
};
pub use recorded::Recorded;
pub(crate) use tape::{Capture, Take, Tape};

/// What is captured, and who gets it.
///
/// ```
/// use std::sync::Arc;
/// use kiro_gateway::capture::{CaptureOptions, Which};
///
/// let mut options = CaptureOptions::new(Arc::new(|recorded| {
///     // Off the path of requests, as it takes a moment:
///     std::thread::spawn(move || println!("{}", recorded.redact().to_json()));
/// }));
/// options.which = Which::All;
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct CaptureOptions {
    /// Which exchanges. Default: those with an error.
    pub which: Which,
    /// Who gets them.
    pub sink: Sink,
    /// Bytes of one body that are kept; of the rest the bundle says how much it was. Default: 8 MiB.
    pub max_body: usize,
    /// Bytes of one exchange. Default: 24 MiB.
    pub max_exchange: usize,
    /// Bytes of all exchanges that are under way or wait to be written. What finds no room is cut as if its body
    /// was too large. Default: 96 MiB.
    pub max_memory: usize,
}

/// Takes over an exchange when it has ended. Called by whoever ends the exchange, so it must neither block nor take
/// long.
pub type Sink = Arc<dyn Fn(Recorded) + Send + Sync>;

/// Which exchanges are captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Which {
    /// Those that ended with an error. Who was over a limit of the gateway's is none of them: a crowd at the door
    /// would drive out what matters.
    #[default]
    Errors,
    /// All of them.
    All,
}

impl CaptureOptions {
    /// Errors, within the usual bounds.
    pub fn new(sink: Sink) -> Self {
        Self {
            which: Which::default(),
            sink,
            max_body: 8 << 20,
            max_exchange: 24 << 20,
            max_memory: 96 << 20,
        }
    }
}

impl fmt::Debug for CaptureOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaptureOptions")
            .field("which", &self.which)
            .field("max_body", &self.max_body)
            .field("max_exchange", &self.max_exchange)
            .field("max_memory", &self.max_memory)
            .finish_non_exhaustive()
    }
}

/// A text for the log without what has the form of a token.
pub(crate) fn without_tokens(text: &str) -> String {
    secrets::Secrets::default().mask_text(text)
}
