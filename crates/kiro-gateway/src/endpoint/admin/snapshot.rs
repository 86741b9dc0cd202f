//! What is told, as it is written.

use std::time::{SystemTime, UNIX_EPOCH};

use kiro_auth::{AuthErrorKind, CredentialStatus, Login, RestReason};

use crate::clock::seconds_since_epoch;
use crate::observation::{self, CELL_SECONDS, Seen};
use crate::quota::{Quotas, Standing};
use crate::shared::Shared;

/// All that an operator sees at one moment.
#[derive(Debug, serde::Serialize)]
#[cfg_attr(feature = "pages", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "pages", schemars(rename = "AdminSnapshot"))]
pub(crate) struct Snapshot {
    version: &'static str,
    uptime_seconds: u64,
    /// How long one cell is.
    cell_seconds: u64,
    #[serde(flatten)]
    change: Change,
}

/// What may have changed. Of the cells and the errors only those that are new.
#[derive(Debug, serde::Serialize)]
#[cfg_attr(feature = "pages", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "pages", schemars(rename = "AdminChange"))]
pub(crate) struct Change {
    /// Seconds since the epoch.
    now: u64,
    /// The number of the newest cell.
    newest: u64,
    /// What was counted, the newest last.
    cells: Vec<Cell>,
    /// What is under way, the oldest first.
    live: Vec<Live>,
    /// The last hour by model.
    models: Vec<Row>,
    /// The last hour by tenant.
    tenants: Vec<Row>,
    /// The gateway's own accounts.
    accounts: Vec<Account>,
    /// The newest first.
    errors: Vec<Failure>,
}

/// What was counted within one length of time.
#[derive(Debug, serde::Serialize)]
#[cfg_attr(feature = "pages", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "pages", schemars(rename = "AdminCell"))]
struct Cell {
    /// Exchanges that ended, failures and those that were left included.
    ended: u32,
    failed: u32,
    cancelled: u32,
    prompt_tokens: u64,
    output_tokens: u64,
    credits: f64,
    /// Half of the first events came within this time.
    first_event_p50_ms: Option<u32>,
    /// Nearly all of them did within this one.
    first_event_p95_ms: Option<u32>,
}

/// The last hour of a model or a tenant.
#[derive(Debug, serde::Serialize)]
#[cfg_attr(feature = "pages", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "pages", schemars(rename = "AdminRow"))]
pub(super) struct Row {
    name: String,
    #[serde(flatten)]
    cell: Cell,
}

/// An exchange that is under way.
#[derive(Debug, serde::Serialize)]
#[cfg_attr(feature = "pages", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "pages", schemars(rename = "AdminLive"))]
struct Live {
    request_id: String,
    surface: &'static str,
    /// Not known before the key is read.
    tenant: Option<String>,
    /// Not known before the request is read.
    model: Option<String>,
    stream: bool,
    age_ms: u64,
    first_event_ms: Option<u64>,
}

/// An account of the gateway's own.
#[derive(Debug, serde::Serialize)]
#[cfg_attr(feature = "pages", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "pages", schemars(rename = "AdminAccount"))]
pub(super) struct Account {
    /// As the log calls it.
    name: String,
    /// How it was signed in; unknown until it has been read.
    login: Option<&'static str>,
    /// `usable`, `resting` or `broken`.
    state: &'static str,
    /// Why it is not usable.
    reason: Option<String>,
    /// What to do about it.
    remedy: Option<&'static str>,
    /// Until when it rests, in seconds since the epoch.
    resting_until: Option<u64>,
    /// When its access token expires, in seconds since the epoch. It is renewed before.
    token_expires_at: Option<u64>,
    /// Exchanges that use it.
    in_use: usize,
    /// Unknown while the service does not tell.
    quota: Option<Standing>,
    /// Why it is unknown, where the service was asked.
    quota_unknown_because: Option<String>,
}

/// An exchange that failed.
#[derive(Debug, serde::Serialize)]
#[cfg_attr(feature = "pages", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "pages", schemars(rename = "AdminError"))]
struct Failure {
    number: u64,
    /// Seconds since the epoch.
    at: u64,
    kind: &'static str,
    code: Option<&'static str>,
    status: Option<u16>,
    /// What to do about it.
    remedy: &'static str,
    surface: &'static str,
    tenant: Option<String>,
    model: Option<String>,
    /// By which the log tells more.
    request_id: String,
}

impl Snapshot {
    pub(super) fn of(shared: &Shared) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            uptime_seconds: shared.started.elapsed().as_secs(),
            cell_seconds: CELL_SECONDS,
            change: Change::since(shared, None, None),
        }
    }
}

impl Change {
    /// What is new after this cell and this error.
    pub(super) fn since(shared: &Shared, cell: Option<u64>, error: Option<u64>) -> Self {
        let seen = shared.counters.observation.seen();
        let live = seen.live.iter().map(|live| Live::of(live, &seen)).collect();
        let (newest, cells) = seen.whole;
        let old = match cell {
            // The one that was the newest has grown.
            Some(cell) => {
                let new = newest.saturating_sub(cell).saturating_add(1);
                cells
                    .len()
                    .saturating_sub(usize::try_from(new).unwrap_or(usize::MAX))
            }
            None => 0,
        };
        let is_new = |failure: &&observation::Failure| error.is_none_or(|old| failure.number > old);
        Self {
            now: seconds_since_epoch(),
            newest,
            cells: cells[old..].iter().map(Cell::of).collect(),
            live,
            models: Row::all(&seen.models),
            tenants: Row::all(&seen.tenants),
            accounts: Account::all(shared),
            errors: seen
                .failures
                .iter()
                .take_while(is_new)
                .map(Failure::of)
                .collect(),
        }
    }

