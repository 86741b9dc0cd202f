//! How good an access token still is: a pure function of its expiry and the time.

use std::time::{Duration, SystemTime};

/// What to do with an access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Use it.
    Fresh,
    /// Use it, and have somebody refresh it.
    Stale,
    /// Refresh it first.
    Expired,
}

/// Judges an access token that expires at `expires_at`. A token without an expiry is expired.
///
/// ```text
/// issued                                            early      blocking       expires_at
///   |──────────────── fresh ──────────────────────────|── stale ──|──── expired ────|
/// ```
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use kiro_auth::{Freshness, Margins, freshness};
///
/// let expires_at = SystemTime::UNIX_EPOCH + Duration::from_secs(3600);
/// let minutes_before = |minutes: u64| expires_at - Duration::from_secs(60 * minutes);
/// let margins = Margins::default();
/// assert_eq!(freshness(Some(expires_at), minutes_before(11), &margins), Freshness::Fresh);
/// assert_eq!(freshness(Some(expires_at), minutes_before(9), &margins), Freshness::Stale);
/// assert_eq!(freshness(Some(expires_at), minutes_before(1), &margins), Freshness::Expired);
/// ```
pub fn freshness(expires_at: Option<SystemTime>, now: SystemTime, margins: &Margins) -> Freshness {
    let left = time_left(expires_at, now);
    if left > margins.early {
        Freshness::Fresh
    } else if left > margins.blocking {
        Freshness::Stale
    } else {
        Freshness::Expired
    }
}

/// How long before its expiry a token is no longer simply used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Margins {
    /// With less than this left it is stale. Default: 10 minutes, plus up to 2 minutes of jitter so that
    /// many credentials that were issued together are not refreshed together.
    pub early: Duration,
    /// With less than this left it counts as expired: a request that starts with it may outlive it.
    /// Default: 2 minutes.
    pub blocking: Duration,
    /// With more than this left it is still used when refreshing fails. Default: 30 seconds.
    pub last_resort: Duration,
}

impl Margins {
    const EARLY: Duration = Duration::from_secs(600);
    const JITTER: Duration = Duration::from_secs(120);
    const BLOCKING: Duration = Duration::from_secs(120);
    const LAST_RESORT: Duration = Duration::from_secs(30);

    /// The margins of a token that lives for `lifetime`, where that is known. They shrink for tokens
    /// that live for less than an hour: with the usual margins, a token of ten minutes would be stale
    /// from its first second and be refreshed without end. `jitter` is between 0 and 1.
    pub fn of(lifetime: Option<Duration>, jitter: f64) -> Self {
        let lifetime = lifetime.unwrap_or(Duration::MAX);
        Self {
            early: (Self::EARLY + Self::JITTER.mul_f64(jitter.clamp(0.0, 1.0))).min(lifetime / 4),
            blocking: Self::BLOCKING.min(lifetime / 20),
            last_resort: Self::LAST_RESORT.min(lifetime / 80),
        }
    }
}

impl Default for Margins {
    fn default() -> Self {
        Self::of(None, 0.0)
    }
}

pub(super) fn time_left(expires_at: Option<SystemTime>, now: SystemTime) -> Duration {
    expires_at
        .and_then(|at| at.duration_since(now).ok())
        .unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_token_without_an_expiry_is_expired() {
        let now = SystemTime::UNIX_EPOCH;
        assert_eq!(
            freshness(None, now, &Margins::default()),
            Freshness::Expired
        );
    }

    proptest! {
        #[test]
        fn a_token_only_ever_gets_worse(lifetime in 1..100_000_u64, jitter in 0.0..1.0, first in 0..100_000_u64, later in 0..100_000_u64) {
            let issued = SystemTime::UNIX_EPOCH;
            let expires_at = Some(issued + Duration::from_secs(lifetime));
            let margins = Margins::of(Some(Duration::from_secs(lifetime)), jitter);
            let rank = |after| freshness(expires_at, issued + Duration::from_secs(after), &margins) as u8;
            prop_assert!(rank(first) <= rank(first + later));
            prop_assert!(rank(lifetime) == Freshness::Expired as u8);
        }

        #[test]
        fn a_token_is_fresh_for_most_of_its_life_however_short(seconds in 1..100_000_u64, jitter in 0.0..1.0) {
            let lifetime = Duration::from_secs(seconds);
            let margins = Margins::of(Some(lifetime), jitter);
            let issued = SystemTime::UNIX_EPOCH;
            prop_assert_eq!(freshness(Some(issued + lifetime), issued + lifetime.mul_f64(0.7), &margins), Freshness::Fresh);
            prop_assert!(margins.last_resort < margins.blocking && margins.blocking < margins.early);
        }
    }
}
