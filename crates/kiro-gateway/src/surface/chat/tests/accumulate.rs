//! Whoever puts a stream together has the document.

use std::sync::Arc;

use kiro_protocol::reply::{ReplyEvent, StopReason};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::schema_check;
use crate::bounds::{Bounds, Calls};
use crate::options::Reasoning;
use crate::surface::Mode;
use crate::surface::chat::answer::{Answer, CallStyle};
use crate::surface::chat::complete::CompleteEncoder;
use crate::surface::chat::stream::StreamEncoder;
use crate::surface::tests::replies::{bounded, encode, reply, says_something};
use crate::usage::{Meter, Prompt};

/// Adds a delta to a message as the SDKs do (source: openai-python, `lib/streaming/_deltas.py`): strings
/// are appended, objects merged, items of an array merged by their `index`.
fn add(message: &mut Map<String, Value>, delta: &Map<String, Value>) {
    for (name, new) in delta {
        match (message.get_mut(name), new) {
            (Some(Value::String(text)), Value::String(more)) => text.push_str(more),
            (Some(Value::Object(object)), Value::Object(more)) => add(object, more),
            (Some(Value::Array(items)), Value::Array(more)) => {
                for item in more {
                    let item = item.as_object().unwrap();
                    let index = item["index"].as_u64().unwrap() as usize;
                    assert!(index <= items.len(), "an index must not leave a gap");
                    match items.get_mut(index) {
                        Some(old) => {
                            let mut item = item.clone();
                            item.remove("index");
                            add(old.as_object_mut().unwrap(), &item);
                        }
                        None => items.push(item.clone().into()),
                    }
                }
            }
            (None, new) => {
                message.insert(name.clone(), new.clone());
            }
            (Some(old), new) => panic!("cannot add {new} to {old}"),
        }
    }
}

/// Puts a stream together: the message, the reason, the usage.
fn accumulate(stream: &str) -> (Map<String, Value>, Value, Value) {
    let mut message = Map::new();
    let (mut reason, mut usage) = (Value::Null, Value::Null);
    for event in stream.split_terminator("\n\n") {
        let data = event.strip_prefix("data: ").unwrap();
        if data == "[DONE]" {
            break;
        }
        let chunk: Value = serde_json::from_str(data).unwrap();
        for choice in chunk["choices"].as_array().unwrap() {
            assert!(reason.is_null(), "nothing follows the finish reason");
            add(&mut message, choice["delta"].as_object().unwrap());
            reason = choice["finish_reason"].clone();
        }
        usage = chunk["usage"].clone();
    }
    (message, reason, usage)
}

/// Brings both into one form: members without meaning are left out, and so is a call that broke off,
/// which a stream has told before it could know.
fn normalize(mut message: Map<String, Value>, cut: bool) -> Map<String, Value> {
    message.remove("refusal");
    message.remove("annotations");
    if cut {
        let calls = message.get_mut("tool_calls").and_then(Value::as_array_mut);
        calls.expect("the stream told the call").pop();
    }
    message.retain(|_, value| !(value.is_null() || *value == json!("") || *value == json!([])));
    let calls = message.get_mut("tool_calls").and_then(Value::as_array_mut);
    for call in calls.into_iter().flatten() {
        call.as_object_mut().unwrap().remove("index");
    }
    message
}

fn answer(style: CallStyle, reasoning: Reasoning) -> Answer {
    Answer {
        id: "chatcmpl-\"1\"".into(),
        created: 1,
        model: "a \"model\"\u{2028}".into(),
        include_usage: true,
        reasoning,
        calls: style,
        meter: Meter::new(Arc::new(Prompt::default()), "claude-sonnet-4.5", 200_000),
    }
}

fn custom_names(events: &[ReplyEvent]) -> CallStyle {
    let names = events.iter().filter_map(|event| match event {
        ReplyEvent::ToolUseStart { name, .. } => Some(name.clone()),
        _ => None,
    });
    CallStyle {
        custom: names.filter(|name| name.contains('x')).collect(),
        ..CallStyle::default()
    }
}

/// Whether the events are what the encoders rely on.
fn is_a_reply(events: &[ReplyEvent]) -> bool {
    let (mut is_open, mut is_cut) = (false, false);
    let [ReplyEvent::Start, middle @ .., ReplyEvent::Stop(stop)] = events else {
        return false;
    };
    for event in middle {
        let fits = match event {
            ReplyEvent::ToolUseStart { .. } => !is_open && !is_cut,
            ReplyEvent::ToolInput(_) | ReplyEvent::ToolUseEnd | ReplyEvent::ToolUseCut => is_open,
            ReplyEvent::Start | ReplyEvent::Stop(_) => false,
            _ => !is_open,
        };
        if !fits {
            return false;
        }
        is_cut |= *event == ReplyEvent::ToolUseCut;
        is_open = matches!(
            event,
            ReplyEvent::ToolUseStart { .. } | ReplyEvent::ToolInput(_)
        );
    }
    !is_open && (!is_cut || *stop == StopReason::MaxTokens)
}

