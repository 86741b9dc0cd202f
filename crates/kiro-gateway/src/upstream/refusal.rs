//! What a failed attempt means: for the credential, and for the downstream.

use std::time::{Duration, SystemTime};

use kiro_auth::{AuthError, AuthErrorKind, Lease, Outcome, RestReason};
use kiro_protocol::fault::{Fault, FaultKind};

use super::Order;
use super::profile::NoProfile;
use super::retry::Failure;
use crate::error::{Error, ErrorKind, Overflow};
use crate::usage::Prompt;

/// Tells the pool what the attempt taught about the credential. `reset` is when its quota is full again, if
/// that is known.
pub(super) fn settle(lease: Lease, failure: &Failure, reset: Option<SystemTime>) {
    let outcome = match failure {
        Failure::Fault(fault) => outcome(fault.kind(), fault.retry_after(), reset),
        Failure::NoProfile(_) => Outcome::Denied,
        Failure::Unreachable
        | Failure::LeftAlone(_)
        | Failure::Broken
        | Failure::Silent
        | Failure::Malformed
        | Failure::Unsendable(_) => Outcome::Neutral,
    };
    lease.settle(outcome);
}

/// Whether the account has used up the quota that the upstream tells the reset of. A daily one is full again
/// before that.
pub(super) fn is_out_of_quota(failure: &Failure) -> bool {
    let Failure::Fault(fault) = failure else {
        return false;
    };
    fault.kind().is_quota() && fault.kind() != FaultKind::DailyQuota
}

fn outcome(kind: FaultKind, retry_after: Option<Duration>, reset: Option<SystemTime>) -> Outcome {
    match kind {
        FaultKind::Throttled | FaultKind::SpendingTooFast => Outcome::RateLimited { retry_after },
        FaultKind::MonthlyQuota | FaultKind::OverageQuota | FaultKind::DailyQuota => {
            Outcome::QuotaExhausted { until: reset }
        }
        FaultKind::Suspended => Outcome::Suspended,
        FaultKind::TokenRejected => Outcome::TokenRejected,
        FaultKind::AccessDenied | FaultKind::FeatureNotSupported | FaultKind::Forbidden => {
            Outcome::Denied
        }
        // Everything else is the request's fault, the model's or the weather's, not the account's.
        _ => Outcome::Neutral,
    }
}

/// What the downstream is told when no further attempt is made. `house`: whether the credential is the server's own.
/// `order` is what was asked, if it was a conversation.
pub(super) fn error(failure: Failure, house: bool, order: Option<&Order>) -> Error {
    match failure {
        Failure::Fault(fault) => match order {
            Some(order) if fault.kind() == FaultKind::ContextTooLong => {
                too_long(fault, &order.prompt, order.context_window)
            }
            _ => refused(fault, house),
        },
        Failure::Unsendable(reason) => {
            let message = format!("The conversation cannot be sent: {reason}.");
            Error::invalid("messages", None, message)
        }
        Failure::NoProfile(problem) => no_profile(problem, house),
        Failure::Unreachable => Error::new(
            ErrorKind::UpstreamUnreachable,
            "The upstream could not be reached. Try again in a moment; if it stays so, the operator should check the network and `[upstream] endpoint`.",
        ),
        Failure::LeftAlone(wait) => {
            let message = format!(
                "The upstream has failed many times in a row and is left alone for {}. Try again then.",
                for_people(wait)
            );
            Error::new(ErrorKind::Overloaded, message).with_retry_after(Some(wait))
        }
        Failure::Broken => Error::new(
            ErrorKind::UpstreamUnreachable,
            "The connection to the upstream broke before the answer. Try again.",
        ),
        Failure::Silent => Error::new(
            ErrorKind::Timeout,
            "The upstream did not begin to answer in time. Try again, or with a faster model.",
        ),
        Failure::Malformed => Error::new(
            ErrorKind::UpstreamProtocol,
            "The upstream's answer was broken or empty. Try again.",
        ),
    }
}

