//! The program: reads the command line and the configuration, builds the parts, serves, drains.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program talks to its user"
)]

mod accounts;
mod behind;
mod certificate;
mod command;
mod config;
mod logging;
mod memory;
mod refresher;
mod reload;
mod search;
mod setup;
mod signals;
mod state;
mod systemd;
mod watch;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A gateway to the Kiro service for OpenAI and Anthropic clients.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the APIs of OpenAI and Anthropic with your Kiro login, from the environment, .env or kiro-2api.toml.
    Serve(command::serve::Arguments),
    /// Try it without an account: a simulated Kiro, the gateway, and one question to it.
    Demo(command::demo::Arguments),
    /// Make keys for callers, and hash them for the configuration.
    Key(command::key::Arguments),
    /// Run the simulated Kiro service alone.
    Sim(command::sim::Arguments),
}

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
    let done = match arguments.command {
        Command::Serve(arguments) => command::serve::run(arguments, sockets).await,
        Command::Demo(arguments) => command::demo::run(arguments).await,
        Command::Key(arguments) => command::key::run(arguments),
        Command::Sim(arguments) => command::sim::run(arguments).await,
    };
    logging::flush();
    match done {
        Ok(()) => ExitCode::SUCCESS,
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
