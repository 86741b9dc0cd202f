//! Traces and metrics by OpenTelemetry's conventions for HTTP and for generative AI.
//!
//! An exchange is two spans. The server's is the request as HTTP has it; it continues the trace that the caller's
//! `traceparent` names. The operation's within it, `chat MODEL`, is the question to the model with all attempts; those
//! that fail are its events. Nothing of what anybody said is in either.
//!
//! The names are those of the semantic conventions of November 2026, version 1.42 and those for generative AI, which
//! have a repository of their own by now; what begins with `kiro.` is ours.

use std::fmt;
use std::sync::{Arc, OnceLock};

use http::{HeaderMap, Method};
use opentelemetry::global::BoxedTracer;
use opentelemetry::metrics::{Counter, Histogram, Meter};
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{SpanKind, Status, TraceContextExt as _, Tracer, TracerProvider};
use opentelemetry::{Context, InstrumentationScope, KeyValue};

use super::{Ended, Ending};

/// Who is asked. The conventions have no word for the service yet.
const PROVIDER: &str = "kiro";

/// What is asked of it, on every surface.
const OPERATION: &str = "chat";

/// The bounds that the conventions advise for times, in seconds.
const SECONDS: [f64; 14] = [
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];

/// Those for numbers of tokens.
const TOKENS: [f64; 14] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

/// Where traces and metrics go. Cheap to clone.
///
/// ```
/// use opentelemetry::metrics::noop::NoopMeterProvider;
/// use opentelemetry::trace::noop::NoopTracerProvider;
/// use opentelemetry::metrics::MeterProvider as _;
/// use opentelemetry::propagation::TextMapCompositePropagator;
///
/// let meter = NoopMeterProvider::new().meter("kiro-gateway");
/// let nowhere = kiro_gateway::OpenTelemetry::new(
///     &NoopTracerProvider::new(),
///     &meter,
///     TextMapCompositePropagator::new(Vec::new()),
/// );
/// # let _ = nowhere;
/// ```
#[derive(Clone)]
pub struct OpenTelemetry {
    tracer: Arc<BoxedTracer>,
    propagator: Arc<dyn TextMapPropagator + Send + Sync>,
    instruments: Instruments,
}

#[derive(Clone)]
struct Instruments {
    durations: Histogram<f64>,
    first_chunks: Histogram<f64>,
    tokens: Histogram<u64>,
    credits: Counter<f64>,
}

impl OpenTelemetry {
    /// Spans from a provider of tracers and instruments of a meter; `propagator` reads the trace of a caller, such as
    /// the SDK's `TraceContextPropagator`.
    pub fn new<P>(
        tracers: &P,
        meter: &Meter,
        propagator: impl TextMapPropagator + Send + Sync + 'static,
    ) -> Self
    where
        P: TracerProvider,
        P::Tracer: Send + Sync + 'static,
        <P::Tracer as Tracer>::Span: Send + Sync + 'static,
    {
        let scope = InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
            .with_version(env!("CARGO_PKG_VERSION"));
        let tracer = tracers.tracer_with_scope(scope.build());
        let seconds = |name, about| {
            let histogram = meter.f64_histogram(name).with_description(about);
            let histogram = histogram.with_unit("s").with_boundaries(SECONDS.to_vec());
            histogram.build()
        };
        let tokens = meter.u64_histogram("gen_ai.client.token.usage");
        let credits = meter.f64_counter("kiro.credits");
        let instruments = Instruments {
            durations: seconds(
                "gen_ai.client.operation.duration",
                "How long exchanges took, failures included.",
            ),
            first_chunks: seconds(
                "gen_ai.client.operation.time_to_first_chunk",
                "How long the first event of a reply took, from the request's beginning.",
            ),
            tokens: tokens
                .with_description("Tokens of a reply, by whether they were read or written.")
                .with_unit("{token}")
                .with_boundaries(TOKENS.to_vec())
                .build(),
            credits: credits
                .with_description("Credits that the service says replies have cost.")
                .with_unit("{credit}")
                .build(),
        };
        Self {
            tracer: Arc::new(BoxedTracer::new(Box::new(tracer))),
            propagator: Arc::new(propagator),
            instruments,
        }
    }
}

impl fmt::Debug for OpenTelemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenTelemetry").finish_non_exhaustive()
    }
}

/// The spans of one exchange, if somebody wants them. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trace(Option<Arc<Spans>>);

#[derive(Debug)]
struct Spans {
    to: OpenTelemetry,
    /// Around the span of the request.
    server: Context,
    /// Around the span of the question to the model, once it is known which one.
    operation: OnceLock<Context>,
}

impl Trace {
    /// A request has come.
    pub(crate) fn begin(
        to: Option<&OpenTelemetry>,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        request_id: &str,
    ) -> Self {
        let Some(to) = to else {
            return Self(None);
        };
        let caller = to
            .propagator
            .extract_with_context(&Context::new(), &Headers(headers));
        // The paths are those of the routes, with the prefixes that they may have.
        let builder = to
            .tracer
            .span_builder(format!("{method} {path}"))
            .with_kind(SpanKind::Server)
            .with_attributes([
                KeyValue::new("http.request.method", method.to_string()),
                KeyValue::new("http.route", path.to_owned()),
                KeyValue::new("url.path", path.to_owned()),
                KeyValue::new("kiro.request_id", request_id.to_owned()),
            ]);
        let span = to.tracer.build_with_context(builder, &caller);
        Self(Some(Arc::new(Spans {
            to: to.clone(),
            server: Context::new().with_span(span),
            operation: OnceLock::new(),
        })))
    }

