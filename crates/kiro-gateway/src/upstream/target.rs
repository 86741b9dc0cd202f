//! Where a credential's requests go: the facts of kiro-auth in the words of kiro-protocol.

use http::Uri;
use kiro_auth::{AccessToken, ApiHost, Login};
use kiro_protocol::request::{CLI, HostKind, KRS_IDE, Region, Target, WireProfile};

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
        target.token_type = token.token_type();
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

/// The envelope to begin with for a login.
pub(super) fn first_profile(login: Login) -> &'static WireProfile {
    match login.speaks_cli() {
        true => &CLI,
        false => &KRS_IDE,
    }
}
