//! A frame and its headers.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;

use super::{CHECKSUM_BYTES, HeaderFault, PRELUDE_BYTES};

/// One whole frame whose checksums and headers have been verified.
///
/// It is a slice of the buffer it arrived in: making, cloning and dropping one allocates nothing. It
/// keeps that buffer alive, so whoever stores a frame for long copies what is needed.
#[derive(Clone)]
pub struct Frame {
    /// From the first length byte to the last checksum byte.
    message: Bytes,
    /// Where the headers end; `PRELUDE_BYTES <= headers_end <= message.len() - CHECKSUM_BYTES`.
    headers_end: usize,
}

impl Frame {
    /// The caller has verified the lengths, the checksums and the headers.
    pub(super) fn new(message: Bytes, headers_end: usize) -> Self {
        Self {
            message,
            headers_end,
        }
    }

    /// The headers in the order of the wire.
    pub fn headers(&self) -> Headers<'_> {
        Headers {
            rest: self.header_block(),
        }
    }

    /// The value of the first header of that name.
    pub fn header(&self, name: &str) -> Option<HeaderValue<'_>> {
        self.find(name).and_then(RawValue::check)
    }

    /// The value of the first header of that name, when it is a string.
    pub fn string_header(&self, name: &str) -> Option<&str> {
        match self.header(name)? {
            HeaderValue::String(value) => Some(value),
            _ => None,
        }
    }

    /// The payload: a slice of the buffer that the frame arrived in.
    pub fn payload(&self) -> Bytes {
        self.message
            .slice(self.headers_end..self.message.len() - CHECKSUM_BYTES)
    }

    /// The payload, borrowed.
    pub fn payload_bytes(&self) -> &[u8] {
        &self.message[self.headers_end..self.message.len() - CHECKSUM_BYTES]
    }

    /// A part of the payload, as a slice of the buffer. The range lies in the payload.
    pub(crate) fn payload_slice(&self, part: Range<usize>) -> Bytes {
        let start = self.headers_end;
        self.message.slice(start + part.start..start + part.end)
    }

    /// Length of the whole frame in bytes.
    pub fn message_bytes(&self) -> usize {
        self.message.len()
    }

    fn header_block(&self) -> &[u8] {
        &self.message[PRELUDE_BYTES..self.headers_end]
    }

    /// Compares names as bytes, so that only the header asked for is read as text.
    fn find(&self, name: &str) -> Option<RawValue<'_>> {
        let mut headers = self.raw_headers();
        let found = headers.find(|header| header.name == name.as_bytes());
        found.map(|header| header.value)
    }

    /// The headers whose value is a string, as bytes of checked UTF-8.
    pub(crate) fn string_bytes(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.raw_headers().filter_map(|header| match header.value {
            RawValue::Text(text) => Some((header.name, text)),
            RawValue::Checked(_) => None,
        })
    }

    fn raw_headers(&self) -> impl Iterator<Item = RawHeader<'_>> {
        let mut rest = self.header_block();
        std::iter::from_fn(move || {
            // The decoder has checked every header, so an error is only the end of the block.
            let (header, after) = RawHeader::read(rest).ok()?;
            rest = after;
            Some(header)
        })
    }
}

/// Shows the headers and the size. The payload holds what people said, so it is not shown.
impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("headers", &self.headers())
            .field("payload_bytes", &self.payload_bytes().len())
            .finish()
    }
}

/// The same headers in the same order and the same payload.
impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        self.message == other.message
    }
}

impl Eq for Frame {}

/// A typed name–value pair inside a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// The name, 1 to 255 bytes.
    pub name: &'a str,
    /// The value.
    pub value: HeaderValue<'a>,
}

