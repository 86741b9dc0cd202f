//! Replies as text: one event a line.
//!
//! ```text
//! start
//! text "Hel"
//! reasoning "Let me "
//! signature "abc"
//! redacted "YWJj"
//! tool toolu_1 get_weather
//! input "{\"city\":"
//! end
//! cut
//! usage {"input": 1, "cache_read": 2, "cache_write": 3, "output": 4, "percentage": 2.5, "credits": 0.1}
//! stop tool_use
//! keep-alive
//! fail the reason
//! ```

use std::collections::VecDeque;

use bytes::BytesMut;
use kiro_protocol::reply::{Delta, ReplyEvent, StopReason, TokenUsage, Usage};
use kiro_protocol::text::JsonText;
use serde_json::Value;

use crate::bounds::{Bounds, Filter};
use crate::error::{Error, ErrorKind};
use crate::surface::ReplyEncoder;

/// Plays a script to an encoder, to the end of the reply or of its bounds.
pub(in crate::surface) fn play(
    script: &str,
    bounds: &Bounds,
    encoder: &mut dyn ReplyEncoder,
    out: &mut BytesMut,
) {
    let mut filter = Filter::new(bounds);
    let mut events = VecDeque::new();
    for line in script.lines() {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("keep-alive", _) => encoder.keep_alive(out),
            ("fail", reason) => {
                return encoder.fail(&Error::new(ErrorKind::UpstreamProtocol, reason), out);
            }
            (verb, rest) => filter.push(event(verb, rest), &mut events),
        }
        for event in events.drain(..) {
            if let (ReplyEvent::Stop(_), Some(sequence)) = (&event, filter.stopped_at()) {
                encoder.stopped_at(sequence);
            }
            encoder.event(event, out);
        }
    }
    encoder.finish(out);
}

fn event(verb: &str, rest: &str) -> ReplyEvent {
    match verb {
        "start" => ReplyEvent::Start,
        "text" => ReplyEvent::Text(delta(rest)),
        "reasoning" => ReplyEvent::Reasoning(delta(rest)),
        "signature" => ReplyEvent::Signature(delta(rest)),
        "redacted" => ReplyEvent::Redacted(delta(rest)),
        "tool" => {
            let (id, name) = rest.split_once(' ').unwrap();
            ReplyEvent::ToolUseStart {
                id: id.to_owned(),
                name: name.to_owned(),
            }
        }
        "input" => ReplyEvent::ToolInput(delta(rest)),
        "end" => ReplyEvent::ToolUseEnd,
        "cut" => ReplyEvent::ToolUseCut,
        "usage" => ReplyEvent::Usage(usage(rest)),
        "stop" => ReplyEvent::Stop(stop(rest)),
        other => panic!("no such event: {other:?}"),
    }
}

fn delta(json: &str) -> Delta {
    JsonText::from_json(json.to_owned().into()).unwrap()
}

fn stop(name: &str) -> StopReason {
    match name {
        "end_turn" => StopReason::EndTurn,
        "tool_use" => StopReason::ToolUse,
        "max_tokens" => StopReason::MaxTokens,
        "context_window" => StopReason::ContextWindow,
        "content_filtered" => StopReason::ContentFiltered,
        "stop_sequence" => StopReason::StopSequence,
        "pause_turn" => StopReason::PauseTurn,
        other => panic!("no such reason: {other:?}"),
    }
}

fn usage(json: &str) -> Usage {
    let value: Value = serde_json::from_str(json).unwrap();
    let count = |name: &str| value[name].as_u64();
    let mut usage = Usage::default();
    usage.tokens = count("input").map(|uncached_input| TokenUsage {
        uncached_input,
        cache_read: count("cache_read").unwrap_or(0),
        cache_write: count("cache_write").unwrap_or(0),
        output: count("output").unwrap_or(0),
    });
    usage.context_percentage = value["percentage"].as_f64();
    usage.credits = value["credits"].as_f64();
    usage
}
