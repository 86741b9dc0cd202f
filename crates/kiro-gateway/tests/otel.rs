//! Traces and metrics as OpenTelemetry's conventions have them.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::time::Duration;

use http::HeaderValue;
use kiro_gateway::OpenTelemetry;
use kiro_sim::{Matcher, Script, SimOptions};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::{SpanId, SpanKind, Status, TraceId};
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use serde_json::json;

use support::{House, streamed, whole};

/// A house, and what it tells.
struct Observed {
    house: House,
    tracers: SdkTracerProvider,
    spans: InMemorySpanExporter,
    meters: SdkMeterProvider,
    metrics: InMemoryMetricExporter,
}

impl Observed {
    async fn start() -> Self {
        let spans = InMemorySpanExporter::default();
        let tracers = SdkTracerProvider::builder()
            .with_simple_exporter(spans.clone())
            .build();
        let metrics = InMemoryMetricExporter::default();
        let reader = PeriodicReader::builder(metrics.clone())
            .with_interval(Duration::from_secs(3600))
            .build();
        let meters = SdkMeterProvider::builder().with_reader(reader).build();
        let meter = meters.meter("kiro-gateway");
        let to = OpenTelemetry::new(&tracers, &meter, TraceContextPropagator::new());
        let told = |options: &mut kiro_gateway::GatewayOptions| {
            options.open_telemetry = Some(to);
        };
        let house = House::with(SimOptions::default(), told).await;
        Self {
            house,
            tracers,
            spans,
            meters,
            metrics,
        }
    }

