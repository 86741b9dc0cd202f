//! The answer as a stream of events.

use serde::Serialize;

use super::response::{OutputItem, Part, Response};
use crate::error::ErrorObject;
use crate::json::Text;

/// One event of a stream, except for the many that are a piece of text.
///
/// ```text
/// event: response.output_text.done
/// data: {"type":"response.output_text.done","sequence_number":7,"output_index":0,"item_id":"msg_1",
///        "content_index":0,"text":"Hello","logprobs":[]}
/// ```
#[derive(Debug, Clone, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ResponsesEvent"))]
pub struct Event<'a> {
    /// What happened; the same word as in the line before.
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// From 0 and without gaps.
    pub sequence_number: u64,
    /// The response so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<Response<'a>>,
    /// Which item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_index: Option<usize>,
    /// The item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<OutputItem<'a>>,
    /// The item's id, where the item is not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item_id: Option<&'a str>,
    /// Which part of a message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_index: Option<usize>,
    /// Which part of the thoughts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary_index: Option<usize>,
    /// The part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<&'a Part<'a>>,
    /// All of a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<&'a Text<'a>>,
    /// Always empty, and only beside text for the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<[(); 0]>,
    /// The function that is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    /// All of its arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<&'a Text<'a>>,
    /// All of a custom tool's input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<&'a Text<'a>>,
    /// What went wrong, in the members that the schema has and in the object that the SDKs look for.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure<'a>>,
}

/// What went wrong, twice: openai-python and openai-node raise on the inner object only, and strict
/// clients cannot read an event without the outer members (measured, November 2026).
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ResponsesFailure"))]
pub struct Failure<'a> {
    /// A word for programs.
    pub code: Option<&'a str>,
    /// A text for a person.
    pub message: &'a str,
    /// The part of the request that is at fault.
    pub param: Option<&'a str>,
    /// The same once more.
    pub error: &'a ErrorObject,
}
