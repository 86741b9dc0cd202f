//! Whoever puts a stream together has the document.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::BytesMut;
use kiro_protocol::reply::{ReplyEvent, StopReason, TokenUsage, Usage};
use kiro_protocol::text::JsonText;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::shape_check;
use crate::bounds::{Bounds, Calls, Filter};
use crate::surface::messages::answer::{Answer, Thoughts};
use crate::surface::messages::complete::CompleteEncoder;
use crate::surface::messages::stream::StreamEncoder;
use crate::surface::{Mode, ReplyEncoder};
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

fn encode(
    mut encoder: impl ReplyEncoder,
    events: &[ReplyEvent],
    stopped_at: Option<&str>,
) -> String {
    let mut out = BytesMut::new();
    for event in events {
        if let (ReplyEvent::Stop(_), Some(sequence)) = (event, stopped_at) {
            encoder.stopped_at(sequence);
        }
        encoder.event(event.clone(), &mut out);
    }
    encoder.finish(&mut out);
    String::from_utf8(out.to_vec()).unwrap()
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

fn text() -> impl Strategy<Value = JsonText> {
    "[a-z\"\\\\\n\u{2028}é😀]{0,6}".prop_map(|plain: String| JsonText::new(&plain))
}

/// One block of the reply's grammar.
fn block() -> impl Strategy<Value = Vec<ReplyEvent>> {
    let texts = proptest::collection::vec(text().prop_map(ReplyEvent::Text), 1..4);
    let thoughts = proptest::collection::vec(text().prop_map(ReplyEvent::Reasoning), 0..4);
    let thoughts = (thoughts, proptest::option::of(text()));
    let thoughts = thoughts.prop_map(|(mut events, signature)| {
        events.extend(signature.map(ReplyEvent::Signature));
        events
    });
    let redacted = text().prop_map(|data| vec![ReplyEvent::Redacted(data)]);
    prop_oneof![texts, thoughts, redacted, tool_use(ReplyEvent::ToolUseEnd)]
}

fn tool_use(end: ReplyEvent) -> impl Strategy<Value = Vec<ReplyEvent>> {
    (text(), "[a-c\"]{1,3}", 0..4usize).prop_map(move |(input, name, n_pieces)| {
        let id = format!("toolu_{name}");
        let mut events = vec![ReplyEvent::ToolUseStart { id, name }];
        if n_pieces > 0 {
            let arguments: Vec<char> = format!(r#"{{"input":"{}"}}"#, input.escaped())
                .chars()
                .collect();
            let pieces = arguments.chunks(arguments.len().div_ceil(n_pieces));
            events.extend(pieces.map(|piece| {
                ReplyEvent::ToolInput(JsonText::new(&piece.iter().collect::<String>()))
            }));
        }
        events.push(end.clone());
        events
    })
}

fn usage() -> impl Strategy<Value = Option<ReplyEvent>> {
    proptest::option::of((0..9u64, 0..9u64, 0..9u64)).prop_map(|counts| {
        let (uncached_input, cache_read, output) = counts?;
        let mut usage = Usage::default();
        usage.tokens = Some(TokenUsage {
            uncached_input,
            cache_read,
            cache_write: 1,
            output,
        });
        Some(ReplyEvent::Usage(usage))
    })
}

/// Any reply that the grammar allows.
fn reply() -> impl Strategy<Value = Vec<ReplyEvent>> {
    let stop = proptest::sample::select(vec![
        StopReason::EndTurn,
        StopReason::ToolUse,
        StopReason::MaxTokens,
        StopReason::ContextWindow,
        StopReason::ContentFiltered,
        StopReason::PauseTurn,
    ]);
    let blocks = proptest::collection::vec(block(), 0..6);
    let cut = proptest::option::of(tool_use(ReplyEvent::ToolUseCut));
    (blocks, cut, usage(), stop).prop_map(|(blocks, cut, usage, stop)| {
        let stop = if cut.is_some() {
            StopReason::MaxTokens
        } else {
            stop
        };
        let middle = blocks.into_iter().chain(cut).flatten();
        let events = [ReplyEvent::Start].into_iter().chain(middle).chain(usage);
        events.chain([ReplyEvent::Stop(stop)]).collect()
    })
}

proptest! {
    #[test]
    fn an_accumulated_stream_equals_the_document(
        events in reply(),
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
        let mut filter = Filter::new(&bounds);
        let mut bounded = VecDeque::new();
        events.into_iter().for_each(|event| filter.push(event, &mut bounded));
        let events: Vec<ReplyEvent> = bounded.into();
        let stopped_at = filter.stopped_at();
        let stream = encode(StreamEncoder::new(answer(thoughts)), &events, stopped_at);
        let document = encode(CompleteEncoder::new(answer(thoughts)), &events, stopped_at);
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
