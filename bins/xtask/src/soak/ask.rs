//! What is asked, and what must come of it.

use std::fmt;

use serde_json::json;

/// One request.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) dialect: Dialect,
    pub(super) stream: bool,
    pub(super) course: Course,
    /// What the model says if nothing comes in between.
    pub(super) words: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Chat,
    Responses,
    Messages,
}

/// What the simulated service does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    /// It answers; in this way.
    Answers(&'static str),
    /// Something goes wrong.
    Fails(&'static str),
    /// It takes its time, and the client leaves meanwhile.
    IsLeft(&'static str),
}

const DIALECTS: [Dialect; 3] = [Dialect::Chat, Dialect::Responses, Dialect::Messages];

const ANSWERS: [&str; 6] = [
    "",
    "sim:delay=2ms",
    "sim:segments=1",
    "sim:segments=7",
    "sim:unknown-event",
    "sim:silence=1500ms",
];

const FAULTS: [&str; 14] = [
    "sim:error=400",
    "sim:error=429,INSUFFICIENT_MODEL_CAPACITY",
    "sim:error=500",
    "sim:html",
    "sim:empty",
    "sim:cut-before-head",
    "sim:cut",
    "sim:reset",
    "sim:cut-inside-frame",
    "sim:end-inside-frame",
    "sim:bad-message-crc",
    "sim:bad-prelude-crc",
    "sim:lying-length",
    "sim:oversize-length",
];

const LEAVES: [&str; 3] = ["sim:hang", "sim:delay=20ms", "sim:hang-before-head"];

/// Of ten requests, those that are answered and those that fail; the rest is left.
const OF_TEN: [u8; 2] = [7, 9];

impl Ask {
    pub(super) fn random(random: &mut fastrand::Rng) -> Self {
        let one_of = |of: &[&'static str], random: &mut fastrand::Rng| of[random.usize(..of.len())];
        let course = match random.u8(..10) {
            n if n < OF_TEN[0] => Course::Answers(one_of(&ANSWERS, random)),
            n if n < OF_TEN[1] => Course::Fails(one_of(&FAULTS, random)),
            _ => Course::IsLeft(one_of(&LEAVES, random)),
        };
        Self {
            dialect: DIALECTS[random.usize(..DIALECTS.len())],
            stream: random.bool(),
            course,
            words: words(random),
        }
    }

    /// The kind of request, for the table.
    pub(super) fn kind(&self) -> &'static str {
        match self.course {
            Course::Answers("") => "answers",
            Course::Answers(how) | Course::Fails(how) | Course::IsLeft(how) => &how["sim:".len()..],
        }
    }

    pub(super) fn path(&self) -> &'static str {
        match self.dialect {
            Dialect::Chat => "/v1/chat/completions",
            Dialect::Responses => "/v1/responses",
            Dialect::Messages => "/v1/messages",
        }
    }

    pub(super) fn body(&self) -> String {
        let (Course::Answers(how) | Course::Fails(how) | Course::IsLeft(how)) = self.course;
        // Without a price: an account has a quota, and when it is used up everything is refused.
        let text = format!("{how} sim:credits=0 sim:echo {}", self.words);
        let (model, stream) = ("claude-sonnet-4-5", self.stream);
        let messages = [json!({"role": "user", "content": text})];
        let body = match self.dialect {
            Dialect::Chat => json!({"model": model, "stream": stream, "messages": messages}),
            Dialect::Responses => json!({"model": model, "stream": stream, "input": text}),
            Dialect::Messages => {
                json!({"model": model, "stream": stream, "max_tokens": 4096, "messages": messages})
            }
        };
        body.to_string()
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.stream { "streamed" } else { "whole" };
        write!(f, "{:?} {how} {}", self.dialect, self.body())
    }
}

/// Some words with everything that has to be escaped on the way.
fn words(random: &mut fastrand::Rng) -> String {
    const WORDS: [&str; 8] = [
        "one", "größer", "\"so\"", "塔", "🗼", "a\\b", "</x>", "end.",
    ];
    let n_words = 1 + random.usize(..120);
    let words = (0..n_words).map(|_| WORDS[random.usize(..WORDS.len())]);
    words.collect::<Vec<_>>().join(" ")
}
