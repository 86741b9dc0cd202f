//! Where links lead, by lychee, without a network.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::Failure;
use crate::process;
use crate::workspace::Workspace;

/// A page of the book cannot have relative links to files that are not in it. It names them as they are in the published
/// repository, and they are looked up in this one.
const REPOSITORY: &str = "https://github.com/kiro-2api/kiro-2api/(?:blob|tree)/main/(.*)";

pub(super) struct Checker<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) lychee: &'a Path,
}

/// What was found in some files.
#[derive(Debug, PartialEq)]
pub(super) struct Found {
    /// Those that were followed; links to other places are not.
    pub(super) n_links: usize,
    pub(super) broken: Vec<String>,
}

impl Checker<'_> {
    /// Follows the links of all `inputs`, to files and to headings. Those that begin with a slash begin in `root`.
    ///
    /// # Errors
    ///
    /// lychee cannot be started, or does not say what it has found.
    pub(super) fn broken(&self, inputs: &[String], root: &Path) -> Result<Found, Failure> {
        let options = [
            "--offline",
            "--include-fragments",
            "--no-progress",
            "--format=json",
        ];
        let program = self.lychee.to_string_lossy();
        let mut command = self.workspace.command(&program, &options);
        let here = format!("file://{}/$1", self.workspace.root.display());
        command.arg("--remap").arg(format!("{REPOSITORY} {here}"));
        command.arg("--root-dir").arg(root);
        command.arg("--").args(inputs);
        let output = command.stderr(Stdio::inherit()).output();
        let output = output.map_err(|source| process::not_started(&command, source))?;
        // Broken links are a failure to it, too; then it has written what it found all the same.
        let Ok(report) = serde_json::from_slice(&output.stdout) else {
            process::succeeded(&command, output.status)?;
            return Err("lychee did not write what it has found".into());
        };
        found(&report)
    }
}

/// What a report tells.
fn found(report: &Value) -> Result<Found, Failure> {
    let count = |name: &str| report[name].as_u64();
    let total = count("total").zip(count("excludes"));
    let (total, excluded) = total.ok_or("lychee does not count")?;
    let errors = report["error_map"].as_object();
    let errors = errors.ok_or("lychee does not tell of errors")?;
    let mut broken = Vec::new();
    for (page, links) in errors {
        for link in links.as_array().into_iter().flatten() {
            let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
            let (url, why) = (text(&link["url"]), text(&link["status"]["text"]));
            broken.push(format!("{page}:{}: {url}: {why}", link["span"]["line"]));
        }
    }
    Ok(Found {
        n_links: usize::try_from(total - excluded)?,
        broken,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_report_is_understood() {
        let report = json!({"total": 5, "excludes": 2, "error_map": {"docs/a.md": [
            {"url": "file:///b.md", "status": {"text": "File not found"}, "span": {"line": 7, "column": 1}},
        ]}});
        let found = found(&report).unwrap();
        assert_eq!(found.n_links, 3);
        assert_eq!(found.broken, ["docs/a.md:7: file:///b.md: File not found"]);
        assert!(super::found(&json!({"total": 5})).is_err());
    }
}
