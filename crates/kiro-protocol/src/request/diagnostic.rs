//! What a repair changed, and why.

use std::fmt;

use crate::conversation::Role;

/// One change that [`prepare`](super::prepare()) made.
///
/// A conversation that obeys the rules causes none. [`Display`](fmt::Display) tells the change in a
/// phrase; it shows names and ids of the client, never texts. [`rule`](Self::rule) is a short name to
/// count by. Turns are counted from zero, as the rule found them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Diagnostic {
    /// The given conversation id is not one that Kiro takes; a digest of it stands for it.
    ConversationIdReplaced,
    /// Blocks that this speaker cannot say moved to a turn of the other.
    BlocksMoved {
        /// Where they were.
        turn: usize,
        /// Who had said them.
        role: Role,
        /// How many.
        blocks: usize,
    },
    /// Thoughts of the model were left out.
    ThoughtsDropped {
        /// Where they were.
        turn: usize,
        /// Why.
        why: LostThoughts,
    },
    /// A turn in which nothing is said was left out.
    EmptyTurnDropped {
        /// Where it was.
        turn: usize,
        /// Whose it was.
        role: Role,
    },
    /// There is a system prompt and no turn; the system prompt is sent as the user's message.
    SystemPromptSaid,
    /// A turn was joined to the one before, of the same speaker.
    TurnMerged {
        /// Where it was.
        turn: usize,
        /// Whose it was.
        role: Role,
    },
    /// A placeholder of the user was put before an assistant that speaks first.
    OpeningAdded,
    /// A placeholder of the user was put after an assistant that speaks last.
    CurrentAdded,
    /// Pictures in a tool's result moved beside it.
    ImagesLifted {
        /// The result.
        id: String,
        /// How many.
        images: usize,
    },
    /// A picture was replaced by words that say so.
    ImageReplaced {
        /// Where it was.
        turn: usize,
        /// Why.
        why: LostImage,
    },
    /// A tool's result without content says so.
    ResultFilled {
        /// The result.
        id: String,
    },
    /// The id of a tool use, and of its result, changed: it was not legal or not unique.
    UseIdChanged {
        /// The id that the client knows.
        client: String,
        /// The id that Kiro is told.
        kiro: String,
    },
    /// A result that answers no use in the message before became text.
    ResultKeptAsText {
        /// The result.
        id: String,
        /// Whether another result had answered the use already.
        repeated: bool,
    },
    /// A tool use without a result was answered with an error.
    UseAnswered {
        /// The use, as Kiro knows it.
        id: String,
    },
    /// A tool was declared before under the same name; this declaration was left out.
    DuplicateToolDropped {
        /// The tool.
        tool: String,
    },
    /// A tool's name changed: it was not legal, or taken but for case.
    ToolRenamed {
        /// The name that the client knows.
        client: String,
        /// The name that Kiro is told.
        kiro: String,
    },
    /// A tool that was used and is not declared got a declaration without parameters.
    ToolStubAdded {
        /// The tool.
        tool: String,
    },
    /// A tool without a description got one.
    DescriptionFilled {
        /// The tool.
        tool: String,
    },
    /// A tool's description was too long and moved to the system prompt.
    DescriptionMoved {
        /// The tool.
        tool: String,
        /// Length of the description in bytes.
        bytes: usize,
    },
    /// A schema was simplified.
    SchemaSimplified {
        /// The tool.
        tool: String,
        /// Keywords that were taken out.
        keywords: Vec<&'static str>,
    },
    /// A reference in a schema was not replaced by what it refers to.
    SchemaReferenceCut {
        /// The tool.
        tool: String,
        /// The reference.
        reference: String,
        /// Why.
        why: CutReference,
    },
    /// A schema was too deep even when simplified; any object is accepted instead.
    SchemaReplaced {
        /// The tool.
        tool: String,
    },
}

/// Why thoughts of the model were left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LostThoughts {
    /// The caller asked for it.
    Policy,
    /// They are not signed.
    Unsigned,
    /// The user cannot have the model's thoughts.
    NotTheModels,
    /// A message has one place for thoughts, and later ones took it.
    OnePlace,
}

/// Why a picture was replaced by words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LostImage {
    /// It is larger than a picture may be.
    TooLarge {
        /// Its size in bytes.
        bytes: usize,
    },
    /// There are too many, and others are newer.
    TooMany,
}

/// Why a reference in a schema was not replaced by what it refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CutReference {
    /// It stands inside of what it refers to.
    Recursive,
    /// Nothing in the schema has that address.
    Unresolved,
    /// Too much would be copied.
    TooLarge,
    /// It would nest too deeply.
    TooDeep,
}

