//! What holds for frames, whatever the bytes.

use aws_smithy_eventstream::frame::{DecodedFrame, MessageFrameDecoder};
use aws_smithy_types::event_stream::HeaderValue as Theirs;
use bytes::Bytes;
use kiro_protocol::eventstream::{
    Frame, FrameDecoder, FrameError, HeaderFault, HeaderValue, Limits,
};

use crate::cut::{Cuts, byte_by_byte};

/// Limits so low that inputs of a few hundred bytes reach them.
pub(crate) const LOW: Limits = Limits {
    max_message_bytes: 512,
    max_header_bytes: 128,
    max_headers: 4,
};

/// The frames of a stream, and how it ended.
pub(crate) type Read = (Vec<Frame>, Result<(), FrameError>);

/// Reads a stream whole and in segments; panics when that makes a difference or breaks a promise.
pub(crate) fn read_in_every_way(limits: Limits, stream: &Bytes, cuts: Cuts<'_>) -> Read {
    let whole = read(limits, [stream.clone()]);
    assert_eq!(read(limits, cuts.apply(stream)), whole, "cut by {cuts:?}");
    if let Some(bytes) = byte_by_byte(stream) {
        assert_eq!(read(limits, bytes), whole, "byte by byte");
    }
    let mut pushed_first = FrameDecoder::with_limits(limits);
    for segment in cuts.apply(stream) {
        pushed_first.push(segment);
    }
    assert_eq!(
        drain(&mut pushed_first),
        whole,
        "pushed before the first frame is pulled"
    );

    let mut offset = 0;
    for frame in &whole.0 {
        offset += check_frame(&limits, stream, offset, frame);
    }
    assert!(
        whole.1.is_err() || offset == stream.len(),
        "bytes are left over"
    );
    whole
}

fn read(limits: Limits, segments: impl IntoIterator<Item = Bytes>) -> Read {
    let mut decoder = FrameDecoder::with_limits(limits);
    let mut frames = Vec::new();
    for segment in segments {
        decoder.push(segment);
        if let Err(error) = pull(&mut decoder, &mut frames) {
            check_final(&mut decoder, error);
            return (frames, Err(error));
        }
        // Nothing is kept but the beginning of one frame.
        let most = limits.max_message_bytes.max(12) as usize;
        assert!(
            decoder.buffered() < most,
            "{} bytes are held",
            decoder.buffered()
        );
    }
    let end = decoder.finish();
    if let Err(error) = end {
        check_final(&mut decoder, error);
    }
    (frames, end)
}

fn drain(decoder: &mut FrameDecoder) -> Read {
    let mut frames = Vec::new();
    let end = pull(decoder, &mut frames).and_then(|()| decoder.finish());
    (frames, end)
}

fn pull(decoder: &mut FrameDecoder, frames: &mut Vec<Frame>) -> Result<(), FrameError> {
    while let Some(frame) = decoder.next_frame()? {
        frames.push(frame);
    }
    Ok(())
}

/// The first error is final, and nothing is kept for what cannot come.
fn check_final(decoder: &mut FrameDecoder, error: FrameError) {
    decoder.push(Bytes::from_static(b"more"));
    assert_eq!(decoder.buffered(), 0);
    assert_eq!(decoder.next_frame(), Err(error));
    assert_eq!(decoder.finish(), Err(error));
}

/// A frame is the bytes it was read from. Returns how many.
fn check_frame(limits: &Limits, stream: &[u8], offset: usize, frame: &Frame) -> usize {
    let length = frame.message_bytes();
    let payload = frame.payload();
    assert_eq!(payload, frame.payload_bytes());
    let end = offset + length - 4;
    assert_eq!(payload, &stream[end - payload.len()..end]);
    assert!(length <= limits.max_message_bytes as usize);
    assert!(length - 16 - payload.len() <= limits.max_header_bytes as usize);
    assert!(frame.headers().count() <= limits.max_headers);
    for header in frame.headers() {
        // The first of a name counts.
        let first = frame.headers().find(|first| first.name == header.name);
        assert_eq!(frame.header(header.name), first.map(|first| first.value));
    }
    length
}

/// Compares with `aws-smithy-eventstream`, which other people wrote: the same frames, and an end at the
/// same frame. Panics where they disagree for another reason than a limit of ours.
pub(crate) fn agree_with_smithy(stream: &Bytes, (ours, end): &Read) {
    let mut rest = stream.clone();
    let mut theirs = MessageFrameDecoder::new();
    for frame in ours {
        let Ok(DecodedFrame::Complete(message)) = theirs.decode_frame(&mut rest) else {
            panic!("only we read {frame:?}");
        };
        assert_eq!(message.payload(), frame.payload_bytes());
        let mut headers = frame.headers();
        for theirs in message.headers() {
            let ours = headers.next().expect("as many headers as they read");
            assert_eq!(ours.name, theirs.name().as_str());
            assert!(is_same(&ours.value, theirs.value()), "{ours:?} {theirs:?}");
        }
        assert_eq!(headers.next(), None, "more headers than they read");
    }
    let next = theirs.decode_frame(&mut rest);
    let expected = match end {
        Ok(()) | Err(FrameError::Truncated { .. }) => matches!(next, Ok(DecodedFrame::Incomplete)),
        // They have no limits, and take a header without a name, which the format does not have.
        Err(
            FrameError::TooManyHeaders { .. }
            | FrameError::MessageTooLong { .. }
            | FrameError::HeadersTooLong { .. }
            | FrameError::Header {
                fault: HeaderFault::EmptyName,
                ..
            },
        ) => true,
        // Of a lying prelude they wait for the whole message.
        Err(_) => !matches!(next, Ok(DecodedFrame::Complete(_))),
    };
    assert!(expected, "we end with {end:?}, they differ");
}

fn is_same(ours: &HeaderValue<'_>, theirs: &Theirs) -> bool {
    match (ours, theirs) {
        (HeaderValue::Bool(a), Theirs::Bool(b)) => a == b,
        (HeaderValue::Byte(a), Theirs::Byte(b)) => a == b,
        (HeaderValue::Int16(a), Theirs::Int16(b)) => a == b,
        (HeaderValue::Int32(a), Theirs::Int32(b)) => a == b,
        (HeaderValue::Int64(a), Theirs::Int64(b)) => a == b,
        (HeaderValue::ByteArray(a), Theirs::ByteArray(b)) => a == b,
        (HeaderValue::String(a), Theirs::String(b)) => *a == b.as_str(),
        (HeaderValue::Timestamp(a), Theirs::Timestamp(b)) => b.to_millis().is_ok_and(|b| *a == b),
        (HeaderValue::Uuid(a), Theirs::Uuid(b)) => u128::from_be_bytes(*a) == *b,
        _ => false,
    }
}
