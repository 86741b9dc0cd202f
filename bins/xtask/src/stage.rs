//! What clients and measurements run against: the program twice, as the simulated service and as the gateway.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::Failure;
use crate::process;
use crate::service::Service;
use crate::workspace::Workspace;

/// The key of the gateway.
pub(crate) const KEY: &str = "key-of-the-client-tests";

/// A debug build on a busy machine starts within seconds.
const START: Duration = Duration::from_secs(60);

/// Which build of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Build {
    /// Built fast.
    Debug,
    /// Built to be fast.
    Release,
}

/// A gateway and a simulator of its own, both stopped when this is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct Stage {
    pub(crate) simulator: Service,
    pub(crate) simulator_url: String,
    pub(crate) gateway: Service,
    pub(crate) gateway_url: String,
}

impl Build {
    /// Builds one target, such as `--bin kiro-2api`.
    pub(crate) fn make(self, workspace: &Workspace, target: &[&str]) -> Result<(), Failure> {
        let mut build = workspace.command("cargo", &["build", "--locked"]);
        if self == Self::Release {
            build.arg("--release");
        }
        Ok(process::run(build.args(target))?)
    }

    /// Where Cargo puts what it builds.
    pub(crate) fn folder(self, workspace: &Workspace) -> PathBuf {
        workspace.target.join(match self {
            Self::Debug => "debug",
            Self::Release => "release",
        })
    }
}

impl Stage {
    /// Builds the program and starts both on ephemeral ports. Their logs go to `folder`, and `settings` to
    /// the gateway's environment.
    pub(crate) fn start(
        workspace: &Workspace,
        build: Build,
        folder: &Path,
        settings: &[(&str, &str)],
    ) -> Result<Self, Failure> {
        build.make(workspace, &["--bin", "kiro-2api"])?;
        let binary = build.folder(workspace).join("kiro-2api");
        fs::create_dir_all(folder)?;

        let mut sim = program(&binary, "sim", folder);
        let simulator = Service::start(&mut sim, &folder.join("simulator.log"))?;
        let simulator_url = simulator.wait_for(START, address)?;
        let login = simulator.wait_for(START, |line| quoted(line, "export REFRESH_TOKEN="))?;

        let mut serve = program(&binary, "serve", folder);
        serve.env("PROXY_API_KEY", KEY);
        serve.env("REFRESH_TOKEN", login);
        serve.env("KIRO_2API_UPSTREAM__ENDPOINT", &simulator_url);
        serve.env("KIRO_2API_UPSTREAM__AUTH_ENDPOINT", &simulator_url);
        // Nothing of a test belongs into the state of the person who runs it.
        serve.env("KIRO_2API_STORE__KIND", "memory");
        serve.envs(settings.iter().copied());
        let gateway = Service::start(&mut serve, &folder.join("gateway.log"))?;
        let gateway_url = gateway.wait_for(START, address)?;
        Ok(Self {
            simulator,
            simulator_url,
            gateway,
            gateway_url,
        })
    }

    /// Whether both still run, and have not panicked on the way.
    pub(crate) fn check(&mut self) -> Result<(), Failure> {
        self.simulator.check()?;
        self.gateway.check()?;
        Ok(())
    }
}

/// The program, with nothing from our environment and an address of the system's choice. It reads `.env`
/// where it runs, and that must not be the developer's own.
fn program(binary: &Path, command: &str, folder: &Path) -> Command {
    let mut program = Command::new(binary);
    program.args([command, "--listen", "127.0.0.1:0"]);
    program.env_clear().current_dir(folder);
    program
}

/// The base URL in a line such as `Kiro-2API 0.1.0 listens on http://127.0.0.1:8000`.
pub(crate) fn address(line: &str) -> Option<String> {
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
