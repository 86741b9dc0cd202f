//! A hundred replicas in virtual time: the code that runs in production, over a store and services in memory, with
//! faults by seed, and what must hold of them.
//!
//! See `docs/scale.md` for what is simulated and what is found.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a program of the project's own, which talks to its user and fails by panicking"
)]

mod clock;
pub mod credentials;
mod dice;
mod figures;
pub mod limits;
mod line;
mod network;
mod outcome;
mod process;
pub mod redis;

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

pub use crate::figures::Figures;
pub use crate::outcome::Outcome;

/// How many there are.
pub(crate) const REPLICAS: usize = 100;

/// Runs a seed: a shared credential, then shared limits. `tells` prints what happens.
pub fn run(seed: u64, tells: bool) -> Outcome {
    let mut outcome = credentials::run(seed, None, tells);
    let limits = limits::run(seed, None, tells);
    outcome.figures.add(&limits.figures);
    outcome.figures.seeds = 1;
    outcome.broken.extend(limits.broken);
    outcome.trace ^= limits.trace.rotate_left(1);
    outcome
}

/// Runs many, on all processors, and hands over what came of each. They come in no order.
pub fn run_all(seeds: Range<u64>, mut see: impl FnMut(u64, Outcome)) {
    let next = AtomicU64::new(seeds.start);
    let (sender, receiver) = mpsc::channel();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            let sender = sender.clone();
            let (next, end) = (&next, seeds.end);
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    // Nobody listens any more when the other side has panicked.
                    if seed >= end || sender.send((seed, run(seed, false))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        receiver
            .iter()
            .for_each(|(seed, outcome)| see(seed, outcome));
    });
}

/// Runs something on a clock that stands still while anybody has something to do, and jumps when nobody has.
fn virtual_time<T>(run: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime
        .expect("a runtime without I/O can be made")
        .block_on(run)
}
