//! The answer as one document.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::tool::{FunctionCall, ToolCall};
use crate::json::{Object, Text};

/// The answer to a chat request without `stream`.
///
/// ```json
/// {"id": "chatcmpl-1", "object": "chat.completion", "created": 1763800000, "model": "claude-sonnet-4-5",
///  "choices": [{"index": 0,
///               "message": {"role": "assistant", "content": "Hi!", "refusal": null, "annotations": []},
///               "logprobs": null, "finish_reason": "stop"}],
///  "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}}
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct ChatCompletion<'a> {
    /// Names this answer.
    pub id: Cow<'a, str>,
    /// Always `chat.completion`.
    pub object: Cow<'a, str>,
    /// Seconds since the epoch.
    pub created: u64,
    /// The model, by the name that the request gave it.
    pub model: Cow<'a, str>,
    /// The answers; `n` of them.
    pub choices: Vec<Choice<'a>>,
    /// What the answer consumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// The tier that served it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<String>,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ChatChoice"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct Choice<'a> {
    /// Which of the answers, from 0.
    pub index: u32,
    /// The answer.
    pub message: CompletionMessage<'a>,
    /// Log-probabilities. Written as `null` where there are none: the schema requires the member.
    pub logprobs: Option<Object<'a>>,
    /// Why it ended.
    pub finish_reason: FinishReason,
}

/// The message that is the answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ChatCompletionMessage"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct CompletionMessage<'a> {
    /// Always `assistant`.
    pub role: Cow<'a, str>,
    /// The text; `null` where there are only tool calls.
    pub content: Option<Text<'a>>,
    /// Extension: what the model thought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_content: Option<Text<'a>>,
    /// What the model said instead of an answer. Written as `null`: the schema requires the member.
    pub refusal: Option<Text<'a>>,
    /// Sources found on the web.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Vec<Annotation<'a>>>,
    /// The tools that the model calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<Vec<ToolCall<'a>>>,
    /// The older form of `tool_calls`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function_call: Option<FunctionCall<'a>>,
}

/// A source found on the web.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ChatAnnotation"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct Annotation<'a> {
    /// `url_citation`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where, and which part of the text.
    pub url_citation: Object<'a>,
}

/// Why an answer ended. There are no others: strict clients fail on them (measured with async-openai
/// 0.41, November 2026).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ChatFinishReason"))]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model had nothing more to say, or met a stop sequence.
    Stop,
    /// A limit was reached.
    Length,
    /// The model waits for the results of tool calls.
    ToolCalls,
    /// Something was withheld.
    ContentFilter,
    /// As `ToolCalls`, when the request used `functions`.
    FunctionCall,
}

/// What an answer consumed, in tokens.
///
/// ```json
/// {"prompt_tokens": 1200, "completion_tokens": 46, "total_tokens": 1246,
///  "prompt_tokens_details": {"cached_tokens": 1024, "cache_write_tokens": 0},
///  "completion_tokens_details": {"reasoning_tokens": 32},
///  "token_source": "upstream", "credits_used": 0.0213}
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ChatUsage"))]
#[non_exhaustive]
pub struct Usage {
    /// Input, cached input included.
    pub prompt_tokens: u64,
    /// Output, thoughts included.
    pub completion_tokens: u64,
    /// The sum.
    pub total_tokens: u64,
    /// Input by kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_tokens_details: Option<PromptTokensDetails>,
    /// Output by kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_tokens_details: Option<CompletionTokensDetails>,
    /// Extension: how the counts came about, for example `upstream` or `estimate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_source: Option<Cow<'static, str>>,
    /// Extension: the price, in the service's credits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credits_used: Option<f64>,
}

/// Input by kind. What is not known is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ChatPromptTokensDetails"))]
#[non_exhaustive]
pub struct PromptTokensDetails {
    /// Input read from a cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_tokens: Option<u64>,
    /// Input written to a cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_tokens: Option<u64>,
    /// Sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_tokens: Option<u64>,
}

/// Output by kind. What is not known is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ChatCompletionTokensDetails"))]
#[non_exhaustive]
pub struct CompletionTokensDetails {
    /// Thoughts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_tokens: Option<u64>,
    /// Sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_tokens: Option<u64>,
    /// Predicted and right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_prediction_tokens: Option<u64>,
    /// Predicted and wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected_prediction_tokens: Option<u64>,
}

impl<'a> ChatCompletion<'a> {
    /// A completion with one choice and no usage.
    pub fn new(
        id: impl Into<Cow<'a, str>>,
        created: u64,
        model: impl Into<Cow<'a, str>>,
        choice: Choice<'a>,
    ) -> Self {
        Self {
            id: id.into(),
            object: Cow::Borrowed("chat.completion"),
            created,
            model: model.into(),
            choices: vec![choice],
            usage: None,
            service_tier: None,
        }
    }
}

impl<'a> Choice<'a> {
    /// The first choice.
    pub fn new(message: CompletionMessage<'a>, finish_reason: FinishReason) -> Self {
        Self {
            index: 0,
            message,
            logprobs: None,
            finish_reason,
        }
    }
}

impl<'a> CompletionMessage<'a> {
    /// A message with this text, or none, and without annotations.
    pub fn new(content: Option<Text<'a>>) -> Self {
        Self {
            role: Cow::Borrowed("assistant"),
            content,
            reasoning_content: None,
            refusal: None,
            annotations: Some(Vec::new()),
            tool_calls: None,
            function_call: None,
        }
    }
}

impl FinishReason {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::FunctionCall => "function_call",
        }
    }
}

impl Usage {
    /// The two counts and their sum.
    pub fn new(prompt_tokens: u64, completion_tokens: u64) -> Self {
        Self {
            prompt_tokens,
            completion_tokens,
            total_tokens: prompt_tokens.saturating_add(completion_tokens),
            ..Self::default()
        }
    }
}

impl PromptTokensDetails {
    /// What a cache had to do with the input.
    pub fn cached(cached_tokens: u64, cache_write_tokens: u64) -> Self {
        Self {
            cached_tokens: Some(cached_tokens),
            cache_write_tokens: Some(cache_write_tokens),
            audio_tokens: None,
        }
    }
}

impl CompletionTokensDetails {
    /// How much of the output was thought.
    pub fn reasoning(reasoning_tokens: u64) -> Self {
        Self {
            reasoning_tokens: Some(reasoning_tokens),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finish_reasons_have_one_name() {
        for reason in [
            FinishReason::Stop,
            FinishReason::Length,
            FinishReason::ToolCalls,
            FinishReason::ContentFilter,
            FinishReason::FunctionCall,
        ] {
            assert_eq!(
                serde_json::to_string(&reason).unwrap(),
                format!("\"{}\"", reason.as_str())
            );
        }
    }
}