/// The value of a header. Ten types on the wire; two of them are the two booleans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderValue<'a> {
    /// Types 0 (true) and 1 (false), without bytes.
    Bool(bool),
    /// Type 2.
    Byte(i8),
    /// Type 3.
    Int16(i16),
    /// Type 4.
    Int32(i32),
    /// Type 5.
    Int64(i64),
    /// Type 6, at most 65,535 bytes.
    ByteArray(&'a [u8]),
    /// Type 7, at most 65,535 bytes.
    String(&'a str),
    /// Type 8: milliseconds since 1970-01-01 UTC.
    Timestamp(i64),
    /// Type 9: the sixteen bytes of a UUID in the order in which it is written.
    Uuid([u8; 16]),
}

/// The headers of one frame, in the order of the wire.
#[derive(Clone)]
pub struct Headers<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        // The decoder has checked every header of the block, so neither of these gives up early.
        let (raw, after) = RawHeader::read(self.rest).ok()?;
        self.rest = after;
        raw.check().ok()
    }
}

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.clone().map(|header| (header.name, header.value)))
            .finish()
    }
}

/// A header whose lengths are checked and whose text is not.
pub(super) struct RawHeader<'a> {
    name: &'a [u8],
    value: RawValue<'a>,
}

enum RawValue<'a> {
    Checked(HeaderValue<'a>),
    Text(&'a [u8]),
}

impl<'a> RawHeader<'a> {
    /// Reads the header that `block` begins with. Returns it and what follows.
    pub(super) fn read(block: &'a [u8]) -> Result<(Self, &'a [u8]), HeaderFault> {
        let ([name_length], rest) = take_array(block)?;
        if name_length == 0 {
            return Err(HeaderFault::EmptyName);
        }
        let (name, rest) = take(rest, usize::from(name_length))?;
        let ([value_type], rest) = take_array(rest)?;
        let (value, rest) = RawValue::read(value_type, rest)?;
        Ok((Self { name, value }, rest))
    }

    /// Checks the text of name and value.
    pub(super) fn check(self) -> Result<Header<'a>, HeaderFault> {
        Ok(Header {
            name: std::str::from_utf8(self.name).map_err(|_| HeaderFault::NameNotUtf8)?,
            value: self.value.check().ok_or(HeaderFault::StringNotUtf8)?,
        })
    }
}

impl<'a> RawValue<'a> {
    fn read(value_type: u8, bytes: &'a [u8]) -> Result<(Self, &'a [u8]), HeaderFault> {
        use HeaderValue::{Bool, Byte, ByteArray, Int16, Int32, Int64, Timestamp, Uuid};
        let (value, rest) = match value_type {
            0 => (Bool(true), bytes),
            1 => (Bool(false), bytes),
            2 => map(take_array(bytes)?, |b| Byte(i8::from_be_bytes(b))),
            3 => map(take_array(bytes)?, |b| Int16(i16::from_be_bytes(b))),
            4 => map(take_array(bytes)?, |b| Int32(i32::from_be_bytes(b))),
            5 => map(take_array(bytes)?, |b| Int64(i64::from_be_bytes(b))),
            6 => map(take_counted(bytes)?, ByteArray),
            7 => {
                let (text, rest) = take_counted(bytes)?;
                return Ok((Self::Text(text), rest));
            }
            8 => map(take_array(bytes)?, |b| Timestamp(i64::from_be_bytes(b))),
            9 => map(take_array(bytes)?, Uuid),
            unknown => return Err(HeaderFault::UnknownType(unknown)),
        };
        Ok((Self::Checked(value), rest))
    }

    fn check(self) -> Option<HeaderValue<'a>> {
        match self {
            Self::Checked(value) => Some(value),
            Self::Text(bytes) => std::str::from_utf8(bytes).ok().map(HeaderValue::String),
        }
    }
}

fn map<T, U>((value, rest): (T, &[u8]), convert: impl FnOnce(T) -> U) -> (U, &[u8]) {
    (convert(value), rest)
}

fn take(bytes: &[u8], length: usize) -> Result<(&[u8], &[u8]), HeaderFault> {
    bytes.split_at_checked(length).ok_or(HeaderFault::CutOff)
}

fn take_array<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), HeaderFault> {
    let (array, rest) = bytes.split_first_chunk().ok_or(HeaderFault::CutOff)?;
    Ok((*array, rest))
}

/// Bytes behind their own two-byte length.
fn take_counted(bytes: &[u8]) -> Result<(&[u8], &[u8]), HeaderFault> {
    let (length, rest) = take_array(bytes)?;
    take(rest, usize::from(u16::from_be_bytes(length)))
}
