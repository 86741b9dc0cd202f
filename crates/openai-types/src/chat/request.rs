//! What is asked for.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny};

use super::message::Message;
use super::tool::{Function, FunctionChoice, Tool, ToolChoice};
use crate::either::{Either, string_or_array};
use crate::json::Object;

/// The body of `POST /v1/chat/completions`.
///
/// The members of the official schema of August 2026, and the extensions of other vendors that common
/// clients send here. Nothing but types is checked: which values are legal is the server's business. In
/// particular `model` and `messages` are required by the API and optional here, so that the server can
/// word the refusal.
///
/// ```
/// use openai_types::chat::{ChatRequest, Role};
///
/// let body = r#"{"model": "m", "messages": [{"role": "user", "content": "Hello"}], "n": null}"#;
/// let request: ChatRequest<'_> = serde_json::from_str(body)?;
/// assert_eq!(request.messages.unwrap()[0].role, Role::User);
/// assert_eq!(request.n, None);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct ChatRequest<'a> {
    /// The name of the model.
    #[cfg_attr(feature = "schema", schemars(required))]
    pub model: Option<String>,
    /// The conversation, oldest message first.
    #[cfg_attr(feature = "schema", schemars(required))]
    pub messages: Option<Vec<Message<'a>>>,

    /// Whether the answer comes as a stream.
    pub stream: Option<bool>,
    /// What the stream holds beside the answer.
    pub stream_options: Option<StreamOptions>,

    /// Most tokens to produce, thoughts included. At least 1. Wins over `max_tokens`.
    pub max_completion_tokens: Option<i64>,
    /// The older name of `max_completion_tokens`.
    pub max_tokens: Option<i64>,
    /// Texts at which the answer ends; at most four, not empty.
    pub stop: Option<Stop>,
    /// How many answers to give.
    pub n: Option<i64>,

    /// Tools that the model may use.
    pub tools: Option<Vec<Tool<'a>>>,
    /// Whether it must use one.
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may use several at once. The API's default is `true`.
    pub parallel_tool_calls: Option<bool>,
    /// The older form of `tools`.
    pub functions: Option<Vec<Function<'a>>>,
    /// The older form of `tool_choice`.
    pub function_call: Option<FunctionChoice>,

    /// Whether the answer is JSON.
    pub response_format: Option<ResponseFormat<'a>>,
    /// How hard to think: `none`, `minimal`, `low`, `medium`, `high`, `xhigh` or `max`.
    pub reasoning_effort: Option<String>,
    /// How long the answer should be: `low`, `medium` or `high`.
    pub verbosity: Option<String>,

    /// Randomness, 0 to 2.
    pub temperature: Option<f64>,
    /// Share of the likeliest tokens to choose from, 0 to 1.
    pub top_p: Option<f64>,
    /// Dislike of tokens by how often they came, -2 to 2.
    pub frequency_penalty: Option<f64>,
    /// Dislike of tokens that came at all, -2 to 2.
    pub presence_penalty: Option<f64>,
    /// Same seed, same answer, as far as possible.
    pub seed: Option<i64>,
    /// Likes and dislikes of single tokens.
    pub logit_bias: Option<Object<'a>>,
    /// Whether to give the log-probabilities of the tokens.
    pub logprobs: Option<bool>,
    /// How many alternatives to give them for, 0 to 20.
    pub top_logprobs: Option<i64>,

    /// Kinds of output: `text`, `audio`.
    pub modalities: Option<Vec<String>>,
    /// How spoken output should sound.
    pub audio: Option<Object<'a>>,
    /// How to search the web before answering.
    pub web_search_options: Option<Object<'a>>,
    /// How to moderate input and output.
    pub moderation: Option<Object<'a>>,
    /// What the answer will probably be, to be faster.
    pub prediction: Option<Object<'a>>,

    /// Which tier of service to use.
    pub service_tier: Option<String>,
    /// Whether to keep the completion for later retrieval.
    pub store: Option<bool>,
    /// Labels to keep with it.
    pub metadata: Option<Object<'a>>,
    /// Who the end user is.
    pub user: Option<String>,
    /// Who the end user is, hashed.
    pub safety_identifier: Option<String>,
    /// Which requests probably share a prefix.
    pub prompt_cache_key: Option<String>,
    /// How long to cache it.
    pub prompt_cache_retention: Option<String>,
    /// How to cache it.
    pub prompt_cache_options: Option<Object<'a>>,

    /// Extension (OpenRouter): how hard to think, and whether to show it.
    pub reasoning: Option<Reasoning>,
    /// Extension (Anthropic): how hard to think.
    pub thinking: Option<Thinking>,
    /// Extension: how many of the likeliest tokens to choose from.
    pub top_k: Option<i64>,
    /// Extension: least likelihood of a token, relative to the likeliest.
    pub min_p: Option<f64>,
    /// Extension: dislike of tokens that came, 0 to 2, where 1 is none.
    pub repetition_penalty: Option<f64>,
    /// Whether the conversation came as `input`, as the Responses API has it, and not as `messages`.
    #[serde(rename = "input", deserialize_with = "is_present", default)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub has_input: bool,
}

