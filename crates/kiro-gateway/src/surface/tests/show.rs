//! Conversations as text, for people to read.

use std::fmt::Write as _;

use kiro_protocol::conversation::{
    Block, Conversation, Image, Reasoning, ResultPart, Role, Sampling, ToolResult,
};

/// A conversation, one block a line.
pub(in crate::surface) fn conversation(conversation: &Conversation) -> String {
    let mut out = format!("model {}\n", conversation.model);
    for text in &conversation.system {
        writeln!(out, "system {text:?}").unwrap();
    }
    for turn in &conversation.turns {
        let role = match turn.role {
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        writeln!(out, "{role}").unwrap();
        for block in &turn.blocks {
            writeln!(out, "  {}", self::block(block)).unwrap();
        }
    }
    for tool in &conversation.tools {
        let schema = tool.schema.as_str();
        writeln!(out, "tool {} {:?} {schema}", tool.name, tool.description).unwrap();
    }
    // As it is, so that no knob is left out.
    let sampling = format!("{:?}", conversation.sampling);
    if sampling != format!("{:?}", Sampling::default()) {
        writeln!(out, "{sampling}").unwrap();
    }
    if let Some(session) = &conversation.session {
        writeln!(out, "session {session:?}").unwrap();
    }
    out
}

fn block(block: &Block) -> String {
    match block {
        Block::Text(text) => format!("text {text:?}"),
        Block::Image(image) => self::image(image),
        Block::ToolUse(call) => {
            format!("tool_use {} {} {}", call.id, call.name, call.input.as_str())
        }
        Block::ToolResult(result) => tool_result(result),
        Block::Reasoning(Reasoning::Signed { text, .. }) => format!("reasoning {text:?}"),
        other => format!("{other:?}"),
    }
}

fn tool_result(result: &ToolResult) -> String {
    let failed = if result.is_error { " failed" } else { "" };
    let parts = result.content.iter().map(|part| match part {
        ResultPart::Text(text) => format!("\n    text {text:?}"),
        ResultPart::Image(image) => format!("\n    {}", self::image(image)),
    });
    format!(
        "tool_result {}{failed}{}",
        result.id,
        parts.collect::<String>()
    )
}

fn image(image: &Image) -> String {
    format!("image {} {}", image.format().as_str(), image.base64())
}
