//! One thing that a reply does.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

use crate::millis;

/// One thing that a reply does. [`Script`](super::Script) has a method for each, with the explanation.
///
/// In JSON a step is a name, or an object with the name and its values; durations are in milliseconds:
///
/// ```
/// use kiro_sim::{Script, Step};
///
/// let json = r#"[{"text": "Hi"}, {"silence_ms": 500}, {"tool": {"name": "ls", "input": {}}}, "cut"]"#;
/// let script: Script = serde_json::from_str(json)?;
/// assert_eq!(script.steps()[3], Step::Cut);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Step {
    /// One text delta.
    Text(String),
    /// Text deltas with a pause after each.
    TextSlowly {
        /// The deltas.
        pieces: Vec<String>,
        /// The pause after each, `pause_ms` in JSON.
        #[serde(rename = "pause_ms", with = "millis")]
        pause: Duration,
    },
    /// One reasoning delta without a signature.
    Thinking(String),
    /// One reasoning delta and the signature of the thoughts so far.
    Reasoning {
        /// The thoughts.
        text: String,
        /// The signature; made by the simulator when absent.
        #[serde(default)]
        signature: Option<String>,
    },
    /// Reasoning that nobody can read, as base64.
    RedactedReasoning(String),
    /// A whole tool use.
    Tool {
        /// The tool's name.
        name: String,
        /// The arguments.
        input: Value,
        /// The id; made up when absent.
        #[serde(default)]
        id: Option<String>,
    },
    /// A tool use with its input in given pieces.
    ToolPieces {
        /// The tool's name.
        name: String,
        /// Pieces of the arguments' JSON text.
        pieces: Vec<String>,
        /// The id; made up when absent.
        #[serde(default)]
        id: Option<String>,
        /// Whether the tool use ends.
        #[serde(default = "yes")]
        stop: bool,
    },
    /// The context percentage.
    Usage(f64),
    /// The price in credits.
    Credits(f64),
    /// The stop reason.
    Stop(String),
    /// No stop reason.
    NoStop,
    /// Nothing after the last step.
    NoTail,
    /// Any event.
    Event {
        /// The `:event-type`.
        kind: String,
        /// The payload.
        payload: Value,
    },
    /// An exception frame; nothing follows it.
    Fault {
        /// The `:exception-type`.
        kind: String,
        /// The payload.
        payload: Value,
    },
    /// A frame of message type `error`; nothing follows it.
    Error {
        /// The `:error-code`.
        code: String,
        /// The `:error-message`.
        message: String,
    },
    /// An HTTP error instead of a stream.
    HttpError {
        /// The status.
        status: u16,
        /// The body: JSON, or text as it is when a string.
        body: Value,
        /// The `retry-after` header, in whole seconds rounded up; `retry_after_ms` in JSON.
        #[serde(default, rename = "retry_after_ms", with = "millis::option")]
        retry_after: Option<Duration>,
    },
    /// A pause before the response head.
    #[serde(rename = "delay_ms", with = "millis")]
    Delay(Duration),
    /// A pause before the first frame or between two.
    #[serde(rename = "silence_ms", with = "millis")]
    Silence(Duration),
    /// Never answers.
    HangBeforeHead,
    /// Never goes on.
    Hang,
    /// Closes the connection instead of answering.
    CutBeforeHead,
    /// Closes the connection without ending the body.
    Cut,
    /// Closes the connection in the middle of a frame.
    CutInsideFrame,
    /// Ends the body in the middle of a frame.
    EndInsideFrame,
    /// Resets the connection.
    Reset,
    /// Closes the connection after this many bytes of the body.
    CutAt(usize),
    /// Resets the connection after this many bytes of the body.
    ResetAt(usize),
    /// A frame with a wrong message CRC.
    BadMessageCrc,
    /// A frame with a wrong prelude CRC.
    BadPreludeCrc,
    /// A frame with a false length and the prelude CRC of the true one.
    LyingLength(u32),
    /// A prelude with a false length and a CRC to match.
    OversizeLength(u32),
    /// A 200 with HTML.
    Html(String),
    /// A 200 without a body.
    Empty,
    /// Bytes as they are; base64 in JSON.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    RawBytes(Vec<u8>),
    /// Many equal text events.
    Flood(Flood),
    /// Cuts all bytes of the reply into writes of this size.
    Segments(usize),
}

/// Many equal text events, for measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flood {
    /// How many events.
    pub n_events: usize,
    /// Bytes of text in each.
    pub bytes_each: usize,
    /// How many events share one HTTP chunk. 0 counts as 1.
    pub per_http_chunk: usize,
    /// Pause after each HTTP chunk; `pause_ms` in JSON.
    #[serde(default, rename = "pause_ms", with = "millis::option")]
    pub pause: Option<Duration>,
}

fn yes() -> bool {
    true
}

fn to_base64<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    STANDARD.encode(bytes).serialize(to)
}

fn from_base64<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    STANDARD
        .decode(String::deserialize(from)?)
        .map_err(de::Error::custom)
}
