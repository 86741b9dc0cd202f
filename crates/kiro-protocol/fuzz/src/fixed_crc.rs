//! Frames whose checksums are right, whatever else is wrong with them.
//!
//! ```text
//! input = options (1)  n (1)  cuts (n)  stream or frames
//! ```
//!
//! Bit 0 of the options asks for low limits. Bit 1 says how the rest is read:
//!
//! - 0: it is a stream, in which every checksum that the lengths lead to is made right. So the fuzzer can
//!   change any byte of a recorded stream, lengths included.
//! - 1: it is made into frames, with header blocks that are nearly right, and lengths that may lie.

use arbitrary::{Arbitrary, Result, Unstructured};
use bytes::Bytes;
use kiro_protocol::eventstream::Limits;

use crate::cut::Cuts;
use crate::frames::{LOW, agree_with_smithy, read_in_every_way};
use crate::input::split;

/// Reads the stream whole and in segments, and compares with another reader.
pub fn run(input: &[u8]) {
    let Some((options, cuts, rest)) = split(input) else {
        return;
    };
    let limits = if options & 1 == 1 {
        LOW
    } else {
        Limits::default()
    };
    let stream = match options & 2 {
        0 => repaired(rest),
        _ => written(&mut Unstructured::new(rest)),
    };
    let stream = Bytes::from(stream);
    let read = read_in_every_way(limits, &stream, Cuts(cuts));
    if limits == Limits::default() {
        agree_with_smithy(&stream, &read);
    }
}

/// Walks from frame to frame as the lengths say and makes the checksums right.
fn repaired(stream: &[u8]) -> Vec<u8> {
    let mut stream = stream.to_vec();
    let mut rest = &mut stream[..];
    while rest.len() >= 12 {
        let checksum = crc32fast::hash(&rest[..8]);
        rest[8..12].copy_from_slice(&checksum.to_be_bytes());
        let length = u32::from_be_bytes([rest[0], rest[1], rest[2], rest[3]]) as usize;
        if length < 16 || length > rest.len() {
            break;
        }
        let (frame, after) = rest.split_at_mut(length);
        let (message, place) = frame.split_at_mut(length - 4);
        place.copy_from_slice(&crc32fast::hash(message).to_be_bytes());
        rest = after;
    }
    stream
}

/// A frame as somebody might get it wrong.
#[derive(Debug, Arbitrary)]
struct Odd<'a> {
    headers: Vec<OddHeader<'a>>,
    payload: &'a [u8],
    lie: Lie,
}

#[derive(Debug, Arbitrary)]
enum OddHeader<'a> {
    /// A name and a value of the right length.
    Right {
        name: &'a str,
        value_type: u8,
        value: &'a [u8],
    },
    /// As `Right`, but with length bytes of its own.
    Lying {
        name: &'a [u8],
        name_length: u8,
        value_type: u8,
        value_length: u16,
        value: &'a [u8],
    },
    /// The same header many times.
    Many {
        n: u8,
    },
    Anything(&'a [u8]),
}

#[derive(Debug, Arbitrary)]
enum Lie {
    None,
    Message(u32),
    MessageBy(i8),
    Headers(u32),
    HeadersBy(i8),
}

fn written(input: &mut Unstructured<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    while !input.is_empty() {
        let Ok(frame) = Odd::arbitrary(input) else {
            break;
        };
        frame.write(&mut out);
        if input.arbitrary::<u8>().is_ok_and(|more| more < 16) {
            break;
        }
    }
    if let Ok(tail) = tail(input) {
        out.extend_from_slice(tail);
    }
    out
}

/// What is left becomes the beginning of a frame that never ends.
fn tail<'a>(input: &mut Unstructured<'a>) -> Result<&'a [u8]> {
    let length = input.len();
    input.bytes(length)
}

impl Odd<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        let mut headers = Vec::new();
        for header in &self.headers {
            header.write(&mut headers);
        }
        let mut message_length = (16 + headers.len() + self.payload.len()) as u32;
        let mut headers_length = headers.len() as u32;
        match self.lie {
            Lie::None => {}
            Lie::Message(length) => message_length = length,
            Lie::MessageBy(by) => message_length = message_length.wrapping_add_signed(by.into()),
            Lie::Headers(length) => headers_length = length,
            Lie::HeadersBy(by) => headers_length = headers_length.wrapping_add_signed(by.into()),
        }
        let start = out.len();
        out.extend_from_slice(&message_length.to_be_bytes());
        out.extend_from_slice(&headers_length.to_be_bytes());
        out.extend_from_slice(&crc32fast::hash(&out[start..]).to_be_bytes());
        out.extend_from_slice(&headers);
        out.extend_from_slice(self.payload);
        // A frame that claims to be shorter has its checksum where its reader looks for it.
        let claimed = start + message_length as usize;
        if (start + 16..=out.len() + 4).contains(&claimed) {
            out.resize(claimed - 4, 0);
        }
        out.extend_from_slice(&crc32fast::hash(&out[start..]).to_be_bytes());
    }
}

impl OddHeader<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Right {
                name,
                value_type,
                value,
            } => {
                let name = &name.as_bytes()[..name.len().min(255)];
                out.push(name.len() as u8);
                out.extend_from_slice(name);
                // Mostly one of the ten, sometimes the first of those that do not exist.
                let value_type = value_type % 11;
                out.push(value_type);
                let fixed = match value_type {
                    2 => 1,
                    3 => 2,
                    4 => 4,
                    5 | 8 => 8,
                    9 => 16,
                    6 | 7 => {
                        let value = &value[..value.len().min(usize::from(u16::MAX))];
                        out.extend_from_slice(&(value.len() as u16).to_be_bytes());
                        out.extend_from_slice(value);
                        0
                    }
                    _ => 0,
                };
                out.extend((0..fixed).map(|at| value.get(at).copied().unwrap_or(0x5a)));
            }
            Self::Lying {
                name,
                name_length,
                value_type,
                value_length,
                value,
            } => {
                out.push(*name_length);
                out.extend_from_slice(name);
                out.push(*value_type);
                out.extend_from_slice(&value_length.to_be_bytes());
                out.extend_from_slice(value);
            }
            Self::Many { n } => {
                for _ in 0..*n {
                    out.extend_from_slice(b"\x01n\x00");
                }
            }
            Self::Anything(bytes) => out.extend_from_slice(bytes),
        }
    }
}
