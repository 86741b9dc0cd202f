//! What can be wrong with the bytes of a frame.

/// The bytes are not a valid stream of frames.
///
/// `offset` counts the bytes of the stream before the frame that is wrong, so that a capture can be
/// looked up at that place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The checksum of the two lengths is wrong. Often the answer is no event stream at all.
    #[error(
        "prelude checksum of the frame at byte {offset} is {actual:08x}, its lengths give {expected:08x}"
    )]
    PreludeChecksum {
        /// Where the frame begins.
        offset: u64,
        /// The checksum computed over the lengths.
        expected: u32,
        /// The checksum in the prelude.
        actual: u32,
    },
    /// The checksum of the whole message is wrong.
    #[error(
        "message checksum of the frame at byte {offset} is {actual:08x}, its bytes give {expected:08x}"
    )]
    MessageChecksum {
        /// Where the frame begins.
        offset: u64,
        /// The checksum computed over the message.
        expected: u32,
        /// The checksum at the end of the message.
        actual: u32,
    },
    /// The message length leaves no room for prelude and checksum.
    #[error("the frame at byte {offset} claims {length} bytes; the shortest has {minimum}")]
    MessageTooShort {
        /// Where the frame begins.
        offset: u64,
        /// The length that the prelude claims, in bytes.
        length: u32,
        /// The length of a frame without headers and payload, in bytes.
        minimum: u32,
    },
    /// The message length is over [`Limits::max_message_bytes`](super::Limits::max_message_bytes).
    #[error("the frame at byte {offset} claims {length} bytes; the limit is {limit}")]
    MessageTooLong {
        /// Where the frame begins.
        offset: u64,
        /// The length that the prelude claims, in bytes.
        length: u32,
        /// The limit in bytes.
        limit: u32,
    },
    /// The header length is over [`Limits::max_header_bytes`](super::Limits::max_header_bytes).
    #[error("the frame at byte {offset} claims {length} bytes of headers; the limit is {limit}")]
    HeadersTooLong {
        /// Where the frame begins.
        offset: u64,
        /// The header length that the prelude claims, in bytes.
        length: u32,
        /// The limit in bytes.
        limit: u32,
    },
    /// The header length does not fit into the message length.
    #[error(
        "the frame at byte {offset} claims {length} bytes of headers in a message that has room for {available}"
    )]
    HeadersOverrun {
        /// Where the frame begins.
        offset: u64,
        /// The header length that the prelude claims, in bytes.
        length: u32,
        /// What the message length leaves for headers, in bytes.
        available: u32,
    },
    /// There are more headers than [`Limits::max_headers`](super::Limits::max_headers).
    #[error("the frame at byte {offset} has more than {limit} headers")]
    TooManyHeaders {
        /// Where the frame begins.
        offset: u64,
        /// The limit.
        limit: usize,
    },
    /// A header cannot be read.
    #[error("{fault} in the header at byte {at} of the headers of the frame at byte {offset}")]
    Header {
        /// Where the frame begins.
        offset: u64,
        /// Where the header begins, in bytes from the start of the headers.
        at: usize,
        /// What is wrong with it.
        fault: HeaderFault,
    },
    /// The stream ended inside a frame.
    #[error(
        "the stream ended {actual} bytes into the frame at byte {offset}, which needs {expected}"
    )]
    Truncated {
        /// Where the frame begins.
        offset: u64,
        /// The bytes that the frame needs: its length, or the length of the prelude when not even that
        /// has arrived.
        expected: usize,
        /// The bytes that arrived.
        actual: usize,
    },
}

/// What is wrong with a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderFault {
    /// The name has no bytes.
    #[error("empty name")]
    EmptyName,
    /// The name is not UTF-8.
    #[error("name that is not UTF-8")]
    NameNotUtf8,
    /// The type is none of the ten.
    #[error("unknown value type {0}")]
    UnknownType(u8),
    /// A string is not UTF-8.
    #[error("string that is not UTF-8")]
    StringNotUtf8,
    /// The header runs over the end of the header block.
    #[error("value cut off by the end of the headers")]
    CutOff,
}

/// The parts cannot be written as a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A header's name is empty or longer than its length byte can say.
    #[error("a header name of {length} bytes; it must have 1 to 255")]
    NameLength {
        /// The length of the name in bytes.
        length: usize,
    },
    /// A header's value is longer than its two length bytes can say.
    #[error("a header value of {length} bytes; the limit is {limit}")]
    ValueTooLong {
        /// The length of the value in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The whole frame is longer than its four length bytes can say.
    #[error("a frame of {length} bytes; the limit is {limit}")]
    MessageTooLong {
        /// The length of the frame in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
}
