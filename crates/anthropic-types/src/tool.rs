//! Tools, and which of them must be used.

use serde::Deserialize;

use crate::json::{Object, Text};

/// A tool that the model may use.
///
/// ```json
/// {"name": "get_weather", "description": "The weather in a city",
///  "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
/// {"type": "bash_20250124", "name": "bash"}
/// {"type": "web_search_20250305", "name": "web_search", "max_uses": 5,
///  "allowed_domains": ["example.com"]}
/// ```
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "MessagesTool"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct Tool<'a> {
    /// `custom`, which is the default, or the name of a tool that the API knows, with its date.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// What it does.
    pub description: Option<Text<'a>>,
    /// JSON schema of its arguments.
    pub input_schema: Option<Object<'a>>,
    /// How often a tool that the server runs may be used in one answer.
    pub max_uses: Option<i64>,
    /// Of a search: the only hosts, with or without a path, whose pages are wanted.
    pub allowed_domains: Option<Vec<String>>,
    /// Of a search: the hosts, with or without a path, whose pages are not wanted.
    pub blocked_domains: Option<Vec<String>>,
    /// Of a search: where the user is.
    pub user_location: Option<Object<'a>>,
}

/// Whether a tool must be used.
///
/// ```json
/// {"type": "tool", "name": "get_weather", "disable_parallel_tool_use": true}
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "MessagesToolChoice"))]
#[non_exhaustive]
pub struct ToolChoice {
    /// `auto`, `any`, `tool` or `none`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Which tool.
    pub name: Option<String>,
    /// Whether the model may use one tool only.
    pub disable_parallel_tool_use: Option<bool>,
}
