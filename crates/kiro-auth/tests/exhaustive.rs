//! Every order of a few events keeps the promises of a token source, alone and beside another program.
//!
//! `interleavings` draws long orders by chance; here short ones are tried without exception.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use support::world::{Step, World};

use Step::{Answer, Call, Die, FinishSave, Leave, Reject, SignInIsWritten, SomebodySignsIn, Time};

/// A fresh token becomes stale, and a stale one expires.
const AGE: Step = Time(55);

/// A fresh token expires at once.
const EXPIRE: Step = Time(60);

/// Walks through every order of `length` steps of the alphabet that can happen, and says how many there
/// are. `may` leaves out what would only repeat another order.
///
/// Tasks cannot be copied, so each order begins anew; what is kept between them is the choice at each step.
fn every_order(
    n_programs: usize,
    length: usize,
    alphabet: &[Step],
    may: impl Fn(&World, &[Step], Step) -> bool,
) -> usize {
    let mut choices: Vec<Choice> = Vec::new();
    let mut n_orders = 0;
    loop {
        let mut world = World::with_programs(n_programs);
        let mut taken = Vec::new();
        for at in 0..length {
            let possible = |step: &&Step| world.can(**step) && may(&world, &taken, **step);
            let possible: Vec<Step> = alphabet.iter().filter(possible).copied().collect();
            if at == choices.len() {
                choices.push(Choice {
                    chosen: 0,
                    of: possible.len(),
                });
            }
            let step = possible[choices[at].chosen];
            taken.push(step);
            world.take(step);
        }
        world.calm_down();
        n_orders += 1;
        while choices.last().is_some_and(Choice::is_last) {
            choices.pop();
        }
        match choices.last_mut() {
            Some(choice) => choice.chosen += 1,
            None => return n_orders,
        }
    }
}

struct Choice {
    chosen: usize,
    of: usize,
}

impl Choice {
    fn is_last(&self) -> bool {
        self.chosen + 1 == self.of
    }
}

/// Whether the step would only repeat another order.
fn is_idle(taken: &[Step], step: Step) -> bool {
    match step {
        SomebodySignsIn => taken.last() == Some(&SignInIsWritten),
        EXPIRE => taken.last() == Some(&EXPIRE),
        AGE => taken.ends_with(&[AGE, AGE]),
        // Nor has a program anything to lose before it does something.
        Die(program) => {
            let mut before = taken.iter().rev();
            before
                .find(|step| step.program() == Some(program))
                .is_none_or(|last| *last == step)
        }
        _ => false,
    }
}

#[test]
fn promises_hold_in_every_order_of_eight_events() {
    let alphabet = [
        Call(0),
        Leave(0),
        Answer,
        FinishSave,
        Reject(0),
        AGE,
        SomebodySignsIn,
        SignInIsWritten,
    ];
    let n_orders = every_order(1, 8, &alphabet, |world, taken, step| {
        // A third one who waits is treated as the second is.
        (step != Call(0) || world.n_waiting(0) < 2) && !is_idle(taken, step)
    });
    assert!(n_orders > 10_000, "{n_orders} are not all");
}

#[test]
fn two_programs_keep_them_too_in_every_order_of_six_events() {
    let alphabet = [
        Call(0),
        Call(1),
        Leave(0),
        Leave(1),
        Answer,
        FinishSave,
        Reject(0),
        Reject(1),
        EXPIRE,
        SomebodySignsIn,
        SignInIsWritten,
        Die(0),
        Die(1),
    ];
    let n_orders = every_order(2, 6, &alphabet, |world, taken, step| {
        // Those who wait in one program for one refresh are a matter of the other test.
        let crowds = matches!(step, Call(program) if world.n_waiting(program) > 0);
        // Which program comes first makes no difference.
        let is_other = step.program() == Some(1);
        let comes_first = is_other && taken.iter().all(|step| step.program() != Some(0));
        !crowds && !comes_first && !is_idle(taken, step)
    });
    assert!(n_orders > 5_000, "{n_orders} are not all");
}