impl Diagnostic {
    /// A name of the kind of change, for example `turn_merged`.
    pub fn rule(&self) -> &'static str {
        self.told().0
    }

    /// The table of all kinds: the name, and what was changed.
    fn told(&self) -> (&'static str, String) {
        match self {
            Self::ConversationIdReplaced => (
                "conversation_id_replaced",
                "replaced an illegal conversation id".into(),
            ),
            Self::BlocksMoved { turn, role, blocks } => (
                "blocks_moved",
                format!("moved {blocks} blocks that the {role} cannot say out of turn {turn}"),
            ),
            Self::ThoughtsDropped { turn, why } => (
                "thoughts_dropped",
                format!("dropped thoughts in turn {turn}: {why}"),
            ),
            Self::EmptyTurnDropped { turn, role } => (
                "empty_turn_dropped",
                format!("dropped turn {turn}, in which the {role} says nothing"),
            ),
            Self::SystemPromptSaid => (
                "system_prompt_said",
                "sent the system prompt as the user's message".into(),
            ),
            Self::TurnMerged { turn, role } => (
                "turn_merged",
                format!("merged turn {turn} into the {role}'s turn before it"),
            ),
            Self::OpeningAdded => (
                "opening_added",
                "put a placeholder before the assistant's first turn".into(),
            ),
            Self::CurrentAdded => (
                "current_added",
                "put a placeholder after the assistant's last turn".into(),
            ),
            Self::ImagesLifted { id, images } => (
                "images_lifted",
                format!("moved {images} images out of tool result {id:?}"),
            ),
            Self::ImageReplaced { turn, why } => (
                "image_replaced",
                format!("replaced an image in turn {turn} by words: {why}"),
            ),
            Self::ResultFilled { id } => {
                ("result_filled", format!("filled empty tool result {id:?}"))
            }
            Self::UseIdChanged { client, kiro } => (
                "use_id_changed",
                format!("changed the id of tool use {client:?} to {kiro:?}"),
            ),
            Self::ResultKeptAsText { id, repeated } => {
                let why = match repeated {
                    true => "the tool use is already answered",
                    false => "no tool use before it has that id",
                };
                (
                    "result_kept_as_text",
                    format!("kept tool result {id:?} as text: {why}"),
                )
            }
            Self::UseAnswered { id } => (
                "use_answered",
                format!("answered tool use {id:?}, which had no result, with an error"),
            ),
            Self::DuplicateToolDropped { tool } => (
                "duplicate_tool_dropped",
                format!("dropped the second declaration of tool {tool:?}"),
            ),
            Self::ToolRenamed { client, kiro } => (
                "tool_renamed",
                format!("renamed tool {client:?} to {kiro:?}"),
            ),
            Self::ToolStubAdded { tool } => (
                "tool_stub_added",
                format!("declared tool {tool:?}, which the history uses"),
            ),
            Self::DescriptionFilled { tool } => (
                "description_filled",
                format!("filled the empty description of tool {tool:?}"),
            ),
            Self::DescriptionMoved { tool, bytes } => (
                "description_moved",
                format!(
                    "moved the description of tool {tool:?}, {bytes} bytes, to the system prompt"
                ),
            ),
            Self::SchemaSimplified { tool, keywords } => {
                let without = match keywords.is_empty() {
                    true => String::new(),
                    false => format!(", without {}", keywords.join(", ")),
                };
                (
                    "schema_simplified",
                    format!("simplified the schema of tool {tool:?}{without}"),
                )
            }
            Self::SchemaReferenceCut {
                tool,
                reference,
                why,
            } => (
                "schema_reference_cut",
                format!("cut {reference:?} in the schema of tool {tool:?}: {why}"),
            ),
            Self::SchemaReplaced { tool } => (
                "schema_replaced",
                format!("replaced the schema of tool {tool:?}, which nests too deeply"),
            ),
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told().1)
    }
}

impl fmt::Display for LostThoughts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Policy => "the caller asked for it",
            Self::Unsigned => "they are not signed",
            Self::NotTheModels => "the user cannot have the model's thoughts",
            Self::OnePlace => "later thoughts took the one place in the message",
        })
    }
}

impl fmt::Display for LostImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { bytes } => write!(f, "its {bytes} bytes are too many"),
            Self::TooMany => f.write_str("there are too many newer ones"),
        }
    }
}

impl fmt::Display for CutReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Recursive => "it is recursive",
            Self::Unresolved => "nothing has that address",
            Self::TooLarge => "too much would be copied",
            Self::TooDeep => "it would nest too deeply",
        })
    }
}
