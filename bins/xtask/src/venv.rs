//! Packages for Python in a virtual environment of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Failure;
use crate::install;
use crate::process;

/// Makes the environment in `folder`, unless it is there already, and returns where its programs are.
///
/// # Errors
///
/// There is no Python, or the packages cannot be installed.
pub(crate) fn provide(folder: &Path, requirements: &Path) -> Result<PathBuf, Failure> {
    // A virtual environment belongs to the interpreter that made it.
    let version = process::output(Command::new("python3").arg("--version"))?;
    let source = version + &fs::read_to_string(requirements)?;
    install::once(folder, &source, || make(folder, requirements))?;
    Ok(folder.join("bin"))
}

fn interpreter(folder: &Path) -> PathBuf {
    folder.join("bin/python")
}

/// Makes the virtual environment: with its own pip where Python brings one, else with the system's.
fn make(folder: &Path, requirements: &Path) -> Result<(), Failure> {
    let mut install = if has("ensurepip") {
        process::run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
        let mut install = Command::new(interpreter(folder));
        install.args(["-m", "pip"]);
        install
    } else if has("pip") {
        let mut venv = Command::new("python3");
        process::run(venv.args(["-m", "venv", "--without-pip"]).arg(folder))?;
        let mut install = Command::new("python3");
        install
            .args(["-m", "pip", "--python"])
            .arg(interpreter(folder));
        install
    } else {
        return Err("python3 has neither ensurepip nor pip; on Debian and Ubuntu `apt-get install python3-venv` brings them".into());
    };
    // The lists are complete, so there is nothing to resolve; what is imported is compiled then.
    install.args(["--disable-pip-version-check", "install", "--quiet"]);
    install.args(["--no-deps", "--no-compile"]);
    install.arg("--requirement").arg(requirements);
    Ok(process::run(&mut install)?)
}

/// Whether the system's Python has a module.
fn has(module: &str) -> bool {
    Command::new("python3")
        .args(["-c", &format!("import {module}")])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
