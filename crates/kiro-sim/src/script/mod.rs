//! What to answer, and when.
//!
//! A [`Script`] is a list of [`Step`]s that a reply is made of; a [`Matcher`] says which requests get it.

mod matcher;
mod step;
mod turn;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use matcher::Matcher;
pub use step::{Flood, Step};
pub use turn::{CurrentTurn, DeclaredTool, Picture, ToolAnswer};

/// The steps of one reply, in order.
///
/// After the last step, what a complete reply needs and the script did not give is added: the stop reason,
/// the context percentage and the price ([`no_stop`](Self::no_stop) and [`no_tail`](Self::no_tail) prevent
/// it), and the HTTP body ends cleanly.
///
/// ```
/// use kiro_sim::Script;
/// use serde_json::json;
///
/// let script = Script::new()
///     .text("I will look.")
///     .tool("read_file", json!({"path": "Cargo.toml"}))
///     .usage(12.5);
/// # let _ = script;
/// ```
///
/// As JSON it is the list of its steps: `[{"text": "I will look."}, {"usage": 12.5}]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
#[must_use]
pub struct Script {
    steps: Vec<Step>,
}

impl Script {
    /// An empty reply: only what a complete reply needs.
    pub fn new() -> Self {
        Self::default()
    }

    /// The steps so far.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Adds any step.
    pub fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// One text delta.
    pub fn text(self, text: impl Into<String>) -> Self {
        self.step(Step::Text(text.into()))
    }

    /// Text deltas with a pause after each.
    pub fn text_slowly(self, pieces: &[&str], pause: Duration) -> Self {
        let pieces = pieces.iter().map(|piece| (*piece).to_owned()).collect();
        self.step(Step::TextSlowly { pieces, pause })
    }

    /// One reasoning delta; a later one brings the signature.
    pub fn thinking(self, text: impl Into<String>) -> Self {
        self.step(Step::Thinking(text.into()))
    }

    /// One reasoning delta and the signature of the thoughts so far.
    pub fn reasoning(self, text: impl Into<String>, signature: impl Into<String>) -> Self {
        self.step(Step::Reasoning {
            text: text.into(),
            signature: Some(signature.into()),
        })
    }

    /// One reasoning delta; the simulator signs it with the thoughts before it.
    pub fn signed_reasoning(self, text: impl Into<String>) -> Self {
        self.step(Step::Reasoning {
            text: text.into(),
            signature: None,
        })
    }

    /// Reasoning that nobody can read, as base64.
    pub fn redacted_reasoning(self, base64: impl Into<String>) -> Self {
        self.step(Step::RedactedReasoning(base64.into()))
    }

    /// A tool use: start, its input in a few pieces, end. The id is made up.
    pub fn tool(self, name: impl Into<String>, input: Value) -> Self {
        self.step(Step::Tool {
            name: name.into(),
            input,
            id: None,
        })
    }

    /// A tool use with a given id.
    pub fn tool_with_id(
        self,
        id: impl Into<String>,
        name: impl Into<String>,
        input: Value,
    ) -> Self {
        self.step(Step::Tool {
            name: name.into(),
            input,
            id: Some(id.into()),
        })
    }

    /// A tool use whose input is cut into exactly these pieces.
    pub fn tool_pieces(self, name: impl Into<String>, pieces: &[&str]) -> Self {
        self.tool_steps(name, pieces, true)
    }

    /// A tool use that never ends, as the service leaves it when it ran out of time.
    pub fn tool_without_stop(self, name: impl Into<String>, pieces: &[&str]) -> Self {
        self.tool_steps(name, pieces, false)
    }

    /// The context percentage, instead of the computed one.
    pub fn usage(self, percentage: f64) -> Self {
        self.step(Step::Usage(percentage))
    }

    /// The price in credits, instead of the computed one.
    pub fn credits(self, credits: f64) -> Self {
        self.step(Step::Credits(credits))
    }

    /// The stop reason, for example `END_TURN`, `TOOL_USE`, `MAX_TOKENS`.
    pub fn stop(self, reason: impl Into<String>) -> Self {
        self.step(Step::Stop(reason.into()))
    }

    /// No stop reason.
    pub fn no_stop(self) -> Self {
        self.step(Step::NoStop)
    }

    /// Nothing after the last step but the end of the HTTP body.
    pub fn no_tail(self) -> Self {
        self.step(Step::NoTail)
    }

    /// Any event, its payload as given.
    pub fn event(self, kind: impl Into<String>, payload: Value) -> Self {
        self.step(Step::Event {
            kind: kind.into(),
            payload,
        })
    }

    /// An event of a kind that no client knows.
    pub fn unknown_event(self) -> Self {
        self.event(
            "somethingNewEvent",
            json!({"answer": 42, "nested": {"list": [1, 2, 3]}}),
        )
    }

