//! What the input is made of.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::request::Tool;
use crate::chat::{Arguments, ImageUrl};
use crate::json::Text;

/// What every item has: enough to know how to read the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Head {
    /// `message`, `function_call` and so on. A message need not say so.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Who speaks.
    pub role: Option<String>,
    /// The item's id.
    pub id: Option<String>,
}

/// Something that somebody said.
///
/// ```json
/// {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}
/// ```
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ResponsesMessage"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct Message<'a> {
    /// A string, or an array of [`Part`]s.
    #[serde(borrow)]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<crate::schema::ItemContent>")
    )]
    pub content: Option<&'a RawValue>,
}

/// A piece of content.
///
/// ```json
/// {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo=", "detail": "auto"}
/// ```
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ResponsesPart"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct Part<'a> {
    /// `input_text`, `output_text`, `refusal`, `input_image` or `input_file`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Text.
    pub text: Option<Text<'a>>,
    /// What the model said instead of an answer.
    pub refusal: Option<Text<'a>>,
    /// Where a picture is; here it is a string, and some clients send chat's object.
    pub image_url: Option<ImageUrl<'a>>,
    /// The bytes of a file, in base64.
    pub file_data: Option<Text<'a>>,
    /// What the file is called.
    pub filename: Option<String>,
    /// A file that the server keeps.
    pub file_id: Option<String>,
    /// Where the file is.
    pub file_url: Option<String>,
}

/// The model called a function.
///
/// ```json
/// {"type": "function_call", "call_id": "toolu_1", "name": "read", "namespace": "mcp__files",
///  "arguments": "{\"path\":\"a\"}"}
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ResponsesFunctionCall"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct FunctionCall<'a> {
    /// The id by which the output answers.
    pub call_id: String,
    /// The function.
    pub name: String,
    /// The namespace that it is in.
    pub namespace: Option<String>,
    /// The JSON text of the arguments.
    pub arguments: Option<Arguments<'a>>,
}

/// The model called a tool that takes free text.
///
/// ```json
/// {"type": "custom_tool_call", "call_id": "toolu_1", "name": "apply_patch", "input": "*** Begin Patch"}
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ResponsesCustomToolCall"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct CustomToolCall<'a> {
    /// The id by which the output answers.
    pub call_id: String,
    /// The tool.
    pub name: String,
    /// The namespace that it is in.
    pub namespace: Option<String>,
    /// The text.
    pub input: Text<'a>,
}

/// What a tool returned.
///
/// ```json
/// {"type": "function_call_output", "call_id": "toolu_1", "output": "42"}
/// ```
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ResponsesToolOutput"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct ToolOutput<'a> {
    /// The call that it answers.
    pub call_id: String,
    /// A string, or an array of [`Part`]s.
    #[serde(borrow)]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<crate::schema::ItemContent>")
    )]
    pub output: Option<&'a RawValue>,
}

/// What the model thought.
///
/// ```json
/// {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "opaque"}
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ResponsesReasoning"))]
#[non_exhaustive]
pub struct Reasoning {
    /// Opaque to everyone but the server that made it.
    pub encrypted_content: Option<String>,
}

/// More tools, in the middle of the input.
///
/// ```json
/// {"type": "additional_tools", "role": "developer", "tools": [{"type": "function", "name": "read"}]}
/// ```
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ResponsesAdditionalTools"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct AdditionalTools<'a> {
    /// The tools.
    #[serde(default)]
    pub tools: Vec<Tool<'a>>,
}
