//! The answer as a stream of chunks.

use bytes::{BufMut, BytesMut};
use kiro_protocol::reply::{Delta, ReplyEvent, StopReason};
use kiro_protocol::text::JsonText;

use super::answer::{Answer, Progress};
use super::thoughts::Thoughts;
use crate::error::Error;
use crate::surface::ReplyEncoder;
use crate::surface::openai::{error, free_text};
use crate::usage::Consumed;

/// Writes each event of a reply as one chunk.
///
/// Whatever does not change within a stream is written once, in [`Template`]: an event costs one copy of
/// its text between two constants, because the text comes escaped and goes escaped.
#[derive(Debug)]
pub(super) struct StreamEncoder {
    answer: Answer,
    template: Template,
    thoughts: Thoughts,
    progress: Progress,
    call: Option<Call>,
    /// Calls that were begun. A call's index is the number of calls before it, so there are no gaps.
    n_calls: usize,
}

/// The constant parts of every chunk.
#[derive(Debug)]
struct Template {
    /// Up to and with the array of choices: `data: {"id":…,"choices":[`.
    head: String,
    /// A choice up to and with the brace of its delta.
    choice: String,
    /// A choice with a piece of text, up to and with the quote of the text.
    content: String,
    /// A choice with a piece of thought, up to and with the quote of the text.
    reasoning: String,
    /// From the brace of the delta to the end of the event.
    tail: &'static str,
    /// The tail behind a text: the same with its quote.
    text_tail: &'static str,
    /// From the array of choices to the end of the event.
    end: &'static str,
}

/// The tool call that is being told.
#[derive(Debug)]
struct Call {
    /// Up to and with the quote of a piece of arguments.
    before: String,
    /// What follows the piece.
    after: &'static str,
    /// Whether any piece of arguments came.
    has_input: bool,
    /// The arguments so far, if they can only be told when they are whole.
    held: Option<String>,
}

const TAIL: &str = "\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n";
const TAIL_WITH_USAGE: &str = "\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n";
const END: &str = "]}\n\n";
const END_WITH_USAGE: &str = "],\"usage\":null}\n\n";

impl StreamEncoder {
    pub(super) fn new(answer: Answer) -> Self {
        Self {
            template: Template::new(&answer),
            thoughts: Thoughts::new(answer.reasoning),
            answer,
            progress: Progress::default(),
            call: None,
            n_calls: 0,
        }
    }

    fn text(&self, before: &str, delta: &Delta, out: &mut BytesMut) {
        if !delta.is_empty() {
            put(out, &[before, delta.escaped(), self.template.text_tail]);
        }
    }

