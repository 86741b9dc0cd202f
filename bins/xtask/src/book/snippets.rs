//! What of a page is code: blocks, and commands in the text.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A piece of code.
#[derive(Debug, PartialEq)]
pub(super) struct Snippet {
    pub(super) kind: Kind,
    pub(super) text: String,
    /// Where it begins.
    pub(super) line: usize,
}

#[derive(Debug, PartialEq)]
pub(super) enum Kind {
    /// A block, with the first word after its fence, which may be missing.
    Block(String),
    /// A command of ours among the words of a sentence.
    Command,
}

/// All of a page.
pub(super) fn snippets(page: &str) -> Vec<Snippet> {
    let mut snippets: Vec<Snippet> = Vec::new();
    let mut in_block = false;
    // With tables, because the bars of a table are not those of a command.
    for (event, range) in Parser::new_ext(page, Options::ENABLE_TABLES).into_offset_iter() {
        let line = page[..range.start].matches('\n').count() + 1;
        match event {
            Event::Start(Tag::CodeBlock(kind)) => {
                in_block = true;
                snippets.push(Snippet {
                    kind: Kind::Block(language(&kind)),
                    text: String::new(),
                    line,
                });
            }
            Event::End(TagEnd::CodeBlock) => in_block = false,
            Event::Text(text) if in_block => {
                if let Some(block) = snippets.last_mut() {
                    block.text += &text;
                }
            }
            Event::Code(text) if is_command(&text) => snippets.push(Snippet {
                kind: Kind::Command,
                text: text.into_string(),
                line,
            }),
            _ => {}
        }
    }
    snippets
}

fn language(kind: &CodeBlockKind<'_>) -> String {
    let CodeBlockKind::Fenced(info) = kind else {
        return String::new();
    };
    let word = info.split([' ', ',']).next();
    word.unwrap_or_default().to_owned()
}

fn is_command(text: &str) -> bool {
    text.starts_with("kiro-2api ") || text.starts_with("cargo xtask ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_and_commands_are_found_where_they_stand() {
        let page = "# A\n\n- item\n\n  ```sh\n  a\n  b\n  ```\n\n```rust,no_run\nc\n```\n\n| `kiro-2api check` | `other` |\n| --- | --- |\n\n```\nd\n```\n";
        let block = |language: &str, text: &str, line| Snippet {
            kind: Kind::Block(language.into()),
            text: text.into(),
            line,
        };
        let command = Snippet {
            kind: Kind::Command,
            text: "kiro-2api check".into(),
            line: 14,
        };
        assert_eq!(
            snippets(page),
            [
                block("sh", "a\nb\n", 5),
                block("rust", "c\n", 10),
                command,
                block("", "d\n", 17),
            ]
        );
    }
}
