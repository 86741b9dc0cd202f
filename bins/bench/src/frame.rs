//! Frames as Kiro sends them.

use bytes::{Bytes, BytesMut};
use kiro_protocol::eventstream::{HeaderValue, write_frame};

use crate::Failure;

/// A frame with the three headers that Kiro sends.
pub(crate) fn event(event_type: &str, payload: &str) -> Result<Bytes, Failure> {
    let headers = [
        (":event-type", HeaderValue::String(event_type)),
        (":content-type", HeaderValue::String("application/json")),
        (":message-type", HeaderValue::String("event")),
    ];
    let mut out = BytesMut::new();
    write_frame(&headers, payload.as_bytes(), &mut out)?;
    Ok(out.freeze())
}