    /// The spans that have ended, as soon as there are so many.
    async fn spans(&self, count: usize) -> Vec<SpanData> {
        let all = async {
            loop {
                self.tracers.force_flush().unwrap();
                let spans = self.spans.get_finished_spans().unwrap();
                if spans.len() >= count {
                    return spans;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(support::SOON, all).await.unwrap()
    }

    /// Counts and sums of a histogram of numbers with a point, by their attributes.
    fn histogram(&self, wanted: &str) -> Vec<(String, u64)> {
        self.meters.force_flush().unwrap();
        let mut points = Vec::new();
        for resource in self.metrics.get_finished_metrics().unwrap() {
            let metrics = resource.scope_metrics().flat_map(|scope| scope.metrics());
            for metric in metrics.filter(|metric| metric.name() == wanted) {
                points.clear();
                match metric.data() {
                    AggregatedMetrics::F64(MetricData::Histogram(data)) => {
                        let each = data.data_points().map(|point| {
                            let named: Vec<String> = point.attributes().map(text).collect();
                            (named.join(","), point.count())
                        });
                        points.extend(each);
                    }
                    AggregatedMetrics::U64(MetricData::Histogram(data)) => {
                        let each = data.data_points().map(|point| {
                            let named: Vec<String> = point.attributes().map(text).collect();
                            (named.join(","), point.sum())
                        });
                        points.extend(each);
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        points
    }
}

fn text(pair: &opentelemetry::KeyValue) -> String {
    format!("{}={}", pair.key, pair.value)
}

fn of_kind(spans: &[SpanData], kind: SpanKind) -> &SpanData {
    spans.iter().find(|span| span.span_kind == kind).unwrap()
}

fn attribute(span: &SpanData, name: &str) -> Option<String> {
    let mut attributes = span.attributes.iter();
    let found = attributes.find(|pair| pair.key.as_str() == name)?;
    Some(found.value.to_string())
}

#[tokio::test]
async fn an_exchange_is_a_question_within_the_trace_of_its_caller() {
    let observed = Observed::start().await;
    let secret = "a-word-that-only-the-tenant-knows";
    let asked = streamed(&format!("sim:echo {secret}"));
    let mut request = observed.house.request(
        http::Method::POST,
        "/v1/chat/completions",
        asked.to_string(),
    );
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = request.headers_mut();
    headers.insert("traceparent", HeaderValue::from_static(parent));
    headers.insert("x-request-id", HeaderValue::from_static("req-of-mine"));
    assert_eq!(observed.house.ask(request).await.status, 200);

    let spans = observed.spans(2).await;
    let server = of_kind(&spans, SpanKind::Server);
    let trace = TraceId::from_hex("4bf92f3577b34da6a3ce929d0e0e4736").unwrap();
    assert_eq!(server.span_context.trace_id(), trace);
    let caller = SpanId::from_hex("00f067aa0ba902b7").unwrap();
    assert_eq!(server.parent_span_id, caller);
    assert_eq!(server.name, "POST /v1/chat/completions");
    let told = |name: &str| attribute(server, name);
    assert_eq!(told("http.response.status_code").as_deref(), Some("200"));
    assert_eq!(told("kiro.request_id").as_deref(), Some("req-of-mine"));
    assert_eq!(told("kiro.tenant").as_deref(), Some("default"));
    assert_eq!(server.status, Status::Unset);

    let question = of_kind(&spans, SpanKind::Client);
    assert_eq!(question.span_context.trace_id(), trace);
    assert_eq!(question.parent_span_id, server.span_context.span_id());
    assert_eq!(question.name, "chat claude-sonnet-4.5");
    let told = |name: &str| attribute(question, name);
    assert_eq!(told("gen_ai.operation.name").as_deref(), Some("chat"));
    assert_eq!(told("gen_ai.provider.name").as_deref(), Some("kiro"));
    let model = Some("claude-sonnet-4.5");
    assert_eq!(told("gen_ai.request.model").as_deref(), model);
    assert_eq!(told("gen_ai.request.stream").as_deref(), Some("true"));
    for number in ["gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"] {
        let tokens: i64 = told(number).unwrap().parse().unwrap();
        assert!(tokens > 0, "{number}");
    }
    for time in ["gen_ai.response.time_to_first_chunk", "kiro.credits"] {
        let number: f64 = told(time).unwrap().parse().unwrap();
        assert!(number > 0.0, "{time}");
    }
    assert!(told("error.type").is_none());
    let everything = format!("{spans:?}");
    for hidden in [secret, support::KEY] {
        assert!(!everything.contains(hidden), "{hidden} is in {everything}");
    }

    let durations = observed.histogram("gen_ai.client.operation.duration");
    assert_eq!(durations.len(), 1);
    assert_eq!(durations[0].1, 1);
    assert!(
        durations[0]
            .0
            .contains("gen_ai.request.model=claude-sonnet-4.5")
    );
    let first = observed.histogram("gen_ai.client.operation.time_to_first_chunk");
    assert_eq!(first[0].1, 1);
    let mut tokens = observed.histogram("gen_ai.client.token.usage");
    tokens.sort();
    assert_eq!(tokens.len(), 2);
    assert!(tokens.iter().all(|(_, sum)| *sum > 0), "{tokens:?}");
}

#[tokio::test]
async fn attempts_that_fail_and_what_became_of_it_are_told() {
    let observed = Observed::start().await;
    let down = json!({"__type": "InternalServerException", "message": "Internal error."});
    let script = Script::new().http_error(500, down.clone(), None);
    let house = &observed.house;
    house.sim.script(Matcher::once(), script.clone());
    assert_eq!(house.chat(&whole("sim:echo Hi")).await.status, 200);
    let spans = observed.spans(2).await;
    let question = of_kind(&spans, SpanKind::Client);
    let event = &question.events[0];
    assert_eq!(event.name, "attempt failed");
    let told: Vec<String> = event.attributes.iter().map(text).collect();
    assert_eq!(told, ["error.type=internal", "http.request.resend_count=0"]);
    assert_eq!(question.status, Status::Unset);

    observed.spans.reset();
    house.sim.script(Matcher::any(), script);
    assert!(
        house
            .chat(&whole("sim:echo Hi"))
            .await
            .status
            .is_server_error()
    );
    let spans = observed.spans(2).await;
    let question = of_kind(&spans, SpanKind::Client);
    let why = attribute(question, "error.type").unwrap();
    assert_eq!(question.status, Status::error(why.clone()));
    let server = of_kind(&spans, SpanKind::Server);
    assert_eq!(server.status, Status::error(why));

    observed.spans.reset();
    let no_model = json!({"model": "nothing", "messages": [{"role": "user", "content": "Hi"}]});
    assert_eq!(house.chat(&no_model).await.status, 404);
    let spans = observed.spans(1).await;
    assert_eq!(spans.len(), 1, "no model was asked");
    assert_eq!(spans[0].status, Status::Unset, "it is the client's");
    let why = attribute(&spans[0], "error.type");
    assert_eq!(why.as_deref(), Some("model_not_found"));
}
