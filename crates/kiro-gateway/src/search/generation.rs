//! One reply of the model, on the way to an answer that may take several.

use bytes::Bytes;
use kiro_protocol::conversation::{Block, JsonObject, Reasoning, Role, ToolResult, ToolUse, Turn};
use kiro_protocol::reply::{ReplyEvent, StopReason, TokenUsage, Usage};
use kiro_protocol::text::JsonText;
use uuid::Uuid;

use super::pages;
use super::{Asked, Event, Found, NAME};

/// Takes the searches out of one reply, and remembers what the model said, because it must be told again
/// to go on.
#[derive(Debug, Default)]
pub(super) struct Generation {
    blocks: Vec<Block>,
    /// The piece that is being put together, escaped.
    piece: String,
    open: Option<Open>,
    asked: Vec<Asked>,
    /// Tools that the client has to run, or that broke off.
    others: usize,
    stop: Option<StopReason>,
    pub(super) usage: Usage,
}

#[derive(Debug)]
enum Open {
    Text,
    Reasoning,
    Tool { id: String, name: String },
}

impl Generation {
    /// Takes an event; returns what goes downstream of it at once.
    pub(super) fn take(&mut self, event: ReplyEvent) -> Option<Event> {
        match &event {
            ReplyEvent::Text(delta) => self.add(Open::Text, delta),
            ReplyEvent::Reasoning(delta) => self.add(Open::Reasoning, delta),
            ReplyEvent::Signature(signature) => self.sign(signature),
            ReplyEvent::Redacted(data) => {
                self.close();
                let data = data.unescape().into_owned();
                self.blocks
                    .push(Block::Reasoning(Reasoning::Redacted(data)));
            }
            ReplyEvent::ToolUseStart { id, name } => {
                self.close();
                let (id, name) = (id.clone(), name.clone());
                self.open = Some(Open::Tool { id, name });
            }
            ReplyEvent::ToolInput(delta) => self.piece.push_str(delta.escaped()),
            ReplyEvent::ToolUseEnd => return self.end_tool(event),
            ReplyEvent::ToolUseCut => return self.cut_tool(event),
            ReplyEvent::Usage(usage) => {
                self.usage = usage.clone();
                return None;
            }
            ReplyEvent::Stop(reason) => {
                self.close();
                self.stop.get_or_insert(*reason);
                return None;
            }
            ReplyEvent::Start => {}
        }
        let is_search = match &event {
            ReplyEvent::ToolUseStart { name, .. } => name == NAME,
            ReplyEvent::ToolInput(_) => self.is_in_search(),
            _ => false,
        };
        (!is_search).then_some(Event::Reply(event))
    }

    fn is_in_search(&self) -> bool {
        matches!(&self.open, Some(Open::Tool { name, .. }) if name == NAME)
    }

    fn add(&mut self, kind: Open, delta: &JsonText) {
        let is_open = self
            .open
            .as_ref()
            .is_some_and(|open| std::mem::discriminant(open) == std::mem::discriminant(&kind));
        if !is_open {
            self.close();
            self.open = Some(kind);
        }
        self.piece.push_str(delta.escaped());
    }

    /// Thoughts without a signature cannot be sent back.
    fn sign(&mut self, signature: &JsonText) {
        if matches!(self.open, Some(Open::Reasoning)) {
            let text = self.piece();
            let signature = signature.unescape().into_owned();
            let thoughts = Reasoning::Signed { text, signature };
            self.blocks.push(Block::Reasoning(thoughts));
        }
        self.open = None;
    }

    fn close(&mut self) {
        let text = self.piece();
        if matches!(self.open.take(), Some(Open::Text)) && !text.is_blank() {
            self.blocks.push(Block::Text(text));
        }
    }

    fn end_tool(&mut self, event: ReplyEvent) -> Option<Event> {
        let input = self.piece();
        // The grammar of replies promises an object.
        let input = JsonObject::parse_or_wrap(input.unescape().into_owned());
        let Some(Open::Tool { id, name }) = self.open.take() else {
            return Some(Event::Reply(event));
        };
        if name != NAME {
            self.others += 1;
            self.blocks
                .push(Block::ToolUse(ToolUse { id, name, input }));
            return Some(Event::Reply(event));
        }
        let id = format!("srvtoolu_{}", Uuid::new_v4().simple());
        let asked = Asked { id, input };
        self.blocks.push(Block::ToolUse(ToolUse {
            id: asked.id.clone(),
            name,
            input: asked.input.clone(),
        }));
        self.asked.push(asked.clone());
        Some(Event::Asked(asked))
    }

    /// A search that broke off was cut by a limit, which ends the answer.
    fn cut_tool(&mut self, event: ReplyEvent) -> Option<Event> {
        self.piece.clear();
        self.others += 1;
        let was_search = self.is_in_search();
        self.open = None;
        if was_search {
            self.stop = Some(StopReason::MaxTokens);
        }
        (!was_search).then_some(Event::Reply(event))
    }

    fn piece(&mut self) -> JsonText {
        let piece = Bytes::from(std::mem::take(&mut self.piece));
        // Escaped texts one after the other are an escaped text.
        JsonText::from_escaped(piece).unwrap_or_default()
    }

    /// The searches that are to be carried out now.
    pub(super) fn asked(&self) -> &[Asked] {
        match self.reason() {
            StopReason::ToolUse | StopReason::EndTurn => &self.asked,
            StopReason::MaxTokens
            | StopReason::ContextWindow
            | StopReason::ContentFiltered
            | StopReason::StopSequence
            | StopReason::PauseTurn => &[],
        }
    }

    /// Whether the model waits for nothing but its searches.
    pub(super) fn goes_on(&self) -> bool {
        !self.asked().is_empty() && self.others == 0
    }

    /// Why the reply ended.
    pub(super) fn reason(&self) -> StopReason {
        self.stop.unwrap_or(StopReason::EndTurn)
    }

    /// What the model said and what its searches brought, for the conversation to go on.
    pub(super) fn into_turns(self, found: &[Found]) -> [Turn; 2] {
        let results = found.iter().map(|found| {
            let (content, is_error) = pages::result(&found.pages);
            Block::ToolResult(ToolResult {
                id: found.id.clone(),
                content: vec![content],
                is_error,
            })
        });
        [
            Turn::new(Role::Assistant, self.blocks),
            Turn::new(Role::User, results),
        ]
    }
}

/// What several replies consumed: their tokens and prices together, and the context of the last one, which
/// holds the others.
pub(super) fn sum(before: Usage, last: &Usage) -> Usage {
    let mut sum = last.clone();
    sum.tokens = add(before.tokens, last.tokens, |a, b| TokenUsage {
        uncached_input: a.uncached_input.saturating_add(b.uncached_input),
        cache_read: a.cache_read.saturating_add(b.cache_read),
        cache_write: a.cache_write.saturating_add(b.cache_write),
        output: a.output.saturating_add(b.output),
    });
    sum.credits = add(before.credits, last.credits, |a, b| a + b);
    sum
}

fn add<T>(before: Option<T>, last: Option<T>, plus: impl FnOnce(T, T) -> T) -> Option<T> {
    match (before, last) {
        (Some(before), Some(last)) => Some(plus(before, last)),
        (before, last) => last.or(before),
    }
}
