//! An access token and the facts of its credential that a request needs.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::freshness::{Freshness, Margins, freshness, time_left};
use crate::credential::{Credential, CredentialId};
use crate::login::{ApiHost, Login};
use crate::secret::Secret;

/// An access token as it was when it was asked for. Cheap to clone; it does not change when the
/// credential is refreshed.
#[derive(Debug, Clone)]
pub struct AccessToken(Arc<Handle>);

/// One of several handles to the same token. Clones of one handle count their holders in one place, which
/// two processors cannot write at the same time; each count has a cache line of its own.
#[derive(Debug)]
#[repr(align(64))]
struct Handle(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    secret: Secret,
    generation: u64,
    margins: Margins,
    credential: Credential,
}

/// When an access token is good, apart from the token.
#[derive(Debug, Clone, Copy)]
pub(super) struct Life {
    expires: bool,
    expires_at: Option<SystemTime>,
    margins: Margins,
}

impl AccessToken {
    /// `lifetime` is known for a token of our own refresh only.
    pub(super) fn new(
        secret: Secret,
        credential: Credential,
        generation: u64,
        lifetime: Option<Duration>,
        jitter: f64,
    ) -> Self {
        Self::of(Arc::new(Inner {
            secret,
            generation,
            margins: Margins::of(lifetime, jitter),
            credential,
        }))
    }

    /// The token, for the `authorization: Bearer` header.
    pub fn secret(&self) -> &Secret {
        &self.inner().secret
    }

    /// Every secret of the credential, this token among them: for those who keep secrets out of what others read.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let credential = &self.inner().credential;
        let others = [
            &credential.access_token,
            &credential.refresh_token,
            &credential.client_secret,
        ];
        std::iter::once(self.secret()).chain(others.into_iter().flatten())
    }

    /// Counts the access tokens of this credential; see [`TokenSource::reject`](super::TokenSource::reject).
    pub fn generation(&self) -> u64 {
        self.inner().generation
    }

    /// When it expires, if it does.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.inner().credential.expires_at
    }

    /// The name of its credential.
    pub fn credential_id(&self) -> CredentialId {
        self.inner().credential.id
    }

    /// How its credential was obtained.
    pub fn login(&self) -> Login {
        self.inner().credential.login
    }

    /// The value of the `TokenType` header, if one must be sent.
    pub fn token_type(&self) -> Option<&'static str> {
        self.login().token_type()
    }

    /// The profile that is known for the credential. What to send to a host is
    /// [`profile_arn_for`](Self::profile_arn_for).
    pub fn profile_arn(&self) -> Option<&str> {
        self.inner().credential.profile_arn.as_deref()
    }

    /// The profile ARN to send to a host; `None` means to leave the member out. See
    /// [`Login::profile_arn`].
    pub fn profile_arn_for(&self, host: ApiHost) -> Option<&str> {
        self.login().profile_arn(host, self.profile_arn())
    }

    /// The region of the service; see [`service_region`](crate::service_region).
    pub fn api_region(&self) -> &str {
        self.inner().credential.service_region()
    }

    /// The region of the sign-in service.
    pub fn auth_region(&self) -> &str {
        self.inner().credential.login_region()
    }

    pub(super) fn life(&self) -> Life {
        Life {
            expires: self.login().expires(),
            expires_at: self.expires_at(),
            margins: self.inner().margins,
        }
    }

    pub(super) fn freshness(&self, now: SystemTime) -> Freshness {
        self.life().freshness(now)
    }

    /// Whether it may still be used when refreshing fails.
    pub(super) fn is_last_resort(&self, now: SystemTime) -> bool {
        let life = self.life();
        !life.expires || time_left(life.expires_at, now) > life.margins.last_resort
    }

    /// The same token, with news about its credential.
    pub(super) fn with_facts_of(&self, credential: Credential) -> Self {
        Self::of(Arc::new(Inner {
            secret: self.inner().secret.clone(),
            generation: self.inner().generation,
            margins: self.inner().margins,
            credential,
        }))
    }

    /// The same token by another handle.
    pub(super) fn again(&self) -> Self {
        Self::of(Arc::clone(self.inner()))
    }

    /// Whether both are handles to the same token and the same facts.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(self.inner(), other.inner())
    }

    fn of(inner: Arc<Inner>) -> Self {
        Self(Arc::new(Handle(inner)))
    }

    fn inner(&self) -> &Arc<Inner> {
        &self.0.0
    }
}

impl Life {
    pub(super) fn freshness(&self, now: SystemTime) -> Freshness {
        if self.expires {
            freshness(self.expires_at, now, &self.margins)
        } else {
            Freshness::Fresh
        }
    }
}

/// What the operator says about a credential, over what its store says. Never written to the store.
///
/// ```
/// use kiro_auth::Overrides;
///
/// let mut overrides = Overrides::default();
/// overrides.api_region = Some("eu-central-1".into());
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Overrides {
    /// The profile that pays.
    pub profile_arn: Option<String>,
    /// The region of the sign-in service.
    pub auth_region: Option<String>,
    /// The region of the service.
    pub api_region: Option<String>,
    /// The region of the service where neither the operator nor the credential names one. It counts more than
    /// what the profile or the login suggest.
    pub default_api_region: Option<String>,
}

impl Overrides {
    pub(super) fn over(&self, credential: &Credential) -> Credential {
        let mut result = credential.clone();
        let replace = |slot: &mut Option<String>, by: &Option<String>| {
            if by.is_some() {
                slot.clone_from(by);
            }
        };
        replace(&mut result.profile_arn, &self.profile_arn);
        replace(&mut result.auth_region, &self.auth_region);
        replace(&mut result.api_region, &self.api_region);
        if result.api_region.is_none() {
            replace(&mut result.api_region, &self.default_api_region);
        }
        result
    }
}