    /// An exception frame; nothing follows it.
    pub fn fault_frame(self, kind: impl Into<String>, payload: Value) -> Self {
        self.step(Step::Fault {
            kind: kind.into(),
            payload,
        })
    }

    /// A frame of message type `error`; nothing follows it.
    pub fn error_frame(self, code: impl Into<String>, message: impl Into<String>) -> Self {
        self.step(Step::Error {
            code: code.into(),
            message: message.into(),
        })
    }

    /// An HTTP error instead of a stream.
    pub fn http_error(self, status: u16, body: Value, retry_after: Option<Duration>) -> Self {
        self.step(Step::HttpError {
            status,
            body,
            retry_after,
        })
    }

    /// Waits before the response head.
    pub fn delay(self, delay: Duration) -> Self {
        self.step(Step::Delay(delay))
    }

    /// Sends nothing for a while: before the first frame or between two.
    pub fn silence(self, silence: Duration) -> Self {
        self.step(Step::Silence(silence))
    }

    /// Never answers: not even the response head.
    pub fn hang_before_head(self) -> Self {
        self.step(Step::HangBeforeHead)
    }

    /// Never goes on, with the connection open.
    pub fn hang(self) -> Self {
        self.step(Step::Hang)
    }

    /// Closes the TCP connection instead of answering.
    pub fn cut_before_head(self) -> Self {
        self.step(Step::CutBeforeHead)
    }

    /// Closes the TCP connection without ending the HTTP body.
    pub fn cut(self) -> Self {
        self.step(Step::Cut)
    }

    /// Closes the TCP connection in the middle of a frame.
    pub fn cut_inside_frame(self) -> Self {
        self.step(Step::CutInsideFrame)
    }

    /// Ends the HTTP body cleanly in the middle of a frame.
    pub fn end_inside_frame(self) -> Self {
        self.step(Step::EndInsideFrame)
    }

    /// Resets the TCP connection.
    pub fn reset(self) -> Self {
        self.step(Step::Reset)
    }

    /// Closes the TCP connection after exactly this many bytes of the body, wherever this step stands. A reply
    /// that is not longer ends as it would.
    pub fn cut_at(self, bytes: usize) -> Self {
        self.step(Step::CutAt(bytes))
    }

    /// Resets the TCP connection after exactly this many bytes of the body, as [`cut_at`](Self::cut_at).
    pub fn reset_at(self, bytes: usize) -> Self {
        self.step(Step::ResetAt(bytes))
    }

    /// A text frame whose message CRC is wrong.
    pub fn bad_message_crc(self) -> Self {
        self.step(Step::BadMessageCrc)
    }

    /// A text frame whose prelude CRC is wrong.
    pub fn bad_prelude_crc(self) -> Self {
        self.step(Step::BadPreludeCrc)
    }

    /// A text frame that claims 10 MB; the prelude CRC gives the lie away.
    pub fn lying_length(self) -> Self {
        self.step(Step::LyingLength(10_000_000))
    }

    /// A frame that claims this many bytes with a sound prelude CRC; only a limit helps.
    pub fn oversize_length(self, claimed: u32) -> Self {
        self.step(Step::OversizeLength(claimed))
    }

    /// A 200 with a page of HTML.
    pub fn html_200(self) -> Self {
        self.step(Step::Html(
            "<html><body>Please try again later.</body></html>".to_owned(),
        ))
    }

    /// A 200 without a single byte of body.
    pub fn empty(self) -> Self {
        self.step(Step::Empty)
    }

    /// Bytes as they are, in one write.
    pub fn raw_bytes(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.step(Step::RawBytes(bytes.into()))
    }

    /// Many equal text events as fast as the connection takes them.
    pub fn flood(self, n_events: usize, bytes_each: usize, per_http_chunk: usize) -> Self {
        self.step(Step::Flood(Flood {
            n_events,
            bytes_each,
            per_http_chunk,
            pause: None,
        }))
    }

    /// Many equal text events with a pause after each HTTP chunk.
    pub fn paced_flood(
        self,
        n_events: usize,
        bytes_each: usize,
        per_http_chunk: usize,
        pause: Duration,
    ) -> Self {
        let pause = Some(pause);
        self.step(Step::Flood(Flood {
            n_events,
            bytes_each,
            per_http_chunk,
            pause,
        }))
    }

    /// Cuts all of this reply's bytes into writes of this size.
    pub fn segments(self, bytes: usize) -> Self {
        self.step(Step::Segments(bytes))
    }

    fn tool_steps(self, name: impl Into<String>, pieces: &[&str], stop: bool) -> Self {
        let pieces = pieces.iter().map(|piece| (*piece).to_owned()).collect();
        self.step(Step::ToolPieces {
            name: name.into(),
            pieces,
            id: None,
            stop,
        })
    }
}
