//! Ids that are the same for the same conversation.
//!
//! The service keeps no state that a request could rely on; a stable id lets it find a growing
//! conversation again in its caches. So ids are digests of what does not change while it grows: not of the
//! spelling in JSON, in which a text may come back when a client or a gateway keeps it.

use sha2::{Digest as _, Sha256};

use crate::conversation::{Block, Conversation, Role, Turn};

/// An id of the conversation: the given one when the service takes it, else a digest.
///
/// Whoever knows the salt of no other tenant cannot ask for another tenant's id.
///
/// Source: the service answers a bad id with `INVALID_CONVERSATION_ID`; the accepted form is one
/// gateway's (October 2026).
pub(super) fn conversation(conversation: &Conversation, salt: &[u8]) -> String {
    let mut digest = Sha256::new();
    add(&mut digest, salt);
    match &conversation.id {
        Some(id) if is_legal(id) => return id.clone(),
        Some(id) if !id.is_empty() => add(&mut digest, id.as_bytes()),
        _ => {
            if let Some(session) = &conversation.session {
                add(&mut digest, session.as_bytes());
            }
            add(&mut digest, conversation.model.as_bytes());
            for paragraph in &conversation.system {
                add(&mut digest, paragraph.unescape().as_bytes());
            }
            let by_user = |turn: &&Turn| turn.role == Role::User;
            if let Some(first) = conversation.turns.iter().find(by_user) {
                add_said(&mut digest, first);
            }
        }
    }
    uuid_shaped(&digest.finalize())
}

/// An id of the current user turn: the same through all tool rounds that it causes.
///
/// Source: captures of the official component keep it so (October 2026).
pub(super) fn continuation(conversation: &Conversation) -> String {
    let said = |block: &Block| match block {
        Block::Text(_) | Block::Image(_) => true,
        Block::ToolUse(_) | Block::ToolResult(_) | Block::Reasoning(_) => false,
    };
    let turns = conversation.turns.iter().enumerate().rev();
    let mut by_user = turns.filter(|(_, turn)| turn.role == Role::User);
    let current = by_user.find(|(_, turn)| turn.blocks.iter().any(said));
    let mut digest = Sha256::new();
    add(
        &mut digest,
        conversation.id.as_deref().unwrap_or_default().as_bytes(),
    );
    if let Some((index, turn)) = current {
        add(&mut digest, &index.to_be_bytes());
        add_said(&mut digest, turn);
    }
    uuid_shaped(&digest.finalize())
}

/// `[A-Za-z0-9._:-]{1,256}`
fn is_legal(id: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-');
    (1..=256).contains(&id.len()) && id.bytes().all(legal)
}

/// Adds what a user said and showed.
fn add_said(digest: &mut Sha256, turn: &Turn) {
    for block in &turn.blocks {
        match block {
            Block::Text(text) => add(digest, text.unescape().as_bytes()),
            // The end of a picture tells it from others; hashing megabytes would tell no more.
            Block::Image(image) => {
                let base64 = image.base64().as_bytes();
                let end = base64.len().saturating_sub(64);
                add(digest, &base64.len().to_be_bytes());
                add(digest, &base64[end..]);
            }
            // What the model said, and what tools answer, comes of it.
            Block::ToolUse(_) | Block::ToolResult(_) | Block::Reasoning(_) => {}
        }
    }
}

/// Adds one part with its length, so that `ab`, `c` and `a`, `bc` differ.
fn add(digest: &mut Sha256, part: &[u8]) {
    digest.update((part.len() as u64).to_be_bytes());
    digest.update(part);
}

