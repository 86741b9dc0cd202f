//! Check and repair: from any conversation to one that Kiro takes.

use super::diagnostic::Diagnostic;
use super::ids;
use super::names::ToolNames;
use crate::conversation::Conversation;

/// What the caller decides about the repair.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct PrepareOptions<'a> {
    /// Told apart by this, two tenants with the same conversation get different conversation ids.
    pub salt: &'a [u8],
    /// What becomes of earlier thoughts of the model.
    pub reasoning: ReasoningHistory,
}

impl<'a> PrepareOptions<'a> {
    /// The defaults with a salt.
    pub fn new(salt: &'a [u8]) -> Self {
        Self {
            salt,
            ..Self::default()
        }
    }
}

/// What becomes of earlier thoughts of the model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReasoningHistory {
    /// Signed and redacted ones go back as they came; the rest is left out. The caller makes sure that
    /// they are the same model's.
    #[default]
    Keep,
    /// All are left out, which is always legal. For a second attempt after the service refused a
    /// signature.
    Drop,
}

/// A conversation that obeys Kiro's rules, and what had to be changed for that.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Prepared {
    /// The repaired conversation. An empty user turn in it stands for a placeholder, whose words are
    /// the wire profile's.
    pub conversation: Conversation,
    /// The way back for tool names that were changed.
    pub tool_names: ToolNames,
    /// What was changed and why, in the order of the rules.
    pub diagnostics: Vec<Diagnostic>,
}

/// Repairs a conversation to Kiro's rules. The input stays as it is; texts and pictures are shared, not
/// copied.
pub fn prepare(conversation: &Conversation, options: &PrepareOptions<'_>) -> Prepared {
    let mut repaired = conversation.clone();
    repaired.id = Some(ids::conversation(conversation, options.salt));
    Prepared {
        conversation: repaired,
        tool_names: ToolNames::default(),
        diagnostics: Vec::new(),
    }
}
