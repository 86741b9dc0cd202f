//! What is allocated, counted: nothing per frame and nothing per text event once the buffers exist, and
//! never more than the limits say.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod streams;

use allocation_counter::{AllocationInfo, measure};
use bytes::Bytes;
use kiro_protocol::Generation;
use kiro_protocol::eventstream::FrameDecoder;
use kiro_protocol::reply::{ReplyDecoder, ReplyError, ReplyEvent, ReplyOptions};
use streams::{event, text, tool_use};

/// What a network reads at once, about.
const SEGMENT_BYTES: usize = 1_400;

/// A long stream of text events, about 160 bytes each.
fn text_stream(events: usize) -> Bytes {
    let frame = event(
        "assistantResponseEvent",
        r#"{"content":" token","modelId":"claude-sonnet-4.5"}"#,
    );
    frame.repeat(events).into()
}

/// Slices that share one buffer, made before anything is counted.
fn segments(bytes: &Bytes, length: usize) -> Vec<Bytes> {
    let chunks = bytes.chunks(length);
    chunks.map(|chunk| bytes.slice_ref(chunk)).collect()
}

/// Counts what a second stream allocates, after a first one has filled the buffers.
fn steady(mut pass: impl FnMut()) -> AllocationInfo {
    pass();
    measure(pass)
}

#[test]
fn whole_segments_give_frames_without_allocations() {
    let bytes = text_stream(1_000);
    let mut decoder = FrameDecoder::new();
    let info = steady(|| {
        decoder.push(bytes.clone());
        let mut frames = 0;
        while let Some(frame) = decoder.next_frame().unwrap() {
            frames += frame.headers().count() / 3;
            assert_eq!(frame.payload().len(), 50);
        }
        assert_eq!(frames, 1_000);
    });
    assert_eq!(info.count_total, 0, "{info:?}");
}

#[test]
fn cut_segments_give_frames_without_allocations() {
    let bytes = text_stream(1_000);
    let segments = segments(&bytes, SEGMENT_BYTES);
    let mut decoder = FrameDecoder::new();
    let info = steady(|| {
        let mut frames = 0;
        for segment in &segments {
            decoder.push(segment.clone());
            while let Some(frame) = decoder.next_frame().unwrap() {
                frames += frame.headers().count() / 3;
            }
        }
        assert_eq!(frames, 1_000);
    });
    assert_eq!(info.count_total, 0, "{info:?}");
}

#[test]
fn text_events_are_given_out_without_allocations() {
    let bytes = text_stream(1_000);
    for length in [bytes.len(), SEGMENT_BYTES] {
        let segments = segments(&bytes, length);
        let mut reply = ReplyDecoder::new(Generation::Krs);
        let info = steady(|| {
            let mut deltas = 0;
            for segment in &segments {
                reply.push(segment.clone());
                while let Some(event) = reply.next_event().unwrap() {
                    deltas += usize::from(matches!(event, ReplyEvent::Text(_)));
                }
            }
            assert_eq!(deltas, 1_000);
        });
        assert_eq!(info.count_total, 0, "{info:?} in segments of {length}");
    }
}

/// The most memory that a decoder with this limit holds while it is fed until it has had enough.
fn peak(max_held_bytes: usize, frame: impl Fn(usize) -> Bytes) -> u64 {
    let mut options = ReplyOptions::new(Generation::Rest);
    options.max_held_bytes = max_held_bytes;
    let mut reply = ReplyDecoder::with_options(options);
    let info = measure(|| {
        for n in 0.. {
            reply.push(frame(n));
            loop {
                match reply.next_event() {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(ReplyError::TooMuchHeld { .. } | ReplyError::TooManyBlocks { .. }) => {
                        return;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        }
    });
    info.bytes_max
}

#[test]
fn what_is_held_back_costs_about_what_the_limit_says() {
    const LIMIT: usize = 100_000;
    let alternating = |n: usize| match n {
        0 => tool_use("t", "f", None, false),
        n if n % 2 == 0 => text("x"),
        _ => event("reasoningContentEvent", r#"{"text":"x"}"#),
    };
    let ended = |n: usize| tool_use(&n.to_string(), "f", None, true);
    let open = |n: usize| tool_use(&n.to_string(), "f", Some("{"), false);
    let input = |_| tool_use("t", "f", Some("xxxxxxxxxxxxxxxx"), false);
    for (name, peak) in [
        (
            "short blocks behind an open tool use",
            peak(LIMIT, alternating),
        ),
        ("ids of tool uses that have ended", peak(LIMIT, ended)),
        ("tool uses that are open", peak(LIMIT, open)),
        ("one long input", peak(LIMIT, input)),
    ] {
        // Buffers grow by doubling, and while one grows both exist.
        assert!(peak < 4 * LIMIT as u64, "{name}: {peak} bytes");
    }
}

#[test]
fn a_length_is_not_believed_with_memory() {
    let frame = event("assistantResponseEvent", &"x".repeat(8 * 1024 * 1024));
    let head = frame.slice(..SEGMENT_BYTES);
    let mut decoder = FrameDecoder::new();
    let info = measure(|| {
        decoder.push(head);
        assert_eq!(decoder.next_frame(), Ok(None));
    });
    assert!(info.bytes_max < 4 * SEGMENT_BYTES as u64, "{info:?}");
}
