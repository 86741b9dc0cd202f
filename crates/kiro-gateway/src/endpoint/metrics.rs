//! `GET /metrics`: what is measured, in the text form that Prometheus reads.
//!
//! ```text
//! # HELP kiro_gateway_requests Exchanges that have ended, by the status that was sent and by how they ended.
//! # TYPE kiro_gateway_requests counter
//! kiro_gateway_requests_total{surface="chat",model="claude-sonnet-4.5",status="200",ending="complete"} 17
//! ```

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::UNIX_EPOCH;

use http::{HeaderMap, HeaderValue, Response, header};
use kiro_auth::{AuthErrorKind, CredentialId, CredentialState, CredentialStatus};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::body::{self, Body};
use crate::deadline;
use crate::error::{Error, ErrorKind};
use crate::quota::Standing;
use crate::shared::Shared;

const TYPE: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// The page. It needs the admin key where there is one, and otherwise a caller's: who uses what is nobody else's
/// business.
pub(crate) fn answer(shared: &Shared, headers: &HeaderMap) -> Result<Response<Body>, Error> {
    match shared.office.is_open() {
        true => shared.office.admit(headers)?,
        false => drop(shared.tenants.admit(headers)?),
    }
    let mut page = Page(Registry::with_prefix("kiro_gateway"));
    let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
    page.0.register("build", "The program", build);
    shared.counters.metrics.register(&mut page.0);
    exchanges(&mut page, shared);
    upstream(&mut page, shared);
    admission(&mut page, shared);
    let house = shared.tenants.house();
    accounts(
        &mut page,
        &house.map(|house| house.status()).unwrap_or_default(),
    );
    quotas(&mut page, &shared.tenants.quotas().standings());
    let mut text = String::new();
    encode(&mut text, &page.0).map_err(|error| {
        Error::new(ErrorKind::Internal, "The metrics cannot be written.").with_source(error)
    })?;
    let mut response = Response::new(body::full(text.into()));
    response.headers_mut().insert(header::CONTENT_TYPE, TYPE);
    Ok(response)
}

/// What is measured, at one moment.
struct Page(Registry);

