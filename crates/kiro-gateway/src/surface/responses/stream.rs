//! The answer as a stream of events.

use bytes::BytesMut;
use kiro_protocol::reply::ReplyEvent;
use kiro_protocol::text::JsonText;
use openai_types::responses::{Event, Failure};
use openai_types::{ErrorBody, Text};

use super::answer::{Answer, Status, ToolKind};
use super::output::{Body, Open, Output, Tell};
use crate::error::{Error, ErrorKind};
use crate::kept::Kept;
use crate::response::in_one_line;
use crate::surface::ReplyEncoder;
use crate::surface::openai::error;
use crate::usage::Consumed;

/// Tells of a reply as it comes in.
#[derive(Debug)]
pub(super) struct StreamEncoder {
    answer: Answer,
    output: Output,
    told: Events,
    has_begun: bool,
}

/// The events of one stream.
#[derive(Debug, Default)]
struct Events {
    /// The number of the next one.
    sequence: u64,
    /// How pieces of the open item are told.
    piece: Option<Piece>,
    tells_sealed: bool,
}

/// The constant parts of a piece: an event costs one copy of its text between them, because the text comes
/// escaped and goes escaped.
#[derive(Debug)]
struct Piece {
    /// Up to the number.
    before: String,
    /// From the number to the quote of the text.
    middle: String,
    /// From the quote to the end of the event.
    after: &'static str,
}

/// The events where they are written.
struct Writer<'a> {
    events: &'a mut Events,
    out: &'a mut BytesMut,
}

impl StreamEncoder {
    pub(super) fn new(answer: Answer) -> Self {
        Self {
            output: Output::new(
                answer.told.clone(),
                answer.tells_sealed,
                answer.salt.clone(),
            ),
            told: Events {
                tells_sealed: answer.tells_sealed,
                ..Events::default()
            },
            answer,
            has_begun: false,
        }
    }

    fn begin(&mut self, out: &mut BytesMut) {
        if !std::mem::replace(&mut self.has_begun, true) {
            self.lifecycle("response.created", Status::InProgress, out);
            self.lifecycle("response.in_progress", Status::InProgress, out);
        }
    }

    /// An event about the response as a whole.
    fn lifecycle(&mut self, kind: &str, status: Status<'_>, out: &mut BytesMut) {
        let done = &self.output.done[..];
        let event = Event {
            kind,
            response: Some(self.answer.response(status, done)),
            ..Event::default()
        };
        self.told.write(event, out);
    }
}

impl ReplyEncoder for StreamEncoder {
    fn event(&mut self, event: ReplyEvent, out: &mut BytesMut) {
        self.answer.meter.observe(&event);
        self.begin(out);
        let events = &mut self.told;
        self.output.event(event, &mut Writer { events, out });
    }

    /// An event that says nothing new. Comments would do for most clients; Codex's timer does not see them,
    /// and openai-node takes `response.in_progress` only before the first item (measured, November 2026).
    fn keep_alive(&mut self, out: &mut BytesMut) {
        if !self.has_begun {
            return self.begin(out);
        }
        if self.told.piece.is_some() {
            let events = &mut self.told;
            return Writer { events, out }.piece("");
        }
        if self.output.has_begun() {
            // Between two items, or in one that has no pieces, there is nothing to repeat.
            return put(out, &[": keep-alive\n\n"]);
        }
        self.lifecycle("response.in_progress", Status::InProgress, out);
    }

    fn finish(&mut self, out: &mut BytesMut) {
        let status = self.output.status;
        let kind = match status {
            Status::Incomplete(_) => "response.incomplete",
            _ => "response.completed",
        };
        self.lifecycle(kind, status, out);
    }

    fn keep(&mut self) -> Option<Kept> {
        self.answer.keep(&mut self.output)
    }

    fn not_kept(&mut self) {
        self.answer.store = false;
    }

    /// Two events, because no one of them is understood by all: the SDKs raise on the first, and agents
    /// wait for the second (measured, November 2026).
    fn fail(&mut self, error: &Error, out: &mut BytesMut) {
        self.begin(out);
        // It was written by the same types.
        if let Ok(ErrorBody { error: object, .. }) =
            serde_json::from_slice(&error::body(error, "input"))
        {
            let event = Event {
                kind: "error",
                error: Some(Failure {
                    code: object.code.as_deref(),
                    message: &object.message,
                    param: object.param.as_deref(),
                    error: &object,
                }),
                ..Event::default()
            };
            self.told.write(event, out);
        }
        let status = Status::Failed(failure(error.kind()), error.public_message());
        self.lifecycle("response.failed", status, out);
    }

    fn consumed(&self) -> Option<Consumed> {
        Some(self.answer.meter.consumed())
    }
}

/// The word for a failure in `response.failed`. Codex ends at once for four of them and asks again for the
/// others (measured, November 2026); three of the four are not in the schema's list.
fn failure(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ContextTooLong => "context_length_exceeded",
        ErrorKind::QuotaExhausted => "insufficient_quota",
        ErrorKind::Overloaded => "server_is_overloaded",
        ErrorKind::InvalidRequest => "invalid_prompt",
        ErrorKind::RateLimited => "rate_limit_exceeded",
        ErrorKind::TooLarge
        | ErrorKind::SlowBody
        | ErrorKind::UnknownCoding
        | ErrorKind::Unauthorized
        | ErrorKind::Forbidden
        | ErrorKind::NotFound
        | ErrorKind::MethodNotAllowed
        | ErrorKind::ModelNotFound
        | ErrorKind::UpstreamAuth
        | ErrorKind::UpstreamRefused
        | ErrorKind::UpstreamUnreachable
        | ErrorKind::UpstreamProtocol
        | ErrorKind::Unsatisfied
        | ErrorKind::StoreUnreachable
        | ErrorKind::Timeout
        | ErrorKind::ShuttingDown
        | ErrorKind::Internal => "server_error",
    }
}

