//! The libraries of the workspace, as Cargo knows them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use crate::Failure;
use crate::process;
use crate::workspace::Workspace;

/// A crate that is meant to be used without the rest.
#[derive(Debug, Clone, Default)]
pub(crate) struct Library {
    pub(crate) name: String,
    pub(crate) version: String,
    /// The folder of its manifest.
    pub(crate) folder: PathBuf,
    /// Its features, and what each turns on.
    pub(crate) features: BTreeMap<String, Vec<String>>,
    /// What it needs with all features, tests aside; ours and others'.
    pub(crate) needs: Vec<String>,
}

/// Every member that may be published, each behind those that it needs: the order of publishing.
///
/// # Errors
///
/// There is no Cargo, the manifests are broken, or the libraries need each other in a circle.
pub(crate) fn all(workspace: &Workspace) -> Result<Vec<Library>, Failure> {
    let arguments = ["metadata", "--locked", "--no-deps", "--format-version", "1"];
    let metadata = process::output(&mut workspace.command("cargo", &arguments))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    // An empty list of registries is what `publish = false` means.
    let published = packages.filter(|package| package["publish"].is_null());
    in_order(published.map(read).collect::<Option<_>>().ok_or(NO_SENSE)?)
}

const NO_SENSE: &str = "cargo metadata does not tell of packages what it used to";

fn read(package: &Value) -> Option<Library> {
    let manifest = PathBuf::from(package["manifest_path"].as_str()?);
    let dependencies = package["dependencies"].as_array()?.iter();
    let needs = dependencies.filter(|dependency| dependency["kind"].as_str() != Some("dev"));
    Some(Library {
        name: package["name"].as_str()?.to_owned(),
        version: package["version"].as_str()?.to_owned(),
        folder: manifest.parent()?.to_owned(),
        features: serde_json::from_value(package["features"].clone()).ok()?,
        needs: needs
            .filter_map(|need| need["name"].as_str().map(str::to_owned))
            .collect(),
    })
}

fn in_order(mut waiting: Vec<Library>) -> Result<Vec<Library>, Failure> {
    let mut ordered = Vec::new();
    while !waiting.is_empty() {
        let names: Vec<String> = waiting.iter().map(|library| library.name.clone()).collect();
        let ready = waiting
            .iter()
            .position(|library| !library.needs.iter().any(|need| names.contains(need)))
            .ok_or_else(|| format!("they need each other: {}", names.join(", ")))?;
        ordered.push(waiting.remove(ready));
    }
    Ok(ordered)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library(name: &str, needs: &[&str]) -> Library {
        Library {
            name: name.to_owned(),
            needs: needs.iter().map(|&need| need.to_owned()).collect(),
            ..Library::default()
        }
    }

    #[test]
    fn a_library_comes_behind_those_it_needs() {
        let ordered = in_order(vec![
            library("gateway", &["serde", "auth", "wire"]),
            library("auth", &["serde"]),
            library("wire", &["auth"]),
        ]);
        let names: Vec<String> = ordered.unwrap().into_iter().map(|one| one.name).collect();
        assert_eq!(names, ["auth", "wire", "gateway"]);
        let circle = in_order(vec![library("a", &["b"]), library("b", &["a"])]);
        assert_eq!(
            circle.unwrap_err().to_string(),
            "they need each other: a, b"
        );
    }

    #[test]
    fn programs_are_no_libraries() {
        let libraries = all(&Workspace::find().unwrap()).unwrap();
        assert!(libraries.iter().any(|library| library.name == "kiro-auth"));
        assert!(libraries.iter().all(|library| library.name != "xtask"));
    }
}
