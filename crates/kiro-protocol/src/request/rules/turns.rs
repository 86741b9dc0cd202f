//! Who speaks when.

use std::mem;

use crate::conversation::{Block, Conversation, Reasoning, Role, Turn};
use crate::request::ReasoningHistory;
use crate::request::diagnostic::{Diagnostic, LostThoughts};
use crate::text::JsonText;

/// Every block is said by who can say it: results and pictures by the user, uses by the assistant.
///
/// Blocks in the wrong mouth move to a turn of the right speaker: before the user's turn, because what
/// the user says may answer them, or after the assistant's, because they may answer it. Thoughts of the
/// user are dropped.
///
/// Source: the shape of the two messages in the official streaming SDK, October 2026.
pub(in crate::request) fn speakers(conversation: &mut Conversation) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if conversation
        .turns
        .iter()
        .all(|turn| turn.blocks.iter().all(|block| is_sayable(turn.role, block)))
    {
        return found;
    }
    let turns = mem::take(&mut conversation.turns);
    for (index, turn) in turns.into_iter().enumerate() {
        let role = turn.role;
        let (own, mut foreign): (Vec<_>, Vec<_>) = turn
            .blocks
            .into_iter()
            .partition(|block| is_sayable(role, block));
        let n_moved = foreign.len();
        foreign.retain(|block| !(role == Role::User && matches!(block, Block::Reasoning(_))));
        for _ in foreign.len()..n_moved {
            found.push(Diagnostic::ThoughtsDropped {
                turn: index,
                why: LostThoughts::NotTheModels,
            });
        }
        let own = Turn::new(role, own);
        if foreign.is_empty() {
            conversation.turns.push(own);
            continue;
        }
        found.push(Diagnostic::BlocksMoved {
            turn: index,
            role,
            blocks: foreign.len(),
        });
        match role {
            Role::User => conversation
                .turns
                .extend([Turn::new(Role::Assistant, foreign), own]),
            Role::Assistant => conversation
                .turns
                .extend([own, Turn::new(Role::User, foreign)]),
        }
    }
    found
}

fn is_sayable(role: Role, block: &Block) -> bool {
    match block {
        Block::Text(_) => true,
        Block::Image(_) | Block::ToolResult(_) => role == Role::User,
        Block::ToolUse(_) | Block::Reasoning(_) => role == Role::Assistant,
    }
}

/// Only thoughts that are signed, or that only the model can read, go back; by policy none.
///
/// Dropping them is always legal. Source: several gateways agree, October 2026.
pub(in crate::request) fn thoughts(
    conversation: &mut Conversation,
    policy: ReasoningHistory,
) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (turn, Turn { blocks, .. }) in conversation.turns.iter_mut().enumerate() {
        blocks.retain(|block| {
            let Block::Reasoning(thoughts) = block else {
                return true;
            };
            let is_signed = match thoughts {
                Reasoning::Signed { signature, .. } => !signature.is_empty(),
                Reasoning::Redacted(base64) => !base64.is_empty(),
            };
            let why = match (policy, is_signed) {
                (ReasoningHistory::Drop, _) => LostThoughts::Policy,
                (ReasoningHistory::Keep, false) => LostThoughts::Unsigned,
                (ReasoningHistory::Keep, true) => return true,
            };
            found.push(Diagnostic::ThoughtsDropped { turn, why });
            false
        });
    }
    found
}

/// Texts of nothing but white space are dropped, and with them turns that hold nothing else.
///
/// Source: empty content is refused by older services (several gateways); that blank text is no better
/// is inferred.
pub(in crate::request) fn blanks(conversation: &mut Conversation) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    conversation.system.retain(|paragraph| !is_blank(paragraph));
    for turn in &mut conversation.turns {
        turn.blocks
            .retain(|block| !matches!(block, Block::Text(text) if is_blank(text)));
    }
    let mut index = 0;
    conversation.turns.retain(|turn| {
        if turn.blocks.is_empty() {
            found.push(Diagnostic::EmptyTurnDropped {
                turn: index,
                role: turn.role,
            });
        }
        index += 1;
        !turn.blocks.is_empty()
    });
    found
}

