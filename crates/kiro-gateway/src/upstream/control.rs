//! The small calls: the list of models, and when a quota is full again.

use std::time::{Duration, SystemTime};

use http::Uri;
use kiro_auth::{AccessToken, Lease, Outcome};
use kiro_protocol::request::WireProfile;
use kiro_protocol::rpc::{self, Call, ModelInfo, ModelList, UsageLimits, UsageQuestion};

use super::attempt::MAX_ERROR_BODY;
use super::retry::{Failure, Tried};
use super::{Upstream, refusal, target};
use crate::capture::Take;
use crate::error::Error;
use crate::tenant::Tenant;

/// How long the list of models may take. It answers within a second, and somebody waits for it.
const LIST_TIMEOUT: Duration = Duration::from_secs(10);

/// Pages that are asked for at most. One is what the service gives.
const MAX_PAGES: usize = 10;

/// Bytes of one page that are read at most; twenty models have about twelve kilobytes.
const MAX_PAGE_BYTES: usize = 16 * MAX_ERROR_BODY;

/// How long the question for the reset of a quota may take: somebody waits for another credential.
const RESET_TIMEOUT: Duration = Duration::from_secs(3);

impl Upstream {
    /// When the quota of this credential is full again, if the upstream says. The refusal itself does not.
    pub(super) async fn quota_reset(&self, lease: &Lease) -> Option<SystemTime> {
        let asking = tokio::time::timeout(RESET_TIMEOUT, self.usage_limits(lease));
        match asking.await.unwrap_or(Err(Failure::Silent)) {
            Ok(limits) => {
                let reset = Duration::from_secs(limits.next_reset?);
                SystemTime::UNIX_EPOCH.checked_add(reset)
            }
            Err(failure) => {
                tracing::debug!(?failure, "cannot ask when the quota is full again");
                None
            }
        }
    }

    /// What is left of the quota of this credential, if the upstream says.
    pub(crate) async fn limits(&self, lease: &Lease) -> Option<UsageLimits> {
        match self.usage_limits(lease).await {
            Ok(limits) => Some(limits),
            Err(failure) => {
                tracing::debug!(?failure, "cannot ask what is left of a quota");
                None
            }
        }
    }

    async fn usage_limits(&self, lease: &Lease) -> Result<UsageLimits, Failure> {
        let profile = self.profile_for(lease, &mut Tried::default());
        let base = self.management_base(profile, lease.token())?;
        let call = self.call(profile, &base, lease.token());
        let request =
            rpc::usage_limits(&call, &UsageQuestion::default()).map_err(Failure::Unsendable)?;
        let mut body = self.send(request, &Take::default()).await?;
        UsageLimits::parse(&body.read_up_to(MAX_ERROR_BODY).await).map_err(|error| {
            tracing::warn!(%error, "the usage limits cannot be read");
            Failure::Malformed
        })
    }

    /// A small call with everything that depends on the credential.
    fn call<'a>(
        &'a self,
        profile: &'a WireProfile,
        base: &'a Uri,
        token: &'a AccessToken,
    ) -> Call<'a> {
        let mut call = Call::new(profile, base, token.secret().expose());
        call.token_type = token.token_type();
        call.profile_arn = token.profile_arn_for(target::api_host(profile.management_host_kind));
        call.user_agent = &self.options.user_agent;
        call
    }

    /// The models that a tenant's credential may use.
    ///
    /// # Errors
    ///
    /// As an exchange; there is no retry but the one with a fresh token.
    pub(crate) async fn list_models(&self, tenant: &Tenant) -> Result<Vec<ModelInfo>, Error> {
        for attempt in 0.. {
            let lease = tenant.pool.lease().await;
            let mut lease = lease.map_err(|error| refusal::no_credential(error, tenant))?;
            let listing = tokio::time::timeout(LIST_TIMEOUT, async {
                self.find_profile(tenant, &mut lease).await?;
                self.all_pages(&lease).await
            });
            let failure = match listing.await.unwrap_or(Err(Failure::Silent)) {
                Ok(models) => {
                    lease.settle(Outcome::Success);
                    return Ok(models);
                }
                Err(failure) => failure,
            };
            let token_was_old =
                matches!(&failure, Failure::Fault(fault) if fault.refresh_may_help());
            refusal::settle(lease, &failure, None);
            if attempt > 0 || !token_was_old {
                return Err(refusal::error(failure, tenant, None));
            }
        }
        Ok(Vec::new())
    }

    async fn all_pages(&self, lease: &Lease) -> Result<Vec<ModelInfo>, Failure> {
        let profile = self.profile_for(lease, &mut Tried::default());
        let mut models = Vec::new();
        let mut next = None;
        for _ in 0..MAX_PAGES {
            let page = self.page(profile, lease.token(), next.as_deref()).await?;
            models.extend(page.models);
            next = page.next_token;
            if next.is_none() {
                break;
            }
        }
        Ok(models)
    }

    async fn page(
        &self,
        profile: &WireProfile,
        token: &AccessToken,
        next: Option<&str>,
    ) -> Result<ModelList, Failure> {
        let base = self.management_base(profile, token)?;
        let call = self.call(profile, &base, token);
        let request = rpc::list_models(&call, next).map_err(Failure::Unsendable)?;
        let mut body = self.send(request, &Take::default()).await?;
        let page = ModelList::parse(&body.read_up_to(MAX_PAGE_BYTES).await);
        page.map_err(|error| {
            tracing::warn!(%error, "the list of models cannot be read");
            Failure::Malformed
        })
    }
}
