//! Frames to events.

use bytes::Bytes;
use bytestring::ByteString;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{
    AssistantResponse, EventError, FollowupPrompt, KiroEvent, PayloadFault, ReasoningContent,
    TextPiece, ToolInput, ToolResult, ToolUseFragment, WebLink,
};
use crate::eventstream::Frame;
use crate::fault::Fault;
use crate::text::JsonText;

impl KiroEvent {
    /// Types the payload of a frame. Text stays a slice of the frame.
    ///
    /// # Errors
    ///
    /// [`EventError`] when a header is missing, the message type is none of the three, or the payload of
    /// a known event does not have its shape.
    pub fn decode(frame: &Frame) -> Result<Self, EventError> {
        let headers = Headers::read(frame);
        match headers.message_type.ok_or(missing(":message-type"))? {
            b"event" => {
                let event_type = headers.event_type.ok_or(missing(":event-type"))?;
                decode_event(event_type, frame)
            }
            b"exception" => {
                let name = headers.exception_type.ok_or(missing(":exception-type"))?;
                let name = String::from_utf8_lossy(name);
                let fault = Fault::from_exception(&name, frame.payload_bytes());
                Ok(Self::Fault(Box::new(fault)))
            }
            b"error" => {
                let code = frame.string_header(":error-code").unwrap_or_default();
                let message = frame.string_header(":error-message").unwrap_or_default();
                Ok(Self::Fault(Box::new(Fault::from_error(code, message))))
            }
            other => Err(EventError::UnknownMessageType {
                message_type: String::from_utf8_lossy(other).chars().take(64).collect(),
            }),
        }
    }
}

/// The headers that say what a frame is, found in one walk.
#[derive(Default)]
struct Headers<'a> {
    message_type: Option<&'a [u8]>,
    event_type: Option<&'a [u8]>,
    exception_type: Option<&'a [u8]>,
}

impl<'a> Headers<'a> {
    /// The first of each name counts.
    fn read(frame: &'a Frame) -> Self {
        let mut headers = Self::default();
        for (name, value) in frame.string_bytes() {
            let place = match name {
                b":message-type" => &mut headers.message_type,
                b":event-type" => &mut headers.event_type,
                b":exception-type" => &mut headers.exception_type,
                _ => continue,
            };
            place.get_or_insert(value);
        }
        headers
    }
}

fn missing(name: &'static str) -> EventError {
    EventError::MissingHeader { name }
}

fn decode_event(event_type: &[u8], frame: &Frame) -> Result<KiroEvent, EventError> {
    // Text is nine events out of ten, so its two usual shapes are sliced out of the frame without a parse.
    if event_type == b"assistantResponseEvent"
        && let Some(event) = scan_assistant_response(frame)
    {
        return Ok(KiroEvent::AssistantResponse(event));
    }
    let payload = frame.payload();
    let event = match event_type {
        b"assistantResponseEvent" => KiroEvent::AssistantResponse(assistant_response(&payload)?),
        b"toolUseEvent" => KiroEvent::ToolUse(tool_use(&payload)?),
        b"reasoningContentEvent" => KiroEvent::ReasoningContent(reasoning_content(&payload)?),
        b"initial-response" => KiroEvent::InitialResponse(parse("initial-response", &payload)?),
        b"metadataEvent" => KiroEvent::Metadata(Box::new(parse("metadataEvent", &payload)?)),
        b"contextUsageEvent" => KiroEvent::ContextUsage(parse("contextUsageEvent", &payload)?),
        b"meteringEvent" => KiroEvent::Metering(parse("meteringEvent", &payload)?),
        b"messageMetadataEvent" => {
            KiroEvent::MessageMetadata(parse("messageMetadataEvent", &payload)?)
        }
        b"codeReferenceEvent" => KiroEvent::CodeReference(parse("codeReferenceEvent", &payload)?),
        b"citationEvent" => KiroEvent::Citation(parse("citationEvent", &payload)?),
        b"documentCitationEvent" => KiroEvent::Citation(parse("documentCitationEvent", &payload)?),
        b"invalidStateEvent" => KiroEvent::InvalidState(parse("invalidStateEvent", &payload)?),
        b"intentsEvent" => KiroEvent::Intents(parse("intentsEvent", &payload)?),
        b"interactionComponentsEvent" => {
            KiroEvent::InteractionComponents(parse("interactionComponentsEvent", &payload)?)
        }
        b"dryRunSucceedEvent" => KiroEvent::DryRunSucceeded,
        b"codeEvent" => KiroEvent::Code(code(&payload)?),
        b"toolResultEvent" => KiroEvent::ToolResult(tool_result(&payload)?),
        b"supplementaryWebLinksEvent" => KiroEvent::SupplementaryWebLinks(web_links(&payload)?),
        b"followupPromptEvent" => KiroEvent::FollowupPrompt(followup_prompt(&payload)?),
        unknown => KiroEvent::Unknown {
            event_type: ByteString::from(&*String::from_utf8_lossy(unknown)),
            payload,
        },
    };
    Ok(event)
}

