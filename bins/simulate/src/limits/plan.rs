//! What is limited, asked for, and goes wrong in a run.

use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::time::Duration;

use kiro_gateway::Limits;

use super::MOST;
use crate::REPLICAS;
use crate::dice::Dice;

/// Follows from the seed.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) requests: Option<u32>,
    pub(crate) tokens: Option<u64>,
    pub(crate) places: Option<usize>,
    /// Requests in a minute, of all together.
    pub(crate) asked: f64,
    /// How many gateways they go to.
    pub(crate) busy: usize,
    pub(crate) longest_exchange: Duration,
    pub(crate) faults: usize,
    /// Whether a cut lasts longer than a gateway is remembered.
    pub(crate) is_long: bool,
    pub(crate) length: Duration,
}

pub(crate) enum Fault {
    Slow(Duration, Duration),
    /// Each is cut off with this probability.
    Cuts(f64, Duration),
    Stop(Duration),
    Kill(Duration),
}

impl Plan {
    pub(crate) fn new(dice: &Dice) -> Self {
        let is_long = dice.happens(0.03);
        let (requests, places) = match dice.below(3) {
            0 => (Some(dice.one_of(&[100, 250, 500])), None),
            1 => (None, Some(dice.one_of(&[20, 100, 200]))),
            _ => (
                Some(dice.one_of(&[120, 500])),
                Some(dice.one_of(&[10, 100])),
            ),
        };
        let factor = dice.one_of(&[0.7, 1.5, 3.0]);
        let longest_exchange = dice.millis(500, 14_000);
        let minutely = 60.0 / (longest_exchange.as_secs_f64() / 2.0);
        let asked = match (requests, places) {
            (Some(requests), _) => f64::from(requests),
            (_, places) => (places.unwrap_or_default() as f64 * minutely).min(600.0),
        };
        Self {
            requests,
            // A prompt is smaller than a share.
            tokens: dice.happens(0.2).then_some(200_000),
            places,
            asked: asked * factor,
            busy: dice.one_of(&[3, 30, REPLICAS, REPLICAS]),
            longest_exchange,
            faults: if is_long {
                1
            } else {
                dice.one_of(&[0, 1, 2, 4])
            },
            is_long,
            length: Duration::from_secs(if is_long { 200 } else { 55 }),
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        limits.requests_per_minute = self.requests.and_then(NonZeroU32::new);
        limits.tokens_per_minute = self.tokens.and_then(NonZeroU64::new);
        limits.concurrency = self.places.and_then(NonZeroUsize::new);
        limits.queue = 2;
        limits.queue_timeout = Duration::from_secs(5);
        limits
    }

    pub(crate) fn fault(&self, dice: &Dice) -> Fault {
        let seconds = Duration::from_secs;
        if self.is_long {
            return Fault::Cuts(dice.one_of(&[0.1, 0.5, 0.95]), seconds(150));
        }
        match dice.below(8) {
            0 => Fault::Slow(dice.millis(50, 400), dice.millis(2_000, 30_000)),
            1 => Fault::Stop(dice.millis(500, 40_000)),
            2 => Fault::Kill(dice.millis(200, 10_000)),
            3 => Fault::Cuts(1.0, dice.millis(500, 60_000)),
            _ => {
                let share = dice.one_of(&[0.02, 0.1, 0.3, 0.5, 0.7, 0.95]);
                Fault::Cuts(share, dice.millis(500, 40_000))
            }
        }
    }

    /// What may be let in, in parts of the limit. A gateway that is cut off for longer than it is remembered may be
    /// dead, so its share is given to the others, and what it goes on letting in comes on top.
    pub(crate) fn most(&self) -> f64 {
        match self.is_long {
            true => 2.0,
            false => MOST,
        }
    }

    /// Whether all that is allowed should be used.
    pub(crate) fn asks_for_more(&self) -> bool {
        let is_rate_alone = self.places.is_none() && self.tokens.is_none();
        let asked = self
            .requests
            .is_some_and(|limit| self.asked >= 1.4 * f64::from(limit));
        self.faults == 0 && is_rate_alone && asked && self.busy > 3
    }
}
