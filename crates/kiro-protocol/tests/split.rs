//! However the network cuts the bytes, the same comes out.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod streams;

use bytes::Bytes;
use kiro_protocol::Generation;
use kiro_protocol::eventstream::{Frame, FrameDecoder, FrameError};
use kiro_protocol::reply::{Reply, ReplyOptions};
use proptest::collection::vec;
use proptest::prelude::*;
use streams::{event, frame, read, stop, text, tool_use};

/// A reply with all that a chat uses, and characters of two, three and four bytes.
fn reply() -> Bytes {
    let frames = [
        event("initial-response", r#"{"conversationId":""}"#),
        event("reasoningContentEvent", r#"{"text":"考える"}"#),
        event("reasoningContentEvent", r#"{"signature":"c2ln"}"#),
        text("naïve 猫😀"),
        text("👨‍👩‍👧"),
        event("assistantResponseEvent", r#"{"content":"\ud83d"}"#),
        event("assistantResponseEvent", r#"{"content":"\ude00"}"#),
        tool_use("t1", "write", Some("{\"猫\":"), false),
        tool_use("t1", "write", Some("\"😀\"}"), true),
        frame(&[(":message-type", "event"), (":event-type", "new")], "?"),
        stop("TOOL_USE"),
        event("meteringEvent", r#"{"unit":"credit","usage":0.5}"#),
    ];
    frames.concat().into()
}

fn options() -> ReplyOptions {
    ReplyOptions::new(Generation::Krs)
}

/// The frames of a stream, each segment drained before the next unless `lazily`.
fn frames(segments: &[Bytes], lazily: bool) -> (Vec<Frame>, Result<(), FrameError>) {
    let mut decoder = FrameDecoder::new();
    let mut frames = Vec::new();
    let drain = |decoder: &mut FrameDecoder, frames: &mut Vec<Frame>| {
        while let Some(frame) = decoder.next_frame()? {
            frames.push(frame);
        }
        Ok(())
    };
    for (index, segment) in segments.iter().enumerate() {
        decoder.push(segment.clone());
        if lazily && index % 3 != 0 {
            continue;
        }
        if let Err(error) = drain(&mut decoder, &mut frames) {
            return (frames, Err(error));
        }
    }
    let end = drain(&mut decoder, &mut frames).and_then(|()| decoder.finish());
    (frames, end)
}

/// Cuts where the lengths say; the last segment takes the rest.
fn cut(bytes: &Bytes, lengths: &[usize]) -> Vec<Bytes> {
    let mut rest = bytes.clone();
    let mut segments: Vec<_> = lengths
        .iter()
        .map(|length| rest.split_to((*length).min(rest.len())))
        .collect();
    segments.push(rest);
    segments
}

#[test]
fn a_cut_at_any_byte_gives_the_same_reply() {
    let bytes = reply();
    let whole = read(options(), [bytes.clone()]);
    assert_eq!(whole.1, Ok(()));
    let collected: Reply = whole.0.iter().cloned().collect();
    assert_eq!(collected.text(), "naïve 猫😀👨‍👩‍👧😀");
    assert_eq!(
        collected.tool_uses().next().unwrap().input.as_str(),
        r#"{"猫":"😀"}"#
    );
    for at in 0..=bytes.len() {
        let halves = [bytes.slice(..at), bytes.slice(at..)];
        assert_eq!(read(options(), halves), whole, "cut at {at}");
    }
}

#[test]
fn single_bytes_give_the_same_reply() {
    let bytes = reply();
    let single = bytes.chunks(1).map(|byte| bytes.slice_ref(byte));
    assert_eq!(read(options(), single), read(options(), [bytes.clone()]));
}

#[test]
fn a_character_cut_between_events_at_any_place_is_whole() {
    let characters = [
        r"a",
        r"\u732b",
        r"\ud83d\ude00",
        r"\ud83d\udc15",
        r"\n",
        "é",
    ];
    let halves = [
        r"a", r"\u732b", r"\ud83d", r"\ude00", r"\ud83d", r"\udc15", r"\n", "é",
    ];
    let plain = "a猫😀🐕\né";
    for at in 0..=halves.len() {
        let piece = |part: &[&str]| {
            let payload = format!(r#"{{"content":"{}"}}"#, part.concat());
            event("assistantResponseEvent", &payload)
        };
        let bytes = [piece(&halves[..at]), piece(&halves[at..]), stop("END_TURN")];
        let (events, end) = read(options(), bytes);
        assert_eq!(end, Ok(()));
        let reply: Reply = events.into_iter().collect();
        assert_eq!(reply.text(), plain, "cut at {at}");
    }
    assert_eq!(characters.concat(), halves.concat());
}

proptest! {
    #[test]
    fn any_split_gives_the_same_frames(
        noise in vec(any::<u8>(), 0..40),
        flip in any::<Option<prop::sample::Index>>(),
        lengths in vec(0_usize..200, 0..40),
        lazily in any::<bool>(),
    ) {
        let mut bytes = reply().to_vec();
        bytes.extend(&noise);
        if let Some(at) = flip {
            let at = at.index(bytes.len());
            bytes[at] ^= 0x10;
        }
        let bytes = Bytes::from(bytes);
        let whole = frames(std::slice::from_ref(&bytes), false);
        prop_assert_eq!(frames(&cut(&bytes, &lengths), lazily), whole);
    }

    #[test]
    fn any_split_gives_the_same_reply(lengths in vec(0_usize..200, 0..40)) {
        let bytes = reply();
        let whole = read(options(), [bytes.clone()]);
        prop_assert_eq!(read(options(), cut(&bytes, &lengths)), whole);
    }
}
