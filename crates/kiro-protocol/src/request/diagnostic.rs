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
        match self {
            Self::ConversationIdReplaced => "conversation_id_replaced",
            Self::BlocksMoved { .. } => "blocks_moved",
            Self::ThoughtsDropped { .. } => "thoughts_dropped",
            Self::EmptyTurnDropped { .. } => "empty_turn_dropped",
            Self::SystemPromptSaid => "system_prompt_said",
            Self::TurnMerged { .. } => "turn_merged",
            Self::OpeningAdded => "opening_added",
            Self::CurrentAdded => "current_added",
            Self::ImagesLifted { .. } => "images_lifted",
            Self::ImageReplaced { .. } => "image_replaced",
            Self::ResultFilled { .. } => "result_filled",
            Self::UseIdChanged { .. } => "use_id_changed",
            Self::ResultKeptAsText { .. } => "result_kept_as_text",
            Self::UseAnswered { .. } => "use_answered",
            Self::DuplicateToolDropped { .. } => "duplicate_tool_dropped",
            Self::ToolRenamed { .. } => "tool_renamed",
            Self::ToolStubAdded { .. } => "tool_stub_added",
            Self::DescriptionFilled { .. } => "description_filled",
            Self::DescriptionMoved { .. } => "description_moved",
            Self::SchemaSimplified { .. } => "schema_simplified",
            Self::SchemaReferenceCut { .. } => "schema_reference_cut",
            Self::SchemaReplaced { .. } => "schema_replaced",
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConversationIdReplaced => f.write_str("replaced an illegal conversation id"),
            Self::BlocksMoved { turn, role, blocks } => write!(
                f,
                "moved {blocks} blocks that the {role} cannot say out of turn {turn}"
            ),
            Self::ThoughtsDropped { turn, why } => {
                write!(f, "dropped thoughts in turn {turn}: {why}")
            }
            Self::EmptyTurnDropped { turn, role } => {
                write!(f, "dropped turn {turn}, in which the {role} says nothing")
            }
            Self::SystemPromptSaid => f.write_str("sent the system prompt as the user's message"),
            Self::TurnMerged { turn, role } => {
                write!(f, "merged turn {turn} into the {role}'s turn before it")
            }
            Self::OpeningAdded => {
                f.write_str("put a placeholder before the assistant's first turn")
            }
            Self::CurrentAdded => f.write_str("put a placeholder after the assistant's last turn"),
            Self::ImagesLifted { id, images } => {
                write!(f, "moved {images} images out of tool result {id:?}")
            }
            Self::ImageReplaced { turn, why } => {
                write!(f, "replaced an image in turn {turn} by words: {why}")
            }
            Self::ResultFilled { id } => write!(f, "filled empty tool result {id:?}"),
            Self::UseIdChanged { client, kiro } => {
                write!(f, "changed the id of tool use {client:?} to {kiro:?}")
            }
            Self::ResultKeptAsText {
                id,
                repeated: false,
            } => {
                write!(
                    f,
                    "kept tool result {id:?} as text: no tool use before it has that id"
                )
            }
            Self::ResultKeptAsText { id, repeated: true } => {
                write!(
                    f,
                    "kept tool result {id:?} as text: the tool use is already answered"
                )
            }
            Self::UseAnswered { id } => {
                write!(
                    f,
                    "answered tool use {id:?}, which had no result, with an error"
                )
            }
            Self::DuplicateToolDropped { tool } => {
                write!(f, "dropped the second declaration of tool {tool:?}")
            }
            Self::ToolRenamed { client, kiro } => write!(f, "renamed tool {client:?} to {kiro:?}"),
            Self::ToolStubAdded { tool } => {
                write!(f, "declared tool {tool:?}, which the history uses")
            }
            Self::DescriptionFilled { tool } => {
                write!(f, "filled the empty description of tool {tool:?}")
            }
            Self::DescriptionMoved { tool, bytes } => write!(
                f,
                "moved the description of tool {tool:?}, {bytes} bytes, to the system prompt"
            ),
            Self::SchemaSimplified { tool, keywords } => {
                write!(f, "simplified the schema of tool {tool:?}")?;
                if !keywords.is_empty() {
                    write!(f, ", without {}", keywords.join(", "))?;
                }
                Ok(())
            }
            Self::SchemaReferenceCut {
                tool,
                reference,
                why,
            } => {
                write!(f, "cut {reference:?} in the schema of tool {tool:?}: {why}")
            }
            Self::SchemaReplaced { tool } => {
                write!(
                    f,
                    "replaced the schema of tool {tool:?}, which nests too deeply"
                )
            }
        }
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
