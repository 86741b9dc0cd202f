//! Messages and what they are made of.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::{Deserializer, Error};
use serde_json::value::RawValue;

use super::tool::{FunctionCall, ToolCall};
use crate::either::{Either, split, string_or_object};
use crate::json::{Object, Text};

/// One message of the conversation.
///
/// ```json
/// {"role": "assistant", "content": null,
///  "tool_calls": [{"id": "call_1", "type": "function",
///                  "function": {"name": "get_weather", "arguments": "{\"city\":\"Paris\"}"}}]}
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ChatMessage"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct Message<'a> {
    /// Who speaks.
    pub role: Role,
    /// What is said. Absent and `null` are legal for assistants that call a tool.
    pub content: Option<Content<'a>>,
    /// The name of the speaker; for `function` messages the name of the function.
    pub name: Option<String>,
    /// The tools that the assistant calls.
    pub tool_calls: Option<Vec<ToolCall<'a>>>,
    /// The older form of `tool_calls`: one call, without an id.
    pub function_call: Option<FunctionCall<'a>>,
    /// The call that a `tool` message answers.
    pub tool_call_id: Option<String>,
    /// What the assistant said instead of an answer.
    pub refusal: Option<Text<'a>>,
    /// An earlier spoken answer.
    pub audio: Option<Object<'a>>,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// `system`: instructions.
    System,
    /// `assistant`: the model.
    Assistant,
    /// `user`: the person.
    User,
    /// `function`: the older form of `tool`.
    Function,
    /// `tool`: the result of a tool call.
    Tool,
    /// `developer`: the newer name of `system`.
    Developer,
}

/// The content of a message: a string, or an array of parts.
///
/// ```json
/// [{"type": "text", "text": "What is this?"},
///  {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Content<'a> {
    /// A string.
    Text(Text<'a>),
    /// Parts, in order.
    Parts(Vec<Part<'a>>),
}

/// One part of a message's content.
///
/// `kind` says which of the other members counts:
///
/// ```text
/// text, input_text, output_text      text
/// image_url, input_image             image_url
/// refusal                            refusal
/// input_audio                        input_audio
/// file                               file
/// image                              source                                   (Anthropic's)
/// tool_use                           id, name, input                          (Anthropic's)
/// tool_result                        tool_use_id, content, is_error           (Anthropic's)
/// ```
///
/// Anthropic's shapes are sent here by Cursor when the model's name contains `claude`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ChatPart"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct Part<'a> {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Text.
    pub text: Option<Text<'a>>,
    /// A picture.
    pub image_url: Option<ImageUrl<'a>>,
    /// What the assistant said instead of an answer.
    pub refusal: Option<Text<'a>>,
    /// Sound.
    pub input_audio: Option<Object<'a>>,
    /// A file.
    pub file: Option<File<'a>>,
    /// A picture as Anthropic has it.
    pub source: Option<Source<'a>>,
    /// The id of a tool use.
    pub id: Option<String>,
    /// The name of the tool used.
    pub name: Option<String>,
    /// The arguments of a tool use.
    pub input: Option<Object<'a>>,
    /// The tool use that a result answers.
    pub tool_use_id: Option<String>,
    /// The content of a tool result. Its parts are texts and pictures; what else they hold is not read.
    #[serde(default, deserialize_with = "result_content")]
    pub content: Option<Content<'a>>,
    /// Whether the tool failed.
    pub is_error: Option<bool>,
}

/// A picture: an object with a URL, or (not in the schema, and common) the bare URL.
///
/// ```json
/// {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "auto"}
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ImageUrl<'a> {
    /// An `http`, `https` or `data` URL.
    pub url: Text<'a>,
    /// How closely to look: `auto`, `low`, `high` or `original`.
    pub detail: Option<String>,
}

/// A file: its bytes as a data URL, or the id of an uploaded one.
///
/// ```json
/// {"filename": "notes.txt", "file_data": "data:text/plain;base64,SGVsbG8="}
/// ```
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ChatFile"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct File<'a> {
    /// Its name.
    pub filename: Option<String>,
    /// Its bytes as a data URL.
    pub file_data: Option<Text<'a>>,
    /// The id of an uploaded file.
    pub file_id: Option<String>,
}

/// A picture as Anthropic has it.
///
/// ```json
/// {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
/// ```
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ChatSource"))]
#[serde(bound(deserialize = "'de: 'a"))]
#[non_exhaustive]
pub struct Source<'a> {
    /// `base64` or `url`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// What `data` holds.
    pub media_type: Option<String>,
    /// Base64.
    pub data: Option<Text<'a>>,
    /// An `http` or `https` URL.
    pub url: Option<Text<'a>>,
}

impl Role {
    /// The names, in the order in which the API lists them.
    pub const NAMES: &'static [&'static str] = &[
        "system",
        "assistant",
        "user",
        "function",
        "tool",
        "developer",
    ];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Assistant => "assistant",
            Self::User => "user",
            Self::Function => "function",
            Self::Tool => "tool",
            Self::Developer => "developer",
        }
    }
}

/// What may stand in the place of content, for an error message.
const CONTENT: &str = "a string or an array of parts";

