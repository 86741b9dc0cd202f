//! `GET /admin/usage`: what is left of each of the gateway's own accounts, and who has spent it within the last hour.

use std::sync::Arc;

use http::Response;

use super::document_of_now;
use super::snapshot::{Account, Row};
use crate::body::Body;
use crate::clock::seconds_since_epoch;
use crate::endpoint::usage::insists;
use crate::error::Error;
use crate::quota::{Asker, Standing};
use crate::shared::Shared;

/// All that is known of use.
#[derive(Debug, serde::Serialize)]
#[cfg_attr(feature = "pages", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "pages", schemars(rename = "AdminUsage"))]
pub(crate) struct Usage {
    /// Seconds since the epoch.
    now: u64,
    /// The share below which little is left; 0 warns of nothing.
    warn_below: f64,
    /// The accounts of which something is known, as one.
    whole: Option<Standing>,
    /// The gateway's own accounts.
    accounts: Vec<Aged>,
    /// The last hour by tenant, those who bring a login of their own included.
    tenants: Vec<Row>,
}

/// An account, and how old what is known of it is.
#[derive(Debug, serde::Serialize)]
#[cfg_attr(feature = "pages", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "pages", schemars(rename = "AdminUsageAccount"))]
struct Aged {
    #[serde(flatten)]
    account: Account,
    /// Seconds since the service said what is in `quota`.
    quota_age_seconds: Option<u64>,
}

/// Answers, after asking what is due.
pub(super) async fn answer(shared: &Arc<Shared>, query: &str) -> Result<Response<Body>, Error> {
    let insist = insists(query)?;
    if let Some(asker) = Asker::of_house(shared) {
        asker.refresh(insist).await;
    }
    Ok(document_of_now(&Usage::of(shared)))
}

impl Usage {
    fn of(shared: &Shared) -> Self {
        let now = seconds_since_epoch();
        let accounts = Account::all(shared);
        let known: Vec<Standing> = accounts
            .iter()
            .filter_map(|it| it.quota().cloned())
            .collect();
        let threshold = shared.tenants.threshold();
        let accounts = accounts.into_iter().map(|account| Aged {
            quota_age_seconds: account
                .quota()
                .map(|quota| now.saturating_sub(quota.fetched_at)),
            account,
        });
        Self {
            now,
            warn_below: threshold.share(),
            whole: Standing::together(&known, threshold),
            accounts: accounts.collect(),
            tenants: Row::all(&shared.counters.observation.seen().tenants),
        }
    }
}
