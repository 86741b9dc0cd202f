//! Which of several logins to take: a pure function of what was found.

use std::cmp::Reverse;
use std::fmt;

use super::report::LoginFacts;

/// Why a login was chosen. The reasons are in the order of their strength: a weaker one decides only
/// where no login has a stronger one. Among logins with the same reason the token that expires last wins,
/// since it was signed in or refreshed last, and a token that never expires wins over all; then the order
/// of [`Places::list`](super::Places::list).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChoiceReason {
    /// Its token is valid and will be after the next hour: it can be refreshed, or never expires.
    ValidAndLasting,
    /// Its token is valid, and somebody else has to refresh it.
    Valid,
    /// Its token is not valid and can be refreshed, if its refresh token still works.
    Refreshable,
}

impl ChoiceReason {
    /// `None` for a login that cannot be used at all.
    fn of(facts: &LoginFacts) -> Option<Self> {
        let is_lasting = facts.is_refreshable || !facts.login.expires();
        match (facts.is_valid, is_lasting) {
            (true, true) => Some(Self::ValidAndLasting),
            (true, false) => Some(Self::Valid),
            (false, true) => Some(Self::Refreshable),
            (false, false) => None,
        }
    }

    fn strength(self) -> u8 {
        match self {
            Self::ValidAndLasting => 2,
            Self::Valid => 1,
            Self::Refreshable => 0,
        }
    }
}

impl fmt::Display for ChoiceReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ValidAndLasting => "its token is valid, can be renewed and expires last",
            Self::Valid => {
                "its token is the last one to expire, and none can be renewed that is valid"
            }
            Self::Refreshable => "no token is valid, and it is the newest that can be renewed",
        })
    }
}

/// The number of the place to take, and why.
pub(super) fn choose<'a>(
    logins: impl Iterator<Item = Option<&'a LoginFacts>>,
) -> Option<(usize, ChoiceReason)> {
    let usable = logins.enumerate().filter_map(|(n, facts)| {
        let facts = facts?;
        Some((n, facts, ChoiceReason::of(facts)?))
    });
    let best = usable.max_by_key(|(n, facts, reason)| {
        let never_expires = !facts.login.expires();
        (
            reason.strength(),
            never_expires,
            facts.expires_at,
            Reverse(*n),
        )
    });
    best.map(|(n, _, reason)| (n, reason))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::ChoiceReason::{Refreshable, Valid, ValidAndLasting};
    use super::*;
    use crate::login::Login;

    /// `minutes` is when the token expires.
    fn facts(login: Login, minutes: u64, is_valid: bool, is_refreshable: bool) -> LoginFacts {
        let expires_at = SystemTime::UNIX_EPOCH + Duration::from_secs(60 * minutes);
        LoginFacts {
            login,
            expires_at: Some(expires_at).filter(|_| minutes > 0),
            is_valid,
            is_refreshable,
            has_profile: true,
        }
    }

    #[test]
    fn the_strongest_reason_wins_then_the_newest_then_the_first() {
        let valid = |minutes| Some(facts(Login::Social, minutes, true, true));
        let bare = |minutes| Some(facts(Login::IdentityCenter, minutes, true, false));
        let expired = |minutes| Some(facts(Login::BuilderId, minutes, false, true));
        let dead = |minutes| Some(facts(Login::ExternalIdp, minutes, false, false));
        let key = Some(facts(Login::ApiKey, 0, true, false));
        let table: [(&[Option<LoginFacts>], _); 12] = [
            (&[], None),
            (&[None, dead(5)], None),
            (&[dead(99), expired(5)], Some((1, Refreshable))),
            (
                &[expired(5), expired(6), expired(4)],
                Some((1, Refreshable)),
            ),
            (&[expired(0), expired(1)], Some((1, Refreshable))),
            (&[expired(9), bare(10)], Some((1, Valid))),
            (&[bare(12), bare(11)], Some((0, Valid))),
            (&[bare(59), valid(10)], Some((1, ValidAndLasting))),
            (
                &[None, valid(10), None, valid(11)],
                Some((3, ValidAndLasting)),
            ),
            (&[valid(10), valid(10)], Some((0, ValidAndLasting))),
            (&[valid(59), key.clone()], Some((1, ValidAndLasting))),
            (&[key, expired(5)], Some((0, ValidAndLasting))),
        ];
        for (logins, expected) in table {
            let chosen = choose(logins.iter().map(Option::as_ref));
            assert_eq!(chosen, expected, "{logins:?}");
        }
    }
}
