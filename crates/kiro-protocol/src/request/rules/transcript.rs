//! Conversations in a notation that tests can be read in.
//!
//! ```text
//! user: What does it say? | image
//! assistant: I will look. | use t1 read | use t2 list
//! user: result t1 some text | error t2 permission denied | And now?
//! assistant: signed Well … | unsigned Hm … | redacted AAAA
//! user:
//! ```
//!
//! One line per turn, blocks separated by ` | `. What has no keyword is text.

use crate::conversation::{
    Block, Conversation, Image, JsonObject, Reasoning, ResultPart, Role, ToolResult, ToolUse, Turn,
};

/// Reads a conversation.
pub(super) fn conversation(transcript: &str) -> Conversation {
    let mut conversation = Conversation::new("claude-sonnet-4.5");
    let lines = transcript
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    for line in lines {
        let (speaker, said) = line.split_once(':').expect("a speaker");
        let blocks = said.split('|').filter(|block| !block.is_empty()).map(block);
        match speaker {
            "system" => conversation.system.push(said.trim().into()),
            "user" => conversation.turns.push(Turn::new(Role::User, blocks)),
            "assistant" => conversation.turns.push(Turn::new(Role::Assistant, blocks)),
            other => panic!("{other}?"),
        }
    }
    conversation
}

/// Writes a conversation, one turn per item.
pub(super) fn transcript(conversation: &Conversation) -> Vec<String> {
    let system = conversation.system.iter();
    let system = system.map(|paragraph| format!("system: {}", paragraph.unescape()));
    let turns = conversation.turns.iter().map(|turn| {
        let blocks: Vec<String> = turn.blocks.iter().map(words).collect();
        format!("{}: {}", turn.role, blocks.join(" | "))
            .trim()
            .to_owned()
    });
    system.chain(turns).collect()
}

/// Applies a rule to a conversation and compares what becomes of it.
pub(super) fn assert_becomes<R>(
    rule: impl FnOnce(&mut Conversation) -> R,
    before: &str,
    after: &str,
) -> R {
    let mut repaired = conversation(before);
    let found = rule(&mut repaired);
    assert_eq!(transcript(&repaired), transcript(&conversation(after)));
    found
}

/// Applies a rule to a conversation that it must leave alone.
pub(super) fn assert_stays<D>(rule: impl FnOnce(&mut Conversation) -> Vec<D>, before: &str) {
    assert!(assert_becomes(rule, before, before).is_empty());
}

fn block(text: &str) -> Block {
    // White space counts in a text that is nothing else.
    let text = if text.trim().is_empty() {
        text
    } else {
        text.trim()
    };
    let mut words = text.splitn(3, ' ');
    let (keyword, first, rest) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let after = text.split_once(' ').map_or("", |(_, after)| after);
    match keyword {
        "image" => Block::Image(image(first)),
        "use" => Block::ToolUse(ToolUse {
            id: first.to_owned(),
            name: rest.to_owned(),
            input: JsonObject::empty(),
        }),
        "result" | "error" => Block::ToolResult(ToolResult {
            id: first.to_owned(),
            content: rest
                .split(" + ")
                .filter(|part| !part.is_empty())
                .map(part)
                .collect(),
            is_error: keyword == "error",
        }),
        "signed" | "unsigned" => Block::Reasoning(Reasoning::Signed {
            text: after.into(),
            signature: if keyword == "signed" { "c2ln" } else { "" }.to_owned(),
        }),
        "redacted" => Block::Reasoning(Reasoning::Redacted(after.to_owned())),
        _ => Block::Text(text.into()),
    }
}

fn part(text: &str) -> ResultPart {
    match text.split_once(' ') {
        Some(("image", kind)) => ResultPart::Image(image(kind)),
        _ => ResultPart::Text(text.into()),
    }
}

fn image(kind: &str) -> Image {
    Image::from_base64(if kind == "gif" {
        "R0lGODlh"
    } else {
        "iVBORw0KGgo="
    })
    .expect("a picture")
}

fn words(block: &Block) -> String {
    let image = |image: &Image| format!("image {}", image.format().as_str());
    match block {
        Block::Text(text) => text.unescape().into_owned(),
        Block::Image(picture) => image(picture),
        Block::ToolUse(call) => format!("use {} {}", call.id, call.name),
        Block::ToolResult(result) => {
            let parts = result.content.iter().map(|part| match part {
                ResultPart::Text(text) => text.unescape().into_owned(),
                ResultPart::Image(picture) => image(picture),
            });
            let kind = if result.is_error { "error" } else { "result" };
            format!(
                "{kind} {} {}",
                result.id,
                parts.collect::<Vec<_>>().join(" + ")
            )
        }
        Block::Reasoning(Reasoning::Signed { text, signature }) => {
            let kind = if signature.is_empty() {
                "unsigned"
            } else {
                "signed"
            };
            format!("{kind} {}", text.unescape())
        }
        Block::Reasoning(Reasoning::Redacted(base64)) => format!("redacted {base64}"),
    }
}
