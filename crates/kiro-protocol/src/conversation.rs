//! The neutral request: what a conversation is, kept to what Kiro can carry.
//!
//! It is not Kiro's JSON. Every dialect that a gateway speaks decodes into a [`Conversation`];
//! [`request`](crate) repairs it to Kiro's rules and writes it in any wire profile.

use std::fmt;

use bytestring::ByteString;
use serde::Deserializer;
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::text::JsonText;

/// A whole request to the model: system prompt, turns, tools and knobs.
///
/// ```
/// use kiro_protocol::conversation::{Block, Conversation, Role, Turn};
///
/// let mut conversation = Conversation::new("claude-sonnet-4.5");
/// conversation.turns.push(Turn::new(Role::User, [Block::Text("Hello".into())]));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Conversation {
    /// Kiro's id of the model, for example `claude-sonnet-4.5`.
    pub model: String,
    /// The system prompt, one entry per paragraph; joined by a blank line.
    pub system: Vec<JsonText>,
    /// What was said, oldest first. Roles need not alternate: repairing that is a rule of the request.
    pub turns: Vec<Turn>,
    /// Tools that the model may use in this turn.
    pub tools: Vec<ToolSpec>,
    /// Knobs that Kiro can carry for some models.
    pub sampling: Sampling,
    /// Kiro's conversation id. `None` lets the request derive a stable one from the session, the model, the
    /// system prompt and the first turn, so that the service can recognise a growing conversation.
    pub id: Option<String>,
    /// What the client calls the session that the conversation belongs to. It tells conversations apart that
    /// begin alike, and is itself never sent.
    pub session: Option<String>,
}

impl Conversation {
    /// An empty conversation with a model.
    pub fn new(model: impl Into<String>) -> Self {
        Self {
            model: model.into(),
            system: Vec::new(),
            turns: Vec::new(),
            tools: Vec::new(),
            sampling: Sampling::default(),
            id: None,
            session: None,
        }
    }
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The person, and everything that answers the model: tool results too.
    User,
    /// The model.
    Assistant,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "user",
            Self::Assistant => "assistant",
        })
    }
}

/// One speaker's part.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order.
    pub blocks: Vec<Block>,
}

impl Turn {
    /// A turn from its blocks.
    pub fn new(role: Role, blocks: impl IntoIterator<Item = Block>) -> Self {
        Self {
            role,
            blocks: blocks.into_iter().collect(),
        }
    }
}

/// One piece of content. The list is complete, and so are those of its parts: who leaves a kind out of a conversation that they
/// rewrite or count loses what somebody said.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// Text of either speaker.
    Text(JsonText),
    /// A picture shown by the user.
    Image(Image),
    /// The model asks for a tool.
    ToolUse(ToolUse),
    /// The client answers a tool use.
    ToolResult(ToolResult),
    /// Thoughts of the model, signed by it.
    Reasoning(Reasoning),
}

/// The model asks for a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolUse {
    /// The id by which the result answers, as the client knows it.
    pub id: String,
    /// The tool's name, as the client knows it.
    pub name: String,
    /// The arguments.
    pub input: JsonObject,
}

/// The client's answer to a tool use.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolResult {
    /// The id of the tool use.
    pub id: String,
    /// What the tool returned: text and pictures.
    pub content: Vec<ResultPart>,
    /// Whether the tool failed.
    pub is_error: bool,
}

/// One piece of a tool's result.
#[derive(Debug, Clone, PartialEq)]
pub enum ResultPart {
    /// Text.
    Text(JsonText),
    /// A picture. Kiro takes it beside the result, in the user message.
    Image(Image),
}

/// Thoughts of the model, as it gave them.
///
/// Kiro takes them back only signed and unmodified.
#[derive(Debug, Clone, PartialEq)]
pub enum Reasoning {
    /// Readable thoughts with the model's signature.
    Signed {
        /// The thoughts.
        text: JsonText,
        /// The signature over them.
        signature: String,
    },
    /// Thoughts that only the model can read, base64.
    Redacted(String),
}

/// The text of a JSON object, validated, carried as it was written.
///
/// Guarantees, established by every constructor: it is one JSON object, every string in it is valid
/// Unicode (no half of a surrogate pair), every number can be represented, and it nests no deeper than
/// [`JsonObject::MAX_DEPTH`]. So it may be copied into a request body as it is. Cloning is cheap.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JsonObject(ByteString);

impl JsonObject {
    /// Deepest nesting of objects and lists that is taken; the object itself counts as one.
    ///
    /// Kiro refuses bodies that nest deeper than 128 (source: the official server SDK, October 2026),
    /// and an object stands at most ten levels deep in a body.
    pub const MAX_DEPTH: usize = 100;

