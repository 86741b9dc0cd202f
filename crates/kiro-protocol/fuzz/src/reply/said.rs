//! What the events said, read by other code than the crate's: nothing of it may be lost or changed.

use std::collections::HashMap;

use kiro_protocol::conversation::JsonObject;
use kiro_protocol::reply::{Reply, ReplyBlock, ReplyEvent};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::script::{Frame, Options};

/// A tool use as its fragments say.
#[derive(Default)]
struct Use {
    name: String,
    input: String,
    stopped: bool,
}

/// Compares a reply that ended well with what was sent. Where half a character was sent, which no other
/// reader takes, there is nothing to compare with.
pub(super) fn check_said(options: Options, frames: &[Frame], events: &[ReplyEvent]) {
    let reply: Reply = events.iter().cloned().collect();
    if let Some(sent) = members(frames, "assistantResponseEvent", "content") {
        let sent = sent.concat();
        if !options.thinking_tags() {
            assert_eq!(reply.text(), sent);
        } else if !sent.contains('<') {
            assert_eq!(without_breaks(&reply.text()), without_breaks(&sent));
        }
    }
    let is_native = !options.thinking_tags();
    if let Some(sent) = members(frames, "reasoningContentEvent", "text").filter(|_| is_native) {
        assert_eq!(reply.reasoning(), sent.concat());
    }
    if let Some(sent) = members(frames, "reasoningContentEvent", "signature") {
        let signature = |block: &ReplyBlock| match block {
            ReplyBlock::Reasoning { signature, .. } => signature.clone(),
            _ => None,
        };
        let given: String = reply.blocks.iter().filter_map(signature).collect();
        assert_eq!(given, sent.concat());
    }
    if let Some(uses) = uses(options, frames) {
        check_uses(&uses, &reply, events);
    }
}

fn check_uses(uses: &HashMap<String, Use>, reply: &Reply, events: &[ReplyEvent]) {
    for given in reply.tool_uses() {
        let sent = &uses[&given.id];
        assert!(sent.stopped, "{} was never complete", given.id);
        assert_eq!(given.name, sent.name);
        let sent = JsonObject::parse(sent.input.clone()).expect("what was given out is an object");
        assert_eq!(given.input, sent);
    }
    let is_sound = |sent: &Use| sent.stopped && JsonObject::parse(sent.input.clone()).is_ok();
    if uses.values().all(is_sound) {
        assert!(
            !events.contains(&ReplyEvent::ToolUseCut),
            "a sound tool use is cut"
        );
        assert_eq!(reply.tool_uses().count(), uses.len());
    }
}

/// All values of a text member of the events of one type; `None` when one of them cannot be read.
fn members(frames: &[Frame], event_type: &str, member: &str) -> Option<Vec<String>> {
    let frames = frames
        .iter()
        .filter(|frame| frame.event_type() == Some(event_type));
    let mut all = Vec::new();
    for frame in frames {
        let payload: Map<String, Value> = serde_json::from_slice(&frame.payload).ok()?;
        match payload.get(member) {
            Some(Value::String(text)) => all.push(text.clone()),
            None | Some(Value::Null) => {}
            Some(_) => return None,
        }
    }
    Some(all)
}

/// Puts the fragments of every tool use together.
fn uses(options: Options, frames: &[Frame]) -> Option<HashMap<String, Use>> {
    let names = options.tool_names();
    let mut uses: HashMap<String, Use> = HashMap::new();
    let frames = frames
        .iter()
        .filter(|frame| frame.event_type() == Some("toolUseEvent"));
    for frame in frames {
        let payload: Map<String, Value> = serde_json::from_slice(&frame.payload).ok()?;
        let id = payload.get("toolUseId")?.as_str()?;
        let name = payload
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let sent = uses.entry(id.to_owned()).or_insert_with(|| Use {
            name: names.restore(name).to_owned(),
            ..Use::default()
        });
        if sent.stopped {
            continue;
        }
        sent.add(&input_of(frame)?);
        sent.stopped = payload
            .get("stop")
            .and_then(Value::as_bool)
            .unwrap_or_default();
    }
    Some(uses)
}

/// What a fragment adds: the text of a string, or the value as it is written.
fn input_of(frame: &Frame) -> Option<String> {
    let payload: HashMap<String, Box<RawValue>> = serde_json::from_slice(&frame.payload).ok()?;
    match payload.get("input").map(|raw| raw.get()) {
        None | Some("null" | "{}") => Some(String::new()),
        Some(raw) if raw.starts_with('"') => serde_json::from_str(raw).ok(),
        Some(raw) => Some(raw.to_owned()),
    }
}

impl Use {
    /// White space before the input, and an input that is repeated whole, add nothing.
    fn add(&mut self, piece: &str) {
        let is_idle = self.input.is_empty() && piece.trim().is_empty();
        let is_repeat = !piece.is_empty() && self.input == piece && piece.ends_with('}');
        if !is_idle && !is_repeat {
            self.input += piece;
        }
    }
}

/// Line breaks beside the tags belong to the tags.
fn without_breaks(text: &str) -> String {
    text.replace(['\n', '\r'], "")
}
