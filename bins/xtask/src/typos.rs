//! The spelling of everything that people read, by typos.

use crate::Failure;
use crate::process;
use crate::venv;
use crate::workspace::Workspace;

/// The program, and the file that says which version is installed when it is missing.
const PROGRAM: &str = "typos";
const REQUIREMENTS: &str = "bins/xtask/typos.txt";

/// Looks for words that are known misspellings; `typos.toml` has the exceptions.
///
/// # Errors
///
/// There is one, or the program is missing and cannot be installed.
pub(crate) fn check(workspace: &Workspace) -> Result<(), Failure> {
    let folder = workspace.target.join(PROGRAM);
    let programs = venv::provide(&folder, &workspace.root.join(REQUIREMENTS))?;
    let program = programs.join(PROGRAM);
    let mut typos = workspace.command(&program.to_string_lossy(), &["--format", "brief"]);
    Ok(process::run(&mut typos)?)
}
