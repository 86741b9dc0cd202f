//! What is asked for.

use serde::Deserialize;

use crate::content::{Content, InputMessage};
use crate::json::{Json, Object};
use crate::tool::{Tool, ToolChoice};

/// The body of `POST /v1/messages`, and that of `POST /v1/messages/count_tokens`, which has no
/// `max_tokens`.
///
/// ```json
/// {"model": "claude-sonnet-4-5", "max_tokens": 1024, "system": "Be brief.",
///  "messages": [{"role": "user", "content": "Hello"}], "stream": true}
/// ```
///
/// Nothing but types is checked: which values are legal, and which members must be there, is the
/// server's business.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct MessagesRequest<'a> {
    /// The name of the model.
    #[cfg_attr(feature = "schema", schemars(required))]
    pub model: Option<String>,
    /// Most tokens to produce, thoughts included.
    pub max_tokens: Option<i64>,
    /// The system prompt.
    pub system: Option<Content<'a>>,
    /// The conversation, oldest message first.
    #[cfg_attr(feature = "schema", schemars(required))]
    pub messages: Option<Vec<InputMessage<'a>>>,
    /// Whether the answer comes as a stream.
    pub stream: Option<bool>,

    /// Tools that the model may use.
    pub tools: Option<Vec<Tool<'a>>>,
    /// Whether it must use one.
    pub tool_choice: Option<ToolChoice>,
    /// Servers whose tools the API itself would call.
    pub mcp_servers: Option<Vec<Json<'a>>>,
    /// A conversation that the server would hold between requests.
    pub thread: Option<Json<'a>>,

    /// Whether and how long to think.
    pub thinking: Option<Thinking>,
    /// How hard to think, and what the answer must look like.
    pub output_config: Option<OutputConfig<'a>>,
    /// The older place of `output_config.format`.
    pub output_format: Option<OutputFormat<'a>>,
    /// Texts at which the answer ends.
    pub stop_sequences: Option<Vec<String>>,
    /// Who asks: an object with `user_id`. Nothing depends on it, so it may be anything.
    pub metadata: Option<Json<'a>>,

    /// Randomness, 0 to 1. Not in the schema since October 2026.
    pub temperature: Option<f64>,
    /// Share of the likeliest tokens to choose from. Not in the schema since October 2026.
    pub top_p: Option<f64>,
    /// How many of the likeliest tokens to choose from. Not in the schema since October 2026.
    pub top_k: Option<i64>,
}

/// Whether and how long to think.
///
/// ```json
/// {"type": "enabled", "budget_tokens": 2048}
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "MessagesThinking"))]
#[non_exhaustive]
pub struct Thinking {
    /// `enabled`, `adaptive`, `between_tools` or `disabled`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// How many tokens thoughts may take.
    pub budget_tokens: Option<i64>,
    /// `omitted` shows a signature and no thoughts; `summarized` is the default.
    pub display: Option<String>,
}

/// How hard to think, and what the answer must look like.
///
/// ```json
/// {"effort": "high", "format": {"type": "json_schema", "schema": {"type": "object"}}}
/// ```
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "MessagesOutputConfig"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct OutputConfig<'a> {
    /// `low`, `medium`, `high`, `xhigh` or `max`.
    pub effort: Option<String>,
    /// The JSON that the answer must be.
    pub format: Option<OutputFormat<'a>>,
}

/// The JSON that an answer must be.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "MessagesOutputFormat"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct OutputFormat<'a> {
    /// `json_schema`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The schema.
    pub schema: Option<Object<'a>>,
}
