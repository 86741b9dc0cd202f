//! Ids that are the same for the same conversation.
//!
//! The service keeps no state that a request could rely on; a stable id lets it find a growing
//! conversation again in its caches. So ids are digests of what does not change while it grows.

use sha2::{Digest as _, Sha256};

use crate::conversation::{Block, Conversation, Role};

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
            add(&mut digest, conversation.model.as_bytes());
            for paragraph in &conversation.system {
                add(&mut digest, paragraph.escaped().as_bytes());
            }
            let of_user = |role| role == Role::User;
            let first = conversation.turns.iter().find(|turn| of_user(turn.role));
            for block in first.into_iter().flat_map(|turn| &turn.blocks) {
                if let Block::Text(text) = block {
                    add(&mut digest, text.escaped().as_bytes());
                }
            }
        }
    }
    uuid_shaped(&digest.finalize())
}

/// An id of the current user turn: the same through all tool rounds that it causes.
///
/// Source: captures of the official component keep it so (October 2026).
pub(super) fn continuation(conversation: &Conversation) -> String {
    let said = |block: &Block| matches!(block, Block::Text(_) | Block::Image(_));
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
        for block in &turn.blocks {
            if let Block::Text(text) = block {
                add(&mut digest, text.escaped().as_bytes());
            }
        }
    }
    uuid_shaped(&digest.finalize())
}

/// `[A-Za-z0-9._:-]{1,256}`
fn is_legal(id: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-');
    (1..=256).contains(&id.len()) && id.bytes().all(legal)
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
