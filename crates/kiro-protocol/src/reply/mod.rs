//! The neutral reply: what the model answers.
//!
//! ```text
//! bytes ── FrameDecoder ──▶ Frame ── KiroEvent::decode ──▶ KiroEvent ── ReplyDecoder ──▶ ReplyEvent
//! ```
//!
//! [`ReplyDecoder`] does all of it. Whatever the service sends, in whatever order, what comes out has
//! this grammar or ends in a [`ReplyError`]:
//!
//! ```text
//! reply = Start block* Usage? Stop
//! block = Text+
//!       | (Reasoning* Signature? | Redacted)     at least one of them
//!       | ToolUseStart ToolInput* (ToolUseEnd | ToolUseCut)
//! ```
//!
//! How oddities are put in order:
//!
//! | the service sends | what comes out |
//! | --- | --- |
//! | fragments of several tool uses mixed | one tool use after the other, in the order of their starts |
//! | text or thoughts inside a tool use | the same after the tool use |
//! | a tool use again, with the same id | nothing: a result could answer only one of them |
//! | a tool use without end, or whose input is not a JSON object | `ToolUseCut`, no later tool use, and `Stop(MaxTokens)` |
//! | pieces of a signature | one `Signature` |
//! | half a character at the end of a piece | the character, with the next piece; U+FFFD if there is none |
//! | empty pieces | nothing |
//! | events after the stop reason, usage in any order | as if before it; credits are summed, the last percentage counts |
//!
//! How the end is told apart:
//!
//! | the stream ends | result |
//! | --- | --- |
//! | inside a frame | [`ReplyError::Frame`], truncated |
//! | with an exception | [`ReplyError::Fault`]; for the output limit `Stop(MaxTokens)` |
//! | with an unfinished tool use | `ToolUseCut`, `Stop(MaxTokens)` |
//! | with a stop reason | that reason; `EndTurn` becomes `ToolUse` if a tool use was given out, and `ToolUse` becomes `EndTurn` if none was |
//! | without one, [`Generation::Krs`](crate::Generation::Krs) | [`ReplyError::Unfinished`] |
//! | without one, else | `ToolUse` if a tool use was given out, else `EndTurn` |
//! | with nothing said at all and no reason that explains it | [`ReplyError::Empty`] |

mod assemble;
mod blocks;
mod collect;
mod decode;
mod error;
mod event;
mod halves;
mod thinking;

pub use collect::{Reply, ReplyBlock};
pub use decode::{ReplyDecoder, ReplyOptions};
pub use error::ReplyError;
pub use event::{Delta, ReplyEvent, StopReason, TokenUsage, Usage};
