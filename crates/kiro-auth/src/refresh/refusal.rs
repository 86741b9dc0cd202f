//! Why a sign-in service did not give a new token, and what that means for the credential.

use std::time::Duration;

use http::StatusCode;

use crate::error::AuthError;

/// The answer of a sign-in service that is not a new token.
///
/// Nothing of the answer's text is kept: it may repeat the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The refresh token is revoked, expired, or used up by another holder; at the end of a sign-in, the
    /// code is.
    #[error("the token or code was refused (status {status})")]
    Dead {
        /// The status of the answer.
        status: StatusCode,
    },
    /// The registration of our OIDC client has expired, and the refresh token with it.
    #[error("the client registration was refused (status {status})")]
    Unregistered {
        /// The status of the answer.
        status: StatusCode,
    },
    /// No new account is let in without an invitation.
    #[error("the sign-in service lets nobody new in without an invitation (status {status})")]
    Uninvited {
        /// The status of the answer.
        status: StatusCode,
    },
    /// Something in front of the service turned us away; the token may be good.
    #[error("the sign-in service is shielded from us (status {status})")]
    Blocked {
        /// The status of the answer.
        status: StatusCode,
    },
    /// Too many requests.
    #[error("the sign-in service is throttling (status {status})")]
    Throttled {
        /// The status of the answer.
        status: StatusCode,
        /// How long to wait, if the service says (`retry-after` in seconds).
        retry_after: Option<Duration>,
    },
    /// The service failed.
    #[error("the sign-in service failed (status {status})")]
    Failed {
        /// The status of the answer.
        status: StatusCode,
    },
    /// The service calls our request malformed.
    #[error("the sign-in service did not understand the request (status {status})")]
    Malformed {
        /// The status of the answer.
        status: StatusCode,
    },
    /// An answer nobody has described. The credential is given the benefit of the doubt.
    #[error("the sign-in service gave an answer that was not understood (status {status})")]
    Unclear {
        /// The status of the answer.
        status: StatusCode,
    },
}

impl Refusal {
    /// Whether to ask again at once, or rather after a moment. A block at the edge is not helped by that,
    /// and an unclear answer would only be repeated.
    pub fn may_retry(&self) -> bool {
        matches!(self, Self::Throttled { .. } | Self::Failed { .. })
    }

    /// How long the service asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl From<Refusal> for AuthError {
    fn from(refusal: Refusal) -> Self {
        let error = match refusal {
            Refusal::Dead { .. } => AuthError::signed_out("the credential must be signed in again"),
            Refusal::Unregistered { .. } => {
                AuthError::signed_out("the client must be registered and signed in again")
            }
            Refusal::Uninvited { .. } => AuthError::signed_out("the account needs an invitation"),
            Refusal::Malformed { .. } => AuthError::misconfigured("the refresh was rejected"),
            Refusal::Blocked { .. }
            | Refusal::Throttled { .. }
            | Refusal::Failed { .. }
            | Refusal::Unclear { .. } => AuthError::transient("the refresh failed for the moment"),
        };
        error.with_source(refusal)
    }
}
