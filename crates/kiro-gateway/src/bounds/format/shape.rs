//! The JSON in a text that comes in pieces.

use std::collections::VecDeque;

use kiro_protocol::reply::{ReplyEvent, StopReason};
use kiro_protocol::text::JsonText;

use super::Format;
use crate::bounds::demand::was_cut;

/// Takes a code fence and white space off an answer while it passes, and checks the whole at its end.
///
/// An answer that does not begin like JSON passes as it is, and so does all that follows a tool call:
/// the format is that of an answer, not of what is said on the way to it.
#[derive(Debug)]
pub(in crate::bounds) struct Shape {
    format: Format,
    /// The text so far.
    text: String,
    /// How much of it has passed or was left out.
    at: usize,
    state: State,
    verdict: Option<Result<String, String>>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// White space and perhaps a fence so far.
    Before,
    /// In the value: brackets that are open, and whether this is inside a string, behind a backslash.
    Value {
        depth: usize,
        in_string: bool,
        is_escaped: bool,
    },
    /// The value has ended; what follows is held back.
    After,
    /// No JSON, or not wanted.
    Passing { is_answer: bool },
}

impl Shape {
    pub(in crate::bounds) fn new(format: Format) -> Self {
        Self {
            format,
            text: String::new(),
            at: 0,
            state: State::Before,
            verdict: None,
        }
    }

    /// Whether the answer has begun like JSON or has turned to a tool.
    pub(in crate::bounds) fn has_begun(&self) -> bool {
        !matches!(
            self.state,
            State::Before | State::Passing { is_answer: true }
        )
    }

    /// After the end: the JSON, or what is wrong with the answer. `None` for answers that were cut and
    /// those that call a tool.
    pub(in crate::bounds) fn verdict(&self) -> Option<&Result<String, String>> {
        self.verdict.as_ref()
    }

    pub(in crate::bounds) fn format(&self) -> &Format {
        &self.format
    }

    /// The whole text, as the model wrote it.
    pub(in crate::bounds) fn text(&self) -> &str {
        &self.text
    }

    /// Takes an event and appends what comes of it.
    pub(in crate::bounds) fn push(&mut self, event: ReplyEvent, out: &mut VecDeque<ReplyEvent>) {
        match &event {
            ReplyEvent::Text(delta) if self.state != (State::Passing { is_answer: false }) => {
                self.text.push_str(&delta.unescape());
                let passes = self.next();
                give(passes, out);
                return;
            }
            ReplyEvent::ToolUseStart { .. } => {
                let rest = &self.text[self.at..];
                // The end of a fence whose beginning was taken off.
                if self.state != State::After || rest.trim() != "```" {
                    give(rest, out);
                }
                self.at = self.text.len();
                self.state = State::Passing { is_answer: false };
            }
            ReplyEvent::Stop(reason) => self.end(reason, out),
            _ => {}
        }
        out.push_back(event);
    }

    /// The part of the text that may pass now.
    fn next(&mut self) -> &str {
        if self.state == State::Before {
            self.begin();
        }
        let start = self.at;
        if let State::Value { .. } = self.state {
            let bytes = self.text.as_bytes();
            while self.at < bytes.len() && self.state != State::After {
                self.state = self.state.after(bytes[self.at]);
                self.at += 1;
            }
        }
        if let State::Passing { .. } = self.state {
            self.at = self.text.len();
        }
        &self.text[start..self.at]
    }

    /// Looks for the beginning of the value.
    fn begin(&mut self) {
        let text = self.text.trim_start();
        let inside = match text.strip_prefix("```").map(|fence| fence.split_once('\n')) {
            Some(Some((_, inside))) => inside.trim_start(),
            Some(None) => return,
            None if "```".starts_with(text) => return,
            None => text,
        };
        match inside.bytes().next() {
            None => {}
            Some(b'{' | b'[') => {
                self.at = self.text.len() - inside.len();
                self.state = State::Value {
                    depth: 0,
                    in_string: false,
                    is_escaped: false,
                };
            }
            Some(_) => self.state = State::Passing { is_answer: true },
        }
    }

    fn end(&mut self, reason: &StopReason, out: &mut VecDeque<ReplyEvent>) {
        if !was_cut(reason) && self.state != (State::Passing { is_answer: false }) {
            let checked = self.format.check(&self.text);
            self.verdict = Some(checked.map(str::to_owned));
        }
        if !matches!(self.verdict, Some(Ok(_))) {
            give(&self.text[self.at..], out);
            self.at = self.text.len();
        }
    }
}

