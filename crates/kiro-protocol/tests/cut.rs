//! A stream that stops too early never looks complete.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod streams;

use bytes::Bytes;
use kiro_protocol::Generation;
use kiro_protocol::reply::{Reply, ReplyError, ReplyEvent, ReplyOptions, StopReason};
use streams::{event, read, stop, text, tool_use};

const GENERATIONS: [Generation; 3] = [Generation::Rest, Generation::Cli, Generation::Krs];

struct Cut {
    events: Vec<ReplyEvent>,
    end: Result<(), ReplyError>,
    /// How many frames were left whole.
    frames: usize,
    inside_a_frame: bool,
}

/// Every prefix of a stream.
fn cuts(frames: &[Bytes], generation: Generation) -> Vec<Cut> {
    let bytes = Bytes::from(frames.concat());
    let mut ends: Vec<usize> = Vec::new();
    for frame in frames {
        ends.push(ends.last().unwrap_or(&0) + frame.len());
    }
    (0..bytes.len())
        .map(|at| {
            let (events, end) = read(ReplyOptions::new(generation), [bytes.slice(..at)]);
            Cut {
                events,
                end,
                frames: ends.iter().filter(|end| **end <= at).count(),
                inside_a_frame: at != 0 && !ends.contains(&at),
            }
        })
        .collect()
}

#[test]
fn a_tool_use_cut_at_any_byte_is_never_complete() {
    let frames = [
        text("I will write it."),
        tool_use("t1", "write", None, false),
        tool_use("t1", "write", Some(r#"{"path":"a","#), false),
        tool_use("t1", "write", Some(r#""content":"b"}"#), false),
        tool_use("t1", "write", None, true),
    ];
    for generation in GENERATIONS {
        for cut in cuts(&frames, generation) {
            assert!(!cut.events.contains(&ReplyEvent::ToolUseEnd));
            let reply: Reply = cut.events.iter().cloned().collect();
            assert_eq!(reply.tool_uses().count(), 0);
            if cut.frames > 0 {
                assert_eq!(reply.text(), "I will write it.");
            }
            match (cut.frames, cut.inside_a_frame) {
                (_, true) => assert!(cut.end.unwrap_err().is_truncated()),
                (2.., false) => {
                    assert_eq!(cut.end, Ok(()));
                    assert_eq!(reply.stop, Some(StopReason::MaxTokens));
                    assert!(cut.events.contains(&ReplyEvent::ToolUseCut));
                }
                (_, false) if generation == Generation::Krs => {
                    assert_eq!(cut.end, Err(ReplyError::Unfinished));
                }
                (1, false) => assert_eq!(reply.stop, Some(StopReason::EndTurn)),
                (_, false) => assert_eq!(cut.end, Err(ReplyError::Empty)),
            }
        }
    }
}

#[test]
fn a_reply_of_the_newest_generation_cut_at_any_byte_is_an_error() {
    let frames = [
        event("initial-response", r#"{"conversationId":""}"#),
        event("reasoningContentEvent", r#"{"text":"hm"}"#),
        text("Yes"),
        text("."),
        stop("END_TURN"),
    ];
    for cut in cuts(&frames, Generation::Krs) {
        assert!(cut.end.unwrap_err().is_truncated());
        assert!(
            !cut.events
                .iter()
                .any(|event| matches!(event, ReplyEvent::Stop(_)))
        );
    }
}

#[test]
fn an_exception_anywhere_ends_the_reply_with_its_fault() {
    let frames = [
        text("a"),
        tool_use("t1", "f", Some("{}"), true),
        stop("TOOL_USE"),
    ];
    let exception = streams::frame(
        &[
            (":message-type", "exception"),
            (":exception-type", "throttlingError"),
        ],
        r#"{"message":"m"}"#,
    );
    for at in 0..=frames.len() {
        let mut stream = frames.to_vec();
        stream.insert(at, exception.clone());
        let (events, end) = read(ReplyOptions::new(Generation::Krs), stream);
        let fault = end.unwrap_err().fault().cloned().unwrap();
        assert_eq!(fault.name(), Some("throttlingError"));
        assert!(
            !events
                .iter()
                .any(|event| matches!(event, ReplyEvent::Stop(_)))
        );
        assert_eq!(events.is_empty(), at == 0);
    }
}
