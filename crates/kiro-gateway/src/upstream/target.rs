//! Where a credential's requests go: the facts of kiro-auth in the words of kiro-protocol.

use http::Uri;
use kiro_auth::{AccessToken, ApiHost, Login};
use kiro_protocol::request::{HostKind, LoginKind, Region, Target, TokenType, WireProfile};

use super::Upstream;
use super::retry::Failure;

impl Upstream {
    /// Where inference is served for this token.
    pub(super) fn base(&self, profile: &WireProfile, token: &AccessToken) -> Result<Uri, Failure> {
        if let Some(endpoint) = &self.options.endpoint {
            return Ok(endpoint.clone());
        }
        region(token)
            .and_then(|region| profile.base(&region).ok())
            .ok_or(Failure::Unreachable)
    }

    /// Where the small calls are served for this token.
    pub(super) fn management_base(
        &self,
        profile: &WireProfile,
        token: &AccessToken,
    ) -> Result<Uri, Failure> {
        if let Some(endpoint) = &self.options.endpoint {
            return Ok(endpoint.clone());
        }
        region(token)
            .and_then(|region| profile.management_base(&region).ok())
            .ok_or(Failure::Unreachable)
    }

    /// A target with everything that depends on the token alone.
    pub(super) fn target<'a>(
        &'a self,
        profile: &'a WireProfile,
        base: &'a Uri,
        token: &'a AccessToken,
    ) -> Target<'a> {
        let mut target = Target::new(profile, base, token.secret().expose());
        target.token_type = token_type(token.login());
        target.profile_arn = token.profile_arn_for(api_host(profile.host_kind));
        target.user_agent = &self.options.user_agent;
        target
    }
}

/// A region that has not the form of one would make a host of somebody else.
fn region(token: &AccessToken) -> Option<Region> {
    Region::new(token.api_region())
        .inspect_err(|error| tracing::warn!(%error, "the credential's region is not usable"))
        .ok()
}

pub(super) fn api_host(kind: HostKind) -> ApiHost {
    match kind {
        HostKind::Legacy => ApiHost::Legacy,
        HostKind::Management => ApiHost::Management,
        _ => ApiHost::Runtime,
    }
}

pub(super) fn login_kind(login: Login) -> LoginKind {
    match login {
        Login::BuilderId => LoginKind::BuilderId,
        Login::IdentityCenter => LoginKind::IdentityCenter,
        Login::ExternalIdp => LoginKind::ExternalIdp,
        Login::ApiKey => LoginKind::ApiKey,
        _ => LoginKind::Social,
    }
}

fn token_type(login: Login) -> Option<TokenType> {
    login_kind(login).token_type()
}