    /// The newest cell, and the newest error if there is one.
    pub(super) fn newest(&self) -> (u64, Option<u64>) {
        (self.newest, self.errors.first().map(|error| error.number))
    }

    /// The same at another time.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let text = |change: &Self| {
            let members = (&change.cells, &change.live, &change.models, &change.tenants);
            let rest = (&change.accounts, &change.errors, change.newest);
            // Strings and numbers always serialize.
            serde_json::to_string(&(members, rest)).unwrap_or_default()
        };
        text(self) == text(other)
    }
}

impl Cell {
    fn of(cell: &observation::Cell) -> Self {
        Self {
            ended: cell.ended,
            failed: cell.failed,
            cancelled: cell.cancelled,
            prompt_tokens: cell.prompt_tokens,
            output_tokens: cell.output_tokens,
            credits: cell.credits,
            first_event_p50_ms: cell.first_events.quantile(0.5),
            first_event_p95_ms: cell.first_events.quantile(0.95),
        }
    }
}

impl Row {
    pub(super) fn all(rows: &[(std::sync::Arc<str>, observation::Cell)]) -> Vec<Self> {
        let rows = rows.iter().map(|(name, cell)| Self {
            name: name.to_string(),
            cell: Cell::of(cell),
        });
        rows.collect()
    }
}

impl Live {
    fn of(live: &observation::Live, seen: &Seen) -> Self {
        let age = seen.now.saturating_duration_since(live.began);
        Self {
            request_id: live.request_id.to_string(),
            surface: live.surface,
            tenant: live.tenant.as_deref().map(str::to_owned),
            model: live.model.as_deref().map(str::to_owned),
            stream: live.stream,
            age_ms: age.as_millis() as u64,
            first_event_ms: live.first_event.map(|time| time.as_millis() as u64),
        }
    }
}

impl Account {
    /// The gateway's own, in the order of the pool.
    pub(super) fn all(shared: &Shared) -> Vec<Self> {
        let accounts = shared.tenants.house().map(|house| house.status());
        let accounts = accounts.into_iter().flatten();
        let quotas = shared.tenants.quotas();
        accounts.map(|one| Self::of(&one, quotas)).collect()
    }

    /// What is known of its quota.
    pub(super) fn quota(&self) -> Option<&Standing> {
        self.quota.as_ref()
    }

    fn of(status: &CredentialStatus, quotas: &Quotas) -> Self {
        let error = status.last_error.as_ref();
        let (state, reason, remedy) = match (&status.resting, error) {
            (Some((reason, _)), _) => {
                let (word, remedy) = of_rest(*reason);
                ("resting", Some(word.to_owned()), Some(remedy))
            }
            (None, Some(error)) => {
                let remedy = of_error(error.kind());
                ("broken", Some(error.to_string()), Some(remedy))
            }
            (None, None) => ("usable", None, None),
        };
        Self {
            name: status.id.to_string(),
            login: status.login.map(Login::title),
            state,
            reason,
            remedy,
            resting_until: status.resting.map(|(_, until)| seconds(until)),
            token_expires_at: status.expires_at.map(seconds),
            in_use: status.leases,
            quota: quotas.standing(&status.id),
            quota_unknown_because: quotas
                .refusal(&status.id)
                .map(|why| why.public_message().to_owned()),
        }
    }
}

impl Failure {
    fn of(failure: &observation::Failure) -> Self {
        let (kind, remedy) = observation::remedy(failure.kind);
        let exchange = &failure.exchange;
        Self {
            number: failure.number,
            at: failure.at,
            kind,
            code: failure.code,
            status: failure.status.map(|status| status.as_u16()),
            remedy,
            surface: exchange.surface,
            tenant: exchange.tenant.as_deref().map(str::to_owned),
            model: exchange.model.as_deref().map(str::to_owned),
            request_id: exchange.request_id.to_string(),
        }
    }
}

fn of_rest(reason: RestReason) -> (&'static str, &'static str) {
    match reason {
        RestReason::RateLimited => (
            "rate limited",
            "It comes back by itself. If it happens often, add an account.",
        ),
        RestReason::QuotaExhausted => (
            "quota used up",
            "It comes back when the quota is full again. Add an account to go on before.",
        ),
        RestReason::Suspended => ("suspended", "Talk to the provider of the account."),
        RestReason::Denied => (
            "denied",
            "It is tried again by itself. If it goes on, look at what the account may do.",
        ),
    }
}

fn of_error(kind: AuthErrorKind) -> &'static str {
    match kind {
        AuthErrorKind::SignedOut => "Sign in again with Kiro, or replace the token.",
        AuthErrorKind::Misconfigured => "Correct the setting that the reason names.",
        AuthErrorKind::StoreFailed => "See that the file or the store can be read and written.",
        AuthErrorKind::Transient | AuthErrorKind::NoneAvailable { .. } => {
            "It is tried again by itself. If it goes on, the log has more."
        }
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
