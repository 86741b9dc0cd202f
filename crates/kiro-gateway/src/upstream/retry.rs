//! What follows a failed attempt: a pure table.

use std::time::Duration;

use kiro_protocol::fault::{Blame, Fault, FaultKind, Repair};
use kiro_protocol::request::BuildError;

use super::profile::NoProfile;
use crate::capture::without_tokens;

/// What went wrong with one attempt, before anything went downstream.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The upstream refused.
    Fault(Fault),
    /// The upstream could not be reached; nothing was sent.
    Unreachable,
    /// The host has failed so often that it is left alone for so long; nothing was sent.
    LeftAlone(Duration),
    /// The connection broke before the first event.
    Broken,
    /// The first event did not come in time.
    Silent,
    /// The reply was not what the protocol promises, or had no content at all.
    Malformed,
    /// The conversation cannot be written down for Kiro.
    Unsendable(BuildError),
    /// The login has no profile that could be used.
    NoProfile(NoProfile),
}

impl Failure {
    /// What the log may hold of it: the service may repeat what it was sent.
    pub(super) fn for_log(&self) -> String {
        without_tokens(&format!("{self:?}"))
    }
}

/// What has been tried so far in one exchange.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tried {
    /// Attempts that have failed, the last one included.
    pub(crate) attempts: u32,
    /// The access token was already replaced once.
    pub(crate) refreshed: bool,
    /// The fallback wire profile is already in use, or there is none.
    pub(crate) fell_back: bool,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Replace the access token and try again at once.
    Refresh,
    /// Try again at once with the fallback wire profile on the legacy host.
    FallBack,
    /// Try again after a pause.
    Again(Duration),
    /// Try again at once with another credential, if there is one.
    Elsewhere,
    /// Tell the downstream.
    GiveUp,
}

/// Longest pause that is taken inside one exchange. A longer hint goes downstream as `retry-after`.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// First pause between two attempts; it doubles up to [`LONGEST_BACKOFF`].
const FIRST_BACKOFF: Duration = Duration::from_millis(500);
const LONGEST_BACKOFF: Duration = Duration::from_secs(8);

/// Decides what follows a failure. `max_retries` bounds the attempts that cost a pause; the refresh and
/// the fallback happen at most once each and are not counted.
pub(crate) fn next(failure: &Failure, tried: Tried, max_retries: u32) -> Next {
    let fault = match failure {
        Failure::Fault(fault) => fault,
        Failure::Unreachable if !tried.fell_back => return Next::FallBack,
        Failure::LeftAlone(_) if !tried.fell_back => return Next::FallBack,
        Failure::Unsendable(_) | Failure::LeftAlone(_) => return Next::GiveUp,
        Failure::NoProfile(_) => return Next::Elsewhere,
        Failure::Unreachable | Failure::Broken | Failure::Silent | Failure::Malformed => {
            return again(None, tried, max_retries);
        }
    };
    if fault.kind().repair() == Some(Repair::RefreshToken) && !tried.refreshed {
        return Next::Refresh;
    }
    if wants_the_other_host(fault.kind()) && !tried.fell_back {
        return Next::FallBack;
    }
    // A credential that is refused rests; waiting with it would only hold the downstream up.
    let credential = fault.kind().blame() == Blame::Credential;
    if fault.may_retry_same() && !credential {
        again(fault.retry_after(), tried, max_retries)
    } else if fault.may_fail_over() {
        Next::Elsewhere
    } else {
        Next::GiveUp
    }
}

/// Whether what follows a failure is paid from the budget of retries: it burdens an upstream that has just
/// failed. Another credential is no burden where the first one is to blame, which then rests.
pub(crate) fn costs(next: Next, failure: &Failure) -> bool {
    match next {
        Next::Again(_) => true,
        Next::Elsewhere => match failure {
            Failure::Fault(fault) => fault.kind().blame() == Blame::Service,
            _ => false,
        },
        Next::Refresh | Next::FallBack | Next::GiveUp => false,
    }
}

