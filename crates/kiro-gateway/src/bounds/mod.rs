//! What a request asks of its reply and the upstream cannot do: end at a stop sequence or after so many
//! tokens, call one tool only, or a tool at all.
//!
//! ```text
//! ReplyStream ── Filter ──> ReplyEvents that keep the bounds     the grammar of replies still holds
//!       │
//!       └── closed as soon as nothing of it is wanted
//! ```

mod filter;
mod force;
mod reply;
mod stops;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use filter::Filter;
pub(crate) use force::{Force, open};
pub(crate) use reply::BoundedReply;

/// The bounds of one reply. The default has none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bounds {
    /// Texts that end the reply where they begin. None of them is empty.
    pub(crate) stop: Vec<String>,
    /// Tokens of output, thoughts included.
    pub(crate) max_tokens: Option<u64>,
    /// How many tools may be called.
    pub(crate) calls: Calls,
    /// That a tool must be called.
    pub(crate) force: Option<Force>,
}

/// How many tools a reply may call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Calls {
    /// As many as it likes.
    #[default]
    Any,
    /// The first complete call ends the reply.
    One,
    /// None: a call ends the reply. Tools that the conversation used are declared upstream even so, and
    /// may be called.
    None,
}
