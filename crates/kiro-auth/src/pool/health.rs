//! What a credential has been through, and whether it may be used: a pure function of outcomes and time.

use std::time::{Duration, SystemTime};

/// How an attempt with a credential ended, as far as the credential is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The upstream accepted the credential and served the request, or began to.
    Success,
    /// Nothing was learned about the credential: the request was at fault, the model had no capacity,
    /// the network failed, the downstream left.
    Neutral,
    /// Too many requests with this credential.
    RateLimited {
        /// How long the upstream asks to wait, if it says.
        retry_after: Option<Duration>,
    },
    /// The quota of the account is used up.
    QuotaExhausted {
        /// When it is renewed, if that is known.
        until: Option<SystemTime>,
    },
    /// The account is suspended. It must be left alone.
    Suspended,
    /// The access token was refused. The token of this generation is not handed out again.
    TokenRejected,
    /// The upstream does not let this account do this, and another might: a plan, a profile, a block at
    /// the edge.
    Denied,
}

/// Why a credential is not used for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RestReason {
    /// It sent too many requests.
    RateLimited,
    /// Its quota is used up.
    QuotaExhausted,
    /// Its account is suspended: the operator must talk to the provider.
    Suspended,
    /// It was denied what others may be allowed.
    Denied,
}

/// The health of a credential.
///
/// ```text
///            success                     rate limited: the hint, else 8 s doubling to 2 min
///           ┌───────┐                    quota: until its renewal, else 1 h
///           v       │     refused        denied: 5 s doubling to 10 min
///        ┌─────────────┐ ────────> ┌─────────────┐
///        │  available  │           │   resting   │
///        └─────────────┘ <──────── └─────────────┘   suspended: 6 h
///                        time passed
/// ```
///
/// After a suspension or an exhausted quota it is first tried with one request at a time. Requests that
/// were under way when a rest began neither end it nor make the next one longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Health {
    rest: Option<Rest>,
    /// Refusals in a row.
    strikes: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rest {
    reason: RestReason,
    until: SystemTime,
}

/// How a credential may be used at a given moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Availability {
    Available,
    /// Its rest is over and nobody knows yet whether it works: one request at a time.
    OnTrial,
    Resting {
        reason: RestReason,
        until: SystemTime,
    },
}

const RATE_LIMIT_REST: Backoff = Backoff::new(8, 120);
const DENIED_REST: Backoff = Backoff::new(5, 600);
const QUOTA_REST: Duration = Duration::from_secs(3600);
const SUSPENDED_REST: Duration = Duration::from_secs(6 * 3600);

/// The longest hint that is believed, so that a nonsensical one does not take a credential out for ever.
const LONGEST_HINT: Duration = Duration::from_secs(24 * 3600);

impl Health {
    /// The health after an attempt that ended at `now`.
    #[must_use]
    pub fn after(self, outcome: Outcome, now: SystemTime) -> Self {
        match outcome {
            Outcome::Success if self.resting(now).is_some() => self,
            Outcome::Success => Self::default(),
            // The token is replaced by its source; whether that helps, the next attempt will show.
            Outcome::Neutral | Outcome::TokenRejected => self,
            Outcome::RateLimited { retry_after } => {
                let rest = retry_after.unwrap_or_else(|| RATE_LIMIT_REST.after(self.strikes));
                self.struck(now, RestReason::RateLimited, now + rest.min(LONGEST_HINT))
            }
            Outcome::QuotaExhausted { until } => {
                let until = until
                    .filter(|until| *until > now)
                    .unwrap_or(now + QUOTA_REST);
                self.struck(now, RestReason::QuotaExhausted, until)
            }
            Outcome::Suspended => self.struck(now, RestReason::Suspended, now + SUSPENDED_REST),
            Outcome::Denied => self.struck(
                now,
                RestReason::Denied,
                now + DENIED_REST.after(self.strikes),
            ),
        }
    }

    /// Why the credential rests at `now`, and until when. `None` when it may be used.
    pub fn resting(&self, now: SystemTime) -> Option<(RestReason, SystemTime)> {
        self.rest
            .filter(|rest| now < rest.until)
            .map(|rest| (rest.reason, rest.until))
    }

    pub(super) fn availability(&self, now: SystemTime) -> Availability {
        match self.rest {
            None => Availability::Available,
            Some(rest) if now < rest.until => Availability::Resting {
                reason: rest.reason,
                until: rest.until,
            },
            Some(Rest {
                reason: RestReason::Suspended | RestReason::QuotaExhausted,
                ..
            }) => Availability::OnTrial,
            Some(_) => Availability::Available,
        }
    }

    fn struck(self, now: SystemTime, reason: RestReason, until: SystemTime) -> Self {
        let rest = Rest { reason, until };
        match self.rest {
            // Several attempts were refused together: that is one strike, and the longest rest counts.
            Some(current) if now < current.until => Self {
                rest: Some(if current.until < until { rest } else { current }),
                ..self
            },
            _ => Self {
                rest: Some(rest),
                strikes: self.strikes.saturating_add(1),
            },
        }
    }
}

/// A pause that doubles with each strike up to a limit.
struct Backoff {
    first: u64,
    longest: u64,
}

impl Backoff {
    const fn new(first_seconds: u64, longest_seconds: u64) -> Self {
        Self {
            first: first_seconds,
            longest: longest_seconds,
        }
    }

    fn after(&self, strikes: u32) -> Duration {
        let doubled = self.first.saturating_mul(1 << strikes.min(32));
        Duration::from_secs(doubled.min(self.longest))
    }
}
