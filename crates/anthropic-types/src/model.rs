//! The models there are.

use serde::{Deserialize, Serialize};

/// One model.
///
/// ```json
/// {"type": "model", "id": "claude-sonnet-4-5", "display_name": "Claude Sonnet 4.5",
///  "created_at": "2025-09-29T00:00:00Z", "max_input_tokens": 200000, "max_tokens": 64000}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Model {
    /// `model`
    #[serde(rename = "type")]
    pub kind: String,
    /// The name that requests give.
    pub id: String,
    /// A name for people.
    pub display_name: String,
    /// Since when it is there, as RFC 3339 has it.
    pub created_at: String,
    /// Tokens that fit into its context.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_input_tokens: Option<u64>,
    /// Most tokens that it produces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
}

/// The answer to `GET /v1/models`, all models on one page.
///
/// ```json
/// {"data": [], "has_more": false, "first_id": null, "last_id": null}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ModelList {
    /// The models.
    pub data: Vec<Model>,
    /// Whether there is another page.
    pub has_more: bool,
    /// The id of the first model.
    pub first_id: Option<String>,
    /// The id of the last model.
    pub last_id: Option<String>,
}

impl Model {
    /// A model of which only its names and its age are known.
    pub fn new(
        id: impl Into<String>,
        display_name: impl Into<String>,
        created_at: impl Into<String>,
    ) -> Self {
        Self {
            kind: "model".to_owned(),
            id: id.into(),
            display_name: display_name.into(),
            created_at: created_at.into(),
            max_input_tokens: None,
            max_tokens: None,
        }
    }
}

impl ModelList {
    /// One page with all of them.
    pub fn new(data: Vec<Model>) -> Self {
        Self {
            has_more: false,
            first_id: data.first().map(|model| model.id.clone()),
            last_id: data.last().map(|model| model.id.clone()),
            data,
        }
    }
}
