//! Messages to turns.

use std::collections::HashSet;

use anthropic_types::{Content, InputMessage};
use kiro_protocol::conversation::{Block, Role, ToolResult, Turn};
use kiro_protocol::text::JsonText;

use super::blocks::{Piece, Reader};
use super::place::Place;
use crate::error::Error;
use crate::surface::words::{as_system, marker};

/// What the first block of Claude Code's system prompt begins with: it changes with every session, and
/// would keep the service from finding the rest in a cache (measured, November 2026).
const BILLING: &str = "x-anthropic-billing-header:";

/// The paragraphs of the system prompt.
pub(super) fn system(
    reader: &mut Reader<'_>,
    system: Option<&Content<'_>>,
) -> Result<Vec<JsonText>, Error> {
    let Some(system) = system else {
        return Ok(Vec::new());
    };
    let mut texts = texts(reader, system, &Place::top("system"))?;
    texts.retain(|text| !text.escaped().starts_with(BILLING));
    Ok(texts)
}

/// Translates messages, oldest first. Turns need not alternate and uses need not be answered: repairing
/// that is the request's business.
pub(super) fn turns(
    reader: &mut Reader<'_>,
    messages: &[InputMessage<'_>],
) -> Result<Vec<Turn>, Error> {
    let mut turns = Vec::with_capacity(messages.len());
    let mut calls = HashSet::new();
    let top = Place::top("messages");
    for (index, message) in messages.iter().enumerate() {
        let place = top.item(index);
        let role = message.role.as_deref();
        let role = role.ok_or_else(|| place.member("role").missing())?;
        let content = message.content.as_ref();
        let content = content.ok_or_else(|| place.member("content").missing())?;
        let place_of_content = place.member("content");
        let turn = match role {
            "user" => user(reader, content, &calls, &place_of_content)?,
            "assistant" => {
                let turn = assistant(reader, content, &mut calls, &place_of_content)?;
                turn.before.into_iter().for_each(|turn| turns.push(turn));
                turn.last
            }
            "system" => among(texts(reader, content, &place_of_content)?),
            _ => {
                let place = place.member("role");
                return Err(place.refuse("Input should be 'user', 'assistant' or 'system'"));
            }
        };
        // Nothing is said in some.
        if !turn.blocks.is_empty() {
            turns.push(turn);
        }
    }
    Ok(turns)
}

/// A system message among the turns keeps its place, because order is meaning, and is marked, because
/// nobody but the user can speak there.
fn among(texts: Vec<JsonText>) -> Turn {
    let marked = texts.iter().map(|text| Block::Text(as_system(text)));
    Turn::new(Role::User, marked)
}

fn user(
    reader: &mut Reader<'_>,
    content: &Content<'_>,
    calls: &HashSet<String>,
    place: &Place<'_>,
) -> Result<Turn, Error> {
    let mut blocks = Vec::new();
    for (index, piece) in reader.pieces(content, place)? {
        blocks.push(match piece {
            Piece::ToolResult(result) if !calls.contains(&result.id) => {
                let id = result.id;
                return Err(place.item(index).refuse(format!(
                    "unexpected tool_use_id found in tool_result blocks: {id}"
                )));
            }
            Piece::ToolResult(result) => Block::ToolResult(result),
            Piece::Text(text) => Block::Text(text),
            Piece::Image(image) => Block::Image(image),
            Piece::ToolUse(_) => Block::Text(marker("tool_use")),
            Piece::Found(_) => Block::Text(marker("web_search_tool_result")),
            // They are not the user's.
            Piece::Reasoning(_) => continue,
        });
    }
    Ok(Turn::new(Role::User, blocks))
}

fn assistant(
    reader: &mut Reader<'_>,
    content: &Content<'_>,
    calls: &mut HashSet<String>,
    place: &Place<'_>,
) -> Result<Answered, Error> {
    let mut before = Vec::new();
    let mut blocks = Vec::new();
    for (_, piece) in reader.pieces(content, place)? {
        blocks.push(match piece {
            Piece::Found(result) => {
                before.extend(searched(&mut blocks, result));
                continue;
            }
            // The model refuses texts of nothing but white space in its own turns.
            Piece::Text(text) if text.is_blank() => continue,
            Piece::Text(text) => Block::Text(text),
            Piece::ToolUse(call) => {
                calls.insert(call.id.clone());
                Block::ToolUse(call)
            }
            Piece::Reasoning(thoughts) => Block::Reasoning(thoughts),
            Piece::Image(_) => Block::Text(marker("image")),
            Piece::ToolResult(_) => Block::Text(marker("tool_result")),
        });
    }
    Ok(Answered {
        before,
        last: Turn::new(Role::Assistant, blocks),
    })
}

/// The model's turn, and what came before its end: a search answers the model in the middle of it.
struct Answered {
    before: Vec<Turn>,
    last: Turn,
}

/// The turns up to what a search brought. Other calls in them are answered later, so they stay. A result that
/// nobody asked for is left out.
fn searched(blocks: &mut Vec<Block>, result: ToolResult) -> Vec<Turn> {
    let is_asked = |block: &Block| matches!(block, Block::ToolUse(call) if call.id == result.id);
    if !blocks.iter().any(is_asked) {
        return Vec::new();
    }
    let (later, said) = std::mem::take(blocks)
        .into_iter()
        .partition(|block| matches!(block, Block::ToolUse(_)) && !is_asked(block));
    *blocks = later;
    let said: Vec<Block> = said;
    vec![
        Turn::new(Role::Assistant, said),
        Turn::new(Role::User, [Block::ToolResult(result)]),
    ]
}

/// Content that may hold text only.
fn texts(
    reader: &mut Reader<'_>,
    content: &Content<'_>,
    place: &Place<'_>,
) -> Result<Vec<JsonText>, Error> {
    let pieces = reader.pieces(content, place)?;
    let texts = pieces.into_iter().map(|(index, piece)| match piece {
        Piece::Text(text) => Ok(text),
        _ => Err(place.item(index).refuse("Input should be a text block")),
    });
    texts.collect()
}
