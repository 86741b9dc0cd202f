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

/// Why a credential is not used for a while. Another reason would be a breaking change, on purpose: who shows it to people
/// has to say something of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
/// were under way when a rest began neither end it nor count as refusals in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Health {
    rest: Option<Rest>,
    /// Refusals in a row.
    strikes: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rest {
    reason: RestReason,
    /// From when on. A clock that is set back before it ends the rest, which would be prolonged otherwise.
    since: SystemTime,
    until: SystemTime,
}

impl Rest {
    fn is_on(&self, now: SystemTime) -> bool {
        self.since <= now && now < self.until
    }
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
/// Quotas are monthly. A later reset is a number in another unit.
const LONGEST_QUOTA: Duration = Duration::from_secs(35 * 24 * 3600);
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
                let rest =
                    retry_after.unwrap_or_else(|| RATE_LIMIT_REST.after(self.strikes_before(now)));
                self.struck(now, RestReason::RateLimited, now + rest.min(LONGEST_HINT))
            }
            Outcome::QuotaExhausted { until } => {
                let until = until
                    .filter(|until| *until > now)
                    .unwrap_or(now + QUOTA_REST)
                    .min(now + LONGEST_QUOTA);
                self.struck(now, RestReason::QuotaExhausted, until)
            }
            Outcome::Suspended => self.struck(now, RestReason::Suspended, now + SUSPENDED_REST),
            Outcome::Denied => self.struck(
                now,
                RestReason::Denied,
                now + DENIED_REST.after(self.strikes_before(now)),
            ),
        }
    }

    /// Why the credential rests at `now`, and until when. `None` when it may be used.
    pub fn resting(&self, now: SystemTime) -> Option<(RestReason, SystemTime)> {
        self.rest
            .filter(|rest| rest.is_on(now))
            .map(|rest| (rest.reason, rest.until))
    }

    pub(super) fn availability(&self, now: SystemTime) -> Availability {
        match self.rest {
            None => Availability::Available,
            Some(rest) if rest.is_on(now) => Availability::Resting {
                reason: rest.reason,
                until: rest.until,
            },
            Some(rest) => match rest.reason {
                RestReason::Suspended | RestReason::QuotaExhausted => Availability::OnTrial,
                RestReason::RateLimited | RestReason::Denied => Availability::Available,
            },
        }
    }

    /// Refusals in a row before the present rest, if there is one.
    fn strikes_before(&self, now: SystemTime) -> u32 {
        let present = u32::from(self.resting(now).is_some());
        self.strikes.saturating_sub(present)
    }

    fn struck(self, now: SystemTime, reason: RestReason, until: SystemTime) -> Self {
        let since = now;
        let rest = Rest {
            reason,
            since,
            until,
        };
        match self.rest {
            // Several attempts were refused together: that is one strike, and the longest rest counts.
            Some(current) if current.is_on(now) => Self {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOON: SystemTime = SystemTime::UNIX_EPOCH;
    const LIMITED: Outcome = Outcome::RateLimited { retry_after: None };

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    /// How long a credential rests after an outcome at noon.
    fn rest(health: Health, outcome: Outcome) -> Option<(RestReason, u64)> {
        let (reason, until) = health.after(outcome, NOON).resting(NOON)?;
        Some((reason, until.duration_since(NOON).unwrap().as_secs()))
    }

    #[test]
    fn each_outcome_has_its_rest() {
        use RestReason as R;
        let new = Health::default();
        let hint = |after| Outcome::RateLimited {
            retry_after: Some(seconds(after)),
        };
        let quota = |until| Outcome::QuotaExhausted {
            until: Some(NOON + seconds(until)),
        };
        let table = [
            (Outcome::Success, None),
            (Outcome::Neutral, None),
            (Outcome::TokenRejected, None),
            (LIMITED, Some((R::RateLimited, 8))),
            (hint(300), Some((R::RateLimited, 300))),
            (hint(u64::MAX), Some((R::RateLimited, 24 * 3600))),
            (
                Outcome::QuotaExhausted { until: None },
                Some((R::QuotaExhausted, 3600)),
            ),
            (quota(2_600_000), Some((R::QuotaExhausted, 2_600_000))),
            (
                quota(u64::MAX / 4),
                Some((R::QuotaExhausted, 35 * 24 * 3600)),
            ),
            (quota(0), Some((R::QuotaExhausted, 3600))),
            (Outcome::Suspended, Some((R::Suspended, 6 * 3600))),
            (Outcome::Denied, Some((R::Denied, 5))),
        ];
        for (outcome, expected) in table {
            assert_eq!(rest(new, outcome), expected, "{outcome:?}");
        }
    }

    #[test]
    fn refusals_in_a_row_make_longer_rests_until_a_success() {
        let mut health = Health::default();
        let mut now = NOON;
        for expected in [8, 16, 32, 64, 120, 120] {
            health = health.after(LIMITED, now);
            let (_, until) = health.resting(now).unwrap();
            assert_eq!(until, now + seconds(expected));
            now = until;
            assert_eq!(health.resting(now), None, "the rest is over");
        }
        health = health.after(Outcome::Success, now).after(LIMITED, now);
        assert_eq!(
            health.resting(now),
            Some((RestReason::RateLimited, now + seconds(8)))
        );
    }

    #[test]
    fn requests_under_way_neither_end_a_rest_nor_count_again() {
        let once = Health::default().after(LIMITED, NOON);
        let mut health = once;
        for _ in 0..50 {
            health = health.after(LIMITED, NOON);
        }
        assert_eq!(health, once, "refused together is refused once");
        assert_eq!(once.after(Outcome::Success, NOON + seconds(1)), once);
    }

    #[test]
    fn a_clock_that_is_set_back_ends_a_rest() {
        let noon = NOON + seconds(86_400);
        let health = Health::default().after(Outcome::Suspended, noon);
        assert!(health.resting(noon).is_some());
        assert_eq!(health.resting(NOON), None);
    }

    #[test]
    fn the_longest_of_several_rests_counts() {
        let suspended = Health::default()
            .after(LIMITED, NOON)
            .after(Outcome::Suspended, NOON)
            .after(LIMITED, NOON);
        let until = NOON + SUSPENDED_REST;
        assert_eq!(
            suspended.resting(NOON),
            Some((RestReason::Suspended, until))
        );
    }

    #[test]
    fn suspended_credential_returns_on_trial() {
        let health = Health::default().after(Outcome::Suspended, NOON);
        let later = NOON + SUSPENDED_REST;
        assert_eq!(health.availability(later), Availability::OnTrial);
        let health = health.after(Outcome::Success, later);
        assert_eq!(health.availability(later), Availability::Available);
    }

    proptest! {
        #[test]
        fn every_rest_ends(outcomes in proptest::collection::vec((0..5_u64, 0..100_000_u64), 0..30)) {
            let mut health = Health::default();
            let mut now = NOON;
            for (kind, wait) in outcomes {
                let outcome = match kind {
                    0 => Outcome::Success,
                    1 => LIMITED,
                    2 => Outcome::Suspended,
                    3 => Outcome::Denied,
                    _ => Outcome::QuotaExhausted { until: None },
                };
                health = health.after(outcome, now);
                now += seconds(wait);
            }
            prop_assert_eq!(health.resting(now + seconds(24 * 3600)), None);
        }
    }
}
