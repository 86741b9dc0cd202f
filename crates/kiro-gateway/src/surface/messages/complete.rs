//! The answer as one document.

use anthropic_types::{ContentBlock, Message, Object, Text};
use bytes::{BufMut, BytesMut};
use kiro_protocol::reply::{ReplyEvent, StopReason};
use kiro_protocol::text::JsonText;

use super::answer::{Answer, Progress};
use super::blocks::{Begin, Blocks, Step};
use super::opaque;
use crate::error::Error;
use crate::search::{self, Asked, Found};
use crate::surface::ReplyEncoder;
use crate::usage::Consumed;

/// Collects a reply and writes it at the end.
#[derive(Debug)]
pub(super) struct CompleteEncoder {
    answer: Answer,
    blocks: Blocks,
    progress: Progress,
    content: Vec<Collected>,
    stop: StopReason,
}

/// A block that is being put together.
#[derive(Debug)]
struct Collected {
    begin: Begin,
    /// Its text, thoughts or arguments, as a JSON string with its quotes but for the last one.
    text: String,
    /// As a JSON string with its quotes.
    signature: String,
}

impl CompleteEncoder {
    pub(super) fn new(answer: Answer) -> Self {
        Self {
            blocks: Blocks::new(answer.thoughts),
            answer,
            progress: Progress::default(),
            content: Vec::new(),
            stop: StopReason::EndTurn,
        }
    }
}

impl ReplyEncoder for CompleteEncoder {
    fn event(&mut self, event: ReplyEvent, _out: &mut BytesMut) {
        self.answer.meter.observe(&event);
        self.progress.observe(&event);
        if let ReplyEvent::Stop(stop) = event {
            self.stop = stop;
        }
        let content = &mut self.content;
        self.blocks.take(event, &mut |step| collect(step, content));
    }

    fn stopped_at(&mut self, sequence: &str) {
        self.progress.stopped_at(sequence);
    }

    fn search(&mut self, asked: &Asked, _out: &mut BytesMut) {
        self.answer.n_searches += 1;
        let content = &mut self.content;
        self.blocks
            .search(asked, &mut |step| collect(step, content));
    }

    fn found(&mut self, found: &Found, _out: &mut BytesMut) {
        let content = &mut self.content;
        self.blocks.found(found, &mut |step| collect(step, content));
    }

    fn keep_alive(&mut self, _out: &mut BytesMut) {}

    fn finish(&mut self, out: &mut BytesMut) {
        for block in &mut self.content {
            block.text.push('"');
        }
        let mut message: Message<'_> = self.answer.message();
        let inputs: Vec<String> = self.content.iter().map(Collected::input).collect();
        let blocks = self.content.iter().zip(&inputs);
        message.content = blocks.map(|(block, input)| block.block(input)).collect();
        let (reason, sequence) = self.progress.end(self.stop);
        message.stop_reason = Some(reason);
        message.stop_sequence = sequence.map(Into::into);
        // Text in its JSON form, strings and numbers have no way to fail, nor has memory.
        serde_json::to_writer(out.writer(), &message).expect("an answer is always JSON");
    }

    fn fail(&mut self, _error: &Error, _out: &mut BytesMut) {}

    fn consumed(&self) -> Option<Consumed> {
        Some(self.answer.meter.consumed())
    }
}

fn collect(step: Step, content: &mut Vec<Collected>) {
    if let Step::Begin(begin) = step {
        content.push(Collected {
            begin,
            text: "\"".to_owned(),
            signature: "\"\"".to_owned(),
        });
        return;
    }
    // Every step but the first belongs to a block.
    let Some(block) = content.last_mut() else {
        return;
    };
    match step {
        Step::Text(delta) | Step::Thinking(delta) | Step::Input(delta) => {
            block.text.push_str(delta.escaped());
        }
        Step::Signature(signature) => block.signature = format!("\"{}\"", signature.escaped()),
        // It must not be carried out, so it is not told.
        Step::Cut => {
            content.pop();
        }
        Step::Begin(_) | Step::End => {}
    }
}

impl Collected {
    /// The arguments without their escapes; nothing for other blocks.
    fn input(&self) -> String {
        match self.begin {
            Begin::ToolUse { .. } | Begin::Search(_) => {
                let text = JsonText::from_json(self.text.clone().into()).unwrap_or_default();
                text.unescape().into_owned()
            }
            _ => String::new(),
        }
    }

    fn block<'a>(&'a self, input: &'a str) -> ContentBlock<'a> {
        // Pieces of escaped text make escaped text.
        let text = |json| Text::from_json(json).unwrap_or_else(|_| Text::new(""));
        match &self.begin {
            Begin::Text => ContentBlock::text(text(&self.text)),
            Begin::Thinking => ContentBlock::thinking(text(&self.text), text(&self.signature)),
            Begin::Redacted(data) => {
                let data = data.unescape();
                ContentBlock::redacted_thinking(Text::new(&data))
            }
            Begin::ToolUse { id, name } => {
                let input = Object::from_json(input).unwrap_or_else(|_| Object::empty());
                ContentBlock::tool_use(&**id, &**name, input)
            }
            Begin::Search(asked) => {
                let input = Object::from_json(input).unwrap_or_else(|_| Object::empty());
                ContentBlock::server_tool_use(&*asked.id, search::NAME, input)
            }
            Begin::Found(found) => {
                ContentBlock::web_search_tool_result(&*found.id, opaque::content(found))
            }
        }
    }
}
