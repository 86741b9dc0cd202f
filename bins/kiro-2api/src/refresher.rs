//! The refresher of all accounts, which may be replaced beneath them.

use arc_swap::ArcSwap;
use kiro_auth::{AuthError, BoxFuture, Credential, HttpRefresher, Refreshed, Refresher};

/// Asks with the newest settings, also for accounts that are older.
#[derive(Debug)]
pub(crate) struct Renewable(ArcSwap<HttpRefresher>);

impl Renewable {
    pub(crate) fn new(refresher: HttpRefresher) -> Self {
        Self(ArcSwap::from_pointee(refresher))
    }

    /// Refreshes that are under way end with the old one.
    pub(crate) fn renew(&self, refresher: HttpRefresher) {
        self.0.store(refresher.into());
    }
}

impl Refresher for Renewable {
    fn refresh<'a>(
        &'a self,
        credential: &'a Credential,
    ) -> BoxFuture<'a, Result<Refreshed, AuthError>> {
        let refresher = self.0.load_full();
        Box::pin(async move { refresher.refresh(credential).await })
    }
}
