//! What goes wrong in a run.

use std::time::Duration;

use super::service::Spent;
use crate::dice::Dice;

/// Follows from the seed.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) spent: Spent,
    /// Of an access token.
    pub(crate) lifetime: Duration,
    /// How long the service takes each way, at most.
    pub(crate) slowness: Duration,
    /// Of a question to the service: it fails, its answer is lost, something happens to who asks.
    pub(crate) outage: f64,
    pub(crate) lost_answers: f64,
    pub(crate) strikes: f64,
    /// How many faults come at any time.
    pub(crate) faults: usize,
    /// How far a clock is wrong, in milliseconds, at most.
    pub(crate) skew: u64,
}

impl Plan {
    pub(crate) fn new(dice: &Dice) -> Self {
        let seconds = Duration::from_secs;
        let spent = [
            Spent::Refused,
            Spent::KillsTheFamily,
            Spent::Forgiven(seconds(60)),
        ];
        Self {
            spent: dice.one_of(&spent),
            lifetime: seconds(dice.one_of(&[300, 600, 900, 1800, 3600, 3600])),
            slowness: seconds(dice.one_of(&[1, 1, 5, 20])),
            outage: dice.one_of(&[0.0, 0.0, 0.3]),
            lost_answers: dice.one_of(&[0.0, 0.0, 0.0, 0.1]),
            strikes: dice.one_of(&[0.0, 0.2, 0.5]),
            faults: dice.one_of(&[0, 10, 30]),
            skew: dice.one_of(&[0, 2_000]),
        }
    }
}