/// What a stream holds beside the answer.
///
/// ```json
/// {"include_usage": true}
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ChatStreamOptions"))]
#[non_exhaustive]
pub struct StreamOptions {
    /// Whether a last chunk tells the usage.
    pub include_usage: Option<bool>,
    /// Whether chunks are padded against listeners who measure their length.
    pub include_obfuscation: Option<bool>,
}

/// Texts at which the answer ends: one string, or an array of strings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stop(pub Vec<String>);

/// Whether the answer is JSON.
///
/// ```json
/// {"type": "json_schema", "json_schema": {"name": "weather", "strict": true, "schema": {}}}
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ChatResponseFormat"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct ResponseFormat<'a> {
    /// `text`, `json_object` or `json_schema`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The schema, when there is one.
    pub json_schema: Option<JsonSchemaFormat<'a>>,
}

/// The schema that an answer must meet.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ChatJsonSchemaFormat"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct JsonSchemaFormat<'a> {
    /// What it is called.
    pub name: String,
    /// What it describes.
    pub description: Option<String>,
    /// The schema.
    pub schema: Option<Object<'a>>,
    /// Whether every answer meets it.
    pub strict: Option<bool>,
}

/// How hard to think, as OpenRouter has it.
///
/// ```json
/// {"effort": "high", "exclude": true}
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ChatReasoning"))]
#[non_exhaustive]
pub struct Reasoning {
    /// As `reasoning_effort`.
    pub effort: Option<String>,
    /// Most tokens to think.
    pub max_tokens: Option<i64>,
    /// Whether to think at all.
    pub enabled: Option<bool>,
    /// Whether to keep the thoughts from the client.
    pub exclude: Option<bool>,
}

/// How hard to think, as Anthropic has it.
///
/// ```json
/// {"type": "enabled", "budget_tokens": 10000}
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ChatThinking"))]
#[non_exhaustive]
pub struct Thinking {
    /// `enabled`, `adaptive` or `disabled`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Most tokens to think.
    pub budget_tokens: Option<i64>,
}

impl<'de> Deserialize<'de> for Stop {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = string_or_array(deserializer, "a string or an array of strings")?;
        Ok(Self(match texts {
            Either::Text(text) => vec![text],
            Either::Other(texts) => texts,
        }))
    }
}

fn is_present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Option::<IgnoredAny>::deserialize(deserializer).map(|value| value.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, Value};

    #[test]
    fn stop_is_one_or_several() {
        assert_eq!(
            serde_json::from_str::<Stop>(r#""a""#).unwrap().0,
            ["a".to_owned()]
        );
        assert_eq!(
            serde_json::from_str::<Stop>(r#"["a","b"]"#)
                .unwrap()
                .0
                .len(),
            2
        );
        let error = serde_json::from_str::<Stop>("{}").unwrap_err().to_string();
        assert!(
            error.starts_with("invalid type: map, expected a string or an array of strings"),
            "{error}"
        );
    }

    #[test]
    fn null_is_absent_everywhere() {
        let names = [
            "model",
            "messages",
            "stream",
            "stream_options",
            "max_completion_tokens",
            "max_tokens",
            "stop",
            "n",
            "tools",
            "tool_choice",
            "parallel_tool_calls",
            "functions",
            "function_call",
            "response_format",
            "reasoning_effort",
            "verbosity",
            "temperature",
            "top_p",
            "frequency_penalty",
            "presence_penalty",
            "seed",
            "logit_bias",
            "logprobs",
            "top_logprobs",
            "modalities",
            "audio",
            "web_search_options",
            "moderation",
            "prediction",
            "service_tier",
            "store",
            "metadata",
            "user",
            "safety_identifier",
            "prompt_cache_key",
            "prompt_cache_retention",
            "prompt_cache_options",
            "reasoning",
            "thinking",
            "top_k",
            "min_p",
            "repetition_penalty",
            "input",
        ];
        let nulls: Map<String, Value> = names
            .iter()
            .map(|name| ((*name).into(), Value::Null))
            .collect();
        let json = serde_json::to_string(&nulls).unwrap();
        let request: ChatRequest<'_> = serde_json::from_str(&json).unwrap();
        assert_eq!(request, ChatRequest::default());
    }

    #[test]
    fn unknown_members_are_ignored() {
        let request: ChatRequest<'_> =
            serde_json::from_str(r#"{"client_metadata":{"a":[1]},"input":[]}"#).unwrap();
        assert!(request.has_input);
    }
}
