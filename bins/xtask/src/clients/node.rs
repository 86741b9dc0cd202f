//! Clients for Node, tested with Node's own test runner.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Failure;
use crate::install;
use crate::process;
use crate::workspace::Workspace;

/// What npm reads.
const LISTS: [&str; 3] = ["package.json", "package-lock.json", ".npmrc"];

/// What the tests of several clients share.
const SHARED: &str = "tests/clients/shared";

/// Installs what the tests of the client `name` need and returns the command that runs them.
pub(super) fn prepare(workspace: &Workspace, name: &str) -> Result<Command, Failure> {
    let tests = workspace.root.join("tests/clients").join(name);
    let folder = workspace.target.join("clients").join(name);
    prepare_in(workspace, &tests, folder)
}

/// Installs what these tests need into a folder and returns the command that runs them.
pub(crate) fn prepare_in(
    workspace: &Workspace,
    tests: &Path,
    folder: PathBuf,
) -> Result<Command, Failure> {
    let mut source = process::output(Command::new("node").arg("--version"))?;
    for list in LISTS {
        source += &fs::read_to_string(tests.join(list))?;
    }
    install::once(&folder, &source, || make(&folder, tests))?;

    // Modules are searched for beside the file that imports them, so the tests must lie beside the packages.
    copy(&workspace.root.join(SHARED), &folder)?;
    let mut files = copy(tests, &folder)?;
    files.retain(|name| name.ends_with(".test.mjs"));
    let mut test = Command::new("node");
    test.args(["--test", "--test-reporter=spec"]).args(files);
    test.current_dir(folder);
    Ok(test)
}

fn make(folder: &Path, tests: &Path) -> Result<(), Failure> {
    for list in LISTS {
        fs::copy(tests.join(list), folder.join(list))?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    Ok(process::run(npm.current_dir(folder))?)
}

/// Copies the tests and returns their names in order.
fn copy(tests: &Path, folder: &Path) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for entry in fs::read_dir(tests)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".mjs") {
            fs::copy(tests.join(&name), folder.join(&name))?;
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}
