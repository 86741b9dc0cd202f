//! Which tools a built-in answer calls, and with what.

use serde_json::Value;

use super::directive::Directives;
use super::instance;
use super::prose::{instruction, question};
use crate::script::{CurrentTurn, DeclaredTool};

/// Calls that one answer makes at most.
const MAX_CALLS: usize = 32;

/// One tool call.
#[derive(Debug, PartialEq)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) input: Value,
}

/// The calls that a turn asks for: none when it brings results, since those are to be talked about.
pub(super) fn choose(turn: &CurrentTurn<'_>, directives: &Directives) -> Vec<Call> {
    if !turn.results.is_empty() || directives.echo.is_some() {
        return Vec::new();
    }
    let tools = mentioned(turn, directives);
    let asked_twice = ["both", "two cities", "in parallel"]
        .iter()
        .any(|words| question(turn.text).to_lowercase().contains(words));
    let n_calls = directives.calls.unwrap_or(if asked_twice { 2 } else { 1 });
    let n_calls = n_calls.max(tools.len()).min(MAX_CALLS);
    let things = things(question(turn.text));
    tools
        .iter()
        .cycle()
        .take(if tools.is_empty() { 0 } else { n_calls })
        .enumerate()
        .map(|(n, tool)| {
            let about = things
                .get(n)
                .or(things.last())
                .map_or("example", String::as_str);
            Call {
                name: tool.name.to_owned(),
                input: instance::input(tool.schema, about, n),
            }
        })
        .collect()
}

/// The tools that the question asks for, or else the instruction that comes with it.
fn mentioned<'a>(turn: &CurrentTurn<'a>, directives: &Directives) -> Vec<DeclaredTool<'a>> {
    if let Some(name) = &directives.tool {
        return turn
            .tools
            .iter()
            .filter(|tool| tool.name == name)
            .copied()
            .collect();
    }
    let by_question = named(&turn.tools, question(turn.text));
    match by_question.is_empty() {
        true => named(&turn.tools, instruction(turn.text)),
        false => by_question,
    }
}

/// The tools that a text names; else one that fits the weather; else, for the word "tool", the first.
fn named<'a>(tools: &[DeclaredTool<'a>], text: &str) -> Vec<DeclaredTool<'a>> {
    let text = text.to_lowercase();
    let by_name: Vec<_> = tools
        .iter()
        .filter(|tool| {
            let name = tool.name.to_lowercase();
            text.contains(&name) || text.contains(&name.replace(['_', '-'], " "))
        })
        .copied()
        .collect();
    if !by_name.is_empty() {
        return by_name;
    }
    let about_weather = |tool: &&DeclaredTool<'_>| tool.name.to_lowercase().contains("weather");
    let chosen = if text.contains("weather") {
        tools.iter().find(about_weather).or(tools.first())
    } else if text.contains("tool") {
        tools.first()
    } else {
        None
    };
    chosen.into_iter().copied().collect()
}

/// Names in the text: capitalised words that do not begin a sentence, as `Paris` in "What about Paris?".
pub(super) fn things(text: &str) -> Vec<String> {
    let mut things = Vec::new();
    let mut begins_sentence = true;
    for word in text.split_whitespace() {
        let bare = word.trim_matches(|letter: char| !letter.is_alphanumeric());
        let capitalised = bare.chars().next().is_some_and(char::is_uppercase);
        if capitalised && !begins_sentence && bare.chars().count() > 1 {
            things.push(bare.to_owned());
        }
        begins_sentence = word.ends_with(['.', '!', '?']);
    }
    things
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_in_the_text_become_arguments() {
        assert_eq!(
            things("What is the weather in Paris and in New York?"),
            ["Paris", "New", "York"]
        );
        assert_eq!(things("Hello. What now?"), Vec::<String>::new());
    }

    #[test]
    fn an_instruction_at_the_end_is_not_the_question_and_is_obeyed() {
        let schema = json!({"type": "object"});
        let tools = ["find", "weather"].map(|name| DeclaredTool {
            name,
            schema: &schema,
        });
        let names = |text| {
            let tools = named(&tools, text);
            tools.iter().map(|tool| tool.name).collect::<Vec<_>>()
        };
        let text = "Be brief.\nHello Paris\n\n<system>\nUse the tool weather.\n</system>\n";
        assert_eq!(question(text), "Hello Paris");
        assert_eq!(names(question(text)), Vec::<&str>::new());
        assert_eq!(names(instruction(text)), ["weather"]);
        assert_eq!(instruction("Hello <system>Use it.</system> there"), "");
        let text = "<system>\nUse one of the tools.\n</system>";
        assert_eq!(names(instruction(text)), ["find"]);
    }
}
