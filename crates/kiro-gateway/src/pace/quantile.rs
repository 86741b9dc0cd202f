//! The time that nearly all replies needed, the recent ones counting most.

use std::time::Duration;

/// Times are sorted into classes, each a fifth longer than the one before: exact enough for a time-out, and
/// a few hundred bytes whatever comes.
const N_CLASSES: usize = 80;
const FIRST: Duration = Duration::from_millis(1);
const STEP: f64 = 1.2;

/// So many times are counted before all counts are halved: what is older counts ever less.
const HALVED_AT: u32 = 1_000;

/// Nearly all: 99 of 100.
const NEARLY_ALL: f64 = 0.99;

/// A decaying quantile of times.
#[derive(Debug)]
pub(super) struct Quantile {
    counts: [u32; N_CLASSES],
    n_seen: u32,
}

impl Default for Quantile {
    fn default() -> Self {
        Self {
            counts: [0; N_CLASSES],
            n_seen: 0,
        }
    }
}

impl Quantile {
    /// Counts a time.
    pub(super) fn see(&mut self, time: Duration) {
        self.counts[class(time)] += 1;
        self.n_seen += 1;
        if self.n_seen >= HALVED_AT {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.n_seen = self.counts.iter().sum();
        }
    }

    /// Times that count.
    pub(super) fn n_seen(&self) -> u32 {
        self.n_seen
    }

    /// The time within which nearly all were; at most a fifth too long. `None` before the first.
    pub(super) fn of_nearly_all(&self) -> Option<Duration> {
        let enough = (f64::from(self.n_seen) * NEARLY_ALL).ceil();
        let mut n = 0;
        let class = self.counts.iter().position(|count| {
            n += count;
            n > 0 && f64::from(n) >= enough
        })?;
        Some(FIRST.mul_f64(STEP.powi(i32::try_from(class).unwrap_or(i32::MAX))))
    }
}

/// The first class whose times are not shorter.
fn class(time: Duration) -> usize {
    let times = time.as_secs_f64() / FIRST.as_secs_f64();
    let class = times.max(1.0).log(STEP).ceil();
    // A cast saturates, and there is a last class.
    (class as usize).min(N_CLASSES - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_a_hundred_may_be_longer() {
        let mut quantile = Quantile::default();
        assert_eq!(quantile.of_nearly_all(), None);
        for _ in 0..99 {
            quantile.see(Duration::from_secs(1));
        }
        quantile.see(Duration::from_secs(1_000));
        let time = quantile.of_nearly_all().unwrap();
        assert!(
            time >= Duration::from_secs(1) && time < Duration::from_millis(1_200),
            "{time:?}"
        );
        quantile.see(Duration::from_secs(1_000));
        assert!(quantile.of_nearly_all().unwrap() >= Duration::from_secs(1_000));
    }

    #[test]
    fn every_time_has_a_class() {
        assert_eq!(class(Duration::ZERO), 0);
        assert_eq!(class(Duration::MAX), N_CLASSES - 1);
        // The last class is longer than any time-out that makes sense.
        let last = FIRST.mul_f64(STEP.powi(N_CLASSES as i32 - 1));
        assert!(last > Duration::from_secs(1_800), "{last:?}");
    }
}
