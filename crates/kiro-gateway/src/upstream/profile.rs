//! The profile of a login that does not know its own.
//!
//! Identity Center and external logins must name one in every request, and their sign-in does not tell it.
//! So it is asked for once, in every region of the service, because it is often not in that of the login
//! (the public Amazon Q CLI does the same), and kept for the life of the credential.

use std::time::Duration;

use kiro_auth::{AccessToken, Lease, SERVICE_REGIONS};
use kiro_protocol::fault::FaultKind;
use kiro_protocol::request::{KRS_IDE, Region};
use kiro_protocol::rpc::{self, Call, ProfileInfo, ProfileList};

use super::attempt::MAX_ERROR_BODY;
use super::retry::Failure;
use super::{Upstream, target};
use crate::capture::Take;

/// How long one region may take to answer. It does within a second, and somebody waits for it.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Pages of ten profiles that are read in one region.
const MAX_PAGES: usize = 5;

/// Why a login has no profile that could be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoProfile {
    /// There is none in any region.
    None,
    /// Somebody has to choose among these; their names for people.
    Several(Vec<String>),
}

impl Upstream {
    /// Finds the profile of a lease whose login needs one and does not know it. `finding` is held meanwhile.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the next caller asks again.
    pub(super) async fn find_profile(
        &self,
        finding: &tokio::sync::Mutex<()>,
        lease: &mut Lease,
    ) -> Result<(), Failure> {
        if !lacks_profile(lease.token()) {
            return Ok(());
        }
        // One at a time: those who come together wait for the one who asks, and then know.
        let _one = finding.lock().await;
        lease.look_again();
        if !lacks_profile(lease.token()) {
            return Ok(());
        }
        let asking = Box::pin(self.profiles_everywhere(lease.token()));
        let arn = only_one(asking.await?)?;
        tracing::info!(credential = %lease.credential_id(), "found the profile of the login");
        lease.set_profile_arn(arn);
        Ok(())
    }

    /// The profiles of all regions. One region that fails does not matter as long as another answers.
    async fn profiles_everywhere(&self, token: &AccessToken) -> Result<Vec<ProfileInfo>, Failure> {
        let mut profiles: Vec<ProfileInfo> = Vec::new();
        let mut answered = false;
        let mut failure = None;
        for region in regions(token.auth_region(), self.options.endpoint.is_some()) {
            let listing = tokio::time::timeout(TIMEOUT, self.profiles_in(region, token));
            match listing.await.unwrap_or(Err(Failure::Silent)) {
                Ok(found) => {
                    answered = true;
                    profiles.extend(found);
                }
                Err(refused) if is_refused_token(&refused) => return Err(refused),
                Err(failed) => {
                    tracing::debug!(?failed, region, "no list of profiles from this region");
                    failure = Some(failed);
                }
            }
        }
        match failure {
            Some(failure) if !answered => Err(failure),
            _ => Ok(profiles),
        }
    }

    async fn profiles_in(
        &self,
        region: &str,
        token: &AccessToken,
    ) -> Result<Vec<ProfileInfo>, Failure> {
        let base = match &self.options.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => Region::new(region)
                .ok()
                .and_then(|region| KRS_IDE.management_base(&region).ok())
                .ok_or(Failure::Unreachable)?,
        };
        let mut profiles = Vec::new();
        let mut next = None;
        for _ in 0..MAX_PAGES {
            let mut call = Call::new(&KRS_IDE, &base, token.secret().expose());
            call.token_type = token.token_type();
            call.user_agent = &self.options.user_agent;
            let request =
                rpc::list_profiles(&call, next.as_deref()).map_err(Failure::Unsendable)?;
            let mut body = self.send(request, &Take::default()).await?;
            let page = ProfileList::parse(&body.read_up_to(MAX_ERROR_BODY).await);
            let page = page.map_err(|error| {
                tracing::warn!(%error, "the list of profiles cannot be read");
                Failure::Malformed
            })?;
            profiles.extend(page.profiles);
            next = page.next_token;
            if next.is_none() {
                break;
            }
        }
        Ok(profiles)
    }
}

/// Whether requests with this token need a profile that nobody knows yet.
fn lacks_profile(token: &AccessToken) -> bool {
    let host = target::api_host(target::first_profile(token.login()).host_kind);
    token.login().needs_own_profile() && token.profile_arn_for(host).is_none()
}

fn is_refused_token(failure: &Failure) -> bool {
    matches!(failure, Failure::Fault(fault) if fault.kind() == FaultKind::TokenRejected)
}

/// The regions to ask: those of the same partition as the login, each partition being a world of its own. An
/// endpoint override stands for all regions.
fn regions(auth_region: &str, overridden: bool) -> impl Iterator<Item = &'static str> {
    let is_gov = |region: &str| region.starts_with("us-gov-");
    let same = is_gov(auth_region);
    let regions = SERVICE_REGIONS.into_iter();
    let most = if overridden { 1 } else { SERVICE_REGIONS.len() };
    regions
        .filter(move |region| is_gov(region) == same)
        .take(most)
}

fn only_one(mut profiles: Vec<ProfileInfo>) -> Result<String, Failure> {
    // A region may list the profiles of another.
    profiles.sort_by(|one, other| one.arn.cmp(&other.arn));
    profiles.dedup_by(|one, other| one.arn == other.arn);
    match profiles.len() {
        0 => Err(Failure::NoProfile(NoProfile::None)),
        1 => Ok(profiles.remove(0).arn),
        _ => {
            let name = |profile: ProfileInfo| profile.name.unwrap_or_else(|| "unnamed".to_owned());
            let names = profiles.into_iter().map(name).collect();
            Err(Failure::NoProfile(NoProfile::Several(names)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_region_of_the_partition_is_asked() {
        let asked = |region, overridden| regions(region, overridden).collect::<Vec<_>>();
        assert_eq!(asked("eu-west-1", false), ["us-east-1", "eu-central-1"]);
        assert_eq!(
            asked("us-gov-west-1", false),
            ["us-gov-east-1", "us-gov-west-1"]
        );
        assert_eq!(asked("ap-southeast-1", true).len(), 1);
    }
}