/// Reads `{"content":"…"}` and `{"content":"…","modelId":"…"}` exactly as the service writes them; `None`
/// for everything else, which is then parsed.
fn scan_assistant_response(frame: &Frame) -> Option<AssistantResponse> {
    const CONTENT: &[u8] = br#"{"content":""#;
    const MODEL: &[u8] = br#"","modelId":""#;
    let payload = frame.payload_bytes();
    let rest = payload.strip_prefix(CONTENT)?;
    let content_end = CONTENT.len() + string_length(rest)?;
    let mut end = content_end;
    let mut model_id = None;
    if let Some(rest) = payload[content_end..].strip_prefix(MODEL) {
        let start = content_end + MODEL.len();
        end = start + memchr::memchr2(b'"', b'\\', rest)?;
        model_id = Some(JsonText::from_escaped(frame.payload_slice(start..end)).ok()?);
    }
    if &payload[end..] != br#""}"# {
        return None;
    }
    let content = TextPiece::from_escaped(frame.payload_slice(CONTENT.len()..content_end)).ok()?;
    Some(AssistantResponse { content, model_id })
}

/// The length of the JSON string that `text` is in, up to its closing quote.
fn string_length(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

fn assistant_response(payload: &Bytes) -> Result<AssistantResponse, EventError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire<'a> {
        #[serde(borrow)]
        content: Option<&'a RawValue>,
        #[serde(borrow, default)]
        model_id: Option<&'a RawValue>,
    }

    const EVENT: &str = "assistantResponseEvent";
    let wire: Wire<'_> = parse(EVENT, payload)?;
    Ok(AssistantResponse {
        content: optional(EVENT, payload, wire.content, text_piece)?.unwrap_or_default(),
        model_id: optional(EVENT, payload, wire.model_id, json_text)?,
    })
}

fn reasoning_content(payload: &Bytes) -> Result<ReasoningContent, EventError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire<'a> {
        #[serde(borrow, default)]
        text: Option<&'a RawValue>,
        #[serde(borrow, default)]
        signature: Option<&'a RawValue>,
        #[serde(borrow, default)]
        redacted_content: Option<&'a RawValue>,
    }

    const EVENT: &str = "reasoningContentEvent";
    let wire: Wire<'_> = parse(EVENT, payload)?;
    Ok(ReasoningContent {
        text: optional(EVENT, payload, wire.text, text_piece)?,
        signature: optional(EVENT, payload, wire.signature, text_piece)?,
        redacted: optional(EVENT, payload, wire.redacted_content, text_piece)?,
    })
}

fn tool_use(payload: &Bytes) -> Result<ToolUseFragment, EventError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire<'a> {
        #[serde(borrow)]
        tool_use_id: &'a RawValue,
        #[serde(borrow, default)]
        name: Option<&'a RawValue>,
        #[serde(borrow, default)]
        input: Option<&'a RawValue>,
        #[serde(default)]
        stop: Option<bool>,
    }

    const EVENT: &str = "toolUseEvent";
    let wire: Wire<'_> = parse(EVENT, payload)?;
    Ok(ToolUseFragment {
        id: json_text(EVENT, payload, wire.tool_use_id)?,
        name: optional(EVENT, payload, wire.name, json_text)?,
        input: optional(EVENT, payload, wire.input, tool_input)?,
        stop: wire.stop.unwrap_or_default(),
    })
}

fn tool_input(
    event_type: &'static str,
    payload: &Bytes,
    raw: &RawValue,
) -> Result<ToolInput, EventError> {
    if raw.get().starts_with('"') {
        return text_piece(event_type, payload, raw).map(ToolInput::Piece);
    }
    Ok(ToolInput::Whole(ByteString::from(raw.get())))
}

fn code(payload: &Bytes) -> Result<TextPiece, EventError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow, default)]
        content: Option<&'a RawValue>,
    }
    const EVENT: &str = "codeEvent";
    let wire: Wire<'_> = parse(EVENT, payload)?;
    Ok(optional(EVENT, payload, wire.content, text_piece)?.unwrap_or_default())
}

