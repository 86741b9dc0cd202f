//! Tool uses and their results: who answers whom.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::Violation;
use super::envelope::Opened;
use super::history::Speaker;
use super::message::tool_results;
use super::shape::{Place, list, object, text};

/// Checks that uses and results pair up, in the messages next to each other.
pub(super) fn check(request: &Opened<'_>) -> Result<(), Violation> {
    let mut pairing = Pairing::default();
    for (index, entry) in request.history.iter().enumerate() {
        let place = Place::History(index);
        match Speaker::of(entry, place)? {
            Speaker::User(message) => pairing.user(message, place)?,
            Speaker::Assistant(message) => pairing.assistant(message, place)?,
        }
    }
    pairing.user(request.current, Place::Current)
}

#[derive(Debug, Default)]
struct Pairing<'a> {
    /// Every tool use id of the request.
    seen: HashSet<&'a str>,
    /// Uses of the assistant message before, not answered yet.
    open: HashSet<&'a str>,
}

impl<'a> Pairing<'a> {
    fn assistant(
        &mut self,
        message: &'a Map<String, Value>,
        place: Place,
    ) -> Result<(), Violation> {
        self.nothing_open(place)?;
        for tool_use in list(message, "toolUses") {
            let id = id_of(tool_use, place)?;
            if !self.seen.insert(id) {
                return Err(mismatch(
                    "H7",
                    format!("{place}: tool use {id} occurs twice"),
                ));
            }
            self.open.insert(id);
        }
        Ok(())
    }

    fn user(&mut self, message: &'a Map<String, Value>, place: Place) -> Result<(), Violation> {
        for result in tool_results(message) {
            let id = id_of(result, place)?;
            if self.open.remove(id) {
                continue;
            }
            // An id that is known and not open has its answer already, unless that answer is due elsewhere.
            let (rule, why) = match self.seen.contains(id) {
                true => ("H7", "is answered twice"),
                false => ("H6", "was not asked for by the assistant message before"),
            };
            return Err(mismatch(rule, format!("{place}: tool use {id} {why}")));
        }
        self.nothing_open(place)
    }

    fn nothing_open(&self, place: Place) -> Result<(), Violation> {
        match self.open.iter().min() {
            None => Ok(()),
            Some(id) => Err(mismatch(
                "H5",
                format!("{place}: tool use {id} is not answered"),
            )),
        }
    }
}

fn id_of(item: &Value, place: Place) -> Result<&str, Violation> {
    let item = object(item, "tool use or result", place)?;
    text(item, "toolUseId").ok_or_else(|| {
        Violation::bad_tool(
            "T9",
            format!("{place}: toolUseId is missing or not a string"),
        )
    })
}

fn mismatch(rule: &'static str, detail: String) -> Violation {
    let message = match rule {
        "H5" => "`tool_use` ids were found without `tool_result` blocks immediately after",
        "H6" => "Expected toolResult blocks to answer toolUse blocks of the previous turn",
        _ => "Each toolUse must have a single result",
    };
    Violation::invalid(rule, Some("TOOL_USE_RESULT_MISMATCH"), message, detail)
}
