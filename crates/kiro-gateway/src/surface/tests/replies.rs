//! Any reply that the grammar allows.

use std::collections::VecDeque;

use bytes::BytesMut;
use kiro_protocol::reply::{ReplyEvent, StopReason, TokenUsage, Usage};
use kiro_protocol::text::JsonText;
use proptest::prelude::*;

use crate::bounds::{Bounds, Filter};
use crate::surface::ReplyEncoder;

/// What an encoder writes of a reply.
pub(in crate::surface) fn encode(encoder: impl ReplyEncoder, events: &[ReplyEvent]) -> String {
    encode_stopped(encoder, events, None)
}

/// The same of a reply that may have ended at a stop sequence.
pub(in crate::surface) fn encode_stopped(
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

/// The events as they come out of the bounds.
pub(in crate::surface) fn bounded(bounds: &Bounds, events: &[ReplyEvent]) -> Vec<ReplyEvent> {
    stopped(bounds, events).0
}

/// The same, and the stop sequence at which they end.
pub(in crate::surface) fn stopped(
    bounds: &Bounds,
    events: &[ReplyEvent],
) -> (Vec<ReplyEvent>, Option<String>) {
    let mut filter = Filter::new(bounds);
    let mut out = VecDeque::new();
    for event in events {
        filter.push(event.clone(), &mut out);
    }
    (out.into(), filter.stopped_at().map(str::to_owned))
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
    prop_oneof![texts, thoughts, redacted, tool_use(true)]
}

fn tool_use(complete: bool) -> impl Strategy<Value = Vec<ReplyEvent>> {
    // A name with an `x` is a custom tool's.
    let ends = match complete {
        true => ReplyEvent::ToolUseEnd,
        false => ReplyEvent::ToolUseCut,
    };
    (text(), "[a-cx\"]{1,3}", 0..4usize).prop_map(move |(input, name, n_pieces)| {
        let id = format!("toolu_{name}");
        let mut events = vec![ReplyEvent::ToolUseStart { id, name }];
        if n_pieces > 0 {
            let arguments = format!(r#"{{"input":"{}"}}"#, input.escaped());
            let arguments: Vec<char> = arguments.chars().collect();
            let pieces = arguments.chunks(arguments.len().div_ceil(n_pieces));
            events.extend(pieces.map(|piece| {
                ReplyEvent::ToolInput(JsonText::new(&piece.iter().collect::<String>()))
            }));
        }
        events.push(ends.clone());
        events
    })
}

/// Whatever the service says of what a reply consumed.
fn usage() -> impl Strategy<Value = Option<Usage>> {
    let tokens =
        (0..9u64, 0..9u64, 0..9u64).prop_map(|(uncached_input, cache_read, output)| TokenUsage {
            uncached_input,
            cache_read,
            cache_write: 1,
            output,
        });
    let percentage = proptest::option::of(0.0..120.0);
    let credits = proptest::option::of(0.0..1.0);
    let said = (proptest::option::of(tokens), percentage, credits);
    proptest::option::of(said).prop_map(|said| {
        let (tokens, context_percentage, credits) = said?;
        let mut usage = Usage::default();
        usage.tokens = tokens;
        usage.context_percentage = context_percentage;
        usage.credits = credits;
        Some(usage)
    })
}

/// Whether a reply said anything that costs.
pub(in crate::surface) fn says_something(events: &[ReplyEvent]) -> bool {
    events.iter().any(|event| match event {
        ReplyEvent::Text(text) | ReplyEvent::Reasoning(text) => !text.is_empty(),
        ReplyEvent::ToolUseStart { .. } => true,
        // What is new here is to be made by `block`, too.
        ReplyEvent::Start
        | ReplyEvent::Signature(_)
        | ReplyEvent::Redacted(_)
        | ReplyEvent::ToolInput(_)
        | ReplyEvent::ToolUseEnd
        | ReplyEvent::ToolUseCut
        | ReplyEvent::Usage(_)
        | ReplyEvent::Stop(_) => false,
    })
}

/// Any reply that the grammar allows, and whether it was cut.
pub(in crate::surface) fn reply() -> impl Strategy<Value = (Vec<ReplyEvent>, bool)> {
    let stop = proptest::sample::select(vec![
        StopReason::EndTurn,
        StopReason::ToolUse,
        StopReason::MaxTokens,
        StopReason::ContextWindow,
        StopReason::ContentFiltered,
        StopReason::StopSequence,
        StopReason::PauseTurn,
    ]);
    let blocks = proptest::collection::vec(block(), 0..6);
    let cut = proptest::option::of(tool_use(false));
    (blocks, cut, usage(), stop).prop_map(|(blocks, cut, usage, stop)| {
        let mut events = vec![ReplyEvent::Start];
        events.extend(blocks.into_iter().flatten());
        let is_cut = cut.is_some();
        events.extend(cut.into_iter().flatten());
        events.extend(usage.map(ReplyEvent::Usage));
        events.push(ReplyEvent::Stop(if is_cut {
            StopReason::MaxTokens
        } else {
            stop
        }));
        (events, is_cut)
    })
}
