//! Speed and memory, measured by `kiro-bench` and, where the simulated service belongs to it, here.

pub(crate) mod auth;
pub(crate) mod load;
pub(crate) mod overload;
pub(crate) mod path;
pub(crate) mod protocol;

use std::process::Command;

use crate::workspace::Workspace;

/// The command that builds and runs the measuring program of the libraries, `kiro-bench`. It is a package of
/// its own: it brings what it compares with, and must be built in release mode, while this program stays
/// quick to build.
fn measuring_program(workspace: &Workspace) -> Command {
    workspace.command(
        "cargo",
        &[
            "run",
            "--release",
            "--locked",
            "--quiet",
            "-p",
            "kiro-bench",
            "--",
        ],
    )
}
