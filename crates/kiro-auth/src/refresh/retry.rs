//! How often a sign-in service is asked within one refresh, or for one step of a sign-in.

use std::time::Duration;

use super::Refusal;
use crate::error::{AuthError, AuthErrorKind};

/// Why one try brought no answer, or a refusal.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An answer, and it is not a token.
    Refused(Refusal),
    /// No answer, or nobody was asked.
    Unreachable(AuthError),
}

/// Tries that a refresh consists of at most; with the pauses between them it is over in seconds, and
/// [`TokenSource`](crate::TokenSource) asks again later.
const MAX_TRIES: u32 = 3;

/// The longest wait that a service may ask for within a refresh. If it asks for more, the refresh fails
/// and somebody else may serve the request.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// How long to wait before the next try, after `tries` of them have failed: 1 s, then 2 s, or as long as
/// the service asks. `None` when there is no point in another.
pub(crate) fn pause_after(failure: &Failure, tries: u32) -> Option<Duration> {
    let hint = match failure {
        Failure::Refused(refusal) if !refusal.may_retry() => return None,
        Failure::Refused(refusal) => refusal.retry_after(),
        Failure::Unreachable(error) if error.kind() != AuthErrorKind::Transient => return None,
        Failure::Unreachable(_) => None,
    };
    let pause = hint.unwrap_or(Duration::from_secs(1 << tries.saturating_sub(1).min(8)));
    (tries < MAX_TRIES && pause <= LONGEST_WAIT).then_some(pause)
}

impl From<AuthError> for Failure {
    fn from(error: AuthError) -> Self {
        Self::Unreachable(error)
    }
}

impl From<Failure> for AuthError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => refusal.into(),
            Failure::Unreachable(error) => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn pauses(failure: &Failure) -> Vec<u64> {
        (1..)
            .map_while(|tries| pause_after(failure, tries))
            .map(|pause| pause.as_secs())
            .collect()
    }

    fn throttled(seconds: u64) -> Failure {
        Failure::Refused(Refusal::Throttled {
            status: StatusCode::TOO_MANY_REQUESTS,
            retry_after: Some(Duration::from_secs(seconds)),
        })
    }

    #[test]
    fn weather_is_waited_out_with_growing_pauses() {
        let failed = Refusal::Failed {
            status: StatusCode::BAD_GATEWAY,
        };
        assert_eq!(pauses(&Failure::Refused(failed)), [1, 2]);
        let no_route = AuthError::transient("no route");
        assert_eq!(pauses(&Failure::Unreachable(no_route)), [1, 2]);
    }

    #[test]
    fn the_wish_of_the_service_is_honoured_within_reason() {
        assert_eq!(pauses(&throttled(4)), [4, 4]);
        assert_eq!(pauses(&throttled(60)), [0; 0]);
    }

    #[test]
    fn what_cannot_even_be_asked_is_not_tried_again() {
        let misconfigured = AuthError::misconfigured("plain http");
        assert_eq!(pauses(&Failure::Unreachable(misconfigured)), [0; 0]);
    }

    #[test]
    fn what_would_fail_again_is_not_tried_again() {
        let status = StatusCode::FORBIDDEN;
        for refusal in [
            Refusal::Dead { status },
            Refusal::Unregistered { status },
            Refusal::Blocked { status },
            Refusal::Malformed { status },
            Refusal::Unclear { status },
        ] {
            assert_eq!(pauses(&Failure::Refused(refusal)), [0; 0]);
        }
    }
}
