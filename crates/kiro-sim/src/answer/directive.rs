//! Directives: words of the user's text that say what the simulator is to do.
//!
//! A directive is a word `sim:NAME` or `sim:NAME=VALUE`; white space ends it. Only `sim:echo` takes the
//! rest of the text. Durations are a number with `ms`, `s` or `m`. The crate page has the table.

use std::time::Duration;

use serde_json::{Value, json};

use crate::script::Step;

/// What the directives of a text ask for.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Directives {
    /// The answer, word for word.
    pub(super) echo: Option<String>,
    /// Length of the answer.
    pub(super) tokens: Option<usize>,
    /// Pause between words.
    pub(super) delay: Option<Duration>,
    /// Pause before the response head.
    pub(super) first: Option<Duration>,
    pub(super) reasoning: bool,
    /// The tool to call.
    pub(super) tool: Option<String>,
    /// How many calls to make.
    pub(super) calls: Option<usize>,
    pub(super) stop: Option<String>,
    pub(super) no_stop: bool,
    pub(super) no_tail: bool,
    pub(super) usage: Option<f64>,
    pub(super) credits: Option<f64>,
    pub(super) segments: Option<usize>,
    /// Words that look like directives and are none.
    pub(super) unknown: Vec<String>,
    instead: Option<Step>,
    retry_after: Option<Duration>,
    happens: Option<Step>,
    after: Option<usize>,
}

/// Something that happens in the middle of the answer.
#[derive(Debug, PartialEq)]
pub(super) struct Break {
    pub(super) step: Step,
    /// Words before it; half of them when not said.
    pub(super) after: Option<usize>,
}

impl Directives {
    pub(super) fn parse(text: &str) -> Self {
        let mut directives = Self::default();
        let mut rest = text;
        while let Some(start) = next_directive(rest) {
            let word = &rest[start..];
            if let Some(echo) = word.strip_prefix("sim:echo ") {
                directives.echo = Some(echo.to_owned());
                break;
            }
            let end = word.find(char::is_whitespace).unwrap_or(word.len());
            let (word, after) = word.split_at(end);
            rest = after;
            if directives.take(&word["sim:".len()..]).is_none() {
                directives.unknown.push(word.to_owned());
            }
        }
        directives
    }

    /// The step that takes the place of a stream, if one was asked for.
    pub(super) fn instead_of_stream(&self) -> Option<Step> {
        match self.instead.clone()? {
            Step::HttpError { status, body, .. } => Some(Step::HttpError {
                status,
                body,
                retry_after: self.retry_after,
            }),
            step => Some(step),
        }
    }

    /// What happens in the middle of the answer, if anything.
    pub(super) fn happening(&self) -> Option<Break> {
        Some(Break {
            step: self.happens.clone()?,
            after: self.after,
        })
    }

    fn take(&mut self, directive: &str) -> Option<()> {
        match directive.split_once('=') {
            Some((name, value)) => self.take_value(name, value),
            None => self.take_word(directive),
        }
    }

    fn take_word(&mut self, name: &str) -> Option<()> {
        match name {
            "reasoning" => self.reasoning = true,
            "no-stop" => self.no_stop = true,
            "no-tail" => self.no_tail = true,
            "html" => {
                self.instead = Some(Step::Html("<html><body>Sorry.</body></html>".to_owned()))
            }
            "empty" => self.instead = Some(Step::Empty),
            "hang-before-head" => self.instead = Some(Step::HangBeforeHead),
            "cut-before-head" => self.instead = Some(Step::CutBeforeHead),
            _ => self.happens = Some(happening(name)?),
        }
        Some(())
    }

    fn take_value(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "tokens" => self.tokens = Some(value.parse().ok()?),
            "calls" => self.calls = Some(value.parse().ok()?),
            "after" => self.after = Some(value.parse().ok()?),
            "segments" => self.segments = Some(value.parse().ok()?),
            "delay" => self.delay = Some(duration(value)?),
            "first" => self.first = Some(duration(value)?),
            "retry-after" => self.retry_after = Some(duration(value)?),
            "usage" => self.usage = Some(number(value)?),
            "credits" => self.credits = Some(number(value)?),
            "tool" => self.tool = Some(value.to_owned()),
            "stop" => self.stop = Some(value.to_owned()),
            "silence" => self.happens = Some(Step::Silence(duration(value)?)),
            "fault" => {
                let payload = json!({"message": "The script asked for this fault."});
                self.happens = Some(Step::Fault {
                    kind: value.to_owned(),
                    payload,
                });
            }
            "error" => self.instead = Some(http_error(value)?),
            _ => return None,
        }
        Some(())
    }
}

fn happening(name: &str) -> Option<Step> {
    Some(match name {
        "hang" => Step::Hang,
        "cut" => Step::Cut,
        "cut-inside-frame" => Step::CutInsideFrame,
        "end-inside-frame" => Step::EndInsideFrame,
        "reset" => Step::Reset,
        "bad-message-crc" => Step::BadMessageCrc,
        "bad-prelude-crc" => Step::BadPreludeCrc,
        "lying-length" => Step::LyingLength(10_000_000),
        "oversize-length" => Step::OversizeLength(u32::MAX),
        "unknown-event" => {
            let payload = json!({"answer": 42});
            Step::Event {
                kind: "somethingNewEvent".to_owned(),
                payload,
            }
        }
        _ => return None,
    })
}