impl Failure {
    /// A short name in snake case, for metrics: what the service refused by, or how the attempt broke.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Fault(fault) => fault.kind().as_str(),
            Self::Unreachable => "unreachable",
            Self::LeftAlone(_) => "left_alone",
            Self::Broken => "broken",
            Self::Silent => "silent",
            Self::Malformed => "malformed",
            Self::Unsendable(_) => "unsendable",
            Self::NoProfile(_) => "no_profile",
        }
    }

    /// Whether the host failed by itself, so that another request is not likely to fare better.
    pub(crate) fn is_the_hosts(&self) -> bool {
        match self {
            Self::Unreachable | Self::Broken => true,
            Self::Fault(fault) => host_failed(fault.kind()),
            Self::LeftAlone(_)
            | Self::Silent
            | Self::Malformed
            | Self::Unsendable(_)
            | Self::NoProfile(_) => false,
        }
    }

    /// Whether the host answered, so that it works.
    pub(crate) fn is_an_answer(&self) -> bool {
        matches!(self, Self::Fault(_)) && !self.is_the_hosts()
    }
}

/// Faults by which a host says that it does not work.
fn host_failed(kind: FaultKind) -> bool {
    matches!(kind, FaultKind::Internal | FaultKind::Timeout)
}

/// Faults that the legacy host may not have: it knows other paths, and serves some logins without the ARN
/// that the runtime host wants. [`Repair`] says what could be done about a fault by whoever can do it; this, what is done here.
fn wants_the_other_host(kind: FaultKind) -> bool {
    matches!(
        kind,
        FaultKind::UnknownOperation | FaultKind::ProfileRequired
    )
}

fn again(hint: Option<Duration>, tried: Tried, max_retries: u32) -> Next {
    if tried.attempts > max_retries {
        return Next::GiveUp;
    }
    match hint {
        Some(hint) if hint > LONGEST_PAUSE => Next::GiveUp,
        Some(hint) => Next::Again(hint),
        None => {
            let doublings = tried.attempts.saturating_sub(1).min(8);
            Next::Again((FIRST_BACKOFF * 2_u32.pow(doublings)).min(LONGEST_BACKOFF))
        }
    }
}

