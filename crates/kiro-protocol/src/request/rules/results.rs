//! Tool uses and the results that answer them.

use std::collections::{HashMap, VecDeque};
use std::mem;

use super::turns::is_blank;
use crate::conversation::{Block, Conversation, ResultPart, Role, ToolResult, Turn};
use crate::request::diagnostic::Diagnostic;
use crate::request::names::UseIds;
use crate::text::JsonText;

/// Every result says something.
///
/// Source: an empty list of contents is refused (official SDK's model); that blank text is no better is
/// what most gateways assume, October 2026.
pub(in crate::request) fn result_texts(conversation: &mut Conversation) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for block in conversation
        .turns
        .iter_mut()
        .flat_map(|turn| &mut turn.blocks)
    {
        let Block::ToolResult(result) = block else {
            continue;
        };
        result.content.retain(|part| !says_nothing(part));
        if result.content.is_empty() {
            result.content.push(ResultPart::Text("(no output)".into()));
            found.push(Diagnostic::ResultFilled {
                id: result.id.clone(),
            });
        }
    }
    found
}

pub(super) fn says_nothing(part: &ResultPart) -> bool {
    matches!(part, ResultPart::Text(text) if is_blank(text))
}

/// Every use is answered once, in the user message that follows it, and has an id of its own.
///
/// - Uses get legal and unique ids, and results the id of the use that they answer. Two uses with one id
///   are answered in their order.
/// - A result that answers no use of the message before, or one that is already answered, becomes text
///   of its message. It is never deleted: it may be the only record of what a tool did.
/// - A use without a result is answered with an error, so that the model sees that it did not run.
///
/// Source: 400 `TOOL_USE_RESULT_MISMATCH`; the official CLI turns orphans into text and answers open
/// uses in the same way, October 2026.
pub(in crate::request) fn pairs(conversation: &mut Conversation) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut ids = UseIds::default();
    let mut open = OpenUses::default();
    for turn in &mut conversation.turns {
        match turn.role {
            Role::Assistant => open = OpenUses::identify(turn, &mut ids, &mut found),
            Role::User => mem::take(&mut open).answer(turn, &mut found),
        }
    }
    found
}

/// The uses of one assistant message that are not answered yet.
#[derive(Default)]
struct OpenUses {
    /// Kiro's ids in the order of the uses; `None` once answered.
    kiro_ids: Vec<Option<String>>,
    /// Where in `kiro_ids` the uses with one of the client's ids are, in order.
    by_client: HashMap<String, VecDeque<usize>>,
}

impl OpenUses {
    fn identify(turn: &mut Turn, ids: &mut UseIds, found: &mut Vec<Diagnostic>) -> Self {
        let mut open = Self::default();
        for block in &mut turn.blocks {
            let Block::ToolUse(call) = block else {
                continue;
            };
            let kiro = ids.next(&call.id);
            let client = mem::replace(&mut call.id, kiro.clone());
            if client != kiro {
                found.push(Diagnostic::UseIdChanged {
                    client: client.clone(),
                    kiro: kiro.clone(),
                });
            }
            open.by_client
                .entry(client)
                .or_default()
                .push_back(open.kiro_ids.len());
            open.kiro_ids.push(Some(kiro));
        }
        open
    }

    fn answer(mut self, turn: &mut Turn, found: &mut Vec<Diagnostic>) {
        let mut blocks = Vec::with_capacity(turn.blocks.len());
        for block in mem::take(&mut turn.blocks) {
            let Block::ToolResult(mut result) = block else {
                blocks.push(block);
                continue;
            };
            match self.take(&result.id) {
                Some(kiro) => {
                    result.id = kiro;
                    blocks.push(Block::ToolResult(result));
                }
                None => {
                    let repeated = self.by_client.contains_key(&result.id);
                    found.push(Diagnostic::ResultKeptAsText {
                        id: result.id.clone(),
                        repeated,
                    });
                    blocks.extend(as_texts(result));
                }
            }
        }
        for id in self.kiro_ids.into_iter().flatten() {
            found.push(Diagnostic::UseAnswered { id: id.clone() });
            blocks.push(Block::ToolResult(ToolResult {
                id,
                content: vec![ResultPart::Text("No output was recorded.".into())],
                is_error: true,
            }));
        }
        turn.blocks = blocks;
    }

    fn take(&mut self, client: &str) -> Option<String> {
        let index = self.by_client.get_mut(client)?.pop_front()?;
        self.kiro_ids.get_mut(index)?.take()
    }
}

/// A result as paragraphs of its message.
fn as_texts(result: ToolResult) -> impl Iterator<Item = Block> {
    let heading = if result.is_error {
        "Tool error:"
    } else {
        "Tool result:"
    };
    let texts = result.content.into_iter().map(|part| match part {
        ResultPart::Text(text) => Block::Text(text),
        ResultPart::Image(image) => Block::Image(image),
    });
    [Block::Text(JsonText::new(heading))]
        .into_iter()
        .chain(texts)
}

#[cfg(test)]
mod tests {
    use super::super::transcript::{assert_becomes, assert_stays};
    use super::*;

    #[test]
    fn a_result_without_words_says_so() {
        let found = assert_becomes(
            result_texts,
            "user: result t1 | error t2 \u{2028} | result t3 a + \t + b",
            "user: result t1 (no output) | error t2 (no output) | result t3 a + b",
        );
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn every_use_is_answered_and_no_result_is_lost() {
        let found = assert_becomes(
            pairs,
            "user: result t0 orphan
             assistant: use t1 read | use t2 read | use t3 read
             user: result t3 c | error t9 stray + more | result t1 a | result t1 again | Go on.
             assistant: Done.
             user: result t2 late",
            "user: Tool result: | orphan
             assistant: use t1 read | use t2 read | use t3 read
             user: result t3 c | Tool error: | stray | more | result t1 a | Tool result: | again | Go on. | error t2 No output was recorded.
             assistant: Done.
             user: Tool result: | late",
        );
        let text = |id: &str, repeated| Diagnostic::ResultKeptAsText {
            id: id.to_owned(),
            repeated,
        };
        assert_eq!(
            found,
            [
                text("t0", false),
                text("t9", false),
                text("t1", true),
                Diagnostic::UseAnswered {
                    id: "t2".to_owned()
                },
                text("t2", false),
            ]
        );
    }

    #[test]
    fn ids_change_with_their_results() {
        assert_becomes(
            pairs,
            "user: Go.
             assistant: use call.1 read | use call.1 read
             user: result call.1 first | result call.1 second
             assistant: use t1 read
             user: result t1 a
             assistant: use t1 read
             user: result t1 b",
            "user: Go.
             assistant: use call_1_e8b7b7b3 read | use call_1_a6daad43 read
             user: result call_1_e8b7b7b3 first | result call_1_a6daad43 second
             assistant: use t1 read
             user: result t1 a
             assistant: use t1_7bbaceb8 read
             user: result t1_7bbaceb8 b",
        );
    }

    #[test]
    fn matching_results_are_left_alone() {
        assert_stays(
            pairs,
            "user: Go.
             assistant: use t1 read | use t2 list
             user: result t2 b | error t1 a | image png
             assistant: Done.
             user: Thanks.",
        );
    }
}
