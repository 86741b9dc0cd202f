//! Clients for Python, tested with pytest.

use std::process::Command;

use crate::Failure;
use crate::venv;
use crate::workspace::Workspace;

/// The module that all tests share, and the folder that it is in.
const SHARED: (&str, &str) = ("gateway", "tests/clients/shared");

/// Installs what the tests of `name` need and returns the command that runs them.
pub(super) fn prepare(workspace: &Workspace, name: &str) -> Result<Command, Failure> {
    let folder = workspace.target.join("clients").join(name);
    let tests = format!("tests/clients/{name}");
    let requirements = workspace.root.join(&tests).join("requirements.txt");
    let programs = venv::provide(&folder, &requirements)?;

    let mut test = workspace.command(
        &programs.join("python").to_string_lossy(),
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
