//! `GET /v1/models` and `GET /v1/models/{id}`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The list of models.
///
/// ```json
/// {"object": "list", "data": [], "has_more": false, "first_id": null, "last_id": null}
/// ```
///
/// The last three members belong to Anthropic's list. One document serves the clients of both vendors
/// (measured with both Python SDKs, November 2026).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ModelList {
    /// Always `list`.
    pub object: Cow<'static, str>,
    /// The models.
    pub data: Vec<Model>,
    /// Whether there is another page. There never is: the list is whole.
    #[serde(default)]
    pub has_more: bool,
    /// The id of the first model.
    #[serde(default)]
    pub first_id: Option<String>,
    /// The id of the last model.
    #[serde(default)]
    pub last_id: Option<String>,
}

/// One model.
///
/// ```json
/// {"id": "claude-sonnet-4-5", "object": "model", "created": 1759104000, "owned_by": "anthropic",
///  "type": "model", "display_name": "Claude Sonnet 4.5", "created_at": "2025-09-29T00:00:00Z",
///  "context_length": 200000, "max_output_tokens": 64000,
///  "capabilities": {"vision": true, "tools": true, "reasoning_efforts": ["none", "low", "medium", "high"]}}
/// ```
///
/// The first four members are OpenAI's and always there; `type`, `display_name` and `created_at` are
/// Anthropic's; the rest is read by some user interfaces to size a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Model {
    /// The name to put into a request.
    pub id: String,
    /// Always `model`.
    pub object: Cow<'static, str>,
    /// When the model was published, in seconds since the epoch.
    pub created: u64,
    /// Who made it.
    pub owned_by: String,
    /// Always `model` where it is written.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Cow<'static, str>>,
    /// The name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// When the model was published, as RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// Tokens that input and output together may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_length: Option<u64>,
    /// Tokens that one answer may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u64>,
    /// What it can do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<ModelCapabilities>,
}

/// Extension: what a model can do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[non_exhaustive]
pub struct ModelCapabilities {
    /// Whether it takes pictures.
    pub vision: bool,
    /// Whether it calls tools.
    pub tools: bool,
    /// Values of `reasoning_effort` that make a difference, from least to most. Empty where none does.
    pub reasoning_efforts: Vec<String>,
}

impl ModelList {
    /// A whole list; the first and the last id are taken from it.
    pub fn new(data: Vec<Model>) -> Self {
        Self {
            object: Cow::Borrowed("list"),
            has_more: false,
            first_id: data.first().map(|model| model.id.clone()),
            last_id: data.last().map(|model| model.id.clone()),
            data,
        }
    }
}

impl Model {
    /// A model in the form that both vendors' clients read; optional members are absent.
    pub fn new(id: impl Into<String>, created: u64, owned_by: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            object: Cow::Borrowed("model"),
            created,
            owned_by: owned_by.into(),
            kind: Some(Cow::Borrowed("model")),
            display_name: None,
            created_at: None,
            context_length: None,
            max_output_tokens: None,
            capabilities: None,
        }
    }
}
