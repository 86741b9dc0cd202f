//! The binary framing of AWS event streams (`application/vnd.amazon.eventstream`).
//!
//! One frame; all integers are big-endian:
//!
//! ```text
//! offset  bytes  content
//! 0       4      message length: the whole frame, these 4 bytes and the last 4 included
//! 4       4      header length H
//! 8       4      CRC-32 of bytes 0..8                    } the first 12 bytes are the prelude
//! 12      H      headers
//! 12+H    P      payload, P = message length - H - 16
//! 12+H+P  4      CRC-32 of every byte before it
//!
//! header:  name length (1, never 0) · name (UTF-8) · type (1) · value
//!
//! type     0     1      2     3    4    5    6               7               8          9
//! value    true  false  i8    i16  i32  i64  length2, bytes  length2, UTF-8  i64 of ms  16 bytes of a UUID
//! ```
//!
//! The CRC is that of zlib (IEEE, reflected). Kiro sends three headers of type 7 in each frame; the other
//! types are read because the format has them.
//!
//! [`FrameDecoder`] takes segments as the network cuts them and gives [`Frame`]s; [`write_frame`] is its
//! inverse. The decoder believes nothing before its checksum: twelve bytes are enough to refuse a broken
//! or a lying prelude. After an error it gives the same error for ever: nothing in the format
//! allows to find the next frame, and TLS makes chance corruption all but impossible, so a mismatch means
//! the wrong endpoint or a bug.
//!
//! Sources: the event-stream specification of Smithy and `aws-smithy-eventstream` (certain); frames
//! captured from Kiro clients in 2026 (certain: the checksums of captured frames agree).

mod decode;
mod encode;
mod error;
mod frame;

pub use decode::{FrameDecoder, Limits};
pub use encode::write_frame;
pub use error::{EncodeError, FrameError, HeaderFault};
pub use frame::{Frame, Header, HeaderValue, Headers};

/// Two lengths and their checksum.
const PRELUDE_BYTES: usize = 12;

/// The part of the prelude that its checksum covers.
const LENGTHS_BYTES: usize = 8;

/// The message checksum at the end of a frame.
const CHECKSUM_BYTES: usize = 4;

/// A frame without headers and payload.
const SMALLEST_MESSAGE_BYTES: usize = PRELUDE_BYTES + CHECKSUM_BYTES;
