//! What is done so many times: the request, and the answer of the service.

use bytes::Bytes;
use serde_json::json;

use super::upstream::Pieces;
use crate::Failure;
use crate::conversation;
use crate::frame::event;
use crate::text;

/// One kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// Events of one stream, each in a write of its own, as a model gives them out.
    EventAlone,
    /// Events of one stream, sixteen in a write, as they come when somebody was slow.
    EventsTogether,
    /// Small requests with an answer of one event.
    SmallRequest,
    /// Requests of an agent in the middle of its work, some 400 kB: 200 messages and 60 tools.
    AgentRequest,
    /// Keys that are looked at, and nothing else.
    KeyCheck,
}

/// Events in a write of [`Work::EventsTogether`].
const TOGETHER: usize = 16;

impl Work {
    pub(super) const ALL: [Self; 5] = [
        Self::EventAlone,
        Self::EventsTogether,
        Self::SmallRequest,
        Self::AgentRequest,
        Self::KeyCheck,
    ];

    pub(super) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|work| work.name() == name)
    }

    /// A name for the command line and for figures.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::EventAlone => "event_alone",
            Self::EventsTogether => "event_of_16",
            Self::SmallRequest => "small_request",
            Self::AgentRequest => "agent_request",
            Self::KeyCheck => "key_check",
        }
    }

    pub(super) fn unit(self) -> &'static str {
        match self {
            Self::EventAlone | Self::EventsTogether => "instructions/event",
            _ => "instructions/request",
        }
    }

    /// How often it is done in the shorter of two runs. The longer one has eleven times as many.
    pub(super) fn times(self) -> usize {
        match self {
            Self::EventAlone | Self::EventsTogether => 320,
            Self::SmallRequest | Self::KeyCheck => 40,
            Self::AgentRequest => 2,
        }
    }

    /// Requests and events in each answer, for so many times.
    pub(super) fn plan(self, times: usize) -> (usize, usize) {
        match self {
            Self::EventAlone | Self::EventsTogether => (1, times),
            _ => (times, 1),
        }
    }

    /// The body of the request. None for a look at the key.
    pub(super) fn body(self) -> Option<Bytes> {
        let body = match self {
            Self::KeyCheck => return None,
            Self::AgentRequest => conversation::agent("Go on."),
            _ => conversation::request(Vec::new(), Vec::new(), "Hello."),
        };
        Some(body.to_string().into())
    }

    /// The answer of the service with so many events, as HTTP/1.1 has it.
    pub(super) fn answer(self, events: usize) -> Result<Pieces, Failure> {
        let together = match self {
            Self::EventAlone => 1,
            _ => TOGETHER,
        };
        let mut pieces = vec![Bytes::from_static(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\ntransfer-encoding: chunked\r\n\r\n",
        )];
        // Each word once, however many events: what it takes to make them is no part of what is counted.
        let words = text::words().into_iter().map(said);
        let words: Vec<Bytes> = words.collect::<Result<_, _>>()?;
        let told: Vec<Bytes> = words.into_iter().cycle().take(events).collect();
        pieces.extend(told.chunks(together).map(|some| match some {
            [one] => one.clone(),
            more => more.concat().into(),
        }));
        let mut end = Vec::new();
        // As the service ends: how full the context is, what it cost, and why it ended.
        for (kind, payload) in [
            ("contextUsageEvent", r#"{"contextUsagePercentage":12.5}"#),
            (
                "meteringEvent",
                r#"{"unit":"credit","unitPlural":"credits","usage":0.02}"#,
            ),
            ("metadataEvent", r#"{"stopReason":"END_TURN"}"#),
        ] {
            chunk(&event(kind, payload)?, &mut end);
        }
        end.extend_from_slice(b"0\r\n\r\n");
        pieces.push(end.into());
        Ok(pieces.into())
    }
}

/// The text of so many events.
#[cfg(test)]
pub(super) fn text_of(events: usize) -> String {
    text::words().into_iter().cycle().take(events).collect()
}

/// One event, as a chunk of HTTP.
fn said(word: &str) -> Result<Bytes, Failure> {
    let payload = json!({"content": word, "modelId": "claude-sonnet-4.5"});
    let frame = event("assistantResponseEvent", &payload.to_string())?;
    let mut out = Vec::new();
    chunk(&frame, &mut out);
    Ok(out.into())
}

fn chunk(data: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}
