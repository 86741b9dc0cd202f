//! The answer as a stream of chunks.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};

use super::response::{FinishReason, Usage};
use crate::json::{Object, Text};

/// One event of a chat stream.
///
/// ```json
/// {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1763800000, "model": "m",
///  "choices": [{"index": 0, "delta": {"content": "Hel"}, "logprobs": null, "finish_reason": null}]}
/// ```
///
/// The last one, when usage was asked for:
///
/// ```json
/// {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1763800000, "model": "m",
///  "choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}}
/// ```
///
/// Clients concatenate: a role, an id or a name that is sent twice is doubled (measured with
/// openai-python, November 2026). One chunk carries one kind of payload, because some clients read one
/// kind per chunk (source: continue, `core/llm/openaiTypeConverters.ts`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct ChatCompletionChunk<'a> {
    /// Names this answer; the same in every chunk.
    pub id: Cow<'a, str>,
    /// Always `chat.completion.chunk`.
    pub object: Cow<'a, str>,
    /// Seconds since the epoch; the same in every chunk.
    pub created: u64,
    /// The model, by the name that the request gave it.
    pub model: Cow<'a, str>,
    /// What is new; empty in the chunk that tells the usage.
    pub choices: Vec<ChunkChoice<'a>>,
    /// Absent unless usage was asked for; then `Some(None)`, written as `null`, in every chunk but the
    /// last.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub usage: Option<Option<Usage>>,
}

/// What is new in one answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ChatChunkChoice"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct ChunkChoice<'a> {
    /// Which of the answers, from 0.
    pub index: u32,
    /// What is new. Always an object, if need be an empty one.
    pub delta: Delta<'a>,
    /// Log-probabilities. Written as `null` where there are none.
    pub logprobs: Option<Object<'a>>,
    /// Why it ended, in the last chunk that has a choice; `null` before.
    pub finish_reason: Option<FinishReason>,
}

/// The new part of a message.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ChatDelta"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct Delta<'a> {
    /// `assistant`, in the first chunk only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Cow<'a, str>>,
    /// More text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Text<'a>>,
    /// Extension: more of what the model thinks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_content: Option<Text<'a>>,
    /// More of a tool call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<Vec<ToolCallFragment<'a>>>,
    /// More of the one call, when the request used `functions`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function_call: Option<FunctionFragment<'a>>,
}

/// A piece of a tool call. `id`, `kind` and the name come once, in the call's first fragment.
///
/// ```json
/// {"index": 0, "id": "toolu_01A", "type": "function", "function": {"name": "get_weather", "arguments": ""}}
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ChatToolCallFragment"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct ToolCallFragment<'a> {
    /// Which of the calls, from 0 and without gaps.
    pub index: u32,
    /// The id by which the result answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Cow<'a, str>>,
    /// `function` or `custom`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Cow<'a, str>>,
    /// More of a function call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<FunctionFragment<'a>>,
    /// More of a custom tool's call. The API sends it; its schema does not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<CustomFragment<'a>>,
}

/// A piece of a function call.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ChatFunctionFragment"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct FunctionFragment<'a> {
    /// The name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Cow<'a, str>>,
    /// More of the JSON text of the arguments, cut anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Text<'a>>,
}

/// A piece of a custom tool's call.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ChatCustomFragment"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct CustomFragment<'a> {
    /// The name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Cow<'a, str>>,
    /// More of the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Text<'a>>,
}

impl<'a> ChatCompletionChunk<'a> {
    /// A chunk without a word about usage.
    pub fn new(
        id: impl Into<Cow<'a, str>>,
        created: u64,
        model: impl Into<Cow<'a, str>>,
        choices: Vec<ChunkChoice<'a>>,
    ) -> Self {
        Self {
            id: id.into(),
            object: Cow::Borrowed("chat.completion.chunk"),
            created,
            model: model.into(),
            choices,
            usage: None,
        }
    }
}

impl<'a> ChunkChoice<'a> {
    /// A part of the first answer.
    pub fn new(delta: Delta<'a>, finish_reason: Option<FinishReason>) -> Self {
        Self {
            index: 0,
            delta,
            logprobs: None,
            finish_reason,
        }
    }
}

impl<'a> ToolCallFragment<'a> {
    /// A fragment of one of the calls, with nothing in it.
    pub fn new(index: u32) -> Self {
        Self {
            index,
            id: None,
            kind: None,
            function: None,
            custom: None,
        }
    }
}

/// Tells a `null` from an absent member.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Usage>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
