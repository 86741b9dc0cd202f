//! No input panics, and none makes a decoder keep more than its limits.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod streams;

use bytes::{Bytes, BytesMut};
use kiro_protocol::Generation;
use kiro_protocol::event::KiroEvent;
use kiro_protocol::eventstream::{FrameDecoder, FrameError, HeaderValue, Limits, write_frame};
use kiro_protocol::fault::Fault;
use kiro_protocol::reply::{ReplyDecoder, ReplyError, ReplyOptions};
use kiro_protocol::rpc::{HostedTools, ModelList, ProfileList, ToolOutput, UsageLimits, WebSearch};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use streams::{event, read, text, tool_use};

/// A type that nobody knows.
const UNKNOWN: &str = "brandNewEvent";

fn event_types() -> Vec<&'static str> {
    let known = KiroEvent::TYPES.iter().copied();
    known.chain([UNKNOWN]).collect()
}

/// Lengths and checksums made right around anything.
fn repaired(headers: &[u8], payload: &[u8]) -> Bytes {
    let mut out = Vec::new();
    let length = 16 + headers.len() + payload.len();
    out.extend_from_slice(&u32::try_from(length).unwrap().to_be_bytes());
    out.extend_from_slice(&u32::try_from(headers.len()).unwrap().to_be_bytes());
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out.extend_from_slice(headers);
    out.extend_from_slice(payload);
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out.into()
}

