//! Bytes to frames.

use bytes::{Bytes, BytesMut};
use crc32fast::Hasher;

use super::frame::RawHeader;
use super::{
    CHECKSUM_BYTES, Frame, FrameError, LENGTHS_BYTES, PRELUDE_BYTES, SMALLEST_MESSAGE_BYTES,
};

/// What a decoder accepts at most.
///
/// ```
/// use kiro_protocol::eventstream::{FrameDecoder, Limits};
///
/// let decoder = FrameDecoder::with_limits(Limits {
///     max_message_bytes: 1024 * 1024,
///     ..Limits::default()
/// });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest frame in bytes, prelude and checksum included. It is also the most that the decoder keeps
    /// of a frame that has not arrived whole.
    pub max_message_bytes: u32,
    /// Most bytes of headers in one frame.
    pub max_header_bytes: u32,
    /// Most headers in one frame.
    pub max_headers: usize,
}

impl Limits {
    /// 24 MiB of payload, as in `aws-c-event-stream` and botocore, and the rest of a frame with the most
    /// headers. Frames that Kiro sends have a few KiB at most.
    pub const DEFAULT_MAX_MESSAGE_BYTES: u32 =
        24 * 1024 * 1024 + Self::DEFAULT_MAX_HEADER_BYTES + SMALLEST_MESSAGE_BYTES as u32;

    /// 128 KiB, as in the AWS libraries. Kiro sends about 92 bytes.
    pub const DEFAULT_MAX_HEADER_BYTES: u32 = 128 * 1024;

    /// 64. Kiro sends three; a look-up walks over all of them, so their number is work for the reader.
    pub const DEFAULT_MAX_HEADERS: usize = 64;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message_bytes: Self::DEFAULT_MAX_MESSAGE_BYTES,
            max_header_bytes: Self::DEFAULT_MAX_HEADER_BYTES,
            max_headers: Self::DEFAULT_MAX_HEADERS,
        }
    }
}

/// Turns segments, cut anywhere, into frames.
///
/// Push a segment, pull frames until there is none, push the next:
///
/// ```
/// use bytes::Bytes;
/// use kiro_protocol::eventstream::FrameDecoder;
///
/// # let segments = [Bytes::from_static(&[0, 0, 0, 16, 0, 0, 0, 0, 5, 0xc2, 0x48, 0xeb, 0x7d, 0x98]),
/// #     Bytes::from_static(&[0xc8, 0xff])];
/// let mut decoder = FrameDecoder::new();
/// for segment in segments {
///     decoder.push(segment);
///     while let Some(frame) = decoder.next_frame()? {
///         println!("{} bytes of payload", frame.payload_bytes().len());
///     }
/// }
/// decoder.finish()?;
/// # Ok::<(), kiro_protocol::eventstream::FrameError>(())
/// ```
///
/// A frame that lies whole in one segment is a slice of it: nothing is copied. Of a frame that is cut, the
/// parts are copied once, into a buffer of the decoder that is used again when no frame refers to it
/// any more. So the decoder itself allocates nothing per frame as long as frames are dropped before
/// the next push.
///
/// Segments that are pushed without pulling are copied into that buffer, whatever their number; the
/// caller decides how much that may be.
///
/// The first error is final: every later call gives it again, and what was buffered has been dropped.
#[derive(Debug)]
pub struct FrameDecoder {
    limits: Limits,
    /// The newest segment, as far as it is unread. Comes after `partial`.
    segment: Bytes,
    /// Unread bytes of earlier segments: the beginning of a frame that was cut.
    partial: BytesMut,
    /// The verified prelude of the frame at the front, whose bytes are still unread.
    prelude: Option<Prelude>,
    /// A header block that has been checked. Kiro writes the same headers for every event of a kind, so
    /// most blocks are equal to the one before and need no second look.
    checked_headers: Vec<u8>,
    /// Has seen nothing. Copied for each frame, because making one asks for the processor's abilities.
    hasher: Hasher,
    /// Bytes of the stream before the frame at the front.
    offset: u64,
    failed: Option<FrameError>,
}

