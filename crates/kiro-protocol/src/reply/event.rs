//! The neutral stream.

use crate::text::JsonText;

/// The new part of a text that one event carries, still JSON-escaped.
pub type Delta = JsonText;

/// One meaningful thing in a reply.
///
/// The order is guaranteed by the reply decoder, whatever the service sends:
///
/// ```text
/// reply = Start block* Usage? Stop
/// block = Text+
///       | (Reasoning* Signature? | Redacted)     at least one of them
///       | ToolUseStart ToolInput* (ToolUseEnd | ToolUseCut)
/// ```
///
/// After a `ToolUseCut` no further tool use starts, and `Stop` says [`StopReason::MaxTokens`].
///
/// Another kind of event would be a breaking change, on purpose: an encoder that has not heard of it would leave a part of the
/// answer out, and nobody would notice.
#[derive(Debug, Clone, PartialEq)]
pub enum ReplyEvent {
    /// The service has begun to answer.
    Start,
    /// Text for the user.
    Text(Delta),
    /// Readable thoughts of the model.
    Reasoning(Delta),
    /// The signature over the thoughts before it; opaque, to be sent back unchanged.
    Signature(Delta),
    /// Thoughts that only the model can read, base64.
    Redacted(Delta),
    /// The model asks for a tool. Its input follows.
    ToolUseStart {
        /// The id by which the result must answer.
        id: String,
        /// The tool's name as the client declared it.
        name: String,
    },
    /// A piece of the JSON text of the tool's input. Pieces are cut anywhere; joined and unescaped they
    /// are one JSON object, which is only certain at [`ToolUseEnd`](Self::ToolUseEnd).
    ToolInput(Delta),
    /// The tool use is complete and its input is a JSON object. No `ToolInput` before it means `{}`.
    ToolUseEnd,
    /// The tool use broke off, or its input is not a JSON object. It must not be carried out.
    ToolUseCut,
    /// What the reply consumed, as far as the service says.
    Usage(Usage),
    /// The reply is complete.
    Stop(StopReason),
}

/// Why a reply ended. Complete for the same reason as [`ReplyEvent`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StopReason {
    /// The model had nothing more to say.
    EndTurn,
    /// The model waits for tool results.
    ToolUse,
    /// The output limit was reached, or a tool use was cut.
    MaxTokens,
    /// The context window is full.
    ContextWindow,
    /// The service withheld (the rest of) the answer.
    ContentFiltered,
    /// A stop sequence was met.
    StopSequence,
    /// The model paused a long turn.
    PauseTurn,
}

/// What a reply consumed, as the service reports it. Every part may be missing.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Usage {
    /// Token counts. Modelled by the service; not seen in live streams of 2026.
    pub tokens: Option<TokenUsage>,
    /// Share of the model's context window in percent, output included. Can pass 100; always finite.
    pub context_percentage: Option<f64>,
    /// Price in credits; several metering events are summed. Always finite.
    pub credits: Option<f64>,
}

/// Token counts of one reply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenUsage {
    /// Input that came from no cache.
    pub uncached_input: u64,
    /// Input read from a cache.
    pub cache_read: u64,
    /// Input written to a cache.
    pub cache_write: u64,
    /// Output, thoughts included.
    pub output: u64,
}