impl Events {
    fn write(&mut self, mut event: Event<'_>, out: &mut BytesMut) {
        event.sequence_number = self.sequence;
        self.sequence += 1;
        // Text in its JSON form, strings and numbers have no way to fail.
        let json = serde_json::to_vec(&event).expect("an event is always JSON");
        put(out, &["event: ", event.kind, "\ndata: "]);
        out.extend_from_slice(&in_one_line(json.into()));
        put(out, &["\n\n"]);
    }
}

impl Writer<'_> {
    fn write(&mut self, event: Event<'_>) {
        self.events.write(event, self.out);
    }

    fn piece(&mut self, escaped: &str) {
        let Some(piece) = &self.events.piece else {
            return;
        };
        let number = self.events.sequence.to_string();
        self.events.sequence += 1;
        let Piece {
            before,
            middle,
            after,
        } = piece;
        put(self.out, &[before, &number, middle, escaped, after]);
    }

    /// The event at the beginning or the end of an item's part.
    fn part(&mut self, open: &Open, is_end: bool) {
        let text = match is_end {
            true => open.text(),
            false => Text::new(""),
        };
        let Some(part) = open.part(text) else { return };
        let is_message = matches!(open.body, Body::Message { .. });
        let event = Event {
            kind: match (is_message, is_end) {
                (true, false) => "response.content_part.added",
                (true, true) => "response.content_part.done",
                (false, false) => "response.reasoning_summary_part.added",
                (false, true) => "response.reasoning_summary_part.done",
            },
            content_index: is_message.then_some(0),
            summary_index: (!is_message).then_some(0),
            part: Some(&part),
            ..of(open)
        };
        self.write(event);
    }

    /// All of an item's text once more.
    fn whole(&mut self, open: &Open) {
        let text = open.text();
        let of = of(open);
        let event = match &open.body {
            Body::Message { .. } => Event {
                kind: "response.output_text.done",
                content_index: Some(0),
                text: Some(&text),
                logprobs: Some([]),
                ..of
            },
            Body::Reasoning { .. } => Event {
                kind: "response.reasoning_summary_text.done",
                summary_index: Some(0),
                text: Some(&text),
                ..of
            },
            Body::Call { told, .. } => match told.kind {
                ToolKind::Function => Event {
                    kind: "response.function_call_arguments.done",
                    name: Some(&told.name),
                    arguments: Some(&text),
                    ..of
                },
                ToolKind::Custom => Event {
                    kind: "response.custom_tool_call_input.done",
                    input: Some(&text),
                    ..of
                },
                ToolKind::ToolSearch => return,
            },
        };
        self.write(event);
    }
}

impl Tell for Writer<'_> {
    fn begun(&mut self, open: &Open) {
        open.with_beginning(|item| {
            self.write(Event {
                kind: "response.output_item.added",
                output_index: Some(open.index),
                item: Some(item),
                ..Event::default()
            });
        });
        // Thoughts that nobody can read have no part; others get theirs with their first piece.
        if matches!(open.body, Body::Message { .. }) {
            self.part(open, false);
        }
        self.events.piece = match open.body {
            Body::Reasoning { .. } => None,
            _ => Piece::of(open),
        };
    }

    fn more(&mut self, open: &Open, escaped: &str) {
        if self.events.piece.is_none() && matches!(open.body, Body::Reasoning { .. }) {
            self.part(open, false);
            self.events.piece = Piece::of(open);
        }
        self.piece(escaped);
    }

    fn done(&mut self, open: &Open, status: &'static str) {
        let has_part = self.events.piece.take().is_some();
        if has_part {
            self.whole(open);
            self.part(open, true);
        }
        open.with_item(status, self.events.tells_sealed, |item| {
            self.write(Event {
                kind: "response.output_item.done",
                output_index: Some(open.index),
                item: Some(item.clone()),
                ..Event::default()
            });
        });
    }
}

impl Piece {
    fn of(open: &Open) -> Option<Self> {
        let (kind, index, after) = match &open.body {
            Body::Message { .. } => (
                "response.output_text.delta",
                ",\"content_index\":0",
                "\",\"logprobs\":[]}\n\n",
            ),
            Body::Reasoning { .. } => (
                "response.reasoning_summary_text.delta",
                ",\"summary_index\":0",
                "\"}\n\n",
            ),
            Body::Call { told, .. } => match told.kind {
                ToolKind::Function => ("response.function_call_arguments.delta", "", "\"}\n\n"),
                ToolKind::Custom => ("response.custom_tool_call_input.delta", "", "\"}\n\n"),
                ToolKind::ToolSearch => return None,
            },
        };
        Some(Self {
            before: format!("event: {kind}\ndata: {{\"type\":\"{kind}\",\"sequence_number\":"),
            middle: format!(
                ",\"output_index\":{},\"item_id\":\"{}\"{index},\"delta\":\"",
                open.index,
                JsonText::new(&open.id).escaped(),
            ),
            after,
        })
    }
}

/// What events about a part of an item have in common.
fn of(open: &Open) -> Event<'_> {
    Event {
        output_index: Some(open.index),
        item_id: Some(&open.id),
        ..Event::default()
    }
}

fn put(out: &mut BytesMut, pieces: &[&str]) {
    out.reserve(pieces.iter().map(|piece| piece.len()).sum());
    for piece in pieces {
        out.extend_from_slice(piece.as_bytes());
    }
}
