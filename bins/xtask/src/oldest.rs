//! The oldest compiler that the manifests promise, as far as a newer one can tell.
//!
//! Clippy says which functions of the standard library are too new (`incompatible_msrv`), and this, which packages. The
//! workflow builds with that compiler.

use serde_json::Value;

use crate::Failure;
use crate::process;
use crate::workspace::Workspace;

/// Looks for packages of the lock file that ask for a newer compiler than we do.
///
/// # Errors
///
/// There is one, or a member does not say which compiler it asks for.
pub(crate) fn check(workspace: &Workspace) -> Result<(), Failure> {
    let arguments = ["metadata", "--locked", "--format-version", "1"];
    let metadata = process::output(&mut workspace.command("cargo", &arguments))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let packages = metadata["packages"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let ours = packages
        .iter()
        .filter(|package| package["source"].is_null());
    let ours = ours.filter_map(version).min();
    let ours = ours.ok_or("no manifest says which compiler it needs")?;
    let newer = newer(packages, ours);
    if !newer.is_empty() {
        return Err(format!("newer than Rust 1.{}: {}", ours.1, newer.join(", ")).into());
    }
    let silent = packages.iter().filter(|package| version(package).is_none());
    let (all, silent) = (packages.len(), silent.count());
    println!(
        "{all} packages ask for Rust 1.{} at most; {silent} of them do not say",
        ours.1
    );
    Ok(())
}

/// The compiler that a package asks for.
fn version(package: &Value) -> Option<(u32, u32)> {
    let mut numbers = package["rust_version"].as_str()?.split('.');
    let mut next = || numbers.next()?.parse().ok();
    Some((next()?, next().unwrap_or(0)))
}

fn newer(packages: &[Value], ours: (u32, u32)) -> Vec<String> {
    let newer = packages
        .iter()
        .filter(|package| version(package) > Some(ours));
    newer
        .map(|package| format!("{} {}", package["name"], package["version"]).replace('"', ""))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_package_for_a_newer_compiler_is_found() {
        let package = |version| json!({"name": "a", "version": "2.0.1", "rust_version": version});
        let packages = [
            package(Some("1.89")),
            package(Some("1.90.0")),
            package(Some("1.9")),
            package(None),
        ];
        assert_eq!(newer(&packages, (1, 89)), ["a 2.0.1"]);
        assert_eq!(newer(&packages, (1, 90)), [""; 0]);
    }
}