    fn start_call(&mut self, id: &str, name: &str, out: &mut BytesMut) {
        let id = JsonText::new(id);
        let name_json = JsonText::new(name);
        let (id, name_json) = (id.escaped(), name_json.escaped());
        let Template { choice, tail, .. } = &self.template;
        let index = self.n_calls;
        let (first, before, after) = if self.answer.calls.legacy {
            (
                format!(r#""function_call":{{"name":"{name_json}","arguments":""}}"#),
                format!(r#"{choice}"function_call":{{"arguments":""#),
                r#""}"#,
            )
        } else {
            let (kind, member) = match self.answer.calls.custom.contains(name) {
                true => ("custom", "input"),
                false => ("function", "arguments"),
            };
            (
                format!(
                    r#""tool_calls":[{{"index":{index},"id":"{id}","type":"{kind}","{kind}":{{"name":"{name_json}","{member}":""}}}}]"#
                ),
                format!(r#"{choice}"tool_calls":[{{"index":{index},"{kind}":{{"{member}":""#),
                r#""}}]"#,
            )
        };
        put(out, &[choice, &first, tail]);
        self.n_calls += 1;
        self.call = Some(Call {
            before,
            after,
            has_input: false,
            held: self.answer.calls.custom.contains(name).then(String::new),
        });
    }

    fn input(&mut self, delta: &Delta, out: &mut BytesMut) {
        let Some(call) = &mut self.call else { return };
        if delta.is_empty() {
            return;
        }
        call.has_input = true;
        match &mut call.held {
            Some(held) => held.push_str(delta.escaped()),
            None => call.put(delta.escaped(), &self.template, out),
        }
    }

    fn end_call(&mut self, out: &mut BytesMut) {
        let Some(mut call) = self.call.take() else {
            return;
        };
        if let Some(held) = call.held.take() {
            // Pieces of escaped text make escaped text; were they not, there is no input to tell.
            let arguments = JsonText::from_escaped(held.into()).unwrap_or_default();
            call.put(free_text(&arguments).escaped(), &self.template, out);
        } else if !call.has_input {
            call.put("{}", &self.template, out);
        }
    }

    fn tell(&mut self, event: ReplyEvent, out: &mut BytesMut) {
        self.progress.observe(&event);
        match event {
            ReplyEvent::Start => {
                let Template { choice, tail, .. } = &self.template;
                put(out, &[choice, r#""role":"assistant","content":"""#, tail]);
            }
            ReplyEvent::Text(delta) => self.text(&self.template.content, &delta, out),
            ReplyEvent::Reasoning(delta) => self.text(&self.template.reasoning, &delta, out),
            ReplyEvent::ToolUseStart { id, name } => self.start_call(&id, &name, out),
            ReplyEvent::ToolInput(delta) => self.input(&delta, out),
            ReplyEvent::ToolUseEnd => self.end_call(out),
            ReplyEvent::ToolUseCut => self.call = None,
            ReplyEvent::Stop(stop) => self.stop(stop, out),
            // This API has no place for signatures and for thoughts that nobody can read.
            ReplyEvent::Signature(_) | ReplyEvent::Redacted(_) => {}
            // Counted by the progress, and told in a chunk of its own.
            ReplyEvent::Usage(_) => {}
        }
    }

    fn stop(&mut self, stop: StopReason, out: &mut BytesMut) {
        let reason = self.progress.finish_reason(stop, &self.answer.calls);
        let Template { head, end, .. } = &self.template;
        let choice = format!(
            r#"{{"index":0,"delta":{{}},"logprobs":null,"finish_reason":"{}"}}"#,
            reason.as_str()
        );
        put(out, &[head, &choice, end]);
    }
}

impl ReplyEncoder for StreamEncoder {
    fn event(&mut self, event: ReplyEvent, out: &mut BytesMut) {
        self.answer.meter.observe(&event);
        for event in self.thoughts.place(event).into_iter().flatten() {
            self.tell(event, out);
        }
    }

    /// A chunk that says nothing. Comments would do for most clients and not for all (measured, November
    /// 2026); this one does for all, before the first chunk too.
    fn keep_alive(&mut self, out: &mut BytesMut) {
        put(out, &[&self.template.choice, self.template.tail]);
    }

    fn finish(&mut self, out: &mut BytesMut) {
        if self.answer.include_usage {
            put(out, &[&self.template.head, "],\"usage\":"]);
            // Numbers and a constant string have no way to fail, nor has memory.
            serde_json::to_writer(out.writer(), &self.answer.usage()).expect("numbers are JSON");
            put(out, &["}\n\n"]);
        }
        put(out, &[DONE]);
    }

    fn fail(&mut self, error: &Error, out: &mut BytesMut) {
        put(out, &["data: "]);
        out.extend_from_slice(&error::body(error, "messages"));
        put(out, &["\n\n", DONE]);
    }

    fn consumed(&self) -> Option<Consumed> {
        Some(self.answer.meter.consumed())
    }
}

const DONE: &str = "data: [DONE]\n\n";

impl Template {
    fn new(answer: &Answer) -> Self {
        let head = format!(
            r#"data: {{"id":"{}","object":"chat.completion.chunk","created":{},"model":"{}","choices":["#,
            JsonText::new(&answer.id).escaped(),
            answer.created,
            JsonText::new(&answer.model).escaped(),
        );
        let choice = format!(r#"{head}{{"index":0,"delta":{{"#);
        let (text_tail, end) = match answer.include_usage {
            true => (TAIL_WITH_USAGE, END_WITH_USAGE),
            false => (TAIL, END),
        };
        Self {
            content: format!(r#"{choice}"content":""#),
            reasoning: format!(r#"{choice}"reasoning_content":""#),
            choice,
            head,
            tail: &text_tail[1..],
            text_tail,
            end,
        }
    }
}

impl Call {
    fn put(&self, piece: &str, template: &Template, out: &mut BytesMut) {
        put(out, &[&self.before, piece, self.after, template.tail]);
    }
}

fn put(out: &mut BytesMut, pieces: &[&str]) {
    out.reserve(pieces.iter().map(|piece| piece.len()).sum());
    for piece in pieces {
        out.extend_from_slice(piece.as_bytes());
    }
}
