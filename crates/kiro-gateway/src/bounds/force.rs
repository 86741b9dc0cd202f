//! A tool that must be called, although the upstream leaves that to the model.
//!
//! The model is told so, and what it answers is held back until it calls one. If it calls none it is
//! asked once more, which nobody downstream sees; then its answer is passed on with a warning.

use kiro_protocol::conversation::Conversation;

use crate::error::{Error, ErrorKind};

/// What the `x-gateway-warning` header says of a reply that calls no tool although it should.
pub(super) const UNSATISFIED: &str = "tool_choice_unsatisfied";

/// One of these tools must be called.
#[derive(Debug, Clone)]
pub(crate) struct Force {
    /// By the names that the client knows.
    pub(crate) names: Vec<String>,
}

impl Force {
    /// Tells the model.
    pub(crate) fn instruct(&self, conversation: &mut Conversation) {
        self.say(
            conversation,
            "Answer with a tool call and not with text alone.",
        );
    }

    /// Tells the model again, after an answer without a call.
    pub(super) fn insist(&self, conversation: &mut Conversation) {
        self.say(
            conversation,
            "An answer without a tool call was refused. Call the tool now, before anything else. If a value is not known, take the most likely one.",
        );
    }

    fn say(&self, conversation: &mut Conversation, words: &str) {
        let which = match &*self.names {
            [name] if is_plain(name) => format!("Use the tool {name}."),
            [_] => "Use the tool.".to_owned(),
            _ => "Use one of the tools.".to_owned(),
        };
        super::say(conversation, &format!("{words} {which}"));
    }
}

/// What a strict gateway has instead of a reply that calls no tool.
pub(super) fn unsatisfied() -> Error {
    let message = "The model called no tool although 'tool_choice' requires it, in 2 attempts.";
    Error::new(ErrorKind::Unsatisfied, message)
        .with_code(UNSATISFIED)
        .with_param("tool_choice")
}

/// Whether the model sees the tool by this name; others are replaced on the way upstream.
fn is_plain(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    name.len() <= 64 && name.bytes().all(is_plain)
}
