//! The answer as a stream of events.

use anthropic_types::{ContentBlock, Event, Object, Text};
use bytes::{BufMut, BytesMut};
use kiro_protocol::reply::{ReplyEvent, StopReason};
use kiro_protocol::text::JsonText;

use super::answer::{Answer, Progress};
use super::blocks::{Begin, Blocks, Step};
use super::{error, opaque};
use crate::error::Error;
use crate::search::{self, Asked, Found};
use crate::surface::ReplyEncoder;
use crate::usage::Consumed;

/// Writes each event of a reply as events of the API.
///
/// A delta costs one copy of its text between constants, because the text comes escaped and goes
/// escaped; everything else is rare.
#[derive(Debug)]
pub(super) struct StreamEncoder {
    answer: Answer,
    blocks: Blocks,
    progress: Progress,
    /// Blocks that were ended, which is the index of the next one or of the open one.
    index: u32,
}

const PING: &str = "event: ping\ndata: {\"type\":\"ping\"}\n\n";
const STOP: &str = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

impl StreamEncoder {
    pub(super) fn new(answer: Answer) -> Self {
        Self {
            blocks: Blocks::new(answer.thoughts),
            answer,
            progress: Progress::default(),
            index: 0,
        }
    }

    fn stop(&mut self, stop: StopReason, out: &mut BytesMut) {
        let (reason, sequence) = self.progress.end(stop);
        let usage = self.answer.usage();
        write(&Event::message_delta(reason, sequence, usage), out);
    }
}

impl ReplyEncoder for StreamEncoder {
    fn event(&mut self, event: ReplyEvent, out: &mut BytesMut) {
        self.answer.meter.observe(&event);
        self.progress.observe(&event);
        let stop = match event {
            ReplyEvent::Stop(stop) => Some(stop),
            _ => None,
        };
        if event == ReplyEvent::Start {
            write(&Event::message_start(self.answer.message()), out);
            put(out, &[PING]);
        }
        let index = &mut self.index;
        self.blocks.take(event, &mut |step| tell(step, index, out));
        if let Some(stop) = stop {
            self.stop(stop, out);
        }
    }

    fn stopped_at(&mut self, sequence: &str) {
        self.progress.stopped_at(sequence);
    }

    fn search(&mut self, asked: &Asked, out: &mut BytesMut) {
        self.answer.n_searches += 1;
        let index = &mut self.index;
        self.blocks
            .search(asked, &mut |step| tell(step, index, out));
    }

    fn found(&mut self, found: &Found, out: &mut BytesMut) {
        let index = &mut self.index;
        self.blocks.found(found, &mut |step| tell(step, index, out));
    }

    fn keep_alive(&mut self, out: &mut BytesMut) {
        put(out, &[PING]);
    }

    fn finish(&mut self, out: &mut BytesMut) {
        put(out, &[STOP]);
    }

    fn fail(&mut self, error: &Error, out: &mut BytesMut) {
        put(out, &["event: error\ndata: "]);
        out.extend_from_slice(&error::body(error, Some(&self.answer.request_id)));
        put(out, &["\n\n"]);
    }

    fn consumed(&self) -> Option<Consumed> {
        Some(self.answer.meter.consumed())
    }
}

/// Writes one step.
fn tell(step: Step, index: &mut u32, out: &mut BytesMut) {
    match step {
        Step::Begin(begin) => self::begin(begin, *index, out),
        Step::Text(delta) => self::delta("text_delta\",\"text", &delta, *index, out),
        Step::Thinking(delta) => self::delta("thinking_delta\",\"thinking", &delta, *index, out),
        Step::Signature(text) => self::delta("signature_delta\",\"signature", &text, *index, out),
        Step::Input(delta) => {
            self::delta("input_json_delta\",\"partial_json", &delta, *index, out);
        }
        Step::End | Step::Cut => {
            write(&Event::block_stop(*index), out);
            *index += 1;
        }
    }
}

fn begin(begin: Begin, index: u32, out: &mut BytesMut) {
    let data;
    let brought;
    let block = match begin {
        Begin::Text => ContentBlock::text(Text::new("")),
        Begin::Thinking => ContentBlock::thinking(Text::new(""), Text::new("")),
        Begin::Redacted(text) => {
            data = format!("\"{}\"", text.escaped());
            // Escaped text between quotes is a string.
            let data = Text::from_json(&data).unwrap_or_else(|_| Text::new(""));
            ContentBlock::redacted_thinking(data)
        }
        Begin::ToolUse { id, name } => ContentBlock::tool_use(id, name, Object::empty()),
        Begin::Search(asked) => {
            ContentBlock::server_tool_use(asked.id, search::NAME, Object::empty())
        }
        Begin::Found(found) => {
            brought = found;
            ContentBlock::web_search_tool_result(&*brought.id, opaque::content(&brought))
        }
    };
    write(&Event::block_start(index, block), out);
}

/// A delta; `kind` goes on to the name of the member with the text.
fn delta(kind: &str, text: &JsonText, index: u32, out: &mut BytesMut) {
    let index = index.to_string();
    put(
        out,
        &[
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":",
            &index,
            ",\"delta\":{\"type\":\"",
            kind,
            "\":\"",
            text.escaped(),
            "\"}}\n\n",
        ],
    );
}

fn write(event: &Event<'_>, out: &mut BytesMut) {
    put(out, &["event: ", &event.kind, "\ndata: "]);
    // Strings and numbers have no way to fail, nor has memory.
    let json = serde_json::to_vec(event).expect("an event is always JSON");
    out.put(crate::response::in_one_line(json.into()));
    put(out, &["\n\n"]);
}

fn put(out: &mut BytesMut, pieces: &[&str]) {
    out.reserve(pieces.iter().map(|piece| piece.len()).sum());
    for piece in pieces {
        out.extend_from_slice(piece.as_bytes());
    }
}
