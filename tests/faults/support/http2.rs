//! Frames of HTTP/2 as an attacker writes them.

use super::{House, KEY, Wire};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// A frame as it came.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// The bytes of a frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

/// One header, spelled out.
pub(crate) fn literal(name: &str, value: &str) -> Vec<u8> {
    let mut out = vec![0];
    for text in [name, value] {
        put_length(&mut out, text.len());
        out.extend_from_slice(text.as_bytes());
    }
    out
}

/// An integer of seven bits, or more.
fn put_length(out: &mut Vec<u8>, length: usize) {
    if length < 127 {
        out.push(length as u8);
        return;
    }
    out.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        out.push((rest % 128) as u8 | 128);
        rest /= 128;
    }
    out.push(rest as u8);
}

/// The head of a request with the key.
pub(crate) fn head(method: &str, path: &str) -> Vec<u8> {
    let headers = [
        (":method", method),
        (":path", path),
        (":scheme", "http"),
        (":authority", "x"),
        ("authorization", &format!("Bearer {KEY}")),
    ];
    headers
        .iter()
        .flat_map(|(name, value)| literal(name, value))
        .collect()
}

/// A connection that has said hello, with settings of its own.
pub(crate) async fn open(house: &House, settings: &[u8]) -> Wire {
    let mut wire = house.wire().await;
    let hello = [PREFACE, &frame(SETTINGS, 0, 0, settings)].concat();
    wire.send(hello).await.unwrap();
    wire
}

/// The next frame, or nothing at the end of the connection.
pub(crate) async fn next(wire: &mut Wire) -> Option<Frame> {
    loop {
        if let Some(head) = wire.seen().get(..9) {
            let length =
                usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
            if wire.seen().len() >= 9 + length {
                let bytes = wire.drain(9 + length);
                let stream = u32::from_be_bytes(bytes[5..9].try_into().unwrap());
                return Some(Frame {
                    kind: bytes[3],
                    flags: bytes[4],
                    stream,
                    payload: bytes[9..].to_vec(),
                });
            }
        }
        if !wire.more().await {
            return None;
        }
    }
}

/// Reads until the other side says goodbye or hangs up; the code of the goodbye, if there was one.
pub(crate) async fn goodbye(wire: &mut Wire) -> Option<u32> {
    while let Some(frame) = next(wire).await {
        if frame.kind == GOAWAY {
            return Some(u32::from_be_bytes(frame.payload[4..8].try_into().unwrap()));
        }
    }
    None
}