    /// Takes the text of a JSON object.
    ///
    /// # Errors
    ///
    /// When the text is not JSON, not an object, or breaks a guarantee of the type. Empty text is an
    /// empty object, because that is how a tool without arguments is called on the wire.
    pub fn parse(text: impl Into<ByteString>) -> Result<Self, serde_json::Error> {
        let text = text.into();
        if text.trim().is_empty() {
            return Ok(Self::empty());
        }
        let mut json = serde_json::Deserializer::from_str(&text);
        Fields.deserialize(&mut json)?;
        json.end()?;
        Ok(Self(text))
    }

    /// Takes any text: a JSON object as [`parse`](Self::parse) does, everything else as
    /// `{"arguments":"the text"}`.
    ///
    /// For the arguments of an old tool call in a client's history. Models do write broken arguments;
    /// the call and its result are still part of the conversation.
    pub fn parse_or_wrap(text: impl Into<ByteString>) -> Self {
        let text = text.into();
        Self::parse(text.clone()).unwrap_or_else(|_| {
            let escaped = JsonText::new(&text);
            Self(format!("{{\"arguments\":\"{}\"}}", escaped.escaped()).into())
        })
    }

    /// `{}`.
    pub fn empty() -> Self {
        Self::known("{}")
    }

    /// Takes the text of an object that keeps the guarantees, as the programmer has made sure.
    pub(crate) fn known(text: &'static str) -> Self {
        debug_assert!(Self::parse(text).is_ok());
        Self(ByteString::from_static(text))
    }

    /// The text of the object.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&Map<String, Value>> for JsonObject {
    type Error = serde_json::Error;

    /// Writes a parsed object; fails when it nests deeper than [`JsonObject::MAX_DEPTH`].
    fn try_from(map: &Map<String, Value>) -> Result<Self, Self::Error> {
        Self::parse(serde_json::to_string(map)?)
    }
}

/// Accepts a JSON object and keeps nothing.
struct Fields;

/// Accepts a JSON value with so many levels below it, and keeps nothing.
///
/// `IgnoredAny` would be shorter, but it skips strings and numbers without looking into them.
struct Checked {
    levels: usize,
}

impl Checked {
    fn below<E: de::Error>(&self) -> Result<Self, E> {
        match self.levels.checked_sub(1) {
            Some(levels) => Ok(Self { levels }),
            None => Err(E::custom(format_args!(
                "nested deeper than {} levels",
                JsonObject::MAX_DEPTH
            ))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Fields {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let levels = JsonObject::MAX_DEPTH;
        Checked { levels }.visit_map(map)
    }
}

impl<'de> DeserializeSeed<'de> for Checked {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Checked {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(self.below()?)?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let below = self.below()?.levels;
        while map.next_key_seed(Self { levels: 1 })?.is_some() {
            map.next_value_seed(Self { levels: below })?;
        }
        Ok(())
    }
}

/// A picture: base64 and the format that its first bytes show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    format: ImageFormat,
    base64: ByteString,
}

/// Formats that Kiro takes.
///
/// Source: the official streaming SDK's model, October 2026.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageFormat {
    /// `png`
    Png,
    /// `jpeg`
    Jpeg,
    /// `gif`
    Gif,
    /// `webp`
    Webp,
}

/// Why a picture cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The text is not standard base64.
    #[error("the image is not valid base64")]
    Base64,
    /// The first bytes are of no format that Kiro takes.
    #[error("the image is neither PNG, JPEG, GIF nor WebP")]
    Format,
}

impl Image {
    /// Takes standard base64 and recognises the format from the bytes; a label is not believed, because
    /// Kiro refuses a picture whose label is wrong (`IMAGE_MIME_MISMATCH`).
    ///
    /// # Errors
    ///
    /// [`ImageError`] when the text is not base64 or the format is not one of [`ImageFormat`].
    pub fn from_base64(base64: impl Into<ByteString>) -> Result<Self, ImageError> {
        use base64::Engine as _;
        let base64 = base64.into();
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(base64.as_bytes())
            .map_err(|_| ImageError::Base64)?;
        let format = ImageFormat::sniff(&bytes).ok_or(ImageError::Format)?;
        Ok(Self { format, base64 })
    }

    /// Takes the bytes of a picture and recognises the format from them.
    ///
    /// # Errors
    ///
    /// [`ImageError::Format`] when it is not one of [`ImageFormat`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ImageError> {
        use base64::Engine as _;
        let format = ImageFormat::sniff(bytes).ok_or(ImageError::Format)?;
        let base64 = base64::engine::general_purpose::STANDARD.encode(bytes);
        Ok(Self {
            format,
            base64: base64.into(),
        })
    }

    /// The format that the bytes show.
    pub fn format(&self) -> ImageFormat {
        self.format
    }

    /// The picture in standard base64.
    pub fn base64(&self) -> &str {
        &self.base64
    }

    /// Size of the picture in bytes, without base64.
    pub fn size(&self) -> usize {
        let padding = self.base64.bytes().rev().take_while(|b| *b == b'=').count();
        self.base64.len() / 4 * 3 - padding
    }
}

