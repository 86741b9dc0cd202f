//! Check and repair: from any conversation to one that Kiro takes.

use super::diagnostic::Diagnostic;
use super::ids;
use super::names::ToolNames;
use super::rules;
use super::schema::SchemaCache;
use crate::conversation::Conversation;

/// What the caller decides about the repair.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct PrepareOptions<'a> {
    /// Told apart by this, two tenants with the same conversation get different conversation ids.
    pub salt: &'a [u8],
    /// What becomes of earlier thoughts of the model.
    pub reasoning: ReasoningHistory,
    /// Which pictures are sent.
    pub images: ImageLimits,
    /// Where simplified schemas are remembered. Without it each is simplified again.
    pub schemas: Option<&'a SchemaCache>,
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

/// Which pictures are sent. The others are replaced by words, so that the model knows of them.
///
/// Source: clients send at most 10 or 20 pictures of at most 3.75 MB or 10 MB each (the official CLI and
/// the official language server, October 2026); the service has a reason for refusing either, and nobody
/// has published where. The defaults are the language server's number and the CLI's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImageLimits {
    /// Most pictures in a request; the newest are kept. 20 by default, 0 for a model that cannot see.
    pub count: usize,
    /// Most bytes of one picture. 10 MB by default.
    pub bytes: usize,
}

impl Default for ImageLimits {
    fn default() -> Self {
        Self {
            count: 20,
            bytes: 10_000_000,
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

/// Repairs a conversation to Kiro's rules.
///
/// The input stays as it is; texts and pictures are shared, not copied. The same input gives the same
/// result. No text of the user and no tool result is lost, and nothing is added to a conversation that
/// obeys the rules.
///
/// What a conversation becomes does not change when it grows: if `longer` begins with the turns of
/// `shorter`, has the same system prompt and tools, and `shorter` ends with a turn of the user, then all
/// turns but the last that `shorter` becomes are also the first that `longer` becomes, and the last one
/// is too when the assistant speaks next. See [`build`](super::build()) for what that means in bytes.
/// The exception is a picture that is replaced because there are too many newer ones.
pub fn prepare(conversation: &Conversation, options: &PrepareOptions<'_>) -> Prepared {
    let id = ids::conversation(conversation, options.salt);
    let mut repaired = conversation.clone();
    let mut diagnostics = Vec::new();
    if conversation.id.as_ref().is_some_and(|given| *given != id) {
        diagnostics.push(Diagnostic::ConversationIdReplaced);
    }
    repaired.id = Some(id);

    diagnostics.extend(rules::speakers(&mut repaired));
    diagnostics.extend(rules::thoughts(&mut repaired, options.reasoning));
    diagnostics.extend(rules::blanks(&mut repaired));
    diagnostics.extend(rules::system_alone(&mut repaired));
    diagnostics.extend(rules::neighbours(&mut repaired));
    diagnostics.extend(rules::one_thought(&mut repaired));
    let (renamed, tool_names, undeclared) = rules::names(&mut repaired);
    diagnostics.extend(renamed);
    diagnostics.extend(rules::stubs(&mut repaired, undeclared));
    diagnostics.extend(rules::descriptions(&mut repaired));
    diagnostics.extend(rules::schemas(&mut repaired, options.schemas));
    diagnostics.extend(rules::opening(&mut repaired));
    diagnostics.extend(rules::current(&mut repaired));
    diagnostics.extend(rules::lifted_images(&mut repaired));
    diagnostics.extend(rules::image_limits(&mut repaired, options.images));
    diagnostics.extend(rules::result_texts(&mut repaired));
    diagnostics.extend(rules::pairs(&mut repaired));

    Prepared {
        conversation: repaired,
        tool_names,
        diagnostics,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_table_of_rules_is_what_is_done_in_its_order() {
        let names = |text: &str, before: &str, after: char| -> Vec<String> {
            let parts = text.split(before).skip(1);
            let names = parts.filter_map(|part| part.split(after).next());
            names.map(str::to_owned).collect()
        };
        let table = names(include_str!("rules/mod.rs"), "//! | [`", '`');
        let (code, _) = include_str!("prepare.rs")
            .split_once("#[cfg(test)]")
            .unwrap();
        assert_eq!(names(code, "rules::", '('), table);
    }
}
