//! Measures what decoding and what an access token costs, beside what each is to be compared with and in the
//! same run.
//!
//! `cargo xtask bench protocol` and `cargo xtask bench auth` build and start it.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program talks to its user"
)]

mod auth;
mod cpu;
mod figure;
mod protocol;
mod rounds;
mod stats;

use std::process::ExitCode;

use figure::Format;

const USAGE: &str = "\
Usage: kiro-bench [auth] [--instructions] [--json]

Times decoding beside aws-smithy-eventstream and bare crc32fast.

  auth             time access tokens beside a bare ArcSwap load instead
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