proptest! {
    #[test]
    fn what_keeps_the_bounds_is_a_reply(
        (events, _) in reply(),
        stop in proptest::collection::vec("[a-z\"\\\\]{1,2}", 0..3),
        max_tokens in proptest::option::of(1..20u64),
        calls in proptest::sample::select(vec![Calls::Any, Calls::One, Calls::None]),
    ) {
        let bounds = Bounds { stop, max_tokens, calls, ..Bounds::default() };
        let bounded = bounded(&bounds, &events);
        prop_assert!(is_a_reply(&bounded), "{bounded:?}");
        let complete = bounded.iter().filter(|event| **event == ReplyEvent::ToolUseEnd).count();
        let is_right = match calls {
            Calls::Any => true,
            Calls::One => complete <= 1,
            Calls::None => complete == 0,
        };
        prop_assert!(is_right, "{bounded:?}");
        if let Some(max_tokens) = max_tokens {
            let bytes = bounded.iter().map(|event| match event {
                ReplyEvent::Text(delta) | ReplyEvent::Reasoning(delta)
                | ReplyEvent::Redacted(delta) | ReplyEvent::ToolInput(delta) => delta.len(),
                ReplyEvent::ToolUseStart { name, .. } => name.len(),
                _ => 0,
            });
            prop_assert!(bytes.sum::<usize>() as u64 <= 4 * max_tokens);
        }
    }

    #[test]
    fn an_accumulated_stream_equals_the_document(
        (events, _) in reply(),
        reasoning in prop_oneof![Just(Reasoning::Member), Just(Reasoning::Tags), Just(Reasoning::Hidden)],
        one_only in any::<bool>(),
        legacy in any::<bool>(),
        stop in proptest::option::of("[a-z\"\\\\]{1,2}"),
        max_tokens in proptest::option::of(1..20u64),
    ) {
        let bounds = Bounds {
            stop: stop.into_iter().collect(),
            max_tokens,
            calls: if one_only || legacy { Calls::One } else { Calls::Any },
            demand: None,
        };
        let events = bounded(&bounds, &events);
        let is_cut = events.contains(&ReplyEvent::ToolUseCut);
        let style = CallStyle {
            legacy,
            custom: if legacy { Default::default() } else { custom_names(&events).custom },
        };
        let stream = encode(StreamEncoder::new(answer(style.clone(), reasoning)), &events);
        let document = encode(CompleteEncoder::new(answer(style.clone(), reasoning)), &events);
        schema_check::response(Mode::Stream, &stream);
        schema_check::response(Mode::Complete, &document);

        let (streamed, reason, usage) = accumulate(&stream);
        let document: Value = serde_json::from_str(&document).unwrap();
        let choice = &document["choices"][0];
        let mut whole = choice["message"].as_object().unwrap().clone();
        prop_assert_eq!(&reason, &choice["finish_reason"]);
        let count = |name: &str| usage[name].as_u64().unwrap();
        prop_assert!(count("prompt_tokens") > 0);
        prop_assert!(count("completion_tokens") > 0 || !says_something(&events));
        prop_assert_eq!(
            count("total_tokens"),
            count("prompt_tokens") + count("completion_tokens")
        );
        prop_assert_eq!(&usage, &document["usage"]);

        // In the older form a cut call is the only one, and the document has none.
        let tells_cut = is_cut && reason == "length";
        if legacy && tells_cut {
            whole.insert("function_call".into(), streamed["function_call"].clone());
        }
        prop_assert_eq!(normalize(streamed, tells_cut && !legacy), normalize(whole, false));
    }

    #[test]
    fn every_finish_reason_that_calls_for_tools_comes_with_complete_calls((events, _) in reply()) {
        let document = encode(CompleteEncoder::new(answer(custom_names(&events), Reasoning::Member)), &events);
        let document: Value = serde_json::from_str(&document).unwrap();
        let choice = &document["choices"][0];
        let calls = choice["message"]["tool_calls"].as_array();
        if choice["finish_reason"] == "tool_calls" {
            prop_assert!(calls.is_some_and(|calls| !calls.is_empty()));
        }
        for call in calls.into_iter().flatten() {
            if let Some(arguments) = call["function"]["arguments"].as_str() {
                prop_assert!(serde_json::from_str::<Map<String, Value>>(arguments).is_ok());
            }
        }
    }
}
