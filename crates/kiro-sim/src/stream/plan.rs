//! From a script to what has to be done: pure, so that every reply can be tested without a socket.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use kiro_protocol::Generation;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::frame;
use crate::catalog::Model;
use crate::random::Random;
use crate::script::{Flood, Script, Step};

/// Bytes of a tool's input in one event.
const TOOL_PIECE: usize = 8;

/// What a script needs to know of the request that it answers.
#[derive(Debug)]
pub(crate) struct ReplyContext<'a> {
    pub(crate) generation: Generation,
    pub(crate) model: &'a Model,
    pub(crate) input_tokens: u64,
    pub(crate) conversation_id: &'a str,
    pub(crate) random: Random,
}

/// A reply, ready to be performed.
#[derive(Debug, PartialEq)]
pub(crate) struct Plan {
    /// Pause before the response head.
    pub(crate) delay: Duration,
    pub(crate) answer: Answer,
    /// Thoughts with signatures of the script's own, for checking them when they come back.
    pub(crate) signed: Vec<(String, String)>,
    /// The price of the reply.
    pub(crate) credits: f64,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    /// A 200 with a stream. `segments` overrides the simulator's segmentation.
    Stream {
        actions: Vec<Action>,
        segments: Option<usize>,
    },
    /// A response of one piece.
    Whole {
        status: u16,
        content_type: &'static str,
        body: Bytes,
        retry_after: Option<Duration>,
    },
    /// No response, ever.
    Hang,
    /// No response, and the connection is closed.
    Close,
}

/// One thing to do with the body.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Action {
    Send(Bytes),
    /// The same bytes, many times over; paced by schedule, so that a late write does not delay the next.
    Repeat {
        bytes: Bytes,
        times: usize,
        pause: Option<Duration>,
    },
    Wait(Duration),
    Hang,
    Cut,
    Reset,
}

/// Works out what a script does as the answer to one request.
pub(crate) fn plan(script: &Script, context: ReplyContext<'_>) -> Plan {
    let delay = script
        .steps()
        .iter()
        .map(|step| {
            if let Step::Delay(delay) = step {
                *delay
            } else {
                Duration::ZERO
            }
        })
        .sum();
    if let Some(answer) = script.steps().iter().find_map(without_stream) {
        return Plan {
            delay,
            answer,
            signed: Vec::new(),
            credits: 0.0,
        };
    }
    let mut writer = Writer::new(context);
    writer.open();
    let ended = script
        .steps()
        .iter()
        .any(|step| writer.perform(step) == Next::Nothing);
    if !ended {
        writer.close();
    }
    let credits = writer.price();
    let actions = match writer.ends_at.take() {
        Some((bytes, end)) => ended_at(writer.actions, bytes, end),
        None => writer.actions,
    };
    Plan {
        delay,
        answer: Answer::Stream {
            actions,
            segments: writer.segments,
        },
        signed: writer.signed,
        credits,
    }
}

/// Steps that take the place of the stream.
fn without_stream(step: &Step) -> Option<Answer> {
    let whole = |status, content_type, body, retry_after| Answer::Whole {
        status,
        content_type,
        body,
        retry_after,
    };
    Some(match step {
        Step::HttpError {
            status,
            body: Value::String(text),
            retry_after,
        } => {
            let content_type = if text.starts_with('<') {
                "text/html"
            } else {
                "text/plain"
            };
            whole(*status, content_type, text.clone().into(), *retry_after)
        }
        Step::HttpError {
            status,
            body,
            retry_after,
        } => whole(
            *status,
            "application/json",
            body.to_string().into(),
            *retry_after,
        ),
        Step::Html(page) => whole(200, "text/html", page.clone().into(), None),
        Step::Empty => whole(
            200,
            "application/vnd.amazon.eventstream",
            Bytes::new(),
            None,
        ),
        Step::HangBeforeHead => Answer::Hang,
        Step::CutBeforeHead => Answer::Close,
        _ => return None,
    })
}

#[derive(Debug, PartialEq)]
enum Next {
    More,
    Nothing,
}

#[derive(Debug)]
struct Writer<'a> {
    context: ReplyContext<'a>,
    actions: Vec<Action>,
    segments: Option<usize>,
    /// Where the connection ends, in bytes of the body, and how.
    ends_at: Option<(usize, Action)>,
    signed: Vec<(String, String)>,
    /// Thoughts that have no signature yet.
    thoughts: String,
    /// Bytes of text, reasoning and tool input so far.
    written: usize,
    used_tools: bool,
    has_stop: bool,
    has_usage: bool,
    credits: Option<f64>,
    has_tail: bool,
}

