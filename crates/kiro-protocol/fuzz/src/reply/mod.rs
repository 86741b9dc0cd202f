//! Events in any order, sound and odd, in frames that are right.
//!
//! ```text
//! input = options (1)  n (1)  cuts (n)  events
//! ```
//!
//! The options are bits, see [`Options`](script::Options); one of them says how the events are written.
//! As lines, so that the fuzzer can change any letter of a recorded reply:
//!
//! ```text
//! assistantResponseEvent {"content":"Hi"}          an event
//! !ThrottlingException {"message":"…"}             an exception
//! ?InternalFailure something went wrong            an error
//! =heartbeat anything                              a frame of another message type
//! ```
//!
//! Or as structure, so that it can mix parallel tool uses, halves of characters and tags at will.

mod event;
mod grammar;
mod said;
mod script;
mod units;

use bytes::{Bytes, BytesMut};
use kiro_protocol::reply::{Reply, ReplyDecoder, ReplyError, ReplyEvent};

use crate::cut::{Cuts, byte_by_byte};
use crate::input::split;
use grammar::check_grammar;
use said::check_said;
use script::{Frame, Options};

/// Reads the reply whole and in segments and checks the grammar and that nothing is lost.
pub fn run(input: &[u8]) {
    let Some((options, cuts, rest)) = split(input) else {
        return;
    };
    let options = Options(options);
    let frames = options.frames(rest);
    let stream = written(&frames);

    let whole = read(options, [stream.clone()]);
    assert_eq!(
        read(options, Cuts(cuts).apply(&stream)),
        whole,
        "cut by {cuts:?}"
    );
    if let Some(bytes) = byte_by_byte(&stream) {
        assert_eq!(read(options, bytes), whole, "byte by byte");
    }
    let held = options.reply().max_held_bytes;
    check_grammar(&whole.events, whole.end.is_ok(), held);
    check_collected(&whole.events);
    if whole.end.is_ok() {
        check_said(options, &frames, &whole.events);
        if !options.is_tight() {
            check_divided(options, &frames, &whole.events);
        }
    }
}

fn written(frames: &[Frame]) -> Bytes {
    let mut stream = BytesMut::new();
    for frame in frames {
        frame.write(&mut stream);
    }
    stream.freeze()
}

/// Any division of the text into events gives the same reply: here, an event for every character.
fn check_divided(options: Options, frames: &[Frame], events: &[ReplyEvent]) {
    let divided: Vec<Frame> = frames.iter().flat_map(Frame::divided).collect();
    if divided.len() > 1_000 {
        return;
    }
    let divided = read(options, [written(&divided)]);
    assert_eq!(divided.end, Ok(()));
    let collected = |events: &[ReplyEvent]| events.iter().cloned().collect::<Reply>();
    assert_eq!(collected(&divided.events), collected(events));
}

/// All that a decoder tells.
#[derive(Debug, PartialEq)]
struct Read {
    events: Vec<ReplyEvent>,
    end: Result<(), ReplyError>,
    model: Option<String>,
    ignored: u64,
}

fn read(options: Options, segments: impl IntoIterator<Item = Bytes>) -> Read {
    let mut decoder = ReplyDecoder::with_options(options.reply());
    let mut events = Vec::new();
    let mut end = Ok(());
    for segment in segments {
        decoder.push(segment);
        end = drain(&mut decoder, &mut events);
        if end.is_err() {
            break;
        }
    }
    if end.is_ok() {
        end = decoder.finish();
        // What came before the error is given out first.
        assert_eq!(
            drain(&mut decoder, &mut events),
            end,
            "the end is told twice, and differently"
        );
    }
    check_final(&mut decoder, &end);
    Read {
        events,
        end,
        model: decoder.model().map(str::to_owned),
        ignored: decoder.ignored_events(),
    }
}

fn drain(decoder: &mut ReplyDecoder, events: &mut Vec<ReplyEvent>) -> Result<(), ReplyError> {
    while let Some(event) = decoder.next_event()? {
        events.push(event);
    }
    Ok(())
}

/// Nothing comes after the end, good or bad.
fn check_final(decoder: &mut ReplyDecoder, end: &Result<(), ReplyError>) {
    decoder.push(Bytes::from_static(b"more"));
    assert_eq!(decoder.next_event(), end.clone().map(|()| None));
    assert_eq!(decoder.finish(), end.clone());
}

/// A collected reply says what its events say.
fn check_collected(events: &[ReplyEvent]) {
    let reply: Reply = events.iter().cloned().collect();
    let (mut text, mut reasoning, mut n_uses) = (String::new(), String::new(), 0);
    for event in events {
        match event {
            ReplyEvent::Text(delta) => text += &delta.unescape(),
            ReplyEvent::Reasoning(delta) => reasoning += &delta.unescape(),
            ReplyEvent::ToolUseEnd => n_uses += 1,
            // What says something new is to be made by `event.rs`, and listed in `said.rs`, too.
            ReplyEvent::Start
            | ReplyEvent::Signature(_)
            | ReplyEvent::Redacted(_)
            | ReplyEvent::ToolUseStart { .. }
            | ReplyEvent::ToolInput(_)
            | ReplyEvent::ToolUseCut
            | ReplyEvent::Usage(_)
            | ReplyEvent::Stop(_) => {}
        }
    }
    assert_eq!(reply.text(), text);
    assert_eq!(reply.reasoning(), reasoning);
    assert_eq!(reply.tool_uses().count(), n_uses);
}
