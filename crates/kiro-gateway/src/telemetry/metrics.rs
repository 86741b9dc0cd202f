//! What is counted of exchanges and attempts, for `GET /metrics`. It outlives a reload.
//!
//! Every label has a bound: surfaces, statuses, endings and faults are lists of ours; models and tenants come from
//! outside, and those after the first hundred are counted as `other`.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::{Ended, Ending};
use crate::observation::{MAX_EACH, OTHER};

/// What a label says where nothing is known: the exchange ended before it was.
const UNKNOWN: &str = "unknown";

/// Seconds until a first event, from a warm model to one that thinks for minutes.
const FIRST_EVENTS: &[f64] = &[
    0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0,
];

/// Seconds between two events: those of one read, those of a fast model, and silences.
const GAPS: &[f64] = &[
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0,
];

/// Seconds of a whole exchange.
const TOTALS: &[f64] = &[
    0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0,
];

/// The counters and histograms.
#[derive(Debug)]
pub(crate) struct Metrics {
    requests: Family<Request, Counter>,
    durations: Family<Asked, Histogram, Seconds>,
    first_events: Family<Asked, Histogram, Seconds>,
    gaps: Family<Asked, Histogram, Seconds>,
    tokens: Family<Tokens, Counter>,
    credits: Family<OfModel, Counter<f64>>,
    tenant_credits: Family<OfTenant, Counter<f64>>,
    attempts: Family<Attempt, Counter>,
    errors: Family<Failed, Counter>,
    refused: Family<Refused, Counter>,
    models: Names,
    tenants: Names,
}

/// Why the gateway itself lets a request not in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Reason {
    /// A limit of the key or of the caller: rate, budget, or requests at the same time.
    Limit,
    /// As many exchanges are under way as may be.
    Exchanges,
    /// The process is short of memory, or its share for bodies is taken.
    Memory,
}

impl Reason {
    const ALL: [Self; 3] = [Self::Limit, Self::Exchanges, Self::Memory];

