//! Thoughts that a model writes into its text between tags.
//!
//! Models that cannot think natively are told to begin with `<thinking>`, write their thoughts and close
//! the tag before the answer. The tags arrive cut at any point, sometimes JSON-escaped.
//!
//! Rules, with their source in what gateways learned (likely, October 2026):
//!
//! - Only at the very start of the text, white space aside; anywhere else a tag is text.
//! - `<thinking>`, `<think>`, `<reasoning>` and `<thought>` occur; a tag closes by its own name.
//! - A closing tag does not count next to a quote or a back-tick, nor inside a fenced code block: then the
//!   model writes about the tag.
//! - It counts whatever else follows, also text on the same line.
//! - A line break after the opening tag and those after the closing tag belong to the tags.

use crate::text::JsonText;

const TAGS: [(&str, &str); 4] = [
    ("<thinking>", "</thinking>"),
    ("<think>", "</think>"),
    ("<reasoning>", "</reasoning>"),
    ("<thought>", "</thought>"),
];

/// White space before the opening tag that is waited through. Models write at most a line break or two.
const MAX_LEADING_BYTES: usize = 64;

/// Splits the text of a reply into thoughts and answer.
///
/// While the tags are undecided it holds back at most the length of a tag and the character after it.
/// Once they are decided, text passes through untouched and shared.
#[derive(Debug)]
pub(super) struct ThinkingTags {
    state: State,
    /// Unescaped text that is not yet decided.
    held: String,
    before: Before,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing but white space and the beginning of an opening tag has come.
    Start,
    /// Line breaks after the opening tag are dropped.
    Opened { close: &'static str },
    /// In the thoughts.
    Inside { close: &'static str },
    /// Line breaks after the closing tag are dropped.
    Closed,
    /// The rest is text.
    Text,
}

/// A part of the text, named by what it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(JsonText),
    Reasoning(JsonText),
}

impl ThinkingTags {
    pub(super) fn new(enabled: bool) -> Self {
        Self {
            state: if enabled { State::Start } else { State::Text },
            held: String::new(),
            before: Before::default(),
        }
    }

    /// Whether all that follows is text.
    pub(super) fn is_over(&self) -> bool {
        self.state == State::Text
    }

    /// Takes a delta. Returns the parts that are certain, in order.
    pub(super) fn push(&mut self, delta: JsonText) -> Vec<Part> {
        if self.is_over() {
            return vec![Part::Text(delta)];
        }
        self.held.push_str(&delta.unescape());
        self.advance(false)
    }

    /// The text breaks off, for a tool use or for good. Returns what was held back, and whether the
    /// thoughts were still open.
    pub(super) fn end(&mut self) -> (Vec<Part>, bool) {
        let mut parts = self.advance(true);
        let is_open = matches!(self.state, State::Opened { .. } | State::Inside { .. });
        let rest = std::mem::take(&mut self.held);
        if !rest.is_empty() {
            let rest = JsonText::new(&rest);
            parts.push(if is_open {
                Part::Reasoning(rest)
            } else {
                Part::Text(rest)
            });
        }
        self.state = State::Text;
        (parts, is_open)
    }

    /// Goes on until more text is needed. At the end of the text there is none.
    fn advance(&mut self, at_end: bool) -> Vec<Part> {
        let mut parts = Vec::new();
        loop {
            let before = self.state;
            match self.state {
                State::Start => self.look_for_opening(),
                State::Opened { close } => {
                    if self.drop_line_breaks() {
                        self.state = State::Inside { close };
                    }
                }
                State::Inside { close } => {
                    if let Some(thoughts) = self.take_thoughts(close, at_end) {
                        parts.push(Part::Reasoning(thoughts));
                    }
                }
                State::Closed => {
                    if self.drop_line_breaks() {
                        self.state = State::Text;
                    }
                }
                State::Text => {
                    if !self.held.is_empty() {
                        let text = std::mem::take(&mut self.held);
                        parts.push(Part::Text(JsonText::new(&text)));
                    }
                    return parts;
                }
            }
            if self.state == before {
                return parts;
            }
        }
    }

    fn look_for_opening(&mut self) {
        let text = self.held.trim_start();
        let leading = self.held.len() - text.len();
        if let Some((open, close)) = TAGS.iter().find(|(open, _)| text.starts_with(open)) {
            self.held.drain(..leading + open.len());
            self.state = State::Opened { close };
            return;
        }
        let is_undecided = TAGS.iter().any(|(open, _)| open.starts_with(text));
        if !is_undecided || leading > MAX_LEADING_BYTES {
            self.state = State::Text;
        }
    }

    /// Says whether something else than a line break has come.
    fn drop_line_breaks(&mut self) -> bool {
        let rest = self.held.trim_start_matches(['\n', '\r']).len();
        self.held.drain(..self.held.len() - rest);
        rest > 0
    }

