//! `cargo xtask simulate`: many seeds on all processors, or one that is told in full.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program talks to its user"
)]

use std::process::ExitCode;

use kiro_simulate::{Figures, run, run_all};

const USAGE: &str = "usage: kiro-simulate [--seeds N] [--first SEED] | --seed SEED";

enum Wanted {
    Many { first: u64, seeds: u64 },
    One(u64),
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let is_well = match parse(&arguments) {
        Some(Wanted::Many { first, seeds }) => many(first, seeds),
        Some(Wanted::One(seed)) => one(seed),
        None => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match is_well {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn parse(mut arguments: &[&str]) -> Option<Wanted> {
    let (mut first, mut seeds) = (0, 10_000);
    loop {
        arguments = match arguments {
            [] => return Some(Wanted::Many { first, seeds }),
            ["--seed", seed] => return seed.parse().ok().map(Wanted::One),
            ["--seeds", number, rest @ ..] => {
                seeds = number.parse().ok()?;
                rest
            }
            ["--first", number, rest @ ..] => {
                first = number.parse().ok()?;
                rest
            }
            _ => return None,
        };
    }
}

/// Tells all that happens.
fn one(seed: u64) -> bool {
    let outcome = run(seed, true);
    println!("{}", outcome.figures);
    println!("seed {seed}: {}", verdict(&outcome.broken));
    outcome.broken.is_empty()
}

fn many(first: u64, seeds: u64) -> bool {
    let mut figures = Figures::default();
    let mut failed = Vec::new();
    run_all(first..first.saturating_add(seeds), |seed, outcome| {
        figures.add(&outcome.figures);
        if !outcome.broken.is_empty() {
            println!("seed {seed}: {}", verdict(&outcome.broken));
            failed.push(seed);
        }
        if figures.seeds.is_multiple_of(1_000) {
            eprintln!("{} seeds, {} failed", figures.seeds, failed.len());
        }
    });
    println!("{figures}");
    if !failed.is_empty() {
        println!("failed: {failed:?}; cargo xtask simulate --seed N tells all that happens in one");
    }
    failed.is_empty()
}

fn verdict(broken: &[String]) -> String {
    match broken {
        [] => "all holds".to_owned(),
        broken => format!("does not hold:\n  {}", broken.join("\n  ")),
    }
}
