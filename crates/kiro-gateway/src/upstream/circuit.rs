//! A host that fails again and again is left alone for a while.
//!
//! ```text
//!          FAILURES in a row                pause is over
//! closed ───────────────────> open ───────────────────────> half open: one attempt
//!    ^                          ^ ────────── it fails: twice the pause ──┘ │
//!    └──────────────────────────────────────── it succeeds ────────────────┘
//! ```
//!
//! Whoever asks meanwhile is told at once, and when to come again, instead of waiting for the next time-out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Failures in a row that open a circuit.
const FAILURES: u32 = 10;

/// How long it stays open, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Hosts that are remembered. There are two for each region of the service.
const MAX_HOSTS: usize = 256;

/// The circuits of all hosts.
#[derive(Debug, Default)]
pub(super) struct Circuits {
    hosts: Mutex<HashMap<String, Circuit>>,
}

#[derive(Debug, Default)]
struct Circuit {
    failures: u32,
    /// While it is open, or half open.
    open: Option<Open>,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    until: Instant,
    pause: Duration,
    /// Whether the one attempt is under way.
    probing: bool,
}

/// The right to one attempt. Whoever drops it without a word has learned nothing.
#[derive(Debug)]
pub(super) struct Permit {
    circuits: Arc<Circuits>,
    host: String,
    told: bool,
}

impl Circuits {
    /// The right to an attempt, or how long there is none.
    pub(super) fn admit(self: &Arc<Self>, host: &str) -> Result<Permit, Duration> {
        let mut hosts = self.lock();
        if let Some(Circuit {
            open: Some(open), ..
        }) = hosts.get_mut(host)
        {
            let left = open.until.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                return Err(left);
            }
            if open.probing {
                // The one attempt will tell soon.
                return Err(Duration::from_secs(1));
            }
            open.probing = true;
        }
        Ok(Permit {
            circuits: self.clone(),
            host: host.to_owned(),
            told: false,
        })
    }

    /// The hosts that are left alone.
    pub(super) fn open(&self) -> Vec<String> {
        let hosts = self.lock();
        let open = hosts.iter().filter(|(_, circuit)| circuit.open.is_some());
        open.map(|(host, _)| host.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Circuit>> {
        // Every change is one assignment, so a panic cannot have left half of one.
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// The host answered, whatever it said to the caller.
    pub(super) fn succeeded(mut self) {
        self.told = true;
        if self
            .circuits
            .lock()
            .remove(&self.host)
            .is_some_and(|circuit| circuit.open.is_some())
        {
            tracing::info!(host = self.host, "the host answers again");
        }
    }

    /// The host could not be reached, broke off, or failed by itself.
    pub(super) fn failed(mut self) {
        self.told = true;
        let mut hosts = self.circuits.lock();
        if hosts.len() >= MAX_HOSTS && !hosts.contains_key(&self.host) {
            return;
        }
        let circuit = hosts.entry(self.host.clone()).or_default();
        circuit.failures = circuit.failures.saturating_add(1);
        let pause = match circuit.open {
            Some(open) if open.probing => (open.pause * 2).min(LONGEST_PAUSE),
            // An attempt that began before the circuit opened.
            Some(_) => return,
            None if circuit.failures >= FAILURES => FIRST_PAUSE,
            None => return,
        };
        tracing::warn!(
            host = self.host,
            failures = circuit.failures,
            ?pause,
            "the host is left alone"
        );
        circuit.open = Some(Open {
            until: Instant::now() + pause,
            pause,
            probing: false,
        });
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.told {
            return;
        }
        if let Some(Circuit {
            open: Some(open), ..
        }) = self.circuits.lock().get_mut(&self.host)
        {
            open.probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(circuits: &Arc<Circuits>, times: u32) {
        for _ in 0..times {
            circuits.admit("a").unwrap().failed();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_fails_is_left_alone_and_tried_again_by_one() {
        let circuits = Arc::new(Circuits::default());
        fail(&circuits, FAILURES - 1);
        circuits.admit("a").unwrap().succeeded();
        fail(&circuits, FAILURES);
        assert_eq!(circuits.admit("a").unwrap_err(), FIRST_PAUSE);
        assert!(
            circuits.admit("b").is_ok(),
            "another host is another matter"
        );
        assert_eq!(circuits.open(), ["a"]);

        tokio::time::advance(FIRST_PAUSE).await;
        let probe = circuits.admit("a").unwrap();
        assert!(circuits.admit("a").is_err(), "one at a time");
        probe.failed();
        assert_eq!(circuits.admit("a").unwrap_err(), FIRST_PAUSE * 2);

        tokio::time::advance(FIRST_PAUSE * 2).await;
        circuits.admit("a").unwrap().succeeded();
        assert!(circuits.open().is_empty());
        fail(&circuits, FAILURES - 1);
        assert!(circuits.admit("a").is_ok(), "it is counted from the start");
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_in_the_one_attempt_makes_room_for_the_next() {
        let circuits = Arc::new(Circuits::default());
        fail(&circuits, FAILURES);
        tokio::time::advance(FIRST_PAUSE).await;
        drop(circuits.admit("a").unwrap());
        assert!(circuits.admit("a").is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn late_failures_do_not_make_the_pause_longer() {
        let circuits = Arc::new(Circuits::default());
        let late: Vec<_> = (0..FAILURES * 3)
            .map(|_| circuits.admit("a").unwrap())
            .collect();
        late.into_iter().for_each(Permit::failed);
        assert_eq!(circuits.admit("a").unwrap_err(), FIRST_PAUSE);
        for _ in 0..10 {
            let left = circuits.admit("a").unwrap_err();
            tokio::time::advance(left).await;
            circuits.admit("a").unwrap().failed();
        }
        assert_eq!(circuits.admit("a").unwrap_err(), LONGEST_PAUSE);
    }
}
