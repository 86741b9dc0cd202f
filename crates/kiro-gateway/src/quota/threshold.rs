//! From when on little is left.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The share of a quota below which little of it is left. All caches of a gateway share one, so that a reload
/// reaches those that stay.
#[derive(Debug, Clone)]
pub(crate) struct Threshold(Arc<AtomicU64>);

impl Threshold {
    pub(crate) fn new(share: f64) -> Self {
        Self(Arc::new(AtomicU64::new(share.to_bits())))
    }

    /// The share; 0 warns of nothing.
    pub(crate) fn share(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }

    /// Takes over the place of a predecessor, with the value of this one.
    pub(crate) fn succeed(&mut self, old: &Self) {
        old.0.store(self.share().to_bits(), Ordering::Relaxed);
        self.0 = old.0.clone();
    }
}
