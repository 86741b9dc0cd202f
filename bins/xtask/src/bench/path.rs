//! Instructions on the path of a request, beside those of a bare hyper client. Built and run as for
//! [`protocol`](super::protocol).

use super::measuring_program;
use crate::Failure;
use crate::process;
use crate::workspace::Workspace;

/// What the path cost when it was last agreed on.
const BASELINE: &str = "bins/bench/baseline.json";

/// Builds the measuring program and runs it; with `json` it prints one object a line.
///
/// # Errors
///
/// It does not build, or the measurement failed.
pub(crate) fn run(workspace: &Workspace, json: bool) -> Result<(), Failure> {
    let mut bench = measuring_program(workspace);
    bench.arg("path").args(json.then_some("--json"));
    Ok(process::run(&mut bench)?)
}

/// The same, compared with the baseline; with `bless` it becomes the baseline.
///
/// # Errors
///
/// As [`run`]; or something costs 2 % more than the baseline says.
pub(crate) fn gate(workspace: &Workspace, bless: bool) -> Result<(), Failure> {
    let mut bench = measuring_program(workspace);
    bench
        .args(["gate", BASELINE])
        .args(bless.then_some("--bless"));
    Ok(process::run(&mut bench)?)
}
