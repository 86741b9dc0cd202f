//! A fresh access token measured, beside the bare load of a shared pointer. Built and run as for
//! [`protocol`](super::protocol).

use super::measuring_program;
use crate::Failure;
use crate::process;
use crate::workspace::Workspace;

/// Builds the measuring program and runs it; with `json` it prints one object a line.
///
/// # Errors
///
/// It does not build, or the measurement failed.
pub(crate) fn run(workspace: &Workspace, json: bool) -> Result<(), Failure> {
    let mut bench = measuring_program(workspace);
    bench.arg("auth").args(json.then_some("--json"));
    Ok(process::run(&mut bench)?)
}