/// JSON of any shape, with the members that events have.
fn any_payload() -> impl Strategy<Value = String> {
    let member = select(vec![
        "content",
        "modelId",
        "text",
        "signature",
        "redactedContent",
        "toolUseId",
        "name",
        "input",
        "stop",
        "stopReason",
        "tokenUsage",
        "outputTokens",
        "contextUsagePercentage",
        "usage",
        "unit",
        "references",
        "toolResult",
        "followupPrompt",
        "supplementaryWebLinks",
        "reason",
        "message",
    ]);
    let leaf = select(vec![
        "null",
        "true",
        "5",
        "-1",
        "1e300",
        r#""""#,
        r#""x""#,
        r#""\ud83d""#,
        r#""\ude00""#,
        r#""END_TURN""#,
        r#""{\"a\":1}""#,
        "\"",
        "{",
        r#""\x""#,
        r#""\u12"#,
    ])
    .prop_map(str::to_owned);
    let value = leaf.prop_recursive(3, 12, 4, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            vec((member.clone(), inner), 0..4).prop_map(|members| {
                let members: Vec<_> = members
                    .iter()
                    .map(|(name, value)| format!(r#""{name}":{value}"#))
                    .collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    });
    prop_oneof![9 => value, 1 => any::<String>()]
}

proptest! {
    #[test]
    fn any_bytes_are_frames_or_an_error(
        segments in vec(vec(any::<u8>(), 0..200), 0..10),
        max_message_bytes in 16_u32..400,
    ) {
        let limits = Limits { max_message_bytes, ..Limits::default() };
        let mut decoder = FrameDecoder::with_limits(limits);
        for segment in segments {
            decoder.push(segment.into());
            while let Ok(Some(_)) = decoder.next_frame() {}
            prop_assert!(decoder.buffered() <= max_message_bytes as usize);
        }
    }

    #[test]
    fn any_headers_are_read_or_refused(
        headers in prop_oneof![
            vec(any::<u8>(), 0..100),
            vec(select(vec![0, 1, 2, 6, 7, 9, 10, b'a', 0xff]), 0..40),
        ],
        payload in vec(any::<u8>(), 0..20),
    ) {
        let mut decoder = FrameDecoder::new();
        decoder.push(repaired(&headers, &payload));
        match decoder.next_frame() {
            Ok(frame) => {
                let frame = frame.unwrap();
                prop_assert_eq!(frame.payload(), payload);
                let mut again = BytesMut::new();
                let headers: Vec<_> = frame.headers().map(|h| (h.name, h.value)).collect();
                write_frame(&headers, frame.payload_bytes(), &mut again).unwrap();
                prop_assert_eq!(again.len(), frame.message_bytes());
                let _ = KiroEvent::decode(&frame);
            }
            Err(error) => {
                let is_about_headers = matches!(
                    error,
                    FrameError::Header { .. } | FrameError::TooManyHeaders { .. }
                );
                prop_assert!(is_about_headers, "{}", error);
            }
        }
    }

    #[test]
    fn any_payload_is_an_event_or_an_error(event_type in select(event_types()), payload in any_payload()) {
        let frame = event(event_type, &payload);
        let mut decoder = FrameDecoder::new();
        decoder.push(frame);
        let frame = decoder.next_frame().unwrap().unwrap();
        let event = KiroEvent::decode(&frame);
        if event_type == UNKNOWN {
            let unknown = KiroEvent::Unknown {
                event_type: event_type.into(),
                payload: frame.payload(),
            };
            prop_assert_eq!(event, Ok(unknown));
        }
    }

    #[test]
    fn any_payloads_are_a_reply_or_an_error(
        frames in vec((select(event_types()), any_payload()), 0..12),
        thinking_tags in any::<bool>(),
    ) {
        let mut options = ReplyOptions::new(Generation::Rest);
        options.thinking_tags = thinking_tags;
        let _ = read(options, frames.iter().map(|(name, payload)| event(name, payload)));
    }

    #[test]
    fn any_refusal_is_a_fault(
        status in 100_u16..1000,
        name in any::<String>(),
        body in prop_oneof![any_payload().prop_map(String::into_bytes), vec(any::<u8>(), 0..50)],
    ) {
        let mut headers = http::HeaderMap::new();
        if let Ok(value) = http::HeaderValue::from_str(&name) {
            headers.insert("x-amzn-errortype", value.clone());
            headers.insert("retry-after", value.clone());
            headers.insert("date", value);
        }
        let status = http::StatusCode::from_u16(status).unwrap();
        let fault = Fault::from_response(status, &headers, &body);
        prop_assert!(fault.message().chars().count() <= 1_000);
        let _ = Fault::from_exception(&name, &body);
    }

    #[test]
    fn any_answer_to_a_small_call_is_read_or_refused(body in any_payload()) {
        let _ = ModelList::parse(body.as_bytes());
        let _ = ProfileList::parse(body.as_bytes());
        let _ = UsageLimits::parse(body.as_bytes()).map(|limits| limits.remaining());
        let _ = HostedTools::parse(body.as_bytes());
        let _ = ToolOutput::parse(body.as_bytes());
        let _ = WebSearch::parse(&body);
    }
}

fn with_limit(max_held_bytes: usize) -> ReplyOptions {
    let mut options = ReplyOptions::new(Generation::Rest);
    options.max_held_bytes = max_held_bytes;
    options
}

/// Feeds the same frames until the decoder has had enough.
fn feed_without_end(options: ReplyOptions, frames: impl Fn(usize) -> Bytes) -> ReplyError {
    let mut reply = ReplyDecoder::with_options(options);
    for n in 0..1_000_000 {
        reply.push(frames(n));
        loop {
            match reply.next_event() {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => return error,
            }
        }
    }
    panic!("the decoder takes anything");
}

#[test]
fn a_tool_input_without_end_meets_the_limit() {
    let error = feed_without_end(with_limit(10_000), |_| tool_use("t", "f", Some("x"), false));
    assert_eq!(error, ReplyError::TooMuchHeld { limit: 10_000 });
}

#[test]
fn text_behind_an_open_tool_use_meets_the_limit() {
    let error = feed_without_end(with_limit(10_000), |n| match n {
        0 => tool_use("t", "f", None, false),
        _ => text("x"),
    });
    assert_eq!(error, ReplyError::TooMuchHeld { limit: 10_000 });
}

#[test]
fn tool_use_ids_without_end_meet_the_limit() {
    let error = feed_without_end(with_limit(10_000), |n| {
        tool_use(&n.to_string(), "f", None, true)
    });
    assert_eq!(error, ReplyError::TooMuchHeld { limit: 10_000 });
}

#[test]
fn signatures_without_end_meet_the_limit() {
    let error = feed_without_end(with_limit(10_000), |_| {
        event("reasoningContentEvent", r#"{"signature":"QQ=="}"#)
    });
    assert_eq!(error, ReplyError::TooMuchHeld { limit: 10_000 });
}

#[test]
fn open_tool_uses_without_end_meet_their_own_limit() {
    let options = ReplyOptions::new(Generation::Rest);
    let error = feed_without_end(options, |n| tool_use(&n.to_string(), "f", None, false));
    let limit = ReplyOptions::MAX_WAITING_BLOCKS;
    assert_eq!(error, ReplyError::TooManyBlocks { limit });
}

#[test]
fn a_body_that_is_no_stream_is_refused_with_its_twelfth_byte() {
    let mut decoder = FrameDecoder::new();
    decoder.push(Bytes::from_static(b"HTTP/1.1 20"));
    assert_eq!(decoder.next_frame(), Ok(None));
    decoder.push(Bytes::from_static(b"0"));
    let error = decoder.next_frame().unwrap_err();
    assert!(matches!(
        error,
        FrameError::PreludeChecksum { offset: 0, .. }
    ));
}

#[test]
fn an_error_never_quotes_what_was_said() {
    let secret = "what the user said";
    for payload in [
        format!(r#"{{"content":"{secret}"#),
        format!(r#"{{"content":["{secret}"]}}"#),
        format!(r#"{{"{secret}":"#),
    ] {
        let (_, end) = read(
            ReplyOptions::new(Generation::Krs),
            [event("assistantResponseEvent", &payload)],
        );
        let error = end.unwrap_err();
        assert!(!format!("{error} {error:?}").contains(secret));
    }
    let mut bytes = BytesMut::new();
    let headers = [(":message-type", HeaderValue::String("event"))];
    write_frame(&headers, secret.as_bytes(), &mut bytes).unwrap();
    let mut decoder = FrameDecoder::new();
    decoder.push(bytes.freeze());
    assert!(!format!("{:?}", decoder.next_frame()).contains(secret));
}

#[test]
fn prices_that_add_up_to_no_number_are_left_out() {
    let price = || event("meteringEvent", r#"{"unit":"credit","usage":1e308}"#);
    let frames = [text("a"), price(), price(), streams::stop("END_TURN")];
    let (events, end) = read(ReplyOptions::new(Generation::Krs), frames);
    assert_eq!(end, Ok(()));
    let reply: kiro_protocol::reply::Reply = events.into_iter().collect();
    assert_eq!(reply.usage.credits, Some(1e308));
}
