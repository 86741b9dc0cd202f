//! Messages to turns.

use std::collections::HashSet;

use kiro_protocol::conversation::{Block, JsonObject, Role, ToolResult, ToolUse, Turn};
use kiro_protocol::text::JsonText;
use openai_types::chat::{self, Arguments, FunctionCall, Message, ToolCall};

use super::parts::{Parts, Piece, no_audio};
use super::place::Place;
use crate::error::Error;
use crate::image::Pictures;
use crate::surface::dialogue::Dialogue;
use crate::surface::source::Source;
use crate::surface::words::{as_system, join, marker};

/// Translates messages, oldest first. Turns need not alternate and need not be answered: repairing that
/// is the request's business.
pub(super) fn dialogue(
    source: Source<'_>,
    fetched: &Pictures,
    messages: &[Message<'_>],
) -> Result<Dialogue, Error> {
    let mut reader = Reader {
        parts: Parts {
            source,
            fetched,
            wanted: Vec::new(),
        },
        system: Vec::new(),
        turns: Vec::with_capacity(messages.len()),
        calls: HashSet::new(),
        open_functions: Vec::new(),
        results_are_open: false,
    };
    for (index, message) in messages.iter().enumerate() {
        reader.message(message, Place::message(index))?;
    }
    Ok(Dialogue {
        system: reader.system,
        turns: reader.turns,
        wanted: reader.parts.wanted,
        ignored: Vec::new(),
    })
}

#[derive(Debug)]
struct Reader<'a> {
    parts: Parts<'a>,
    system: Vec<JsonText>,
    turns: Vec<Turn>,
    /// Ids of the tool uses so far: a result must answer one of them.
    calls: HashSet<String>,
    /// Legacy calls without a result: the function's name and the id that we gave the call.
    open_functions: Vec<(String, String)>,
    /// Whether the last turn holds the results of the `tool` messages just before, so that the next one
    /// belongs to it.
    results_are_open: bool,
}