    /// Takes the thoughts that are certain, up to the closing tag or what may become one.
    fn take_thoughts(&mut self, close: &str, at_end: bool) -> Option<JsonText> {
        let mut certain = self.held.len();
        let mut after_tag = None;
        for (at, character) in self.held.char_indices() {
            let rest = &self.held[at..];
            if let Some(after) = rest.strip_prefix(close) {
                let next = after.chars().next();
                if next.is_none() && !at_end {
                    certain = at;
                    break;
                }
                if !self.before.is_mention() && !next.is_some_and(is_quote) {
                    certain = at;
                    after_tag = Some(at + close.len());
                    break;
                }
            } else if close.starts_with(rest) && !at_end {
                certain = at;
                break;
            }
            self.before.pass(character);
        }
        let thoughts = JsonText::new(&self.held[..certain]);
        self.held.drain(..after_tag.unwrap_or(certain));
        if after_tag.is_some() {
            self.state = State::Closed;
        }
        (!thoughts.is_empty()).then_some(thoughts)
    }
}

/// What stands before a place in the thoughts.
#[derive(Debug, Default)]
struct Before {
    last: Option<char>,
    /// Whether the line so far is nothing but white space and fence characters.
    in_text: bool,
    /// The fence characters at the start of the line.
    ticks: usize,
    in_fence: bool,
}

impl Before {
    fn pass(&mut self, character: char) {
        self.last = Some(character);
        match character {
            '\n' => {
                self.in_text = false;
                self.ticks = 0;
            }
            '`' if !self.in_text => {
                self.ticks += 1;
                if self.ticks == 3 {
                    self.in_fence = !self.in_fence;
                }
            }
            ' ' | '\t' if self.ticks == 0 => {}
            _ => self.in_text = true,
        }
    }

    /// Whether a tag at this place is written about rather than meant.
    fn is_mention(&self) -> bool {
        self.in_fence || self.last.is_some_and(is_quote)
    }
}

fn is_quote(character: char) -> bool {
    matches!(
        character,
        '`' | '"' | '\'' | '\u{2018}'..='\u{201f}' | '«' | '»' | '「' | '」' | '『' | '』'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Thoughts and text of a reply that arrives in these pieces, and whether the thoughts stayed open.
    fn split(pieces: &[&str]) -> (String, String, bool) {
        let mut tags = ThinkingTags::new(true);
        let mut parts: Vec<_> = pieces
            .iter()
            .flat_map(|piece| tags.push(JsonText::new(piece)))
            .collect();
        let (rest, is_open) = tags.end();
        parts.extend(rest);
        let (mut thoughts, mut text) = (String::new(), String::new());
        for part in parts {
            match part {
                Part::Reasoning(part) => {
                    assert!(text.is_empty(), "thoughts after text");
                    thoughts += &part.unescape();
                }
                Part::Text(part) => text += &part.unescape(),
            }
        }
        (thoughts, text, is_open)
    }

    const CASES: &[(&str, &str, &str, bool)] = &[
        ("<thinking>\nhm\n</thinking>\n\nYes.", "hm\n", "Yes.", false),
        ("\n <think>hm</think>Yes.", "hm", "Yes.", false),
        ("<reasoning>hm</reasoning> Yes.", "hm", " Yes.", false),
        ("<thought>猫😀</thought>犬🐕", "猫😀", "犬🐕", false),
        ("<thinking></thinking>Yes.", "", "Yes.", false),
        ("<thinking>hm</thinking>", "hm", "", false),
        ("<thinking>hm", "hm", "", true),
        (
            "<thinking>hm</think>no</thinking>Yes",
            "hm</think>no",
            "Yes",
            false,
        ),
        (
            "<thinking>`</thinking>` is a tag</thinking>Yes",
            "`</thinking>` is a tag",
            "Yes",
            false,
        ),
        (
            "<thinking>say \"</thinking>\" </thinking>Yes",
            "say \"</thinking>\" ",
            "Yes",
            false,
        ),
        (
            "<thinking>a\n```\n</thinking>\n```\n</thinking>Yes",
            "a\n```\n</thinking>\n```\n",
            "Yes",
            false,
        ),
        ("<thinking>a ``` b</thinking>Yes", "a ``` b", "Yes", false),
        (
            "<thinking>1 < 2 </ </thin </thinking>Yes",
            "1 < 2 </ </thin ",
            "Yes",
            false,
        ),
        (
            "<thinking>a</thinking>b<thinking>c</thinking>",
            "a",
            "b<thinking>c</thinking>",
            false,
        ),
        (
            "Yes <thinking>no</thinking>",
            "",
            "Yes <thinking>no</thinking>",
            false,
        ),
        ("<thinkin", "", "<thinkin", false),
        ("<thinks>no</thinks>", "", "<thinks>no</thinks>", false),
        ("```\n<thinking>no", "", "```\n<thinking>no", false),
        ("  plain", "", "  plain", false),
        ("\n", "", "\n", false),
        ("", "", "", false),
    ];

    #[test]
    fn any_cut_gives_the_same_thoughts_and_text() {
        for (whole, thoughts, text, is_open) in CASES {
            let expected = (thoughts.to_string(), text.to_string(), *is_open);
            assert_eq!(split(&[whole]), expected, "{whole:?}");
            let letters: Vec<_> = whole.split_inclusive(|_| true).collect();
            assert_eq!(split(&letters), expected, "{whole:?} letter by letter");
            for (cut, _) in whole.char_indices() {
                let (head, tail) = whole.split_at(cut);
                assert_eq!(split(&[head, tail]), expected, "{whole:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn no_more_is_held_back_than_a_tag_and_what_follows_it() {
        let text = "<thinking>a < b </thinkin </think </thinking>x</thinking>";
        let mut tags = ThinkingTags::new(true);
        for letter in text.split_inclusive(|_| true) {
            tags.push(JsonText::new(letter));
            assert!(tags.held.len() <= "</thinking>".len(), "{:?}", tags.held);
        }
        assert!(tags.is_over());
        let spaces = " ".repeat(MAX_LEADING_BYTES + 1);
        assert_eq!(split(&[&spaces, "<thinking>"]).1, spaces + "<thinking>");
    }

    #[test]
    fn after_the_thoughts_text_is_shared() {
        let mut tags = ThinkingTags::new(false);
        let text = JsonText::new("text");
        let parts = tags.push(text.clone());
        let [Part::Text(part)] = &parts[..] else {
            panic!("{parts:?}")
        };
        assert_eq!(part.escaped().as_ptr(), text.escaped().as_ptr());
    }
}
