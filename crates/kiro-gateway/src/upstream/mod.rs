//! The way to Kiro: attempts until the commit point, then a stream of reply events.

mod attempt;
mod budget;
mod circuit;
mod connection;
mod control;
mod hosted;
mod options;
mod order;
mod profile;
mod refusal;
mod reply;
mod retry;
mod target;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use kiro_auth::{CredentialId, Lease, LeaseRequest};
use kiro_protocol::request::WireProfile;

pub use options::UpstreamOptions;
pub(crate) use order::Order;
pub(crate) use refusal::SIGNATURE_REFUSED;
pub(crate) use reply::ReplyStream;
#[cfg(feature = "redis")]
pub(crate) use retry::jittered;

use crate::body::DynError;
use crate::clock::seconds_since_epoch;
use crate::error::{Error, ErrorKind};
use crate::options::Timeouts;
use crate::pace::Paces;
use crate::tenant::Tenant;
use budget::Budget;
use circuit::Circuits;
use connection::Connections;
pub(crate) use retry::Failure;
use retry::{Next, Tried};

/// The upstream, shared by all exchanges.
#[derive(Debug)]
pub(crate) struct Upstream {
    connections: Arc<Connections>,
    options: UpstreamOptions,
    /// Seconds since the epoch of the last answer, good or bad; 0 before the first.
    last_answer: Arc<AtomicU64>,
    /// Attempts in a row that found nobody.
    unreachable: Arc<AtomicU64>,
    paces: Arc<Paces>,
    budget: Arc<Budget>,
    circuits: Arc<Circuits>,
    /// Retries, and retries that the budget did not allow.
    retries: Arc<AtomicU64>,
    unaffordable: Arc<AtomicU64>,
}

/// How the upstream is doing, for the health page.
#[derive(Debug, serde::Serialize)]
#[cfg_attr(feature = "pages", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "pages", schemars(rename = "HealthReach"))]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reach {
    /// Nothing was sent yet.
    Unknown,
    /// The last attempt was answered.
    Reachable,
    /// The last attempts found nobody.
    Unreachable,
}

impl Upstream {
    pub(crate) fn new(
        options: UpstreamOptions,
        tls: rustls::ClientConfig,
        timeouts: &Timeouts,
        paces: Arc<Paces>,
    ) -> Self {
        Self {
            connections: Arc::new(Connections::new(tls, timeouts.connect)),
            options,
            last_answer: Arc::default(),
            unreachable: Arc::default(),
            paces,
            budget: Arc::new(Budget::new()),
            circuits: Arc::default(),
            retries: Arc::default(),
            unaffordable: Arc::default(),
        }
    }

    /// Shares what a predecessor knows of the other side, as its last exchanges go on learning.
    pub(crate) fn succeed(&mut self, old: &Self, paces: &Arc<Paces>) {
        self.last_answer = old.last_answer.clone();
        self.unreachable = old.unreachable.clone();
        self.paces = paces.clone();
        self.budget = old.budget.clone();
        self.circuits = old.circuits.clone();
        self.retries = old.retries.clone();
        self.unaffordable = old.unaffordable.clone();
    }

