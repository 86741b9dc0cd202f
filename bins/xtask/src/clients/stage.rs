//! What a client is tested against: the program twice, as the simulated service and as the gateway.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::Failure;
use crate::process;
use crate::service::Service;
use crate::workspace::Workspace;

/// The key of the gateway under test.
const KEY: &str = "key-of-the-client-tests";

/// A debug build on a busy machine starts within seconds.
const START: Duration = Duration::from_secs(60);

/// All tests of one client take seconds; only a hanging stream takes minutes.
const TESTS: Duration = Duration::from_secs(300);

/// A gateway and a simulator of its own, both stopped when this is dropped.
#[must_use]
pub(super) struct Stage {
    simulator: Service,
    simulator_url: String,
    gateway: Service,
    gateway_url: String,
}

/// Builds the program that plays both parts.
pub(super) fn build(workspace: &Workspace) -> Result<(), Failure> {
    let arguments = ["build", "--locked", "--bin", "kiro-2api"];
    Ok(process::run(&mut workspace.command("cargo", &arguments))?)
}

impl Stage {
    /// Starts both on ephemeral ports.
    pub(super) fn start(workspace: &Workspace, client: &str) -> Result<Self, Failure> {
        // The program reads `.env` where it runs, and this must not be the developer's own.
        let folder = workspace.target.join("clients/stage").join(client);
        fs::create_dir_all(&folder)?;

        let mut sim = program(workspace, "sim", &folder);
        let simulator = Service::start(&mut sim, &folder.join("simulator.log"))?;
        let simulator_url = simulator.wait_for(START, address)?;
        let login = simulator.wait_for(START, |line| quoted(line, "export REFRESH_TOKEN="))?;

        let mut serve = program(workspace, "serve", &folder);
        serve.env("PROXY_API_KEY", KEY);
        serve.env("REFRESH_TOKEN", login);
        serve.env("KIRO_2API_UPSTREAM__ENDPOINT", &simulator_url);
        serve.env("KIRO_2API_UPSTREAM__AUTH_ENDPOINT", &simulator_url);
        let gateway = Service::start(&mut serve, &folder.join("gateway.log"))?;
        let gateway_url = gateway.wait_for(START, address)?;
        Ok(Self {
            simulator,
            simulator_url,
            gateway,
            gateway_url,
        })
    }

    /// Runs the tests of a client and looks at what they left behind.
    pub(super) fn perform(mut self, test: &mut Command) -> Result<(), Failure> {
        test.env("GATEWAY_URL", &self.gateway_url);
        test.env("GATEWAY_KEY", KEY);
        test.env("SIMULATOR_URL", &self.simulator_url);
        // A developer's own settings for the client must not lead it elsewhere.
        for name in [
            "OPENAI_API_KEY",
            "OPENAI_BASE_URL",
            "HTTP_PROXY",
            "http_proxy",
            "ALL_PROXY",
        ] {
            test.env_remove(name);
        }
        if let Err(error) = process::run_until(test, TESTS) {
            eprintln!(
                "The gateway's log ends with:\n{}",
                self.gateway.end_of_log()
            );
            return Err(error.into());
        }
        self.simulator.check()?;
        self.gateway.check()?;
        Ok(())
    }
}

/// The program, with nothing from our environment and an address of the system's choice.
fn program(workspace: &Workspace, command: &str, folder: &Path) -> Command {
    let binary: PathBuf = workspace.target.join("debug/kiro-2api");
    let mut program = Command::new(binary);
    program.args([command, "--listen", "127.0.0.1:0"]);
    program.env_clear().current_dir(folder);
    program
}

/// The base URL in a line such as `Kiro-2API 0.1.0 listens on http://127.0.0.1:8000`.
fn address(line: &str) -> Option<String> {
    let (_, url) = line.split_once(" listens on ")?;
    url.starts_with("http://").then(|| url.trim().to_owned())
}

/// The value in a line such as `export REFRESH_TOKEN='…'`.
fn quoted(line: &str, before: &str) -> Option<String> {
    let value = line.strip_prefix(before)?.trim();
    Some(value.trim_matches('\'').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_own_words_are_understood() {
        assert_eq!(
            address("The simulated Kiro service listens on http://127.0.0.1:9000").as_deref(),
            Some("http://127.0.0.1:9000")
        );
        assert_eq!(
            address("Base URL for clients: http://127.0.0.1:8000/v1"),
            None
        );
        assert_eq!(
            quoted("export REFRESH_TOKEN='aor_1'", "export REFRESH_TOKEN=").as_deref(),
            Some("aor_1")
        );
    }
}
