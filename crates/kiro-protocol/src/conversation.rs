//! The neutral request: what a conversation is, kept to what Kiro can carry.
//!
//! It is not Kiro's JSON. Every dialect that a gateway speaks decodes into a [`Conversation`];
//! [`request`](crate) repairs it to Kiro's rules and writes it in any wire profile.

use bytestring::ByteString;
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
    /// Kiro's conversation id. `None` lets the request derive a stable one from the model, the system
    /// prompt and the first turn, so that the service can recognise a growing conversation.
    pub id: Option<String>,
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

/// One piece of content.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
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
#[non_exhaustive]
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
#[non_exhaustive]
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
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JsonObject(ByteString);

impl JsonObject {
    /// Takes the text of a JSON object.
    ///
    /// # Errors
    ///
    /// When the text is not JSON, or not an object. Empty text is an empty object, because that is how
    /// a tool without arguments is called on the wire.
    pub fn parse(text: impl Into<ByteString>) -> Result<Self, serde_json::Error> {
        let text = text.into();
        if text.trim().is_empty() {
            return Ok(Self::empty());
        }
        serde_json::from_str::<Fields>(&text)?;
        Ok(Self(text))
    }

    /// `{}`.
    pub fn empty() -> Self {
        Self(ByteString::from_static("{}"))
    }

    /// The text of the object.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Accepts any JSON object and keeps nothing.
struct Fields;

impl<'de> serde::Deserialize<'de> for Fields {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Fields;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Fields, A::Error> {
                while map
                    .next_entry::<serde::de::IgnoredAny, serde::de::IgnoredAny>()?
                    .is_some()
                {}
                Ok(Fields)
            }
        }
        deserializer.deserialize_map(Visitor)
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

    /// The format that the bytes show.
    pub fn format(&self) -> ImageFormat {
        self.format
    }

    /// The picture in standard base64.
    pub fn base64(&self) -> &str {
        &self.base64
    }
}

impl ImageFormat {
    /// Recognises a format from the first bytes of a file.
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x89, b'P', b'N', b'G', ..] => Some(Self::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [b'G', b'I', b'F', b'8', ..] => Some(Self::Gif),
            [
                b'R',
                b'I',
                b'F',
                b'F',
                _,
                _,
                _,
                _,
                b'W',
                b'E',
                b'B',
                b'P',
                ..,
            ] => Some(Self::Webp),
            _ => None,
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
    pub description: String,
    /// JSON schema of the arguments, as the client gave it.
    pub schema: Map<String, Value>,
}

/// Knobs that Kiro can carry for some models. `None` leaves the model's default.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Sampling {
    /// Most tokens to produce, thoughts included.
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
