//! The libraries as packages: what is in them, and that they build where nothing of the repository is around.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Failure;
use crate::library::{self, Library};
use crate::process;
use crate::workspace::Workspace;

/// What every package holds besides its source.
const ALWAYS: [&str; 6] = [
    ".cargo_vcs_info.json",
    "Cargo.lock",
    "Cargo.toml",
    "Cargo.toml.orig",
    "LICENSE",
    "README.md",
];

/// What is source: Rust, the scripts that Redis is sent, the pages for people.
const SOURCE: [&str; 5] = ["rs", "lua", "js", "css", "html"];

/// Data that a library carries on purpose.
const DATA: [&str; 1] = ["src/data/list-available-models.json"];

/// Cargo adds it outside of the root of a repository alone.
const OPTIONAL: &str = ".cargo_vcs_info.json";

/// Makes all packages and builds each from what is in it, the examples of its page as well.
///
/// # Errors
///
/// A package holds what it should not, lacks what it should, or does not build.
pub(crate) fn check(workspace: &Workspace) -> Result<(), Failure> {
    let libraries = library::all(workspace)?;
    // A change is checked before it is committed.
    let packages = make(workspace, &libraries, &["--allow-dirty"])?;
    let apart = workspace.target.join("packages");
    unpack(&apart, &packages)?;
    for library in &libraries {
        look_into(&apart.join(folder(library)))?;
    }
    build(workspace, &libraries, &apart)
}

/// Packages the libraries, with what else `cargo package` is to be told.
///
/// # Errors
///
/// Cargo cannot package one.
pub(crate) fn make(
    workspace: &Workspace,
    libraries: &[Library],
    options: &[&str],
) -> Result<Vec<PathBuf>, Failure> {
    let made = workspace.target.join("package");
    // Cargo's own building from packages shares nothing with what is built already; `build` does.
    let mut package = workspace.command("cargo", &["package", "--locked", "--no-verify"]);
    // It tells of each test that it does not take along.
    package.arg("--quiet").args(options);
    for library in libraries {
        package.args(["-p", &library.name]);
    }
    process::run(&mut package)?;
    let file = |library| made.join(format!("{}.crate", folder(library)));
    Ok(libraries.iter().map(file).collect())
}

/// What the folder in a package is called.
fn folder(library: &Library) -> String {
    format!("{}-{}", library.name, library.version)
}

fn unpack(apart: &Path, packages: &[PathBuf]) -> Result<(), Failure> {
    if apart.exists() {
        fs::remove_dir_all(apart)?;
    }
    fs::create_dir_all(apart)?;
    for package in packages {
        let mut tar = Command::new("tar");
        tar.arg("-xzf").arg(package).arg("-C").arg(apart);
        process::run(&mut tar)?;
    }
    Ok(())
}

/// Compares what is in a package with what may be and what must be.
fn look_into(package: &Path) -> Result<(), Failure> {
    let mut files = Vec::new();
    collect(package, package, &mut files)?;
    let shown = package.display();
    if let Some(stray) = files.iter().find(|file| !belongs(file)) {
        return Err(format!("{shown} holds {stray}; `include` in its manifest decides").into());
    }
    let missing = |file: &&&str| **file != OPTIONAL && !files.iter().any(|have| have == **file);
    if let Some(missing) = ALWAYS.iter().find(missing) {
        return Err(format!("{shown} has no {missing}; `include` in its manifest decides").into());
    }
    println!("{shown}: {} files", files.len());
    Ok(())
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<String>) -> Result<(), Failure> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, files)?;
        } else {
            files.push(
                path.strip_prefix(root)?
                    .to_string_lossy()
                    .replace('\\', "/"),
            );
        }
    }
    Ok(())
}

fn belongs(file: &str) -> bool {
    let is_test = file
        .split('/')
        .any(|part| matches!(part, "tests" | "tests.rs"));
    let is_source = file
        .rsplit_once('.')
        .is_some_and(|(_, ending)| SOURCE.contains(&ending));
    !is_test && (is_source || ALWAYS.contains(&file) || DATA.contains(&file))
}

/// Builds each on its own, and the examples of all pages, in a workspace of the packages alone.
fn build(workspace: &Workspace, libraries: &[Library], apart: &Path) -> Result<(), Failure> {
    let root = fs::read_to_string(workspace.root.join("Cargo.toml"))?;
    fs::write(apart.join("Cargo.toml"), manifest(libraries, &root))?;
    fs::copy(workspace.root.join("Cargo.lock"), apart.join("Cargo.lock"))?;
    let cargo = |arguments: &[&str]| {
        let mut cargo = Command::new("cargo");
        // The lock file names the members that are left out here as well, so it is not locked; offline it stays the same.
        cargo.args(arguments).args(["--offline", "--quiet"]);
        cargo.current_dir(apart);
        cargo.env("CARGO_TARGET_DIR", &workspace.target);
        process::run(&mut cargo)
    };
    for library in libraries {
        cargo(&["check", "-p", &library.name])?;
    }
    Ok(cargo(&["test", "--doc", "--workspace"])?)
}

/// A workspace of the packages, which take each other for those of the registry. What is built for development here is
/// built likewise there, so that other people's crates are not built anew.
fn manifest(libraries: &[Library], root: &str) -> String {
    let mut text =
        "[workspace]\nresolver = \"3\"\nmembers = [\"*-*.*.*\"]\n\n[patch.crates-io]\n".to_owned();
    for library in libraries {
        text += &format!("{} = {{ path = \"{}\" }}\n", library.name, folder(library));
    }
    let tables = root.split("\n[").skip(1);
    for table in tables.filter(|table| table.starts_with("profile.dev")) {
        text += &format!("\n[{table}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_and_their_data_do_not_belong_into_a_package() {
        for file in ["src/lib.rs", "src/store/redis/save.lua", "LICENSE", DATA[0]] {
            assert!(belongs(file), "{file}");
        }
        for file in [
            "tests/crash.rs",
            "src/validate/tests.rs",
            "src/surface/tests/verdicts.rs",
            "src/vault/first_version.sealed",
            "src/validate/cases/accepted.json",
            "notes.md",
        ] {
            assert!(!belongs(file), "{file}");
        }
    }

    #[test]
    fn a_package_without_a_licence_is_found_and_one_with_a_stray_file() {
        let package = tempfile::tempdir().unwrap();
        for file in ALWAYS {
            fs::write(package.path().join(file), "").unwrap();
        }
        look_into(package.path()).unwrap();
        fs::write(package.path().join("dump.log"), "").unwrap();
        let stray = look_into(package.path()).unwrap_err().to_string();
        assert!(stray.contains("holds dump.log"), "{stray}");
        fs::remove_file(package.path().join("dump.log")).unwrap();
        fs::remove_file(package.path().join("LICENSE")).unwrap();
        let lacks = look_into(package.path()).unwrap_err().to_string();
        assert!(lacks.contains("has no LICENSE"), "{lacks}");
    }

    #[test]
    fn packages_are_built_as_the_workspace_is() {
        let library = Library {
            name: "kiro-auth".to_owned(),
            version: "0.1.0".to_owned(),
            ..Library::default()
        };
        let root = "[workspace]\nmembers = []\n\n[profile.dev]\ndebug = 1\n\n[profile.release]\nlto = true\n";
        let text = manifest(&[library], root);
        assert!(
            text.contains("kiro-auth = { path = \"kiro-auth-0.1.0\" }"),
            "{text}"
        );
        assert!(text.ends_with("\n[profile.dev]\ndebug = 1\n"), "{text}");
        assert!(!text.contains("release"), "{text}");
    }
}
