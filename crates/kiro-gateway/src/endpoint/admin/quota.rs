//! What is left of the quota of each account, asked for while somebody looks, and seldom.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kiro_auth::{CredentialId, LeaseRequest};
use kiro_protocol::rpc::UsageLimits;
use tokio::time::Instant;

use crate::shared::Shared;

/// How long an answer stands. The service counts with a delay of minutes itself.
const FRESH: Duration = Duration::from_secs(300);

/// How long all questions together may take: somebody waits for a page.
const PATIENCE: Duration = Duration::from_secs(5);

/// The quotas, as far as they are known.
#[derive(Debug, Default)]
pub(super) struct Quotas {
    known: Mutex<HashMap<CredentialId, Quota>>,
    /// When they were asked for. Held while somebody asks.
    asked: tokio::sync::Mutex<Option<Instant>>,
}

/// The quota of one account.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
#[cfg_attr(feature = "pages", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "pages", schemars(rename = "AdminQuota"))]
pub(crate) struct Quota {
    /// What the account has subscribed to.
    title: Option<String>,
    /// What was used, in the service's units.
    used: f64,
    /// What there is.
    limit: f64,
    /// When it is full again, in seconds since the epoch.
    resets_at: Option<u64>,
}

impl Quotas {
    /// Asks, unless it was asked lately or somebody else is about to. An account that rests is not asked: why it
    /// rests is known.
    pub(super) async fn refresh(&self, shared: &Shared) {
        let Ok(mut asked) = self.asked.try_lock() else {
            return;
        };
        if asked.is_some_and(|asked| asked.elapsed() < FRESH) {
            return;
        }
        *asked = Some(Instant::now());
        if tokio::time::timeout(PATIENCE, self.ask(shared))
            .await
            .is_err()
        {
            tracing::debug!("the quotas did not come in time");
        }
    }

    async fn ask(&self, shared: &Shared) {
        let Some(house) = shared.tenants.house() else {
            return;
        };
        let mut seen = Vec::new();
        for _ in 0..house.len() {
            let request = LeaseRequest {
                avoid: &seen,
                ..LeaseRequest::default()
            };
            let Ok(lease) = house.lease_with(request).await else {
                return;
            };
            let id = lease.credential_id();
            if seen.contains(&id) {
                return;
            }
            if let Some(limits) = shared.upstream.limits(&lease).await {
                self.known().insert(id, Quota::of(&limits));
            }
            seen.push(id);
        }
    }

    pub(super) fn of(&self, id: &CredentialId) -> Option<Quota> {
        self.known().get(id).cloned()
    }

    /// An entry is written in one step.
    fn known(&self) -> MutexGuard<'_, HashMap<CredentialId, Quota>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Quota {
    fn of(limits: &UsageLimits) -> Self {
        let sum = |part: fn(&kiro_protocol::rpc::UsageBreakdown) -> Option<f64>| {
            limits.breakdown.iter().filter_map(part).sum()
        };
        let resets = limits.breakdown.iter().find_map(|part| part.next_reset);
        Self {
            title: limits.subscription.title.clone(),
            used: sum(|part| part.used),
            limit: sum(|part| part.limit),
            resets_at: limits.next_reset.or(resets),
        }
    }
}
