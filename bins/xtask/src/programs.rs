//! Programs that the tests start: the server of the shared store, what counts instructions, and what scrapes metrics.

use std::process::{Command, Stdio};

use crate::Failure;
use crate::process;

/// One of them.
struct Program {
    /// Names that will do.
    names: &'static [&'static str],
    /// What Debian and Ubuntu call the package.
    package: &'static str,
}

const PROGRAMS: [Program; 3] = [
    Program {
        names: &["redis-server", "valkey-server"],
        package: "redis-server",
    },
    Program {
        names: &["valgrind"],
        package: "valgrind",
    },
    Program {
        names: &["promtool"],
        package: "prometheus",
    },
];

/// It is not there, and could not be installed.
#[derive(Debug, thiserror::Error)]
#[error(
    "the tests need `{}`; on Debian and Ubuntu `apt-get install {package}` brings it",
    names.join("` or `")
)]
struct Missing {
    names: &'static [&'static str],
    package: &'static str,
    source: Failure,
}

/// Makes sure that they are there, and installs what is missing where that is possible. A package may start a
/// service of its own on the usual port; the tests do not use it.
///
/// # Errors
///
/// One is missing, and cannot be installed here: no apt-get, no right to, or no network.
pub(crate) fn provide() -> Result<(), Failure> {
    for Program { names, package } in PROGRAMS {
        match names.iter().find(|name| is_there(name)) {
            Some(name) => println!("{name} is there"),
            None => install(package).map_err(|source| Missing {
                names,
                package,
                source,
            })?,
        }
    }
    Ok(())
}

fn is_there(program: &str) -> bool {
    let mut version = Command::new(program);
    let version = version.arg("--version").stdout(Stdio::null());
    version.status().is_ok_and(|status| status.success())
}

fn install(package: &str) -> Result<(), Failure> {
    process::run(Command::new("apt-get").arg("update"))?;
    let mut install = Command::new("apt-get");
    install.args(["install", "--yes", "--no-install-recommends", package]);
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
            names: PROGRAMS[0].names,
            package: PROGRAMS[0].package,
            source: "no network".into(),
        };
        assert_eq!(
            missing.to_string(),
            "the tests need `redis-server` or `valkey-server`; on Debian and Ubuntu `apt-get install redis-server` brings it"
        );
        assert_eq!(missing.source().unwrap().to_string(), "no network");
    }
}