/// The labels of one number.
type Labels = Vec<(&'static str, String)>;

impl Page {
    fn counter(&mut self, name: &str, help: &str, value: u64) {
        let counter = Counter::<u64>::default();
        counter.inc_by(value);
        self.0.register(name, help, counter);
    }

    fn counters(&mut self, name: &str, help: &str, rows: impl IntoIterator<Item = (Labels, u64)>) {
        let family = Family::<Labels, Counter>::default();
        for (labels, value) in rows {
            family.get_or_create(&labels).inc_by(value);
        }
        self.0.register(name, help, family);
    }

    fn gauge(&mut self, name: &str, help: &str, value: usize) {
        let gauge = Gauge::<i64>::default();
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        self.0.register(name, help, gauge);
    }

    fn gauges(&mut self, name: &str, help: &str, rows: impl IntoIterator<Item = (Labels, f64)>) {
        let family = Family::<Labels, Gauge<f64, AtomicU64>>::default();
        for (labels, value) in rows {
            family.get_or_create(&labels).set(value);
        }
        self.0.register(name, help, family);
    }
}

fn exchanges(page: &mut Page, shared: &Shared) {
    let count = |count: &AtomicUsize| count.load(Ordering::Relaxed);
    let ended = shared.counters.ended.load(Ordering::Relaxed);
    page.counter("exchanges", "Exchanges that have ended", ended);
    page.gauge(
        "exchanges_active",
        "Exchanges that are under way",
        count(&shared.counters.active),
    );
    page.gauge(
        "streams_active",
        "Exchanges under way whose replies are streamed",
        count(&shared.counters.streams),
    );
    page.counter(
        "log_lines_dropped",
        "Lines of the log that nobody read in time",
        shared.process.dropped_log_lines(),
    );
}

fn upstream(page: &mut Page, shared: &Shared) {
    let (retries, unaffordable) = shared.upstream.retries();
    page.counter("retries", "Attempts after the first", retries);
    page.counter(
        "retries_refused",
        "Attempts that the budget of retries did not allow",
        unaffordable,
    );
    page.gauge(
        "hosts_left_alone",
        "Hosts of the upstream that failed again and again and rest",
        shared.upstream.hosts_left_alone().len(),
    );
    let (came, failed) = shared.process.refreshes();
    let result = |word: &str| vec![("result", word.to_owned())];
    page.counters(
        "token_refreshes",
        "Access tokens that were asked for, by whether they came",
        [(result("ok"), came), (result("failed"), failed)],
    );
    let ceiling = |model: &str| deadline::ceiling(&shared.timeouts, model);
    let paces = shared.paces.all(ceiling);
    let of = |model: &str| vec![("model", model.to_owned())];
    page.gauges(
        "first_event_timeout_seconds",
        "How long the first event of a reply is waited for",
        paces
            .iter()
            .map(|(model, pace)| (of(model), pace.first_event.as_secs_f64())),
    );
    page.gauges(
        "gap_timeout_seconds",
        "How long the next event of a reply is waited for",
        paces
            .iter()
            .map(|(model, pace)| (of(model), pace.gap.as_secs_f64())),
    );
}

fn admission(page: &mut Page, shared: &Shared) {
    page.counter(
        "keys_refused",
        "Requests without a right key, or with a login behind it that does not work",
        shared.brake.refused(),
    );
    page.gauge(
        "short_of_memory",
        "Whether new requests are refused for want of memory",
        usize::from(shared.process.is_short_of_memory()),
    );
    if let Some((taken, waiting)) = shared.admission.taken() {
        page.gauge(
            "places_taken",
            "Places for exchanges that are taken, of `server.max_exchanges`",
            taken,
        );
        page.gauge(
            "requests_queued",
            "Requests that wait for a place, of `server.queue`",
            waiting,
        );
    }
    if let Some(bytes) = shared.admission.memory.taken() {
        page.gauge(
            "body_memory_bytes",
            "Memory that the bodies of requests hold, of `server.max_body_memory`",
            bytes,
        );
    }
    let Some(ledger) = &shared.tally.ledger else {
        return;
    };
    page.counter(
        "requests_unshared",
        "Requests that this gateway's own limits alone let in, because Redis did not answer",
        ledger.unshared(),
    );
    page.gauge(
        "limits_shared",
        "Whether limits are counted with the other gateways at this moment",
        usize::from(!ledger.is_away()),
    );
}

/// The gateway's own, by the names that the log has for them.
fn accounts(page: &mut Page, accounts: &[CredentialStatus]) {
    let of = |account: &CredentialStatus| vec![("account", account.id.to_string())];
    let count = |state| accounts.iter().filter(|one| one.state() == state).count();
    page.gauges(
        "accounts",
        "Accounts of the gateway's own by what they are good for",
        CredentialState::ALL.map(|state| {
            let labels = vec![("state", state.as_str().to_owned())];
            (labels, count(state) as f64)
        }),
    );
    page.gauges(
        "account_usable",
        "Whether an account serves",
        accounts.iter().map(|one| {
            let is_usable = one.state() == CredentialState::Usable;
            (of(one), f64::from(u8::from(is_usable)))
        }),
    );
    page.gauges(
        "account_signed_out",
        "Whether somebody has to sign in again for an account",
        accounts.iter().map(|one| {
            let kind = one.last_error.as_ref().map(|error| error.kind());
            let is_signed_out = kind == Some(AuthErrorKind::SignedOut);
            (of(one), f64::from(u8::from(is_signed_out)))
        }),
    );
    page.gauges(
        "account_leases",
        "Exchanges that use an account",
        accounts.iter().map(|one| (of(one), one.leases as f64)),
    );
    let expiring = accounts.iter().filter_map(|one| {
        let at = one.expires_at?.duration_since(UNIX_EPOCH).ok()?;
        Some((of(one), at.as_secs_f64()))
    });
    page.gauges(
        "account_token_expiry_timestamp_seconds",
        "When the access token of an account expires. It is renewed before",
        expiring,
    );
}

/// What is left of them, as far as it is known: the page asks nobody.
fn quotas(page: &mut Page, standings: &[(CredentialId, Standing)]) {
    let mut each = |name: &str, help: &str, number: fn(&Standing) -> Option<f64>| {
        let rows = standings.iter().filter_map(|(id, standing)| {
            Some((vec![("account", id.to_string())], number(standing)?))
        });
        page.gauges(name, help, rows);
    };
    each(
        "account_quota_limit_credits",
        "What the plan of an account holds",
        |it| Some(it.quota.limit),
    );
    each(
        "account_quota_used_credits",
        "What was used of the plan of an account",
        |it| Some(it.quota.used),
    );
    each(
        "account_quota_remaining_ratio",
        "The share that is left of the plan, the trial and the gifts of an account",
        |it| it.quota.remaining_share,
    );
    each(
        "account_quota_reset_timestamp_seconds",
        "When the plan of an account is full again",
        |it| it.quota.resets_at.map(|at| at as f64),
    );
    each(
        "account_quota_stale",
        "Whether the quota of an account is not known anew",
        |it| Some(f64::from(u8::from(it.stale))),
    );
}
