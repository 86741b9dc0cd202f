//! Items to turns.

use std::collections::HashSet;

use kiro_protocol::conversation::{Block, JsonObject, Role, ToolResult, ToolUse, Turn};
use kiro_protocol::text::JsonText;
use openai_types::chat::Arguments;
use openai_types::responses::{
    AdditionalTools, CustomToolCall, FunctionCall, Head, Message, Reasoning, ToolOutput,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::input::{Given, Whole};
use super::parts::{Parts, Piece};
use super::tools::{TOOL_SEARCH, Tools, flat};
use crate::error::Error;
use crate::surface::dialogue::Dialogue;
use crate::surface::openai::{missing, parse};
use crate::surface::responses::sealed;
use crate::surface::source::Source;
use crate::surface::words::{as_system, marker};
use crate::surface::{Context, FOREIGN_THOUGHTS};

/// Longest text that stands for an item of a kind that only other servers have, in bytes.
const MAX_FOREIGN: usize = 16 * 1024;

/// Translates items, oldest first. Tools among them are added to the others.
pub(super) fn dialogue(
    source: Source<'_>,
    context: &Context<'_>,
    whole: &Whole<'_>,
    tools: &mut Tools,
) -> Result<Dialogue, Error> {
    let mut reader = Reader {
        parts: Parts {
            source,
            fetched: context.pictures,
            wanted: Vec::new(),
        },
        tools,
        system: Vec::new(),
        turns: Vec::with_capacity(whole.items.len() + 1),
        calls: HashSet::new(),
        last: Last::Other,
        salt: context.salt,
        ignored: Vec::new(),
    };
    for given in &whole.items {
        reader.item(given)?;
    }
    if let Some(text) = &whole.text {
        let text = source.text(text.as_json(), &"input")?;
        reader.last = Last::Other;
        reader.push(Role::User, vec![Block::Text(text)]);
    }
    Ok(Dialogue {
        system: reader.system,
        turns: reader.turns,
        wanted: reader.parts.wanted,
        ignored: reader.ignored,
    })
}

/// What the last turn consists of, to know what joins it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    /// Items of the model: its thoughts, words and calls are one turn.
    Model,
    /// Outputs of tools: they are one turn.
    Outputs,
    Other,
}

#[derive(Debug)]
struct Reader<'a> {
    parts: Parts<'a>,
    tools: &'a mut Tools,
    system: Vec<JsonText>,
    turns: Vec<Turn>,
    /// Ids of the tool uses so far: a result must answer one of them.
    calls: HashSet<String>,
    last: Last,
    /// The caller's.
    salt: &'a str,
    /// What was left out, for the header.
    ignored: Vec<&'static str>,
}

