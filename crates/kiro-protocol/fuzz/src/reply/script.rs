//! What an input says.

use std::collections::HashMap;

use arbitrary::{Arbitrary, Unstructured};
use bytes::BytesMut;
use kiro_protocol::Generation;
use kiro_protocol::eventstream::{HeaderValue, write_frame};
use kiro_protocol::reply::ReplyOptions;
use kiro_protocol::request::ToolNames;

use super::event::Event;

/// The first byte of an input.
///
/// | bits | meaning |
/// | --- | --- |
/// | 0–1 | generation: REST, CLI, else the newest |
/// | 2 | thinking tags |
/// | 3 | next to nothing may be held back |
/// | 4 | the events are structure, not lines |
/// | 5 | the tool `f` was renamed |
#[derive(Debug, Clone, Copy)]
pub(super) struct Options(pub(super) u8);

impl Options {
    pub(super) fn thinking_tags(self) -> bool {
        self.0 & 4 != 0
    }

    pub(super) fn tool_names(self) -> ToolNames {
        let renamed = (self.0 & 32 != 0).then(|| ("f".to_owned(), "files.read".to_owned()));
        ToolNames::new(renamed)
    }

    pub(super) fn reply(self) -> ReplyOptions {
        let mut options = ReplyOptions::new(match self.0 & 3 {
            0 => Generation::Rest,
            1 => Generation::Cli,
            _ => Generation::Krs,
        });
        options.thinking_tags = self.thinking_tags();
        options.tool_names = self.tool_names();
        if self.is_tight() {
            options.max_held_bytes = 400;
        }
        options
    }

    /// Whether a few bytes are too much to hold back.
    pub(super) fn is_tight(self) -> bool {
        self.0 & 8 != 0
    }

    pub(super) fn frames(self, events: &[u8]) -> Vec<Frame> {
        if self.0 & 16 == 0 {
            let lines = events.split(|byte| *byte == b'\n');
            return lines.map(Frame::of_line).collect();
        }
        let events = Vec::<Event<'_>>::arbitrary_take_rest(Unstructured::new(events));
        events.into_iter().flatten().map(Event::frame).collect()
    }
}

/// A frame to be written.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    headers: Vec<(&'static str, String)>,
    pub(super) payload: Vec<u8>,
}

impl Frame {
    pub(super) fn event(event_type: &str, payload: impl Into<Vec<u8>>) -> Self {
        let headers = vec![
            (":event-type", event_type.to_owned()),
            (":content-type", "application/json".to_owned()),
            (":message-type", "event".to_owned()),
        ];
        Self {
            headers,
            payload: payload.into(),
        }
    }

    pub(super) fn exception(name: &str, payload: impl Into<Vec<u8>>) -> Self {
        let headers = vec![
            (":exception-type", name.to_owned()),
            (":message-type", "exception".to_owned()),
        ];
        Self {
            headers,
            payload: payload.into(),
        }
    }

    pub(super) fn error(code: &str, message: &str) -> Self {
        let headers = vec![
            (":error-code", code.to_owned()),
            (":error-message", message.to_owned()),
            (":message-type", "error".to_owned()),
        ];
        Self {
            headers,
            payload: Vec::new(),
        }
    }

    /// Line breaks inside a payload are written as vertical tabs.
    fn of_line(line: &[u8]) -> Self {
        let space = line.iter().position(|byte| *byte == b' ');
        let (name, rest) = line.split_at(space.unwrap_or(line.len()));
        let name = String::from_utf8_lossy(name);
        let rest = rest.get(1..).unwrap_or_default();
        let payload: Vec<u8> = rest
            .iter()
            .map(|byte| if *byte == 0x0b { b'\n' } else { *byte })
            .collect();
        match name.as_bytes().first() {
            Some(b'!') => Self::exception(&name[1..], payload),
            Some(b'?') => Self::error(&name[1..], &String::from_utf8_lossy(&payload)),
            Some(b'=') => Self {
                headers: vec![(":message-type", name[1..].to_owned())],
                payload,
            },
            _ => Self::event(&name, payload),
        }
    }

    /// An `assistantResponseEvent` for every character of this one; other frames as they are.
    pub(super) fn divided(&self) -> Vec<Self> {
        let text = |payload: &HashMap<String, String>| payload.get("content").cloned();
        let payload = serde_json::from_slice(&self.payload).ok();
        let content = payload.as_ref().and_then(text).unwrap_or_default();
        if self.event_type() != Some("assistantResponseEvent") || content.is_empty() {
            return vec![self.clone()];
        }
        let event = |character: char| {
            let payload = serde_json::json!({ "content": character }).to_string();
            Self::event("assistantResponseEvent", payload)
        };
        content.chars().map(event).collect()
    }

    /// The type of an event, `None` for exceptions and the like.
    pub(super) fn event_type(&self) -> Option<&str> {
        match &self.headers[..] {
            [(":event-type", event_type), ..] => Some(event_type),
            _ => None,
        }
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        let headers = self.headers.iter();
        let headers: Vec<_> = headers
            .map(|(name, value)| (*name, HeaderValue::String(value)))
            .collect();
        // Fails for a value of more than 64 KiB, which then is not sent.
        let _ = write_frame(&headers, &self.payload, out);
    }
}
