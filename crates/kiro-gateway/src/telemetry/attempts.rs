//! The attempts of one exchange, for its line in the log and for the metrics.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use kiro_auth::CredentialId;

use super::{Counters, Trace};
use crate::upstream::Failure;

/// The attempts of one exchange. Clones count together; the default counts for itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attempts(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    counters: Option<Arc<Counters>>,
    trace: Trace,
    number: AtomicU32,
    /// Of the last one.
    credential: Mutex<Option<CredentialId>>,
}

impl Attempts {
    pub(super) fn new(counters: &Arc<Counters>, trace: &Trace) -> Self {
        Self(Arc::new(Shared {
            counters: Some(counters.clone()),
            trace: trace.clone(),
            ..Shared::default()
        }))
    }

    /// An attempt with this credential begins.
    pub(crate) fn begin(&self, credential: CredentialId) {
        self.0.number.fetch_add(1, Ordering::Relaxed);
        *self.credential() = Some(credential);
    }

    /// The last one has failed.
    pub(crate) fn failed(&self, failure: &Failure) {
        self.0.trace.attempt_failed(self.number(), failure.as_str());
        self.ended(failure.as_str());
    }

    /// The last one has led to a reply.
    pub(crate) fn opened(&self) {
        self.ended("none");
    }

    fn ended(&self, fault: &'static str) {
        if let Some(counters) = &self.0.counters {
            counters.metrics.attempted(fault);
        }
    }

    /// How many there were.
    pub(super) fn number(&self) -> u32 {
        self.0.number.load(Ordering::Relaxed)
    }

    /// Whose the last one was.
    pub(super) fn last_credential(&self) -> Option<CredentialId> {
        *self.credential()
    }

    /// It is written in one step.
    fn credential(&self) -> std::sync::MutexGuard<'_, Option<CredentialId>> {
        let credential = &self.0.credential;
        credential.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
