//! The project's own chores, started as `cargo xtask`.
//!
//! What a person runs by hand and what a machine runs for every change are the same commands, because both
//! run this program.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program talks to its user"
)]

mod bench;
mod book;
mod ci;
mod clients;
mod dependencies;
mod deploy;
mod dist;
mod features;
mod fuzz;
mod http;
mod install;
mod library;
mod mirror;
mod monitoring;
mod oldest;
mod packages;
mod pages;
mod process;
mod programs;
mod public_api;
mod purity;
mod release;
mod reliability;
mod secrets;
mod service;
mod simulate;
mod soak;
mod stage;
mod typos;
mod venv;
mod workspace;

use std::process::ExitCode;

use workspace::Workspace;

const USAGE: &str = "\
Usage: cargo xtask <command>

Commands:
  ci [--fast]                 every check in order; --fast leaves out the real clients
  clients [NAME]...           other people's clients against the gateway and the simulator: python, node,
                              langchain, litellm, pydantic-ai, instructor, ai-sdk, openai-agents,
                              anthropic-python, anthropic-node, codex, claude-code, aider, continue, cline;
                              all when none is named
  book                        docs/ as a book, in target/book; every link, code block and command of the pages is checked
  pages                       the pages for people, in Chromium; screenshots are left in target/pages
  features                    each library without features, with each alone and with all; and what its page tells of them
  packages                    the libraries as packages: what is in them, and that each builds from its own
  oldest                      whether all packages go with the oldest compiler that is promised
  public-api [--bless]        the public items of each library, compared with crates/*/public-api.txt
  purity                      what each crate may depend on
  typos                       spelling
  dependencies                licences and origins of everything it is built from, by cargo-deny
  deploy                      the files of deploy/, each looked over by a program that knows its kind
  monitoring                  alerts, board and reference of the metrics, before a Prometheus that scrapes the program
  dist                        the program as it is shipped, one file that needs no other: target/dist
  mirror [--time]             lengths, documentation, names and needs of the libraries beside those of others; --time builds
                              each from nothing, which takes minutes
  release --dry-run           packages, lists of parts and checksums in target/publish, and what stands against publishing
  reliability                 every fault and attack on the program, and the table of docs/reliability.md from the results
  bench [--seconds N] [--json] [--write] [PART]...
                              the program under load, beside bare hyper and nginx: plain, tls, memory, many (10,000
                              streams), growth, start; all when none is named. --write puts it into docs/performance.md
  bench protocol [--instructions] [--json]
                              decoding, beside aws-smithy-eventstream and bare crc32fast
  bench auth [--json]         fresh access tokens, beside a bare ArcSwap load
  bench path [--json]         instructions from a request to its answer, beside a bare hyper client
  bench gate [--bless]        the same, and fail where they are 2 % more than bins/bench/baseline.json
  bench overload [--seconds N] [--json]
                              answers and memory at two and four times the load that fills the gateway
  fuzz [--seconds N] [TARGET]
                              every fuzz target, or one, for N seconds each (60)
  simulate [--seeds N] | simulate --seed N
                              a hundred replicas in virtual time, with partitions, pauses and restarts: what must hold
                              of leases and limits, over many seeds (10000), or all that happens in one
  soak [--minutes N] [--seed N]
                              mixed load with random faults; every request has one end, and nothing is left (30)
";

/// What a chore may fail with; printed with its causes.
type Failure = Box<dyn std::error::Error>;

/// A chore and its options.
#[derive(Debug, PartialEq)]
enum Chore {
    Ci { fast: bool },
    Clients(Vec<clients::Client>),
    Book,
    Pages,
    Features,
    Oldest,
    Packages,
    PublicApi { bless: bool },
    Mirror { time: bool },
    Purity,
    Release { dry_run: bool },
    Typos,
    Dependencies,
    Deploy,
    Monitoring,
    Dist,
    Reliability,
    Bench(bench::load::Options),
    BenchProtocol(bench::protocol::Options),
    BenchAuth { json: bool },
    BenchPath { json: bool },
    BenchGate { bless: bool },
    BenchOverload(bench::overload::Options),
    Fuzz(fuzz::Options),
    Simulate(simulate::Options),
    Soak(soak::Options),
    Help,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let Some(chore) = parse(&arguments) else {
        eprintln!("error: `{}` is no chore\n\n{USAGE}", arguments.join(" "));
        return ExitCode::from(2);
    };
    match perform(&chore) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            let mut cause = error.source();
            while let Some(deeper) = cause {
                eprintln!("  because: {deeper}");
                cause = deeper.source();
            }
            ExitCode::FAILURE
        }
    }
}

fn parse(arguments: &[&str]) -> Option<Chore> {
    match arguments {
        [] | ["help" | "--help" | "-h"] => Some(Chore::Help),
        ["ci"] => Some(Chore::Ci { fast: false }),
        ["ci", "--fast"] => Some(Chore::Ci { fast: true }),
        ["clients"] => Some(Chore::Clients(clients::Client::ALL.to_vec())),
        ["clients", names @ ..] => {
            let clients: Option<Vec<_>> = names
                .iter()
                .map(|name| clients::Client::by_name(name))
                .collect();
            clients.map(Chore::Clients)
        }
        ["book"] => Some(Chore::Book),
        ["pages"] => Some(Chore::Pages),
        ["features"] => Some(Chore::Features),
        ["oldest"] => Some(Chore::Oldest),
        ["packages"] => Some(Chore::Packages),
        ["public-api"] => Some(Chore::PublicApi { bless: false }),
        ["public-api", "--bless"] => Some(Chore::PublicApi { bless: true }),
        ["typos"] => Some(Chore::Typos),
        ["purity"] => Some(Chore::Purity),
        ["dependencies"] => Some(Chore::Dependencies),
        ["deploy"] => Some(Chore::Deploy),
        ["monitoring"] => Some(Chore::Monitoring),
        ["dist"] => Some(Chore::Dist),
        ["release"] => Some(Chore::Release { dry_run: false }),
        ["release", "--dry-run"] => Some(Chore::Release { dry_run: true }),
        ["mirror"] => Some(Chore::Mirror { time: false }),
        ["mirror", "--time"] => Some(Chore::Mirror { time: true }),
        ["reliability"] => Some(Chore::Reliability),
        ["bench", "auth"] => Some(Chore::BenchAuth { json: false }),
        ["bench", "auth", "--json"] => Some(Chore::BenchAuth { json: true }),
        ["bench", "path"] => Some(Chore::BenchPath { json: false }),
        ["bench", "path", "--json"] => Some(Chore::BenchPath { json: true }),
        ["bench", "gate"] => Some(Chore::BenchGate { bless: false }),
        ["bench", "gate", "--bless"] => Some(Chore::BenchGate { bless: true }),
        ["bench", "protocol", options @ ..] => protocol_options(options).map(Chore::BenchProtocol),
        ["bench", "overload", options @ ..] => overload_options(options).map(Chore::BenchOverload),
        ["bench", options @ ..] => bench::load::Options::parse(options).map(Chore::Bench),
        ["simulate", options @ ..] => simulate::Options::parse(options).map(Chore::Simulate),
        ["soak", options @ ..] => soak::Options::parse(options).map(Chore::Soak),
        ["fuzz", options @ ..] => fuzz::Options::parse(options).map(Chore::Fuzz),
        _ => None,
    }
}

fn overload_options(mut arguments: &[&str]) -> Option<bench::overload::Options> {
    let mut options = bench::overload::Options::default();
    loop {
        arguments = match arguments {
            [] => return Some(options),
            ["--json", rest @ ..] => {
                options.json = true;
                rest
            }
            ["--seconds", seconds, rest @ ..] => {
                options.seconds = seconds.parse().ok().filter(|seconds| *seconds > 0)?;
                rest
            }
            _ => return None,
        };
    }
}

fn protocol_options(arguments: &[&str]) -> Option<bench::protocol::Options> {
    let mut options = bench::protocol::Options::default();
    for argument in arguments {
        match *argument {
            "--instructions" => options.instructions = true,
            "--json" => options.json = true,
            _ => return None,
        }
    }
    Some(options)
}

fn perform(chore: &Chore) -> Result<(), Failure> {
    match chore {
        Chore::Ci { fast } => ci::run(&Workspace::find()?, *fast),
        Chore::Clients(clients) => clients::run(&Workspace::find()?, clients),
        Chore::Book => book::run(&Workspace::find()?),
        Chore::Pages => pages::run(&Workspace::find()?),
        Chore::Features => features::check(&Workspace::find()?),
        Chore::Oldest => oldest::check(&Workspace::find()?),
        Chore::Packages => packages::check(&Workspace::find()?),
        Chore::PublicApi { bless } => public_api::check(&Workspace::find()?, *bless),
        Chore::Typos => typos::check(&Workspace::find()?),
        Chore::Purity => purity::check(&Workspace::find()?),
        Chore::Dependencies => dependencies::check(&Workspace::find()?),
        Chore::Deploy => deploy::check(&Workspace::find()?),
        Chore::Monitoring => monitoring::run(&Workspace::find()?),
        Chore::Dist => dist::make(&Workspace::find()?).map(drop),
        Chore::Release { dry_run: false } => Err(release::BY_HAND.into()),
        Chore::Release { dry_run: true } => release::rehearse(&Workspace::find()?),
        Chore::Mirror { time } => mirror::run(&Workspace::find()?, *time),
        Chore::Reliability => reliability::run(&Workspace::find()?),
        Chore::Bench(options) => bench::load::run(&Workspace::find()?, options),
        Chore::BenchProtocol(options) => bench::protocol::run(&Workspace::find()?, options),
        Chore::BenchAuth { json } => bench::auth::run(&Workspace::find()?, *json),
        Chore::BenchPath { json } => bench::path::run(&Workspace::find()?, *json),
        Chore::BenchGate { bless } => bench::path::gate(&Workspace::find()?, *bless),
        Chore::BenchOverload(options) => bench::overload::run(&Workspace::find()?, options),
        Chore::Fuzz(options) => fuzz::run(&Workspace::find()?, options),
        Chore::Simulate(options) => simulate::run(&Workspace::find()?, options),
        Chore::Soak(options) => soak::run(&Workspace::find()?, options),
        Chore::Help => {
            print!("{USAGE}");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::Client;

    #[test]
    fn nothing_is_published_by_this_program() {
        let refused = perform(&Chore::Release { dry_run: false }).unwrap_err();
        assert!(refused.to_string().contains("a person does it"));
    }

    #[test]
    fn arguments_name_a_chore_or_none() {
        for (arguments, chore) in [
            (&[][..], Some(Chore::Help)),
            (&["ci"], Some(Chore::Ci { fast: false })),
            (&["ci", "--fast"], Some(Chore::Ci { fast: true })),
            (&["ci", "--quick"], None),
            (&["clients"], Some(Chore::Clients(Client::ALL.to_vec()))),
            (
                &["clients", "node"],
                Some(Chore::Clients(vec![Client::Node])),
            ),
            (&["clients", "cobol"], None),
            (&["book"], Some(Chore::Book)),
            (&["pages"], Some(Chore::Pages)),
            (&["features"], Some(Chore::Features)),
            (&["oldest"], Some(Chore::Oldest)),
            (&["packages"], Some(Chore::Packages)),
            (&["public-api"], Some(Chore::PublicApi { bless: false })),
            (
                &["public-api", "--bless"],
                Some(Chore::PublicApi { bless: true }),
            ),
            (&["typos"], Some(Chore::Typos)),
            (&["purity"], Some(Chore::Purity)),
            (&["dependencies"], Some(Chore::Dependencies)),
            (&["deploy"], Some(Chore::Deploy)),
            (&["monitoring"], Some(Chore::Monitoring)),
            (&["dist"], Some(Chore::Dist)),
            (&["release"], Some(Chore::Release { dry_run: false })),
            (
                &["release", "--dry-run"],
                Some(Chore::Release { dry_run: true }),
            ),
            (&["mirror", "--time"], Some(Chore::Mirror { time: true })),
            (&["reliability"], Some(Chore::Reliability)),
            (
                &["bench"],
                Some(Chore::Bench(bench::load::Options::default())),
            ),
            (
                &["bench", "--json", "--seconds", "5", "tls", "--write"],
                Some(Chore::Bench(bench::load::Options {
                    seconds: Some(5),
                    json: true,
                    write: true,
                    parts: vec!["tls".to_owned()],
                })),
            ),
            (&["bench", "fast"], None),
            (&["bench", "--seconds", "0"], None),
            (&["bench", "--seconds"], None),
            (
                &["bench", "protocol"],
                Some(Chore::BenchProtocol(bench::protocol::Options::default())),
            ),
            (
                &["bench", "protocol", "--json", "--instructions"],
                Some(Chore::BenchProtocol(bench::protocol::Options {
                    instructions: true,
                    json: true,
                })),
            ),
            (&["bench", "protocol", "--seconds", "5"], None),
            (&["bench", "auth"], Some(Chore::BenchAuth { json: false })),
            (
                &["bench", "auth", "--json"],
                Some(Chore::BenchAuth { json: true }),
            ),
            (&["bench", "auth", "--seconds", "5"], None),
            (&["bench", "path"], Some(Chore::BenchPath { json: false })),
            (
                &["bench", "gate", "--bless"],
                Some(Chore::BenchGate { bless: true }),
            ),
            (&["bench", "gate", "--json"], None),
            (
                &["bench", "overload", "--seconds", "5"],
                Some(Chore::BenchOverload(bench::overload::Options {
                    seconds: 5,
                    json: false,
                })),
            ),
            (
                &["fuzz", "--seconds", "5", "reply"],
                Some(Chore::Fuzz(fuzz::Options {
                    seconds: 5,
                    target: Some("reply".to_owned()),
                })),
            ),
            (
                &["simulate"],
                Some(Chore::Simulate(simulate::Options::Many(10_000))),
            ),
            (
                &["simulate", "--seeds", "5"],
                Some(Chore::Simulate(simulate::Options::Many(5))),
            ),
            (
                &["simulate", "--seed", "5"],
                Some(Chore::Simulate(simulate::Options::One(5))),
            ),
            (&["simulate", "5"], None),
            (&["fuzz", "--fast"], None),
            (&["publish"], None),
        ] {
            assert_eq!(parse(arguments), chore, "{arguments:?}");
        }
    }
}
