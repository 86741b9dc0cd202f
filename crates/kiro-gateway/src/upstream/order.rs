//! What is asked, however often.

use std::sync::Arc;
use std::time::Duration;

use kiro_protocol::request::{Capabilities, Prepared};

use crate::capture::Tape;
use crate::telemetry::Attempts;
use crate::usage::Prompt;

/// What one exchange asks of the upstream.
#[derive(Debug)]
pub(crate) struct Order {
    /// The conversation, repaired to Kiro's rules.
    pub(crate) prepared: Prepared,
    /// How long the first event may take.
    pub(crate) first_event: Duration,
    /// What the model takes besides the conversation.
    pub(crate) capabilities: Capabilities,
    /// Whether the model was asked to put its thoughts between tags.
    pub(crate) thinking_tags: bool,
    /// The prompt, to be counted when it is too long.
    pub(crate) prompt: Arc<Prompt>,
    /// Tokens that fit into the model's context.
    pub(crate) context_window: u32,
    /// The same for all attempts of one exchange.
    pub(crate) invocation_id: String,
    /// A hash of the conversation, which should stay with one credential: the upstream caches prompts.
    pub(crate) affinity: Option<u64>,
    /// Where the attempts are recorded.
    pub(crate) tape: Tape,
    /// Where they are counted.
    pub(crate) attempts: Attempts,
}
