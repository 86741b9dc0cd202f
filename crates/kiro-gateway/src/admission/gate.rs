//! The limits of one key or one caller, and how much of them is used.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use kiro_auth::{Clock as _, SystemClock};
use tokio::time::Instant;

use super::budget::Spent;
use super::gcra::{Level, Rate, Taken};
use super::limits::Limits;
use super::slots::{Full, Slot, Slots};
use crate::error::{Error, ErrorKind};

/// What one key or one caller may still do.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Who it is, as a refusal says it: "the key `team`".
    whose: String,
    requests: Option<Rate>,
    tokens: Option<Rate>,
    slots: Option<Slots>,
    credits_per_day: Option<f64>,
    credits_per_month: Option<f64>,
    /// The beginning of the time in which rates count.
    started: Instant,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    requests: Taken,
    tokens: Taken,
    credits: Spent,
}

/// When a place is likely to be free again.
const AGAIN: Duration = Duration::from_secs(5);

impl Gate {
    /// `None` where nothing is limited.
    pub(crate) fn new(whose: String, limits: &Limits) -> Option<Self> {
        let rate = |per_minute: Option<u64>| per_minute.and_then(Rate::per_minute);
        let slots = |most: std::num::NonZeroUsize| {
            Slots::new(most.get(), limits.queue, limits.queue_timeout)
        };
        (!limits.is_none()).then(|| Self {
            whose,
            requests: rate(limits.requests_per_minute.map(|units| units.get().into())),
            tokens: rate(limits.tokens_per_minute.map(Into::into)),
            slots: limits.concurrency.map(slots),
            credits_per_day: limits.credits_per_day,
            credits_per_month: limits.credits_per_month,
            started: Instant::now(),
            used: Mutex::default(),
        })
    }

    /// Counts a request.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::QuotaExhausted`] when the budget is used up, [`ErrorKind::RateLimited`] when the rate of
    /// requests is, or no tokens are left. A refused request is not counted.
    pub(super) fn request(&self) -> Result<(), Error> {
        let now = self.now();
        let mut used = self.used();
        let (day, month) = (self.credits_per_day, self.credits_per_month);
        if day.or(month).is_some() {
            let left = used.credits.check(utc(), day, month);
            left.map_err(|over| {
                let what = format!("{} credits per {}", over.budget, over.period);
                self.refusal(ErrorKind::QuotaExhausted, &what, over.wait)
            })?;
        }
        if let Some(rate) = self.tokens {
            let left = rate.ask(used.tokens, now, 1);
            left.map_err(|wait| self.too_fast(rate, "tokens", wait))?;
        }
        if let Some(rate) = self.requests {
            let taken = rate.take(&mut used.requests, now, 1);
            taken.map_err(|wait| self.too_fast(rate, "requests", wait))?;
        }
        Ok(())
    }

    /// Waits for a place among the exchanges under way.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::RateLimited`] when there is none, nor one in the queue, or none in time.
    pub(super) async fn enter(&self) -> Result<Option<Slot>, Error> {
        let Some(slots) = &self.slots else {
            return Ok(None);
        };
        let entered = slots.enter().await;
        entered.map(Some).map_err(|full| {
            let limit = slots.limit();
            let what = match full {
                Full::Queue => format!("{limit} requests at the same time"),
                Full::Deadline => {
                    format!("{limit} requests at the same time, and none ended in time")
                }
            };
            self.refusal(ErrorKind::RateLimited, &what, AGAIN)
        })
    }

    /// Counts the tokens of a prompt.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::RateLimited`] when there are not so many; then none are counted.
    pub(super) fn prompt(&self, tokens: u64) -> Result<(), Error> {
        let Some(rate) = self.tokens else {
            return Ok(());
        };
        let now = self.now();
        let taken = rate.take(&mut self.used().tokens, now, tokens);
        taken.map_err(|wait| self.too_fast(rate, "tokens", wait))
    }

    /// Whether tokens have to be counted for it.
    pub(super) fn counts_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    /// Counts what an exchange really took.
    pub(super) fn settle(&self, estimated: u64, real: u64, credits: f64) {
        let now = self.now();
        let mut used = self.used();
        if let Some(rate) = self.tokens {
            rate.correct(&mut used.tokens, now, estimated, real);
        }
        if credits > 0.0 {
            used.credits.add(utc(), credits);
        }
    }

    /// What is left of requests and of tokens.
    pub(super) fn levels(&self) -> (Option<Level>, Option<Level>) {
        let now = self.now();
        let used = self.used();
        (
            self.requests.map(|rate| rate.level(used.requests, now)),
            self.tokens.map(|rate| rate.level(used.tokens, now)),
        )
    }

    fn too_fast(&self, rate: Rate, what: &str, wait: Duration) -> Error {
        let what = format!("{} {what} per minute", rate.limit());
        self.refusal(ErrorKind::RateLimited, &what, wait)
    }

    /// Codex reads the time to wait from these words (measured, November 2026).
    fn refusal(&self, kind: ErrorKind, limit: &str, wait: Duration) -> Error {
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        let message = format!(
            "Limit of {} reached: {limit}. Please try again in {seconds}s.",
            self.whose
        );
        Error::new(kind, message).with_retry_after(Some(wait))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        // Each change is one assignment, so a panic has left nothing half done.
        let used = self.used.lock();
        used.unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Seconds since the epoch.
fn utc() -> u64 {
    let since = SystemClock.now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::{NonZeroU32, NonZeroU64};

    fn gate(change: impl FnOnce(&mut Limits)) -> Gate {
        let mut limits = Limits::default();
        change(&mut limits);
        Gate::new("the key `team`".to_owned(), &limits).unwrap()
    }

    #[test]
    fn without_limits_there_is_no_gate() {
        assert!(Gate::new(String::new(), &Limits::default()).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_names_its_limit_and_the_time_to_wait_which_is_enough() {
        let gate = gate(|limits| limits.requests_per_minute = NonZeroU32::new(2));
        assert!(gate.request().is_ok() && gate.request().is_ok());
        let refused = gate.request().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::RateLimited);
        assert_eq!(
            refused.public_message(),
            "Limit of the key `team` reached: 2 requests per minute. Please try again in 30s."
        );
        tokio::time::advance(refused.retry_after().unwrap()).await;
        assert!(gate.request().is_ok());
        assert!(gate.request().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_are_taken_by_estimate_and_corrected_by_what_was_used() {
        let gate = gate(|limits| limits.tokens_per_minute = NonZeroU64::new(600));
        assert!(gate.request().is_ok());
        assert!(gate.prompt(500).is_ok());
        let refused = gate.prompt(200).unwrap_err();
        assert!(refused.public_message().contains("600 tokens per minute"));
        assert_eq!(refused.retry_after(), Some(Duration::from_secs(10)));
        gate.settle(500, 800, 0.0);
        assert_eq!(gate.levels().1.unwrap().remaining, 0);
        // Refused by its head already.
        assert!(gate.request().is_err());
        tokio::time::advance(Duration::from_secs(80)).await;
        assert_eq!(gate.levels().1.unwrap().remaining, 600);
    }

    #[test]
    fn a_budget_that_is_used_up_is_a_quota() {
        let gate = gate(|limits| limits.credits_per_month = Some(1.0));
        assert!(gate.request().is_ok());
        gate.settle(0, 0, 0.6);
        assert!(gate.request().is_ok());
        gate.settle(0, 0, 0.6);
        let refused = gate.request().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::QuotaExhausted);
        assert!(refused.public_message().contains("1 credits per month"));
    }
}