impl FrameDecoder {
    /// A decoder with the default [`Limits`].
    pub fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    /// A decoder with limits of one's own.
    pub fn with_limits(limits: Limits) -> Self {
        Self {
            limits,
            segment: Bytes::new(),
            partial: BytesMut::new(),
            prelude: None,
            checked_headers: Vec::new(),
            hasher: Hasher::new(),
            offset: 0,
            failed: None,
        }
    }

    /// Takes the next segment of the stream. After an error it is dropped.
    pub fn push(&mut self, segment: Bytes) {
        if self.failed.is_some() {
            return;
        }
        if !self.segment.is_empty() {
            self.partial.extend_from_slice(&self.segment);
        }
        self.segment = segment;
    }

    /// The next whole frame, or `None` when more bytes are needed.
    ///
    /// # Errors
    ///
    /// [`FrameError`] as soon as the bytes at hand show it: a wrong prelude with its twelfth byte.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.advance().map_err(|error| self.fail(error))
    }

    /// Says that the stream has ended. Frames that are whole must have been pulled before.
    ///
    /// # Errors
    ///
    /// [`FrameError::Truncated`] when the stream ended inside a frame; the earlier error when there was
    /// one.
    pub fn finish(&mut self) -> Result<(), FrameError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let actual = self.buffered();
        if actual == 0 {
            return Ok(());
        }
        let expected = self
            .prelude
            .as_ref()
            .map_or(PRELUDE_BYTES, |prelude| prelude.message_length);
        Err(self.fail(FrameError::Truncated {
            offset: self.offset,
            expected,
            actual,
        }))
    }

    /// Bytes that have been pushed and not yet been given out in a frame.
    pub fn buffered(&self) -> usize {
        self.partial.len() + self.segment.len()
    }

    fn fail(&mut self, error: FrameError) -> FrameError {
        *self = Self {
            failed: Some(error),
            ..Self::with_limits(self.limits)
        };
        error
    }

    fn advance(&mut self) -> Result<Option<Frame>, FrameError> {
        let prelude = match self.prelude.take() {
            Some(prelude) => prelude,
            None if self.fill(PRELUDE_BYTES) => {
                let hasher = self.hasher.clone();
                Prelude::read(self.front(), hasher, &self.limits, self.offset)?
            }
            None => return Ok(None),
        };
        let length = prelude.message_length;
        if !self.fill(length) {
            self.prelude = Some(prelude);
            return Ok(None);
        }
        let message = self.take(length);
        let headers_end = PRELUDE_BYTES + prelude.headers_length;
        prelude.verify(&message, self.offset)?;
        self.check_headers(&message[PRELUDE_BYTES..headers_end])?;
        self.offset += length as u64;
        Ok(Some(Frame::new(message, headers_end)))
    }

    /// Reads every header once, so that whoever walks over them later cannot fail.
    fn check_headers(&mut self, block: &[u8]) -> Result<(), FrameError> {
        if block != self.checked_headers {
            check_headers(block, &self.limits, self.offset)?;
            self.checked_headers.clear();
            self.checked_headers.extend_from_slice(block);
        }
        Ok(())
    }

    /// Makes the first `length` unread bytes lie in one piece. Says whether they have arrived; if not,
    /// the whole segment has been copied, so that a large segment is not kept for its short tail.
    fn fill(&mut self, length: usize) -> bool {
        if self.partial.is_empty() && self.segment.len() >= length {
            return true;
        }
        if self.segment.is_empty() {
            return self.partial.len() >= length;
        }
        let missing = length.saturating_sub(self.partial.len());
        let part = self.segment.split_to(missing.min(self.segment.len()));
        self.partial.extend_from_slice(&part);
        self.partial.len() >= length
    }

    /// The unread bytes that `fill` has put in one piece.
    fn front(&self) -> &[u8] {
        if self.partial.is_empty() {
            &self.segment
        } else {
            &self.partial
        }
    }

    /// Takes the bytes that `fill(length)` has found.
    fn take(&mut self, length: usize) -> Bytes {
        if self.partial.is_empty() {
            self.segment.split_to(length)
        } else {
            self.partial.split_to(length).freeze()
        }
    }
}

