//! The events of a reply, as Kiro sends them.
//!
//! One event is the JSON payload of one frame, named by the frame's headers:
//!
//! ```text
//! :message-type   other headers                     payload
//! event           :event-type                       JSON of that event
//! exception       :exception-type                   {"message","reason"?,…}
//! error           :error-code, :error-message       ignored
//! ```
//!
//! [`KiroEvent::decode`] types each of them: names as on the wire, unknown members ignored, unknown events
//! kept whole. What they mean together is the business of [`reply`](crate::reply).
//!
//! Source: the event model of the official streaming SDK, and captures of 2026 for the events that a chat
//! uses; the item pages say which.

mod decode;
mod error;
mod kinds;
mod piece;

pub use error::{EventError, PayloadFault};
pub use kinds::{
    AssistantResponse, Citation, CodeReference, ContextUsage, FollowupPrompt, InitialResponse,
    InvalidState, KiroEvent, MessageMetadata, Metadata, Metering, ReasoningContent, Reference,
    Refusal, ReportedUsage, StopDetails, ToolInput, ToolResult, ToolUseFragment, WebLink,
};
pub use piece::TextPiece;
