//! Whether what comes out is what was captured.
//!
//! Ids, times and keep-alives differ by nature. Ids are numbered in the order in which they appear, so that one that
//! stands in the wrong place is still found.

use std::collections::HashMap;

use http::HeaderMap;
use kiro_gateway::capture::{Bundle, Content, Ended};
use kiro_sim::Recorded;
use serde_json::Value;

use super::retell::{Unfit, bytes};

/// Headers that belong to what is told. The others are of the connection, of the key, or of the moment.
const HEADERS: [&str; 6] = [
    "content-type",
    "retry-after",
    "x-gateway-ignored",
    "x-gateway-warning",
    "x-kiro-credits",
    "x-should-retry",
];

/// Members that are ids.
const IDS: [&str; 11] = [
    "id",
    "item_id",
    "response_id",
    "request_id",
    "tool_use_id",
    "call_id",
    "conversationId",
    "rootConversationId",
    "agentContinuationId",
    "utteranceId",
    "toolUseId",
];

/// Members that are times, or of a time, or of a key.
const OF_THE_MOMENT: [&str; 7] = [
    "created",
    "created_at",
    "completed_at",
    "sequence_number",
    "profileArn",
    "encrypted_content",
    "signature",
];

/// Lines that are shown of a difference.
const SHOWN: usize = 20;

/// Lines before it.
const BEFORE: usize = 2;

/// What a client was told.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) status: u16,
    headers: Vec<String>,
    pub(super) body: Vec<u8>,
    pub(super) ended: Ended,
}

impl Told {
    pub(super) fn of_bundle(bundle: &Bundle) -> Result<Self, Unfit> {
        let response = bundle.response.as_ref().ok_or(Unfit::NoResponse)?;
        if response.left_out > 0 {
            return Err(Unfit::Cut("the answer"));
        }
        let mut body = Vec::new();
        for piece in &response.pieces {
            body.extend_from_slice(&bytes(piece)?);
        }
        let headers = response.head.headers.iter();
        Ok(Self {
            status: response.status,
            headers: known(headers.map(|(name, value)| (&**name, &**value))),
            body,
            ended: response.ended,
        })
    }

    pub(super) fn of_head(status: u16, headers: &HeaderMap) -> Self {
        let headers = headers.iter();
        let readable =
            headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        Self {
            status,
            headers: known(readable),
            body: Vec::new(),
            ended: Ended::Complete,
        }
    }

    /// Whether the other one has told as much, where the client left then.
    pub(super) fn is_reached_by(&self, other: &Self) -> bool {
        self.ended == Ended::Left && other.events().len() >= self.events().len()
    }

    /// What is compared.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("status: {}", self.status)];
        lines.extend(self.headers.iter().cloned());
        lines.extend(self.events());
        lines
    }

    /// The events of a stream, or the lines of a document.
    fn events(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.body);
        let is_stream = self
            .headers
            .iter()
            .any(|header| header.starts_with("content-type: text/event-stream"));
        let mut ids = Ids::default();
        if !is_stream {
            return document(&text, &mut ids);
        }
        // The last one may be half of one.
        let whole = text.rfind("\n\n").map_or("", |end| &text[..end]);
        let events = whole.split("\n\n");
        let mut told: Vec<String> = Vec::new();
        for event in events.filter_map(|event| event_line(event, &mut ids)) {
            // One that says again that it goes on is a keep-alive.
            let is_again = event.contains("response.in_progress") && told.last() == Some(&event);
            if !is_again {
                told.push(event);
            }
        }
        told
    }
}

fn known<'a>(headers: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let known = headers.filter(|(name, _)| HEADERS.contains(name));
    let mut lines: Vec<String> = known
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    lines.sort();
    lines
}

/// An event as a line; `None` for a keep-alive.
fn event_line(event: &str, ids: &mut Ids) -> Option<String> {
    let mut line = String::new();
    for part in event.lines().filter(|part| !part.starts_with(':')) {
        if part == "event: ping" {
            return None;
        }
        let data = part.strip_prefix("data: ");
        match data.and_then(|data| serde_json::from_str::<Value>(data).ok()) {
            Some(value) if is_keep_alive(&value) => return None,
            Some(value) => line += &format!("data: {} ", ids.numbered(value)),
            None => line += &format!("{part} "),
        }
    }
    let line = line.trim_end();
    (!line.is_empty()).then(|| line.to_owned())
}

/// Whether an event says nothing: a chunk without a delta, or an empty delta.
fn is_keep_alive(event: &Value) -> bool {
    let choice = &event["choices"][0];
    let is_empty = |value: &Value| value.as_object().is_some_and(serde_json::Map::is_empty);
    let is_chunk = is_empty(&choice["delta"]) && choice["finish_reason"].is_null();
    is_chunk || event["delta"] == ""
}

/// A document as lines.
fn document(text: &str, ids: &mut Ids) -> Vec<String> {
    let value = serde_json::from_str::<Value>(text).map(|value| ids.numbered(value));
    let pretty = value.and_then(|value| serde_json::to_string_pretty(&value));
    let pretty = pretty.unwrap_or_else(|_| text.to_owned());
    pretty.lines().map(str::to_owned).collect()
}

/// The numbers of ids, in the order in which they appear.
#[derive(Debug, Default)]
struct Ids(HashMap<String, usize>);

