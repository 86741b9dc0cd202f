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

type Action = Box<dyn Fn(&Workspace) -> Result<(), Failure>>;

/// One check.
struct Step {
    name: String,
    action: Action,
}

fn step(name: &str, action: impl Fn(&Workspace) -> Result<(), Failure> + 'static) -> Step {
    Step {
        name: name.to_owned(),
        action: Box::new(action),
    }
}

/// The checks that need nothing but the Rust toolchain, a Redis, a Prometheus, valgrind and programs from pip.
fn rust() -> Vec<Step> {
    vec![
        step("format", |at| cargo(at, &["fmt", "--all", "--check"])),
        step("spelling", typos::check),
        step("lint", |at| {
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
        }),
        step("each library with each of its features", features::check),
        step("what each library promises", |at| {
            public_api::check(at, false)
        }),
        step("programs for the tests", |_| programs::provide()),
        step("test", test),
        step("table of faults", reliability::check),
        step("no secret in what the tests logged", secrets::search),
        step("seeds of the fuzz targets", fuzz::replay),
        step("documentation", |at| {
            let mut doc = at.command("cargo", &["doc", "--locked", "--workspace", "--no-deps"]);
            doc.env("RUSTDOCFLAGS", "-Dwarnings");
            Ok(process::run(&mut doc)?)
        }),
        step("book", book::run),
        step("packages of the libraries", packages::check),
        step("instructions on the path of a request", |at| {
            bench::path::gate(at, false)
        }),
        step("oldest compiler", oldest::check),
        step("purity", purity::check),
        step("licences and origins", dependencies::check),
        step("files for containers and service managers", deploy::check),
        step("alerts and board before a real Prometheus", monitoring::run),
    ]
}

/// The checks with browsers and other people's clients.
fn clients() -> Vec<Step> {
    let mut steps = vec![step("pages in a browser", pages::run)];
    // Its 500 MB need a Python that few machines have; `cargo xtask clients aider` runs it.
    let clients = Client::ALL.into_iter().filter(|it| *it != Client::Aider);
    steps.extend(clients.map(|client| Step {
        name: format!("client {}", client.name()),
        action: Box::new(move |at| clients::run(at, &[client])),
    }));
    steps
}

/// Which check failed, and how far it came.
#[derive(Debug, thiserror::Error)]
#[error("ci: step {number} of {count} failed: {name}, after {seconds} s")]
struct Failed {
    number: usize,
    count: usize,
    name: String,
    seconds: u64,
    source: Failure,
}

/// Runs every check and stops at the first that fails.
///
/// # Errors
///
/// The check that failed, and why.
pub(crate) fn run(workspace: &Workspace, fast: bool) -> Result<(), Failure> {
    let mut steps = rust();
    if !fast {
        steps.extend(clients());
    }
    let started = Instant::now();
    let mut times = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let (number, count, name) = (index + 1, steps.len(), &step.name);
        println!("\n[{number}/{count}] {name}");
        let began = Instant::now();
        (step.action)(workspace).map_err(|source| Failed {
            number,
            count,
            name: name.clone(),
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