/// The first 16 bytes as a UUID, labelled as version 5: made from a name, and taken by every check for
/// a UUID, although the hash is not the one that version 5 prescribes.
fn uuid_shaped(digest: &[u8]) -> String {
    let mut hex = String::with_capacity(36);
    for (index, byte) in digest.iter().take(16).enumerate() {
        let byte = match index {
            6 => byte & 0x0f | 0x50,
            8 => byte & 0x3f | 0x80,
            _ => *byte,
        };
        if matches!(index, 4 | 6 | 8 | 10) {
            hex.push('-');
        }
        for digit in [byte >> 4, byte & 0x0f] {
            hex.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::JsonText;

    fn asked(model: &str, system: &str, turns: &[(Role, &str)]) -> Conversation {
        let mut asked = Conversation::new(model);
        asked.system = vec![system.into()];
        let turn = |(role, text): &(Role, &str)| Turn::new(*role, [Block::Text((*text).into())]);
        asked.turns = turns.iter().map(turn).collect();
        asked
    }

    #[test]
    fn a_conversation_keeps_its_id_while_it_grows() {
        let short = asked("m", "s", &[(Role::User, "a")]);
        let long = asked(
            "m",
            "s",
            &[(Role::User, "a"), (Role::Assistant, "b"), (Role::User, "c")],
        );
        let id = conversation(&short, b"tenant");
        assert_eq!(conversation(&long, b"tenant"), id);
        assert_eq!(id.len(), 36);
        assert_eq!(&id[14..15], "5");
    }

    #[test]
    fn what_makes_another_conversation_makes_another_id() {
        let user = |text| asked("m", "s", &[(Role::User, text)]);
        let id = conversation(&user("a"), b"tenant");
        for (other, salt) in [
            (user("b"), "tenant"),
            (user("a"), "other"),
            (asked("n", "s", &[(Role::User, "a")]), "tenant"),
            (asked("m", "t", &[(Role::User, "a")]), "tenant"),
            (asked("ms", "", &[(Role::User, "a")]), "tenant"),
        ] {
            assert_ne!(conversation(&other, salt.as_bytes()), id);
        }
    }

    #[test]
    fn a_session_tells_conversations_apart_and_stays_here() {
        let in_session = |session: &str| {
            let mut asked = asked("m", "s", &[(Role::User, "a")]);
            asked.session = Some(session.to_owned());
            conversation(&asked, b"tenant")
        };
        let none = conversation(&asked("m", "s", &[(Role::User, "a")]), b"tenant");
        assert_eq!(in_session("one"), in_session("one"));
        assert_ne!(in_session("one"), in_session("two"));
        assert_ne!(in_session("one"), none);
        assert!(!in_session("abcd").contains("abcd"));
        assert_eq!(in_session("one").len(), 36);
    }

    #[test]
    fn another_spelling_of_the_same_is_the_same_conversation() {
        let spelled = |system: &'static str, text: &'static str| {
            let text_of = |escaped: &'static str| JsonText::from_escaped(escaped.into()).unwrap();
            let mut asked = Conversation::new("m");
            asked.system = vec![text_of(system)];
            asked.turns = vec![Turn::new(Role::User, [Block::Text(text_of(text))])];
            asked
        };
        let plain = spelled("é/\\n", "a 😀");
        let escaped = spelled("\\u00e9\\/\\u000A", "\\u0061 \\ud83d\\ude00");
        assert_eq!(conversation(&plain, b""), conversation(&escaped, b""));
        assert_eq!(continuation(&plain), continuation(&escaped));
    }

    #[test]
    fn a_legal_id_is_kept_and_another_is_digested() {
        let mut given = asked("m", "s", &[(Role::User, "a")]);
        for id in ["6f1f7a2e-4f0e-4a53-9a9b-0d6b1b0f2c11", "sess_1:2.3"] {
            given.id = Some(id.to_owned());
            assert_eq!(conversation(&given, b""), id);
        }
        let derived = conversation(&asked("m", "s", &[(Role::User, "a")]), b"");
        given.id = Some(String::new());
        assert_eq!(conversation(&given, b""), derived);
        given.id = Some("with a space".to_owned());
        let digested = conversation(&given, b"");
        assert!(is_legal(&digested) && digested != derived);
    }

    #[test]
    fn tool_rounds_of_one_turn_share_the_continuation() {
        let mut rounds = asked("m", "s", &[(Role::User, "a"), (Role::Assistant, "b")]);
        let first = continuation(&rounds);
        rounds.turns.push(Turn::new(Role::User, []));
        assert_eq!(continuation(&rounds), first);
        rounds
            .turns
            .push(Turn::new(Role::User, [Block::Text("a".into())]));
        assert_ne!(continuation(&rounds), first);
    }
}
