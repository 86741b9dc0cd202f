//! The limits of one key or one caller, and how much of them is used.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use super::book::{CreditBook, utc};
#[cfg(feature = "redis")]
use super::budget::Spent;
use super::gcra::{Level, Rate, Taken};
use super::ledger::Ledger;
use super::limits::Limits;
use super::name::GateName;
use super::slots::{Full, Slot, Slots};
use crate::error::{Error, ErrorKind};

/// What one key or one caller may still do.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Who it is, as a refusal says it: "the key `team`".
    whose: String,
    name: GateName,
    requests: Option<Rate>,
    tokens: Option<Rate>,
    slots: Option<Slots>,
    credits_per_day: Option<f64>,
    credits_per_month: Option<f64>,
    /// Where credits are counted. It outlives the gate.
    book: CreditBook,
    /// The beginning of the time in which rates count.
    started: Instant,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    requests: Taken,
    tokens: Taken,
    /// What all gateways together had taken when it was last asked. For the headers of answers, and not to refuse
    /// by: what was given back since is not known here.
    seen_requests: Taken,
    seen_tokens: Taken,
}

/// What has a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Counted {
    Requests,
    Tokens,
}

impl Counted {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
        }
    }
}

/// When a place is likely to be free again.
const AGAIN: Duration = Duration::from_secs(5);

