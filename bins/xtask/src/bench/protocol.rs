//! The protocol crate measured: frames and replies, beside what they are compared with.

use super::measuring_program;
use crate::Failure;
use crate::process;
use crate::workspace::Workspace;

/// How to measure.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Options {
    /// Whether to count instructions with callgrind instead of taking times.
    pub(crate) instructions: bool,
    /// Whether to print one JSON object a line.
    pub(crate) json: bool,
}

/// Builds the measuring program and runs it.
///
/// # Errors
///
/// It does not build, or the measurement failed.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<(), Failure> {
    let mut bench = measuring_program(workspace);
    bench.args(options.instructions.then_some("--instructions"));
    bench.args(options.json.then_some("--json"));
    Ok(process::run(&mut bench)?)
}
