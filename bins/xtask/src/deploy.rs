//! Looking over the files of `deploy/`, each with a program that knows its kind.

use std::fs;
use std::path::Path;

use crate::Failure;
use crate::process;
use crate::venv;
use crate::workspace::Workspace;

/// The programs that are installed with pip.
const REQUIREMENTS: &str = "bins/xtask/deploy.txt";

/// Checks every file.
///
/// # Errors
///
/// One is not what it must be, or a program cannot be installed.
pub(crate) fn check(workspace: &Workspace) -> Result<(), Failure> {
    let folder = workspace.target.join("deploy");
    let programs = venv::provide(&folder, &workspace.root.join(REQUIREMENTS))?;
    for (program, arguments) in [
        ("hadolint", &["deploy/Dockerfile"][..]),
        (
            "check-jsonschema",
            &[
                "--builtin-schema",
                "vendor.compose-spec",
                "deploy/compose.yaml",
            ],
        ),
        (
            "kubernetes-validate",
            &["--strict", "deploy/kubernetes/kiro-2api.yaml"],
        ),
        (
            "python",
            &[
                "-c",
                "import plistlib; plistlib.load(open('deploy/kiro-2api.plist', 'rb'))",
            ],
        ),
    ] {
        let program = programs.join(program);
        process::run(&mut workspace.command(&program.to_string_lossy(), arguments))?;
    }
    unit(workspace, &folder)
}

/// The unit is as systemd wants it, and as closed as it says.
fn unit(workspace: &Workspace, folder: &Path) -> Result<(), Failure> {
    let text = fs::read_to_string(workspace.root.join("deploy/kiro-2api.service"))?;
    // systemd insists on a program that is there.
    let text = text.replace("/usr/local/bin/kiro-2api serve", "/bin/true serve");
    let unit = folder.join("kiro-2api.service");
    fs::write(&unit, text)?;
    let unit = unit.to_string_lossy();
    process::run(&mut workspace.command("systemd-analyze", &["verify", &unit]))?;
    // Of 100, at which nothing is closed. The table is for people who look for more to close.
    let most = ["security", "--offline=true", "--threshold=20", &unit];
    process::output(&mut workspace.command("systemd-analyze", &most))?;
    Ok(())
}
