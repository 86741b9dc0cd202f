//! The story of one exchange.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::StatusCode;
use prometheus_client::metrics::histogram::Histogram;
use tokio::time::Instant;

use super::{Attempts, Counters, Ended, Ending, Reason, Trace};
use crate::capture::{Outcome, Tape};
use crate::error::{Error, ErrorKind};
use crate::observation::{self, Sighting};
use crate::tenant::Tenant;
use crate::usage::Consumed;

/// The story of one exchange. Logs one line when it is dropped; an exchange that nobody has ended by
/// then was left by its downstream.
#[derive(Debug)]
pub(crate) struct Record {
    counters: Arc<Counters>,
    surface: &'static str,
    /// Who asks, as the operator's pages name them.
    tenant: Option<Arc<str>>,
    model: String,
    stream: bool,
    started: Instant,
    first_event: Option<Duration>,
    /// When the last event came, and where the time to the next one is counted.
    last_event: Instant,
    gaps: Option<Histogram>,
    events: u64,
    /// The status that went downstream, if one did.
    status: Option<StatusCode>,
    ending: Ending,
    /// What kind of error ended it.
    error: Option<&'static str>,
    consumed: Option<Consumed>,
    sighting: Sighting,
    trace: Trace,
    /// The attempts that were made for it.
    pub(crate) attempts: Attempts,
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
        trace: Trace,
    ) -> Self {
        counters.active.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        Self {
            counters: counters.clone(),
            surface,
            tenant: None,
            model: String::new(),
            stream: false,
            started: now,
            first_event: None,
            last_event: now,
            gaps: None,
            events: 0,
            status: None,
            ending: Ending::Cancelled,
            error: None,
            consumed: None,
            sighting: counters.observation.begin(surface, id),
            attempts: Attempts::new(counters, &trace),
            trace,
            tape: tape.clone(),
        }
    }

    /// Who asks is known.
    pub(crate) fn admitted(&mut self, tenant: &Tenant) {
        let name = observation::name_of(tenant);
        self.sighting.admitted(name.clone());
        self.tenant = Some(name);
    }

    /// Counts that the gateway itself does not let the request in.
    ///
    /// # Errors
    ///
    /// The one that is there.
    pub(crate) fn let_in<T>(&self, reason: Reason, entered: Result<T, Error>) -> Result<T, Error> {
        let ours = [
            ErrorKind::Overloaded,
            ErrorKind::RateLimited,
            ErrorKind::QuotaExhausted,
        ];
        entered.inspect_err(|error| {
            // A body may also be refused for what it is.
            if ours.contains(&error.kind()) {
                self.counters.metrics.refused(reason);
            }
        })
    }

    /// What was asked for is known.
    pub(crate) fn accepted(&mut self, model: &str, stream: bool) {
        model.clone_into(&mut self.model);
        if stream && !self.stream {
            self.counters.streams.fetch_add(1, Ordering::Relaxed);
        }
        self.stream = stream;
        self.gaps = Some(self.counters.metrics.gaps(self.surface, model));
        self.sighting.accepted(model, stream);
        self.trace.accepted(model, stream);
    }

    /// Another event of the reply has arrived.
    pub(crate) fn event(&mut self, now: Instant) {
        self.events += 1;
        if self.first_event.is_none() {
            let after = now.duration_since(self.started);
            self.first_event = Some(after);
            self.sighting.first_event(after);
        } else if let Some(gaps) = &self.gaps {
            gaps.observe(now.duration_since(self.last_event).as_secs_f64());
        }
        self.last_event = now;
    }

    /// The head of the response goes downstream.
    pub(crate) fn committed(&mut self, status: StatusCode) {
        self.status = Some(status);
        self.sighting.committed(status);
    }

    /// What the reply has consumed so far.
    pub(crate) fn consumed(&mut self, consumed: Option<Consumed>) {
        self.consumed = consumed;
        self.sighting.consumed(consumed);
    }

    /// The exchange has ended.
    pub(crate) fn end(&mut self, ending: Ending) {
        self.ending = ending;
        self.sighting.ended(ending);
    }

    /// The exchange has ended with an error.
    pub(crate) fn fail(&mut self, error: &Error) {
        self.error = Some(observation::remedy(error.kind()).0);
        self.sighting.failed(error);
        self.tape.failed(error);
        self.end(Ending::Failed);
    }

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

    fn log(&self, total: Duration) {
        let consumed = self.consumed.as_ref();
        let credential = self.attempts.last_credential();
        tracing::info!(
            surface = self.surface,
            tenant = self.tenant.as_deref(),
            model = %self.model,
            stream = self.stream,
            status = self.status.map(|status| status.as_u16()),
            ending = self.ending.as_str(),
            error = self.error,
            attempts = self.attempts.number(),
            credential = credential.map(tracing::field::display),
            events = self.events,
            prompt_tokens = consumed.map(|consumed| consumed.prompt),
            output_tokens = consumed.map(|consumed| consumed.output),
            credits = consumed.and_then(|consumed| consumed.credits),
            first_event_ms = self.first_event.map(|first| first.as_millis() as u64),
            total_ms = total.as_millis() as u64,
            "exchange",
        );
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let counters = &self.counters;
        counters.active.fetch_sub(1, Ordering::Relaxed);
        counters.ended.fetch_add(1, Ordering::Relaxed);
        if self.stream {
            counters.streams.fetch_sub(1, Ordering::Relaxed);
        }
        let total = self.started.elapsed();
        let ended = Ended {
            surface: self.surface,
            model: &self.model,
            tenant: self.tenant.as_deref(),
            status: self.status,
            ending: self.ending,
            error: self.error,
            first_event: self.first_event,
            total,
            consumed: self.consumed,
        };
        counters.metrics.ended(&ended);
        self.trace.ended(&ended);
        self.tape.ended(|| self.outcome());
        self.log(total);
    }
}
