//! What goes wrong with a credential, sorted by what the caller can do about it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::pool::RestReason;

/// A credential could not be read, refreshed, saved or chosen.
///
/// `Display` and the sources may name a path or a host and go to the log; they never hold a secret.
/// Cloning is cheap, because every caller that waits for one refresh receives the same error.
#[derive(Debug, Clone)]
pub struct AuthError {
    kind: AuthErrorKind,
    message: Cow<'static, str>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// Retry, rotate, or tell the operator? Complete: each asks for something else of whoever reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthErrorKind {
    /// The credential is dead: its refresh token is revoked, expired, or used up by another holder, or
    /// nobody is signed in. Somebody must sign in again; the credential revives by itself when what its
    /// store holds changes.
    SignedOut,
    /// The sign-in service could not be reached or could not answer. Another attempt may succeed.
    Transient,
    /// A setting or the content of a credential makes no sense. The operator must correct it.
    Misconfigured,
    /// The store could not be read or written.
    StoreFailed,
    /// Every credential of the pool rests or is out.
    NoneAvailable {
        /// When the next one returns; `None` when none returns by itself.
        until: Option<SystemTime>,
        /// Why the one that returns first is resting; `None` for an empty pool.
        why: Option<RestReason>,
    },
}

impl AuthError {
    /// An error of this kind. The message is one lower-case phrase without a full stop and without a
    /// secret.
    pub fn new(kind: AuthErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// Adds the cause, for the log.
    #[must_use]
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// As [`with_source`](Self::with_source), for a cause whose type is not known.
    #[cfg(feature = "hyper")]
    #[must_use]
    pub(crate) fn with_boxed(mut self, source: Box<dyn std::error::Error + Send + Sync>) -> Self {
        self.source = Some(Arc::from(source));
        self
    }

    /// What the caller can do about it.
    pub fn kind(&self) -> AuthErrorKind {
        self.kind
    }

    pub(crate) fn signed_out(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(AuthErrorKind::SignedOut, message)
    }

    pub(crate) fn transient(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(AuthErrorKind::Transient, message)
    }

    pub(crate) fn misconfigured(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(AuthErrorKind::Misconfigured, message)
    }

    pub(crate) fn store_failed(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(AuthErrorKind::StoreFailed, message)
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for AuthError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.source {
            Some(source) => Some(&**source),
            None => None,
        }
    }
}