impl Reader<'_> {
    fn item(&mut self, given: &Given<'_>) -> Result<(), Error> {
        let (json, place) = (given.json, &*given.place);
        let head: Head = parse::parse_at(json, place)?;
        match head.kind.as_deref().unwrap_or("message") {
            "message" => self.message(json, head.role.as_deref(), place),
            "function_call" => {
                let call: FunctionCall<'_> = parse::parse_at(json, place)?;
                let place = format!("{place}.arguments");
                let input = match &call.arguments {
                    None => JsonObject::empty(),
                    Some(Arguments::Object(object)) => {
                        self.parts.source.object(object.as_json(), &place)?
                    }
                    // Whatever the model wrote, it wrote: broken JSON is wrapped.
                    Some(Arguments::Text(text)) => {
                        JsonObject::parse_or_wrap(self.parts.source.plain(text.as_json(), &place)?)
                    }
                };
                self.call(
                    call.call_id,
                    flat(call.namespace.as_deref(), &call.name),
                    input,
                );
                Ok(())
            }
            "custom_tool_call" => {
                let call: CustomToolCall<'_> = parse::parse_at(json, place)?;
                let input = self
                    .parts
                    .source
                    .text(call.input.as_json(), &format!("{place}.input"))?;
                let input = format!(r#"{{"input":"{}"}}"#, input.escaped());
                let name = flat(call.namespace.as_deref(), &call.name);
                self.call(call.call_id, name, JsonObject::parse_or_wrap(input));
                Ok(())
            }
            "function_call_output" | "custom_tool_call_output" => {
                let output: ToolOutput<'_> = parse::parse_at(json, place)?;
                self.output(output, place)
            }
            "reasoning" => {
                let reasoning: Reasoning = parse::parse_at(json, place)?;
                if let Some(sealed) = reasoning.encrypted_content {
                    self.thoughts(&sealed);
                }
                Ok(())
            }
            "additional_tools" => {
                let more: AdditionalTools<'_> = parse::parse_at(json, place)?;
                let source = self.parts.source;
                self.tools
                    .add(source, &more.tools, None, &format!("{place}.tools"))
            }
            "tool_search_call" => self.search(json),
            "tool_search_output" => self.found(json, place),
            kind => {
                self.foreign(kind, json);
                Ok(())
            }
        }
    }

    fn message(&mut self, json: &str, role: Option<&str>, place: &str) -> Result<(), Error> {
        let message: Message<'_> = parse::parse_at(json, place)?;
        let content = format!("{place}.content");
        match role {
            None => Err(missing(&format!("{place}.role"))),
            Some("system" | "developer") => self.system(message.content, &content),
            Some("user") => {
                let pieces = self.parts.pieces(message.content, &content)?;
                self.last = Last::Other;
                self.push(
                    Role::User,
                    pieces.into_iter().map(Piece::into_block).collect(),
                );
                Ok(())
            }
            Some("assistant") => {
                for piece in self.parts.pieces(message.content, &content)? {
                    match piece {
                        // The model refuses texts of nothing but white space in its own turns.
                        Piece::Text(text) if text.is_blank() => {}
                        Piece::Text(text) => self.model([Block::Text(text)]),
                        Piece::Image(_) => self.model([Block::Text(marker("image"))]),
                    }
                }
                Ok(())
            }
            Some(other) => {
                let message = format!(
                    "Invalid value: '{other}'. Supported values are: 'assistant', 'system', 'developer', and 'user'."
                );
                Err(Error::invalid(
                    format!("{place}.role"),
                    Some("invalid_value"),
                    message,
                ))
            }
        }
    }

    /// Leading instructions are the system prompt. Later ones keep their place, because order is
    /// meaning, and are marked, because nobody but the user can speak there.
    fn system(&mut self, content: Option<&RawValue>, place: &str) -> Result<(), Error> {
        let mut texts = Vec::new();
        for piece in self.parts.pieces(content, place)? {
            match piece {
                Piece::Text(text) => texts.push(text),
                Piece::Image(_) => {
                    let message =
                        format!("Invalid type for '{place}': expected text, but got an image.");
                    return Err(Error::invalid(place, Some("invalid_type"), message));
                }
            }
        }
        if self.turns.is_empty() {
            self.system.extend(texts);
            return Ok(());
        }
        let marked = texts.iter().map(|text| Block::Text(as_system(text)));
        self.last = Last::Other;
        self.push(Role::User, marked.collect());
        Ok(())
    }

    fn output(&mut self, output: ToolOutput<'_>, place: &str) -> Result<(), Error> {
        let id = output.call_id;
        if !self.calls.contains(&id) {
            let message = format!("No tool call found for function call output with call_id {id}.");
            return Err(Error::invalid("input", None, message));
        }
        let pieces = self
            .parts
            .pieces(output.output, &format!("{place}.output"))?;
        self.result(id, pieces);
        Ok(())
    }

    fn result(&mut self, id: String, pieces: Vec<Piece>) {
        let block = Block::ToolResult(ToolResult {
            id,
            content: pieces.into_iter().map(Piece::into_result).collect(),
            is_error: false,
        });
        self.join(Last::Outputs, Role::User, block);
    }

    fn call(&mut self, id: String, name: String, input: JsonObject) {
        self.calls.insert(id.clone());
        self.model([Block::ToolUse(ToolUse { id, name, input })]);
    }

    /// Thoughts go back as they came, if they were sealed for this caller.
    fn thoughts(&mut self, sealed: &str) {
        match sealed::open(self.salt, sealed) {
            Some(thoughts) => self.model([Block::Reasoning(thoughts)]),
            None if self.ignored.contains(&FOREIGN_THOUGHTS) => {}
            None => self.ignored.push(FOREIGN_THOUGHTS),
        }
    }

    /// The model looked for tools.
    fn search(&mut self, json: &str) -> Result<(), Error> {
        #[derive(Deserialize)]
        struct Search<'a> {
            call_id: Option<String>,
            #[serde(borrow)]
            arguments: Option<&'a RawValue>,
        }
        match serde_json::from_str(json) {
            Ok(Search {
                call_id: Some(id),
                arguments,
            }) => {
                let arguments = arguments.map_or("{}", RawValue::get).to_owned();
                let arguments = JsonObject::parse_or_wrap(arguments);
                self.call(id, TOOL_SEARCH.to_owned(), arguments);
            }
            _ => self.foreign("tool_search_call", json),
        }
        Ok(())
    }

    /// Tools that were found are there from now on.
    fn found(&mut self, json: &str, place: &str) -> Result<(), Error> {
        #[derive(Deserialize)]
        struct Found {
            call_id: Option<String>,
        }
        let more: AdditionalTools<'_> = parse::parse_at(json, place)?;
        let source = self.parts.source;
        self.tools
            .add(source, &more.tools, None, &format!("{place}.tools"))?;
        let found: Found = parse::parse_at(json, place)?;
        match found.call_id.filter(|id| self.calls.contains(id)) {
            Some(id) => {
                let names = more.tools.iter().filter_map(|tool| tool.name.as_deref());
                let names: Vec<&str> = names.collect();
                let text = format!("Tools that are available now: {}", names.join(", "));
                self.result(id, vec![Piece::Text(JsonText::new(&text))]);
            }
            None => self.foreign("tool_search_output", json),
        }
        Ok(())
    }

    /// Something that another server did. The model is told of it in words, because it is part of what
    /// happened.
    fn foreign(&mut self, kind: &str, json: &str) {
        let end = json.char_indices().map(|(at, _)| at);
        let end = end.take_while(|at| *at <= MAX_FOREIGN).last().unwrap_or(0);
        let json = match json.len() > MAX_FOREIGN {
            true => &json[..end],
            false => json,
        };
        let text = JsonText::new(&format!("[{kind}] {json}"));
        if kind.ends_with("_output") {
            self.last = Last::Other;
            self.push(Role::User, vec![Block::Text(text)]);
        } else {
            self.model([Block::Text(text)]);
        }
    }

    fn model(&mut self, blocks: impl IntoIterator<Item = Block>) {
        for block in blocks {
            self.join(Last::Model, Role::Assistant, block);
        }
    }

    /// Adds to the last turn if it is of the same kind.
    fn join(&mut self, kind: Last, role: Role, block: Block) {
        match self.turns.last_mut() {
            Some(turn) if self.last == kind => turn.blocks.push(block),
            _ => self.turns.push(Turn::new(role, [block])),
        }
        self.last = kind;
    }

    /// A turn, unless nothing is said in it.
    fn push(&mut self, role: Role, blocks: Vec<Block>) {
        if !blocks.is_empty() {
            self.turns.push(Turn { role, blocks });
        }
    }
}
