//! Whoever puts a stream together has the document.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use kiro_protocol::reply::{ReplyEvent, StopReason};
use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::schema_check;
use crate::bounds::{Bounds, Calls};
use crate::surface::responses::answer::{Answer, Echo, Told, ToolKind};
use crate::surface::responses::complete::CompleteEncoder;
use crate::surface::responses::stream::StreamEncoder;
use crate::surface::tests::replies::{bounded, encode, reply, says_something};
use crate::surface::{Mode, ReplyEncoder as _};
use crate::usage::{Meter, Prompt};

/// Puts the items of a stream together from their pieces, and checks each end against the pieces before
/// it. Items that never ended are left out.
fn accumulate(events: &[Value]) -> Vec<Value> {
    let mut done = Vec::new();
    let mut open: Option<(Value, String)> = None;
    for event in events {
        let kind = event["type"].as_str().unwrap();
        match kind {
            "response.output_item.added" => {
                open = Some((event.clone(), String::new()));
            }
            "response.output_item.done" => {
                let (begun, text) = open.take().expect("one item at a time");
                let item = &event["item"];
                assert_eq!(begun["output_index"], event["output_index"]);
                for same in ["id", "type", "call_id", "name", "namespace"] {
                    assert_eq!(begun["item"][same], item[same]);
                }
                let whole = [
                    &item["content"][0]["text"],
                    &item["summary"][0]["text"],
                    &item["arguments"],
                    &item["input"],
                ];
                let whole = whole.into_iter().find_map(Value::as_str);
                if item["type"] != "tool_search_call" {
                    assert_eq!(whole.unwrap_or_default(), text, "{item}");
                }
                done.push(item.clone());
            }
            _ => {
                let Some((begun, text)) = &mut open else {
                    continue;
                };
                if event.get("item_id").is_some() {
                    assert_eq!(event["item_id"], begun["item"]["id"]);
                    assert_eq!(event["output_index"], begun["output_index"]);
                }
                text.push_str(event["delta"].as_str().unwrap_or_default());
                for whole in ["text", "arguments", "input"] {
                    if let Some(whole) = event[whole].as_str() {
                        assert_eq!(whole, text, "{event}");
                    }
                }
            }
        }
    }
    done
}

/// Both are random, so they are left out; and the moment.
fn without_ids(mut value: Value) -> Value {
    match &mut value {
        Value::Array(items) => {
            for item in items {
                *item = without_ids(item.take());
            }
        }
        Value::Object(members) => {
            members.remove("id");
            if let Some(output) = members.get_mut("output") {
                *output = without_ids(output.take());
            }
        }
        _ => {}
    }
    value
}

/// A name with an `x` is a custom tool's, one with a quote is in a namespace.
fn told(events: &[ReplyEvent]) -> HashMap<String, Told> {
    let names = events.iter().filter_map(|event| match event {
        ReplyEvent::ToolUseStart { name, .. } => Some(name.clone()),
        _ => None,
    });
    let told = |name: String| {
        let kind = match () {
            () if name.contains('x') => ToolKind::Custom,
            () if name.starts_with('c') => ToolKind::ToolSearch,
            () => ToolKind::Function,
        };
        let namespace = name.contains('"').then(|| "mcp".to_owned());
        (
            name.clone(),
            Told {
                kind,
                name,
                namespace,
            },
        )
    };
    names.map(told).collect()
}

fn answer(events: &[ReplyEvent], tells_sealed: bool) -> Answer {
    let object = |json: &'static str| serde_json::from_str(json).unwrap();
    Answer {
        id: "resp_\"1\"".into(),
        created: 1,
        begun: Instant::now(),
        took: None,
        model: "a \"model\"\u{2028}".into(),
        echo: Echo {
            instructions: None,
            max_output_tokens: None,
            parallel_tool_calls: true,
            previous: None,
            effort: None,
            summary: None,
            format: object(r#"{"type":"text"}"#),
            tool_choice: RawValue::from_string("\"auto\"".into()).unwrap(),
            metadata: object("{}"),
        },
        tells_sealed,
        salt: "salt".into(),
        store: true,
        kept_input: Some(Vec::new()),
        told: told(events),
        meter: Meter::new(Arc::new(Prompt::default()), "claude-sonnet-4.5", 200_000),
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_is_what_is_told_however_long_keeping_takes() {
    let events = [ReplyEvent::Stop(StopReason::EndTurn)];
    for is_kept in [true, false] {
        let mut encoder = CompleteEncoder::new(answer(&events, false));
        let mut out = BytesMut::new();
        for event in events.clone() {
            encoder.event(event, &mut out);
        }
        let kept = encoder.keep().unwrap();
        tokio::time::advance(Duration::from_secs(5)).await;
        if !is_kept {
            encoder.not_kept();
        }
        encoder.finish(&mut out);
        let mut expected: Value = serde_json::from_slice(&kept.document).unwrap();
        assert_eq!(expected["store"], true);
        expected["store"] = is_kept.into();
        assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), expected);
    }
}

proptest! {
    #[test]
    fn an_accumulated_stream_equals_the_document(
        (events, _) in reply(),
        tells_sealed in any::<bool>(),
        max_tokens in proptest::option::of(1..20u64),
        calls in proptest::sample::select(vec![Calls::Any, Calls::One, Calls::None]),
    ) {
        let bounds = Bounds { max_tokens, calls, ..Bounds::default() };
        let events = bounded(&bounds, &events);
        let stream = encode(StreamEncoder::new(answer(&events, tells_sealed)), &events);
        let document = encode(CompleteEncoder::new(answer(&events, tells_sealed)), &events);
        schema_check::response(Mode::Complete, &document);
        let told = schema_check::events(&stream);
        let document: Value = serde_json::from_str(&document).unwrap();

        let last = &told.last().unwrap()["response"];
        let items = Value::from(accumulate(&told));
        prop_assert_eq!(&items, &last["output"]);
        prop_assert_eq!(without_ids(last.clone()), without_ids(document.clone()));
        let count = |name: &str| document["usage"][name].as_u64().unwrap();
        prop_assert!(count("input_tokens") > 0);
        prop_assert!(count("output_tokens") > 0 || !says_something(&events));
        prop_assert_eq!(
            count("total_tokens"),
            count("input_tokens") + count("output_tokens")
        );
        for item in document["output"].as_array().unwrap() {
            if item["type"] == "function_call" {
                let arguments = item["arguments"].as_str().unwrap();
                prop_assert!(serde_json::from_str::<serde_json::Map<String, Value>>(arguments).is_ok());
                prop_assert_ne!(&item["status"], &json!("in_progress"));
            }
        }
    }
}
