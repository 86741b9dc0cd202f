//! Tools and their declarations.

use std::mem;

use super::turns::is_blank;
use crate::conversation::{Block, Conversation, ToolSpec};
use crate::request::diagnostic::Diagnostic;
use crate::request::names::{Naming, ToolNames};
use crate::request::schema::{SchemaCache, Simplifier, any_object};
use crate::text::JsonText;

/// Tools have legal names, each its own, also where the history uses them. Of two declarations of one
/// name the first is kept.
///
/// Also returns the way back and the tools that were used without being declared.
///
/// Source: the reason `TOOL_DUPLICATE` in the official SDK; most gateways on legal names, October 2026.
pub(in crate::request) fn names(
    conversation: &mut Conversation,
) -> (Vec<Diagnostic>, ToolNames, Vec<String>) {
    let mut found = Vec::new();
    let mut naming = Naming::default();
    for mut tool in mem::take(&mut conversation.tools) {
        match naming.declare(&tool.name) {
            Some(kiro) => {
                let kiro = kiro.to_owned();
                note_renamed(&tool.name, &kiro, &mut found);
                tool.name = kiro;
                conversation.tools.push(tool);
            }
            None => found.push(Diagnostic::DuplicateToolDropped { tool: tool.name }),
        }
    }
    let mut undeclared = Vec::new();
    for block in conversation
        .turns
        .iter_mut()
        .flat_map(|turn| &mut turn.blocks)
    {
        let Block::ToolUse(call) = block else {
            continue;
        };
        let (kiro, is_new) = naming.of_use(&call.name);
        if is_new {
            note_renamed(&call.name, &kiro, &mut found);
            undeclared.push(kiro.clone());
        }
        call.name = kiro;
    }
    (found, ToolNames::new(naming.renamed()), undeclared)
}

fn note_renamed(client: &str, kiro: &str, found: &mut Vec<Diagnostic>) {
    if client != kiro {
        found.push(Diagnostic::ToolRenamed {
            client: client.to_owned(),
            kiro: kiro.to_owned(),
        });
    }
}

/// Tools that were used are declared, even if the client does not offer them in this turn.
///
/// Source: a result for an undeclared tool is a validation error (the official CLI, which declares a
/// `dummy` instead; several gateways declare stubs), October 2026.
pub(in crate::request) fn stubs(
    conversation: &mut Conversation,
    undeclared: Vec<String>,
) -> Vec<Diagnostic> {
    let stub = |name: String| {
        conversation.tools.push(ToolSpec {
            name: name.clone(),
            description: "Was used earlier in this conversation and is not available now.".into(),
            schema: any_object(),
        });
        Diagnostic::ToolStubAdded { tool: name }
    };
    undeclared.into_iter().map(stub).collect()
}

/// Longest description of a tool, in bytes of UTF-8.
///
/// Source: the service refuses descriptions somewhere above 10,000 characters; clients cut at 9,216 to
/// 10,237 bytes (October 2026). The least of these is safe.
const MAX_DESCRIPTION: usize = 9_216;

/// Tools have a description, and not too long a one. A longer one moves whole to the system prompt,
/// because its end often holds the rules that matter.
///
/// Source: one gateway moves them so; another drops tools without a description because the service
/// refuses them (October 2026).
pub(in crate::request) fn descriptions(conversation: &mut Conversation) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for tool in &mut conversation.tools {
        if is_blank(&tool.description) {
            tool.description = JsonText::new(&format!("Tool: {}", tool.name));
            found.push(Diagnostic::DescriptionFilled {
                tool: tool.name.clone(),
            });
        }
        // Escaping only lengthens a text, except for `\uXXXX` escapes of what UTF-8 has in fewer bytes.
        if tool.description.len() <= MAX_DESCRIPTION {
            continue;
        }
        let bytes = tool.description.unescape().len();
        if bytes > MAX_DESCRIPTION {
            let pointer = format!(
                "Described in the system prompt under \"## Tool: {}\".",
                tool.name
            );
            let heading = JsonText::new(&format!("## Tool: {}", tool.name));
            let description = mem::replace(&mut tool.description, JsonText::new(&pointer));
            conversation.system.extend([heading, description]);
            found.push(Diagnostic::DescriptionMoved {
                tool: tool.name.clone(),
                bytes,
            });
        }
    }
    found
}

