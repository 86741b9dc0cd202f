//! The program: reads the command line and the configuration, builds the parts, serves, drains.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program talks to its user"
)]

mod accounts;
mod behind;
mod capture;
mod certificate;
mod command;
mod config;
mod credits;
mod discovery;
mod heap;
mod in_process;
mod logging;
mod memory;
mod options;
mod otlp;
mod present;
mod refresher;
mod reload;
mod remedy;
mod reply;
mod saved;
mod service;
mod setup;
mod signals;
mod state;
mod systemd;
mod typed;
mod watch;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use command::interruptible;

/// A gateway to the Kiro service for OpenAI and Anthropic clients.
///
/// Sign in once, serve, and point any client at http://127.0.0.1:8000/v1.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  kiro-2api demo                  see it work, without an account
  kiro-2api login                 sign in with AWS Builder ID
  kiro-2api doctor                what is there, what works, and what to do about the rest
  kiro-2api chat \"Hello?\"        ask a model with your account
  PROXY_API_KEY=$(openssl rand -hex 24) kiro-2api serve

Each command has examples of its own: kiro-2api COMMAND --help";

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the APIs of OpenAI and Anthropic with your Kiro login, from the environment, .env or kiro-2api.toml.
    Serve(command::serve::Arguments),
    /// Sign in to Kiro in a browser, here or on another machine, and save the account.
    Login(command::login::Arguments),
    /// List, add, import, test and remove the accounts that the gateway serves with.
    Accounts(command::accounts::Arguments),
    /// Say what was found, what works, and what to do about the rest.
    Doctor(command::doctor::Arguments),
    /// Ask a model, once or in a conversation, without a server.
    Chat(command::chat::Arguments),
    /// List the models that your accounts may use.
    Models(command::models::Arguments),
    /// Show what is used of the credits of each account, and when they are full again.
    Usage(command::usage::Arguments),
    /// Check the configuration, and show every value with where it comes from.
    Check(command::check::Arguments),
    /// Make keys for callers, and hash them for the configuration.
    Key(command::key::Arguments),
    /// Try it without an account: a simulated Kiro, the gateway, and one question to it.
    Demo(command::demo::Arguments),
    /// Put a captured exchange to the test again, offline: is the answer the same?
    Replay(command::replay::Arguments),
    /// Run the simulated Kiro service alone.
    Sim(command::sim::Arguments),
    /// Put load on a running gateway and show how long answers take.
    Bench(command::bench::Arguments),
    /// Print the completions for a shell.
    Completions(command::completions::Arguments),
}

/// How long the process waits for refreshes that are under way when it ends. One takes about a second, and 65 when
/// the service does not answer at all; a second signal to `serve` does not wait for it.
const LONGEST_REFRESH: Duration = Duration::from_secs(70);

/// A core dump would hold every token; a crash must not write them to a disk.
fn dump_no_core() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Core);
        limit.current = Some(0);
        if let Err(error) = setrlimit(Resource::Core, limit) {
            eprintln!("warning: core dumps could not be turned off: {error}");
        }
    }
}

/// As many open files as the process may have: a stream takes two, and what a shell gives at first, 1024 on most systems,
/// is for programs that call `select`.
fn open_many_files() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        // macOS refuses what it calls unlimited; the limit is then what it was.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

fn main() -> ExitCode {
    let sockets = systemd::Sockets::of_process();
    run(Arguments::parse(), sockets)
}

#[tokio::main]
async fn run(arguments: Arguments, sockets: systemd::Sockets) -> ExitCode {
    // The libraries leave the choice of a crypto provider to the program. It fails only when one was
    // chosen before, and nothing runs before this line.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    dump_no_core();
    open_many_files();
    let done = perform(arguments.command, sockets).await;
    // The answer that a refresh waits for may hold the only working refresh token.
    if tokio::time::timeout(LONGEST_REFRESH, kiro_auth::refreshes_landed())
        .await
        .is_err()
    {
        tracing::error!(
            "a refresh is still under way; its credential may have to be signed in again"
        );
    }
    logging::flush();
    match done {
        Ok(code) => code,
        Err(error) => {
            // Nobody may be there to read it.
            let _ = tell(&*error);
            ExitCode::FAILURE
        }
    }
}

fn tell(error: &dyn std::error::Error) -> std::io::Result<()> {
    let mut out = std::io::stderr();
    writeln!(out, "error: {error}")?;
    let mut cause = error.source();
    while let Some(deeper) = cause {
        writeln!(out, "  because: {deeper}")?;
        cause = deeper.source();
    }
    Ok(())
}

async fn perform(
    command: Command,
    sockets: systemd::Sockets,
) -> Result<ExitCode, command::Failure> {
    let well = |()| ExitCode::SUCCESS;
    match command {
        Command::Serve(arguments) => command::serve::run(arguments, sockets).await.map(well),
        Command::Login(arguments) => interruptible(command::login::run(arguments)).await,
        Command::Accounts(arguments) => interruptible(command::accounts::run(arguments)).await,
        Command::Doctor(arguments) => interruptible(command::doctor::run(arguments)).await,
        Command::Chat(arguments) => command::chat::run(arguments).await,
        Command::Models(arguments) => interruptible(command::models::run(arguments)).await,
        Command::Usage(arguments) => interruptible(command::usage::run(arguments)).await,
        Command::Check(arguments) => command::check::run(arguments).map(well),
        Command::Key(arguments) => command::key::run(arguments).map(well),
        Command::Demo(arguments) => command::demo::run(arguments).await.map(well),
        Command::Replay(arguments) => command::replay::run(arguments).await.map(well),
        Command::Sim(arguments) => command::sim::run(arguments).await.map(well),
        Command::Bench(arguments) => command::bench::run(arguments).await,
        Command::Completions(arguments) => {
            command::completions::run(arguments);
            Ok(ExitCode::SUCCESS)
        }
    }
}
