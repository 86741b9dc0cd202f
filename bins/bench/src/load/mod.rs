//! The program as people run it, under load, beside bare hyper and nginx that move the same bytes.
//!
//! The service keeps a timetable and writes it into its texts, so an event that a server held back shows as late, however
//! late (no coordinated omission). Every text is compared; one wrong byte voids the run. All servers have their turn in every
//! round, in changing order, and the gateway twice: where the two disagree, nothing counts. Processor time is that of the
//! server alone, from the scheduler's own books.

mod client;
mod clock;
mod contestant;
mod growth;
mod many;
mod memory;
mod passthrough;
mod plan;
mod plot;
mod process;
mod report;
mod service;
mod speed;
mod start;
mod tls;
mod turn;

use std::fs;
use std::path::PathBuf;

use hdrhistogram::Histogram;
use rustix::thread::{CpuSet, sched_setaffinity};

use self::contestant::Place;
pub(crate) use self::passthrough::serve as passthrough;
use self::report::Report;
pub(crate) use self::service::serve as service;
use self::tls::Identity;
use crate::Failure;
use crate::figure::Format;

/// How to measure.
#[derive(Debug)]
pub(crate) struct Options {
    /// The program under measurement.
    pub(crate) program: PathBuf,
    /// For certificates and the like.
    pub(crate) folder: PathBuf,
    /// Of one turn.
    pub(crate) seconds: u64,
    /// Which parts; all when there is none.
    pub(crate) parts: Vec<Part>,
    /// Where the table goes, and the plots beside it.
    pub(crate) write: Option<PathBuf>,
    pub(crate) format: Format,
}

/// A part of the measurement, in the order in which they are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Without TLS.
    Plain,
    /// Both sides with TLS.
    Tls,
    Memory,
    /// Ten thousand streams.
    Many,
    Growth,
    Start,
}

impl Part {
    const ALL: [(&'static str, Self); 6] = [
        ("plain", Self::Plain),
        ("tls", Self::Tls),
        ("memory", Self::Memory),
        ("many", Self::Many),
        ("growth", Self::Growth),
        ("start", Self::Start),
    ];

    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(it, _)| *it == name)
            .map(|(_, part)| *part)
    }
}

/// Measures and prints.
///
/// # Errors
///
/// A server does not start, an answer is wrong, or this is not Linux.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    fs::create_dir_all(&options.folder)?;
    let folder = options.folder.canonicalize()?;
    let program = options.program.canonicalize()?;
    let identity = Identity::write(&folder)?;
    let pinned = keep_to_the_other_processor();
    if !pinned {
        eprintln!(
            "There are not two processors here, or `taskset` is missing: all share what there is."
        );
    }
    let plain = Place {
        program,
        folder,
        identity: None,
        pinned,
    };
    let tls = Place {
        program: plain.program.clone(),
        folder: plain.folder.clone(),
        identity: Some(identity),
        pinned,
    };
    let mut report = Report::default();
    for (_, part) in Part::ALL {
        if !options.parts.is_empty() && !options.parts.contains(&part) {
            continue;
        }
        match part {
            Part::Plain => speed::run(&plain, options.seconds, &mut report)?,
            Part::Tls => speed::run(&tls, options.seconds, &mut report)?,
            Part::Memory => memory::run(&tls, &mut report)?,
            Part::Many => many::run(&tls, &mut report)?,
            Part::Growth => growth::run(&plain, &mut report)?,
            Part::Start => start::run(&plain, &mut report)?,
        }
    }
    report.judge();
    match options.format {
        Format::Json => report.print_json()?,
        Format::Table => print!("{}", report.table()),
    }
    if let Some(file) = &options.write {
        report.write(file)?;
    }
    Ok(())
}

/// Servers have processor 0 for themselves; the service and the clients have the next one.
fn keep_to_the_other_processor() -> bool {
    let mut other = CpuSet::new();
    other.set(1);
    sched_setaffinity(None, &other).is_ok()
        && std::process::Command::new("taskset")
            .arg("--version")
            .output()
            .is_ok()
}

/// A histogram of nanoseconds up to a quarter of an hour, to 1 %.
fn nanoseconds() -> Histogram<u64> {
    // It takes up to five digits, and any upper bound that is twice the lower one.
    Histogram::new_with_bounds(1, 1_000_000_000_000, 2).expect("bounds of a histogram")
}

#[cfg(test)]
mod tests {
    use super::nanoseconds;

    #[test]
    fn a_histogram_takes_what_is_measured() {
        let mut times = nanoseconds();
        for time in [250_000, 250_000, 90_000_000_000] {
            times.saturating_record(time);
        }
        let near =
            |share, time: f64| (times.value_at_quantile(share) as f64 / time - 1.0).abs() < 0.01;
        assert!(near(0.5, 250e3) && near(1.0, 90e9), "{times:?}");
    }
}
