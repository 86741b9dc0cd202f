//! The small calls: the list of models, and what is left of a quota.

use std::time::Duration;

use http::Uri;
use kiro_auth::{AccessToken, CredentialId, Lease, LeaseRequest, Outcome, Pool};
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
    /// What is left of the quota of a credential that was just refused for it, if the upstream says. The refusal
    /// itself does not even say when it is full again.
    pub(super) async fn exhausted_limits(&self, lease: &Lease) -> Option<UsageLimits> {
        let asking = tokio::time::timeout(RESET_TIMEOUT, self.usage_limits(lease));
        match asking.await.unwrap_or(Err(Failure::Silent)) {
            Ok(limits) => Some(limits),
            Err(failure) => {
                tracing::debug!(
                    failure = failure.for_log(),
                    "cannot ask when the quota is full again"
                );
                None
            }
        }
    }

    /// What is left of the quota of one credential of a pool. `finding` is held while its profile is looked for.
    ///
    /// Nothing that goes wrong here lets the credential rest: some organisations let an account talk to models and
    /// not ask this. Only a refused token is refreshed.
    ///
    /// # Errors
    ///
    /// As an exchange; there is no retry but the one with a fresh token.
    pub(crate) async fn limits(
        &self,
        pool: &Pool,
        credential: CredentialId,
        is_house: bool,
        finding: &tokio::sync::Mutex<()>,
    ) -> Result<UsageLimits, Error> {
        let others = pool.status().into_iter().map(|status| status.id);
        let others: Vec<CredentialId> = others.filter(|id| *id != credential).collect();
        let mut is_second = false;
        loop {
            let wish = LeaseRequest {
                avoid: &others,
                ..LeaseRequest::default()
            };
            let lease = pool.lease_with(wish).await;
            let mut lease = lease.map_err(|error| refusal::no_credential(error, is_house))?;
            let asking = async {
                self.find_profile(finding, &mut lease).await?;
                self.usage_limits(&lease).await
            };
            let failure = match asking.await {
                Ok(limits) => {
                    lease.settle(Outcome::Success);
                    return Ok(limits);
                }
                Err(failure) => failure,
            };
            tracing::debug!(
                failure = failure.for_log(),
                "cannot ask what is left of a quota"
            );
            let token_was_old =
                matches!(&failure, Failure::Fault(fault) if fault.refresh_may_help());
            if token_was_old {
                lease.settle(Outcome::TokenRejected);
            }
            if is_second || !token_was_old {
                return Err(refusal::error(failure, is_house, None));
            }
            is_second = true;
        }
    }

    /// Some organisations' accounts refuse their own profile here with 400, and answer without it.
    async fn usage_limits(&self, lease: &Lease) -> Result<UsageLimits, Failure> {
        let profile = self.profile_for(lease, &mut Tried::default());
        let base = self.management_base(profile, lease.token())?;
        let mut call = self.call(profile, &base, lease.token());
        match self.usage_limits_of(&call).await {
            Err(Failure::Fault(fault))
                if fault.status() == Some(400)
                    && call.profile_arn.is_some()
                    && !fault.refresh_may_help() =>
            {
                call.profile_arn = None;
                self.usage_limits_of(&call).await
            }
            answered => answered,
        }
    }

    async fn usage_limits_of(&self, call: &Call<'_>) -> Result<UsageLimits, Failure> {
        let request =
            rpc::usage_limits(call, &UsageQuestion::default()).map_err(Failure::Unsendable)?;
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
            let mut lease =
                lease.map_err(|error| refusal::no_credential(error, tenant.is_house()))?;
            let listing = tokio::time::timeout(LIST_TIMEOUT, async {
                self.find_profile(&tenant.finding_profile, &mut lease)
                    .await?;
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
                return Err(refusal::error(failure, tenant.is_house(), None));
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