/// As [`JsonText::is_blank`], without looking at more than the first character that counts.
pub(super) fn is_blank(text: &JsonText) -> bool {
    let mut rest = text.escaped().trim_start();
    while let Some(after) = ["\\n", "\\r", "\\t"]
        .iter()
        .find_map(|space| rest.strip_prefix(space))
    {
        rest = after.trim_start();
    }
    match rest.as_bytes() {
        [] => true,
        // Any other escape may be a white space too, for example that of U+2028.
        [b'\\', ..] => text.is_blank(),
        _ => false,
    }
}

/// A system prompt without any turn is said by the user, so that there is something to answer.
pub(in crate::request) fn system_alone(conversation: &mut Conversation) -> Vec<Diagnostic> {
    if !conversation.turns.is_empty() || conversation.system.is_empty() {
        return Vec::new();
    }
    let said = mem::take(&mut conversation.system)
        .into_iter()
        .map(Block::Text);
    conversation.turns.push(Turn::new(Role::User, said));
    vec![Diagnostic::SystemPromptSaid]
}

/// Turns of one speaker in a row become one turn.
///
/// Source: an invariant of the official CLI, and several gateways, October 2026.
pub(in crate::request) fn neighbours(conversation: &mut Conversation) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut merged: Vec<Turn> = Vec::with_capacity(conversation.turns.len());
    for (index, turn) in mem::take(&mut conversation.turns).into_iter().enumerate() {
        match merged.last_mut() {
            Some(last) if last.role == turn.role => {
                last.blocks.extend(turn.blocks);
                found.push(Diagnostic::TurnMerged {
                    turn: index,
                    role: turn.role,
                });
            }
            _ => merged.push(turn),
        }
    }
    conversation.turns = merged;
    found
}

/// A message has one place for thoughts; the last ones are kept, which led to what the turn ends with.
///
/// Source: the shape in the official streaming SDK, October 2026.
pub(in crate::request) fn one_thought(conversation: &mut Conversation) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (turn, Turn { blocks, .. }) in conversation.turns.iter_mut().enumerate() {
        let is_thought = |block: &Block| matches!(block, Block::Reasoning(_));
        let mut surplus = blocks
            .iter()
            .filter(|block| is_thought(block))
            .count()
            .saturating_sub(1);
        blocks.retain(|block| {
            let drop = surplus > 0 && is_thought(block);
            if drop {
                surplus -= 1;
                found.push(Diagnostic::ThoughtsDropped {
                    turn,
                    why: LostThoughts::OnePlace,
                });
            }
            !drop
        });
    }
    found
}

/// The user speaks first. The system prompt is sent as a message of the user, so with one nothing is
/// missing.
///
/// Source: an invariant of the official CLI, and several gateways, October 2026.
pub(in crate::request) fn opening(conversation: &mut Conversation) -> Vec<Diagnostic> {
    let begins = conversation.turns.first().map(|turn| turn.role);
    if begins != Some(Role::Assistant) || !conversation.system.is_empty() {
        return Vec::new();
    }
    conversation.turns.insert(0, Turn::new(Role::User, []));
    vec![Diagnostic::OpeningAdded]
}

/// The user speaks last: Kiro's current message can be nobody else's.
///
/// Source: the shape in the official streaming SDK, October 2026.
pub(in crate::request) fn current(conversation: &mut Conversation) -> Vec<Diagnostic> {
    let ends = conversation.turns.last().map(|turn| turn.role);
    if ends != Some(Role::Assistant) {
        return Vec::new();
    }
    conversation.turns.push(Turn::new(Role::User, []));
    vec![Diagnostic::CurrentAdded]
}

#[cfg(test)]
mod tests {
    use super::super::transcript::{assert_becomes, assert_stays};
    use super::*;