impl State {
    /// One byte further in the value. Brackets are counted and not matched: whether it is JSON is found
    /// out at the end.
    fn after(self, byte: u8) -> Self {
        let Self::Value {
            mut depth,
            mut in_string,
            is_escaped,
        } = self
        else {
            return self;
        };
        match byte {
            _ if is_escaped => {}
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        match depth {
            0 => Self::After,
            _ => Self::Value {
                depth,
                in_string,
                is_escaped: in_string && !is_escaped && byte == b'\\',
            },
        }
    }
}

/// The pieces of a text in UTF-8 end between its characters only where ASCII is, so slices are whole.
fn give(text: &str, out: &mut VecDeque<ReplyEvent>) {
    if !text.is_empty() {
        out.push_back(ReplyEvent::Text(JsonText::new(text)));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Kind;
    use super::*;

    fn shape() -> Shape {
        Shape::new(Format {
            param: "response_format",
            kind: Kind::Object,
            is_live: true,
        })
    }

    /// What passes of an answer in these pieces, and what is wrong with it.
    fn run<'a>(pieces: impl IntoIterator<Item = &'a str>) -> (String, Option<String>) {
        let mut shape = shape();
        let mut out = VecDeque::new();
        for piece in pieces {
            shape.push(ReplyEvent::Text(piece.into()), &mut out);
        }
        shape.push(ReplyEvent::Stop(StopReason::EndTurn), &mut out);
        let fault = shape.verdict().expect("a verdict").clone().err();
        (text_of(&out), fault)
    }

    fn text_of(events: &VecDeque<ReplyEvent>) -> String {
        let texts = events.iter().filter_map(|event| match event {
            ReplyEvent::Text(delta) => Some(delta.unescape()),
            _ => None,
        });
        texts.collect()
    }

    /// A text in pieces.
    fn pieces<'a>(text: &'a str, cuts: &[prop::sample::Index]) -> Vec<&'a str> {
        let places = text.char_indices().map(|(at, _)| at);
        let places: Vec<usize> = places.chain([text.len()]).collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| *cut.get(&places)).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]).collect()
    }

    fn object() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            any::<i32>().prop_map(serde_json::Value::from),
            r#"[a-z"\\{}\[\]`é\n🦀]{0,8}"#.prop_map(serde_json::Value::from),
        ];
        let value = leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                prop::collection::btree_map("[a-z\"\\\\]{0,3}", inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        });
        prop::collection::btree_map("[a-z]{1,3}", value, 0..4)
            .prop_map(|map| serde_json::Value::Object(map.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn json_passes_without_its_fence_however_it_is_cut(
            value in object(),
            is_pretty: bool,
            fence in prop_oneof![Just(("", "")), Just(("```json\n", "\n```")), Just((" \n```\n\n", "```\n "))],
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let json = match is_pretty {
                true => serde_json::to_string_pretty(&value).unwrap(),
                false => value.to_string(),
            };
            let answer = format!("{}{json}{}", fence.0, fence.1);
            prop_assert_eq!(run(pieces(&answer, &cuts)), (json, None));
        }

        #[test]
        fn nothing_of_another_answer_is_lost(
            answer in "[`{}\\[\\]\"a \n]{0,20}",
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        ) {
            let (passed, fault) = run(pieces(&answer, &cuts));
            if fault.is_some() {
                let fence = answer.trim_start().split_inclusive('\n').next().unwrap_or_default();
                let rest = answer.strip_suffix(&*passed);
                prop_assert!(rest.is_some_and(|left_out| fence.contains(left_out.trim())), "{answer:?} {passed:?}");
            }
        }
    }

    #[test]
    fn the_value_passes_as_it_comes_and_what_follows_waits() {
        let mut shape = shape();
        let mut passed = |piece: &str| {
            let mut out = VecDeque::new();
            shape.push(ReplyEvent::Text(piece.into()), &mut out);
            text_of(&out)
        };
        assert_eq!(passed("``"), "");
        assert_eq!(passed("`json"), "");
        assert_eq!(passed("\n {\"a"), "{\"a");
        assert_eq!(passed("\": \"}\\"), "\": \"}\\");
        assert_eq!(passed("\"\"} \n"), "\"\"}");
        assert_eq!(passed("``"), "");
        assert_eq!(passed("`"), "");
    }

    #[test]
    fn what_follows_the_value_is_a_fault() {
        let (passed, fault) = run(["{\"a\":1}", " Done."]);
        assert_eq!(passed, "{\"a\":1} Done.");
        assert!(fault.is_some());
    }

    #[test]
    fn an_answer_that_calls_a_tool_is_not_looked_at() {
        let mut shape = shape();
        let mut out = VecDeque::new();
        let start = ReplyEvent::ToolUseStart {
            id: "1".into(),
            name: "find".into(),
        };
        for event in [
            ReplyEvent::Text("```".into()),
            start.clone(),
            ReplyEvent::ToolUseEnd,
            ReplyEvent::Text(" more".into()),
            ReplyEvent::Stop(StopReason::ToolUse),
        ] {
            shape.push(event, &mut out);
        }
        assert!(shape.has_begun());
        assert_eq!(shape.verdict(), None);
        assert_eq!(text_of(&out), "``` more");
        assert_eq!(out[1], start);
    }

    #[test]
    fn half_a_fence_is_not_left_before_a_tool_call() {
        let mut shape = shape();
        let mut out = VecDeque::new();
        shape.push(ReplyEvent::Text("```json\n{}\n```".into()), &mut out);
        let (id, name) = ("1".into(), "find".into());
        shape.push(ReplyEvent::ToolUseStart { id, name }, &mut out);
        assert_eq!(text_of(&out), "{}");
    }

    #[test]
    fn an_answer_that_was_cut_is_not_looked_at() {
        for reason in [StopReason::MaxTokens, StopReason::ContentFiltered] {
            let mut shape = shape();
            let mut out = VecDeque::new();
            shape.push(ReplyEvent::Text("```\n{\"a".into()), &mut out);
            shape.push(ReplyEvent::Stop(reason), &mut out);
            assert_eq!(shape.verdict(), None);
            assert_eq!(text_of(&out), "{\"a");
        }
    }
}
