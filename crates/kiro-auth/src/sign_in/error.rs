//! Why a sign-in came to nothing.

use std::time::Duration;

use crate::error::AuthError;
use crate::refresh::Refusal;

/// A sign-in came to nothing. `Display` says what the person can do about it.
///
/// It holds no secret: of an address or an answer nothing is kept but the name of an OAuth error.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SignInError {
    /// The device code has expired before somebody approved it.
    #[error("the code expired before it was approved: start the sign-in again")]
    Expired,
    /// Nobody came back from the browser.
    #[error(
        "nobody came back from the browser within {} s: start the sign-in again, or paste the address \
         that the browser ends at",
        waited.as_secs()
    )]
    Abandoned {
        /// How long was waited.
        waited: Duration,
    },
    /// The person refused.
    #[error("access was refused in the browser")]
    Denied,
    /// The address belongs to another sign-in, or somebody made it up.
    #[error("the address belongs to another sign-in: use the one that this sign-in ends at")]
    WrongState,
    /// The address holds no code.
    #[error("the address holds no code: use the one that the browser ends at, whole")]
    NoCode,
    /// The browser came back with an error.
    #[error("the sign-in ended in the browser with {error:?}")]
    Rejected {
        /// The OAuth error, `server_error` for example.
        error: String,
    },
    /// The browser came back with a way to sign in that is not known here.
    #[error("the way of signing in that was chosen, {option:?}, is not supported")]
    Unsupported {
        /// The portal's name for it.
        option: String,
    },
    /// No port is free for the browser to come back to.
    #[error("no port is free for the browser to come back to: paste the address that it ends at")]
    NoPort,
    /// A sign-in service refused, or failed for too long.
    #[error("the sign-in service did not give what was asked for")]
    Refused(#[source] Refusal),
    /// A service could not be asked, or a setting makes no sense.
    #[error(transparent)]
    Failed(#[from] AuthError),
}

#[cfg(feature = "hyper")]
impl From<crate::refresh::Failure> for SignInError {
    fn from(failure: crate::refresh::Failure) -> Self {
        use crate::refresh::Failure;
        match failure {
            Failure::Refused(refusal) => Self::Refused(refusal),
            Failure::Unreachable(error) => Self::Failed(error),
        }
    }
}

impl SignInError {
    /// Whether it may help to start again, with nothing changed.
    pub fn may_start_again(&self) -> bool {
        match self {
            Self::Expired
            | Self::Abandoned { .. }
            | Self::WrongState
            | Self::NoCode
            | Self::Rejected { .. } => true,
            Self::Refused(refusal) => !matches!(
                refusal,
                Refusal::Uninvited { .. } | Refusal::Malformed { .. }
            ),
            Self::Failed(error) => error.kind() == crate::AuthErrorKind::Transient,
            Self::Denied | Self::Unsupported { .. } | Self::NoPort => false,
        }
    }
}

/// A word of a stranger as it may be shown: letters, digits and a few marks, not many.
pub(super) fn shown(word: &str) -> String {
    const MAX_CHARS: usize = 40;
    word.chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
        .take(MAX_CHARS)
        .collect()
}