    /// Opens a reply: attempts until the first event that carries meaning, with everything that may
    /// happen before the downstream has seen a byte.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection of the attempt under way; the lease is settled as
    /// abandoned.
    pub(crate) async fn open(&self, tenant: &Tenant, order: &Order) -> Result<ReplyStream, Error> {
        self.budget.earn();
        let mut tried = Tried::default();
        let mut avoid: Vec<CredentialId> = Vec::new();
        let mut last: Option<Error> = None;
        loop {
            let wish = LeaseRequest {
                avoid: &avoid,
                affinity: order.affinity,
            };
            let mut lease = match tenant.pool.lease_with(wish).await {
                Ok(lease) => lease,
                Err(error) => {
                    return Err(
                        last.unwrap_or_else(|| refusal::no_credential(error, tenant.is_house()))
                    );
                }
            };
            let credential = lease.credential_id();
            let profile = self.profile_for(&lease, &mut tried);
            tried.attempts += 1;
            order.attempts.begin(credential);
            let take = order.tape.attempt(&profile.name, false);
            let attempt = async {
                self.find_profile(&tenant.finding_profile, &mut lease)
                    .await?;
                self.attempt(order, &lease, profile, tried.attempts, &take)
                    .await
            };
            // On the heap: all that waits for it would be moved with it.
            let failure = match Box::pin(attempt).await {
                Ok(opened) => {
                    order.attempts.opened();
                    return Ok(opened.with_lease(lease));
                }
                Err(failure) => failure,
            };
            order.attempts.failed(&failure);
            take.failed(&failure);
            let next = retry::next(&failure, tried, self.options.max_retries);
            let next = self.affordable(next, &failure);
            tracing::warn!(failure = failure.for_log(), ?next, attempt = tried.attempts, profile = %profile.name, "attempt failed");
            let reset = match refusal::is_out_of_quota(&failure) {
                true => self.quota_reset(tenant, &lease).await,
                false => None,
            };
            refusal::settle(lease, &failure, reset);
            last = Some(refusal::error(failure, tenant.is_house(), Some(order)));
            match next {
                Next::Refresh => tried.refreshed = true,
                Next::FallBack => tried.fell_back = true,
                Next::Again(pause) => {
                    tokio::time::sleep(retry::jittered(pause, random_byte())).await
                }
                Next::Elsewhere => avoid.push(credential),
                Next::GiveUp => break,
            }
        }
        // Every way out of the loop has left an error behind.
        Err(last.unwrap_or_else(|| Error::new(ErrorKind::Internal, "No attempt was made.")))
    }

    /// When the quota of this credential is full again, if the upstream says. What else it says is remembered:
    /// a credential that rests is not asked.
    async fn quota_reset(&self, tenant: &Tenant, lease: &Lease) -> Option<SystemTime> {
        let limits = Box::pin(self.exhausted_limits(lease)).await?;
        tenant.quotas.note(lease.credential_id(), &limits);
        let reset = Duration::from_secs(limits.next_reset?);
        SystemTime::UNIX_EPOCH.checked_add(reset)
    }

    /// What follows a failure, as far as the budget of retries allows it.
    fn affordable(&self, next: Next, failure: &Failure) -> Next {
        if !retry::costs(next, failure) {
            return next;
        }
        if self.budget.spend() {
            self.retries.fetch_add(1, Ordering::Relaxed);
            return next;
        }
        self.unaffordable.fetch_add(1, Ordering::Relaxed);
        tracing::warn!("too much fails at the moment for another attempt");
        Next::GiveUp
    }

    /// Retries so far, and those that the budget did not allow.
    pub(crate) fn retries(&self) -> (u64, u64) {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (load(&self.retries), load(&self.unaffordable))
    }

    /// The hosts that are left alone because they failed again and again.
    pub(crate) fn hosts_left_alone(&self) -> Vec<String> {
        self.circuits.open()
    }

    /// The envelope for this attempt: the operator's choice or the login's, or its fallback.
    fn profile_for(&self, lease: &Lease, tried: &mut Tried) -> &'static WireProfile {
        let own = self
            .options
            .wire_profiles
            .get(&lease.credential_id())
            .copied();
        let first = own
            .or(self.options.wire_profile)
            .unwrap_or_else(|| target::first_profile(lease.token().login()));
        match first.fallback() {
            Some(fallback) if tried.fell_back => fallback,
            Some(_) => first,
            // Nothing to fall back to is the same as having fallen back.
            None => {
                tried.fell_back = true;
                first
            }
        }
    }

    /// How the upstream is doing.
    pub(crate) fn reach(&self) -> Reach {
        match (
            self.unreachable.load(Ordering::Relaxed),
            self.last_answer.load(Ordering::Relaxed),
        ) {
            (0, 0) => Reach::Unknown,
            (0, _) => Reach::Reachable,
            _ => Reach::Unreachable,
        }
    }

    /// Seconds since the epoch of the last answer.
    pub(crate) fn last_answer(&self) -> Option<u64> {
        Some(self.last_answer.load(Ordering::Relaxed)).filter(|at| *at > 0)
    }

    fn note(&self, answered: bool) {
        if answered {
            self.unreachable.store(0, Ordering::Relaxed);
            self.last_answer
                .store(seconds_since_epoch(), Ordering::Relaxed);
        } else {
            self.unreachable.fetch_add(1, Ordering::Relaxed);
        }
    }
}

pub(crate) fn random_byte() -> u8 {
    kiro_auth::chance::number().to_le_bytes()[0]
}
