//! What is asked for.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny};
use serde_json::value::RawValue;

use crate::either::{Either, split, string_or_object};
use crate::json::{Object, Text};

/// The body of `POST /v1/responses`.
///
/// As with chat, nothing but types is checked, and `null` is absent.
///
/// ```json
/// {"model": "claude-sonnet-4-5", "input": "Hello", "reasoning": {"effort": "low"},
///  "text": {"format": {"type": "text"}}, "include": ["reasoning.encrypted_content"]}
/// ```
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct ResponsesRequest<'a> {
    /// Which model answers.
    #[cfg_attr(feature = "schema", schemars(required))]
    pub model: Option<String>,
    /// What was said.
    pub input: Option<Input<'a>>,
    /// The system prompt, before any in the input.
    pub instructions: Option<Text<'a>>,
    /// Whether the answer comes as a stream.
    pub stream: Option<bool>,
    /// The tools.
    pub tools: Option<Vec<Tool<'a>>>,
    /// Which of them must be used.
    pub tool_choice: Option<ToolChoice>,
    /// Whether several tools may be called at once.
    pub parallel_tool_calls: Option<bool>,
    /// How hard to think.
    pub reasoning: Option<ReasoningOptions>,
    /// What the text must look like.
    pub text: Option<TextOptions<'a>>,
    /// Most tokens of output, thoughts included.
    pub max_output_tokens: Option<i64>,
    /// Labels, sent back as they are.
    pub metadata: Option<Object<'a>>,
    /// What requests with the same beginning have in common.
    pub prompt_cache_key: Option<String>,
    /// What the answer holds beside the usual.
    pub include: Option<Vec<String>>,
    /// What is done about a conversation that is too long: `auto` or `disabled`.
    pub truncation: Option<String>,
    /// Whether the response is kept for later requests.
    pub store: Option<bool>,
    /// The response that this request goes on from.
    pub previous_response_id: Option<String>,
    /// Whether the request belongs to a conversation that the server keeps.
    #[serde(rename = "conversation", deserialize_with = "is_present", default)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub has_conversation: bool,
    /// Whether the request uses a prompt that the server keeps.
    #[serde(rename = "prompt", deserialize_with = "is_present", default)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub has_prompt: bool,
    /// Whether moderation is asked for.
    #[serde(rename = "moderation", deserialize_with = "is_present", default)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub has_moderation: bool,
    /// Whether the answer is made while nobody waits for it.
    pub background: Option<bool>,
    /// How many log-probabilities.
    pub top_logprobs: Option<i64>,
    /// Sampling.
    pub temperature: Option<f64>,
    /// Sampling.
    pub top_p: Option<f64>,
    /// Most calls of tools that the server runs.
    pub max_tool_calls: Option<i64>,
}

/// The input: one text of the user, or items as they were written.
#[derive(Debug, Clone)]
pub enum Input<'a> {
    /// What the user says.
    Text(Text<'a>),
    /// Items.
    Items(Vec<&'a RawValue>),
}

/// A tool.
///
/// ```json
/// {"type": "namespace", "name": "mcp__files", "description": "Files.",
///  "tools": [{"type": "function", "name": "read", "parameters": {"type": "object"}, "strict": false}]}
/// ```
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ResponsesTool"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct Tool<'a> {
    /// `function`, `custom`, `namespace`, `tool_search`, or a tool that the server would run.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// What it is called.
    pub name: Option<String>,
    /// What it does.
    pub description: Option<Text<'a>>,
    /// The schema of its arguments.
    pub parameters: Option<Object<'a>>,
    /// What the free text of a custom tool looks like.
    pub format: Option<Object<'a>>,
    /// The tools of a namespace.
    pub tools: Option<Vec<Tool<'a>>>,
    /// Who runs it, where there is a choice: `client` or `server`.
    pub execution: Option<String>,
}

/// Which tools must be used.
#[derive(Debug, Clone)]
pub enum ToolChoice {
    /// One word: `auto`, `none` or `required`.
    Mode(String),
    /// Something with a type.
    Tool(ChosenTool),
}

/// A tool, or tools, by name.
///
/// ```json
/// {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "read"}]}
/// ```
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ResponsesChosenTool"))]
#[non_exhaustive]
pub struct ChosenTool {
    /// `function`, `custom`, `allowed_tools`, or a tool that the server would run.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The tool's name.
    pub name: Option<String>,
    /// The namespace that it is in.
    pub namespace: Option<String>,
    /// With `allowed_tools`: `auto` or `required`.
    pub mode: Option<String>,
    /// With `allowed_tools`: which.
    pub tools: Option<Vec<ChosenTool>>,
}

/// How hard to think.
///
/// ```json
/// {"effort": "high", "summary": "auto"}
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ResponsesReasoningOptions"))]
#[non_exhaustive]
pub struct ReasoningOptions {
    /// From `none` to `max`.
    pub effort: Option<String>,
    /// How much of the thoughts is shown: `auto`, `concise` or `detailed`.
    pub summary: Option<String>,
    /// How the thoughts are run: `standard` or `pro`.
    pub mode: Option<String>,
}

/// What the text must look like.
///
/// ```json
/// {"format": {"type": "json_schema", "name": "weather", "schema": {}, "strict": true}, "verbosity": "low"}
/// ```
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ResponsesTextOptions"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct TextOptions<'a> {
    /// Whether it is JSON.
    pub format: Option<Object<'a>>,
    /// How long: `low`, `medium` or `high`.
    pub verbosity: Option<String>,
}

/// Whether the text is JSON.
///
/// ```json
/// {"type": "json_schema", "name": "weather", "schema": {"type": "object"}, "strict": true}
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ResponsesFormat"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct Format<'a> {
    /// `text`, `json_object` or `json_schema`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the schema is called.
    pub name: Option<String>,
    /// What it describes.
    pub description: Option<String>,
    /// The schema.
    pub schema: Option<Object<'a>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Input<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        Ok(match split(raw, b'[', "a string or an array of items")? {
            Either::Text(text) => Self::Text(text),
            // It begins like an array and is valid JSON.
            Either::Other(raw) => {
                Self::Items(serde_json::from_str(raw.get()).map_err(serde::de::Error::custom)?)
            }
        })
    }
}

impl<'de> Deserialize<'de> for ToolChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(
            match string_or_object(deserializer, "a string or an object")? {
                Either::Text(mode) => Self::Mode(mode),
                Either::Other(tool) => Self::Tool(tool),
            },
        )
    }
}

fn is_present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Option::<IgnoredAny>::deserialize(deserializer).map(|value| value.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_is_a_text_or_items_as_written() {
        let request: ResponsesRequest<'_> = serde_json::from_str(r#"{"input":"a\tb"}"#).unwrap();
        assert!(matches!(request.input, Some(Input::Text(text)) if text.as_json() == r#""a\tb""#));
        let request: ResponsesRequest<'_> =
            serde_json::from_str(r#"{"input":[{"a": 1},2],"prompt":null,"conversation":"c"}"#)
                .unwrap();
        assert!(request.has_conversation && !request.has_prompt);
        let Some(Input::Items(items)) = request.input else {
            panic!("these are items");
        };
        assert_eq!(items[0].get(), r#"{"a": 1}"#);
        let error = serde_json::from_str::<ResponsesRequest<'_>>(r#"{"input":1}"#).unwrap_err();
        assert!(
            error.to_string().contains("a string or an array of items"),
            "{error}"
        );
    }
}
