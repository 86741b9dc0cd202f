//! Instructions per frame and per event, counted by callgrind: free of noise, and blind to memory and kernel.
//!
//! Valgrind simulates an older processor, so code that is chosen at run time (wide vectors in checksums) may
//! be another one than outside.

use super::corpus::{Content, Corpus, Cut};
use super::reader::Reader;
use super::{CUTS, trial};
use crate::Failure;
use crate::callgrind::instructions;
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
        let short = instructions(&self.arguments(reader, PASSES))?;
        let long = instructions(&self.arguments(reader, 11 * PASSES))?;
        let things = 10 * PASSES * Corpus::of(self.content, self.cut)?.expected.count;
        Ok((long - short) as f64 / things as f64)
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

#[cfg(test)]
mod tests {
    use super::*;

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
