//! Whatever happens in whatever order, the promises of a token source hold.
//!
//! Long orders, drawn by chance; `exhaustive` tries every short one.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use proptest::prelude::*;
use support::world::{Step, World};

/// A step of one of `n_programs`.
fn step(n_programs: usize) -> impl Strategy<Value = Step> {
    let program = 0..n_programs;
    prop_oneof![
        3 => (1..90_u32).prop_map(Step::Time),
        5 => program.clone().prop_map(Step::Call),
        1 => program.clone().prop_map(Step::Leave),
        4 => Just(Step::Answer),
        4 => Just(Step::FinishSave),
        2 => program.clone().prop_map(Step::Reject),
        1 => program.prop_map(Step::Confirm),
        1 => Just(Step::ServiceFails),
        1 => Just(Step::SomebodySignsIn),
        1 => Just(Step::SignInIsWritten),
    ]
}

/// What can befall a program that shares its credential with nobody …
fn step_alone() -> impl Strategy<Value = Step> {
    // A program that cannot save would lock the other one out, whatever we do.
    prop_oneof![15 => step(1), 1 => Just(Step::SavesFail)]
}

/// … and two that share one.
fn step_of_two() -> impl Strategy<Value = Step> {
    // A program that dies with what it could not save would lock itself out.
    prop_oneof![15 => step(2), 1 => (0..2_usize).prop_map(Step::Die)]
}

/// Takes those steps that can happen.
fn go_through(n_programs: usize, steps: Vec<Step>) {
    let mut world = World::with_programs(n_programs);
    for step in steps {
        if world.can(step) {
            world.take(step);
        }
    }
    world.calm_down();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn promises_hold_in_every_order(steps in proptest::collection::vec(step_alone(), 0..90)) {
        go_through(1, steps);
    }

    #[test]
    fn promises_hold_for_two_programs_in_every_order(steps in proptest::collection::vec(step_of_two(), 0..90)) {
        go_through(2, steps);
    }
}
