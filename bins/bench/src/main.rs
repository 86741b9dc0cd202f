//! Measures what decoding, an access token, the path of a request and the whole program cost, beside what each is to be
//! compared with and in the same run.
//!
//! `cargo xtask bench` builds and starts it.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program talks to its user"
)]

mod auth;
mod callgrind;
mod conversation;
mod cpu;
mod figure;
mod frame;
mod load;
mod path;
mod protocol;
mod rounds;
mod stats;
mod text;

use std::process::ExitCode;

use figure::Format;

const USAGE: &str = "\
Usage: kiro-bench [auth|path|gate FILE [--bless]] [--instructions] [--json]
       kiro-bench load PROGRAM FOLDER [--seconds N] [--write FILE] [--json] [PART]...

Times decoding beside aws-smithy-eventstream and bare crc32fast.

  auth             time access tokens beside a bare ArcSwap load instead
  path             count instructions from a request to its answer, beside a bare hyper client; needs valgrind
  gate FILE        the same, and fail where it is more than FILE says; --bless writes FILE
  load PROGRAM     put load on PROGRAM, beside bare hyper and nginx; FOLDER is for what that needs. PART is one of plain,
                   tls, memory, many, growth, start; --write puts table and plots into the documentation
  --instructions   count instructions per frame and event instead; needs valgrind
  --json           one object per line: name, value, unit, reference, ratio
";

/// What a measurement may fail with.
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let n_all = arguments.len();
    arguments.retain(|argument| *argument != "--json");
    let format = if arguments.len() < n_all {
        Format::Json
    } else {
        Format::Table
    };
    let done = match &arguments[..] {
        [] => protocol::run(format),
        ["auth"] => auth::run(format),
        ["--instructions"] => protocol::run_instructions(format),
        ["path"] => path::run(format),
        ["gate", file] => path::gate(file.as_ref(), false),
        ["gate", file, "--bless"] => path::gate(file.as_ref(), true),
        ["load", program, folder, rest @ ..] => match options(program, folder, rest, format) {
            Some(options) => load::run(&options),
            None => {
                eprint!("{USAGE}");
                return ExitCode::from(2);
            }
        },
        ["service", identity @ ..] => load::service(identity.first().copied()),
        ["passthrough", kind, address, identity @ ..] => {
            load::passthrough(kind, address, identity.first().copied())
        }
        ["walk", arguments @ ..] => path::walk(arguments),
        ["read", arguments @ ..] => protocol::read(arguments),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options(program: &str, folder: &str, rest: &[&str], format: Format) -> Option<load::Options> {
    let mut options = load::Options {
        program: program.into(),
        folder: folder.into(),
        seconds: 1,
        parts: Vec::new(),
        write: None,
        format,
    };
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        match *word {
            "--seconds" => options.seconds = rest.next()?.parse().ok().filter(|it| *it > 0)?,
            "--write" => options.write = Some(rest.next()?.into()),
            part => options.parts.push(load::Part::by_name(part)?),
        }
    }
    Some(options)
}