/// The login has no profile, or more than one. Their ARNs hold the number of an account; the names do not.
fn no_profile(problem: NoProfile, house: bool) -> Error {
    let whose = if house { "The gateway's" } else { "Your" };
    let how = if house {
        "The operator chooses one with PROFILE_ARN, or `profile_arn` of the [[account]]"
    } else {
        "Choose one by sending base64url of a JSON object with `profileArn` after the colon"
    };
    let (kind, message) = match problem {
        NoProfile::None => (
            ErrorKind::Forbidden,
            format!(
                "{whose} Kiro login has no profile in any region. An administrator of the organisation must assign a subscription."
            ),
        ),
        NoProfile::Several(names) => (
            if house {
                ErrorKind::UpstreamAuth
            } else {
                ErrorKind::Unauthorized
            },
            format!(
                "{whose} Kiro login has several profiles: {}. {how}.",
                names.join(", ")
            ),
        ),
    };
    with_code(Error::new(kind, message))
}

/// What the downstream is told when the reply fails after its first event. `prompt` is what it answers, with
/// the window of its model.
pub(super) fn broken_off(failure: Failure, (prompt, window): (&Prompt, u32)) -> Error {
    match failure {
        Failure::Fault(fault) if fault.kind() == FaultKind::ContextTooLong => {
            too_long(fault, prompt, window)
        }
        Failure::Fault(fault) => refused(fault, true),
        Failure::Malformed => Error::new(
            ErrorKind::UpstreamProtocol,
            "The upstream's answer broke off or was damaged; what was sent so far is incomplete. Try again.",
        ),
        _ => Error::new(
            ErrorKind::UpstreamProtocol,
            "The connection to the upstream broke in the middle of the answer; what was sent so far is incomplete. Try again.",
        ),
    }
}

/// Agents compact a conversation when they read this sentence: several match its words, some its code
/// (measured and read in their sources, November 2026). The upstream tells no sizes, so the second number
/// is our estimate, and at least one more than the first.
fn too_long(fault: Fault, prompt: &Prompt, window: u32) -> Error {
    let window = u64::from(window);
    let tokens = prompt.tokens().max(window + 1);
    let message = format!(
        "This model's maximum context length is {window} tokens. However, your messages resulted in {tokens} tokens. Please reduce the length of the messages."
    );
    Error::new(ErrorKind::ContextTooLong, message)
        .with_overflow(Overflow { tokens, window })
        .with_param("messages")
        .with_source(fault)
}

/// A fault as an error. The upstream's own sentence goes downstream only where it speaks about the
/// request; where it speaks about an account, it may hold the account's id.
fn refused(fault: Fault, house: bool) -> Error {
    let (kind, sentence) = meaning(fault.kind(), house);
    let sentence = match sentence {
        Some(sentence) => sentence.to_owned(),
        None => format!("The upstream refused the request: {}", fault.message()),
    };
    let message = match fault.reason() {
        // Users of the original search for this suffix.
        Some(reason) => format!("{sentence} (reason: {reason})"),
        None => sentence,
    };
    let after = fault.retry_after().or_else(|| default_pause(kind));
    let is_signature = fault.kind() == FaultKind::ThinkingSignature;
    let error = with_code(Error::new(kind, message))
        .with_retry_after(after)
        .with_source(fault);
    if is_signature {
        return error.with_code(SIGNATURE_REFUSED);
    }
    if kind == ErrorKind::ContextTooLong {
        error.with_param("messages")
    } else {
        error
    }
}

