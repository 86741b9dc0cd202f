//! Everything of a release but publishing it, which a person does.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::Failure;
use crate::install;
use crate::library::{self, Library};
use crate::packages;
use crate::process;
use crate::workspace::Workspace;

/// The program that lists what everything is made from, by the people of the format, in this version.
const CYCLONEDX: &str = "cargo-cyclonedx";
const CYCLONEDX_VERSION: &str = "0.5.9";

/// The program that people run; its list has the libraries in it.
const PROGRAM: &str = "kiro-2api";

/// Why nothing is published here.
pub(crate) const BY_HAND: &str = "a version that is published cannot be taken back, so a person does it: \
    `cargo xtask release --dry-run` makes all files, says what is amiss and in which order the crates go; \
    then `git tag`, `cargo publish -p CRATE` for each, and the files of target/publish beside the tag";

/// Makes packages, lists of parts and checksums in `target/publish`, and says what stands against publishing them.
///
/// # Errors
///
/// Something cannot be made, or something stands against it.
pub(crate) fn rehearse(workspace: &Workspace) -> Result<(), Failure> {
    let libraries = library::all(workspace)?;
    let version = &libraries.first().ok_or("there is no library")?.version;
    let mut amiss = versions(&metadata(workspace)?, version);
    amiss.extend(changelog(
        &fs::read_to_string(workspace.root.join("CHANGELOG.md"))?,
        version,
    ));
    let dirty = !git(workspace, &["status", "--porcelain"])?.is_empty();
    if dirty {
        amiss
            .push("there are changes that are not committed; what is published must be".to_owned());
    }
    let tag = format!("v{version}");
    if !git(workspace, &["tag", "--list", &tag])?.is_empty() {
        amiss.push(format!(
            "the tag {tag} is there already: raise `version` in Cargo.toml"
        ));
    }
    let folder = workspace.target.join("publish");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let options = if dirty { &["--allow-dirty"][..] } else { &[] };
    let mut files = packages::make(workspace, &libraries, options)?;
    files.extend(parts(workspace, &libraries)?);
    let checksums = gather(&files, &folder)?;
    print!("{}:\n{checksums}", folder.display());
    let order: Vec<&str> = libraries
        .iter()
        .map(|library| library.name.as_str())
        .collect();
    println!("\nin this order: {}\nunder the tag {tag}", order.join(", "));
    if amiss.is_empty() {
        println!("nothing stands against it");
        return Ok(());
    }
    Err(format!("not to be published yet:\n  {}", amiss.join("\n  ")).into())
}

fn metadata(workspace: &Workspace) -> Result<Value, Failure> {
    let arguments = ["metadata", "--locked", "--no-deps", "--format-version", "1"];
    let metadata = process::output(&mut workspace.command("cargo", &arguments))?;
    Ok(serde_json::from_str(&metadata)?)
}

fn git(workspace: &Workspace, arguments: &[&str]) -> Result<String, Failure> {
    Ok(process::output(&mut workspace.command("git", arguments))?)
}

/// Members of another version, and members that ask for another version of each other.
fn versions(metadata: &Value, version: &str) -> Vec<String> {
    let mut amiss = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        let own = package["version"].as_str().unwrap_or_default();
        if own != version {
            amiss.push(format!("{name} has version {own}, and not {version}"));
        }
        for need in package["dependencies"].as_array().into_iter().flatten() {
            let asked = need["req"].as_str().unwrap_or_default();
            // Those for tests have none.
            let agrees = asked == "*" || asked == format!("^{version}");
            if need["path"].is_string() && !agrees {
                amiss.push(format!(
                    "{name} asks for {} {asked}, and not ^{version}",
                    need["name"]
                ));
            }
        }
    }
    amiss
}

/// What the changelog lacks for a version.
fn changelog(text: &str, version: &str) -> Option<String> {
    let mut headings = text.lines().filter_map(|line| line.strip_prefix("## "));
    let heading = headings.find(|heading| heading.split(' ').next() == Some(version));
    let Some(heading) = heading else {
        return Some(format!(
            "CHANGELOG.md has no section for {version}: call `## Unreleased` `## {version} - YEAR-MONTH-DAY` and begin a new one above it"
        ));
    };
    let date = heading.strip_prefix(version)?.strip_prefix(" - ");
    let is_date = date.is_some_and(|date| {
        let parts: Vec<&str> = date.split('-').collect();
        let digits = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
        matches!(parts[..], [year, month, day] if year.len() == 4 && month.len() == 2 && day.len() == 2)
            && parts.iter().all(digits)
    });
    (!is_date)
        .then(|| format!("CHANGELOG.md has no date for {version}: `## {version} - YEAR-MONTH-DAY`"))
}

