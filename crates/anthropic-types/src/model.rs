//! The models there are.

use serde::{Deserialize, Serialize};

/// One model.
///
/// ```json
/// {"type": "model", "id": "claude-sonnet-4-5", "display_name": "Claude Sonnet 4.5",
///  "created_at": "2025-09-29T00:00:00Z", "max_input_tokens": 200000, "max_tokens": 64000}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "AnthropicModel"))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "AnthropicModelList"))]
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

/// A time in seconds since the epoch as RFC 3339 has it, in UTC.
///
/// ```
/// assert_eq!(anthropic_types::rfc3339(1_759_104_000), "2025-09-29T00:00:00Z");
/// ```
pub fn rfc3339(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Years are counted from 1 March of the year 0, so that the leap day is the last of its year (source: Howard
    // Hinnant, "chrono-compatible low-level date algorithms").
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, late) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = era * 400 + year + late;
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(seconds), text);
        }
    }
}
