//! The server that the tests of the shared store start for themselves.

use std::process::{Command, Stdio};

use crate::Failure;
use crate::process;

/// The programs that will do.
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];

/// What Debian and Ubuntu call the package.
const PACKAGE: &str = "redis-server";

/// There is no server, and none could be installed.
#[derive(Debug, thiserror::Error)]
#[error(
    "the tests of kiro-auth need `redis-server` or `valkey-server`; on Debian and Ubuntu `apt-get install \
     redis-server` brings it"
)]
struct Missing {
    source: Failure,
}

/// Makes sure that there is a server, and installs one where that is possible. The package may start a service
/// of its own on the usual port; the tests do not use it.
///
/// # Errors
///
/// There is none, and it cannot be installed here: no apt-get, no right to, or no network.
pub(crate) fn provide() -> Result<(), Failure> {
    if let Some(program) = PROGRAMS.iter().find(|program| is_there(program)) {
        println!("{program} is there");
        return Ok(());
    }
    install().map_err(|source| Missing { source })?;
    Ok(())
}

fn is_there(program: &str) -> bool {
    let mut version = Command::new(program);
    let version = version.arg("--version").stdout(Stdio::null());
    version.status().is_ok_and(|status| status.success())
}

fn install() -> Result<(), Failure> {
    process::run(Command::new("apt-get").arg("update"))?;
    let mut install = Command::new("apt-get");
    install.args(["install", "--yes", "--no-install-recommends", PACKAGE]);
    Ok(process::run(&mut install)?)
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    #[test]
    fn a_program_is_there_or_not() {
        assert!(is_there("cargo"));
        assert!(!is_there("no-such-program"));
    }

    #[test]
    fn what_is_missing_is_said_with_its_remedy_and_its_cause() {
        let missing = Missing {
            source: "no network".into(),
        };
        assert!(missing.to_string().contains("apt-get install redis-server"));
        assert_eq!(missing.source().unwrap().to_string(), "no network");
    }
}
