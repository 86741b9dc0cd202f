//! What is written is what is read.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::BytesMut;
use kiro_protocol::eventstream::{FrameDecoder, HeaderValue, write_frame};
use proptest::collection::vec;
use proptest::prelude::*;

/// A header that owns its bytes.
#[derive(Debug, Clone)]
struct OwnedHeader {
    name: String,
    value: OwnedValue,
}

#[derive(Debug, Clone)]
enum OwnedValue {
    Fixed(HeaderValue<'static>),
    ByteArray(Vec<u8>),
    String(String),
}

impl OwnedHeader {
    fn borrow(&self) -> (&str, HeaderValue<'_>) {
        let value = match &self.value {
            OwnedValue::Fixed(value) => *value,
            OwnedValue::ByteArray(bytes) => HeaderValue::ByteArray(bytes),
            OwnedValue::String(text) => HeaderValue::String(text),
        };
        (&self.name, value)
    }
}

fn any_header() -> impl Strategy<Value = OwnedHeader> {
    let value = prop_oneof![
        any::<bool>().prop_map(|v| OwnedValue::Fixed(HeaderValue::Bool(v))),
        any::<i8>().prop_map(|v| OwnedValue::Fixed(HeaderValue::Byte(v))),
        any::<i16>().prop_map(|v| OwnedValue::Fixed(HeaderValue::Int16(v))),
        any::<i32>().prop_map(|v| OwnedValue::Fixed(HeaderValue::Int32(v))),
        any::<i64>().prop_map(|v| OwnedValue::Fixed(HeaderValue::Int64(v))),
        any::<i64>().prop_map(|v| OwnedValue::Fixed(HeaderValue::Timestamp(v))),
        any::<[u8; 16]>().prop_map(|v| OwnedValue::Fixed(HeaderValue::Uuid(v))),
        vec(any::<u8>(), 0..300).prop_map(OwnedValue::ByteArray),
        any::<String>().prop_map(OwnedValue::String),
    ];
    ("[:a-zé-]{1,40}", value).prop_map(|(name, value)| OwnedHeader { name, value })
}

fn any_frame() -> impl Strategy<Value = (Vec<OwnedHeader>, Vec<u8>)> {
    (vec(any_header(), 0..6), vec(any::<u8>(), 0..2_000))
}

proptest! {
    #[test]
    fn frames_come_back_as_they_were_written(frames in vec(any_frame(), 1..5)) {
        let mut bytes = BytesMut::new();
        for (headers, payload) in &frames {
            let headers: Vec<_> = headers.iter().map(OwnedHeader::borrow).collect();
            write_frame(&headers, payload, &mut bytes).unwrap();
        }
        let mut decoder = FrameDecoder::new();
        decoder.push(bytes.freeze());
        for (headers, payload) in &frames {
            let frame = decoder.next_frame().unwrap().unwrap();
            let read: Vec<_> = frame.headers().map(|header| (header.name, header.value)).collect();
            let written: Vec<_> = headers.iter().map(OwnedHeader::borrow).collect();
            prop_assert_eq!(read, written);
            prop_assert_eq!(frame.payload_bytes(), &payload[..]);
        }
        prop_assert_eq!(decoder.next_frame(), Ok(None));
        prop_assert_eq!(decoder.finish(), Ok(()));
    }

    #[test]
    fn what_is_read_is_written_with_the_same_bytes(frame in any_frame()) {
        let (headers, payload) = frame;
        let headers: Vec<_> = headers.iter().map(OwnedHeader::borrow).collect();
        let mut bytes = BytesMut::new();
        write_frame(&headers, &payload, &mut bytes).unwrap();
        let bytes = bytes.freeze();
        let mut decoder = FrameDecoder::new();
        decoder.push(bytes.clone());
        let frame = decoder.next_frame().unwrap().unwrap();
        let headers: Vec<_> = frame.headers().map(|header| (header.name, header.value)).collect();
        let mut again = BytesMut::new();
        write_frame(&headers, frame.payload_bytes(), &mut again).unwrap();
        prop_assert_eq!(again, bytes);
    }
}