/// `STATUS` or `STATUS,REASON`.
fn http_error(value: &str) -> Option<Step> {
    let (status, reason) = match value.split_once(',') {
        Some((status, reason)) => (status, Some(reason)),
        None => (value, None),
    };
    let status: u16 = status
        .parse()
        .ok()
        .filter(|status| (400..600).contains(status))?;
    let usual = match status {
        400 => Some("REQUEST_BODY_INVALID"),
        402 => Some("MONTHLY_REQUEST_COUNT"),
        429 => Some("USER_REQUEST_RATE_EXCEEDED"),
        _ => None,
    };
    let reason = reason.or(usual);
    let body = json!({"message": message_of(status, reason), "reason": reason});
    Some(Step::HttpError {
        status,
        body,
        retry_after: None,
    })
}

/// What the service says beside a reason, or a status without one.
fn message_of(status: u16, reason: Option<&str>) -> &'static str {
    match (reason, status) {
        (Some("CONTENT_LENGTH_EXCEEDS_THRESHOLD"), _) => "Input is too long.",
        (Some("PROMPT_TOO_LONG"), _) => "Prompt is too long",
        (Some("INVALID_MODEL_ID"), _) => {
            "Invalid model. Please select a different model to continue."
        }
        (Some("MONTHLY_REQUEST_COUNT"), 429) => "Maximum Request reached for this month.",
        (Some("MONTHLY_REQUEST_COUNT"), _) => "You have reached the limit.",
        (Some("INSUFFICIENT_MODEL_CAPACITY"), _) => {
            "I am experiencing high traffic, please try again shortly."
        }
        (Some("MODEL_TEMPORARILY_UNAVAILABLE"), _) => "The model is temporarily unavailable.",
        (Some("TEMPORARILY_SUSPENDED"), _) => {
            "Your User ID (EXAMPLE) temporarily is suspended. We've locked your account as a security \
             precaution."
        }
        (_, 400) => "Improperly formed request.",
        (_, 401) => "Unauthorized",
        (_, 403) => "The bearer token included in the request is invalid.",
        (_, 429) => "Too many requests, please wait before trying again.",
        (_, 500) => {
            "Encountered an unexpected error when processing the request, please try again."
        }
        _ => "The service cannot handle the request.",
    }
}

/// Where the next word that begins with `sim:` begins.
fn next_directive(text: &str) -> Option<usize> {
    text.match_indices("sim:").map(|(at, _)| at).find(|at| {
        let before = text[..*at].chars().next_back();
        before.is_none_or(char::is_whitespace)
    })
}

fn duration(value: &str) -> Option<Duration> {
    let (digits, millis) = match value {
        _ if value.ends_with("ms") => (value.strip_suffix("ms")?, 1),
        _ if value.ends_with('s') => (value.strip_suffix('s')?, 1000),
        _ => (value.strip_suffix('m')?, 60_000),
    };
    let number: u64 = digits.parse().ok()?;
    Some(Duration::from_millis(number.checked_mul(millis)?))
}

fn number(value: &str) -> Option<f64> {
    value
        .parse()
        .ok()
        .filter(|number: &f64| Value::from(*number).is_number())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_words_of_the_text() {
        let directives = Directives::parse("Please sim:tokens=500 and\nsim:delay=20ms now");
        assert_eq!(directives.tokens, Some(500));
        assert_eq!(directives.delay, Some(Duration::from_millis(20)));
        assert_eq!(
            Directives::parse("a tosim:cut or csim:cut"),
            Directives::default()
        );
    }

    #[test]
    fn each_directive_of_the_crate_page_is_understood() {
        let page = include_str!("../../README.md");
        let rows = page.lines().filter(|line| line.starts_with("| `sim:"));
        let named: Vec<&str> = rows
            .filter_map(|row| row.split('|').nth(1))
            .flat_map(|cell| cell.split('`').filter(|part| part.starts_with("sim:")))
            .collect();
        assert!(named.len() > 30, "{named:?}");
        for directive in named {
            let directives = Directives::parse(&directive.replace("=N", "=5"));
            assert_eq!(directives.unknown, [""; 0], "{directive}");
            assert_ne!(directives, Directives::default(), "{directive}");
        }
    }

    #[test]
    fn echo_takes_the_rest_as_it_is() {
        let directives = Directives::parse("sim:delay=1s sim:echo  two  spaces\nsim:cut");
        assert_eq!(directives.echo.as_deref(), Some(" two  spaces\nsim:cut"));
        assert_eq!(directives.happening(), None);
    }

    #[test]
    fn what_is_not_understood_is_kept() {
        let directives = Directives::parse("sim:cutt sim:tokens=many sim:delay=5 sim:error=200");
        assert_eq!(
            directives.unknown,
            [
                "sim:cutt",
                "sim:tokens=many",
                "sim:delay=5",
                "sim:error=200"
            ]
        );
    }

    #[test]
    fn an_error_has_the_words_of_the_service() {
        let directives =
            Directives::parse("sim:error=429,INSUFFICIENT_MODEL_CAPACITY sim:retry-after=2s");
        let Some(Step::HttpError {
            status,
            body,
            retry_after,
        }) = directives.instead_of_stream()
        else {
            panic!("no error");
        };
        assert_eq!((status, retry_after), (429, Some(Duration::from_secs(2))));
        assert_eq!(body["reason"], "INSUFFICIENT_MODEL_CAPACITY");
        assert!(body["message"].as_str().unwrap().contains("high traffic"));
    }

    #[test]
    fn a_happening_has_its_place() {
        let directives = Directives::parse("sim:fault=throttlingError sim:after=3");
        let happening = directives.happening().unwrap();
        assert_eq!(happening.after, Some(3));
        assert!(matches!(happening.step, Step::Fault { kind, .. } if kind == "throttlingError"));
    }
}
