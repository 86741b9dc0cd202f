//! The answer as one document.

use bytes::{BufMut, BytesMut};
use kiro_protocol::reply::{Delta, ReplyEvent, StopReason};
use kiro_protocol::text::JsonText;
use openai_types::Text;
use openai_types::chat::{ChatCompletion, Choice, CompletionMessage, FunctionCall, ToolCall};

use super::answer::{Answer, Progress};
use super::thoughts::Thoughts;
use crate::error::Error;
use crate::surface::ReplyEncoder;
use crate::surface::openai::free_text;
use crate::usage::Consumed;

/// Collects a reply and writes it at the end.
#[derive(Debug)]
pub(super) struct CompleteEncoder {
    answer: Answer,
    thoughts: Thoughts,
    progress: Progress,
    content: Collected,
    reasoning: Collected,
    calls: Vec<Call>,
    stop: StopReason,
}

/// Text that is being put together, as one JSON string with its quotes; without them as long as nothing
/// was said.
#[derive(Debug, Default)]
struct Collected(String);

#[derive(Debug)]
struct Call {
    id: String,
    name: String,
    /// The JSON text of the arguments, escaped.
    arguments: Collected,
}

impl CompleteEncoder {
    pub(super) fn new(answer: Answer) -> Self {
        Self {
            thoughts: Thoughts::new(answer.reasoning),
            answer,
            progress: Progress::default(),
            content: Collected::default(),
            reasoning: Collected::default(),
            calls: Vec::new(),
            stop: StopReason::EndTurn,
        }
    }

    fn take(&mut self, event: ReplyEvent) {
        self.progress.observe(&event);
        match event {
            ReplyEvent::Text(delta) => self.content.push(&delta),
            ReplyEvent::Reasoning(delta) => self.reasoning.push(&delta),
            ReplyEvent::ToolUseStart { id, name } => self.calls.push(Call {
                id,
                name,
                arguments: Collected::default(),
            }),
            ReplyEvent::ToolInput(delta) => {
                if let Some(call) = self.calls.last_mut() {
                    call.arguments.push(&delta);
                }
            }
            // It must not be carried out, so it is not told.
            ReplyEvent::ToolUseCut => {
                self.calls.pop();
            }
            ReplyEvent::Stop(stop) => self.stop = stop,
            // This API has no place for signatures and for thoughts that nobody can read.
            ReplyEvent::Signature(_) | ReplyEvent::Redacted(_) => {}
            // A call is complete unless it is cut; the progress has counted the rest.
            ReplyEvent::Start | ReplyEvent::ToolUseEnd | ReplyEvent::Usage(_) => {}
        }
    }

    fn document(&self) -> ChatCompletion<'_> {
        let style = &self.answer.calls;
        let content = self.content.text();
        let mut message = CompletionMessage::new(match (content, self.calls.is_empty()) {
            (None, true) => Some(Text::new("")),
            (content, _) => content,
        });
        message.reasoning_content = self.reasoning.text();
        if style.legacy {
            message.function_call = self.calls.first().map(Call::function);
        } else if !self.calls.is_empty() {
            let calls = self.calls.iter();
            message.tool_calls = Some(
                calls
                    .map(|call| call.tool_call(style.custom.contains(&call.name)))
                    .collect(),
            );
        }
        let reason = self.progress.finish_reason(self.stop, style);
        let mut document = ChatCompletion::new(
            &*self.answer.id,
            self.answer.created,
            &*self.answer.model,
            Choice::new(message, reason),
        );
        document.usage = Some(self.answer.usage());
        document
    }
}

impl ReplyEncoder for CompleteEncoder {
    fn event(&mut self, event: ReplyEvent, _out: &mut BytesMut) {
        self.answer.meter.observe(&event);
        for event in self.thoughts.place(event).into_iter().flatten() {
            self.take(event);
        }
    }

    fn keep_alive(&mut self, _out: &mut BytesMut) {}

    fn finish(&mut self, out: &mut BytesMut) {
        // Text in its JSON form, strings and numbers have no way to fail, nor has memory.
        serde_json::to_writer(out.writer(), &self.document()).expect("an answer is always JSON");
    }

    fn fail(&mut self, _error: &Error, _out: &mut BytesMut) {}

    fn consumed(&self) -> Option<Consumed> {
        Some(self.answer.meter.consumed())
    }
}

impl Collected {
    fn push(&mut self, delta: &Delta) {
        if delta.is_empty() {
            return;
        }
        if self.0.pop().is_none() {
            self.0.push('"');
        }
        self.0.push_str(delta.escaped());
        self.0.push('"');
    }

    /// The text, if there is any: pieces of escaped text make escaped text.
    fn text(&self) -> Option<Text<'_>> {
        Text::from_json(&self.0).ok()
    }
}

impl Call {
    fn arguments(&self) -> Text<'_> {
        self.arguments.text().unwrap_or_else(|| Text::new("{}"))
    }

    fn function(&self) -> FunctionCall<'_> {
        FunctionCall::new(&self.name, self.arguments())
    }

    fn tool_call(&self, custom: bool) -> ToolCall<'_> {
        if !custom {
            return ToolCall::function(&self.id, &self.name, self.arguments());
        }
        let input = JsonText::from_json(self.arguments.0.clone().into()).unwrap_or_default();
        let input = free_text(&input).unescape().into_owned();
        ToolCall::custom(&self.id, &self.name, Text::new(&input))
    }
}
