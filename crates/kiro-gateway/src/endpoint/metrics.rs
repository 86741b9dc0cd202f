//! `GET /metrics`: what is measured, in the text form that Prometheus reads.
//!
//! ```text
//! # HELP kiro_gateway_first_event_timeout_seconds How long the first event of a reply is waited for.
//! # TYPE kiro_gateway_first_event_timeout_seconds gauge
//! kiro_gateway_first_event_timeout_seconds{model="claude-sonnet-4.5"} 30.0
//! ```

use std::sync::atomic::Ordering;

use http::{HeaderMap, HeaderValue, Response, header};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use crate::body::{self, Body};
use crate::deadline;
use crate::error::{Error, ErrorKind};
use crate::pace::Pace;
use crate::shared::Shared;

const TYPE: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// The page. It needs a key: what models are used, and how, is nobody else's business.
pub(crate) fn answer(shared: &Shared, headers: &HeaderMap) -> Result<Response<Body>, Error> {
    shared.tenants.admit(headers)?;
    let mut registry = Registry::with_prefix("kiro_gateway");
    registry.register_collector(Box::new(Snapshot::of(shared)));
    let mut text = String::new();
    encode(&mut text, &registry).map_err(|error| {
        Error::new(ErrorKind::Internal, "The metrics cannot be written.").with_source(error)
    })?;
    let mut response = Response::new(body::full(text.into()));
    response.headers_mut().insert(header::CONTENT_TYPE, TYPE);
    Ok(response)
}

/// What is measured, at one moment.
#[derive(Debug)]
struct Snapshot {
    active: usize,
    ended: u64,
    retries: u64,
    unaffordable: u64,
    hosts_left_alone: usize,
    refused_keys: u64,
    dropped_log_lines: u64,
    is_short_of_memory: bool,
    /// Of limits that gateways share: whether they do now, and requests for which they did not.
    shared_limits: Option<(bool, u64)>,
    paces: Vec<(String, Pace)>,
}

impl Snapshot {
    fn of(shared: &Shared) -> Self {
        let (retries, unaffordable) = shared.upstream.retries();
        let ledger = shared.tally.ledger.as_ref();
        let ceiling = |model: &str| deadline::ceiling(&shared.timeouts, model);
        Self {
            active: shared.counters.active.load(Ordering::Relaxed),
            ended: shared.counters.ended.load(Ordering::Relaxed),
            retries,
            unaffordable,
            hosts_left_alone: shared.upstream.hosts_left_alone().len(),
            refused_keys: shared.brake.refused(),
            dropped_log_lines: shared.process.dropped_log_lines(),
            is_short_of_memory: shared.process.is_short_of_memory(),
            shared_limits: ledger.map(|ledger| (!ledger.is_away(), ledger.unshared())),
            paces: shared.paces.all(ceiling),
        }
    }
}

/// One limit of a model, in seconds.
type Limit = fn(&Pace) -> f64;

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let mut counter = |name: &str, help: &str, value: u64| {
            let counter = ConstCounter::new(value);
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)
        };
        counter("exchanges", "Exchanges that have ended.", self.ended)?;
        counter("retries", "Attempts after the first.", self.retries)?;
        counter(
            "retries_refused",
            "Attempts that the budget of retries did not allow.",
            self.unaffordable,
        )?;
        counter(
            "keys_refused",
            "Requests without a right key, or with a login behind it that does not work.",
            self.refused_keys,
        )?;
        counter(
            "log_lines_dropped",
            "Lines of the log that nobody read in time.",
            self.dropped_log_lines,
        )?;
        if let Some((_, unshared)) = self.shared_limits {
            counter(
                "requests_unshared",
                "Requests that this gateway's own limits alone let in, because Redis did not answer.",
                unshared,
            )?;
        }
        let mut gauge = |name: &str, help: &str, value: usize| {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
        };
        gauge(
            "exchanges_active",
            "Exchanges that are under way.",
            self.active,
        )?;
        gauge(
            "hosts_left_alone",
            "Hosts of the upstream that failed again and again and rest.",
            self.hosts_left_alone,
        )?;
        gauge(
            "short_of_memory",
            "Whether new requests are refused for want of memory.",
            usize::from(self.is_short_of_memory),
        )?;
        if let Some((are_shared, _)) = self.shared_limits {
            gauge(
                "limits_shared",
                "Whether limits are counted with the other gateways at this moment.",
                usize::from(are_shared),
            )?;
        }
        let limits: [(&str, &str, Limit); 2] = [
            (
                "first_event_timeout",
                "How long the first event of a reply is waited for.",
                |pace| pace.first_event.as_secs_f64(),
            ),
            (
                "gap_timeout",
                "How long the next event of a reply is waited for.",
                |pace| pace.gap.as_secs_f64(),
            ),
        ];
        for (name, help, limit) in limits {
            let kind = ConstGauge::new(0.0).metric_type();
            let mut family = encoder.encode_descriptor(name, help, Some(&Unit::Seconds), kind)?;
            for (model, pace) in &self.paces {
                let labels = [("model", model.as_str())];
                ConstGauge::new(limit(pace)).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
