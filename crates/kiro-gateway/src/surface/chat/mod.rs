//! OpenAI's chat completions.
//!
//! ```text
//! Bytes ── decode ──> Conversation          what is sent upstream
//!                └──> Answer                what both encoders know from the request
//!                       ├── stream          ReplyEvents → chunks, one server-sent event each
//!                       └── complete        ReplyEvents → one document
//! Error ── openai::error ──> ErrorBody
//! ```

mod answer;
mod complete;
mod decode;
mod stream;
#[cfg(test)]
pub(super) mod tests;
mod thoughts;
#[cfg(any(test, feature = "pages"))]
pub(crate) mod verdicts;

pub(crate) use decode::Chat;
