//! Any bytes in any segmentation.
//!
//! ```text
//! input = options (1)  n (1)  cuts (n)  stream
//! ```
//!
//! Bit 0 of the options asks for low limits. The bytes are taken as they are, so most inputs die at the
//! first checksum; [`fixed_crc`](crate::fixed_crc) gets further.

use bytes::Bytes;
use kiro_protocol::eventstream::Limits;

use crate::cut::Cuts;
use crate::frames::{LOW, agree_with_smithy, read_in_every_way};
use crate::input::split;

/// Reads the stream whole and in segments.
pub fn run(input: &[u8]) {
    let Some((options, cuts, stream)) = split(input) else {
        return;
    };
    let limits = if options & 1 == 1 {
        LOW
    } else {
        Limits::default()
    };
    let stream = Bytes::copy_from_slice(stream);
    let read = read_in_every_way(limits, &stream, Cuts(cuts));
    if limits == Limits::default() {
        agree_with_smithy(&stream, &read);
    }
}
