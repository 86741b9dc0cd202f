//! What a stream is made of.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::error::ErrorObject;
use crate::json::Text;
use crate::response::{ContentBlock, Message, StopReason, Usage};

/// One event of a stream: the JSON of its `data:` line. Its `event:` line repeats `kind`.
///
/// ```text
/// message_start         message
/// ping
/// content_block_start   index, content_block
/// content_block_delta   index, delta
/// content_block_stop    index
/// message_delta         delta, usage
/// message_stop
/// error                 error, request_id
/// ```
///
/// A stream is `message_start`, the blocks one after the other, `message_delta`, `message_stop`; a ping
/// may stand anywhere, and an error ends it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "MessagesEvent"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct Event<'a> {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: Cow<'a, str>,
    /// The message as it begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Message<'a>>,
    /// Which block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// The block as it begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_block: Option<ContentBlock<'a>>,
    /// What is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta: Option<EventDelta<'a>>,
    /// What was consumed so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage<'a>>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorObject>,
    /// The name of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Cow<'a, str>>,
}

/// What is new in a block, or, without a `kind`, in the message.
///
/// ```json
/// {"type": "text_delta", "text": "Hel"}
/// {"type": "thinking_delta", "thinking": "Let me "}
/// {"type": "signature_delta", "signature": "EqoB"}
/// {"type": "input_json_delta", "partial_json": "{\"city\":"}
/// {"stop_reason": "end_turn", "stop_sequence": null}
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "MessagesEventDelta"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct EventDelta<'a> {
    /// What it is.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<Cow<'a, str>>,
    /// More text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<Text<'a>>,
    /// More thoughts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking: Option<Text<'a>>,
    /// The whole signature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<Text<'a>>,
    /// More of the JSON of a tool's arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partial_json: Option<Text<'a>>,
    /// Why the message ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<StopReason>,
    /// The stop sequence that ended the message. `Some(None)` is written as `null`.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub stop_sequence: Option<Option<Cow<'a, str>>>,
}

impl<'a> Event<'a> {
    /// `message_start`
    pub fn message_start(message: Message<'a>) -> Self {
        Self {
            message: Some(message),
            ..Self::of_kind("message_start")
        }
    }

    /// `content_block_start`
    pub fn block_start(index: u32, block: ContentBlock<'a>) -> Self {
        Self {
            index: Some(index),
            content_block: Some(block),
            ..Self::of_kind("content_block_start")
        }
    }

    /// `content_block_stop`
    pub fn block_stop(index: u32) -> Self {
        Self {
            index: Some(index),
            ..Self::of_kind("content_block_stop")
        }
    }

    /// `message_delta`
    pub fn message_delta(reason: StopReason, sequence: Option<&'a str>, usage: Usage<'a>) -> Self {
        Self {
            delta: Some(EventDelta {
                stop_reason: Some(reason),
                stop_sequence: Some(sequence.map(Cow::Borrowed)),
                ..EventDelta::default()
            }),
            usage: Some(usage),
            ..Self::of_kind("message_delta")
        }
    }

    fn of_kind(kind: &'static str) -> Self {
        Self {
            kind: Cow::Borrowed(kind),
            ..Self::default()
        }
    }
}

/// Tells `null` from a member that is not there.
fn present<'de: 'a, 'a, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<Cow<'a, str>>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
