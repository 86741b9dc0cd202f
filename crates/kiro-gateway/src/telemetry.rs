//! What is counted and logged about an exchange, named once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use crate::capture::{Outcome, Tape};
use crate::error::Error;
use crate::observation::{Observation, Sighting};
use crate::tenant::Tenant;
use crate::usage::Consumed;

/// Counters of the whole process.
#[derive(Debug)]
pub(crate) struct Counters {
    /// Exchanges that are under way.
    pub(crate) active: AtomicUsize,
    /// Exchanges that have ended, however they ended.
    pub(crate) ended: AtomicU64,
    /// What the operator's pages show.
    pub(crate) observation: Arc<Observation>,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            active: AtomicUsize::new(0),
            ended: AtomicU64::new(0),
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

/// The story of one exchange. Logs one line when it is dropped; an exchange that nobody has ended by
/// then was left by its downstream.
#[derive(Debug)]
pub(crate) struct Record {
    counters: Arc<Counters>,
    /// What the key of the caller is called.
    key: Option<Arc<str>>,
    model: String,
    stream: bool,
    started: Instant,
    first_event: Option<Duration>,
    events: u64,
    /// The status that went downstream, if one did.
    status: Option<StatusCode>,
    ending: Ending,
    sighting: Sighting,
    /// The evidence of it, where evidence is kept.
    pub(crate) tape: Tape,
}

impl Record {
    /// The exchange has begun: of which surface, and by which name.
    pub(crate) fn begin(
        counters: &Arc<Counters>,
        surface: &'static str,
        id: &str,
        tape: &Tape,
    ) -> Self {
        counters.active.fetch_add(1, Ordering::Relaxed);
        Self {
            counters: counters.clone(),
            key: None,
            model: String::new(),
            stream: false,
            started: Instant::now(),
            first_event: None,
            events: 0,
            status: None,
            ending: Ending::Cancelled,
            sighting: counters.observation.begin(surface, id),
            tape: tape.clone(),
        }
    }

    /// Who asks is known.
    pub(crate) fn admitted(&mut self, tenant: &Tenant) {
        self.key = Some(tenant.key.clone());
        self.sighting.admitted(tenant);
    }

    /// What was asked for is known.
    pub(crate) fn accepted(&mut self, model: &str, stream: bool) {
        model.clone_into(&mut self.model);
        self.stream = stream;
        self.sighting.accepted(model, stream);
    }

    /// Another event of the reply has arrived.
    pub(crate) fn event(&mut self) {
        self.events += 1;
        if self.first_event.is_none() {
            let after = self.started.elapsed();
            self.first_event = Some(after);
            self.sighting.first_event(after);
        }
    }

    /// The head of the response goes downstream.
    pub(crate) fn committed(&mut self, status: StatusCode) {
        self.status = Some(status);
        self.sighting.committed(status);
    }

    /// What the reply has consumed so far.
    pub(crate) fn consumed(&mut self, consumed: Option<Consumed>) {
        self.sighting.consumed(consumed);
    }

    /// The exchange has ended.
    pub(crate) fn end(&mut self, ending: Ending) {
        self.ending = ending;
        self.sighting.ended(ending);
    }

    /// The exchange has ended with an error.
    pub(crate) fn fail(&mut self, error: &Error) {
        self.sighting.failed(error);
        self.tape.failed(error);
        self.end(Ending::Failed);
    }
}

impl Record {
    /// What the log says, as a capture has it.
    fn outcome(&self) -> Outcome {
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        Outcome {
            ending: self.ending.as_str().to_owned(),
            status: self.status.map(|status| status.as_u16()),
            error: None,
            model: self.model.clone(),
            stream: self.stream,
            events: self.events,
            first_event_ms: self.first_event.map(ms),
            total_ms: ms(self.started.elapsed()),
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.counters.active.fetch_sub(1, Ordering::Relaxed);
        self.counters.ended.fetch_add(1, Ordering::Relaxed);
        self.tape.ended(|| self.outcome());
        tracing::info!(
            key = self.key.as_deref(),
            model = %self.model,
            stream = self.stream,
            status = self.status.map(|status| status.as_u16()),
            ending = self.ending.as_str(),
            events = self.events,
            first_event_ms = self.first_event.map(|first| first.as_millis() as u64),
            total_ms = self.started.elapsed().as_millis() as u64,
            "exchange",
        );
    }
}
