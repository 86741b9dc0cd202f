//! The small calls: the list of models.

use std::time::Duration;

use kiro_auth::{AccessToken, Lease, Outcome};
use kiro_protocol::request::WireProfile;
use kiro_protocol::rpc::{self, Call, ModelInfo, ModelList};

use super::attempt::MAX_ERROR_BODY;
use super::retry::{Failure, Tried};
use super::{Upstream, refusal, target};
use crate::error::Error;
use crate::tenant::Tenant;

/// How long the list of models may take. It answers within a second, and somebody waits for it.
const LIST_TIMEOUT: Duration = Duration::from_secs(10);

/// Pages that are asked for at most. One is what the service gives.
const MAX_PAGES: usize = 10;

/// Bytes of one page that are read at most; twenty models have about twelve kilobytes.
const MAX_PAGE_BYTES: usize = 16 * MAX_ERROR_BODY;

impl Upstream {
    /// The models that a tenant's credential may use.
    ///
    /// # Errors
    ///
    /// As an exchange; there is no retry but the one with a fresh token.
    pub(crate) async fn list_models(&self, tenant: &Tenant) -> Result<Vec<ModelInfo>, Error> {
        for attempt in 0.. {
            let lease = tenant.pool.lease().await;
            let lease = lease.map_err(|error| refusal::no_credential(error, tenant))?;
            let listing = tokio::time::timeout(LIST_TIMEOUT, self.all_pages(&lease));
            let failure = match listing.await.unwrap_or(Err(Failure::Silent)) {
                Ok(models) => {
                    lease.settle(Outcome::Success);
                    return Ok(models);
                }
                Err(failure) => failure,
            };
            let token_was_old =
                matches!(&failure, Failure::Fault(fault) if fault.refresh_may_help());
            refusal::settle(lease, &failure);
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
        let mut call = Call::new(profile, &base, token.secret().expose());
        call.token_type = token.token_type();
        call.profile_arn = token.profile_arn_for(target::api_host(profile.management_host_kind));
        call.user_agent = &self.options.user_agent;
        let request = rpc::list_models(&call, next).map_err(Failure::Unsendable)?;
        let mut body = self.send(request).await?;
        let page = ModelList::parse(&body.read_up_to(MAX_PAGE_BYTES).await);
        page.map_err(|error| {
            tracing::warn!(%error, "the list of models cannot be read");
            Failure::Malformed
        })
    }
}
