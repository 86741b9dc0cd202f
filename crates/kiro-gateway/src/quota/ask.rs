//! Asking the service, for those who want to know.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use kiro_auth::{CredentialId, CredentialStatus, Pool, RestReason};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::cache::Quotas;
use crate::error::{Error, ErrorKind};
use crate::shared::Shared;
use crate::tenant::Tenant;

/// How long one answer may take. It comes within a second, and somebody waits.
const PATIENCE: Duration = Duration::from_secs(5);

/// Questions at the same time, of one who asks.
const MOST_AT_ONCE: usize = 8;

/// What is left of the credential that served, when that is little.
const REMAINING: HeaderName = HeaderName::from_static("x-kiro-quota-remaining");

/// Whose quotas are asked for.
#[derive(Clone)]
pub(crate) struct Asker {
    shared: Arc<Shared>,
    pub(crate) quotas: Arc<Quotas>,
    pool: Pool,
    is_house: bool,
}

impl Asker {
    /// For the credentials that serve a caller.
    pub(crate) fn of(shared: &Arc<Shared>, tenant: &Tenant) -> Self {
        Self {
            shared: shared.clone(),
            quotas: tenant.quotas.clone(),
            pool: tenant.pool.clone(),
            is_house: tenant.is_house(),
        }
    }

    /// For the gateway's own, if it has any.
    pub(crate) fn of_house(shared: &Arc<Shared>) -> Option<Self> {
        Some(Self {
            shared: shared.clone(),
            quotas: shared.tenants.quotas().clone(),
            pool: shared.tenants.house()?.clone(),
            is_house: true,
        })
    }

    /// The credentials, in the order of the pool.
    pub(crate) fn credentials(&self) -> Vec<CredentialStatus> {
        self.pool.status()
    }

    /// Asks for what is due, or for all that may be asked if somebody insists, and waits for the answers; not for
    /// those that are slow, which the next one will find.
    pub(crate) async fn refresh(&self, insist: bool) {
        let asked = self.begin(insist);
        let all = async {
            for one in asked {
                // Its panic would be in the log, and its answer is merely not there.
                let _ = one.await;
            }
        };
        let _ = tokio::time::timeout(PATIENCE, all).await;
    }

    /// Asks for what is due without waiting.
    pub(crate) fn begin(&self, insist: bool) -> Vec<JoinHandle<()>> {
        let credentials = self.credentials();
        let ids: Vec<CredentialId> = credentials.iter().map(|it| it.id).collect();
        self.quotas.keep_only(&ids);
        let places = Arc::new(Semaphore::new(MOST_AT_ONCE));
        let worth = credentials
            .into_iter()
            .filter(|it| self.quotas.is_worth_asking(it.id, insist));
        worth
            .map(|credential| {
                let (asker, places) = (self.clone(), places.clone());
                tokio::spawn(async move {
                    // Nobody closes it.
                    let _place = places.acquire().await;
                    asker.ask(credential, insist).await;
                })
            })
            .collect()
    }

    /// Asks about one credential, if it is due.
    async fn ask(&self, credential: CredentialStatus, insist: bool) {
        let id = credential.id;
        let _turn = self.quotas.turn(id).await;
        if !self.quotas.begin(id, insist) {
            return;
        }
        if let Some((reason, _)) = credential.resting {
            self.quotas.note_refusal(id, &rests(reason));
            return;
        }
        let (upstream, finding) = (&self.shared.upstream, &self.quotas.finding_profile);
        let asking = upstream.limits(&self.pool, id, self.is_house, finding);
        let answer = tokio::time::timeout(PATIENCE, asking).await;
        match answer.unwrap_or_else(|_| Err(silent())) {
            Ok(limits) => self.quotas.note(id, &limits),
            Err(error) => {
                tracing::debug!(credential = %id, error = %error.for_log(), "what is left of a quota is not known");
                self.quotas.note_refusal(id, &error);
            }
        }
    }
}

/// Says in the head of an answer that little is left of the credential that gave it; and sees to it that this is
/// known, behind the exchange and at most every five minutes.
pub(crate) fn tell(
    shared: &Arc<Shared>,
    tenant: &Tenant,
    used: Option<CredentialId>,
    headers: &mut HeaderMap,
) {
    let quotas = &tenant.quotas;
    let Some(used) = used.filter(|_| quotas.warns()) else {
        return;
    };
    if let Some(remaining) = quotas.low(&used) {
        // The text of a number is plain ASCII, so this cannot fail.
        let remaining = HeaderValue::from_str(&remaining.to_string());
        headers.extend(remaining.ok().map(|remaining| (REMAINING, remaining)));
    }
    if quotas.is_due(used) {
        let asker = Asker::of(shared, tenant);
        let mut credentials = asker.credentials().into_iter();
        if let Some(credential) = credentials.find(|it| it.id == used) {
            tokio::spawn(async move { asker.ask(credential, false).await });
        }
    }
}

/// An account that rests is left alone: why it rests is known.
fn rests(reason: RestReason) -> Error {
    let (kind, why) = match reason {
        RestReason::RateLimited => (ErrorKind::RateLimited, "it has sent too many requests"),
        RestReason::QuotaExhausted => (ErrorKind::QuotaExhausted, "its quota is used up"),
        RestReason::Suspended => (ErrorKind::Forbidden, "it is suspended"),
        RestReason::Denied => (ErrorKind::Overloaded, "the upstream has refused it"),
    };
    let message = format!("The Kiro account rests and is not asked: {why}.");
    Error::new(kind, message)
}

fn silent() -> Error {
    let message = format!(
        "The upstream did not say within {} s what is left. Try again in a moment.",
        PATIENCE.as_secs()
    );
    Error::new(ErrorKind::Timeout, message)
}
