//! The refresher of all accounts, which may be replaced beneath them.

use std::sync::Arc;

use arc_swap::ArcSwap;
use kiro_auth::{AuthError, BoxFuture, Credential, HttpRefresher, Refreshed, Refresher};
use kiro_gateway::ProcessState;

/// Asks with the newest settings, also for accounts that are older, and counts what comes of it.
#[derive(Debug)]
pub(crate) struct Renewable {
    refresher: ArcSwap<HttpRefresher>,
    process: Arc<ProcessState>,
}

impl Renewable {
    pub(crate) fn new(refresher: HttpRefresher, process: Arc<ProcessState>) -> Self {
        Self {
            refresher: ArcSwap::from_pointee(refresher),
            process,
        }
    }

    /// Refreshes that are under way end with the old one.
    pub(crate) fn renew(&self, refresher: HttpRefresher) {
        self.refresher.store(refresher.into());
    }
}

impl Refresher for Renewable {
    fn refresh<'a>(
        &'a self,
        credential: &'a Credential,
    ) -> BoxFuture<'a, Result<Refreshed, AuthError>> {
        let refresher = self.refresher.load_full();
        Box::pin(async move {
            let refreshed = refresher.refresh(credential).await;
            self.process.count_refresh(refreshed.is_ok());
            refreshed
        })
    }
}
