//! The blocks of an answer: where each begins and ends.

use kiro_protocol::reply::{Delta, ReplyEvent};
use kiro_protocol::text::JsonText;

use super::answer::Thoughts;
use crate::search::{Asked, Found};

/// The signature of thoughts that the service did not sign. Clients want one that is not empty (source:
/// the AI SDK refuses an answer without); when it comes back the thoughts are left out.
pub(super) const UNSIGNED: &str = "dW5zaWduZWQ=";

/// Divides a reply into blocks, one open at a time.
#[derive(Debug)]
pub(super) struct Blocks {
    thoughts: Thoughts,
    open: Option<Open>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Text,
    Thinking { is_signed: bool },
    ToolUse,
}

/// One step of an answer.
#[derive(Debug)]
pub(super) enum Step {
    /// A block begins.
    Begin(Begin),
    /// More of its text.
    Text(Delta),
    /// More of its thoughts.
    Thinking(Delta),
    /// Its signature, all of it.
    Signature(JsonText),
    /// More of the JSON text of its arguments.
    Input(Delta),
    /// It ends.
    End,
    /// It ends and must not be carried out.
    Cut,
}

/// What begins.
#[derive(Debug)]
pub(super) enum Begin {
    Text,
    Thinking,
    /// Complete as it begins.
    Redacted(Delta),
    ToolUse {
        id: String,
        name: String,
    },
    /// A search.
    Search(Asked),
    /// Complete as it begins.
    Found(Found),
}

impl Blocks {
    pub(super) fn new(thoughts: Thoughts) -> Self {
        Self {
            thoughts,
            open: None,
        }
    }

    /// The steps that an event makes.
    pub(super) fn take(&mut self, event: ReplyEvent, see: &mut dyn FnMut(Step)) {
        match event {
            ReplyEvent::Text(delta) if !delta.is_empty() => {
                self.enter(Open::Text, see);
                see(Step::Text(delta));
            }
            ReplyEvent::Reasoning(_) | ReplyEvent::Signature(_) | ReplyEvent::Redacted(_)
                if self.thoughts == Thoughts::Hidden => {}
            ReplyEvent::Reasoning(delta) if !delta.is_empty() => {
                self.enter(Open::Thinking { is_signed: false }, see);
                if self.thoughts == Thoughts::Shown {
                    see(Step::Thinking(delta));
                }
            }
            ReplyEvent::Signature(signature) if !signature.is_empty() => {
                self.enter(Open::Thinking { is_signed: false }, see);
                see(Step::Signature(signature));
                self.open = Some(Open::Thinking { is_signed: true });
                self.close(see);
            }
            ReplyEvent::Redacted(data) => {
                self.close(see);
                see(Step::Begin(Begin::Redacted(data)));
                see(Step::End);
            }
            ReplyEvent::ToolUseStart { id, name } => {
                self.close(see);
                see(Step::Begin(Begin::ToolUse { id, name }));
                self.open = Some(Open::ToolUse);
            }
            ReplyEvent::ToolInput(delta) if !delta.is_empty() => see(Step::Input(delta)),
            ReplyEvent::ToolUseCut => {
                self.open = None;
                see(Step::Cut);
            }
            ReplyEvent::ToolUseEnd | ReplyEvent::Stop(_) => self.close(see),
            // Those that are empty begin no block.
            ReplyEvent::Text(_)
            | ReplyEvent::Reasoning(_)
            | ReplyEvent::Signature(_)
            | ReplyEvent::ToolInput(_) => {}
            ReplyEvent::Start | ReplyEvent::Usage(_) => {}
        }
    }

    /// The steps of a search that begins.
    pub(super) fn search(&mut self, asked: &Asked, see: &mut dyn FnMut(Step)) {
        self.close(see);
        see(Step::Begin(Begin::Search(asked.clone())));
        see(Step::Input(JsonText::new(asked.input.as_str())));
        see(Step::End);
    }

    /// The steps of what a search brought.
    pub(super) fn found(&mut self, found: &Found, see: &mut dyn FnMut(Step)) {
        self.close(see);
        see(Step::Begin(Begin::Found(found.clone())));
        see(Step::End);
    }

    /// Makes sure that a block of this kind is open.
    fn enter(&mut self, kind: Open, see: &mut dyn FnMut(Step)) {
        if self.open == Some(kind) {
            return;
        }
        self.close(see);
        see(Step::Begin(match kind {
            Open::Text => Begin::Text,
            _ => Begin::Thinking,
        }));
        self.open = Some(kind);
    }

    fn close(&mut self, see: &mut dyn FnMut(Step)) {
        let Some(open) = self.open.take() else { return };
        if open == (Open::Thinking { is_signed: false }) {
            see(Step::Signature(UNSIGNED.into()));
        }
        see(Step::End);
    }
}
