//! Replicas in virtual time, by `kiro-simulate`: a package of its own, because it must be built in release mode and brings
//! an interpreter of Lua.

use crate::Failure;
use crate::process;
use crate::workspace::Workspace;

/// What is run.
#[derive(Debug, PartialEq)]
pub(crate) enum Options {
    /// So many seeds.
    Many(u64),
    /// One, and all that happens in it is told.
    One(u64),
}

/// What a run of many is of, when nobody says.
const SEEDS: u64 = 10_000;

impl Options {
    pub(crate) fn parse(arguments: &[&str]) -> Option<Self> {
        match arguments {
            [] => Some(Self::Many(SEEDS)),
            ["--seeds", seeds] => seeds.parse().ok().map(Self::Many),
            ["--seed", seed] => seed.parse().ok().map(Self::One),
            _ => None,
        }
    }
}

/// Runs them.
///
/// # Errors
///
/// With a seed something does not hold that must.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<(), Failure> {
    let (word, number) = match options {
        Options::Many(seeds) => ("--seeds", seeds),
        Options::One(seed) => ("--seed", seed),
    };
    let number = number.to_string();
    let program = [
        "run",
        "--release",
        "--locked",
        "--quiet",
        "-p",
        "kiro-simulate",
        "--",
        word,
        &number,
    ];
    Ok(process::run(&mut workspace.command("cargo", &program))?)
}