/// Schemas are plain object schemas; see [`Simplifier`].
pub(in crate::request) fn schemas(
    conversation: &mut Conversation,
    cache: Option<&SchemaCache>,
) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut simplifier = Simplifier::new(cache);
    for tool in &mut conversation.tools {
        tool.schema = simplifier.simplify(&tool.name, &tool.schema, &mut found);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::transcript::{conversation, transcript};
    use super::*;
    use crate::conversation::JsonObject;

    fn tool(name: &str, description: &str) -> ToolSpec {
        ToolSpec {
            name: name.to_owned(),
            description: description.into(),
            schema: any_object(),
        }
    }

    fn tool_names(conversation: &Conversation) -> Vec<&str> {
        conversation
            .tools
            .iter()
            .map(|tool| tool.name.as_str())
            .collect()
    }

    #[test]
    fn a_renamed_tool_has_one_name_everywhere() {
        let mut used = conversation(
            "user: Go.
             assistant: use t1 files.read | use t2 READ | use t3 gone | use t4 gone.too",
        );
        used.tools = ["files.read", "read", "files.read"]
            .map(|name| tool(name, "x"))
            .to_vec();
        let (found, names, undeclared) = names(&mut used);
        assert_eq!(tool_names(&used), ["files_read_601e4eb6", "read"]);
        assert_eq!(
            transcript(&used)[1],
            "assistant: use t1 files_read_601e4eb6 | use t2 READ | use t3 gone | use t4 gone_too_2b2c30ae"
        );
        assert_eq!(names.restore("files_read_601e4eb6"), "files.read");
        assert_eq!(names.restore("gone_too_2b2c30ae"), "gone.too");
        assert_eq!(undeclared, ["gone", "gone_too_2b2c30ae"]);
        let rules: Vec<_> = found.iter().map(Diagnostic::rule).collect();
        assert_eq!(
            rules,
            ["tool_renamed", "duplicate_tool_dropped", "tool_renamed"]
        );
    }

    #[test]
    fn a_tool_that_was_used_is_declared() {
        let mut used = conversation("");
        used.tools = vec![tool("read", "x")];
        let found = stubs(&mut used, vec!["gone".to_owned()]);
        assert_eq!(tool_names(&used), ["read", "gone"]);
        assert_eq!(used.tools[1].schema, any_object());
        assert_eq!(
            found,
            [Diagnostic::ToolStubAdded {
                tool: "gone".to_owned()
            }]
        );
    }

    #[test]
    fn every_tool_has_a_description_of_bearable_length() {
        let longest = "é".repeat(MAX_DESCRIPTION / 2);
        let lines = "\n".repeat(MAX_DESCRIPTION);
        let too_long = format!("{longest}.");
        let mut described = conversation("system: Be brief.");
        described.tools = [
            "",
            " \n",
            "x",
            &longest,
            &format!("{}x", &lines[1..]),
            &too_long,
        ]
        .iter()
        .enumerate()
        .map(|(index, description)| tool(&format!("t{index}"), description))
        .collect();
        let found = descriptions(&mut described);
        let description = |index: usize| described.tools[index].description.unescape().into_owned();
        assert_eq!(description(0), "Tool: t0");
        assert_eq!(description(1), "Tool: t1");
        assert_eq!(description(2), "x");
        assert_eq!(description(3), longest);
        assert_eq!(description(4).len(), MAX_DESCRIPTION);
        assert_eq!(
            description(5),
            "Described in the system prompt under \"## Tool: t5\"."
        );
        let system: Vec<_> = described.system.iter().map(JsonText::unescape).collect();
        assert_eq!(system, ["Be brief.", "## Tool: t5", &too_long]);
        let moved = Diagnostic::DescriptionMoved {
            tool: "t5".to_owned(),
            bytes: MAX_DESCRIPTION + 1,
        };
        assert_eq!(found[2..], [moved]);
    }

    #[test]
    fn a_plain_schema_keeps_its_text() {
        let text = r#"{ "type": "object", "properties": { "a": { "type": "string" } } }"#;
        let mut plain = conversation("");
        plain.tools = vec![tool("t", "x")];
        plain.tools[0].schema = JsonObject::parse(text).unwrap();
        assert_eq!(schemas(&mut plain, None), []);
        assert_eq!(plain.tools[0].schema.as_str(), text);
    }
}
