//! What decoding costs, beside the decoder of the AWS SDK and beside bare checksums.
//!
//! All frames of a stream have the same headers, as the text events of a real reply have.

mod corpus;
mod instructions;
mod reader;
mod trial;

use crate::Failure;
use crate::figure::{Figure, Format, print};
use crate::rounds::judge;
use corpus::{Content, Corpus, Cut};
use reader::Reader;
use trial::Trial;

pub(crate) use instructions::{read, run as run_instructions};

/// Payloads in bytes, with the names they have in figures.
const SIZES: [(usize, &str); 4] = [
    (40, "40B"),
    (200, "200B"),
    (4 * 1024, "4KiB"),
    (64 * 1024, "64KiB"),
];

/// How streams arrive, with the ending that it gives to the names of figures. 1,400 bytes are about what
/// a network packet carries.
const CUTS: [(Cut, &str); 2] = [(Cut::Whole, ""), (Cut::Every(1_400), "_cut1400")];

/// The time per frame is compared with the checksum from this size on, where there is little else to do;
/// below, frames per second are compared with the other decoder. The other comparison is in a second
/// figure.
const LARGE: usize = 64 * 1024;

/// Times every size and prints the figures.
///
/// # Errors
///
/// A decoder failed or lost something.
pub(crate) fn run(format: Format) -> Result<(), Failure> {
    let mut figures = Vec::new();
    let mut agreements = Vec::new();
    for (cut, ending) in CUTS {
        for (bytes, size) in SIZES {
            let name = format!("{size}{ending}");
            let trial = Trial::run(
                &Corpus::of(Content::Payloads(bytes), cut)?,
                &[Reader::Frames, Reader::SmithyFrames, Reader::Checksums],
            )?;
            figures.extend(decode(&name, bytes, &trial));
            agreements.push((name, trial.same));
        }
        let name = format!("reply_events{ending}");
        let trial = Trial::run(
            &Corpus::of(Content::Words, cut)?,
            &[Reader::Reply, Reader::SmithyAndSerde],
        )?;
        figures.push(reply(&name, &trial));
        agreements.push((name, trial.same));
    }
    print(&figures, format)?;
    judge(&agreements);
    Ok(())
}

fn decode(name: &str, payload_bytes: usize, trial: &Trial) -> [Figure; 2] {
    let ours = trial.seconds(Reader::Frames);
    let faster = trial.ratio(Reader::SmithyFrames, Reader::Frames);
    let longer = trial.ratio(Reader::Frames, Reader::Checksums);
    let (speed, time) = if payload_bytes < LARGE {
        ("", "_time")
    } else {
        ("_speed", "")
    };
    [
        Figure {
            name: format!("decode_{name}{speed}"),
            value: 1.0 / ours,
            unit: "frames/s",
            reference: Some(1.0 / trial.seconds(Reader::SmithyFrames)),
            ratio: Some(faster.median),
            deviation: Some(faster.deviation),
            against: "aws-smithy-eventstream",
        },
        Figure {
            name: format!("decode_{name}{time}"),
            value: ours * 1e9,
            unit: "ns/frame",
            reference: Some(trial.seconds(Reader::Checksums) * 1e9),
            ratio: Some(longer.median),
            deviation: Some(longer.deviation),
            against: "crc32fast alone",
        },
    ]
}

fn reply(name: &str, trial: &Trial) -> Figure {
    let faster = trial.ratio(Reader::SmithyAndSerde, Reader::Reply);
    Figure {
        name: name.to_owned(),
        value: 1.0 / trial.seconds(Reader::Reply),
        unit: "text events/s",
        reference: Some(1.0 / trial.seconds(Reader::SmithyAndSerde)),
        ratio: Some(faster.median),
        deviation: Some(faster.deviation),
        against: "aws-smithy-eventstream, serde_json",
    }
}
