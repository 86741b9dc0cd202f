//! The generic cell rate algorithm: a rate in one number, without a task that refills anything.
//!
//! What is kept is the moment at which everything that was taken is paid for. Taking moves it forward, time
//! catches up with it, and it may be ahead of now by one minute at most. Unlike in the crates for it, what was
//! taken by an estimate can be corrected: given back, or taken on top although nothing is left.

use std::time::Duration;

/// So many units in a minute, all of which may come at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    /// Not zero.
    per_minute: u64,
}

/// What was taken of a rate: nanoseconds since some beginning at which it is paid for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Taken(u64);

#[cfg(feature = "redis")]
impl Taken {
    /// What is paid for so long after now.
    pub(super) fn ahead(now: u64, ahead: Duration) -> Self {
        let ahead = u64::try_from(ahead.as_nanos()).unwrap_or(u64::MAX);
        Self(now.saturating_add(ahead))
    }
}

/// How much of a rate there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Level {
    /// All of it.
    pub(crate) limit: u64,
    /// What can be taken now.
    pub(crate) remaining: u64,
    /// Until all of it can.
    pub(crate) reset: Duration,
}

const MINUTE: u64 = 60_000_000_000;

impl Rate {
    /// `None` for zero, which is no rate.
    pub(crate) fn per_minute(units: u64) -> Option<Self> {
        (units > 0).then_some(Self { per_minute: units })
    }

    /// The units of a minute.
    pub(crate) fn limit(self) -> u64 {
        self.per_minute
    }

    /// How long so many units take to come back.
    fn cost(self, units: u64) -> u64 {
        let cost = u128::from(units) * u128::from(MINUTE) / u128::from(self.per_minute);
        u64::try_from(cost).unwrap_or(u64::MAX)
    }

    /// The same in microseconds, at most a year of them. The doubles of a script hold those exactly, beside the
    /// time since the epoch.
    #[cfg(feature = "redis")]
    pub(super) fn micros(self, units: u64) -> u64 {
        const YEAR: u64 = 366 * 24 * 3600 * 1_000_000;
        (self.cost(units) / 1000).min(YEAR)
    }

    /// Takes units, or says how long to wait for them. More than a minute's worth is taken when a minute's
    /// worth is there; the rest is a debt, and nobody gets anything until it is paid.
    pub(crate) fn take(self, taken: &mut Taken, now: u64, units: u64) -> Result<(), Duration> {
        self.ask(*taken, now, units)?;
        taken.0 = taken.0.max(now).saturating_add(self.cost(units));
        Ok(())
    }

    /// Whether units could be taken.
    pub(crate) fn ask(self, taken: Taken, now: u64, units: u64) -> Result<(), Duration> {
        let ahead = taken.0.saturating_sub(now);
        let needed = self.cost(units.min(self.per_minute));
        match ahead.saturating_add(needed).saturating_sub(MINUTE) {
            0 => Ok(()),
            over => Err(Duration::from_nanos(over)),
        }
    }

    /// Puts `real` in the place of the `estimated` units that were taken.
    pub(crate) fn correct(self, taken: &mut Taken, now: u64, estimated: u64, real: u64) {
        taken.0 = match real.checked_sub(estimated) {
            Some(more) => taken.0.max(now).saturating_add(self.cost(more)),
            None => taken.0.saturating_sub(self.cost(estimated - real)),
        };
    }

    /// What is left.
    pub(crate) fn level(self, taken: Taken, now: u64) -> Level {
        let ahead = taken.0.saturating_sub(now);
        let left = u128::from(MINUTE.saturating_sub(ahead));
        let remaining = left * u128::from(self.per_minute) / u128::from(MINUTE);
        Level {
            limit: self.per_minute,
            remaining: u64::try_from(remaining)
                .unwrap_or(u64::MAX)
                .min(self.per_minute),
            reset: Duration::from_nanos(ahead),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn rate(units: u64) -> Rate {
        Rate::per_minute(units).unwrap()
    }

    #[test]
    fn a_minutes_worth_comes_at_once_and_then_one_after_the_other() {
        for limit in [1, 6, 7, 60, 999, 1_000_000_007] {
            let (rate, mut taken) = (rate(limit), Taken::default());
            let start = 5 * SECOND;
            for left in (0..limit.min(1_000)).rev() {
                assert_eq!(rate.take(&mut taken, start, 1), Ok(()), "{limit}");
                if limit <= 1_000 {
                    assert_eq!(rate.level(taken, start).remaining, left, "{limit}");
                }
            }
        }
        let (rate, mut taken) = (rate(6), Taken::default());
        assert_eq!(rate.take(&mut taken, 0, 6), Ok(()));
        assert_eq!(rate.take(&mut taken, 0, 1), Err(Duration::from_secs(10)));
        let almost = 10 * SECOND - 1;
        let wait = rate.take(&mut taken, almost, 1);
        assert_eq!(wait, Err(Duration::from_nanos(1)));
        assert_eq!(rate.take(&mut taken, 10 * SECOND, 1), Ok(()));
        assert!(rate.take(&mut taken, 10 * SECOND, 1).is_err());
    }

    #[test]
    fn more_than_a_minutes_worth_needs_a_whole_minute_and_is_paid_for() {
        let (rate, mut taken) = (rate(60), Taken::default());
        assert_eq!(rate.take(&mut taken, 0, 1), Ok(()));
        let wait = rate.take(&mut taken, 0, 180);
        assert_eq!(wait, Err(Duration::from_secs(1)));
        assert_eq!(rate.take(&mut taken, SECOND, 180), Ok(()));
        // Three minutes' worth less one is a debt of two minutes.
        assert_eq!(rate.ask(taken, SECOND, 1), Err(Duration::from_secs(121)));
        assert_eq!(rate.level(taken, SECOND).remaining, 0);
    }

    #[test]
    fn an_estimate_is_corrected_both_ways_and_never_fills_above_the_limit() {
        let rate = rate(600);
        let mut taken = Taken::default();
        assert_eq!(rate.take(&mut taken, 0, 400), Ok(()));
        rate.correct(&mut taken, 0, 400, 100);
        assert_eq!(rate.level(taken, 0).remaining, 500);
        rate.correct(&mut taken, 0, 0, 600);
        assert_eq!(rate.level(taken, 0).remaining, 0);
        assert_eq!(rate.ask(taken, 0, 1), Err(Duration::from_millis(10_100)));
        // Long after it was paid for.
        let later = 600 * SECOND;
        rate.correct(&mut taken, later, 700, 0);
        assert_eq!(rate.level(taken, later).remaining, 600);
        assert_eq!(rate.take(&mut taken, later, 600), Ok(()));
        assert!(rate.take(&mut taken, later, 1).is_err());
    }
}
