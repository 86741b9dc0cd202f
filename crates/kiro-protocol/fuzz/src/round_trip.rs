//! Frames that are written come back as they were.

use arbitrary::{Arbitrary, Unstructured};
use bytes::{Bytes, BytesMut};
use kiro_protocol::eventstream::{EncodeError, FrameError, HeaderValue, Limits, write_frame};

use crate::cut::Cuts;
use crate::frames::{agree_with_smithy, read_in_every_way};

/// The frames of a stream, how it is cut, and where it breaks off.
#[derive(Debug, Arbitrary)]
struct Stream<'a> {
    cuts: &'a [u8],
    breaks_off_at: Option<u16>,
    frames: Vec<Parts<'a>>,
}

#[derive(Debug, Arbitrary)]
struct Parts<'a> {
    headers: Vec<(Name<'a>, Value<'a>)>,
    payload: &'a [u8],
}

#[derive(Debug, Arbitrary)]
enum Name<'a> {
    Any(&'a str),
    /// So many letters: up to and over the 255 that fit.
    Long(u8, bool),
    MessageType,
    EventType,
}

#[derive(Debug, Arbitrary)]
enum Value<'a> {
    Bool(bool),
    Byte(i8),
    Int16(i16),
    Int32(i32),
    Int64(i64),
    ByteArray(&'a [u8]),
    String(&'a str),
    Timestamp(i64),
    Uuid([u8; 16]),
    /// So many bytes: up to and over the 65,535 that fit.
    Long(u16, bool),
}

/// Writes frames, reads them again and compares; then once more for a stream that breaks off.
pub fn run(input: &[u8]) {
    let Ok(stream) = Stream::arbitrary_take_rest(Unstructured::new(input)) else {
        return;
    };
    let mut out = BytesMut::new();
    let mut written = Vec::new();
    for parts in &stream.frames {
        if parts.write(&mut out) {
            written.push((parts, out.len()));
        }
    }
    let bytes = out.freeze();
    let limits = Limits::default();
    let read = read_in_every_way(limits, &bytes, Cuts(stream.cuts));
    agree_with_smithy(&bytes, &read);
    let (frames, end) = read;

    let limit = written
        .iter()
        .position(|(parts, _)| !parts.is_readable(&limits));
    assert_eq!(frames.len(), limit.unwrap_or(written.len()));
    match limit {
        None => assert_eq!(end, Ok(())),
        Some(_) => assert!(
            matches!(
                end,
                Err(FrameError::TooManyHeaders { .. } | FrameError::HeadersTooLong { .. })
            ),
            "{end:?}"
        ),
    }
    for (frame, (parts, _)) in frames.iter().zip(&written) {
        parts.check(frame);
    }
    if let (Some(at), None) = (stream.breaks_off_at, limit) {
        let at = usize::from(at).min(bytes.len());
        let ends: Vec<usize> = written.iter().map(|(_, end)| *end).collect();
        check_cut_off(&bytes.slice(..at), &ends, Cuts(stream.cuts));
    }
}

/// A stream that breaks off at the end of a frame has ended; inside a frame it is truncated.
fn check_cut_off(stream: &Bytes, ends: &[usize], cuts: Cuts<'_>) {
    let (frames, end) = read_in_every_way(Limits::default(), stream, cuts);
    let whole = ends.iter().filter(|end| **end <= stream.len()).count();
    assert_eq!(frames.len(), whole);
    let start = whole.checked_sub(1).map_or(0, |last| ends[last]);
    if start == stream.len() {
        return assert_eq!(end, Ok(()));
    }
    let actual = stream.len() - start;
    let expected = if actual < 12 { 12 } else { ends[whole] - start };
    let offset = start as u64;
    assert_eq!(
        end,
        Err(FrameError::Truncated {
            offset,
            expected,
            actual
        })
    );
}

impl Parts<'_> {
    /// Writes the frame; says whether it can be written, and checks that nothing is appended if not.
    fn write(&self, out: &mut BytesMut) -> bool {
        let texts: Vec<(String, Vec<u8>)> = self.texts();
        let headers = self.borrowed(&texts);
        let before = out.clone();
        match write_frame(&headers, self.payload, out) {
            Ok(()) => {
                assert!(out.starts_with(&before));
                true
            }
            Err(error) => {
                let legal = match error {
                    EncodeError::NameLength { length } => (1..=255).contains(&length),
                    EncodeError::ValueTooLong { length, limit } => length <= limit,
                    _ => true,
                };
                assert!(!legal, "{error}");
                assert_eq!(*out, before);
                false
            }
        }
    }

    fn check(&self, frame: &kiro_protocol::eventstream::Frame) {
        let texts = self.texts();
        let expected = self.borrowed(&texts);
        let headers: Vec<_> = frame
            .headers()
            .map(|header| (header.name, header.value))
            .collect();
        assert_eq!(headers, expected);
        assert_eq!(frame.payload_bytes(), self.payload);
    }

    fn is_readable(&self, limits: &Limits) -> bool {
        let mut out = BytesMut::new();
        let texts = self.texts();
        let written = write_frame(&self.borrowed(&texts), b"", &mut out).is_ok();
        written
            && self.headers.len() <= limits.max_headers
            && out.len() - 16 <= limits.max_header_bytes as usize
    }

    /// Names and long values, made.
    fn texts(&self) -> Vec<(String, Vec<u8>)> {
        let text = |(name, value): &(Name<'_>, Value<'_>)| (name.text(), value.long());
        self.headers.iter().map(text).collect()
    }

    fn borrowed<'t>(&'t self, texts: &'t [(String, Vec<u8>)]) -> Vec<(&'t str, HeaderValue<'t>)> {
        let headers = self.headers.iter().zip(texts);
        headers
            .map(|((_, value), (name, long))| (&**name, value.borrowed(long)))
            .collect()
    }
}

impl Name<'_> {
    fn text(&self) -> String {
        match self {
            Self::Any(name) => (*name).to_owned(),
            Self::Long(n, more) => "n".repeat(usize::from(*n) + usize::from(*more)),
            Self::MessageType => ":message-type".to_owned(),
            Self::EventType => ":event-type".to_owned(),
        }
    }
}

impl Value<'_> {
    fn long(&self) -> Vec<u8> {
        match self {
            Self::Long(n, more) => vec![b'v'; usize::from(*n) + usize::from(*more)],
            _ => Vec::new(),
        }
    }

    fn borrowed<'t>(&'t self, long: &'t [u8]) -> HeaderValue<'t> {
        match self {
            Self::Bool(value) => HeaderValue::Bool(*value),
            Self::Byte(value) => HeaderValue::Byte(*value),
            Self::Int16(value) => HeaderValue::Int16(*value),
            Self::Int32(value) => HeaderValue::Int32(*value),
            Self::Int64(value) => HeaderValue::Int64(*value),
            Self::ByteArray(value) => HeaderValue::ByteArray(value),
            Self::String(value) => HeaderValue::String(value),
            Self::Timestamp(value) => HeaderValue::Timestamp(*value),
            Self::Uuid(value) => HeaderValue::Uuid(*value),
            Self::Long(..) => HeaderValue::ByteArray(long),
        }
    }
}
