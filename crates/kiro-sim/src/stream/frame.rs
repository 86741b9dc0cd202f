//! Frames as the service writes them.
//!
//! Headers come in the order `:event-type`, `:content-type`, `:message-type`, and members of payloads in
//! alphabetical order. Source: captures of the official CLI 2.4.1 and 2.12.2. Clients should depend on neither.

use bytes::{BufMut, Bytes, BytesMut};
use kiro_protocol::eventstream::{HeaderValue, write_frame};
use serde_json::Value;

const JSON: &str = "application/json";

/// An event with the content type that all but the first have.
pub(super) fn event(kind: &str, payload: &[u8]) -> Bytes {
    typed_event(kind, JSON, payload)
}

/// The opening frame of the RPC binding.
pub(super) fn initial_response() -> Bytes {
    let content_type = "application/x-amz-json-1.0";
    typed_event(
        "initial-response",
        content_type,
        br#"{"conversationId":""}"#,
    )
}

/// A text delta.
pub(super) fn text(content: &str, model: &str) -> Bytes {
    let payload = format!(
        r#"{{"content":{},"modelId":{}}}"#,
        quoted(content),
        quoted(model)
    );
    event("assistantResponseEvent", payload.as_bytes())
}

/// A modelled failure inside the stream.
pub(super) fn exception(kind: &str, payload: &Value) -> Bytes {
    let headers = [
        (":exception-type", kind),
        (":content-type", JSON),
        (":message-type", "exception"),
    ];
    write(&headers, payload.to_string().as_bytes())
}

/// An unmodelled failure inside the stream.
pub(super) fn error(code: &str, message: &str) -> Bytes {
    let headers = [
        (":error-code", code),
        (":error-message", message),
        (":message-type", "error"),
    ];
    write(&headers, b"")
}

/// A string as JSON.
pub(super) fn quoted(text: &str) -> Value {
    Value::from(text)
}

fn typed_event(kind: &str, content_type: &str, payload: &[u8]) -> Bytes {
    let headers = [
        (":event-type", kind),
        (":content-type", content_type),
        (":message-type", "event"),
    ];
    write(&headers, payload)
}

/// The longest value that a header's length field can say.
const MAX_VALUE: usize = u16::MAX as usize;

fn write(headers: &[(&str, &str)], payload: &[u8]) -> Bytes {
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, HeaderValue::String(cut(value))))
        .collect();
    let mut out = BytesMut::new();
    // The names above fit, the values have been cut; only a payload of 4 GiB could fail.
    if let Err(error) = write_frame(&headers, payload, &mut out) {
        tracing::error!(%error, "a scripted frame cannot be written");
    }
    out.freeze()
}

fn cut(value: &str) -> &str {
    let mut end = value.len().min(MAX_VALUE);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    &value[..end]
}

/// Turns over one bit of the message CRC.
pub(super) fn with_bad_message_crc(frame: &Bytes) -> Bytes {
    flipped(frame, frame.len() - 1)
}

/// Turns over one bit of the prelude CRC.
pub(super) fn with_bad_prelude_crc(frame: &Bytes) -> Bytes {
    flipped(frame, 8)
}

/// Replaces the total length and leaves the prelude CRC as it was.
pub(super) fn with_length(frame: &Bytes, claimed: u32) -> Bytes {
    let mut out = BytesMut::with_capacity(frame.len());
    out.put_u32(claimed);
    out.put_slice(&frame[4..]);
    out.freeze()
}

/// Replaces the total length and makes the prelude CRC fit, so that only a limit can refuse the frame.
pub(super) fn with_sound_length(frame: &Bytes, claimed: u32) -> Bytes {
    let mut out = BytesMut::with_capacity(frame.len());
    out.put_u32(claimed);
    out.put_slice(&frame[4..8]);
    out.put_u32(crc32fast::hash(&out));
    out.put_slice(&frame[12..]);
    out.freeze()
}

fn flipped(frame: &Bytes, at: usize) -> Bytes {
    let mut out = BytesMut::from(frame.as_ref());
    out[at] ^= 1;
    out.freeze()
}
