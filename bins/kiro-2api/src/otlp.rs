//! Traces and metrics to a collector, over OTLP. Nothing is sent unless `telemetry.otlp_endpoint` is set.
//!
//! The SDK exports from threads of its own. The variables `OTEL_TRACES_SAMPLER`, `OTEL_BSP_…`,
//! `OTEL_METRIC_EXPORT_INTERVAL` and `OTEL_RESOURCE_ATTRIBUTES` are read by it.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use kiro_gateway::OpenTelemetry;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{
    ExporterBuildError, MetricExporter, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;

use crate::command::Failure;
use crate::config::Telemetry;
use crate::service::{Http, http_client};
use crate::setup;

/// How long a collector may take to accept what is sent.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long the end of the process waits for what was told last.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Bytes of a collector's answer that are read. It says little.
const MAX_ANSWER: usize = 64 * 1024;

/// What is exported, until the process ends.
pub(crate) struct Otlp {
    tracers: SdkTracerProvider,
    meters: SdkMeterProvider,
}

impl Otlp {
    /// Begins to export, if a collector is configured.
    ///
    /// # Errors
    ///
    /// The settings are not usable. Whether the collector is there is not known yet.
    pub(crate) fn start(telemetry: &Telemetry) -> Result<Option<Self>, Failure> {
        let Telemetry {
            otlp_endpoint,
            // Taken apart by [`headers`].
            otlp_headers: _,
            service_name,
        } = telemetry;
        let Some(base) = otlp_endpoint else {
            return Ok(None);
        };
        setup::address("telemetry.otlp_endpoint", Some(base))?;
        let headers = headers(telemetry)?;
        let client = Collector {
            http: http_client(setup::public_tls()),
            runtime: Handle::current(),
        };
        let base = base.trim_end_matches('/');
        let unusable = |error: ExporterBuildError| {
            Failure::from(format!("telemetry.otlp_endpoint is not usable: {error}"))
        };
        let spans = SpanExporter::builder()
            .with_http()
            .with_http_client(client.clone())
            .with_endpoint(format!("{base}/v1/traces"))
            .with_headers(headers.clone())
            .with_timeout(TIMEOUT)
            .build()
            .map_err(unusable)?;
        let metrics = MetricExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_endpoint(format!("{base}/v1/metrics"))
            .with_headers(headers)
            .with_timeout(TIMEOUT)
            .build()
            .map_err(unusable)?;
        let resource = Resource::builder()
            .with_service_name(service_name.clone())
            .with_attribute(opentelemetry::KeyValue::new(
                "service.version",
                env!("CARGO_PKG_VERSION"),
            ))
            .build();
        Ok(Some(Self {
            tracers: SdkTracerProvider::builder()
                .with_batch_exporter(spans)
                .with_resource(resource.clone())
                .build(),
            meters: SdkMeterProvider::builder()
                .with_periodic_exporter(metrics)
                .with_resource(resource)
                .build(),
        }))
    }

    /// For the gateway.
    pub(crate) fn of_gateway(&self) -> OpenTelemetry {
        let meter = self.meters.meter("kiro-gateway");
        OpenTelemetry::new(&self.tracers, &meter, TraceContextPropagator::new())
    }

    /// Sends what is left, for a few seconds.
    pub(crate) async fn end(self) {
        let ending = tokio::task::spawn_blocking(move || {
            let traces = self.tracers.shutdown_with_timeout(LAST_WORDS);
            traces.and(self.meters.shutdown_with_timeout(LAST_WORDS))
        });
        match tokio::time::timeout(2 * LAST_WORDS, ending).await {
            Ok(Ok(Ok(()))) => {}
            _ => tracing::warn!("the last traces and metrics did not reach the collector"),
        }
    }
}

/// Whether it could be started.
///
/// # Errors
///
/// The settings are not usable.
pub(crate) fn check(telemetry: &Telemetry) -> Result<(), Failure> {
    setup::address(
        "telemetry.otlp_endpoint",
        telemetry.otlp_endpoint.as_deref(),
    )?;
    headers(telemetry).map(drop)
}

/// `name=value, name=value`, as `OTEL_EXPORTER_OTLP_HEADERS` has them. The values are keys.
fn headers(telemetry: &Telemetry) -> Result<HashMap<String, String>, Failure> {
    let Some(text) = &telemetry.otlp_headers else {
        return Ok(HashMap::new());
    };
    let pairs = text.expose().split(',').map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let name: HeaderName = name.trim().parse().ok()?;
        HeaderValue::from_str(value.trim()).ok()?;
        Some((name.to_string(), value.trim().to_owned()))
    });
    pairs.collect::<Option<_>>().ok_or_else(|| {
        "telemetry.otlp_headers is not a list of headers such as `authorization=Bearer KEY, x-scope=team`".into()
    })
}

/// The collector as the exporters reach it: from threads that no runtime runs on.
#[derive(Debug, Clone)]
struct Collector {
    http: Http,
    runtime: Handle,
}

#[async_trait::async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let http = self.http.clone();
        let sending = async move {
            let (head, body) = http.request(request.map(Full::new)).await?.into_parts();
            let body = Limited::new(body, MAX_ANSWER).collect().await?.to_bytes();
            Ok(Response::from_parts(head, body))
        };
        // The timer belongs to the runtime, too.
        let sending = async { tokio::time::timeout(TIMEOUT, sending).await };
        self.runtime.spawn(sending).await??
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(headers: &str) -> Telemetry {
        Telemetry {
            otlp_headers: Some(headers.to_owned().into()),
            ..Telemetry::default()
        }
    }

    #[test]
    fn headers_are_a_list_and_no_key_is_told_of_a_wrong_one() {
        let read = headers(&told("Authorization=Bearer a=b, x-scope=team")).unwrap();
        assert_eq!(read["authorization"], "Bearer a=b");
        assert_eq!(read["x-scope"], "team");
        for wrong in [
            "my-secret",
            "a=b, my-secret",
            "my secret=x",
            "a=my\u{1}secret",
        ] {
            let error = headers(&told(wrong)).unwrap_err().to_string();
            assert!(error.contains("telemetry.otlp_headers"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_wrong_address_is_named() {
        let mut telemetry = Telemetry {
            otlp_endpoint: Some("collector:4318".into()),
            ..Telemetry::default()
        };
        let error = check(&telemetry).unwrap_err().to_string();
        assert!(error.contains("telemetry.otlp_endpoint"), "{error}");
        telemetry.otlp_endpoint = Some("http://127.0.0.1:4318".into());
        check(&telemetry).unwrap();
    }
}
