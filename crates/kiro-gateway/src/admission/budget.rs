//! Credits spent, by day and by month of UTC.

use std::time::Duration;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

/// What was spent in the current day and month.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Spent {
    today: Option<Date>,
    day: f64,
    month: f64,
}

/// A budget that is used up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct UsedUp {
    /// Credits.
    pub(crate) budget: f64,
    /// `day` or `month`.
    pub(crate) period: &'static str,
    /// Until the next one begins.
    pub(crate) wait: Duration,
}

impl Spent {
    /// What was spent on a day and in its month up to then.
    pub(crate) fn on(today: Date, day: f64, month: f64) -> Self {
        Self {
            today: Some(today),
            day,
            month,
        }
    }

    /// Adds credits. `now` is in seconds since the epoch.
    pub(crate) fn add(&mut self, now: u64, credits: f64) {
        let today = self.turn(now);
        self.add_on(today, credits);
    }

    /// Adds credits of some day, as far as they still matter.
    pub(super) fn add_on(&mut self, date: Date, credits: f64) {
        let Some(today) = self.today else { return };
        if date == today {
            self.day += credits;
        }
        if is_same_month(date, today) {
            self.month += credits;
        }
    }

    /// Takes over what somebody else knows, where that is more. Nobody gives credits back, so it is newer.
    pub(super) fn learn(&mut self, now: u64, mut other: Self) {
        self.turn(now);
        other.turn(now);
        self.day = self.day.max(other.day);
        self.month = self.month.max(other.month);
    }

    /// The day that it was last asked on, what was spent on it, and in its month.
    pub(super) fn parts(&self) -> Option<(Date, f64, f64)> {
        let today = self.today?;
        Some((today, self.day, self.month))
    }

    /// Whether there is something left for the day and for the month.
    pub(crate) fn check(
        &mut self,
        now: u64,
        per_day: Option<f64>,
        per_month: Option<f64>,
    ) -> Result<(), UsedUp> {
        let today = self.turn(now);
        let first = today.first_of_month();
        let next_month = first.saturating_add(jiff::Span::new().months(1));
        let periods = [
            (per_month, self.month, "month", next_month),
            (per_day, self.day, "day", today.tomorrow().unwrap_or(today)),
        ];
        for (budget, spent, period, next) in periods {
            if let Some(budget) = budget.filter(|budget| spent >= *budget) {
                let wait = until(now, next);
                return Err(UsedUp {
                    budget,
                    period,
                    wait,
                });
            }
        }
        Ok(())
    }

    /// Forgets what belongs to another day or month; the date.
    pub(super) fn turn(&mut self, now: u64) -> Date {
        let date = date(now);
        if !self.today.is_some_and(|today| is_same_month(today, date)) {
            self.month = 0.0;
        }
        if self.today != Some(date) {
            self.day = 0.0;
        }
        self.today = Some(date);
        date
    }
}

pub(super) fn is_same_month(one: Date, other: Date) -> bool {
    (one.year(), one.month()) == (other.year(), other.month())
}

/// The day of UTC.
pub(super) fn date(now: u64) -> Date {
    let seconds = i64::try_from(now).unwrap_or(i64::MAX);
    let moment = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
    TimeZone::UTC.to_datetime(moment).date()
}

fn until(now: u64, next: Date) -> Duration {
    let midnight = TimeZone::UTC.to_timestamp(next.at(0, 0, 0, 0));
    let next = midnight.map_or(0, |moment| moment.as_second());
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let wait = SignedDuration::from_secs(next.saturating_sub(now));
    Duration::try_from(wait).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(moment: &str) -> u64 {
        moment.parse::<Timestamp>().unwrap().as_second() as u64
    }

    #[test]
    fn a_budget_begins_anew_with_its_day_and_its_month() {
        let mut spent = Spent::default();
        let evening = at("2026-11-30T23:00:00Z");
        assert_eq!(spent.check(evening, Some(2.0), Some(5.0)), Ok(()));
        spent.add(evening, 1.5);
        assert_eq!(spent.check(evening, Some(2.0), Some(5.0)), Ok(()));
        spent.add(evening, 1.0);
        let hour = Duration::from_secs(3600);
        let used_up = UsedUp {
            budget: 2.0,
            period: "day",
            wait: hour,
        };
        assert_eq!(spent.check(evening, Some(2.0), Some(5.0)), Err(used_up));
        assert_eq!(spent.check(evening, None, None), Ok(()));
        let morning = at("2026-12-01T00:00:00Z");
        assert_eq!(spent.check(morning, Some(2.0), Some(2.0)), Ok(()));
        spent.add(morning, 1.9);
        let day_after = at("2026-12-02T12:00:00Z");
        assert_eq!(spent.check(day_after, Some(1.0), Some(2.0)), Ok(()));
        spent.add(day_after, 0.5);
        let used_up = UsedUp {
            budget: 2.0,
            period: "month",
            wait: hour * (29 * 24 + 12),
        };
        assert_eq!(spent.check(day_after, Some(1.0), Some(2.0)), Err(used_up));
    }

    #[test]
    fn a_budget_of_zero_lets_nothing_through() {
        let mut spent = Spent::default();
        assert!(spent.check(0, Some(0.0), None).is_err());
    }
}
