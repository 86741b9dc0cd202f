//! Messages of a request and what they are made of.

use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected};

use crate::json::{Json, Text};

/// One message of the conversation.
///
/// ```json
/// {"role": "user", "content": [{"type": "text", "text": "What is this?"}]}
/// ```
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "MessagesInputMessage"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct InputMessage<'a> {
    /// Who speaks: `user`, `assistant`, or `system` since October 2026.
    pub role: Option<String>,
    /// What is said. `null` is an empty string: some clients write it for an answer of tool uses that they
    /// have from another API.
    #[serde(default, deserialize_with = "empty_for_null")]
    pub content: Option<Content<'a>>,
}

fn empty_for_null<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Content<'a>>, D::Error> {
    let content = Option::<Content<'a>>::deserialize(deserializer)?;
    Ok(Some(
        content.unwrap_or_else(|| Content::Text(Text::new(""))),
    ))
}

/// Content: a string, which is one block of text, or blocks.
///
/// ```
/// use anthropic_types::{Block, Content};
///
/// let content: Content<'_> = serde_json::from_str(r#"[{"type": "text", "text": "Hi"}]"#)?;
/// let Content::Blocks(json) = content else { unreachable!() };
/// let blocks: Vec<Block<'_>> = serde_json::from_str(json.as_json())?;
/// assert_eq!(blocks[0].kind.as_deref(), Some("text"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Content<'a> {
    /// A string.
    Text(Text<'a>),
    /// An array of [`Block`]s, to be read when it is known where it stands.
    Blocks(Json<'a>),
}

/// One block of content.
///
/// `kind` says which of the other members counts:
///
/// ```text
/// text                        text
/// image                       source
/// document                    source, title, context
/// search_result               title, source (a string), content
/// tool_use                    id, name, input
/// tool_result                 tool_use_id, content, is_error
/// thinking                    thinking, signature
/// redacted_thinking           data
/// compaction                  content
/// ```
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "MessagesBlock"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct Block<'a> {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Text.
    pub text: Option<Text<'a>>,
    /// Where a picture or a document comes from: a [`Source`], and of a search result a string.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<crate::schema::AnySource>")
    )]
    pub source: Option<Json<'a>>,
    /// The title of a document or of a search result.
    pub title: Option<String>,
    /// What is said of a document.
    pub context: Option<String>,
    /// The id of a tool use.
    pub id: Option<String>,
    /// The name of the tool used.
    pub name: Option<String>,
    /// The arguments of a tool use; an object.
    pub input: Option<Json<'a>>,
    /// The tool use that a result answers.
    pub tool_use_id: Option<String>,
    /// What a tool returned: [`Content`]. Of other blocks, whatever they have.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<crate::schema::AnyContent>")
    )]
    pub content: Option<Json<'a>>,
    /// Whether the tool failed.
    pub is_error: Option<bool>,
    /// Thoughts.
    pub thinking: Option<Text<'a>>,
    /// The signature over the thoughts.
    pub signature: Option<String>,
    /// Thoughts that only the model can read.
    pub data: Option<String>,
}

/// Where a picture or a document comes from.
///
/// ```json
/// {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
/// {"type": "url", "url": "https://example.com/a.png"}
/// {"type": "text", "media_type": "text/plain", "data": "Dear reader"}
/// {"type": "content", "content": [{"type": "text", "text": "Dear reader"}]}
/// ```
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "MessagesSource"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct Source<'a> {
    /// `base64`, `url`, `file`, `text` or `content`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// What `data` holds.
    pub media_type: Option<String>,
    /// Base64, or text.
    pub data: Option<Text<'a>>,
    /// An `http` or `https` URL.
    pub url: Option<Text<'a>>,
    /// What a document is made of.
    pub content: Option<Content<'a>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Json::deserialize(deserializer)?;
        match json.as_json().as_bytes().first() {
            Some(b'[') => Ok(Self::Blocks(json)),
            Some(b'"') => Ok(Self::Text(json.into_text())),
            _ => {
                let actual = Unexpected::Other("something else");
                Err(D::Error::invalid_type(
                    actual,
                    &"a string or an array of blocks",
                ))
            }
        }
    }
}
