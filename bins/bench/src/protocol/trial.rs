//! Times readers of one stream against each other.

use std::hint::black_box;
use std::time::Duration;

use super::corpus::{Corpus, Seen, Tally};
use super::reader::Reader;
use crate::Failure;
use crate::cpu;
use crate::rounds::{Ratio, Samples, passes_per_turn};

/// Rounds that count.
const ROUNDS: usize = 15;

/// What one reader does before it is the next one's turn. Long against the clock, short against whatever
/// else happens on the machine.
const TURN: Duration = Duration::from_millis(10);

/// Readers timed against each other: seconds of processor time per thing that came out.
#[derive(Debug)]
pub(super) struct Trial {
    samples: Samples<f64>,
    readers: Vec<Reader>,
    /// The first reader against itself.
    pub(super) same: Ratio,
}

impl Trial {
    /// Times readers of a stream, after each has shown that it reads what it should.
    ///
    /// # Errors
    ///
    /// A reader failed or read something else.
    pub(super) fn run(corpus: &Corpus, readers: &[Reader]) -> Result<Self, Failure> {
        let mut turns = Vec::new();
        // The first one once more, to see how well two measurements of the same thing agree.
        for reader in readers.iter().chain(&readers[..1]) {
            verify(*reader, corpus)?;
            let passes = passes_per_turn(TURN, |passes| time(*reader, corpus, passes))?;
            turns.push((*reader, passes));
        }
        let (samples, same) = Samples::take_agreeing(
            ROUNDS,
            turns.len(),
            |it| *it,
            |turn| {
                let (reader, passes) = turns[turn];
                let time = time(reader, corpus, passes)?;
                Ok(time.as_secs_f64() / (passes * corpus.expected.count) as f64)
            },
        )?;
        Ok(Self {
            samples,
            readers: readers.to_vec(),
            same,
        })
    }

    /// Seconds per thing.
    pub(super) fn seconds(&self, reader: Reader) -> f64 {
        self.samples.median(self.place(reader), |seconds| *seconds)
    }

    /// The time of one reader over that of another.
    pub(super) fn ratio(&self, above: Reader, below: Reader) -> Ratio {
        let (above, below) = (self.place(above), self.place(below));
        self.samples.ratio(above, below, |seconds| *seconds)
    }

    fn place(&self, wanted: Reader) -> usize {
        let place = self.readers.iter().position(|reader| *reader == wanted);
        place.unwrap_or_default()
    }
}

/// Reads the stream once and checks every byte that comes out.
fn verify(reader: Reader, corpus: &Corpus) -> Result<(), Failure> {
    let mut tally = Tally::default();
    let mut broken = None;
    reader.read(corpus, |thing| {
        if reader == Reader::Reply {
            match serde_json::from_slice(&[b"\"", thing, b"\""].concat()) {
                Ok(text) => tally.add(String::as_bytes(&text)),
                Err(error) => broken = Some(error),
            }
        } else {
            tally.add(thing);
        }
    })?;
    if let Some(error) = broken {
        return Err(error.into());
    }
    let expected = match reader {
        Reader::Checksums => Seen::of(corpus.frames.iter().map(|frame| &frame[..frame.len() - 4])),
        _ => corpus.expected,
    };
    let seen = tally.seen();
    if seen == expected {
        return Ok(());
    }
    Err(format!("{} read {seen:?} instead of {expected:?}", reader.name()).into())
}

/// Processor time of reading the stream so many times.
fn time(reader: Reader, corpus: &Corpus, passes: u64) -> Result<Duration, Failure> {
    let started = cpu::of_this_thread();
    let count = repeat(reader, corpus, passes)?;
    let time = cpu::of_this_thread().saturating_sub(started);
    // The bytes have been verified before; this notices a reader that comes to another end the second time.
    if count != passes * corpus.expected.count {
        return Err(format!("{} lost something", reader.name()).into());
    }
    Ok(time)
}

/// Reads the stream so many times. Returns how many things came out.
pub(super) fn repeat(reader: Reader, corpus: &Corpus, passes: u64) -> Result<u64, Failure> {
    let mut count = 0;
    for _ in 0..passes {
        reader.read(black_box(corpus), |thing| {
            black_box(thing);
            count += 1;
        })?;
    }
    Ok(count)
}
