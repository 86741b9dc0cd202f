//! The dialects that we serve, and the seam between them and the one pipeline.

mod accepted;
pub(crate) mod chat;
mod dialect;
mod dialogue;
mod effort;
mod encoder;
mod image;
mod mend;
pub(crate) mod messages;
pub(crate) mod metered;
mod openai;
pub(crate) mod responses;
mod source;
#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "pages"))]
pub(crate) mod verdict;
mod words;

pub(crate) use accepted::FOREIGN_THOUGHTS;
pub use accepted::{Accepted, Context, Mode};
pub use dialect::Surface;
pub(crate) use dialect::{speaks_messages, spoken};
pub use encoder::ReplyEncoder;