fn tool_result(payload: &Bytes) -> Result<ToolResult, EventError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire {
        tool_result: ToolResult,
    }
    parse::<Wire>("toolResultEvent", payload).map(|wire| wire.tool_result)
}

fn web_links(payload: &Bytes) -> Result<Vec<WebLink>, EventError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire {
        #[serde(default, deserialize_with = "list")]
        supplementary_web_links: Vec<WebLink>,
    }
    parse::<Wire>("supplementaryWebLinksEvent", payload).map(|wire| wire.supplementary_web_links)
}

fn followup_prompt(payload: &Bytes) -> Result<FollowupPrompt, EventError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire {
        followup_prompt: FollowupPrompt,
    }
    parse::<Wire>("followupPromptEvent", payload).map(|wire| wire.followup_prompt)
}

fn parse<'a, T: Deserialize<'a>>(
    event_type: &'static str,
    payload: &'a Bytes,
) -> Result<T, EventError> {
    // serde would take a list for an object and count its members off.
    let start = payload.iter().position(|byte| !byte.is_ascii_whitespace());
    if let Some(offset) = start.filter(|at| payload[*at] == b'[') {
        return Err(EventError::Payload {
            event_type,
            offset,
            fault: PayloadFault::WrongShape,
        });
    }
    serde_json::from_slice(payload).map_err(|error| EventError::Payload {
        event_type,
        offset: offset_of(&error, payload),
        fault: match error.classify() {
            serde_json::error::Category::Data => PayloadFault::WrongShape,
            serde_json::error::Category::Eof => PayloadFault::Incomplete,
            _ => PayloadFault::NotJson,
        },
    })
}

/// serde_json counts lines from 1 and bytes in the line.
fn offset_of(error: &serde_json::Error, payload: &[u8]) -> usize {
    let lines = payload.split_inclusive(|byte| *byte == b'\n');
    let before: usize = lines
        .take(error.line().saturating_sub(1))
        .map(<[u8]>::len)
        .sum();
    before + error.column()
}

/// A member that may be missing or `null`.
fn optional<T>(
    event_type: &'static str,
    payload: &Bytes,
    raw: Option<&RawValue>,
    read: impl FnOnce(&'static str, &Bytes, &RawValue) -> Result<T, EventError>,
) -> Result<Option<T>, EventError> {
    raw.map(|raw| read(event_type, payload, raw)).transpose()
}

fn text_piece(
    event_type: &'static str,
    payload: &Bytes,
    raw: &RawValue,
) -> Result<TextPiece, EventError> {
    inside(payload, raw)
        .and_then(|inside| TextPiece::from_escaped(inside).ok())
        .ok_or_else(|| wrong_shape(event_type, payload, raw))
}

fn json_text(
    event_type: &'static str,
    payload: &Bytes,
    raw: &RawValue,
) -> Result<JsonText, EventError> {
    inside(payload, raw)
        .and_then(|inside| JsonText::from_escaped(inside).ok())
        .ok_or_else(|| wrong_shape(event_type, payload, raw))
}

/// The inside of a JSON string, as a slice of the payload it was read from.
fn inside(payload: &Bytes, raw: &RawValue) -> Option<Bytes> {
    let inside = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    Some(payload.slice_ref(inside.as_bytes()))
}

fn wrong_shape(event_type: &'static str, payload: &Bytes, raw: &RawValue) -> EventError {
    EventError::Payload {
        event_type,
        offset: (raw.get().as_ptr() as usize).saturating_sub(payload.as_ptr() as usize),
        fault: PayloadFault::WrongShape,
    }
}

/// A number that may be missing, `null`, or a whole number where a fraction is usual.
pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    Option::deserialize(deserializer)
}

/// A count that may be missing, `null`, or written as a fraction.
pub(super) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let value: Option<f64> = Option::deserialize(deserializer)?;
    match value {
        Some(value) if value < 0.0 => Err(D::Error::custom("a negative count")),
        // Saturates; above 2^53 it rounds, which no count of tokens reaches.
        other => Ok(other.map(|value| value as u64)),
    }
}

/// A list that may be missing or `null`.
pub(super) fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_types_is_complete() {
        let source = include_str!("decode.rs");
        let (_, arms) = source.split_once("let event = match event_type {").unwrap();
        let (arms, _) = arms.split_once("unknown =>").unwrap();
        let arms = arms.lines().filter_map(|line| {
            let (name, _) = line.trim().strip_prefix("b\"")?.split_once("\" =>")?;
            Some(name)
        });
        assert_eq!(arms.collect::<Vec<_>>(), KiroEvent::TYPES);
    }
}
