//! What is counted and logged about an exchange, named once.

mod attempts;
mod metrics;
#[cfg(feature = "otel")]
mod otel;
#[cfg(not(feature = "otel"))]
#[path = "no_otel.rs"]
mod otel;
mod record;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::time::Duration;

use http::StatusCode;

use crate::observation::Observation;
use crate::usage::Consumed;
pub(crate) use attempts::Attempts;
pub(crate) use metrics::{Metrics, Reason};
#[cfg(not(feature = "otel"))]
pub(crate) use otel::OpenTelemetry;
#[cfg(feature = "otel")]
pub use otel::OpenTelemetry;
pub(crate) use otel::Trace;
pub(crate) use record::Record;

/// Counters of the whole process.
#[derive(Debug)]
pub(crate) struct Counters {
    /// Exchanges that are under way.
    pub(crate) active: AtomicUsize,
    /// Those of them whose replies are streamed.
    pub(crate) streams: AtomicUsize,
    /// Exchanges that have ended, however they ended.
    pub(crate) ended: AtomicU64,
    /// What is counted by name.
    pub(crate) metrics: Metrics,
    /// Where traces go, if they go anywhere.
    pub(crate) otel: Option<OpenTelemetry>,
    /// What the operator's pages show.
    pub(crate) observation: Arc<Observation>,
}

impl Counters {
    pub(crate) fn new(otel: Option<OpenTelemetry>) -> Self {
        Self {
            active: AtomicUsize::new(0),
            streams: AtomicUsize::new(0),
            ended: AtomicU64::new(0),
            metrics: Metrics::new(),
            otel,
            observation: Arc::new(Observation::new()),
        }
    }
}

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The reply was delivered to its end.
    Complete,
    /// An error went downstream instead of, or after a part of, the reply.
    Failed,
    /// The downstream left before the end.
    Cancelled,
}

impl Ending {
    fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// An exchange that has ended, as it is counted.
#[derive(Debug, Clone, Copy)]
struct Ended<'a> {
    surface: &'static str,
    /// By Kiro's id; empty where it is not known.
    model: &'a str,
    /// Who asked, as the operator's pages name them.
    tenant: Option<&'a str>,
    /// The status that went downstream, if one did.
    status: Option<StatusCode>,
    ending: Ending,
    /// What kind of error ended it.
    error: Option<&'static str>,
    first_event: Option<Duration>,
    total: Duration,
    consumed: Option<Consumed>,
}
