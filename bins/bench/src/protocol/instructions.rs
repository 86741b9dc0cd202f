//! Instructions per frame and per event, counted by callgrind: free of noise, and blind to memory and kernel.
//!
//! Valgrind simulates an older processor, so code that is chosen at run time (wide vectors in checksums) may
//! be another one than outside.

use std::process::{Command, Stdio};

use super::corpus::{Content, Corpus, Cut};
use super::reader::Reader;
use super::{CUTS, trial};
use crate::Failure;
use crate::figure::{Figure, Format, print};

/// Passes over a stream in the shorter run. The longer one has eleven times as many, so that what the
/// program does besides cancels out in the difference.
const PASSES: u64 = 2;

/// Counts and prints.
///
/// # Errors
///
/// Valgrind is not installed, or a reader failed.
pub(crate) fn run(format: Format) -> Result<(), Failure> {
    let mut figures = Vec::new();
    for (cut, ending) in CUTS {
        let frames = Stream {
            content: Content::Payloads(200),
            cut,
        };
        let words = Stream {
            content: Content::Words,
            cut,
        };
        for (name, stream, ours, theirs, unit, against) in [
            (
                "decode_200B",
                frames,
                Reader::Frames,
                Reader::SmithyFrames,
                "instructions/frame",
                "aws-smithy-eventstream",
            ),
            (
                "reply_event",
                words,
                Reader::Reply,
                Reader::SmithyAndSerde,
                "instructions/event",
                "aws-smithy-eventstream, serde_json",
            ),
        ] {
            let (value, reference) = (stream.instructions(ours)?, stream.instructions(theirs)?);
            figures.push(Figure {
                name: format!("instructions_{name}{ending}"),
                value,
                unit,
                reference: Some(reference),
                ratio: Some(value / reference),
                deviation: None,
                against,
            });
        }
    }
    print(&figures, format)?;
    Ok(())
}

/// What the program does when it runs under callgrind: reads a stream so many times. The arguments are
/// those of [`Stream::arguments`].
///
/// # Errors
///
/// The arguments are of another kind, or the reader failed.
pub(crate) fn read(arguments: &[&str]) -> Result<(), Failure> {
    let [reader, content, cut, passes] = arguments else {
        return Err("`read` takes a reader, a content, a cut and a number of passes".into());
    };
    let reader = Reader::by_name(reader).ok_or("no such reader")?;
    let content = match *content {
        "words" => Content::Words,
        bytes => Content::Payloads(bytes.parse()?),
    };
    let cut = match *cut {
        "whole" => Cut::Whole,
        bytes => Cut::Every(bytes.parse()?),
    };
    trial::repeat(reader, &Corpus::of(content, cut)?, passes.parse()?)?;
    Ok(())
}

#[derive(Debug, Clone, Copy)]
struct Stream {
    content: Content,
    cut: Cut,
}

impl Stream {
    /// Instructions of a reader per thing that comes out.
    fn instructions(self, reader: Reader) -> Result<f64, Failure> {
        let short = self.count(reader, PASSES)?;
        let long = self.count(reader, 11 * PASSES)?;
        let things = 10 * PASSES * Corpus::of(self.content, self.cut)?.expected.count;
        Ok((long - short) as f64 / things as f64)
    }

    /// All instructions of a run of this program.
    fn count(self, reader: Reader, passes: u64) -> Result<u64, Failure> {
        let run = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(std::env::current_exe()?)
            .args(self.arguments(reader, passes))
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("valgrind cannot be started: {error}"))?;
        let log = String::from_utf8_lossy(&run.stderr);
        if !run.status.success() {
            return Err(format!("valgrind failed:\n{log}").into());
        }
        collected(&log).ok_or_else(|| format!("valgrind counted nothing:\n{log}").into())
    }

    fn arguments(self, reader: Reader, passes: u64) -> [String; 5] {
        let content = match self.content {
            Content::Words => "words".to_owned(),
            Content::Payloads(bytes) => bytes.to_string(),
        };
        let cut = match self.cut {
            Cut::Whole => "whole".to_owned(),
            Cut::Every(bytes) => bytes.to_string(),
        };
        [
            "read".to_owned(),
            reader.name().to_owned(),
            content,
            cut,
            passes.to_string(),
        ]
    }
}

/// The number in callgrind's line `==12== Collected : 1234`.
fn collected(log: &str) -> Option<u64> {
    let mut counts = log
        .lines()
        .filter_map(|line| line.split_once("Collected :"));
    counts.next()?.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_found_in_the_log() {
        let log = "==7== Events    : Ir\n==7== Collected : 1234567\n==7== I   refs: 1,234,567\n";
        assert_eq!(collected(log), Some(1_234_567));
        assert_eq!(collected("valgrind: no such file"), None);
    }

    #[test]
    fn a_run_understands_the_arguments_of_another() {
        let stream = Stream {
            content: Content::Payloads(40),
            cut: Cut::Every(100),
        };
        let arguments = stream.arguments(Reader::Frames, 1);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        assert_eq!(arguments[0], "read");
        read(&arguments[1..]).unwrap();
    }
}