/// The kind of error, and the sentence for the downstream; none means the upstream's own. Source of the
/// mapping: the table of refusals in `docs/kiro-protocol.md`.
fn meaning(kind: FaultKind, house: bool) -> (ErrorKind, Option<&'static str>) {
    use ErrorKind as E;
    match kind {
        FaultKind::ContextTooLong => (
            E::ContextTooLong,
            Some(
                "The conversation is longer than the model's context window. Please reduce the length of the messages.",
            ),
        ),
        FaultKind::UnknownModel => (
            E::ModelNotFound,
            Some(
                "The model does not exist for this account, or its plan does not include it. GET /v1/models lists what there is.",
            ),
        ),
        FaultKind::InvalidRequest
        | FaultKind::ToolFormat
        | FaultKind::ToolResultMismatch
        | FaultKind::ThinkingSignature
        | FaultKind::InvalidTool
        | FaultKind::InvalidAttachment
        | FaultKind::ConversationRejected => (E::InvalidRequest, None),
        FaultKind::AttachmentTooLarge => (E::TooLarge, None),
        FaultKind::TooLarge => (
            E::TooLarge,
            Some(
                "The request has more bytes than the upstream takes. Send a shorter conversation, or fewer or smaller images.",
            ),
        ),
        FaultKind::TokenRejected if house => (
            E::UpstreamAuth,
            Some(
                "The upstream does not accept the gateway's credential. The operator must sign in again.",
            ),
        ),
        FaultKind::TokenRejected => (
            E::Unauthorized,
            Some(
                "The upstream does not accept the credential that you sent after the colon. Sign in again and send the new refresh token.",
            ),
        ),
        FaultKind::ProfileRequired
        | FaultKind::WrongCredentialShape
        | FaultKind::EncryptionKey
        | FaultKind::NotFound => (
            E::UpstreamAuth,
            Some(
                "The upstream does not accept the credential with this profile or wire profile. The operator should check PROFILE_ARN and `wire_profile`.",
            ),
        ),
        FaultKind::MonthlyQuota | FaultKind::OverageQuota | FaultKind::DailyQuota => (
            E::QuotaExhausted,
            Some(
                "The quota of the Kiro account is used up. It returns with its next period, or with another account.",
            ),
        ),
        FaultKind::Throttled | FaultKind::SpendingTooFast => (
            E::RateLimited,
            Some("The upstream limits the rate of requests of this account. Wait and try again."),
        ),
        FaultKind::Suspended => (
            E::Forbidden,
            Some("The Kiro account is suspended. Its owner must contact the provider's support."),
        ),
        FaultKind::AccessDenied | FaultKind::FeatureNotSupported => (
            E::Forbidden,
            Some(
                "The Kiro account may not make this call; its profile or its subscription does not allow it.",
            ),
        ),
        FaultKind::Forbidden => (
            E::Forbidden,
            Some(
                "The upstream refused the request and did not say why. Check in Kiro itself that the account works; if it does, look for a proxy or a firewall on the gateway's way to the upstream.",
            ),
        ),
        FaultKind::Capacity => (
            E::Overloaded,
            Some(
                "The model has no capacity at the moment. Try again shortly, or use another model.",
            ),
        ),
        FaultKind::Timeout => (E::Timeout, Some("The upstream gave up waiting. Try again.")),
        _ => (
            E::UpstreamRefused,
            Some("The upstream failed to serve the request. Try again."),
        ),
    }
}

/// The code of the refusal of thoughts that somebody else has signed.
pub(crate) const SIGNATURE_REFUSED: &str = "thinking_signature_invalid";

/// SDKs back off by themselves; a number keeps all of them from coming back at once.
fn default_pause(kind: ErrorKind) -> Option<Duration> {
    match kind {
        ErrorKind::RateLimited => Some(Duration::from_secs(8)),
        ErrorKind::Overloaded => Some(Duration::from_secs(5)),
        _ => None,
    }
}

/// Why there is no lease.
pub(super) fn no_credential(error: AuthError, house: bool) -> Error {
    let message = |text: &str| text.to_owned();
    let (kind, text) = match error.kind() {
        AuthErrorKind::SignedOut if house => (
            ErrorKind::UpstreamAuth,
            message("The gateway's Kiro login has ended. The operator must sign in again."),
        ),
        AuthErrorKind::SignedOut => (
            ErrorKind::Unauthorized,
            message(
                "The refresh token that you sent after the colon is not valid any more. Sign in again and send the new one.",
            ),
        ),
        AuthErrorKind::NoneAvailable { why, until } => resting(why, until.and_then(until_from_now)),
        AuthErrorKind::Transient => (
            ErrorKind::UpstreamUnreachable,
            message("The sign-in service could not be reached. Try again in a moment."),
        ),
        // It speaks about what the caller has sent.
        AuthErrorKind::Misconfigured if !house => (
            ErrorKind::Unauthorized,
            format!("The credential that you sent after the colon cannot be used: {error}."),
        ),
        AuthErrorKind::Misconfigured | AuthErrorKind::StoreFailed => (
            ErrorKind::UpstreamAuth,
            message(
                "The gateway's credential cannot be used. The operator will find the reason in the log.",
            ),
        ),
    };
    let after = match error.kind() {
        AuthErrorKind::NoneAvailable {
            until: Some(until), ..
        } => until_from_now(until),
        _ => None,
    };
    with_code(Error::new(kind, text))
        .with_retry_after(after)
        .with_source(error)
}

