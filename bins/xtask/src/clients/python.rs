//! Clients for Python, tested with pytest.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::install;
use crate::Failure;
use crate::process;
use crate::workspace::Workspace;

/// The module that all tests share, and the folder that it is in.
const SHARED: (&str, &str) = ("gateway", "tests/clients/shared");

/// Installs what the tests of `name` need and returns the command that runs them.
pub(super) fn prepare(workspace: &Workspace, name: &str) -> Result<Command, Failure> {
    let folder = workspace.target.join("clients").join(name);
    let tests = format!("tests/clients/{name}");
    let requirements = workspace.root.join(&tests).join("requirements.txt");
    // A virtual environment belongs to the interpreter that made it.
    let version = process::output(Command::new("python3").arg("--version"))?;
    let source = version + &fs::read_to_string(&requirements)?;
    install::once(&folder, &source, || make(&folder, &requirements))?;

    let mut test = workspace.command(
        &interpreter(&folder).to_string_lossy(),
        &[
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            SHARED.0,
            &tests,
        ],
    );
    test.env("PYTHONPATH", workspace.root.join(SHARED.1));
    test.env("PYTHONDONTWRITEBYTECODE", "1");
    // LiteLLM asks the network for prices unless told that it has them.
    test.env("LITELLM_LOCAL_MODEL_COST_MAP", "True");
    Ok(test)
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