    /// It is known which model is asked.
    pub(super) fn accepted(&self, model: &str, stream: bool) {
        let Some(spans) = &self.0 else { return };
        let builder = spans.to.tracer.span_builder(format!("{OPERATION} {model}"));
        let mut attributes = of_model(model).to_vec();
        attributes.push(KeyValue::new("gen_ai.request.stream", stream));
        let builder = builder
            .with_kind(SpanKind::Client)
            .with_attributes(attributes);
        let span = spans.to.tracer.build_with_context(builder, &spans.server);
        let _ = spans.operation.set(Context::new().with_span(span));
    }

    /// An attempt has failed.
    pub(super) fn attempt_failed(&self, number: u32, fault: &'static str) {
        let Some(operation) = self.0.as_ref().and_then(|spans| spans.operation.get()) else {
            return;
        };
        let resent = i64::from(number.saturating_sub(1));
        let attributes = vec![
            KeyValue::new("error.type", fault),
            KeyValue::new("http.request.resend_count", resent),
        ];
        operation.span().add_event("attempt failed", attributes);
    }

    /// The exchange has ended.
    pub(super) fn ended(&self, ended: &Ended<'_>) {
        let Some(spans) = &self.0 else { return };
        let error = match ended.ending {
            Ending::Complete => None,
            Ending::Failed => Some(ended.error.unwrap_or("other")),
            Ending::Cancelled => Some("cancelled"),
        };
        if let Some(operation) = spans.operation.get() {
            let span = operation.span();
            span.set_attributes(answered(ended));
            if let Some(error) = error {
                span.set_attribute(KeyValue::new("error.type", error));
                span.set_status(Status::error(error));
            }
            span.end();
            spans.to.instruments.count(ended, error);
        }
        let span = spans.server.span();
        if let Some(tenant) = ended.tenant {
            span.set_attribute(KeyValue::new("kiro.tenant", tenant.to_owned()));
        }
        if let Some(status) = ended.status {
            let code = i64::from(status.as_u16());
            span.set_attribute(KeyValue::new("http.response.status_code", code));
        }
        if let Some(error) = error {
            span.set_attribute(KeyValue::new("error.type", error));
        }
        // What the client did wrong is no error of a server's.
        let is_ours = ended.ending == Ending::Failed
            && ended.status.is_none_or(|status| !status.is_client_error());
        if let (true, Some(error)) = (is_ours, error) {
            span.set_status(Status::error(error));
        }
        span.end();
    }
}

impl Instruments {
    fn count(&self, ended: &Ended<'_>, error: Option<&'static str>) {
        let model = of_model(ended.model);
        let mut whole = model.to_vec();
        whole.extend(error.map(|error| KeyValue::new("error.type", error)));
        self.durations.record(ended.total.as_secs_f64(), &whole);
        if let Some(first) = ended.first_event {
            self.first_chunks.record(first.as_secs_f64(), &model);
        }
        let Some(consumed) = &ended.consumed else {
            return;
        };
        for (kind, tokens) in [("input", consumed.prompt), ("output", consumed.output)] {
            let mut attributes = model.to_vec();
            attributes.push(KeyValue::new("gen_ai.token.type", kind));
            self.tokens.record(tokens, &attributes);
        }
        if let Some(credits) = consumed.price() {
            self.credits.add(credits, &model);
        }
    }
}

/// What every number of a model's has.
fn of_model(model: &str) -> [KeyValue; 4] {
    [
        KeyValue::new("gen_ai.operation.name", OPERATION),
        KeyValue::new("gen_ai.provider.name", PROVIDER),
        KeyValue::new("gen_ai.request.model", model.to_owned()),
        KeyValue::new("gen_ai.response.model", model.to_owned()),
    ]
}

/// What an answer has told.
fn answered(ended: &Ended<'_>) -> Vec<KeyValue> {
    let mut told = Vec::new();
    let first = ended.first_event.map(|first| first.as_secs_f64());
    told.extend(first.map(|it| KeyValue::new("gen_ai.response.time_to_first_chunk", it)));
    let Some(consumed) = &ended.consumed else {
        return told;
    };
    let mut count = |name: &'static str, tokens: u64| {
        let tokens = i64::try_from(tokens).unwrap_or(i64::MAX);
        told.push(KeyValue::new(name, tokens));
    };
    count("gen_ai.usage.input_tokens", consumed.prompt);
    count("gen_ai.usage.output_tokens", consumed.output);
    count("gen_ai.usage.reasoning.output_tokens", consumed.reasoning);
    if let Some(cached) = consumed.cached {
        count("gen_ai.usage.cache_read.input_tokens", cached.read);
        count("gen_ai.usage.cache_creation.input_tokens", cached.written);
    }
    told.extend(
        consumed
            .price()
            .map(|credits| KeyValue::new("kiro.credits", credits)),
    );
    told
}

/// Headers as a propagator reads them.
struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}