/// By hand, because the derived form calls a number in this place a syntax error.
impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Cow::<str>::deserialize(deserializer)?;
        Ok(match &*name {
            "system" => Self::System,
            "assistant" => Self::Assistant,
            "user" => Self::User,
            "function" => Self::Function,
            "tool" => Self::Tool,
            "developer" => Self::Developer,
            other => return Err(D::Error::unknown_variant(other, Self::NAMES)),
        })
    }
}

/// Parts are parsed out of the array as it was written, because only raw JSON lets a string through
/// untouched; an error inside the array is therefore told with a position inside the array.
impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match split(<&RawValue>::deserialize(deserializer)?, b'[', CONTENT)? {
            Either::Text(text) => Ok(Self::Text(text)),
            Either::Other(parts) => serde_json::from_str(parts.get())
                .map(Self::Parts)
                .map_err(D::Error::custom),
        }
    }
}

/// Reads the content inside of a part.
///
/// It may not hold content in its turn: each array of parts is parsed by a parser of its own, so nothing
/// else would bound how deep the stack grows.
fn result_content<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Content<'de>>, D::Error> {
    let Some(raw) = Option::<&RawValue>::deserialize(deserializer)? else {
        return Ok(None);
    };
    match split(raw, b'[', CONTENT)? {
        Either::Text(text) => Ok(Some(Content::Text(text))),
        Either::Other(parts) => {
            let parts: Vec<ResultPart<'_>> =
                serde_json::from_str(parts.get()).map_err(D::Error::custom)?;
            Ok(Some(Content::Parts(
                parts.into_iter().map(Part::from).collect(),
            )))
        }
    }
}

/// A part that has no content in its turn.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct ResultPart<'a> {
    #[serde(rename = "type")]
    kind: Option<String>,
    text: Option<Text<'a>>,
    image_url: Option<ImageUrl<'a>>,
    source: Option<Source<'a>>,
}

impl<'a> From<ResultPart<'a>> for Part<'a> {
    fn from(part: ResultPart<'a>) -> Self {
        Self {
            kind: part.kind,
            text: part.text,
            image_url: part.image_url,
            source: part.source,
            ..Self::default()
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for ImageUrl<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(bound(deserialize = "'de: 'a"))]
        struct Shape<'a> {
            url: Text<'a>,
            detail: Option<String>,
        }
        Ok(
            match string_or_object(deserializer, "an object with a URL, or a URL")? {
                Either::Text(url) => Self {
                    url: Text::new(&url),
                    detail: None,
                },
                Either::Other(Shape { url, detail }) => Self { url, detail },
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(json: &str) -> Message<'_> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn content_is_a_string_parts_null_or_missing() {
        assert_eq!(
            message(r#"{"role":"user","content":"a\nb"}"#).content,
            Some(Content::Text(Text::new("a\nb")))
        );
        let Some(Content::Parts(parts)) =
            message(r#"{"role":"user","content":[{"type":"text","text":"x"},{"type":"new"}]}"#)
                .content
        else {
            panic!("parts expected");
        };
        assert_eq!(parts[0].text, Some(Text::new("x")));
        assert_eq!(parts[1].kind.as_deref(), Some("new"));
        assert_eq!(message(r#"{"role":"user","content":null}"#).content, None);
        assert_eq!(message(r#"{"role":"user"}"#).content, None);
        let error = serde_json::from_str::<Content<'_>>("42")
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("invalid type: an integer, expected a string or an array of parts"),
            "{error}"
        );
    }

    #[test]
    fn content_inside_of_a_part_holds_no_further_content() {
        let part: Part<'_> = serde_json::from_str(
            r#"{"type":"tool_result","content":[{"type":"text","text":"x","content":[{"content":[]}]}]}"#,
        )
        .unwrap();
        let Some(Content::Parts(parts)) = part.content else {
            panic!("parts expected");
        };
        assert_eq!(parts[0].text, Some(Text::new("x")));
        assert_eq!(parts[0].content, None);
    }

    #[test]
    fn deep_nesting_does_not_grow_the_stack() {
        let depth = 100_000;
        let content = "[{\"content\":".repeat(depth) + "0" + &"}]".repeat(depth);
        assert!(serde_json::from_str::<Content<'_>>(&content).is_ok());
    }

    #[test]
    fn every_role_is_read_by_its_name() {
        for name in Role::NAMES {
            let role: Role = serde_json::from_str(&format!("\"{name}\"")).unwrap();
            assert_eq!(role.as_str(), *name);
        }
        let error = serde_json::from_str::<Role>("\"robot\"")
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("unknown variant `robot`, expected one of `system`, "));
        assert!(serde_json::from_str::<Role>("5").unwrap_err().is_data());
    }

    #[test]
    fn an_image_is_an_object_or_a_bare_url() {
        let bare: ImageUrl<'_> = serde_json::from_str(r#""data:x""#).unwrap();
        let object: ImageUrl<'_> = serde_json::from_str(r#"{"url":"data:x"}"#).unwrap();
        assert_eq!(bare, object);
        assert!(serde_json::from_str::<ImageUrl<'_>>("[]").is_err());
    }
}
