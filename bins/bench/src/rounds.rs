//! Measuring several contestants fairly: in turns, in changing order, several times.
//!
//! Whatever disturbs the machine for a while then disturbs all of them alike, and a ratio is taken
//! inside each round before the median over the rounds.

use crate::Failure;
use crate::stats;

/// How far two measurements of the same thing may lie apart before nothing in that run is to be believed.
const SAME_AGAINST_SAME: f64 = 0.03;

/// What was measured: one list per round, one value per contestant.
#[derive(Debug)]
pub(crate) struct Samples<T> {
    rounds: Vec<Vec<T>>,
}

/// A ratio of two contestants: its median over the rounds, and how far the rounds scatter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ratio {
    pub(crate) median: f64,
    pub(crate) deviation: f64,
}

impl<T> Samples<T> {
    /// Runs every contestant once per round. The order rotates, and the first round only warms up.
    ///
    /// # Errors
    ///
    /// A measurement failed; the others are lost with it.
    pub(crate) fn take(
        n_rounds: usize,
        n_contestants: usize,
        mut measure: impl FnMut(usize) -> Result<T, Failure>,
    ) -> Result<Self, Failure> {
        let mut rounds = Vec::with_capacity(n_rounds);
        for round in 0..=n_rounds {
            let mut values: Vec<Option<T>> = (0..n_contestants).map(|_| None).collect();
            for turn in 0..n_contestants {
                let contestant = (round + turn) % n_contestants;
                values[contestant] = Some(measure(contestant)?);
            }
            if round > 0 {
                rounds.push(values.into_iter().flatten().collect());
            }
        }
        Ok(Self { rounds })
    }

    /// The median of a contestant.
    pub(crate) fn median(&self, contestant: usize, value: impl Fn(&T) -> f64) -> f64 {
        stats::median(self.rounds.iter().map(|round| value(&round[contestant])))
    }

    /// One contestant over another.
    pub(crate) fn ratio(&self, above: usize, below: usize, value: impl Fn(&T) -> f64) -> Ratio {
        let ratios: Vec<f64> = self
            .rounds
            .iter()
            .map(|round| value(&round[above]) / value(&round[below]))
            .collect();
        Ratio {
            median: stats::median(ratios.iter().copied()),
            deviation: stats::median_deviation(&ratios),
        }
    }
}

impl Ratio {
    /// Of the same thing measured twice: whether the two agree.
    pub(crate) fn agrees(self) -> bool {
        (self.median - 1.0).abs() <= SAME_AGAINST_SAME
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_begins_with_another_contestant_and_the_first_round_is_dropped() {
        let mut order = Vec::new();
        let samples = Samples::take(2, 3, |contestant| {
            order.push(contestant);
            Ok(order.len() as f64)
        })
        .unwrap();
        assert_eq!(order, [0, 1, 2, 1, 2, 0, 2, 0, 1]);
        assert_eq!(samples.rounds, [[6.0, 4.0, 5.0], [8.0, 9.0, 7.0]]);
    }

    #[test]
    fn a_ratio_is_taken_inside_each_round() {
        // The machine became ten times slower after the first round; the contestants did not change.
        let rounds = vec![vec![2.0, 1.0], vec![20.0, 10.0], vec![20.0, 10.0]];
        let ratio = Samples { rounds }.ratio(0, 1, |value| *value);
        assert_eq!((ratio.median, ratio.deviation), (2.0, 0.0));
    }

    #[test]
    fn a_failed_measurement_is_reported() {
        let failed = Samples::<f64>::take(1, 1, |_| Err("no".into()));
        assert_eq!(failed.unwrap_err().to_string(), "no");
    }
}