    /// A conversation that obeys every rule.
    const VALID: &str = "
        system: Be brief.
        user: What does it say? | image png
        assistant: signed Look first. | I will look. | use t1 read | use t2 list
        user: result t2 a b c | error t1 denied | image gif | Take your time.
        assistant: Done.
        user: Thanks.";

    #[test]
    fn a_valid_conversation_is_left_alone() {
        assert_stays(speakers, VALID);
        assert_stays(|c| thoughts(c, ReasoningHistory::Keep), VALID);
        assert_stays(blanks, VALID);
        assert_stays(system_alone, VALID);
        assert_stays(neighbours, VALID);
        assert_stays(one_thought, VALID);
        assert_stays(opening, VALID);
        assert_stays(current, VALID);
    }

    #[test]
    fn blocks_move_to_the_speaker_who_can_say_them() {
        assert_becomes(
            speakers,
            "user: Go. | use t1 read | result t1 text
             assistant: So … | result t2 text | image png | … it is. | use t3 read
             user: signed Mine. | Hm.",
            "assistant: use t1 read
             user: Go. | result t1 text
             assistant: So … | … it is. | use t3 read
             user: result t2 text | image png
             user: Hm.",
        );
    }

    #[test]
    fn only_signed_thoughts_go_back() {
        let before = "assistant: unsigned One. | signed Two. | redacted AAAA | redacted | Text.";
        let keep = |c: &mut _| thoughts(c, ReasoningHistory::Keep);
        let found = assert_becomes(
            keep,
            before,
            "assistant: signed Two. | redacted AAAA | Text.",
        );
        assert_eq!(found.len(), 2);
        let drop = |c: &mut _| thoughts(c, ReasoningHistory::Drop);
        let found = assert_becomes(drop, before, "assistant: Text.");
        assert_eq!(found.len(), 4);
    }

    #[test]
    fn a_message_keeps_the_last_of_its_thoughts() {
        assert_becomes(
            one_thought,
            "assistant: signed One. | Text. | redacted AAAA | signed Two. | use t1 read",
            "assistant: Text. | signed Two. | use t1 read",
        );
    }

    #[test]
    fn turns_that_say_nothing_are_dropped() {
        let found = assert_becomes(
            blanks,
            "user: Hello. |  | \t
             assistant:
             user:   |
             assistant:  | use t1 read
             user: result t1",
            "user: Hello.
             assistant: use t1 read
             user: result t1",
        );
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn blank_is_told_from_text_by_any_white_space() {
        for (text, blank) in [
            ("", true),
            (" \n\r\t\u{2028}\u{85}\u{a0}\u{3000} \n", true),
            (" \n x", false),
            ("\u{200b}", false),
            ("\\n", false),
            ("\u{1}", false),
            ("\"", false),
        ] {
            assert_eq!(is_blank(&text.into()), blank, "{text:?}");
            assert_eq!(JsonText::from(text).is_blank(), blank, "{text:?}");
        }
    }

    #[test]
    fn a_lone_system_prompt_is_said_by_the_user() {
        let found = assert_becomes(system_alone, "system: Say hello.", "user: Say hello.");
        assert_eq!(found, [Diagnostic::SystemPromptSaid]);
        assert_stays(system_alone, "");
    }

    #[test]
    fn neighbours_merge_and_lose_nothing() {
        let found = assert_becomes(
            neighbours,
            "user: One.
             user: Two. | image png
             assistant: use t1 read
             assistant: use t2 read
             user: result t1 a
             user: result t2 b
             user: Three.",
            "user: One. | Two. | image png
             assistant: use t1 read | use t2 read
             user: result t1 a | result t2 b | Three.",
        );
        assert_eq!(found.len(), 4);
    }

    #[test]
    fn the_user_speaks_first_and_last() {
        assert_becomes(opening, "assistant: Hello.", "user:\nassistant: Hello.");
        assert_stays(opening, "system: Greet first.\nassistant: Hello.");
        assert_becomes(
            current,
            "user: Go on: one,\nassistant: two,",
            "user: Go on: one,\nassistant: two,\nuser:",
        );
        assert_stays(opening, "");
        assert_stays(current, "");
    }
}
