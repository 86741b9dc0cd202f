//! The answer as one document, and what is told of kept ones.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::json::{Object, Text};

/// The answer to a request without `stream`, and the `response` of the events that begin and end a stream.
///
/// The members are those that the official schema requires and those that clients read. `usage` is absent
/// while it is not known, not `null`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Response<'a> {
    /// `resp_…`
    pub id: &'a str,
    /// Always `response`.
    pub object: &'a str,
    /// Seconds since the epoch. An integer: strict clients read no other.
    pub created_at: u64,
    /// `in_progress`, `completed`, `incomplete` or `failed`.
    pub status: &'a str,
    /// When it was complete.
    pub completed_at: Option<u64>,
    /// Always `false`.
    pub background: bool,
    /// Why it failed.
    pub error: Option<ResponseError<'a>>,
    /// Why it is not complete.
    pub incomplete_details: Option<IncompleteDetails<'a>>,
    /// As in the request.
    pub instructions: Option<&'a Text<'static>>,
    /// As in the request.
    pub max_output_tokens: Option<i64>,
    /// Always `null`.
    pub max_tool_calls: Option<i64>,
    /// The model, by the name that the request gave it.
    pub model: &'a str,
    /// The items so far, as JSON.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<OutputItem<'_>>"))]
    pub output: &'a [Box<RawValue>],
    /// As in the request.
    pub parallel_tool_calls: bool,
    /// As in the request.
    pub previous_response_id: Option<&'a str>,
    /// As in the request.
    pub reasoning: ShownReasoning<'a>,
    /// Always `default`.
    pub service_tier: &'a str,
    /// Whether it is kept.
    pub store: bool,
    /// Always 1.
    pub temperature: f64,
    /// As in the request.
    pub text: ShownText<'a>,
    /// As in the request.
    pub tool_choice: &'a RawValue,
    /// Always empty: clients know what they sent.
    pub tools: [(); 0],
    /// Always 1.
    pub top_p: f64,
    /// Always `disabled`.
    pub truncation: &'a str,
    /// What was consumed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// As in the request.
    pub metadata: &'a Object<'static>,
}

/// Why a response failed.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ResponsesError"))]
pub struct ResponseError<'a> {
    /// A word for programs.
    pub code: &'a str,
    /// A text for a person.
    pub message: &'a str,
}

/// Why a response is not complete.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ResponsesIncompleteDetails"))]
pub struct IncompleteDetails<'a> {
    /// `max_output_tokens` or `content_filter`.
    pub reason: &'a str,
}

/// How hard the model thinks, as asked for.
#[derive(Debug, Clone, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ResponsesShownReasoning"))]
pub struct ShownReasoning<'a> {
    /// As in the request.
    pub effort: Option<&'a str>,
    /// As in the request.
    pub summary: Option<&'a str>,
}

/// What the text looks like, as asked for.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ResponsesShownText"))]
pub struct ShownText<'a> {
    /// As in the request.
    pub format: &'a Object<'static>,
}

/// One item of the output.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ResponsesOutputItem"))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum OutputItem<'a> {
    /// What the model said.
    Message {
        /// `msg_…`
        id: &'a str,
        /// `in_progress`, `completed` or `incomplete`.
        status: &'a str,
        /// Always `assistant`.
        role: &'a str,
        /// The text.
        content: &'a [Part<'a>],
    },
    /// What the model thought.
    Reasoning {
        /// `rs_…`
        id: &'a str,
        /// The thoughts. They are told as a summary, because that is what clients show.
        summary: &'a [Part<'a>],
        /// Opaque; to be sent back.
        #[serde(skip_serializing_if = "Option::is_none")]
        encrypted_content: Option<Cow<'a, str>>,
    },
    /// The model calls a function.
    FunctionCall {
        /// `fc_…`
        id: &'a str,
        /// As of a message.
        status: &'a str,
        /// The id by which the output answers.
        call_id: &'a str,
        /// The function.
        name: &'a str,
        /// The namespace that it is in.
        #[serde(skip_serializing_if = "Option::is_none")]
        namespace: Option<&'a str>,
        /// The JSON text of the arguments.
        arguments: &'a Text<'a>,
    },
    /// The model calls a tool that takes free text.
    CustomToolCall {
        /// `ctc_…`
        id: &'a str,
        /// As of a message.
        status: &'a str,
        /// The id by which the output answers.
        call_id: &'a str,
        /// The tool.
        name: &'a str,
        /// The namespace that it is in.
        #[serde(skip_serializing_if = "Option::is_none")]
        namespace: Option<&'a str>,
        /// The text.
        input: &'a Text<'a>,
    },
    /// The model looks for tools.
    ToolSearchCall {
        /// `tsc_…`
        id: &'a str,
        /// The id by which the output answers.
        call_id: &'a str,
        /// Always `client`.
        execution: &'a str,
        /// What it looks for.
        arguments: &'a RawValue,
        /// As of a message.
        status: &'a str,
    },
}

/// A piece of an item.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ResponsesOutputPart"))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Part<'a> {
    /// Text for the user.
    OutputText {
        /// The text.
        text: Text<'a>,
        /// Always empty.
        annotations: [(); 0],
        /// Always empty.
        logprobs: [(); 0],
    },
    /// Thoughts.
    SummaryText {
        /// The thoughts.
        text: Text<'a>,
    },
}

/// What a response consumed, in tokens.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ResponsesUsage"))]
pub struct Usage {
    /// Input, cached input included.
    pub input_tokens: u64,
    /// Details of the input.
    pub input_tokens_details: InputTokensDetails,
    /// Output, thoughts included.
    pub output_tokens: u64,
    /// Details of the output.
    pub output_tokens_details: OutputTokensDetails,
    /// Both.
    pub total_tokens: u64,
    /// Extension: where the counts come from.
    pub token_source: &'static str,
    /// Extension: the price in the upstream's credits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credits_used: Option<f64>,
}

/// Details of the input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ResponsesInputTokensDetails"))]
pub struct InputTokensDetails {
    /// Read from a cache.
    pub cached_tokens: u64,
    /// Written to one.
    pub cache_write_tokens: u64,
}

/// Details of the output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ResponsesOutputTokensDetails"))]
pub struct OutputTokensDetails {
    /// Thoughts.
    pub reasoning_tokens: u64,
}

/// The answer to `GET /v1/responses/{id}/input_items`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ResponsesItemList"))]
pub struct ItemList<'a> {
    /// Always `list`.
    pub object: &'static str,
    /// The items, as JSON.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<crate::schema::InputItem>"))]
    pub data: Vec<&'a RawValue>,
    /// The first one's id.
    pub first_id: Option<&'a str>,
    /// The last one's id.
    pub last_id: Option<&'a str>,
    /// Whether there are more.
    pub has_more: bool,
}

/// The answer to `DELETE /v1/responses/{id}`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ResponsesDeleted"))]
pub struct Deleted<'a> {
    /// Which.
    pub id: &'a str,
    /// Always `response`.
    pub object: &'static str,
    /// Always `true`.
    pub deleted: bool,
}
