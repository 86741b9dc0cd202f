//! Whoever puts a stream together has the document.

use std::sync::Arc;

use kiro_protocol::reply::ReplyEvent;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::shape_check;
use crate::bounds::{Bounds, Calls};
use crate::surface::Mode;
use crate::surface::messages::answer::{Answer, Thoughts};
use crate::surface::messages::complete::CompleteEncoder;
use crate::surface::messages::stream::StreamEncoder;
use crate::surface::tests::replies::{encode_stopped, reply, stopped};
use crate::usage::{Meter, Prompt};

/// Puts a stream together as the SDKs do (source: anthropic-python, `lib/streaming/_messages.py`): texts,
/// thoughts and arguments are appended, signatures replaced.
fn accumulate(stream: &str) -> Value {
    let mut message = Value::Null;
    let mut inputs: Vec<String> = Vec::new();
    for written in stream.split_terminator("\n\n") {
        let event: Value = serde_json::from_str(written.split_once("data: ").unwrap().1).unwrap();
        let index = event["index"].as_u64().unwrap_or_default() as usize;
        match event["type"].as_str().unwrap() {
            "message_start" => message = event["message"].clone(),
            "content_block_start" => {
                let content = message["content"].as_array_mut().unwrap();
                content.push(event["content_block"].clone());
                inputs.push(String::new());
            }
            "content_block_delta" => {
                let block = &mut message["content"][index];
                let delta = &event["delta"];
                let mut append = |member: &str| {
                    let text = block[member].as_str().unwrap().to_owned();
                    block[member] = json!(text + delta[member].as_str().unwrap());
                };
                match delta["type"].as_str().unwrap() {
                    "text_delta" => append("text"),
                    "thinking_delta" => append("thinking"),
                    "signature_delta" => block["signature"] = delta["signature"].clone(),
                    "input_json_delta" => {
                        inputs[index].push_str(delta["partial_json"].as_str().unwrap());
                    }
                    other => panic!("no such delta: {other}"),
                }
            }
            "message_delta" => {
                let members = event["delta"].as_object().unwrap().clone();
                message.as_object_mut().unwrap().extend(members);
                message["usage"] = event["usage"].clone();
            }
            _ => {}
        }
    }
    let blocks = message["content"].as_array_mut().unwrap();
    for (block, input) in blocks.iter_mut().zip(inputs) {
        if !input.is_empty() {
            block["input"] = serde_json::from_str(&input).unwrap_or(Value::Null);
        }
    }
    message
}

fn answer(thoughts: Thoughts) -> Answer {
    Answer {
        n_searches: 0,
        id: "msg_\"1\"".into(),
        model: "a \"model\"".into(),
        thoughts,
        meter: Meter::new(Arc::new(Prompt::default()), "claude-sonnet-4.5", 200_000),
        request_id: "req_1".into(),
    }
}

proptest! {
    #[test]
    fn an_accumulated_stream_equals_the_document(
        (events, _) in reply(),
        thoughts in proptest::sample::select(
            vec![Thoughts::Hidden, Thoughts::Omitted, Thoughts::Shown]
        ),
        one_only in any::<bool>(),
        stop in proptest::option::of("[a-z\"\\\\]{1,2}"),
        max_tokens in proptest::option::of(0..20u64),
    ) {
        let bounds = Bounds {
            stop: stop.into_iter().collect(),
            max_tokens,
            calls: if one_only { Calls::One } else { Calls::Any },
            demand: None,
        };
        let (events, stopped_at) = stopped(&bounds, &events);
        let stopped_at = stopped_at.as_deref();
        let stream = encode_stopped(StreamEncoder::new(answer(thoughts)), &events, stopped_at);
        let document = encode_stopped(CompleteEncoder::new(answer(thoughts)), &events, stopped_at);
        shape_check::response(Mode::Stream, &stream);
        shape_check::response(Mode::Complete, &document);

        let mut streamed = accumulate(&stream);
        let document: Value = serde_json::from_str(&document).unwrap();
        if events.contains(&ReplyEvent::ToolUseCut) {
            // A stream has told the call before it could know.
            let cut = streamed["content"].as_array_mut().unwrap().pop();
            prop_assert_eq!(&cut.unwrap()["type"], "tool_use");
            prop_assert_eq!(&streamed["stop_reason"], "max_tokens");
        }
        prop_assert_eq!(&streamed, &document);
        let calls = document["content"].as_array().unwrap().iter();
        if document["stop_reason"] == "tool_use" {
            prop_assert!(calls.clone().any(|block| block["type"] == "tool_use"));
        }
        for block in calls {
            prop_assert!(block["type"] != "thinking" || block["signature"] != "");
        }
    }
}
