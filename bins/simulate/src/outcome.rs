//! What a run has found.

use std::sync::{Mutex, PoisonError};

use crate::clock::Time;
use crate::figures::Figures;

/// One run, as it ended.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What it counted.
    pub figures: Figures,
    /// What did not hold, each with its moment.
    pub broken: Vec<String>,
    /// Follows from all that happened and when, so two runs of a seed have the same.
    pub trace: u64,
}

/// Takes down what happens.
#[derive(Debug)]
pub(crate) struct Record {
    time: Time,
    tells: bool,
    outcome: Mutex<Outcome>,
}

/// What is written down of one run, at most.
const MOST_BROKEN: usize = 20;

impl Record {
    /// `tells` prints what happens, too.
    pub(crate) fn new(time: Time, tells: bool) -> Self {
        Self {
            time,
            tells,
            outcome: Mutex::default(),
        }
    }

    pub(crate) fn count(&self, count: impl FnOnce(&mut Figures)) {
        count(
            &mut self
                .outcome
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .figures,
        );
    }

    /// Something happened.
    pub(crate) fn note(&self, what: impl FnOnce() -> String) {
        let what = what();
        let moment = self.time.elapsed();
        if self.tells {
            println!("{:>12.3} {what}", moment.as_secs_f64());
        }
        let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = what.bytes().chain(moment.as_nanos().to_le_bytes());
        // FNV-1a.
        outcome.trace = bytes.fold(outcome.trace, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    }

    /// Something does not hold.
    pub(crate) fn broken(&self, what: String) {
        self.note(|| format!("BROKEN: {what}"));
        let moment = self.time.elapsed().as_secs_f64();
        let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        if outcome.broken.len() < MOST_BROKEN {
            outcome.broken.push(format!("{moment:.3} s: {what}"));
        }
    }

    pub(crate) fn take(&self) -> Outcome {
        let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *outcome)
    }
}