impl Gate {
    /// `None` where nothing is limited.
    pub(crate) fn new(
        whose: String,
        name: GateName,
        limits: &Limits,
        book: &CreditBook,
    ) -> Option<Self> {
        let &Limits {
            requests_per_minute,
            tokens_per_minute,
            concurrency,
            queue,
            queue_timeout,
            credits_per_day,
            credits_per_month,
        } = limits;
        let rate = |per_minute: Option<u64>| per_minute.and_then(Rate::per_minute);
        let slots = |most: std::num::NonZeroUsize| Slots::new(most.get(), queue, queue_timeout);
        (!limits.is_none()).then(|| Self {
            whose,
            name,
            requests: rate(requests_per_minute.map(|units| units.get().into())),
            tokens: rate(tokens_per_minute.map(Into::into)),
            slots: concurrency.map(slots),
            credits_per_day,
            credits_per_month,
            book: book.clone(),
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
        self.check_credits()?;
        let now = self.now();
        let mut used = self.used();
        if let Some(rate) = self.tokens {
            let left = rate.ask(used.tokens, now, 1);
            left.map_err(|wait| self.too_fast(rate, Counted::Tokens, wait))?;
        }
        if let Some(rate) = self.requests {
            let taken = rate.take(&mut used.requests, now, 1);
            taken.map_err(|wait| self.too_fast(rate, Counted::Requests, wait))?;
        }
        Ok(())
    }

    /// Takes back that a request was counted, because another gate has refused it.
    pub(super) fn forget_request(&self) {
        let now = self.now();
        if let Some(rate) = self.requests {
            rate.correct(&mut self.used().requests, now, 1, 0);
        }
    }

    pub(super) fn check_credits(&self) -> Result<(), Error> {
        if !self.counts_credits() {
            return Ok(());
        }
        let (day, month) = (self.credits_per_day, self.credits_per_month);
        let left = self.book.check(&self.name, utc(), day, month);
        left.map_err(|over| {
            let what = format!("{} credits per {}", over.budget, over.period);
            self.refusal(ErrorKind::QuotaExhausted, &what, over.wait)
        })
    }

    /// Waits for a place among the exchanges under way, here and at all gateways that share the limit.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::RateLimited`] when there is none, nor one in the queue, or none in time.
    pub(super) async fn enter(&self, ledger: Option<&Arc<Ledger>>) -> Result<Option<Slot>, Error> {
        let Some(slots) = &self.slots else {
            return Ok(None);
        };
        let entered = self.place(slots, ledger).await;
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

    async fn place(&self, slots: &Slots, ledger: Option<&Arc<Ledger>>) -> Result<Slot, Full> {
        let came = Instant::now();
        let (slot, waiting) = slots.enter_first().await?;
        let Some(ledger) = ledger else {
            return Ok(slot);
        };
        let deadline = came + slots.queue_timeout();
        let shared = ledger.hold(&self.name, slots, waiting, deadline).await?;
        Ok(slot.with(shared))
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
        taken.map_err(|wait| self.too_fast(rate, Counted::Tokens, wait))
    }

    /// Whether tokens have to be counted for it.
    pub(super) fn counts_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    fn counts_credits(&self) -> bool {
        self.credits_per_day.or(self.credits_per_month).is_some()
    }

    /// Counts what an exchange really took.
    pub(super) fn settle(&self, estimated: u64, real: u64, credits: f64) {
        let now = self.now();
        if let Some(rate) = self.tokens {
            let mut used = self.used();
            rate.correct(&mut used.tokens, now, estimated, real);
            rate.correct(&mut used.seen_tokens, now, estimated, real);
        }
        if credits > 0.0 && self.counts_credits() {
            self.book.add(&self.name, utc(), credits);
        }
    }

    /// What is left of requests and of tokens.
    pub(super) fn levels(&self) -> (Option<Level>, Option<Level>) {
        let now = self.now();
        let used = self.used();
        let requests = used.requests.max(used.seen_requests);
        let tokens = used.tokens.max(used.seen_tokens);
        (
            self.requests.map(|rate| rate.level(requests, now)),
            self.tokens.map(|rate| rate.level(tokens, now)),
        )
    }

    pub(super) fn too_fast(&self, rate: Rate, counted: Counted, wait: Duration) -> Error {
        let what = format!("{} {} per minute", rate.limit(), counted.as_str());
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

/// For the ledger, which counts the same for all gateways.
#[cfg(feature = "redis")]
impl Gate {
    pub(super) fn name(&self) -> &GateName {
        &self.name
    }

    pub(super) fn rate(&self, counted: Counted) -> Option<Rate> {
        match counted {
            Counted::Requests => self.requests,
            Counted::Tokens => self.tokens,
        }
    }

    /// Of the day and of the month, if there is any.
    pub(super) fn budgets(&self) -> Option<[Option<f64>; 2]> {
        let budgets = [self.credits_per_day, self.credits_per_month];
        self.counts_credits().then_some(budgets)
    }

    /// Takes notice of how much all gateways have taken, which is paid for so long after now.
    pub(super) fn saw(&self, counted: Counted, ahead: Duration) {
        let seen = Taken::ahead(self.now(), ahead);
        let mut used = self.used();
        match counted {
            Counted::Requests => used.seen_requests = seen,
            Counted::Tokens => used.seen_tokens = seen,
        }
    }

    /// Takes notice of what they have spent.
    pub(super) fn learn_credits(&self, spent: Spent) {
        self.book.learn(&self.name, utc(), spent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyDigest;
    use std::num::{NonZeroU32, NonZeroU64};

    fn gate(change: impl FnOnce(&mut Limits)) -> Gate {
        gate_with(&CreditBook::default(), change).unwrap()
    }

    fn gate_with(book: &CreditBook, change: impl FnOnce(&mut Limits)) -> Option<Gate> {
        let mut limits = Limits::default();
        change(&mut limits);
        let name = GateName::of_key(&KeyDigest::of_text("team"));
        Gate::new("the key `team`".to_owned(), name, &limits, book)
    }

    #[test]
    fn without_limits_there_is_no_gate() {
        assert!(gate_with(&CreditBook::default(), |_| {}).is_none());
    }

    #[test]
    fn a_budget_outlives_its_gate() {
        let book = CreditBook::default();
        let budget = |limits: &mut Limits| limits.credits_per_month = Some(1.0);
        let gate = gate_with(&book, budget).unwrap();
        gate.settle(0, 0, 1.0);
        drop(gate);
        assert!(gate_with(&book, budget).unwrap().request().is_err());
    }

    #[test]
    fn a_request_that_is_taken_back_was_never_there() {
        let gate = gate(|limits| limits.requests_per_minute = NonZeroU32::new(1));
        for _ in 0..3 {
            assert!(gate.request().is_ok());
            assert!(gate.request().is_err());
            gate.forget_request();
        }
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
