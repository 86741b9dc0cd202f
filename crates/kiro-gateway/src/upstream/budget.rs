//! How many second attempts the upstream is burdened with: a bucket of tokens that every exchange adds to and
//! every retry takes from.
//!
//! Retries help against single failures. When everything fails they multiply the load on an upstream that is
//! down, or just coming back, by the number of attempts; with a budget they stay a tenth of it. (The idea is
//! Finagle's and linkerd's.)

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// What an exchange adds: one retry for ten exchanges.
const PER_EXCHANGE: f64 = 0.1;

/// What a second adds, so that whoever asks seldom has retries, too.
const PER_SECOND: f64 = 0.1;

/// What is saved at most, and there at the start.
const MOST: f64 = 10.0;

/// The budget of one upstream.
#[derive(Debug)]
pub(super) struct Budget {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    tokens: f64,
    at: Instant,
}

impl Budget {
    pub(super) fn new() -> Self {
        let inner = Inner {
            tokens: MOST,
            at: Instant::now(),
        };
        Self {
            inner: Mutex::new(inner),
        }
    }

    /// An exchange begins.
    pub(super) fn earn(&self) {
        self.change(|tokens| (tokens + PER_EXCHANGE, ()));
    }

    /// Takes what a retry costs; `false` when there is not enough.
    pub(super) fn spend(&self) -> bool {
        self.change(|tokens| match tokens >= 1.0 {
            true => (tokens - 1.0, true),
            false => (tokens, false),
        })
    }

    fn change<T>(&self, change: impl FnOnce(f64) -> (f64, T)) -> T {
        // A panic while the lock was held cannot have left more than a wrong number.
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let seconds = now.duration_since(inner.at).as_secs_f64();
        let (tokens, result) = change((inner.tokens + seconds * PER_SECOND).min(MOST));
        *inner = Inner {
            tokens: tokens.min(MOST),
            at: now,
        };
        result
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn retries_are_a_tenth_of_the_exchanges_when_everything_fails() {
        let budget = Budget::new();
        let mut n_retries = 0;
        for _ in 0..1_000 {
            budget.earn();
            // Each would like three.
            n_retries += (0..3).filter(|_| budget.spend()).count();
        }
        assert!((100..=111).contains(&n_retries), "{n_retries}");
    }

    #[tokio::test(start_paused = true)]
    async fn time_fills_it_again_up_to_a_limit() {
        let budget = Budget::new();
        while budget.spend() {}
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(budget.spend() && !budget.spend());
        tokio::time::advance(Duration::from_secs(100_000)).await;
        let n_retries = std::iter::repeat_with(|| budget.spend());
        assert_eq!(n_retries.take_while(|granted| *granted).count(), 10);
    }
}