impl ImageFormat {
    /// Recognises a format from the first bytes of a file.
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        let begins_with = |signature: &[u8]| bytes.starts_with(signature);
        if begins_with(b"\x89PNG\r\n\x1a\n") {
            Some(Self::Png)
        } else if begins_with(b"\xff\xd8\xff") {
            Some(Self::Jpeg)
        } else if begins_with(b"GIF87a") || begins_with(b"GIF89a") {
            Some(Self::Gif)
        } else if begins_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
            Some(Self::Webp)
        } else {
            None
        }
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpeg",
            Self::Gif => "gif",
            Self::Webp => "webp",
        }
    }
}

/// A tool that the model may use.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolSpec {
    /// The name as the client gave it. Kiro's narrower rule is met by renaming on the way.
    pub name: String,
    /// What the tool does; may be empty.
    pub description: JsonText,
    /// JSON schema of the arguments, as the client gave it. What Kiro does not take of it is
    /// simplified on the way.
    pub schema: JsonObject,
}

/// Knobs that Kiro can carry for some models. `None` leaves the model's default.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Sampling {
    /// Most tokens to produce, thoughts included. The service refuses 0, so that is not sent.
    pub max_tokens: Option<u32>,
    /// How hard to think.
    pub effort: Option<Effort>,
}

/// How hard the model should think, from not at all to as much as it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effort {
    /// Do not think.
    None,
    /// `low`
    Low,
    /// `medium`
    Medium,
    /// `high`
    High,
    /// `xhigh`
    ExtraHigh,
    /// `max`
    Max,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_kept_as_it_was_written() {
        let text = "{ \"b\" : 1.50, \"a\":[null,{\"\u{e9}\":\"\\ud83d\\ude00\"}] }";
        assert_eq!(JsonObject::parse(text).unwrap().as_str(), text);
        assert_eq!(JsonObject::parse(" \n").unwrap(), JsonObject::empty());
    }

    #[test]
    fn what_is_not_one_whole_object_is_refused() {
        for text in [
            "[]",
            "1",
            "\"{}\"",
            "{",
            "{}{}",
            "{\"a\":}",
            "{\"a\":\"\\ud800\"}",
            "{\"\\udc00\":1}",
            "{\"a\":1e999}",
        ] {
            assert!(JsonObject::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nesting_is_limited() {
        let nested = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
        assert!(JsonObject::parse(nested(JsonObject::MAX_DEPTH)).is_ok());
        let error = JsonObject::parse(nested(JsonObject::MAX_DEPTH + 1)).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("nested deeper than 100 levels"),
            "{error}"
        );
    }

    #[test]
    fn broken_arguments_are_wrapped_not_lost() {
        for (text, object) in [
            ("{\"path\":\"a\"}", "{\"path\":\"a\"}"),
            ("", "{}"),
            ("{\"path\":\"a", "{\"arguments\":\"{\\\"path\\\":\\\"a\"}"),
            ("[1]", "{\"arguments\":\"[1]\"}"),
        ] {
            assert_eq!(JsonObject::parse_or_wrap(text).as_str(), object);
        }
    }

    #[test]
    fn the_size_of_a_picture_is_that_of_its_bytes() {
        for (base64, size) in [
            ("R0lGODlh", 6),
            ("iVBORw0KGgo=", 8),
            ("iVBORw0KGgoAAA==", 10),
        ] {
            assert_eq!(Image::from_base64(base64).unwrap().size(), size);
        }
    }

    #[test]
    fn the_format_of_a_picture_is_read_from_its_bytes() {
        for (base64, format) in [
            ("iVBORw0KGgo=", ImageFormat::Png),
            ("/9j/4AAQ", ImageFormat::Jpeg),
            ("R0lGODlh", ImageFormat::Gif),
            ("UklGRgAAAABXRUJQ", ImageFormat::Webp),
        ] {
            assert_eq!(Image::from_base64(base64).unwrap().format(), format);
        }
        assert_eq!(Image::from_bytes(b"GIF89a"), Image::from_base64("R0lGODlh"));
        assert_eq!(Image::from_bytes(b"BM\0\0"), Err(ImageError::Format));
        assert_eq!(Image::from_base64("Qk0AAAAA"), Err(ImageError::Format));
        assert_eq!(Image::from_base64("iVBORw=="), Err(ImageError::Format));
        assert_eq!(
            Image::from_base64("data:image/png;base64,iVBO"),
            Err(ImageError::Base64)
        );
    }
}
