//! Whatever leaves the surface is what the official schema allows, in the order that clients rely on.

use serde_json::Value;

use crate::surface::Mode;
use crate::surface::tests::schema;

/// Checks a whole response.
pub(super) fn response(mode: Mode, response: &str) {
    match mode {
        Mode::Stream => {
            events(response);
        }
        Mode::Complete => {
            schema::assert_valid("Response", &value(response), "the answer");
        }
    }
}

/// Checks an error's body.
pub(super) fn error(body: &str) {
    schema::assert_valid("ErrorResponse", &value(body), "the error");
}

/// The events of a stream, each valid and all in order.
pub(super) fn events(stream: &str) -> Vec<Value> {
    let events = stream.split_terminator("\n\n");
    let events = events.filter(|event| *event != ": keep-alive");
    let events: Vec<Value> = events.map(event).collect();
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number, "{event}");
    }
    assert_eq!(events[0]["type"], "response.created");
    assert_eq!(events[1]["type"], "response.in_progress");
    let is_end = |event: &Value| {
        let kind = event["type"].as_str().unwrap();
        [
            "response.completed",
            "response.incomplete",
            "response.failed",
        ]
        .contains(&kind)
    };
    let (last, before) = events.split_last().unwrap();
    assert!(is_end(last) && !before.iter().any(is_end));
    for event in &events {
        if let Some(id) = event["response"]["id"].as_str() {
            assert_eq!(id, events[0]["response"]["id"]);
        }
    }
    events
}

fn event(event: &str) -> Value {
    let (kind, json) = event.split_once("\ndata: ").unwrap();
    assert!(!json.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']));
    let event = value(json);
    assert_eq!(kind.strip_prefix("event: ").unwrap(), event["type"]);
    let mut checked = event.clone();
    // Agents know words for failures that the schema does not.
    if let Some(code) = checked["response"]["error"].get_mut("code") {
        let known = [
            "context_length_exceeded",
            "insufficient_quota",
            "server_is_overloaded",
        ];
        if known.iter().any(|known| code == known) {
            *code = "server_error".into();
        }
    }
    schema::assert_valid("ResponseStreamEvent", &checked, "the event");
    event
}

fn value(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}
