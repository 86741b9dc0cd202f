//! One exchange, watched.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use super::series::Addition;
use super::{Failure, MAX_FAILURES, Observation};
use crate::clock::seconds_since_epoch;
use crate::error::{Error, ErrorKind};
use crate::telemetry::Ending;
use crate::usage::Consumed;

/// Watches one exchange, until it is dropped.
#[derive(Debug)]
pub(crate) struct Sighting {
    observation: Arc<Observation>,
    id: u64,
    status: Option<StatusCode>,
    ending: Ending,
    error: Option<(ErrorKind, Option<&'static str>)>,
    first_event: Option<Duration>,
    consumed: Option<Consumed>,
}

impl Sighting {
    pub(super) fn new(observation: Arc<Observation>, id: u64) -> Self {
        Self {
            observation,
            id,
            status: None,
            ending: Ending::Cancelled,
            error: None,
            first_event: None,
            consumed: None,
        }
    }

    #[cfg(test)]
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Who asks is known.
    pub(crate) fn admitted(&self, name: Arc<str>) {
        self.observation
            .change(self.id, |live| live.tenant = Some(name));
    }

    /// What is asked for is known.
    pub(crate) fn accepted(&self, model: &str, stream: bool) {
        self.observation.change(self.id, |live| {
            live.model = Some(model.into());
            live.stream = stream;
        });
    }

    /// The first event of the reply has come.
    pub(crate) fn first_event(&mut self, after: Duration) {
        self.first_event = Some(after);
        self.observation
            .change(self.id, |live| live.first_event = Some(after));
    }

    /// The head of the response goes downstream.
    pub(crate) fn committed(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// What the reply has consumed.
    pub(crate) fn consumed(&mut self, consumed: Option<Consumed>) {
        self.consumed = consumed;
    }

    /// It ends with an error.
    pub(crate) fn failed(&mut self, error: &Error) {
        self.error = Some((error.kind(), error.code()));
    }

    /// It ends.
    pub(crate) fn ended(&mut self, ending: Ending) {
        self.ending = ending;
    }
}

impl Drop for Sighting {
    fn drop(&mut self) {
        let second = self.observation.second(Instant::now());
        let addition = Addition {
            ending: self.ending,
            first_event: self.first_event,
            consumed: self.consumed,
        };
        let mut state = self.observation.state();
        let Some(exchange) = state.live.remove(&self.id) else {
            return;
        };
        state.whole.add(second, &addition);
        if let Some(model) = &exchange.model {
            state.models.add(model, second, &addition);
        }
        if let Some(tenant) = &exchange.tenant {
            state.tenants.add(tenant, second, &addition);
        }
        // What strangers do wrong is in the log, and must not push out what callers meet.
        if let Some((kind, code)) = self.error.filter(|_| exchange.tenant.is_some()) {
            let failure = Failure {
                number: state.n_failures,
                at: seconds_since_epoch(),
                kind,
                code,
                status: self.status,
                exchange,
            };
            state.n_failures += 1;
            if state.failures.len() == MAX_FAILURES {
                state.failures.pop_front();
            }
            state.failures.push_back(failure);
        }
    }
}
