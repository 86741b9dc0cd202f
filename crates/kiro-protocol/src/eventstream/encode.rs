//! Frames to bytes: for tests, simulators and captures.

use bytes::{BufMut, BytesMut};

use super::{CHECKSUM_BYTES, EncodeError, HeaderValue, PRELUDE_BYTES};

/// Appends one frame to `out`, as [`FrameDecoder`](super::FrameDecoder) reads it.
///
/// Lengths and checksums are computed. The limits are those of the format and not those of the decoder,
/// so that a test can write what the decoder refuses.
///
/// ```
/// use bytes::BytesMut;
/// use kiro_protocol::eventstream::{FrameDecoder, HeaderValue, write_frame};
///
/// let mut bytes = BytesMut::new();
/// write_frame(&[(":message-type", HeaderValue::String("event"))], b"{}", &mut bytes)?;
///
/// let mut decoder = FrameDecoder::new();
/// decoder.push(bytes.freeze());
/// let frame = decoder.next_frame()?.expect("the frame is whole");
/// assert_eq!(frame.payload_bytes(), b"{}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`EncodeError`] when a name, a value or the frame is longer than its length field can say. Nothing
/// has been appended then.
pub fn write_frame(
    headers: &[(&str, HeaderValue<'_>)],
    payload: &[u8],
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    let mut headers_length = 0;
    for (name, value) in headers {
        headers_length += header_length(name, value)?;
    }
    let length = PRELUDE_BYTES + headers_length + payload.len() + CHECKSUM_BYTES;
    // A header length that fits into the message length also fits into its own field.
    let message_length = u32::try_from(length).map_err(|_| EncodeError::MessageTooLong {
        length,
        limit: u32::MAX as usize,
    })?;

    out.reserve(length);
    let start = out.len();
    out.put_u32(message_length);
    out.put_u32(headers_length as u32);
    out.put_u32(crc32fast::hash(&out[start..]));
    for (name, value) in headers {
        out.put_u8(name.len() as u8);
        out.put_slice(name.as_bytes());
        write_value(value, out);
    }
    out.put_slice(payload);
    out.put_u32(crc32fast::hash(&out[start..]));
    Ok(())
}

/// The bytes of one header, after a check that every length fits into its field.
fn header_length(name: &str, value: &HeaderValue<'_>) -> Result<usize, EncodeError> {
    if name.is_empty() || name.len() > usize::from(u8::MAX) {
        return Err(EncodeError::NameLength { length: name.len() });
    }
    let value_length = match value {
        HeaderValue::Bool(_) => 0,
        HeaderValue::Byte(_) => 1,
        HeaderValue::Int16(_) => 2,
        HeaderValue::Int32(_) => 4,
        HeaderValue::Int64(_) | HeaderValue::Timestamp(_) => 8,
        HeaderValue::Uuid(_) => 16,
        HeaderValue::ByteArray(bytes) => counted_length(bytes)?,
        HeaderValue::String(text) => counted_length(text.as_bytes())?,
    };
    Ok(1 + name.len() + 1 + value_length)
}

fn counted_length(bytes: &[u8]) -> Result<usize, EncodeError> {
    let limit = usize::from(u16::MAX);
    if bytes.len() > limit {
        return Err(EncodeError::ValueTooLong {
            length: bytes.len(),
            limit,
        });
    }
    Ok(2 + bytes.len())
}

/// `header_length` has checked that the lengths fit.
fn write_value(value: &HeaderValue<'_>, out: &mut BytesMut) {
    let (value_type, number): (u8, &[u8]) = match value {
        HeaderValue::Bool(true) => (0, &[]),
        HeaderValue::Bool(false) => (1, &[]),
        HeaderValue::Byte(value) => (2, &value.to_be_bytes()),
        HeaderValue::Int16(value) => (3, &value.to_be_bytes()),
        HeaderValue::Int32(value) => (4, &value.to_be_bytes()),
        HeaderValue::Int64(value) => (5, &value.to_be_bytes()),
        HeaderValue::ByteArray(bytes) => return write_counted(6, bytes, out),
        HeaderValue::String(text) => return write_counted(7, text.as_bytes(), out),
        HeaderValue::Timestamp(value) => (8, &value.to_be_bytes()),
        HeaderValue::Uuid(bytes) => (9, bytes),
    };
    out.put_u8(value_type);
    out.put_slice(number);
}

fn write_counted(value_type: u8, bytes: &[u8], out: &mut BytesMut) {
    out.put_u8(value_type);
    out.put_u16(bytes.len() as u16);
    out.put_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_computed_by_hand_comes_out() {
        let mut out = BytesMut::new();
        let headers = [
            (":event-type", HeaderValue::String("assistantResponseEvent")),
            (":content-type", HeaderValue::String("application/json")),
            (":message-type", HeaderValue::String("event")),
        ];
        write_frame(&headers, br#"{"content":"Hi"}"#, &mut out).unwrap();
        assert_eq!(out.len(), 124);
        assert_eq!(out[8..12], [0x3b, 0xdd, 0xcf, 0x78]);
        assert_eq!(out[120..], [0xb0, 0x2b, 0xab, 0xdc]);
    }

    #[test]
    fn the_smallest_frame_comes_out() {
        let mut out = BytesMut::new();
        write_frame(&[], b"", &mut out).unwrap();
        assert_eq!(
            out[..],
            [
                0, 0, 0, 16, 0, 0, 0, 0, 0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff
            ]
        );
    }

    #[test]
    fn what_does_not_fit_its_length_field_is_refused_and_leaves_nothing() {
        let mut out = BytesMut::from(&b"before"[..]);
        let long_name = "n".repeat(256);
        let long_value = "v".repeat(65_536);
        for (name, value, error) in [
            ("", "v", EncodeError::NameLength { length: 0 }),
            (&*long_name, "v", EncodeError::NameLength { length: 256 }),
            (
                "n",
                &*long_value,
                EncodeError::ValueTooLong {
                    length: 65_536,
                    limit: 65_535,
                },
            ),
        ] {
            let headers = [
                ("ok", HeaderValue::Bool(true)),
                (name, HeaderValue::String(value)),
            ];
            assert_eq!(write_frame(&headers, b"", &mut out), Err(error));
        }
        assert_eq!(out[..], b"before"[..]);
    }
}
