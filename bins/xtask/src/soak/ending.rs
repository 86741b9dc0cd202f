//! To which end a request came.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use serde_json::Value;

use super::ask::{Ask, Course, Dialect};
use crate::http::{Answer, Connection, request};
use crate::stage::KEY;

/// The end of one request.
#[derive(Debug, PartialEq)]
pub(super) enum Ending {
    /// The complete answer, word for word.
    Whole,
    /// One error, and no end that looks like success.
    Error,
    /// The client left.
    Left,
    /// Anything else.
    Wrong(String),
}

/// Asks, and reads to the end.
pub(super) fn ending(address: &str, ask: &Ask) -> Ending {
    let authorization = format!("Bearer {KEY}");
    let headers = [
        ("authorization", &*authorization),
        ("content-type", "application/json"),
    ];
    let asking = request("POST", ask.path(), &headers, &ask.body());
    if let Course::IsLeft(_) = ask.course {
        return match leave(address, &asking) {
            Ok(()) => Ending::Left,
            Err(error) => Ending::Wrong(format!("cannot be left: {error}")),
        };
    }
    let mut answer = Answer::default();
    let asked = Connection::open(address).and_then(|mut to| to.ask(&asking, &mut answer));
    if let Err(error) = asked {
        return Ending::Wrong(format!("no whole response: {error}"));
    }
    judge(ask, &answer)
}

/// Sends a request, reads a little and goes.
fn leave(address: &str, asking: &[u8]) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(asking)?;
    stream.set_read_timeout(Some(Duration::from_millis(50)))?;
    // Nothing may have come yet, and that is fine.
    let _ = stream.read(&mut [0; 256]);
    stream.shutdown(Shutdown::Both)
}

fn judge(ask: &Ask, answer: &Answer) -> Ending {
    let Ok(text) = std::str::from_utf8(&answer.body) else {
        return Ending::Wrong("not UTF-8".to_owned());
    };
    let told = match (answer.status, ask.stream) {
        (200, true) => streamed(ask.dialect, text),
        (200, false) => whole(ask.dialect, text),
        _ => refused(text),
    };
    let Some(told) = told else {
        return Ending::Wrong(format!("{}: {text}", answer.status));
    };
    let is_whole = told.is_complete && told.text == ask.words;
    match (told.errors, is_whole, &ask.course) {
        (0, true, Course::Answers(_)) => Ending::Whole,
        (1, _, _) if !told.is_complete => Ending::Error,
        _ => Ending::Wrong(format!("{}: {told:?}", answer.status)),
    }
}

/// What a response says.
#[derive(Debug, Default, PartialEq)]
struct Told {
    text: String,
    /// Whether it ends as a success does.
    is_complete: bool,
    errors: usize,
}

fn refused(text: &str) -> Option<Told> {
    let body: Value = serde_json::from_str(text).ok()?;
    let told = Told {
        errors: usize::from(body["error"]["message"].is_string()),
        ..Told::default()
    };
    Some(told)
}

fn whole(dialect: Dialect, text: &str) -> Option<Told> {
    let body: Value = serde_json::from_str(text).ok()?;
    let (text, end) = match dialect {
        Dialect::Chat => (
            &body["choices"][0]["message"]["content"],
            body["choices"][0]["finish_reason"] == "stop",
        ),
        Dialect::Responses => (
            &body["output"][0]["content"][0]["text"],
            body["status"] == "completed",
        ),
        Dialect::Messages => (
            &body["content"][0]["text"],
            body["stop_reason"] == "end_turn",
        ),
    };
    Some(Told {
        text: text.as_str()?.to_owned(),
        is_complete: end,
        errors: 0,
    })
}

fn streamed(dialect: Dialect, text: &str) -> Option<Told> {
    let mut told = Told::default();
    let mut finished = false;
    for line in text.lines().filter_map(|line| line.strip_prefix("data: ")) {
        if line == "[DONE]" {
            told.is_complete = finished;
            continue;
        }
        let event: Value = serde_json::from_str(line).ok()?;
        let delta = match dialect {
            Dialect::Chat => {
                finished |= event["choices"][0]["finish_reason"].is_string();
                told.errors += usize::from(event["error"].is_object());
                &event["choices"][0]["delta"]["content"]
            }
            Dialect::Responses => {
                told.is_complete |= event["type"] == "response.completed";
                told.errors += usize::from(event["type"] == "response.failed");
                match event["type"] == "response.output_text.delta" {
                    true => &event["delta"],
                    false => &Value::Null,
                }
            }
            Dialect::Messages => {
                told.is_complete |= event["type"] == "message_stop";
                told.errors += usize::from(event["type"] == "error");
                &event["delta"]["text"]
            }
        };
        told.text += delta.as_str().unwrap_or_default();
    }
    Some(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(course: Course) -> Ask {
        Ask {
            dialect: Dialect::Chat,
            stream: true,
            course,
            words: "Hi".to_owned(),
        }
    }

    fn judged(course: Course, body: &str) -> Ending {
        let answer = Answer {
            status: 200,
            body: body.as_bytes().to_vec(),
        };
        judge(&ask(course), &answer)
    }

    const TEXT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n";
    const FINISH: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    const DONE: &str = "data: [DONE]\n\n";
    const ERROR: &str = "data: {\"error\":{\"message\":\"x\"}}\n\n";

    #[test]
    fn an_answer_has_one_end() {
        let answers = Course::Answers("");
        for (body, whole) in [
            ([TEXT, FINISH, DONE].concat(), true),
            ([TEXT, DONE].concat(), false),
            ([TEXT, FINISH].concat(), false),
            ([TEXT, TEXT, FINISH, DONE].concat(), false),
            ([FINISH, DONE].concat(), false),
        ] {
            assert_eq!(judged(answers, &body) == Ending::Whole, whole, "{body}");
        }
        let fails = Course::Fails("sim:cut");
        assert_eq!(judged(fails, &[TEXT, ERROR, DONE].concat()), Ending::Error);
        for body in [
            [TEXT, FINISH, DONE].concat(),
            [TEXT, ERROR, FINISH, DONE].concat(),
            [TEXT, ERROR, ERROR, DONE].concat(),
            TEXT.to_owned(),
        ] {
            assert!(matches!(judged(fails, &body), Ending::Wrong(_)), "{body}");
        }
    }
}
