//! What a search of the web brought.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The content of a `web_search_tool_result`: pages, or why there are none.
///
/// ```
/// use anthropic_types::SearchContent;
///
/// let json = r#"{"type": "web_search_tool_result_error", "error_code": "unavailable"}"#;
/// let content: SearchContent<'_> = serde_json::from_str(json)?;
/// assert!(matches!(content, SearchContent::Error(_)));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "MessagesSearchContent"))]
#[serde(untagged, bound(deserialize = "'de: 'a"))]
pub enum SearchContent<'a> {
    /// Pages, best first.
    Results(Vec<SearchResult<'a>>),
    /// The search failed; the answer goes on without.
    Error(SearchError<'a>),
}

/// One page.
///
/// ```json
/// {"type": "web_search_result", "url": "https://example.com/1", "title": "An example",
///  "encrypted_content": "RXhhbXBsZQ==", "page_age": "April 7, 2026"}
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "MessagesSearchResult"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct SearchResult<'a> {
    /// `web_search_result`
    #[serde(rename = "type")]
    pub kind: Cow<'a, str>,
    /// Its address.
    #[serde(default)]
    pub url: Cow<'a, str>,
    /// Its title.
    #[serde(default)]
    pub title: Cow<'a, str>,
    /// What was found in it; opaque, comes back in later requests.
    #[serde(default)]
    pub encrypted_content: Cow<'a, str>,
    /// When it was published, for people.
    pub page_age: Option<Cow<'a, str>>,
}

/// Why a search failed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "MessagesSearchError"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct SearchError<'a> {
    /// `web_search_tool_result_error`
    #[serde(rename = "type")]
    pub kind: Cow<'a, str>,
    /// `too_many_requests`, `invalid_tool_input`, `max_uses_exceeded`, `query_too_long` or `unavailable`.
    pub error_code: Cow<'a, str>,
}

impl<'a> SearchResult<'a> {
    /// A page by its address.
    pub fn new(url: impl Into<Cow<'a, str>>, title: impl Into<Cow<'a, str>>) -> Self {
        Self {
            kind: Cow::Borrowed("web_search_result"),
            url: url.into(),
            title: title.into(),
            ..Self::default()
        }
    }
}

impl<'a> SearchError<'a> {
    /// A failure by its code.
    pub fn new(error_code: impl Into<Cow<'a, str>>) -> Self {
        Self {
            kind: Cow::Borrowed("web_search_tool_result_error"),
            error_code: error_code.into(),
        }
    }
}
