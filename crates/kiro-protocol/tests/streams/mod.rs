//! Streams for tests, written like a transcript of the wire.
//!
//! Each test uses a part of this.

#![allow(dead_code, reason = "every test that includes this uses a part of it")]

use bytes::{Bytes, BytesMut};
use kiro_protocol::eventstream::{HeaderValue, write_frame};
use kiro_protocol::reply::{ReplyDecoder, ReplyError, ReplyEvent, ReplyOptions};

/// A frame that carries an event.
pub(crate) fn event(event_type: &str, payload: &str) -> Bytes {
    frame(
        &[
            (":event-type", event_type),
            (":content-type", "application/json"),
            (":message-type", "event"),
        ],
        payload,
    )
}

/// A frame with these headers.
pub(crate) fn frame(headers: &[(&str, &str)], payload: &str) -> Bytes {
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, HeaderValue::String(value)))
        .collect();
    let mut out = BytesMut::new();
    write_frame(&headers, payload.as_bytes(), &mut out).expect("a test frame fits its lengths");
    out.freeze()
}

/// An `assistantResponseEvent`.
pub(crate) fn text(content: &str) -> Bytes {
    event(
        "assistantResponseEvent",
        &serde_json::json!({ "content": content }).to_string(),
    )
}

/// A `toolUseEvent`; the input is a piece of JSON text.
pub(crate) fn tool_use(id: &str, name: &str, input: Option<&str>, stop: bool) -> Bytes {
    let mut payload = serde_json::json!({ "name": name, "toolUseId": id });
    if let Some(input) = input {
        payload["input"] = input.into();
    }
    if stop {
        payload["stop"] = true.into();
    }
    event("toolUseEvent", &payload.to_string())
}

/// A `metadataEvent` with a stop reason.
pub(crate) fn stop(reason: &str) -> Bytes {
    let payload = format!(r#"{{"stopReason":"{reason}"}}"#);
    event("metadataEvent", &payload)
}

/// Reads a whole reply: the events, and how it ended.
pub(crate) fn read<I>(
    options: ReplyOptions,
    segments: I,
) -> (Vec<ReplyEvent>, Result<(), ReplyError>)
where
    I: IntoIterator<Item = Bytes>,
{
    let mut reply = ReplyDecoder::with_options(options);
    let mut events = Vec::new();
    for segment in segments {
        reply.push(segment);
        if let Err(error) = drain(&mut reply, &mut events) {
            return (events, Err(error));
        }
    }
    let finished = reply.finish();
    let drained = drain(&mut reply, &mut events);
    assert_eq!(finished, drained, "the end is told twice, and differently");
    (events, finished)
}

fn drain(reply: &mut ReplyDecoder, events: &mut Vec<ReplyEvent>) -> Result<(), ReplyError> {
    while let Some(event) = reply.next_event()? {
        events.push(event);
    }
    Ok(())
}
