//! What the events said, read by other code than the crate's: nothing of it may be lost or changed.

use std::collections::HashMap;

use kiro_protocol::conversation::JsonObject;
use kiro_protocol::reply::{Reply, ReplyBlock, ReplyEvent};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::script::{Frame, Options};
use super::units::{self, Units};

/// A tool use as its fragments say.
#[derive(Default)]
struct Use {
    name: String,
    input: String,
    stopped: bool,
}

/// Compares a reply that ended well with what was sent.
pub(super) fn check_said(options: Options, frames: &[Frame], events: &[ReplyEvent]) {
    let reply: Reply = events.iter().cloned().collect();
    if let Some(sent) = sent(frames, "assistantResponseEvent", "content") {
        if !options.thinking_tags() {
            assert_eq!(reply.text(), sent);
        } else if !sent.contains('<') {
            assert_eq!(without_breaks(&reply.text()), without_breaks(&sent));
        }
    }
    let is_native = !options.thinking_tags();
    if let Some(sent) = sent(frames, "reasoningContentEvent", "text").filter(|_| is_native) {
        assert_eq!(reply.reasoning(), sent);
    }
    if let Some(sent) = signatures(frames) {
        let signature = |block: &ReplyBlock| match block {
            ReplyBlock::Reasoning { signature, .. } => signature.clone(),
            _ => None,
        };
        let given: String = reply.blocks.iter().filter_map(signature).collect();
        assert_eq!(given, sent);
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
        let is_cut = events.contains(&ReplyEvent::ToolUseCut);
        assert!(!is_cut, "a sound tool use is cut");
        assert_eq!(reply.tool_uses().count(), uses.len());
    }
}

/// All that the events of one type say in one member; `None` when one of them cannot be read.
///
/// A character may be cut between two events, unless something else is said between them.
fn sent(frames: &[Frame], event_type: &str, member: &str) -> Option<String> {
    let speaks = [
        "assistantResponseEvent",
        "reasoningContentEvent",
        "toolUseEvent",
    ];
    let mut said = String::new();
    let mut open = Units::new();
    for frame in frames {
        let is_it = frame.event_type() == Some(event_type);
        if !is_it
            && frame
                .event_type()
                .is_some_and(|other| speaks.contains(&other))
        {
            said += &units::text(&std::mem::take(&mut open));
        }
        if !is_it {
            continue;
        }
        let payload = members(frame)?;
        open.extend(text_of(&payload, member)?);
        let is_given = |name: &&str| payload.get(*name).is_some_and(|raw| raw.get() != "null");
        if ["signature", "redactedContent"].iter().any(is_given) {
            said += &units::text(&std::mem::take(&mut open));
        }
    }
    Some(said + &units::text(&open))
}

/// Signatures are joined, but a character is not cut between two of them.
fn signatures(frames: &[Frame]) -> Option<String> {
    let mut said = String::new();
    for frame in frames {
        if frame.event_type() == Some("reasoningContentEvent") {
            said += &units::text(&text_of(&members(frame)?, "signature")?);
        }
    }
    Some(said)
}

fn members(frame: &Frame) -> Option<HashMap<String, Box<RawValue>>> {
    serde_json::from_slice(&frame.payload).ok()
}

/// The text of a member, empty when it is missing or `null`.
fn text_of(members: &HashMap<String, Box<RawValue>>, name: &str) -> Option<Units> {
    match members.get(name).map(|raw| raw.get()) {
        None | Some("null") => Some(Units::new()),
        Some(raw) => units::of_json(raw),
    }
}

/// Puts the fragments of every tool use together; `None` when half a character was sent.
fn uses(options: Options, frames: &[Frame]) -> Option<HashMap<String, Use>> {
    let names = options.tool_names();
    let mut uses: HashMap<String, Use> = HashMap::new();
    let frames = frames.iter();
    for frame in frames.filter(|frame| frame.event_type() == Some("toolUseEvent")) {
        let payload: Map<String, Value> = serde_json::from_slice(&frame.payload).ok()?;
        let id = payload.get("toolUseId")?.as_str()?;
        let name = payload.get("name").and_then(Value::as_str);
        let sent = uses.entry(id.to_owned()).or_insert_with(|| Use {
            name: names.restore(name.unwrap_or_default()).to_owned(),
            ..Use::default()
        });
        if sent.stopped {
            continue;
        }
        sent.add(&input_of(frame)?);
        let stop = payload.get("stop").and_then(Value::as_bool);
        sent.stopped = stop.unwrap_or_default();
    }
    Some(uses)
}

/// What a fragment adds: the text of a string, or the value as it is written.
fn input_of(frame: &Frame) -> Option<String> {
    match members(frame)?.get("input").map(|raw| raw.get()) {
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