    fn as_str(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Exchanges => "exchanges",
            Self::Memory => "memory",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    surface: &'static str,
    model: Arc<str>,
    status: Arc<str>,
    ending: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    surface: &'static str,
    model: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Tokens {
    model: Arc<str>,
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfModel {
    model: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfTenant {
    tenant: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Attempt {
    fault: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Failed {
    surface: &'static str,
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    reason: &'static str,
}

/// Makes histograms with these buckets.
#[derive(Debug, Clone, Copy)]
struct Seconds(&'static [f64]);

impl MetricConstructor<Histogram> for Seconds {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

/// Names from outside, as many as there may be.
#[derive(Debug, Default)]
struct Names(Mutex<BTreeSet<Arc<str>>>);

impl Names {
    /// The name as a label.
    fn bounded(&self, name: &str) -> Arc<str> {
        // A name is added in one step, so a panic elsewhere leaves the set whole.
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = names.get(name) {
            return known.clone();
        }
        if name.is_empty() || names.len() >= MAX_EACH {
            return if name.is_empty() { UNKNOWN } else { OTHER }.into();
        }
        let name: Arc<str> = name.into();
        names.insert(name.clone());
        name
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let metrics = Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(Seconds(TOTALS)),
            first_events: Family::new_with_constructor(Seconds(FIRST_EVENTS)),
            gaps: Family::new_with_constructor(Seconds(GAPS)),
            tokens: Family::default(),
            credits: Family::default(),
            tenant_credits: Family::default(),
            attempts: Family::default(),
            errors: Family::default(),
            refused: Family::default(),
            models: Names::default(),
            tenants: Names::default(),
        };
        // An alert compares a counter with what it was before: one that first appears as 1 has not grown.
        for reason in Reason::ALL.map(Reason::as_str) {
            drop(metrics.refused.get_or_create(&Refused { reason }));
        }
        metrics
    }

    /// Where the gaps between the events of a reply are counted. Taken once for a reply: finding it costs more than
    /// counting one.
    pub(super) fn gaps(&self, surface: &'static str, model: &str) -> Histogram {
        let model = self.models.bounded(model);
        self.gaps.get_or_create_owned(&Asked { surface, model })
    }

    /// An attempt has failed by `fault`, or none.
    pub(super) fn attempted(&self, fault: &'static str) {
        self.attempts.get_or_create(&Attempt { fault }).inc();
    }

    /// The gateway did not let a request in.
    pub(crate) fn refused(&self, reason: Reason) {
        let reason = reason.as_str();
        self.refused.get_or_create(&Refused { reason }).inc();
    }

    /// An exchange has ended.
    pub(super) fn ended(&self, ended: &Ended<'_>) {
        let surface = ended.surface;
        let model = self.models.bounded(ended.model);
        let status = match ended.status {
            Some(status) => status.as_str().into(),
            None => "none".into(),
        };
        let request = Request {
            surface,
            model: model.clone(),
            status,
            ending: ended.ending.as_str(),
        };
        self.requests.get_or_create(&request).inc();
        if let Some(kind) = ended.error {
            self.errors.get_or_create(&Failed { surface, kind }).inc();
        }
        let asked = Asked { surface, model };
        if ended.ending == Ending::Complete {
            let total = self.durations.get_or_create(&asked);
            total.observe(ended.total.as_secs_f64());
        }
        if let Some(first) = ended.first_event {
            let first_events = self.first_events.get_or_create(&asked);
            first_events.observe(first.as_secs_f64());
        }
        self.consumed(ended, &asked.model);
    }

    fn consumed(&self, ended: &Ended<'_>, model: &Arc<str>) {
        let Some(consumed) = ended.consumed else {
            return;
        };
        let (read, written) = consumed.cached.map_or((0, 0), |it| (it.read, it.written));
        for (kind, tokens) in [
            ("input", consumed.prompt),
            ("cache_read", read),
            ("cache_write", written),
            ("output", consumed.output),
            ("reasoning", consumed.reasoning),
        ] {
            let model = model.clone();
            let counter = self.tokens.get_or_create(&Tokens { model, kind });
            counter.inc_by(tokens);
        }
        let Some(credits) = consumed.price() else {
            return;
        };
        let model = model.clone();
        let counter = self.credits.get_or_create(&OfModel { model });
        counter.inc_by(credits);
        if let Some(tenant) = ended.tenant {
            let tenant = self.tenants.bounded(tenant);
            let counter = self.tenant_credits.get_or_create(&OfTenant { tenant });
            counter.inc_by(credits);
        }
    }

    /// Tells a page of them.
    pub(crate) fn register(&self, page: &mut Registry) {
        let Self {
            requests,
            durations,
            first_events,
            gaps,
            tokens,
            credits,
            tenant_credits,
            attempts,
            errors,
            refused,
            // The names that label them.
            models: _,
            tenants: _,
        } = self;
        page.register(
            "requests",
            "Exchanges that have ended, by the status that was sent and by how they ended",
            requests.clone(),
        );
        page.register_with_unit(
            "request_duration",
            "How long exchanges took that were delivered to their end",
            Unit::Seconds,
            durations.clone(),
        );
        page.register_with_unit(
            "first_event",
            "How long the first event of a reply took, from the request's beginning",
            Unit::Seconds,
            first_events.clone(),
        );
        page.register_with_unit(
            "event_gap",
            "How long the next event of a reply took",
            Unit::Seconds,
            gaps.clone(),
        );
        page.register(
            "tokens",
            "Tokens of replies: input and, of it, what was read from a cache or written to one; output and, of it, thoughts",
            tokens.clone(),
        );
        page.register(
            "credits",
            "Credits that the service says replies have cost, by model",
            credits.clone(),
        );
        page.register(
            "tenant_credits",
            "The same by key, and by caller where they bring a login of their own",
            tenant_credits.clone(),
        );
        page.register(
            "upstream_attempts",
            "Attempts by the fault that ended them; `none` where a reply began",
            attempts.clone(),
        );
        page.register(
            "errors",
            "Exchanges that ended with an error, by the kind of it",
            errors.clone(),
        );
        page.register(
            "requests_shed",
            "Requests that the gateway itself did not let in",
            refused.clone(),
        );
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::StatusCode;

    use super::*;
    use crate::usage::{Cached, Consumed, Source};
    use prometheus_client::encoding::text::encode;

    fn page(metrics: &Metrics) -> String {
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text
    }

    fn ended<'a>(model: &'a str, tenant: &'a str) -> Ended<'a> {
        Ended {
            surface: "chat",
            model,
            tenant: Some(tenant),
            status: Some(StatusCode::OK),
            ending: Ending::Complete,
            error: None,
            first_event: Some(Duration::from_millis(700)),
            total: Duration::from_secs(3),
            consumed: Some(Consumed {
                prompt: 100,
                output: 20,
                reasoning: 5,
                cached: Some(Cached {
                    read: 80,
                    written: 0,
                }),
                credits: Some(0.25),
                source: Source::Upstream,
            }),
        }
    }

    #[test]
    fn an_exchange_is_counted_with_what_it_took() {
        let metrics = Metrics::new();
        metrics.ended(&ended("claude-sonnet-4.5", "team"));
        metrics.ended(&ended("claude-sonnet-4.5", "team"));
        let page = page(&metrics);
        for line in [
            r#"requests_total{surface="chat",model="claude-sonnet-4.5",status="200",ending="complete"} 2"#,
            r#"request_duration_seconds_bucket{le="5.0",surface="chat",model="claude-sonnet-4.5"} 2"#,
            r#"first_event_seconds_bucket{le="0.5",surface="chat",model="claude-sonnet-4.5"} 0"#,
            r#"first_event_seconds_bucket{le="1.0",surface="chat",model="claude-sonnet-4.5"} 2"#,
            r#"tokens_total{model="claude-sonnet-4.5",kind="input"} 200"#,
            r#"tokens_total{model="claude-sonnet-4.5",kind="cache_read"} 160"#,
            r#"tokens_total{model="claude-sonnet-4.5",kind="output"} 40"#,
            r#"tokens_total{model="claude-sonnet-4.5",kind="reasoning"} 10"#,
            r#"credits_total{model="claude-sonnet-4.5"} 0.5"#,
            r#"tenant_credits_total{tenant="team"} 0.5"#,
        ] {
            assert!(page.contains(line), "{line}\n{page}");
        }
    }

    #[test]
    fn names_from_outside_are_bounded() {
        let metrics = Metrics::new();
        for number in 0..MAX_EACH + 50 {
            let (model, tenant) = (format!("model-{number}"), format!("key:{number}"));
            metrics.ended(&ended(&model, &tenant));
        }
        metrics.ended(&ended("", "key:0"));
        let page = page(&metrics);
        let lines = |start: &str| page.lines().filter(|line| line.starts_with(start)).count();
        assert_eq!(lines("requests_total"), MAX_EACH + 2);
        assert_eq!(lines("tenant_credits_total"), MAX_EACH + 1);
        assert!(page.contains(r#"credits_total{model="other"} 12.5"#));
        assert!(page.contains(r#"model="unknown",status="200""#));
    }

    #[test]
    fn a_price_that_is_no_number_spoils_nothing() {
        let metrics = Metrics::new();
        for price in [f64::NAN, f64::INFINITY, -1.0, 0.5] {
            let mut ended = ended("claude", "team");
            ended.consumed = ended.consumed.map(|consumed| Consumed {
                credits: Some(price),
                ..consumed
            });
            metrics.ended(&ended);
        }
        assert!(page(&metrics).contains(r#"credits_total{model="claude"} 0.5"#));
    }
}
