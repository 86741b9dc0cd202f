//! Measuring several contestants fairly: in turns, in changing order, several times.
//!
//! Whatever disturbs the machine for a while then disturbs all of them alike, and a ratio is taken
//! inside each round before the median over the rounds.

use std::time::Duration;

use crate::Failure;
use crate::stats;

/// How far two measurements of the same thing may lie apart before nothing in that run is to be believed.
const SAME_AGAINST_SAME: f64 = 0.03;

/// How often a noisy measurement is repeated before it is reported as it is.
const ATTEMPTS: usize = 3;

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

    /// As [`take`](Self::take), with a last contestant that is the first once more; says how well the two
    /// agree, after trying to make them.
    ///
    /// # Errors
    ///
    /// As [`take`](Self::take).
    pub(crate) fn take_agreeing(
        n_rounds: usize,
        n_contestants: usize,
        value: impl Fn(&T) -> f64,
        mut measure: impl FnMut(usize) -> Result<T, Failure>,
    ) -> Result<(Self, Ratio), Failure> {
        let mut attempt = 1;
        loop {
            let samples = Self::take(n_rounds, n_contestants, &mut measure)?;
            let same = samples.ratio(0, n_contestants - 1, &value);
            if same.agrees() || attempt == ATTEMPTS {
                return Ok((samples, same));
            }
            attempt += 1;
        }
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

/// How many passes fill a turn, given the time of so many.
///
/// # Errors
///
/// The measurement failed.
pub(crate) fn passes_per_turn(
    turn: Duration,
    mut time: impl FnMut(u64) -> Result<Duration, Failure>,
) -> Result<u64, Failure> {
    let mut passes = 1;
    loop {
        let took = time(passes)?;
        if took >= turn / 4 {
            let per_pass = took.as_secs_f64() / passes as f64;
            return Ok((turn.as_secs_f64() / per_pass).ceil() as u64);
        }
        passes *= 2;
    }
}

/// Says how well two measurements of the same code agreed, and which figures are void because they did not.
/// On the standard error, so that it stands beside either format.
pub(crate) fn judge(agreements: &[(String, Ratio)]) {
    let percent = |same: &Ratio| (same.median - 1.0).abs() * 100.0;
    let worst = agreements
        .iter()
        .map(|(_, same)| percent(same))
        .fold(0.0, f64::max);
    eprintln!("The same code measured twice: at most {worst:.1} % apart.");
    for (name, same) in agreements.iter().filter(|(_, same)| !same.agrees()) {
        let apart = percent(same);
        eprintln!("void: {name}: {apart:.1} % apart; something else keeps the machine busy");
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
    fn a_measurement_that_disagrees_with_itself_is_repeated_a_few_times() {
        let mut n_measured = 0;
        let (_, same) = Samples::take_agreeing(
            1,
            2,
            |value| *value,
            |contestant| {
                n_measured += 1;
                Ok([1.0, 2.0][contestant])
            },
        )
        .unwrap();
        assert_eq!((same.median, n_measured), (0.5, ATTEMPTS * 2 * 2));
        let (_, same) = Samples::take_agreeing(1, 2, |value| *value, |_| Ok(1.0)).unwrap();
        assert!(same.agrees());
    }

    #[test]
    fn a_turn_is_filled() {
        let per_pass = Duration::from_millis(3);
        let passes = passes_per_turn(
            Duration::from_secs(1),
            |passes| Ok(per_pass * passes as u32),
        );
        assert_eq!(passes.unwrap(), 334);
    }

    #[test]
    fn a_failed_measurement_is_reported() {
        let failed = Samples::<f64>::take(1, 1, |_| Err("no".into()));
        assert_eq!(failed.unwrap_err().to_string(), "no");
    }
}
