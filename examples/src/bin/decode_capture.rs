//! Decodes a captured reply: `decode_capture FILE` prints its text and why it ended.
//!
//! kiro-protocol is sans-IO: bytes go in, events come out. This program needs no runtime.

#![allow(clippy::print_stdout, reason = "a program talks to its user")]

use std::error::Error;

use bytes::Bytes;
use kiro_protocol::Generation;
use kiro_protocol::reply::{ReplyDecoder, ReplyEvent};

/// What a network would deliver at once.
const SEGMENT: usize = 1400;

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args()
        .nth(1)
        .ok_or("usage: decode_capture FILE")?;
    let mut capture = Bytes::from(std::fs::read(file)?);
    let mut reply = ReplyDecoder::new(Generation::Krs);
    while !capture.is_empty() {
        reply.push(capture.split_to(capture.len().min(SEGMENT)));
        print_events(&mut reply)?;
    }
    reply.finish()?;
    print_events(&mut reply)
}

fn print_events(reply: &mut ReplyDecoder) -> Result<(), Box<dyn Error>> {
    while let Some(event) = reply.next_event()? {
        match event {
            ReplyEvent::Text(delta) => print!("{}", delta.unescape()),
            ReplyEvent::ToolUseStart { name, .. } => print!("\n[tool {name}: "),
            ReplyEvent::ToolInput(delta) => print!("{}", delta.unescape()),
            ReplyEvent::ToolUseEnd => println!("]"),
            ReplyEvent::Stop(reason) => println!("\n({reason:?})"),
            _ => {}
        }
    }
    Ok(())
}