/// Lists what the program and each library are made from, by CycloneDX.
///
/// The program writes beside the manifests, so it gets a copy of what is committed.
fn parts(workspace: &Workspace, libraries: &[Library]) -> Result<Vec<PathBuf>, Failure> {
    let programs = cyclonedx(workspace)?;
    let source = workspace.target.join("publish-source");
    if source.exists() {
        fs::remove_dir_all(&source)?;
    }
    fs::create_dir_all(&source)?;
    let archive = source.join("source.tar");
    git(
        workspace,
        &["archive", "--output", &archive.to_string_lossy(), "HEAD"],
    )?;
    process::run(
        Command::new("tar")
            .arg("-xf")
            .arg(&archive)
            .current_dir(&source),
    )?;
    let mut list = Command::new(programs.join(CYCLONEDX));
    // It is made to be a subcommand of Cargo, and wants to hear its name.
    list.args([
        "cyclonedx",
        "--format",
        "json",
        "--spec-version",
        "1.5",
        "--quiet",
    ]);
    process::run(list.current_dir(&source))?;
    let mut lists = vec![source.join("bins").join(PROGRAM).join(list_of(PROGRAM))];
    for library in libraries {
        let folder = library.folder.strip_prefix(&workspace.root)?;
        lists.push(source.join(folder).join(list_of(&library.name)));
    }
    for list in &lists {
        let text = fs::read_to_string(list)?;
        fs::write(list, without_place(&text, &source))?;
    }
    Ok(lists)
}

fn list_of(name: &str) -> String {
    format!("{name}.cdx.json")
}

/// Our own parts are named by their folders, and where these are on this machine is nobody's business.
fn without_place(list: &str, source: &Path) -> String {
    list.replace(
        &format!("path+file://{}/", source.display()),
        "path+file:///",
    )
}

fn cyclonedx(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let folder = workspace.target.join(CYCLONEDX);
    let source = format!("{CYCLONEDX}@{CYCLONEDX_VERSION}");
    install::once(&folder, &source, || {
        let mut install = workspace.command("cargo", &["install", "--quiet", "--locked"]);
        install.arg("--root").arg(&folder).arg(&source);
        Ok(process::run(&mut install)?)
    })?;
    Ok(folder.join("bin"))
}

/// Copies the files into one folder and writes their checksums beside them, as `sha256sum --check` reads them.
fn gather(files: &[PathBuf], folder: &Path) -> Result<String, Failure> {
    let mut checksums = String::new();
    for file in files {
        let name = file.file_name().ok_or("a file without a name")?;
        let bytes = fs::read(file)?;
        for byte in Sha256::digest(&bytes) {
            write!(checksums, "{byte:02x}")?;
        }
        writeln!(checksums, "  {}", name.to_string_lossy())?;
        fs::write(folder.join(name), bytes)?;
    }
    fs::write(folder.join("SHA256SUMS"), &checksums)?;
    Ok(checksums)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_version_needs_a_section_with_a_date() {
        let complaint = |text| changelog(text, "0.1.0").unwrap_or_default();
        assert_eq!(
            complaint("# Changelog\n\n## Unreleased\n\n## 0.1.0 - 2026-11-27\n"),
            ""
        );
        let missing = complaint("# Changelog\n\n## Unreleased\n\n## 0.1.01 - 2026-11-27\n");
        assert!(
            missing.contains("call `## Unreleased` `## 0.1.0 - YEAR"),
            "{missing}"
        );
        for undated in ["## 0.1.0\n", "## 0.1.0 - soon\n", "## 0.1.0 - 26-11-2027\n"] {
            assert!(complaint(undated).contains("no date"), "{undated}");
        }
    }

    #[test]
    fn members_of_another_version_are_told() {
        let need = |version| json!({"name": "auth", "path": "/auth", "req": version});
        let serde = json!({"name": "serde", "req": "^1"});
        let metadata = json!({"packages": [
            {"name": "auth", "version": "0.2.0", "dependencies": [serde]},
            {"name": "gateway", "version": "0.2.0", "dependencies": [need("^0.1.0"), need("*")]},
            {"name": "sim", "version": "0.1.0", "dependencies": [need("^0.2.0")]},
        ]});
        assert_eq!(
            versions(&metadata, "0.2.0"),
            [
                "gateway asks for \"auth\" ^0.1.0, and not ^0.2.0",
                "sim has version 0.1.0, and not 0.2.0"
            ]
        );
    }

    #[test]
    fn a_list_of_parts_does_not_tell_where_it_was_made() {
        let list = r#"{"bom-ref": "path+file:///home/ann/source/crates/auth#0.1.0"}"#;
        let left = r#"{"bom-ref": "path+file:///crates/auth#0.1.0"}"#;
        assert_eq!(without_place(list, Path::new("/home/ann/source")), left);
    }

    #[test]
    fn checksums_are_those_that_sha256sum_reads() {
        let made = tempfile::tempdir().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = made.path().join("a.crate");
        fs::write(&file, "abc").unwrap();
        let checksums = gather(&[file], folder.path()).unwrap();
        assert_eq!(
            checksums,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a.crate\n"
        );
        assert_eq!(
            fs::read_to_string(folder.path().join("SHA256SUMS")).unwrap(),
            checksums
        );
        assert_eq!(fs::read(folder.path().join("a.crate")).unwrap(), b"abc");
    }
}
