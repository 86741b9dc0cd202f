//! The grammar of a reply, as its page states it.

use std::collections::HashSet;

use kiro_protocol::conversation::JsonObject;
use kiro_protocol::reply::{Delta, ReplyEvent, StopReason, Usage};

/// What has been read of the reply.
#[derive(Default)]
struct Seen {
    /// The input so far of the tool use that is open.
    open: Option<String>,
    ids: HashSet<String>,
    tool_use: bool,
    cut: bool,
}

/// Walks over the events and panics where they leave the grammar. A reply that ended in an error is the
/// beginning of one that keeps it.
pub(super) fn check_grammar(events: &[ReplyEvent], is_whole: bool, max_held_bytes: usize) {
    let Some((first, rest)) = events.split_first() else {
        return assert!(!is_whole, "a whole reply without an event");
    };
    assert_eq!(*first, ReplyEvent::Start);
    let mut blocks = rest;
    if let [before @ .., ReplyEvent::Stop(_)] = blocks {
        assert!(is_whole, "a stop before an error");
        blocks = before;
    } else {
        assert!(!is_whole, "no stop");
    }
    if let [before @ .., ReplyEvent::Usage(usage)] = blocks {
        assert!(is_whole, "usage before an error");
        check_usage(usage);
        blocks = before;
    }
    let mut seen = Seen::default();
    for event in blocks {
        seen.check(event, max_held_bytes);
    }
    if let Some(ReplyEvent::Stop(reason)) = rest.last() {
        assert!(seen.open.is_none(), "a tool use is open");
        assert!(
            !seen.cut || *reason == StopReason::MaxTokens,
            "{reason:?} after a cut"
        );
        assert!(*reason != StopReason::ToolUse || seen.tool_use);
        assert!(*reason != StopReason::EndTurn || !seen.tool_use);
    }
}

impl Seen {
    fn check(&mut self, event: &ReplyEvent, max_held_bytes: usize) {
        let in_tool = matches!(
            event,
            ReplyEvent::ToolInput(_) | ReplyEvent::ToolUseEnd | ReplyEvent::ToolUseCut
        );
        assert_eq!(self.open.is_some(), in_tool, "{event:?}");
        match event {
            ReplyEvent::Text(delta)
            | ReplyEvent::Reasoning(delta)
            | ReplyEvent::Redacted(delta) => {
                check_delta(delta);
            }
            ReplyEvent::Signature(delta) => {
                check_delta(delta);
                assert!(delta.len() <= max_held_bytes);
            }
            ReplyEvent::ToolUseStart { id, name } => {
                assert!(!self.cut, "a tool use after one that was cut");
                assert!(!name.is_empty());
                assert!(self.ids.insert(id.clone()), "{id} twice");
                self.open = Some(String::new());
            }
            ReplyEvent::ToolInput(delta) => {
                check_delta(delta);
                let input = self.open.get_or_insert_default();
                input.push_str(&delta.unescape());
                assert!(input.len() <= max_held_bytes);
            }
            ReplyEvent::ToolUseEnd => {
                let input = self.open.take().unwrap_or_default();
                assert!(JsonObject::parse(input.clone()).is_ok(), "{input:?}");
                self.tool_use = true;
            }
            ReplyEvent::ToolUseCut => {
                self.open = None;
                self.cut = true;
            }
            ReplyEvent::Start | ReplyEvent::Usage(_) | ReplyEvent::Stop(_) => {
                panic!("{event:?} among the blocks")
            }
        }
    }
}

/// A delta says something and may be copied between quotes onto one line.
fn check_delta(delta: &Delta) {
    assert!(!delta.is_empty());
    let plain: String =
        serde_json::from_str(&format!("\"{}\"", delta.escaped())).expect("a JSON string");
    assert_eq!(delta.unescape(), plain);
    let separators = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];
    assert!(!delta.escaped().contains(separators), "{delta:?}");
}

/// Numbers that JSON can carry on.
fn check_usage(usage: &Usage) {
    assert_ne!(*usage, Usage::default(), "usage that says nothing");
    for number in [usage.context_percentage, usage.credits]
        .into_iter()
        .flatten()
    {
        assert!(number.is_finite(), "{usage:?}");
    }
}
