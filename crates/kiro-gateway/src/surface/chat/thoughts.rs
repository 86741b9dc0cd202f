//! Where the thoughts of a model are told.

use kiro_protocol::reply::ReplyEvent;

use crate::options::Reasoning;

/// What is put around thoughts that stand in the text. Clients that look for tags look for these, and the
/// empty line keeps the answer apart for people who see both (the form of DeepSeek's models).
const BEFORE: &str = "<think>";
const AFTER: &str = "</think>\n\n";

/// Follows a reply and brings its thoughts to the place where they are told. Both encoders do it, so that
/// they agree.
#[derive(Debug)]
pub(super) struct Thoughts {
    told: Reasoning,
    /// Whether thoughts stand in the text and the tag behind them does not yet.
    is_open: bool,
}

impl Thoughts {
    pub(super) fn new(told: Reasoning) -> Self {
        Self {
            told,
            is_open: false,
        }
    }

    /// What is told in place of an event.
    pub(super) fn place(&mut self, event: ReplyEvent) -> [Option<ReplyEvent>; 2] {
        use ReplyEvent::{
            Reasoning as Thought, Redacted, Signature, Start, Stop, Text, ToolInput, ToolUseCut,
            ToolUseEnd, ToolUseStart, Usage,
        };
        match (self.told, event) {
            (Reasoning::Hidden, Thought(_)) => [None, None],
            (Reasoning::Tags, Thought(delta)) if delta.is_empty() => [None, None],
            (Reasoning::Tags, Thought(delta)) => {
                let begins = !std::mem::replace(&mut self.is_open, true);
                [begins.then(|| Text(BEFORE.into())), Some(Text(delta))]
            }
            (_, event @ (Text(_) | ToolUseStart { .. } | Stop(_))) => {
                let ends = std::mem::take(&mut self.is_open);
                [ends.then(|| Text(AFTER.into())), Some(event)]
            }
            // They are told in other places, or as they are.
            (
                _,
                event @ (Thought(_) | Start | Signature(_) | Redacted(_) | ToolInput(_)
                | ToolUseEnd | ToolUseCut | Usage(_)),
            ) => [None, Some(event)],
        }
    }
}
