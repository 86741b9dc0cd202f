//! What this gateway lets in while it cannot reach Redis: its share of each rate, counted apart, and told when Redis is
//! back.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::roll::Roll;
use crate::admission::gate::Counted;
use crate::admission::gcra::{Rate, Taken};
use crate::admission::name::GateName;

/// Of each gate and what is counted there.
#[derive(Debug, Default)]
pub(super) struct Alone(Mutex<HashMap<(GateName, Counted), Count>>);

#[derive(Debug)]
struct Count {
    /// In which outage this was counted.
    outage: u64,
    /// Of the whole.
    rate: Rate,
    share: Rate,
    /// What limits. It begins as if all were taken: of what was saved up the others have had the use.
    used: Taken,
    /// What was really taken.
    taken: Taken,
}

/// When somebody who has no share of a rate may ask again.
const AGAIN: Duration = Duration::from_secs(5);

/// Counts that nobody needs any more are forgotten when there are so many.
const MANY: usize = 1_000;

/// A minute, which is as far as a rate is ahead that is used up.
const MINUTE: Duration = Duration::from_secs(60);

impl Alone {
    /// Takes units of a rate, if so many are there.
    ///
    /// # Errors
    ///
    /// How long to wait for them.
    pub(super) fn take(
        &self,
        (name, counted, rate): (&GateName, Counted, Rate),
        (needed, taken): (u64, u64),
        roll: &Roll,
        (outage, now): (u64, u64),
    ) -> Result<(), Duration> {
        let share = Rate::per_minute(roll.share_of(rate.limit())).ok_or(AGAIN)?;
        let mut counts = self.lock();
        if counts.len() >= MANY {
            counts.retain(|_, count| count.share.level(count.used, now).reset > Duration::ZERO);
        }
        let begin = || Count {
            outage,
            rate,
            share,
            used: match roll.is_alone() {
                true => Taken::default(),
                false => Taken::ahead(now, MINUTE),
            },
            taken: Taken::default(),
        };
        let key = (name.clone(), counted);
        let count = counts.entry(key).or_insert_with(begin);
        if count.outage != outage {
            *count = begin();
        }
        share.ask(count.used, now, needed)?;
        count.add(taken, now);
        Ok(())
    }

    /// Takes units that were used without having been asked for, or gives back, if it is fewer than none.
    pub(super) fn correct(&self, name: &GateName, counted: Counted, was: u64, is: u64, now: u64) {
        if let Some(count) = self.lock().get_mut(&(name.clone(), counted)) {
            count.share.correct(&mut count.used, now, was, is);
            count.share.correct(&mut count.taken, now, was, is);
        }
    }

    /// Ends the count: what was taken and is not paid for, in microseconds of the whole rate.
    pub(super) fn end(&self, now: u64) -> Vec<((GateName, Counted), i64)> {
        let counts = std::mem::take(&mut *self.lock());
        let owed = |count: &Count| {
            let ahead = count.share.level(count.taken, now).reset.as_micros();
            let owed = ahead * u128::from(count.share.limit()) / u128::from(count.rate.limit());
            i64::try_from(owed).unwrap_or(i64::MAX)
        };
        let owed = counts.into_iter().map(|(key, count)| (key, owed(&count)));
        owed.filter(|(_, owed)| *owed > 0).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(GateName, Counted), Count>> {
        // Each change is one of a number, so a panic has left nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Count {
    fn add(&mut self, units: u64, now: u64) {
        self.share.correct(&mut self.used, now, 0, units);
        self.share.correct(&mut self.taken, now, 0, units);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyDigest;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_share_fills_from_nothing_and_what_is_not_paid_for_is_owed() {
        let (alone, roll) = (Alone::default(), Roll::new(2));
        let name = GateName::of_key(&KeyDigest::of_text("team"));
        let rate = Rate::per_minute(600).unwrap();
        let take = |units, outage, now| {
            let of = (&name, Counted::Requests, rate);
            alone.take(of, (units, units), &roll, (outage, now))
        };
        // Half of the limit, so a unit takes a fifth of a second.
        assert_eq!(take(1, 1, 0), Err(Duration::from_millis(200)));
        assert_eq!(take(300, 1, 60 * SECOND), Ok(()));
        assert!(take(1, 1, 60 * SECOND).is_err());
        // Ten seconds later 250 of them are owed: of the whole, 25 seconds.
        let owed = alone.end(70 * SECOND);
        assert_eq!(owed, [((name.clone(), Counted::Requests), 25_000_000)]);
        assert!(alone.end(70 * SECOND).is_empty());
        // The next outage begins with nothing.
        assert_eq!(take(1, 2, 500 * SECOND), Err(Duration::from_millis(200)));
        // Less than a unit in a minute is none.
        let few = (&name, Counted::Tokens, Rate::per_minute(1).unwrap());
        assert_eq!(alone.take(few, (1, 1), &roll, (2, 0)), Err(AGAIN));
    }
}
