//! Events as structure.

use std::fmt::Write as _;

use arbitrary::Arbitrary;
use kiro_protocol::event::KiroEvent;
use kiro_protocol::text::escape_into;

use super::script::Frame;

#[derive(Debug, Arbitrary)]
pub(super) enum Event<'a> {
    Text(Vec<Piece<'a>>),
    /// With the model's name.
    TextOf(Vec<Piece<'a>>, &'a str),
    Reasoning {
        text: Option<Vec<Piece<'a>>>,
        signature: Option<Vec<Piece<'a>>>,
        redacted: Option<Vec<Piece<'a>>>,
    },
    Tool {
        id: u8,
        name: Name,
        input: Option<Input<'a>>,
        stop: bool,
    },
    Stop(u8),
    Metering(Option<f64>, bool),
    ContextUsage(f64),
    Tokens(i32, u64),
    Exception(u8, &'a str),
    Error(u8, &'a str),
    /// Any of the known events, with any payload.
    Known(u8, &'a [u8]),
    Unknown(&'a str, &'a [u8]),
}

/// A piece of the inside of a JSON string.
#[derive(Debug, Arbitrary)]
pub(super) enum Piece<'a> {
    Plain(&'a str),
    /// Not checked: may break the payload.
    Raw(&'a str),
    High(u16),
    Low(u16),
    Known(u8),
}

#[derive(Debug, Arbitrary)]
pub(super) enum Name {
    Renamed,
    Plain,
    Empty,
    Missing,
}

#[derive(Debug, Arbitrary)]
pub(super) enum Input<'a> {
    /// A piece of JSON text.
    Head,
    Body(Vec<Piece<'a>>),
    Tail,
    Piece(Vec<Piece<'a>>),
    /// All of an object as text, with white space around it.
    Text(&'a str, u8),
    Object(&'a str),
    Value(u8),
}

const PIECES: [&str; 20] = [
    "<thinking>",
    "</thinking>",
    "<think",
    "ing>",
    "</think",
    "<think>",
    "</think>",
    "<thought>",
    "<",
    "`",
    "```",
    "\\n",
    "\\n```\\n",
    " ",
    "\\u003c",
    "\\\"",
    "\\\\",
    "\\u2028",
    "\u{2028}",
    "\\ud83d\\ude00",
];

const STOPS: [&str; 10] = [
    "END_TURN",
    "TOOL_USE",
    "MAX_TOKENS",
    "MODEL_CONTEXT_WINDOW_EXCEEDED",
    "CONTENT_FILTERED",
    "GUARDRAIL_INTERVENED",
    "STOP_SEQUENCE",
    "PAUSE_TURN",
    "end_turn",
    "SOMETHING_NEW",
];

const EXCEPTIONS: [&str; 6] = [
    "ThrottlingException",
    "ContentLengthExceededException",
    "ValidationException",
    "InternalServerException",
    "throttlingError",
    "SomethingNew",
];

const VALUES: [&str; 8] = [
    "{}",
    "null",
    "[]",
    "[1]",
    "\"\"",
    "1e3",
    "{\"a\":{}}",
    "{\"a\":\"\\ud83d\"}",
];

impl Event<'_> {
    pub(super) fn frame(self) -> Frame {
        match self {
            Self::Text(text) => {
                let payload = format!(r#"{{"content":"{}"}}"#, joined(&text));
                Frame::event("assistantResponseEvent", payload)
            }
            Self::TextOf(text, model) => {
                let (text, model) = (joined(&text), escaped(model));
                let payload = format!(r#"{{"content":"{text}","modelId":"{model}"}}"#);
                Frame::event("assistantResponseEvent", payload)
            }
            Self::Reasoning {
                text,
                signature,
                redacted,
            } => {
                let members = [
                    ("text", text),
                    ("signature", signature),
                    ("redactedContent", redacted),
                ];
                let members = members.iter().filter_map(|(name, value)| {
                    Some(format!(r#""{name}":"{}""#, joined(value.as_ref()?)))
                });
                let members: Vec<_> = members.collect();
                Frame::event(
                    "reasoningContentEvent",
                    format!("{{{}}}", members.join(",")),
                )
            }
            Self::Tool {
                id,
                name,
                input,
                stop,
            } => Frame::event("toolUseEvent", tool(id, &name, input, stop)),
            Self::Stop(reason) => {
                let reason = pick(&STOPS, reason);
                Frame::event("metadataEvent", format!(r#"{{"stopReason":"{reason}"}}"#))
            }
            Self::Metering(usage, known) => {
                let unit = if known { "credit" } else { "other" };
                // A number that is none is written as `null`.
                let usage = serde_json::Value::from(usage);
                Frame::event(
                    "meteringEvent",
                    format!(r#"{{"unit":"{unit}","usage":{usage}}}"#),
                )
            }
            Self::ContextUsage(percentage) => {
                let percentage = serde_json::Value::from(percentage);
                Frame::event(
                    "contextUsageEvent",
                    format!(r#"{{"contextUsagePercentage":{percentage}}}"#),
                )
            }
            Self::Tokens(input, output) => {
                let counts =
                    format!(r#"{{"uncachedInputTokens":{input},"outputTokens":{output}}}"#);
                Frame::event("metadataEvent", format!(r#"{{"tokenUsage":{counts}}}"#))
            }
            Self::Exception(name, message) => {
                let payload = format!(r#"{{"message":"{}"}}"#, escaped(message));
                Frame::exception(pick(&EXCEPTIONS, name), payload)
            }
            Self::Error(code, message) => Frame::error(pick(&EXCEPTIONS, code), message),
            Self::Known(event, payload) => Frame::event(pick(KiroEvent::TYPES, event), payload),
            Self::Unknown(event, payload) => Frame::event(event, payload),
        }
    }
}

/// Few ids, so that fragments meet.
fn tool(id: u8, name: &Name, input: Option<Input<'_>>, stop: bool) -> String {
    let mut out = format!(r#"{{"toolUseId":"t{}""#, id % 5);
    out += match name {
        Name::Renamed => r#","name":"f""#,
        Name::Plain => r#","name":"g""#,
        Name::Empty => r#","name":"""#,
        Name::Missing => "",
    };
    if let Some(input) = input {
        // Writing to a string cannot fail.
        let _ = write!(out, r#","input":{}"#, input.json());
    }
    if stop {
        out += r#","stop":true"#;
    }
    out + "}"
}

impl Input<'_> {
    fn json(&self) -> String {
        let text = |inside: String| format!("\"{inside}\"");
        match self {
            Self::Head => text(r#"{\"k\":\""#.to_owned()),
            // Inside the string of a string.
            Self::Body(pieces) => text(
                joined(pieces)
                    .replace('\\', "\\\\")
                    .replace("\\\\ud", "\\ud"),
            ),
            Self::Tail => text(r#"\"}"#.to_owned()),
            Self::Piece(pieces) => text(joined(pieces)),
            Self::Text(value, spaces) => {
                let spaces = " ".repeat(usize::from(spaces % 3));
                let object = serde_json::json!({ "k": value }).to_string();
                text(escaped(&format!("{spaces}{object}{spaces}")))
            }
            Self::Object(value) => serde_json::json!({ "k": value }).to_string(),
            Self::Value(value) => pick(&VALUES, *value).to_owned(),
        }
    }
}

fn joined(pieces: &[Piece<'_>]) -> String {
    let mut out = String::new();
    for piece in pieces {
        match piece {
            Piece::Plain(text) => escape_into(text, &mut out),
            Piece::Raw(text) => out += text,
            Piece::High(half) => out += &format!("\\u{:04x}", 0xd800 | half & 0x3ff),
            Piece::Low(half) => out += &format!("\\u{:04x}", 0xdc00 | half & 0x3ff),
            Piece::Known(index) => out += pick(&PIECES, *index),
        }
    }
    out
}

fn escaped(plain: &str) -> String {
    let mut out = String::new();
    escape_into(plain, &mut out);
    out
}

fn pick<'t>(from: &[&'t str], index: u8) -> &'t str {
    from[usize::from(index) % from.len()]
}
