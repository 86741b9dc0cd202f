//! Anthropic's Messages.
//!
//! ```text
//! Bytes ── decode ──> Conversation          what is sent upstream
//!                └──> Answer                what both encoders know from the request
//!                       │    └── Blocks     ReplyEvents → the steps of an answer's blocks
//!                       ├── stream          steps → events
//!                       └── complete        steps → one document
//! Error ── error ──> ErrorBody
//! ```

mod answer;
mod blocks;
mod complete;
mod decode;
mod error;
mod limits;
mod opaque;
mod stream;
#[cfg(test)]
pub(super) mod tests;
#[cfg(any(test, feature = "pages"))]
pub(crate) mod verdicts;

pub(crate) use decode::{Messages, conversation};