impl Default for FrameDecoder {
    fn default() -> Self {
        Self::new()
    }
}

/// The verified lengths of a frame.
#[derive(Debug, Clone)]
struct Prelude {
    message_length: usize,
    headers_length: usize,
    /// Has seen the first [`LENGTHS_BYTES`]. The message checksum covers them too, so it goes on from
    /// here and no byte is read twice.
    hasher: Hasher,
}

impl Prelude {
    /// Verifies the prelude that `bytes` begin with: first its checksum, then the lengths against each
    /// other and against the limits.
    fn read(
        bytes: &[u8],
        mut hasher: Hasher,
        limits: &Limits,
        offset: u64,
    ) -> Result<Self, FrameError> {
        hasher.update(&bytes[..LENGTHS_BYTES]);
        let expected = hasher.clone().finalize();
        let actual = read_u32(bytes, LENGTHS_BYTES);
        if actual != expected {
            return Err(FrameError::PreludeChecksum {
                offset,
                expected,
                actual,
            });
        }

        let message = read_u32(bytes, 0);
        let headers = read_u32(bytes, 4);
        let minimum = SMALLEST_MESSAGE_BYTES as u32;
        if message < minimum {
            return Err(FrameError::MessageTooShort {
                offset,
                length: message,
                minimum,
            });
        }
        if message > limits.max_message_bytes {
            return Err(FrameError::MessageTooLong {
                offset,
                length: message,
                limit: limits.max_message_bytes,
            });
        }
        if headers > limits.max_header_bytes {
            return Err(FrameError::HeadersTooLong {
                offset,
                length: headers,
                limit: limits.max_header_bytes,
            });
        }
        if headers > message - minimum {
            return Err(FrameError::HeadersOverrun {
                offset,
                length: headers,
                available: message - minimum,
            });
        }
        Ok(Self {
            message_length: message as usize,
            headers_length: headers as usize,
            hasher,
        })
    }

    /// Verifies the checksum of the whole `message`.
    fn verify(self, message: &[u8], offset: u64) -> Result<(), FrameError> {
        let mut hasher = self.hasher;
        let checksum_at = self.message_length - CHECKSUM_BYTES;
        hasher.update(&message[LENGTHS_BYTES..checksum_at]);
        let expected = hasher.finalize();
        let actual = read_u32(message, checksum_at);
        if actual != expected {
            return Err(FrameError::MessageChecksum {
                offset,
                expected,
                actual,
            });
        }
        Ok(())
    }
}

fn check_headers(block: &[u8], limits: &Limits, offset: u64) -> Result<(), FrameError> {
    let mut rest = block;
    let mut count = 0;
    while !rest.is_empty() {
        if count == limits.max_headers {
            return Err(FrameError::TooManyHeaders {
                offset,
                limit: limits.max_headers,
            });
        }
        let at = block.len() - rest.len();
        let fault = |fault| FrameError::Header { offset, at, fault };
        let (header, after) = RawHeader::read(rest).map_err(fault)?;
        header.check().map_err(fault)?;
        rest = after;
        count += 1;
    }
    Ok(())
}

