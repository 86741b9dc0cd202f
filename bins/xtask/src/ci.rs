//! Every check, in order.

use std::time::{Duration, Instant};

use crate::Failure;
use crate::bench;
use crate::book;
use crate::clients::{self, Client};
use crate::dependencies;
use crate::deploy;
use crate::features;
use crate::fuzz;
use crate::monitoring;
use crate::oldest;
use crate::packages;
use crate::pages;
use crate::process;
use crate::programs;
use crate::public_api;
use crate::purity;
use crate::reliability;
use crate::secrets;
use crate::typos;
use crate::workspace::Workspace;

/// One check.
struct Step {
    name: &'static str,
    action: fn(&Workspace) -> Result<(), Failure>,
}

/// The checks that need nothing but the Rust toolchain, a Redis, a Prometheus, valgrind and programs from pip.
const RUST: [Step; 19] = [
    Step {
        name: "format",
        action: |at| cargo(at, &["fmt", "--all", "--check"]),
    },
    Step {
        name: "spelling",
        action: typos::check,
    },
    Step {
        name: "lint",
        action: |at| {
            cargo(
                at,
                &[
                    "clippy",
                    "--locked",
                    "--workspace",
                    "--all-targets",
                    "--",
                    "-Dwarnings",
                ],
            )
        },
    },
    Step {
        name: "each library with each of its features",
        action: features::check,
    },
    Step {
        name: "what each library promises",
        action: |at| public_api::check(at, false),
    },
    Step {
        name: "programs for the tests",
        action: |_| programs::provide(),
    },
    Step {
        name: "test",
        action: test,
    },
    Step {
        name: "table of faults",
        action: reliability::check,
    },
    Step {
        name: "no secret in what the tests logged",
        action: secrets::search,
    },
    Step {
        name: "seeds of the fuzz targets",
        action: fuzz::replay,
    },
    Step {
        name: "documentation",
        action: |at| {
            let mut doc = at.command("cargo", &["doc", "--locked", "--workspace", "--no-deps"]);
            doc.env("RUSTDOCFLAGS", "-Dwarnings");
            Ok(process::run(&mut doc)?)
        },
    },
    Step {
        name: "book",
        action: book::run,
    },
    Step {
        name: "packages of the libraries",
        action: packages::check,
    },
    Step {
        name: "instructions on the path of a request",
        action: |at| bench::path::gate(at, false),
    },
    Step {
        name: "oldest compiler",
        action: oldest::check,
    },
    Step {
        name: "purity",
        action: purity::check,
    },
    Step {
        name: "licences and origins",
        action: dependencies::check,
    },
    Step {
        name: "files for containers and service managers",
        action: deploy::check,
    },
    Step {
        name: "alerts and board before a real Prometheus",
        action: monitoring::run,
    },
];

/// The checks with other people's clients, browsers among them.
const CLIENTS: [Step; 15] = [
    Step {
        name: "pages in a browser",
        action: pages::run,
    },
    Step {
        name: "client openai for Python",
        action: |at| clients::run(at, &[Client::Python]),
    },
    Step {
        name: "client openai for Node",
        action: |at| clients::run(at, &[Client::Node]),
    },
    Step {
        name: "client LangChain",
        action: |at| clients::run(at, &[Client::LangChain]),
    },
    Step {
        name: "client LiteLLM",
        action: |at| clients::run(at, &[Client::LiteLlm]),
    },
    Step {
        name: "client pydantic-ai",
        action: |at| clients::run(at, &[Client::PydanticAi]),
    },
    Step {
        name: "client instructor",
        action: |at| clients::run(at, &[Client::Instructor]),
    },
    Step {
        name: "client Vercel AI SDK",
        action: |at| clients::run(at, &[Client::AiSdk]),
    },
    Step {
        name: "client OpenAI Agents SDK",
        action: |at| clients::run(at, &[Client::OpenAiAgents]),
    },
    Step {
        name: "client anthropic for Python",
        action: |at| clients::run(at, &[Client::AnthropicPython]),
    },
    Step {
        name: "client anthropic for Node",
        action: |at| clients::run(at, &[Client::AnthropicNode]),
    },
    Step {
        name: "client Codex CLI",
        action: |at| clients::run(at, &[Client::Codex]),
    },
    Step {
        name: "client Claude Code",
        action: |at| clients::run(at, &[Client::ClaudeCode]),
    },
    Step {
        name: "client Continue",
        action: |at| clients::run(at, &[Client::Continue]),
    },
    Step {
        name: "client Cline",
        action: |at| clients::run(at, &[Client::Cline]),
    },
];

/// Which check failed, and how far it came.
#[derive(Debug, thiserror::Error)]
#[error("ci: step {number} of {count} failed: {name}, after {seconds} s")]
struct Failed {
    number: usize,
    count: usize,
    name: &'static str,
    seconds: u64,
    source: Failure,
}

/// Runs every check and stops at the first that fails.
///
/// # Errors
///
/// The check that failed, and why.
pub(crate) fn run(workspace: &Workspace, fast: bool) -> Result<(), Failure> {
    let clients = if fast { &[][..] } else { &CLIENTS };
    let steps: Vec<&Step> = RUST.iter().chain(clients).collect();
    let started = Instant::now();
    let mut times = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let (number, count, name) = (index + 1, steps.len(), step.name);
        println!("\n[{number}/{count}] {name}");
        let began = Instant::now();
        (step.action)(workspace).map_err(|source| Failed {
            number,
            count,
            name,
            seconds: began.elapsed().as_secs(),
            source,
        })?;
        println!(
            "[{number}/{count}] {name}: passed in {}",
            seconds(began.elapsed())
        );
        times.push((name, began.elapsed()));
    }
    println!();
    for (name, time) in &times {
        println!("{:>9}  {name}", seconds(*time));
    }
    let left_out = if fast {
        " (without the real clients)"
    } else {
        ""
    };
    let total = seconds(started.elapsed());
    println!("ci: {} steps passed in {total}{left_out}", times.len());
    Ok(())
}

fn test(workspace: &Workspace) -> Result<(), Failure> {
    let mut test = workspace.command("cargo", &["test", "--locked", "--workspace"]);
    test.env(secrets::VARIABLE, secrets::folder(workspace)?);
    Ok(process::run(&mut test)?)
}

fn cargo(workspace: &Workspace, arguments: &[&str]) -> Result<(), Failure> {
    Ok(process::run(&mut workspace.command("cargo", arguments))?)
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
