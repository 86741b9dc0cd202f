//! The form of a bundle: one JSON document. `docs/operations/capture.md` explains it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The number of this form. It changes when a reader of the one before would misread a bundle; new members alone do
/// not change it.
pub const FORMAT: u32 = 1;

/// One exchange.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Bundle {
    /// [`FORMAT`].
    pub kiro_capture: u32,
    /// What wrote it.
    pub gateway: Version,
    /// What the request is called in the log.
    pub id: String,
    /// When it came, `2026-11-26T23:15:00.123Z`. All other times count from here, in milliseconds.
    pub at: String,
    /// Who asked.
    pub caller: Caller,
    /// What of the configuration an answer depends on.
    pub settings: Settings,
    /// What was asked.
    pub request: Request,
    /// What was asked of the service, in order.
    pub attempts: Vec<Attempt>,
    /// What went downstream. `None` when the client left before its head.
    pub response: Option<Response>,
    /// What became of it.
    pub outcome: Outcome,
}

/// What wrote a bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Version {
    /// Of the gateway.
    pub version: String,
    /// `linux`, `macos`, …
    pub os: String,
    /// `x86_64`, `aarch64`, …
    pub arch: String,
}

/// Who asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Caller {
    /// What their key is called.
    pub key: String,
    /// Whether they brought a credential of their own.
    pub guest: bool,
}

/// What of the configuration an answer depends on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Settings {
    /// `server.refuse_ignored`
    pub refuse_ignored: bool,
    /// `server.pass_invalid_json`
    pub pass_invalid_json: bool,
    /// `server.reasoning`
    pub reasoning: String,
    /// `upstream.max_retries`
    pub max_retries: u32,
    /// `[timeouts]`
    pub timeouts: Limits,
    /// `[models]`
    pub models: Names,
}

/// `[timeouts]`, in seconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Limits {
    /// `timeouts.first_event`
    pub first_event: f64,
    /// `timeouts.gap`
    pub gap: f64,
    /// `timeouts.total`
    pub total: f64,
    /// `timeouts.patience`
    pub patience: f64,
    /// `timeouts.keep_alive`
    pub keep_alive: f64,
    /// `timeouts.multipliers`
    pub multipliers: BTreeMap<String, f64>,
}

/// `[models]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Names {
    /// `models.aliases`
    pub aliases: BTreeMap<String, String>,
    /// `models.fallback`
    pub fallback: Option<String>,
}

/// The head of a message. Headers that could hold a secret have `***` in place of their value.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Head {
    /// Names and values, in order; in the document as lines, `name: value`.
    #[serde(with = "lines")]
    pub headers: Vec<(String, String)>,
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Request {
    /// `POST`
    pub method: String,
    /// The path, without a query.
    pub path: String,
    /// `HTTP/1.1`, `HTTP/2.0`
    pub http: String,
    /// Its headers.
    #[serde(flatten)]
    pub head: Head,
    /// Its body, decompressed. `None` when it did not come.
    pub body: Option<Body>,
}

/// A body in one piece.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Body {
    /// The bytes, or the first of them.
    #[serde(flatten)]
    pub content: Content,
    /// Bytes behind them that were not kept.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
}

/// Bytes: as text where they are one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// UTF-8.
    Text(String),
    /// Anything else.
    Base64(String),
}

/// One try at the service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Attempt {
    /// When it began.
    pub ms: f64,
    /// The wire profile: `krs`, `cli`, …
    pub profile: String,
    /// Whether it asked for a hosted tool and not for a reply of the model.
    #[serde(default)]
    pub tool: bool,
    /// What was sent. `None` when nothing was.
    pub request: Option<Asked>,
    /// What came back. `None` when nothing did.
    pub answer: Option<Answer>,
    /// Why it failed, if it did before the first event.
    pub failure: Option<String>,
}

/// What was asked of the service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Asked {
    /// `POST`
    pub method: String,
    /// The address, without a query.
    pub url: String,
    /// Its headers.
    #[serde(flatten)]
    pub head: Head,
    /// Its body. `None` when it is that of the attempt before.
    pub body: Option<Body>,
}

/// What the service answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Answer {
    /// When the head came.
    pub ms: f64,
    /// The status.
    pub status: u16,
    /// Its headers.
    #[serde(flatten)]
    pub head: Head,
    /// The body as it came, cut as the network cut it.
    pub pieces: Vec<Piece>,
    /// How it ended.
    pub ended: Ended,
    /// Bytes at its end that were not kept.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
}

/// How a body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ended {
    /// It came to its end.
    Complete,
    /// The connection broke.
    Broken,
    /// The reader left: it had enough, its time was up, or its client left.
    Left,
}

/// A piece of a body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Piece {
    /// When it came or went.
    pub ms: f64,
    /// Its bytes.
    #[serde(flatten)]
    pub content: Content,
}

/// What went downstream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Response {
    /// When its head went.
    pub ms: f64,
    /// The status.
    pub status: u16,
    /// Its headers.
    #[serde(flatten)]
    pub head: Head,
    /// The body as it was given to the connection.
    pub pieces: Vec<Piece>,
    /// How it ended.
    pub ended: Ended,
    /// Bytes at its end that were not kept.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
}

/// What became of an exchange: what its line in the log says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Outcome {
    /// `complete`, `failed`, `cancelled`
    pub ending: String,
    /// The status that went downstream.
    pub status: Option<u16>,
    /// What went wrong, if something did.
    pub error: Option<Fault>,
    /// Kiro's id of the model.
    pub model: String,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// Events of the reply.
    pub events: u64,
    /// When the first came.
    pub first_event_ms: Option<f64>,
    /// How long it took.
    pub total_ms: f64,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Fault {
    /// The kind of error, as the code calls it.
    pub kind: String,
    /// The error and its causes, as the log has them.
    pub message: String,
}

/// Headers as people read them.
mod lines {
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    type Headers = Vec<(String, String)>;

    pub(super) fn serialize<S: Serializer>(headers: &Headers, to: S) -> Result<S::Ok, S::Error> {
        let line = |(name, value): &(String, String)| format!("{name}: {value}");
        to.collect_seq(headers.iter().map(line))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Headers, D::Error> {
        let lines = Vec::<String>::deserialize(from)?.into_iter();
        let divided = lines.map(|line| {
            let (name, value) = line.split_once(": ")?;
            Some((name.to_owned(), value.to_owned()))
        });
        let divided: Option<Headers> = divided.collect();
        divided.ok_or_else(|| de::Error::custom("a header without `: `"))
    }
}

impl Bundle {
    /// The document, indented for people.
    pub fn to_json(&self) -> String {
        // Text and numbers only: this cannot fail.
        let mut json = serde_json::to_string_pretty(self).unwrap_or_default();
        json.push('\n');
        json
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