/// A credential behind the key that does not work is to SDKs what a wrong key is.
fn with_code(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Unauthorized => error.with_code("invalid_api_key"),
        _ => error,
    }
}

fn resting(why: Option<RestReason>, after: Option<Duration>) -> (ErrorKind, String) {
    let (kind, text) = match why {
        Some(RestReason::RateLimited) => (
            ErrorKind::RateLimited,
            "The upstream limits the rate of requests of every account here. Wait and try again.",
        ),
        Some(RestReason::QuotaExhausted) => (
            ErrorKind::QuotaExhausted,
            "The quota of every Kiro account here is used up.",
        ),
        Some(RestReason::Suspended) => (
            ErrorKind::Forbidden,
            "The Kiro account is suspended. Its owner must contact the provider's support.",
        ),
        Some(RestReason::Denied) | None => (
            ErrorKind::Overloaded,
            "No Kiro account is available at the moment.",
        ),
    };
    let returns = after.map_or(String::new(), |after| {
        format!(" The next one returns in {}.", for_people(after))
    });
    (kind, format!("{text}{returns}"))
}

/// A time to wait, rounded up to what people care about.
fn for_people(time: Duration) -> String {
    let seconds = time.as_millis().div_ceil(1000);
    let (count, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7_200 => (seconds.div_ceil(60), "minute"),
        7_200..172_800 => (seconds.div_ceil(3_600), "hour"),
        _ => (seconds.div_ceil(86_400), "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

fn until_from_now(until: SystemTime) -> Option<Duration> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the pool's answer is in wall-clock time"
    )]
    let now = SystemTime::now();
    until.duration_since(now).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The compiler does not ask what a new kind means here, so this does.
    #[test]
    fn every_kind_of_fault_was_thought_of() {
        use FaultKind as F;
        let without_fault_of_the_account = [
            F::ContextTooLong,
            F::UnknownModel,
            F::InvalidRequest,
            F::ToolFormat,
            F::ToolResultMismatch,
            F::ThinkingSignature,
            F::InvalidTool,
            F::InvalidAttachment,
            F::AttachmentTooLarge,
            F::ProfileRequired,
            F::WrongCredentialShape,
            F::ConversationRejected,
            F::Capacity,
            F::Internal,
            F::UnknownOperation,
            F::Timeout,
            F::TooLarge,
            F::OutputLimit,
            F::EncryptionKey,
            F::NotFound,
            F::Other,
        ];
        let neutral = |kind: &F| outcome(*kind, None, None) == Outcome::Neutral;
        let neutral: Vec<F> = F::ALL.iter().copied().filter(neutral).collect();
        assert_eq!(neutral, without_fault_of_the_account);

        let unspoken = |kind: &F| meaning(*kind, true).0 == ErrorKind::UpstreamRefused;
        let unspoken: Vec<F> = F::ALL.iter().copied().filter(unspoken).collect();
        assert_eq!(
            unspoken,
            [F::Internal, F::UnknownOperation, F::OutputLimit, F::Other]
        );
    }

    #[test]
    fn a_time_to_wait_is_said_in_a_unit_that_fits() {
        for (seconds, said) in [
            (0.2, "1 second"),
            (8.0, "8 seconds"),
            (119.5, "2 minutes"),
            (3_600.0, "60 minutes"),
            (7_201.0, "3 hours"),
            (864_000.0, "10 days"),
        ] {
            assert_eq!(for_people(Duration::from_secs_f64(seconds)), said);
        }
    }

    #[test]
    fn who_finds_every_account_resting_is_told_when_the_next_one_returns() {
        let (kind, text) = resting(
            Some(RestReason::QuotaExhausted),
            Some(Duration::from_secs(90)),
        );
        assert_eq!(kind, ErrorKind::QuotaExhausted);
        assert!(
            text.ends_with("The next one returns in 90 seconds."),
            "{text}"
        );
        let (_, text) = resting(None, None);
        assert!(!text.contains("returns"), "{text}");
    }
}
