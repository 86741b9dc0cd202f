//! What is answered.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::json::{Object, Text};
use crate::search::SearchContent;

/// The answer to `POST /v1/messages`, and what a stream begins with.
///
/// ```json
/// {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
///  "content": [{"type": "text", "text": "Hi!"}],
///  "stop_reason": "end_turn", "stop_sequence": null, "stop_details": null, "container": null,
///  "usage": {"input_tokens": 12, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
///            "output_tokens": 3}}
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "MessagesMessage"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct Message<'a> {
    /// `msg_…`
    pub id: Cow<'a, str>,
    /// `message`
    #[serde(rename = "type")]
    pub kind: Cow<'a, str>,
    /// `assistant`
    pub role: Cow<'a, str>,
    /// The model by the name that the request gave it.
    pub model: Cow<'a, str>,
    /// What is said.
    pub content: Vec<ContentBlock<'a>>,
    /// Why it ended; `None` while it has not.
    pub stop_reason: Option<StopReason>,
    /// The stop sequence that ended it.
    pub stop_sequence: Option<Cow<'a, str>>,
    /// More on the reason.
    pub stop_details: Option<Object<'a>>,
    /// Where code was executed.
    pub container: Option<Object<'a>>,
    /// What was consumed.
    pub usage: Usage<'a>,
}

/// One block of an answer. One struct stands for all kinds, as in a request's
/// [`Block`](crate::Block); use the constructors.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "MessagesContentBlock"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct ContentBlock<'a> {
    /// `text`, `thinking`, `redacted_thinking`, `tool_use`, `server_tool_use` or
    /// `web_search_tool_result`.
    #[serde(rename = "type")]
    pub kind: Cow<'a, str>,
    /// Text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<Text<'a>>,
    /// Thoughts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking: Option<Text<'a>>,
    /// The signature over the thoughts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<Text<'a>>,
    /// Thoughts that only the model can read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Text<'a>>,
    /// The id of a tool use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Cow<'a, str>>,
    /// The name of the tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Cow<'a, str>>,
    /// The arguments of the tool use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Object<'a>>,
    /// The tool use that a result answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_use_id: Option<Cow<'a, str>>,
    /// What a search brought.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<SearchContent<'a>>,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "MessagesStopReason"))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StopReason {
    /// The model had nothing more to say.
    EndTurn,
    /// The limit of the request was reached.
    MaxTokens,
    /// A stop sequence was met.
    StopSequence,
    /// The model waits for tools.
    ToolUse,
    /// The model paused a long turn.
    PauseTurn,
    /// The answer was withheld.
    Refusal,
    /// The context window is full.
    ModelContextWindowExceeded,
}

/// What was consumed, in tokens. `input_tokens` does not include those of the caches.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "MessagesUsage"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct Usage<'a> {
    /// Input that came from no cache.
    pub input_tokens: u64,
    /// Input written to a cache.
    pub cache_creation_input_tokens: u64,
    /// Input read from a cache.
    pub cache_read_input_tokens: u64,
    /// Output, thoughts included.
    pub output_tokens: u64,
    /// What the output is made of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_tokens_details: Option<OutputTokensDetails>,
    /// What the server's own tools did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_tool_use: Option<ServerToolUsage>,
    /// Extension: where the counts come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_source: Option<Cow<'a, str>>,
    /// Extension: the price in credits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credits_used: Option<f64>,
}

/// What output is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "MessagesOutputTokensDetails"))]
#[non_exhaustive]
pub struct OutputTokensDetails {
    /// Tokens of thoughts.
    pub thinking_tokens: u64,
}

/// How often the server's own tools were used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "MessagesServerToolUsage"))]
#[non_exhaustive]
pub struct ServerToolUsage {
    /// Searches of the web.
    pub web_search_requests: u64,
}

impl<'a> Message<'a> {
    /// An answer in which nothing is said yet.
    pub fn new(id: impl Into<Cow<'a, str>>, model: impl Into<Cow<'a, str>>) -> Self {
        Self {
            id: id.into(),
            kind: Cow::Borrowed("message"),
            role: Cow::Borrowed("assistant"),
            model: model.into(),
            content: Vec::new(),
            stop_reason: None,
            stop_sequence: None,
            stop_details: None,
            container: None,
            usage: Usage::default(),
        }
    }
}

impl<'a> ContentBlock<'a> {
    /// `text`
    pub fn text(text: Text<'a>) -> Self {
        Self {
            text: Some(text),
            ..Self::of_kind("text")
        }
    }

    /// `thinking`
    pub fn thinking(thinking: Text<'a>, signature: Text<'a>) -> Self {
        Self {
            thinking: Some(thinking),
            signature: Some(signature),
            ..Self::of_kind("thinking")
        }
    }

    /// `redacted_thinking`
    pub fn redacted_thinking(data: Text<'a>) -> Self {
        Self {
            data: Some(data),
            ..Self::of_kind("redacted_thinking")
        }
    }

    /// `tool_use`
    pub fn tool_use(
        id: impl Into<Cow<'a, str>>,
        name: impl Into<Cow<'a, str>>,
        input: Object<'a>,
    ) -> Self {
        Self {
            id: Some(id.into()),
            name: Some(name.into()),
            input: Some(input),
            ..Self::of_kind("tool_use")
        }
    }

    /// `server_tool_use`: a tool that the server runs itself.
    pub fn server_tool_use(
        id: impl Into<Cow<'a, str>>,
        name: impl Into<Cow<'a, str>>,
        input: Object<'a>,
    ) -> Self {
        Self {
            kind: Cow::Borrowed("server_tool_use"),
            ..Self::tool_use(id, name, input)
        }
    }

    /// `web_search_tool_result`
    pub fn web_search_tool_result(
        tool_use_id: impl Into<Cow<'a, str>>,
        content: SearchContent<'a>,
    ) -> Self {
        Self {
            tool_use_id: Some(tool_use_id.into()),
            content: Some(content),
            ..Self::of_kind("web_search_tool_result")
        }
    }

    fn of_kind(kind: &'static str) -> Self {
        Self {
            kind: Cow::Borrowed(kind),
            ..Self::default()
        }
    }
}

impl Usage<'_> {
    /// Usage without a cache.
    pub fn new(input_tokens: u64, output_tokens: u64) -> Self {
        Self {
            input_tokens,
            output_tokens,
            ..Self::default()
        }
    }
}

impl ServerToolUsage {
    /// So many searches.
    pub fn searches(web_search_requests: u64) -> Self {
        Self {
            web_search_requests,
        }
    }
}

impl OutputTokensDetails {
    /// Output with so many tokens of thoughts.
    pub fn thinking(thinking_tokens: u64) -> Self {
        Self { thinking_tokens }
    }
}
