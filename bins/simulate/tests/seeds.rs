//! What holds over some seeds, that it can fail, and that a seed can be repeated.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicU64, Ordering};

use kiro_simulate::{Outcome, credentials, limits, run, run_all};

/// Enough to meet each kind of fault; `cargo xtask simulate` has ten thousand.
const SEEDS: u64 = 40;

/// The first of some seeds with which something does not hold.
fn first_broken(run: impl Fn(u64) -> Outcome) -> Option<(u64, Outcome)> {
    let outcomes = (0..SEEDS).map(|seed| (seed, run(seed)));
    outcomes
        .into_iter()
        .find(|(_, outcome)| !outcome.broken.is_empty())
}

#[test]
fn everything_holds() {
    let seen = AtomicU64::new(0);
    run_all(0..SEEDS, |seed, outcome| {
        assert!(
            outcome.broken.is_empty(),
            "seed {seed}: {:#?}",
            outcome.broken
        );
        seen.fetch_add(1, Ordering::Relaxed);
    });
    assert_eq!(seen.into_inner(), SEEDS);
}

#[test]
fn a_seed_is_repeated_to_the_nanosecond() {
    for seed in [3, 17] {
        let (one, other) = (run(seed, false), run(seed, false));
        assert_eq!(one.trace, other.trace);
        assert_eq!(one.figures, other.figures);
        assert_ne!(one.trace, run(seed + 1, false).trace);
    }
}

#[test]
fn a_lease_that_everybody_has_is_found() {
    let sabotage = Some(credentials::Sabotage::ClaimsOfNobody);
    let (_, outcome) = first_broken(|seed| credentials::run(seed, sabotage, false)).unwrap();
    assert!(
        outcome.broken[0].contains("without a lease"),
        "{:?}",
        outcome.broken
    );
}

#[test]
fn a_save_that_is_not_done_is_found() {
    let sabotage = Some(credentials::Sabotage::ForgottenSaves);
    assert!(first_broken(|seed| credentials::run(seed, sabotage, false)).is_some());
}

#[test]
fn gateways_that_let_in_all_of_a_limit_alone_are_found() {
    let sabotage = Some(limits::Sabotage::WholeShares);
    assert!(first_broken(|seed| limits::run(seed, sabotage, false)).is_some());
}
