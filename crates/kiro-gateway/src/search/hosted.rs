//! Whether the service hosts a search for an account.

use std::time::Duration;

use kiro_protocol::rpc::HostedTool;
use tokio::time::Instant;

use super::NAME;
use crate::error::Error;
use crate::tenant::Tenant;
use crate::upstream::Upstream;

/// How long an answer is believed.
const LIVE_FOR: Duration = Duration::from_secs(3600);

/// What is known of the search of one tenant.
#[derive(Debug, Default)]
pub(crate) struct Hosted {
    /// Held while somebody asks, so that those who come together ask once.
    known: tokio::sync::Mutex<Option<Known>>,
}

#[derive(Debug)]
struct Known {
    search: Option<HostedTool>,
    until: Instant,
}

impl Hosted {
    /// The search, as the service describes it; `None` where it hosts none.
    ///
    /// # Errors
    ///
    /// As an exchange, when the service does not say. That is not remembered.
    pub(super) async fn search(
        &self,
        upstream: &Upstream,
        tenant: &Tenant,
    ) -> Result<Option<HostedTool>, Error> {
        let mut known = self.known.lock().await;
        if let Some(known) = &*known
            && Instant::now() < known.until
        {
            return Ok(known.search.clone());
        }
        let tools = upstream.hosted_tools(tenant).await?;
        let search = tools.into_iter().find(|tool| tool.name == NAME);
        *known = Some(Known {
            search: search.clone(),
            until: Instant::now() + LIVE_FOR,
        });
        Ok(search)
    }
}
