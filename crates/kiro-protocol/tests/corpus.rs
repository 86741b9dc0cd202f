//! Golden streams: `data/streams/NAME.hex` is read as `NAME.txt` says.
//!
//! ```text
//! #! rest thinking-tags                         options, if any: a generation (default krs), thinking-tags
//! # assistantResponseEvent {"content":"Hi"}     what the next line holds; checked when it is a frame
//! 0000007c0000005c3bdd…                         bytes, mostly one frame
//! # ~ anything                                  a remark on bytes that are no frame by themselves
//! ```
//!
//! The text has one line per reply event, and a last line that begins with `error` when the reply ends
//! in one. To accept what the code reads, delete the text and run the test twice.
//!
//! The three files `sample-*` are streams as a Kiro client records them; the others were written for what
//! their names say.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod streams;

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use bytes::Bytes;
use kiro_protocol::Generation;
use kiro_protocol::eventstream::FrameDecoder;
use kiro_protocol::reply::{ReplyEvent, ReplyOptions, Usage};

#[test]
fn golden_streams() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/streams");
    let mut cases = 0;
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "hex") {
            cases += 1;
            wrong.extend(difference(&path));
        }
    }
    assert!(cases > 0);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Runs one case; what is wrong with it, if anything.
fn difference(input: &Path) -> Option<String> {
    let output = input.with_extension("txt");
    let name = output.display();
    let is = outcome(&Stream::parse(&std::fs::read_to_string(input).unwrap()));
    match std::fs::read_to_string(&output) {
        Ok(expected) if expected == is => None,
        Ok(_) => Some(format!("{name} differs; the reply is\n{is}")),
        Err(_) => {
            std::fs::write(&output, is).unwrap();
            Some(format!("{name} is new; check it"))
        }
    }
}

struct Stream {
    options: ReplyOptions,
    bytes: Bytes,
}

impl Stream {
    fn parse(text: &str) -> Self {
        let mut options = ReplyOptions::new(Generation::Krs);
        let mut bytes = Vec::new();
        let mut remark = "";
        for line in text.lines() {
            if let Some(words) = line.strip_prefix("#! ") {
                words.split(' ').for_each(|word| set(&mut options, word));
            } else if let Some(text) = line.strip_prefix("# ") {
                remark = text;
            } else {
                let piece = unhex(line);
                check_remark(remark, &piece);
                bytes.extend_from_slice(&piece);
            }
        }
        Self {
            options,
            bytes: bytes.into(),
        }
    }
}

fn set(options: &mut ReplyOptions, word: &str) {
    match word {
        "rest" => options.generation = Generation::Rest,
        "cli" => options.generation = Generation::Cli,
        "thinking-tags" => options.thinking_tags = true,
        other => panic!("unknown option {other}"),
    }
}

fn unhex(line: &str) -> Vec<u8> {
    let digits = line.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.map(byte).collect()
}

/// A remark must not lie about its frame.
fn check_remark(remark: &str, piece: &[u8]) {
    if remark.starts_with('~') {
        return;
    }
    let mut decoder = FrameDecoder::new();
    decoder.push(piece.to_vec().into());
    let frame = decoder.next_frame().unwrap().unwrap();
    let header = |name| frame.string_header(name).unwrap();
    let payload = String::from_utf8(frame.payload().to_vec()).unwrap();
    let payload = payload.replace('\n', "␊");
    let is = match header(":message-type") {
        "event" => format!("{} {payload}", header(":event-type")),
        "exception" => format!("exception {} {payload}", header(":exception-type")),
        _ => format!(
            "error {} {}",
            header(":error-code"),
            header(":error-message")
        ),
    };
    assert_eq!(remark, is);
}

/// The one function that touches the API.
fn outcome(stream: &Stream) -> String {
    let (events, end) = streams::read(stream.options.clone(), [stream.bytes.clone()]);
    let mut out = String::new();
    for event in &events {
        writeln!(out, "{}", line(event)).unwrap();
    }
    if let Err(error) = end {
        write!(out, "error: {error}").unwrap();
        let mut source = error.source();
        while let Some(error) = source {
            write!(out, ": {error}").unwrap();
            source = error.source();
        }
        out.push('\n');
    }
    out
}

fn line(event: &ReplyEvent) -> String {
    match event {
        ReplyEvent::Start => "start".into(),
        ReplyEvent::Text(delta) => format!("text {delta:?}"),
        ReplyEvent::Reasoning(delta) => format!("reasoning {delta:?}"),
        ReplyEvent::Signature(delta) => format!("signature {delta:?}"),
        ReplyEvent::Redacted(delta) => format!("redacted {delta:?}"),
        ReplyEvent::ToolUseStart { id, name } => format!("tool use {id} {name}"),
        ReplyEvent::ToolInput(delta) => format!("tool input {delta:?}"),
        ReplyEvent::ToolUseEnd => "tool use end".into(),
        ReplyEvent::ToolUseCut => "tool use cut".into(),
        ReplyEvent::Usage(usage) => format!("usage{}", of_usage(usage)),
        ReplyEvent::Stop(reason) => format!("stop {reason:?}"),
    }
}

fn of_usage(usage: &Usage) -> String {
    let mut out = String::new();
    if let Some(tokens) = usage.tokens {
        let (uncached, read) = (tokens.uncached_input, tokens.cache_read);
        let (write, output) = (tokens.cache_write, tokens.output);
        out += &format!(" tokens {uncached}+{read}+{write} in {output} out");
    }
    if let Some(percentage) = usage.context_percentage {
        out += &format!(" context {percentage}%");
    }
    if let Some(credits) = usage.credits {
        out += &format!(" credits {credits}");
    }
    out
}
