//! What built-in answers say.

use serde_json::{Value, json};

use super::call::{self, Call};
use super::directive::Directives;
use super::instance;
use crate::script::{CurrentTurn, Picture};

/// Thoughts of a model that thinks, in two deltas.
pub(super) const THOUGHTS: [&str; 2] = [
    "The question is clear enough. ",
    "A short and friendly answer will do.",
];

/// Said after the question has been repeated, over and over when a long answer is wanted.
const SENTENCES: [&str; 4] = [
    "This answer comes from the simulated Kiro service, so nobody has thought about it. ",
    "Its delivery is real, though: every word arrives in a binary frame of its own, with checksums. ",
    "It is the same every time, which makes it easy to test against. ",
    "Words that begin with \"sim:\" make the service behave in other ways. ",
];

/// Characters of a question or a tool result that are quoted.
const QUOTED: usize = 400;

/// The text of an answer without tool calls.
pub(super) fn answer(turn: &CurrentTurn<'_>, directives: &Directives) -> String {
    if let Some(echo) = &directives.echo {
        return echo.clone();
    }
    if let Some(json) = json(turn) {
        return json.to_string();
    }
    let mut text = String::new();
    for unknown in &directives.unknown {
        text.push_str(&format!("The directive {unknown} is not known. "));
    }
    text.push_str(&opening(turn));
    match directives.tokens {
        Some(tokens) => lengthen(&mut text, tokens.saturating_mul(4)),
        None => SENTENCES
            .iter()
            .take(3)
            .for_each(|sentence| text.push_str(sentence)),
    }
    text.trim_end().to_owned()
}

/// The answer in JSON, if the turn ends with an instruction that asks for it: one that fits the schema
/// that begins on a line of its own, or else an object.
fn json(turn: &CurrentTurn<'_>) -> Option<Value> {
    let instruction = instruction(turn.text);
    if !instruction.contains("JSON") {
        return None;
    }
    let schema = instruction.split_once("\n{").and_then(|(_, inside)| {
        let schema = format!("{{{inside}");
        let mut schemas = serde_json::Deserializer::from_str(&schema).into_iter::<Value>();
        schemas.next()?.ok()
    });
    let things = call::things(question(turn.text));
    let about = things.first().map_or("example", String::as_str);
    Some(match schema {
        Some(schema) => instance::value(&schema, about),
        None => json!({"answer": opening(turn).trim_end()}),
    })
}

/// The text before tool calls.
pub(super) fn announcement(calls: &[Call]) -> String {
    let mut names: Vec<&str> = calls.iter().map(|call| call.name.as_str()).collect();
    names.dedup();
    format!("I will call {} to find out. ", names.join(" and "))
}

fn opening(turn: &CurrentTurn<'_>) -> String {
    if !turn.results.is_empty() {
        return turn.results.iter().fold(String::new(), |text, result| {
            let verb = if result.is_error {
                "failed with"
            } else {
                "answered"
            };
            format!("{text}The tool {verb}: {}. ", quote(&result.text))
        });
    }
    if !turn.pictures.is_empty() {
        let pictures: Vec<String> = turn.pictures.iter().map(describe).collect();
        return format!("I see {}. ", pictures.join(" and "));
    }
    format!("You asked: \"{}\". ", quote(question(turn.text)))
}

/// `a png of 75 bytes, 2 by 2 pixels`
fn describe(picture: &Picture) -> String {
    let size = picture
        .size
        .map(|(width, height)| format!(", {width} by {height} pixels"));
    format!(
        "a {} of {} bytes{}",
        picture.format,
        picture.n_bytes,
        size.unwrap_or_default()
    )
}

/// The last line that says something: what stands before it is often a system prompt, and what stands
/// after it may be an [`instruction`].
pub(super) fn question(text: &str) -> &str {
    without_instruction(text)
        .lines()
        .map(str::trim)
        .rfind(|line| !line.is_empty())
        .unwrap_or_default()
}

/// What a text in `<system>` at the very end tells the model to do.
pub(super) fn instruction(text: &str) -> &str {
    split(text).map_or("", |(_, instruction)| instruction)
}

/// A text up to its [`instruction`].
pub(super) fn without_instruction(text: &str) -> &str {
    split(text).map_or(text, |(before, _)| before.trim_end())
}

fn split(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_end().strip_suffix("</system>")?;
    text.rsplit_once("<system>")
}

fn quote(text: &str) -> String {
    let mut quoted: String = text.chars().take(QUOTED).collect();
    if quoted.len() < text.len() {
        quoted.push('…');
    }
    quoted
}

/// Repeats the sentences up to a number of bytes, exactly.
fn lengthen(text: &mut String, bytes: usize) {
    let mut sentences = SENTENCES.iter().cycle();
    while text.len() < bytes {
        if let Some(sentence) = sentences.next() {
            text.push_str(sentence);
        }
    }
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
}
