//! What a request asks of its reply and the upstream cannot do: end at a stop sequence or after so many
//! tokens, call one tool only, or a tool at all, be JSON.
//!
//! ```text
//! ReplyStream ── Shape ── Filter ──> ReplyEvents that keep the bounds    the grammar of replies still holds
//!       │          └── where JSON is demanded
//!       └── closed as soon as nothing of it is wanted
//! ```

mod demand;
mod filter;
mod force;
mod format;
mod reply;
mod stops;
#[cfg(test)]
mod tests;

use kiro_protocol::conversation::{Block, Conversation, Role, Turn};

pub(crate) use demand::{Demand, open};
#[cfg(test)]
pub(crate) use filter::Filter;
pub(crate) use force::Force;
pub(crate) use format::{Format, Kind, Schema};
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
    /// What the reply must be.
    pub(crate) demand: Option<Demand>,
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

/// Says something to the model.
///
/// The words come last, as a later system message does, and not into the system prompt: a client that
/// forces a tool in one turn only would change the beginning of the conversation with it, by which the
/// upstream finds it again in its caches.
fn say(conversation: &mut Conversation, words: &str) {
    let text = format!("<system>\n{words}\n</system>");
    let turn = Turn::new(Role::User, [Block::Text((&*text).into())]);
    conversation.turns.push(turn);
}