/// Spreads a pause by up to a quarter in either direction, so that exchanges that failed together do
/// not come back together. `random` is any random byte.
pub(crate) fn jittered(pause: Duration, random: u8) -> Duration {
    pause.mul_f64(0.75 + f64::from(random) / 510.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, HeaderValue};

    fn fault(status: u16, body: &str) -> Failure {
        let status = http::StatusCode::from_u16(status).unwrap();
        Failure::Fault(Fault::from_response(
            status,
            &HeaderMap::new(),
            body.as_bytes(),
        ))
    }

    #[test]
    fn what_the_service_repeats_of_a_token_is_no_part_of_the_log() {
        let token = "aoaAAAAAGkTn3secretsecretsecret:MGUCMQDsignature";
        let body = format!(r#"{{"message":"The token {token} is not liked."}}"#);
        let logged = fault(400, &body).for_log();
        assert!(logged.contains("is not liked"), "{logged}");
        assert!(!logged.contains("secretsecret"), "{logged}");
    }

    /// What a new kind of fault means here has to be thought of.
    #[test]
    fn every_kind_of_fault_is_the_hosts_or_an_answer_of_one_that_works() {
        let by_host = |kind: &&FaultKind| host_failed(**kind);
        let by_host: Vec<_> = FaultKind::ALL.iter().filter(by_host).collect();
        assert_eq!(by_host, [&FaultKind::Internal, &FaultKind::Timeout]);
        let of_service = |kind: &&FaultKind| kind.blame() == Blame::Service;
        let of_service: Vec<_> = FaultKind::ALL.iter().filter(of_service).collect();
        // The host works, and the model is busy, or the answer too long; nobody knows what an unknown one means.
        let works = [
            FaultKind::Capacity,
            FaultKind::OutputLimit,
            FaultKind::Other,
        ];
        assert_eq!(of_service.len(), by_host.len() + works.len());
        assert!(works.iter().all(|kind| of_service.contains(&kind)));
    }

    fn bad_bearer() -> Failure {
        fault(
            403,
            r#"{"message":"The bearer token included in the request is invalid.","reason":null}"#,
        )
    }

    fn tried(attempts: u32) -> Tried {
        Tried {
            attempts,
            ..Tried::default()
        }
    }

    #[test]
    fn a_rejected_token_is_replaced_exactly_once() {
        assert_eq!(next(&bad_bearer(), tried(1), 3), Next::Refresh);
        assert_eq!(
            next(
                &bad_bearer(),
                Tried {
                    refreshed: true,
                    ..tried(2)
                },
                3
            ),
            Next::Elsewhere
        );
    }

    #[test]
    fn the_legacy_host_is_tried_once_for_exactly_the_stated_conditions() {
        let unknown = || fault(404, r#"{"__type":"UnknownOperationException"}"#);
        let no_profile = || {
            fault(
                400,
                r#"{"message":"profileArn is required for this request.","reason":null}"#,
            )
        };
        for failure in [
            unknown(),
            fault(405, ""),
            no_profile(),
            Failure::Unreachable,
        ] {
            assert_eq!(next(&failure, tried(1), 3), Next::FallBack, "{failure:?}");
        }
        for failure in [unknown(), no_profile()] {
            let tried = Tried {
                fell_back: true,
                ..tried(2)
            };
            assert_eq!(next(&failure, tried, 3), Next::GiveUp, "{failure:?}");
        }
        for failure in [
            fault(
                400,
                r#"{"message":"Improperly formed request.","reason":null}"#,
            ),
            fault(
                400,
                r#"{"message":"The provided credential is invalid.","reason":null}"#,
            ),
            fault(429, r#"{"reason":"USER_REQUEST_RATE_EXCEEDED"}"#),
            fault(500, ""),
            Failure::Broken,
            Failure::Silent,
        ] {
            assert_ne!(next(&failure, tried(1), 3), Next::FallBack, "{failure:?}");
        }
    }

    #[test]
    fn a_refused_credential_gives_way_to_another() {
        for (status, body) in [
            (429, r#"{"reason":"USER_REQUEST_RATE_EXCEEDED"}"#),
            (402, r#"{"reason":"MONTHLY_REQUEST_COUNT"}"#),
            (403, r#"{"reason":"TEMPORARILY_SUSPENDED"}"#),
        ] {
            assert_eq!(
                next(&fault(status, body), tried(1), 3),
                Next::Elsewhere,
                "{body}"
            );
        }
    }

    #[test]
    fn a_mistake_of_the_caller_is_never_repeated() {
        for body in [
            r#"{"message":"Improperly formed request.","reason":null}"#,
            r#"{"message":"Input is too long.","reason":"CONTENT_LENGTH_EXCEEDS_THRESHOLD"}"#,
        ] {
            assert_eq!(next(&fault(400, body), tried(1), 3), Next::GiveUp);
        }
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_end_with_the_retries() {
        let pauses: Vec<Next> = (1..=7)
            .map(|n| next(&fault(500, ""), tried(n), 6))
            .collect();
        let again = |ms| Next::Again(Duration::from_millis(ms));
        let expected = [
            again(500),
            again(1000),
            again(2000),
            again(4000),
            again(8000),
            again(8000),
            Next::GiveUp,
        ];
        assert_eq!(pauses, expected);
    }

    #[test]
    fn the_servers_hint_is_obeyed_when_it_is_short_and_passed_on_when_it_is_long() {
        let limited = |seconds: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", HeaderValue::from_static(seconds));
            Failure::Fault(Fault::from_response(
                http::StatusCode::SERVICE_UNAVAILABLE,
                &headers,
                b"",
            ))
        };
        assert_eq!(
            next(&limited("7"), tried(1), 3),
            Next::Again(Duration::from_secs(7))
        );
        assert_eq!(next(&limited("31"), tried(1), 3), Next::GiveUp);
    }

    #[test]
    fn jitter_stays_within_a_quarter() {
        let pause = Duration::from_secs(4);
        assert_eq!(jittered(pause, 0), Duration::from_secs(3));
        assert_eq!(jittered(pause, 255), Duration::from_secs(5));
    }
}
