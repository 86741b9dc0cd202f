//! The seam between a credential that needs a new token and whoever can get one.

use std::fmt;
use std::time::Duration;

use crate::BoxFuture;
use crate::credential::{Credential, DEFAULT_LIFETIME};
use crate::error::AuthError;
use crate::secret::Secret;

/// Exchanges a refresh token for a new access token.
///
/// It is asked once at a time for each credential; [`TokenSource`](crate::TokenSource) sees to that, to
/// saving the result, and to asking again later.
pub trait Refresher: Send + Sync + fmt::Debug {
    /// Refreshes the credential.
    ///
    /// # Errors
    ///
    /// [`SignedOut`](crate::AuthErrorKind::SignedOut) when the refresh token is dead for good,
    /// [`Transient`](crate::AuthErrorKind::Transient) when another attempt may succeed,
    /// [`Misconfigured`](crate::AuthErrorKind::Misconfigured) when something is missing to even ask.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: a rotated token may be lost with the answer. The caller runs it to its end.
    fn refresh<'a>(
        &'a self,
        credential: &'a Credential,
    ) -> BoxFuture<'a, Result<Refreshed, AuthError>>;
}

/// What a refresh has brought.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refreshed {
    /// The new access token.
    pub access_token: Secret,
    /// How long it lives. Default: one hour, which is what the services have been seen to give.
    pub expires_in: Duration,
    /// The new refresh token, if the old one was replaced; the old one is then dead or soon will be.
    pub refresh_token: Option<Secret>,
    /// The profile, which Kiro's own sign-in tells.
    pub profile_arn: Option<String>,
}

impl Refreshed {
    /// A new access token that lives for an hour, and nothing else new.
    pub fn new(access_token: impl Into<Secret>) -> Self {
        Self {
            access_token: access_token.into(),
            expires_in: DEFAULT_LIFETIME,
            refresh_token: None,
            profile_arn: None,
        }
    }

    /// With another life.
    #[must_use]
    pub fn with_expires_in(mut self, expires_in: Duration) -> Self {
        self.expires_in = expires_in;
        self
    }

    /// With a refresh token that replaces the old one.
    #[must_use]
    pub fn with_refresh_token(mut self, token: impl Into<Secret>) -> Self {
        self.refresh_token = Some(token.into());
        self
    }
}
