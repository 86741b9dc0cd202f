//! OpenAI's responses.
//!
//! ```text
//! Bytes ── decode ──> Conversation          what is sent upstream
//!                └──> Answer                what both encoders know from the request
//!                       ├── stream          ReplyEvents → Output, told event by event
//!                       └── complete        ReplyEvents → Output, told as one document
//! Error ── openai::error ──> ErrorBody
//! ```

mod answer;
mod complete;
mod decode;
mod output;
mod sealed;
mod stream;
#[cfg(test)]
pub(super) mod tests;
#[cfg(any(test, feature = "pages"))]
pub(crate) mod verdicts;

pub(crate) use decode::Responses;
pub(super) use decode::{Visit, visit};