impl<'a> Writer<'a> {
    fn new(context: ReplyContext<'a>) -> Self {
        Self {
            // The first generation promises no stop reason, and its streams often have none.
            has_stop: context.generation == Generation::Rest,
            context,
            actions: Vec::new(),
            segments: None,
            ends_at: None,
            signed: Vec::new(),
            thoughts: String::new(),
            written: 0,
            used_tools: false,
            has_usage: false,
            credits: None,
            has_tail: true,
        }
    }

    /// `initial-response` is part of the RPC binding and comes with targets only.
    fn open(&mut self) {
        if self.context.generation == Generation::Rest {
            let conversation = self.context.conversation_id.to_owned();
            let utterance = self.context.random.uuid();
            let ids = json!({"conversationId": conversation, "utteranceId": utterance});
            self.event("messageMetadataEvent", &ids);
        } else {
            self.send(frame::initial_response());
        }
    }

    /// Adds what a complete reply needs and the script has not given.
    fn close(&mut self) {
        if !self.has_tail {
            return;
        }
        if !self.has_stop {
            self.stop(if self.used_tools {
                "TOOL_USE"
            } else {
                "END_TURN"
            });
        }
        if !self.has_usage {
            self.usage(self.percentage());
        }
        if self.credits.is_none() {
            self.metering(self.price());
        }
    }

    fn perform(&mut self, step: &Step) -> Next {
        match step {
            Step::Text(text) => self.text(text),
            Step::TextSlowly { pieces, pause } => self.text_slowly(pieces, *pause),
            Step::Thinking(text) => self.think(text),
            Step::Reasoning { text, signature } => self.reasoning(text, signature.as_deref()),
            Step::RedactedReasoning(base64) => {
                self.event("reasoningContentEvent", &json!({"redactedContent": base64}));
            }
            Step::Tool { name, input, id } => {
                let text = input.to_string();
                let pieces = pieces_of(&text, TOOL_PIECE);
                self.tool(name, &pieces, id.as_deref(), true);
            }
            Step::ToolPieces {
                name,
                pieces,
                id,
                stop,
            } => {
                let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
                self.tool(name, &pieces, id.as_deref(), *stop);
            }
            Step::Usage(percentage) => self.usage(*percentage),
            Step::Credits(credits) => self.metering(*credits),
            Step::Stop(reason) => self.stop(reason),
            Step::NoStop => self.has_stop = true,
            Step::NoTail => self.has_tail = false,
            Step::Event { kind, payload } => self.event(kind, payload),
            Step::Silence(silence) => self.wait(*silence),
            Step::RawBytes(bytes) => self.send(Bytes::copy_from_slice(bytes)),
            Step::Flood(flood) => self.flood(flood),
            Step::Segments(bytes) => self.segments = Some(*bytes),
            Step::CutAt(bytes) => self.ends_at = Some((*bytes, Action::Cut)),
            Step::ResetAt(bytes) => self.ends_at = Some((*bytes, Action::Reset)),
            Step::Fault { kind, payload } => return self.last(frame::exception(kind, payload)),
            Step::Error { code, message } => return self.last(frame::error(code, message)),
            Step::Hang => return self.end(Action::Hang),
            Step::Cut => return self.end(Action::Cut),
            Step::Reset => return self.end(Action::Reset),
            Step::EndInsideFrame => return self.last(self.half_a_frame()),
            Step::CutInsideFrame => {
                self.send(self.half_a_frame());
                return self.end(Action::Cut);
            }
            // No sound decoder reads on after these, which is for the decoder to show.
            Step::BadMessageCrc => self.send(frame::with_bad_message_crc(&self.frame())),
            Step::BadPreludeCrc => self.send(frame::with_bad_prelude_crc(&self.frame())),
            Step::LyingLength(claimed) => self.send(frame::with_length(&self.frame(), *claimed)),
            Step::OversizeLength(claimed) => {
                self.send(frame::with_sound_length(&self.frame(), *claimed));
            }
            // They act before the stream, and have been dealt with.
            Step::HttpError { .. }
            | Step::Delay(_)
            | Step::HangBeforeHead
            | Step::CutBeforeHead
            | Step::Html(_)
            | Step::Empty => {}
        }
        Next::More
    }

    /// The last bytes of the body.
    fn last(&mut self, bytes: Bytes) -> Next {
        self.send(bytes);
        Next::Nothing
    }

    fn end(&mut self, action: Action) -> Next {
        self.actions.push(action);
        Next::Nothing
    }

