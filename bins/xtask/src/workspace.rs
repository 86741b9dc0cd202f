//! Where things are.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::Failure;
use crate::process;

/// The places of this workspace.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The folder of the root manifest.
    pub(crate) root: PathBuf,
    /// Where Cargo builds; everything else that is made goes there as well.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// Asks Cargo, which knows of `CARGO_TARGET_DIR` and of configuration files. The current folder decides, and not
    /// the one that this program was built in: several checkouts may share a target folder.
    ///
    /// # Errors
    ///
    /// There is no Cargo, or the manifests are broken.
    pub(crate) fn find() -> Result<Self, Failure> {
        let mut metadata = Command::new("cargo");
        metadata.args(["metadata", "--no-deps", "--format-version", "1"]);
        let metadata: Value = serde_json::from_str(&process::output(&mut metadata)?)?;
        let place = |key: &str| {
            let path = metadata[key].as_str().map(PathBuf::from);
            path.ok_or_else(|| format!("cargo metadata does not tell `{key}`"))
        };
        Ok(Self {
            root: place("workspace_root")?,
            target: place("target_directory")?,
        })
    }

    /// A command that runs in the root.
    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.root);
        command
    }
}
