//! HTTP/2 from clients that mean harm, frame by frame.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::io;
use std::time::Duration;

use kiro_gateway::ServerOptions;
use kiro_sim::SimOptions;
use support::{House, SOON, client_tls, whole};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// Types and flags of frames: RFC 9113, section 6.
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// `GET / HTTP/2` with the authority `x`, from HPACK's table of known headers.
const GET: &[u8] = b"\x82\x86\x84\x41\x01x";

/// A connection without manners.
struct Raw {
    stream: TcpStream,
}

impl Raw {
    async fn open(house: &House) -> Self {
        let mut stream = TcpStream::connect(house.address).await.unwrap();
        stream.write_all(PREFACE).await.unwrap();
        let mut raw = Self { stream };
        raw.send(SETTINGS, 0, 0, &[]).await.unwrap();
        raw
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        self.stream
            .write_all(&frame(kind, flags, stream, payload))
            .await
    }

    /// The next frame: its type and its payload. `None` when the connection is closed.
    async fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        let reading = async {
            let mut head = [0; 9];
            self.stream.read_exact(&mut head).await?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            self.stream.read_exact(&mut payload).await?;
            io::Result::Ok((head[3], payload))
        };
        let read = tokio::time::timeout(SOON, reading).await;
        read.expect("a frame or the end in time").ok()
    }

    /// The error code of the goodbye, if there was one before the end.
    async fn goodbye(&mut self) -> Option<u32> {
        let mut code = None;
        while let Some((kind, payload)) = self.next().await {
            if kind == GOAWAY {
                code = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
            }
        }
        code
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

async fn others_are_served(house: &House) {
    assert_eq!(house.chat(&whole("sim:echo Hi")).await.status, 200);
}

/// `ENHANCE_YOUR_CALM`
const CALM: Option<u32> = Some(11);

#[tokio::test]
async fn streams_that_are_opened_and_reset_cost_the_connection() {
    let house = House::start().await;
    let mut raw = Raw::open(&house).await;
    let mut flood = Vec::new();
    for n in 0..10_000u32 {
        let stream = 2 * n + 1;
        flood.extend(frame(HEADERS, END_STREAM | END_HEADERS, stream, GET));
        flood.extend(frame(RST_STREAM, 0, stream, &8u32.to_be_bytes()));
    }
    // The server may hang up before it has all of it.
    let _ = raw.stream.write_all(&flood).await;
    let code = raw.goodbye().await;
    assert!(code.is_none() || code == CALM, "{code:?}");
    others_are_served(&house).await;
}

#[tokio::test]
async fn a_head_without_end_costs_the_connection() {
    let house = House::start().await;
    let mut raw = Raw::open(&house).await;
    raw.send(HEADERS, END_STREAM, 1, GET).await.unwrap();
    // A header with a name and a value that HPACK does not shorten.
    let mut header = b"\x00\x01a\x7f\x81\x7e".to_vec();
    header.extend([b'x'; 127 + 0x3f01]);
    let mut sent = 0;
    while sent < 64 << 20 {
        if raw
            .send(CONTINUATION, 0, 1, &header[..16_000])
            .await
            .is_err()
        {
            break;
        }
        sent += 16_000;
    }
    assert!(sent < 64 << 20, "it was read to {sent} bytes");
    others_are_served(&house).await;
}

#[tokio::test]
async fn who_does_not_answer_is_closed() {
    let mut options = ServerOptions::default();
    options.header_timeout = Duration::from_millis(200);
    let house = House::built(SimOptions::default(), client_tls(), options, |_| {}).await;
    let mut raw = Raw::open(&house).await;
    // It reads the pings and says nothing.
    raw.goodbye().await;
    others_are_served(&house).await;
}