impl Ids {
    /// A value with numbers for ids and without what is of the moment.
    fn numbered(&mut self, value: Value) -> Value {
        match value {
            Value::Object(members) => {
                let kept = members
                    .into_iter()
                    .filter(|(name, _)| !OF_THE_MOMENT.contains(&&**name));
                let numbered = kept.map(|(name, value)| match value {
                    Value::String(id) if IDS.contains(&&*name) => {
                        let id = self.number(id);
                        (name, Value::from(id))
                    }
                    value => {
                        let value = self.numbered(value);
                        (name, value)
                    }
                });
                Value::Object(numbered.collect())
            }
            Value::Array(items) => {
                let items = items.into_iter();
                Value::Array(items.map(|item| self.numbered(item)).collect())
            }
            other => other,
        }
    }

    fn number(&mut self, id: String) -> String {
        let next = self.0.len() + 1;
        format!("(id {})", self.0.entry(id).or_insert(next))
    }
}

/// Where the requests to the service are others than those that were captured.
pub(super) fn requests(bundle: &Bundle, asked: &[Recorded]) -> Vec<String> {
    let sent = bundle.attempts.iter();
    let sent: Vec<_> = sent
        .filter_map(|attempt| attempt.request.as_ref())
        .collect();
    if sent.len() != asked.len() {
        let (then, now) = (sent.len(), asked.len());
        return vec![format!(
            "The service is asked {now} times in place of {then}."
        )];
    }
    let mut differ = Vec::new();
    let mut body = None;
    for (n, (then, now)) in sent.iter().zip(asked).enumerate() {
        // Without a body it is that of the one before.
        body = then.body.as_ref().or(body);
        let Some(body) = body.filter(|body| body.left_out == 0) else {
            continue;
        };
        let Content::Text(then) = &body.content else {
            continue;
        };
        let now = String::from_utf8_lossy(&now.body);
        let (then, now) = (
            document(then, &mut Ids::default()),
            document(&now, &mut Ids::default()),
        );
        if let Some(differences) = differences(&then, &now) {
            let number = n + 1;
            differ.push(format!(
                "Request {number} to the service is another one.\n{differences}"
            ));
        }
    }
    differ
}

/// The lines between the common beginning and the common end of two texts; `None` when they are the same.
pub(super) fn differences(then: &[String], now: &[String]) -> Option<String> {
    if then == now {
        return None;
    }
    let same = |(a, b): &(&String, &String)| a == b;
    let begin = then.iter().zip(now).take_while(same).count();
    let (then_rest, now_rest) = (&then[begin..], &now[begin..]);
    let end = then_rest.iter().rev().zip(now_rest.iter().rev());
    let end = end.take_while(same).count();
    let mut text = format!("From line {} of {}:\n", begin + 1, then.len());
    for line in &then[begin.saturating_sub(BEFORE)..begin] {
        text += &format!("  {line}\n");
    }
    for (sign, lines) in [
        ('-', &then_rest[..then_rest.len() - end]),
        ('+', &now_rest[..now_rest.len() - end]),
    ] {
        for line in lines.iter().take(SHOWN) {
            text += &format!("{sign} {line}\n");
        }
        if lines.len() > SHOWN {
            text += &format!("{sign} … {} more\n", lines.len() - SHOWN);
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(body: &str) -> Told {
        Told {
            status: 200,
            headers: vec!["content-type: text/event-stream".to_owned()],
            body: body.as_bytes().to_vec(),
            ended: Ended::Complete,
        }
    }

    #[test]
    fn ids_times_and_keep_alives_make_no_difference() {
        let then = told(
            "data: {\"id\":\"a\",\"created\":1,\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\nevent: ping\ndata: {}\n\ndata: {\"id\":\"a\"}\n\ndata: [DONE]\n\n",
        );
        let now = told(
            "data: {\"id\":\"b\",\"created\":2,\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n: x\n\ndata: {\"id\":\"b\",\"choices\":[{\"delta\":{},\"finish_reason\":null}]}\n\ndata: {\"id\":\"b\"}\n\ndata: [DONE]\n\n",
        );
        assert_eq!(differences(&then.lines(), &now.lines()), None);
        let wrong = told(
            "data: {\"id\":\"b\",\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\ndata: {\"id\":\"c\"}\n\ndata: [DONE]\n\n",
        );
        let shown = differences(&then.lines(), &wrong.lines()).unwrap();
        assert!(
            shown.contains("- data: {\"id\":\"(id 1)\"}")
                && shown.contains("+ data: {\"id\":\"(id 2)\"}"),
            "{shown}"
        );
    }

    #[test]
    fn who_left_early_is_only_told_as_much() {
        let mut then = told("data: {\"a\":1}\n\ndata: {\"b\"");
        then.ended = Ended::Left;
        assert!(!then.is_reached_by(&told("data: {\"a\"")));
        assert!(then.is_reached_by(&told("data: {\"a\":1}\n\n")));
        then.ended = Ended::Complete;
        assert!(!then.is_reached_by(&told("data: {\"a\":1}\n\n")));
    }

    #[test]
    fn a_difference_is_shown_without_what_is_the_same() {
        let lines = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let shown = differences(&lines("a b c d e f"), &lines("a b c x y e f")).unwrap();
        assert_eq!(shown, "From line 4 of 6:\n  b\n  c\n- d\n+ x\n+ y\n");
    }
}
