//! How fast each model answers these days, and how long to wait for it.
//!
//! What is waited for is the first event of a reply, and the next one while it comes. A time-out should mean
//! "far beyond what this model does now": a fixed one is too short for a model that thinks and too long for one
//! that died. So the time that replies took is remembered for each model, the recent ones most, and a time-out
//! is several times what nearly all of them needed; never more than what is configured, and never less than a
//! floor, because one hard question takes longer than a hundred easy ones.

mod quantile;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use quantile::Quantile;

use crate::options::Timeouts;

/// A time-out is this many times what nearly all replies needed.
const FAR_BEYOND: u32 = 4;

/// Replies before anything is concluded from them.
const ENOUGH: u32 = 20;

/// Models that are remembered at most; names come from the service's own list, so this is never reached.
const MAX_MODELS: usize = 256;

/// How long to wait for a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    /// From sending a request to the first event.
    pub(crate) first_event: Duration,
    /// From one event to the next.
    pub(crate) gap: Duration,
}

/// What is known of all models.
#[derive(Debug)]
pub(crate) struct Paces {
    floor: Pace,
    models: Arc<Mutex<BTreeMap<String, Seen>>>,
}

/// What was seen of one model.
#[derive(Debug, Default)]
struct Seen {
    first_event: Quantile,
    /// The longest gap of each reply.
    gap: Quantile,
}

impl Paces {
    pub(crate) fn new(timeouts: &Timeouts) -> Self {
        Self {
            floor: Pace {
                first_event: timeouts.least_first_event,
                gap: timeouts.least_gap,
            },
            models: Arc::default(),
        }
    }

    /// What a predecessor has seen and goes on seeing, with the floor of this one.
    pub(crate) fn succeed(&self, old: &Self) -> Self {
        Self {
            floor: self.floor,
            models: old.models.clone(),
        }
    }

    /// How long to wait for a model, and at most so long.
    pub(crate) fn of(&self, model: &str, ceiling: Pace) -> Pace {
        let models = self.lock();
        let seen = models.get(model);
        let limit = |quantile: Option<&Quantile>, floor: Duration, ceiling: Duration| {
            let usual = quantile.filter(|quantile| quantile.n_seen() >= ENOUGH);
            let usual = usual.and_then(Quantile::of_nearly_all);
            usual.map_or(ceiling, |usual| {
                (usual * FAR_BEYOND).max(floor).min(ceiling)
            })
        };
        Pace {
            first_event: limit(
                seen.map(|seen| &seen.first_event),
                self.floor.first_event,
                ceiling.first_event,
            ),
            gap: limit(seen.map(|seen| &seen.gap), self.floor.gap, ceiling.gap),
        }
    }

    /// The first event came after so long, or had not come by then: a time-out teaches that the model has
    /// become slower.
    pub(crate) fn waited_for_first(&self, model: &str, time: Duration) {
        self.see(model, |seen| seen.first_event.see(time));
    }

    /// The longest wait within one reply was this, or was cut off at this.
    pub(crate) fn waited_within(&self, model: &str, time: Duration) {
        self.see(model, |seen| seen.gap.see(time));
    }

    /// The models of which anything is known, with how long is waited for each.
    pub(crate) fn all(&self, ceiling: impl Fn(&str) -> Pace) -> Vec<(String, Pace)> {
        let models: Vec<String> = self.lock().keys().cloned().collect();
        let pace = |model: String| {
            let pace = self.of(&model, ceiling(&model));
            (model, pace)
        };
        models.into_iter().map(pace).collect()
    }

    fn see(&self, model: &str, see: impl FnOnce(&mut Seen)) {
        let mut models = self.lock();
        if let Some(seen) = models.get_mut(model) {
            return see(seen);
        }
        if models.len() < MAX_MODELS {
            see(models.entry(model.to_owned()).or_default());
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Seen>> {
        // A panic while the lock was held cannot have left more than one time that was not noted.
        self.models
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    const CEILING: Pace = Pace {
        first_event: Duration::from_secs(120),
        gap: Duration::from_secs(300),
    };

    fn paces() -> Paces {
        Paces::new(&Timeouts::default())
    }

    #[test]
    fn nothing_is_concluded_from_a_few_replies() {
        let paces = paces();
        for _ in 1..ENOUGH {
            paces.waited_for_first("m", seconds(1));
        }
        assert_eq!(paces.of("m", CEILING), CEILING);
        paces.waited_for_first("m", seconds(1));
        assert_eq!(paces.of("m", CEILING).first_event, seconds(30), "the floor");
        assert_eq!(paces.of("m", CEILING).gap, CEILING.gap);
        assert_eq!(paces.of("another", CEILING), CEILING);
    }

    #[test]
    fn a_model_that_becomes_slower_is_given_more_time_again() {
        let paces = paces();
        for _ in 0..200 {
            paces.waited_for_first("m", seconds(2));
        }
        let fast = paces.of("m", CEILING).first_event;
        assert_eq!(fast, seconds(30));
        // Cut off at the limit each time, which is all that is seen of a slow reply.
        for _ in 0..5 {
            let limit = paces.of("m", CEILING).first_event;
            paces.waited_for_first("m", limit);
        }
        assert_eq!(paces.of("m", CEILING).first_event, CEILING.first_event);
    }

    #[test]
    fn what_is_long_ago_is_forgotten() {
        let paces = paces();
        for _ in 0..100 {
            paces.waited_within("m", seconds(100));
        }
        assert_eq!(paces.of("m", CEILING).gap, CEILING.gap);
        for _ in 0..5_000 {
            paces.waited_within("m", seconds(1));
        }
        assert_eq!(paces.of("m", CEILING).gap, seconds(120), "the floor");
    }

    proptest! {
        #[test]
        fn the_limit_is_far_beyond_what_nearly_all_needed(
            times in proptest::collection::vec(1u64..100_000, 20..200),
        ) {
            let timeouts = Timeouts { least_first_event: Duration::ZERO, ..Timeouts::default() };
            let paces = Paces::new(&timeouts);
            for time in &times {
                paces.waited_for_first("m", Duration::from_millis(*time));
            }
            let ceiling = Pace { first_event: seconds(100_000), gap: seconds(1) };
            let limit = paces.of("m", ceiling).first_event;
            let longer = times.iter().filter(|time| Duration::from_millis(**time) > limit / FAR_BEYOND);
            prop_assert!(longer.count() <= times.len() / 50);
            let longest = Duration::from_millis(*times.iter().max().unwrap());
            prop_assert!(limit <= longest * FAR_BEYOND * 6 / 5 + Duration::from_millis(10));
        }
    }
}