/// The caller has checked that the bytes are there.
fn read_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eventstream::{HeaderFault, HeaderValue, write_frame};

    /// Headers as raw bytes with correct lengths and checksums around them.
    fn frame_of(headers: &[u8], payload: &[u8]) -> Bytes {
        let mut out = prelude_of(16 + headers.len() + payload.len(), headers.len());
        out.extend_from_slice(headers);
        out.extend_from_slice(payload);
        out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
        out.into()
    }

    fn prelude_of(message_length: usize, headers_length: usize) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(&(message_length as u32).to_be_bytes());
        out.extend_from_slice(&(headers_length as u32).to_be_bytes());
        out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
        out
    }

    fn decode(bytes: impl Into<Bytes>) -> Result<Option<Frame>, FrameError> {
        let mut decoder = FrameDecoder::new();
        decoder.push(bytes.into());
        decoder.next_frame()
    }

    #[test]
    fn all_ten_value_types_are_read() {
        let headers = [
            ("true", HeaderValue::Bool(true)),
            ("false", HeaderValue::Bool(false)),
            ("byte", HeaderValue::Byte(-1)),
            ("i16", HeaderValue::Int16(i16::MIN)),
            ("i32", HeaderValue::Int32(42)),
            ("i64", HeaderValue::Int64(i64::MAX)),
            ("bytes", HeaderValue::ByteArray(&[0, 255])),
            ("string", HeaderValue::String("naïve")),
            ("timestamp", HeaderValue::Timestamp(1_790_000_000_000)),
            ("uuid", HeaderValue::Uuid([7; 16])),
        ];
        let mut bytes = BytesMut::new();
        write_frame(&headers, b"payload", &mut bytes).unwrap();
        let frame = decode(bytes).unwrap().unwrap();
        let read: Vec<_> = frame
            .headers()
            .map(|header| (header.name, header.value))
            .collect();
        assert_eq!(read, headers);
        for (name, value) in headers {
            assert_eq!(frame.header(name), Some(value));
        }
        assert_eq!(frame.header("absent"), None);
        assert_eq!(frame.payload(), "payload");
    }

    #[test]
    fn a_broken_header_is_named_with_its_place() {
        let good = b"\x01a\x00";
        for (bad, fault) in [
            (&b"\x00"[..], HeaderFault::EmptyName),
            (b"\x01\xff\x00", HeaderFault::NameNotUtf8),
            (b"\x01b\x0a", HeaderFault::UnknownType(10)),
            (b"\x01b\xff", HeaderFault::UnknownType(255)),
            (b"\x01b\x07\x00\x01\xff", HeaderFault::StringNotUtf8),
            (b"\x01b\x07\x00\x02x", HeaderFault::CutOff),
            (b"\x01b\x07\x00", HeaderFault::CutOff),
            (b"\x01b\x04\x00\x00\x00", HeaderFault::CutOff),
            (b"\x01b\x09\x00", HeaderFault::CutOff),
            (b"\x01b", HeaderFault::CutOff),
            (b"\xffbc", HeaderFault::CutOff),
        ] {
            let headers = [&good[..], bad].concat();
            let error = decode(frame_of(&headers, b"p")).unwrap_err();
            assert_eq!(
                error,
                FrameError::Header {
                    offset: 0,
                    at: 3,
                    fault
                }
            );
        }
    }

    #[test]
    fn lengths_that_cannot_be_are_refused_with_the_twelfth_byte() {
        let limits = Limits::default();
        for (message, headers, error) in [
            (
                0,
                0,
                FrameError::MessageTooShort {
                    offset: 0,
                    length: 0,
                    minimum: 16,
                },
            ),
            (
                15,
                0,
                FrameError::MessageTooShort {
                    offset: 0,
                    length: 15,
                    minimum: 16,
                },
            ),
            (
                16,
                1,
                FrameError::HeadersOverrun {
                    offset: 0,
                    length: 1,
                    available: 0,
                },
            ),
            (
                100,
                85,
                FrameError::HeadersOverrun {
                    offset: 0,
                    length: 85,
                    available: 84,
                },
            ),
            (
                limits.max_message_bytes as usize + 1,
                0,
                FrameError::MessageTooLong {
                    offset: 0,
                    length: limits.max_message_bytes + 1,
                    limit: limits.max_message_bytes,
                },
            ),
            (
                u32::MAX as usize,
                u32::MAX as usize,
                FrameError::MessageTooLong {
                    offset: 0,
                    length: u32::MAX,
                    limit: limits.max_message_bytes,
                },
            ),
            (
                1024 * 1024,
                limits.max_header_bytes as usize + 1,
                FrameError::HeadersTooLong {
                    offset: 0,
                    length: limits.max_header_bytes + 1,
                    limit: limits.max_header_bytes,
                },
            ),
        ] {
            let prelude = prelude_of(message, headers);
            assert_eq!(decode(prelude[..11].to_vec()), Ok(None));
            assert_eq!(decode(prelude).unwrap_err(), error);
        }
    }

    #[test]
    fn more_headers_than_the_limit_are_refused() {
        let limits = Limits {
            max_headers: 2,
            ..Limits::default()
        };
        for (headers, expected) in [
            (&b"\x01a\x00\x01b\x00"[..], Ok(())),
            (
                b"\x01a\x00\x01b\x00\x01c\x00",
                Err(FrameError::TooManyHeaders {
                    offset: 0,
                    limit: 2,
                }),
            ),
        ] {
            let mut decoder = FrameDecoder::with_limits(limits);
            decoder.push(frame_of(headers, b""));
            assert_eq!(decoder.next_frame().map(drop), expected);
        }
    }

    #[test]
    fn one_wrong_bit_anywhere_is_an_error() {
        let good = frame_of(b"\x01a\x07\x00\x01b", b"payload");
        for bit in 0..good.len() * 8 {
            let mut bad = good.to_vec();
            bad[bit / 8] ^= 1 << (bit % 8);
            let error = decode(bad).unwrap_err();
            if bit < 12 * 8 {
                assert!(
                    matches!(error, FrameError::PreludeChecksum { .. }),
                    "{error}"
                );
            } else {
                assert!(
                    matches!(error, FrameError::MessageChecksum { .. }),
                    "{error}"
                );
            }
        }
    }

    #[test]
    fn the_first_error_is_final_and_empties_the_buffer() {
        let mut decoder = FrameDecoder::new();
        let good = frame_of(b"", b"first");
        decoder.push([&good[..], b"HTTP/1.1 502 Bad Gateway"].concat().into());
        assert!(decoder.next_frame().unwrap().is_some());
        let error = decoder.next_frame().unwrap_err();
        assert!(
            matches!(error, FrameError::PreludeChecksum { offset: 21, .. }),
            "{error}"
        );
        decoder.push(good);
        assert_eq!(decoder.buffered(), 0);
        assert_eq!(decoder.next_frame(), Err(error));
        assert_eq!(decoder.finish(), Err(error));
    }

    #[test]
    fn an_end_inside_a_frame_is_told_from_a_clean_end() {
        let good = frame_of(b"", b"payload");
        for cut in 0..=good.len() {
            let mut decoder = FrameDecoder::new();
            decoder.push(good.clone());
            assert!(decoder.next_frame().unwrap().is_some());
            decoder.push(good.slice(..cut));
            let whole = decoder.next_frame().unwrap().is_some();
            assert_eq!(whole, cut == good.len());
            let expected = match cut {
                0 | 23 => Ok(()),
                1..12 => Err(FrameError::Truncated {
                    offset: 23,
                    expected: 12,
                    actual: cut,
                }),
                _ => Err(FrameError::Truncated {
                    offset: 23,
                    expected: 23,
                    actual: cut,
                }),
            };
            assert_eq!(decoder.finish(), expected);
        }
    }

    #[test]
    fn a_payload_is_a_slice_of_the_segment() {
        let segment = Bytes::from([frame_of(b"", b"one"), frame_of(b"", b"two")].concat());
        let mut decoder = FrameDecoder::new();
        decoder.push(segment.clone());
        for at in [12, 19 + 12] {
            let payload = decoder.next_frame().unwrap().unwrap().payload();
            assert_eq!(payload.as_ptr(), segment[at..].as_ptr());
        }
    }

    #[test]
    fn a_tail_does_not_keep_its_segment() {
        let segment = Bytes::from([&frame_of(b"", b"one")[..], &[0; 5]].concat());
        let mut decoder = FrameDecoder::new();
        decoder.push(segment.clone());
        decoder.next_frame().unwrap();
        assert_eq!(decoder.next_frame(), Ok(None));
        assert_eq!(decoder.buffered(), 5);
        assert!(segment.is_unique());
    }
}