impl Reader<'_> {
    fn message(&mut self, message: &Message<'_>, place: Place) -> Result<(), Error> {
        let results_are_open = std::mem::take(&mut self.results_are_open);
        match message.role {
            chat::Role::System | chat::Role::Developer => self.system(message, place),
            chat::Role::User => self.user(message, place),
            chat::Role::Assistant => self.assistant(message, place),
            chat::Role::Tool => {
                let id = message.tool_call_id.clone();
                let id = id.ok_or_else(|| place.member("tool_call_id").missing())?;
                if !self.calls.contains(&id) {
                    return Err(orphan(
                        place,
                        "Messages with role 'tool' must answer a preceding message with 'tool_calls'.",
                    ));
                }
                self.result(message, id, results_are_open, place)
            }
            chat::Role::Function => {
                let id = self.take_function(message.name.as_deref());
                let id = id.ok_or_else(|| {
                    orphan(
                        place,
                        "Messages with role 'function' must answer a preceding message with 'function_call'.",
                    )
                })?;
                self.result(message, id, results_are_open, place)
            }
        }
    }

    /// Leading instructions are the system prompt. Later ones keep their place, because order is
    /// meaning, and are marked, because nobody but the user can speak there.
    fn system(&mut self, message: &Message<'_>, place: Place) -> Result<(), Error> {
        let mut texts = Vec::new();
        for (index, piece) in self.pieces(message, place)?.into_iter().enumerate() {
            match piece {
                Piece::Text(text) => texts.push(text),
                other => return Err(not_text(&other, place.part(index))),
            }
        }
        if self.turns.is_empty() {
            self.system.extend(texts);
            return Ok(());
        }
        let marked = texts.iter().map(|text| Block::Text(as_system(text)));
        let blocks: Vec<Block> = marked.collect();
        self.push(Role::User, blocks);
        Ok(())
    }

    fn user(&mut self, message: &Message<'_>, place: Place) -> Result<(), Error> {
        let mut pieces = self.pieces(message, place)?;
        for piece in &mut pieces {
            match piece {
                Piece::ToolResult(result) if !self.calls.contains(&result.id) => {
                    return Err(orphan(
                        place,
                        "A 'tool_result' must answer a preceding 'tool_use'.",
                    ));
                }
                Piece::ToolUse(_) => *piece = Piece::Text(marker("tool_use")),
                _ => {}
            }
        }
        if let Some(name) = message.name.as_deref().filter(|name| !name.is_empty()) {
            prefix(&mut pieces, &JsonText::new(&format!("{name}: ")));
        }
        let blocks = pieces.into_iter().map(Piece::into_block);
        self.push(Role::User, blocks.collect());
        Ok(())
    }

    fn assistant(&mut self, message: &Message<'_>, place: Place) -> Result<(), Error> {
        if message.audio.is_some() {
            return Err(no_audio(&place.member("audio").to_string()));
        }
        let mut blocks = Vec::new();
        for piece in self.pieces(message, place)? {
            match piece {
                // The model refuses texts of nothing but white space in its own turns.
                Piece::Text(text) if text.is_blank() => {}
                Piece::ToolUse(tool_use) => self.call(tool_use, &mut blocks),
                Piece::Image(_) => blocks.push(Block::Text(marker("image"))),
                Piece::ToolResult(_) => blocks.push(Block::Text(marker("tool_result"))),
                Piece::Text(text) => blocks.push(Block::Text(text)),
            }
        }
        if let Some(refusal) = &message.refusal {
            let text = self
                .parts
                .source
                .text(refusal.as_json(), &place.member("refusal"))?;
            blocks.extend((!text.is_blank()).then_some(Block::Text(text)));
        }
        for (index, call) in message.tool_calls.iter().flatten().enumerate() {
            let tool_use = self.tool_call(call, place.call(index))?;
            self.call(tool_use, &mut blocks);
        }
        if let Some(call) = &message.function_call {
            let id = format!("call_function_{}", place.message);
            self.open_functions.push((call.name.clone(), id.clone()));
            let tool_use = ToolUse {
                id,
                name: call.name.clone(),
                input: self.arguments(call, place.member("function_call").member("arguments"))?,
            };
            self.call(tool_use, &mut blocks);
        }
        self.push(Role::Assistant, blocks);
        Ok(())
    }

    fn tool_call(&self, call: &ToolCall<'_>, place: Place) -> Result<ToolUse, Error> {
        let (name, input) = match (&call.function, &call.custom) {
            (Some(function), _) => {
                let place = place.member("function").member("arguments");
                (&function.name, self.arguments(function, place)?)
            }
            (None, Some(custom)) => {
                let place = place.member("custom").member("input");
                let input = self.parts.source.text(custom.input.as_json(), &place)?;
                let input = format!(r#"{{"input":"{}"}}"#, input.escaped());
                (&custom.name, JsonObject::parse_or_wrap(input))
            }
            (None, None) => return Err(place.member("function").missing()),
        };
        Ok(ToolUse {
            id: call.id.clone(),
            name: name.clone(),
            input,
        })
    }

    /// The arguments of an old call. Whatever the model wrote, it wrote: broken JSON is wrapped.
    fn arguments(&self, call: &FunctionCall<'_>, place: Place) -> Result<JsonObject, Error> {
        let source = self.parts.source;
        Ok(match &call.arguments {
            None => JsonObject::empty(),
            Some(Arguments::Object(object)) => source.object(object.as_json(), &place)?,
            Some(Arguments::Text(text)) => {
                JsonObject::parse_or_wrap(source.plain(text.as_json(), &place)?)
            }
        })
    }

    fn result(
        &mut self,
        message: &Message<'_>,
        id: String,
        joins_last_turn: bool,
        place: Place,
    ) -> Result<(), Error> {
        let content = self.parts.result(message.content.as_ref(), place)?;
        let block = Block::ToolResult(ToolResult {
            id,
            content,
            is_error: false,
        });
        match self.turns.last_mut() {
            Some(turn) if joins_last_turn => turn.blocks.push(block),
            _ => self.turns.push(Turn::new(Role::User, [block])),
        }
        self.results_are_open = true;
        Ok(())
    }

    /// The open call that a `function` message answers: the oldest of that name, else the oldest.
    fn take_function(&mut self, name: Option<&str>) -> Option<String> {
        let open = &mut self.open_functions;
        let named = open.iter().position(|(open, _)| Some(&**open) == name);
        let index = named.or((!open.is_empty()).then_some(0))?;
        Some(open.remove(index).1)
    }

    fn call(&mut self, tool_use: ToolUse, blocks: &mut Vec<Block>) {
        self.calls.insert(tool_use.id.clone());
        blocks.push(Block::ToolUse(tool_use));
    }

    fn pieces(&mut self, message: &Message<'_>, place: Place) -> Result<Vec<Piece>, Error> {
        self.parts.pieces(message.content.as_ref(), place)
    }

    /// A turn, unless nothing is said in it.
    fn push(&mut self, role: Role, blocks: Vec<Block>) {
        if !blocks.is_empty() {
            self.turns.push(Turn { role, blocks });
        }
    }
}

/// Puts `before` in front of the first text, or in front of everything if there is none.
fn prefix(pieces: &mut Vec<Piece>, before: &JsonText) {
    let text = pieces.iter_mut().find_map(|piece| match piece {
        Piece::Text(text) => Some(text),
        _ => None,
    });
    match text {
        Some(text) => *text = join(&[before.escaped(), text.escaped()]),
        None => pieces.insert(0, Piece::Text(before.clone())),
    }
}

fn not_text(piece: &Piece, place: Place) -> Error {
    let actual = match piece {
        Piece::Text(_) => "text",
        Piece::Image(_) => "an image",
        Piece::ToolUse(_) => "a tool use",
        Piece::ToolResult(_) => "a tool result",
    };
    let message = format!("Invalid type for '{place}': expected a text part, but got {actual}.");
    Error::invalid(place.to_string(), Some("invalid_type"), message)
}

/// The refusal of a result that answers nothing. The dot before the bracket is the API's.
fn orphan(place: Place, message: &str) -> Error {
    let param = format!("messages.[{}].role", place.message);
    Error::invalid(param, None, message)
}