    /// A sound frame, to be damaged.
    fn frame(&self) -> Bytes {
        frame::text("This frame is damaged.", self.context.model.id())
    }

    fn half_a_frame(&self) -> Bytes {
        let whole = self.frame();
        whole.slice(..whole.len() / 2)
    }

    fn send(&mut self, bytes: Bytes) {
        self.actions.push(Action::Send(bytes));
    }

    /// Even a sleep of nothing lasts until the next tick of the timer.
    fn wait(&mut self, pause: Duration) {
        if !pause.is_zero() {
            self.actions.push(Action::Wait(pause));
        }
    }

    fn event(&mut self, kind: &str, payload: &Value) {
        self.send(frame::event(kind, payload.to_string().as_bytes()));
    }

    fn text(&mut self, text: &str) {
        self.written += text.len();
        self.send(frame::text(text, self.context.model.id()));
    }

    fn text_slowly(&mut self, pieces: &[String], pause: Duration) {
        for piece in pieces {
            self.text(piece);
            self.wait(pause);
        }
    }

    fn think(&mut self, text: &str) {
        self.written += text.len();
        self.thoughts.push_str(text);
        if !text.is_empty() {
            self.event("reasoningContentEvent", &json!({"text": text}));
        }
    }

    fn reasoning(&mut self, text: &str, signature: Option<&str>) {
        self.think(text);
        let thoughts = std::mem::take(&mut self.thoughts);
        let own = signature.map(str::to_owned);
        let signature = own.clone().unwrap_or_else(|| sign(&thoughts));
        self.event("reasoningContentEvent", &json!({"signature": signature}));
        self.signed.extend(own.map(|own| (thoughts, own)));
    }

    fn tool(&mut self, name: &str, pieces: &[&str], id: Option<&str>, stop: bool) {
        self.used_tools = true;
        let made_up = || format!("tooluse_{}", self.context.random.base64url(22));
        let id = id.map_or_else(made_up, str::to_owned);
        self.event("toolUseEvent", &json!({"name": name, "toolUseId": id}));
        for piece in pieces {
            self.written += piece.len();
            let fragment = json!({"input": piece, "name": name, "toolUseId": id});
            self.event("toolUseEvent", &fragment);
        }
        if stop {
            let end = json!({"name": name, "stop": true, "toolUseId": id});
            self.event("toolUseEvent", &end);
        }
    }

    fn stop(&mut self, reason: &str) {
        self.has_stop = true;
        self.event("metadataEvent", &json!({"stopReason": reason}));
    }

    fn usage(&mut self, percentage: f64) {
        self.has_usage = true;
        self.event(
            "contextUsageEvent",
            &json!({"contextUsagePercentage": percentage}),
        );
    }

    fn metering(&mut self, credits: f64) {
        self.credits = Some(self.credits.unwrap_or_default() + credits);
        let price = json!({"unit": "credit", "unitPlural": "credits", "usage": credits});
        self.event("meteringEvent", &price);
    }

    fn flood(&mut self, flood: &Flood) {
        self.written += flood.n_events * flood.bytes_each;
        let event = frame::text(&"x".repeat(flood.bytes_each), self.context.model.id());
        let per_chunk = flood.per_http_chunk.max(1);
        let repeated = |n: usize| {
            let mut out = BytesMut::with_capacity(n * event.len());
            (0..n).for_each(|_| out.extend_from_slice(&event));
            out.freeze()
        };
        let (times, rest) = (flood.n_events / per_chunk, flood.n_events % per_chunk);
        let bytes = repeated(per_chunk.min(flood.n_events));
        self.actions.push(Action::Repeat {
            bytes,
            times,
            pause: flood.pause,
        });
        if rest > 0 {
            self.actions.push(Action::Send(repeated(rest)));
        }
    }

    /// Four bytes make a token, as the official CLI estimates.
    fn output_tokens(&self) -> f64 {
        self.written.div_ceil(4) as f64
    }

    /// Total tokens over the context window, in percent: the reply counts too.
    fn percentage(&self) -> f64 {
        let total = self.context.input_tokens as f64 + self.output_tokens();
        total / self.context.model.max_input_tokens() as f64 * 100.0
    }

    /// The rough price that one observer found: output costs 6.66 times as much as input.
    fn price(&self) -> f64 {
        let tokens = self.context.input_tokens as f64 + 6.66 * self.output_tokens();
        self.credits
            .unwrap_or(self.context.model.rate() * 1.66e-5 * tokens)
    }
}

