//! The neutral reply: what the model answers.

mod event;

pub use event::{Delta, ReplyEvent, StopReason, TokenUsage, Usage};