/// Lets a reply end after exactly so many bytes. One that is shorter ends as it would.
fn ended_at(actions: Vec<Action>, bytes: usize, end: Action) -> Vec<Action> {
    let mut out = Vec::new();
    let mut left = bytes;
    for action in actions {
        let (each, times) = match &action {
            Action::Send(bytes) => (bytes.clone(), 1),
            Action::Repeat { bytes, times, .. } => (bytes.clone(), *times),
            _ => (Bytes::new(), 0),
        };
        let length = each.len() * times;
        if length <= left {
            left -= length;
            out.push(action);
            continue;
        }
        let (whole, rest) = (left / each.len(), left % each.len());
        if let Action::Repeat { pause, .. } = action {
            out.push(Action::Repeat {
                bytes: each.clone(),
                times: whole,
                pause,
            });
        }
        if rest > 0 {
            out.push(Action::Send(each.slice(..rest)));
        }
        out.push(end);
        break;
    }
    out
}

/// The simulator's signature of a text. It can be checked without remembering it.
pub(crate) fn sign(text: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(b"kiro-sim reasoning ");
    hash.update(text.as_bytes());
    STANDARD.encode(hash.finalize())
}

/// Cuts text into pieces of about this many bytes, at character boundaries; the first is empty, as the
/// service likes it.
fn pieces_of(text: &str, bytes: usize) -> Vec<&str> {
    let mut pieces = vec![""];
    let mut rest = text;
    while !rest.is_empty() {
        let mut end = bytes.min(rest.len());
        while !rest.is_char_boundary(end) {
            end += 1;
        }
        let (piece, after) = rest.split_at(end);
        pieces.push(piece);
        rest = after;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Catalog;

    fn actions(script: &Script) -> Vec<Action> {
        let catalog = Catalog::default();
        let context = ReplyContext {
            generation: Generation::Krs,
            model: catalog.find("claude-sonnet-4.5").unwrap(),
            input_tokens: 10,
            conversation_id: "",
            random: Random::new(1),
        };
        match plan(script, context).answer {
            Answer::Stream { actions, .. } => actions,
            other => panic!("no stream: {other:?}"),
        }
    }

    #[test]
    fn a_flood_puts_so_many_events_into_one_write() {
        let event = frame::text("xxxxx", "claude-sonnet-4.5").len();
        let script = Script::new().flood(25, 5, 10).no_tail();
        let [
            _,
            Action::Repeat {
                bytes,
                times: 2,
                pause: None,
            },
            Action::Send(rest),
        ] = &actions(&script)[..]
        else {
            panic!("another plan");
        };
        assert_eq!((bytes.len(), rest.len()), (10 * event, 5 * event));
    }

    #[test]
    fn a_reply_can_end_at_any_byte() {
        let script = Script::new()
            .text("one")
            .flood(7, 3, 2)
            .tool("go", json!({"a": 1}));
        let bytes = |actions: &[Action]| {
            let mut out = Vec::new();
            for action in actions {
                match action {
                    Action::Send(bytes) => out.extend_from_slice(bytes),
                    Action::Repeat { bytes, times, .. } => {
                        (0..*times).for_each(|_| out.extend_from_slice(bytes));
                    }
                    other => assert_eq!(other, &Action::Cut),
                }
            }
            out
        };
        let whole = bytes(&actions(&script));
        for n in 0..whole.len() {
            let cut = actions(&script.clone().cut_at(n));
            assert_eq!(cut.last(), Some(&Action::Cut), "{n}");
            assert_eq!(bytes(&cut), whole[..n], "{n}");
        }
        assert_eq!(
            actions(&script.clone().cut_at(whole.len())),
            actions(&script)
        );
    }

    #[test]
    fn pieces_of_an_input_join_to_the_input() {
        let text = "{\"a\":\"zwölf Boxkämpfer — \u{1f980}\u{1f980}\u{1f980}\"}";
        let pieces = pieces_of(text, 7);
        assert_eq!(pieces.concat(), text);
        assert_eq!(pieces[0], "");
        assert!(
            pieces[1..]
                .iter()
                .all(|piece| (1..=10).contains(&piece.len()))
        );
    }

    #[test]
    fn nothing_follows_a_step_that_ends_the_reply() {
        for step in [Step::Cut, Step::Reset, Step::Hang, Step::EndInsideFrame] {
            let script = Script::new().text("a");
            let ended = actions(&script.clone().step(step.clone()));
            let continued = actions(&script.step(step).text("b").stop("END_TURN"));
            assert_eq!(ended, continued);
        }
    }
}
