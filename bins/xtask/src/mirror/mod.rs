//! Mirrors, not limits: how our libraries look beside others that many people read.
//!
//! Every number is made by the same code from the source as it is published, with tests left out.

mod names;
mod source;
mod spread;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::Failure;
use crate::library;
use crate::process;
use crate::workspace::Workspace;

/// A crate to look at beside ours, and the features that make it what people use.
struct Other {
    name: &'static str,
    version: &'static str,
    features: &'static [&'static str],
}

/// Pinned, so that a table can be made again.
const OTHERS: [Other; 4] = [
    Other {
        name: "rustls",
        version: "=0.23.46",
        features: &[],
    },
    Other {
        name: "quinn-proto",
        version: "=0.11.19",
        features: &[],
    },
    Other {
        name: "hyper-util",
        version: "=0.1.21",
        // Without features there is nothing in it.
        features: &["full"],
    },
    Other {
        name: "aws-smithy-eventstream",
        version: "=0.60.18",
        features: &[],
    },
];

/// A crate, and where Cargo knows it.
struct Subject {
    name: String,
    /// The folder of its manifest.
    folder: PathBuf,
    /// Dependencies without which it cannot be built, on every system.
    required: usize,
    /// The workspace that builds it, and which member.
    workspace: PathBuf,
    member: String,
}

/// Prints a table for ours and for others; with `time` also what each costs to build from nothing, which takes minutes.
///
/// # Errors
///
/// The others cannot be fetched, or somebody's source cannot be read.
pub(crate) fn run(workspace: &Workspace, time: bool) -> Result<(), Failure> {
    let mut subjects = ours(workspace)?;
    subjects.extend(others(workspace)?);
    let last = if time { " processor |" } else { "" };
    println!(
        "| crate | functions | p50 | p90 | p99 | longest | files | median | longest | doc lines | public names | required | tree |{last}"
    );
    let last = if time { " ---: |" } else { "" };
    println!("| --- {}|{last}", "| ---: ".repeat(12));
    for subject in &subjects {
        println!("{}", row(workspace, subject, time)?);
    }
    Ok(())
}

fn row(workspace: &Workspace, subject: &Subject, time: bool) -> Result<String, Failure> {
    let source = source::measure(&subject.folder.join("src"))?;
    let (functions, files) = (spread::of(source.functions), spread::of(source.files));
    let mut cells = vec![subject.name.clone()];
    cells.extend(
        [
            functions.count,
            functions.p50,
            functions.p90,
            functions.p99,
            functions.longest,
        ]
        .map(|number| number.to_string()),
    );
    cells.extend([files.count, files.p50, files.longest].map(|number| number.to_string()));
    cells.push(format!("{} %", 100 * source.doc / source.text.max(1)));
    cells.push(names::count(&subject.folder.join("src/lib.rs"))?.to_string());
    cells.push(subject.required.to_string());
    cells.push(tree(subject)?.to_string());
    if time {
        cells.push(format!("{:.0} s", from_nothing(workspace, subject)?));
    }
    Ok(format!("| {} |", cells.join(" | ")))
}

fn ours(workspace: &Workspace) -> Result<Vec<Subject>, Failure> {
    let metadata = metadata(&workspace.root)?;
    let libraries = library::all(workspace)?.into_iter().map(|library| {
        let required = required(&metadata, &library.name);
        Subject {
            required,
            folder: library.folder,
            workspace: workspace.root.clone(),
            member: library.name.clone(),
            name: library.name,
        }
    });
    Ok(libraries.collect())
}

/// The others, fetched through a workspace with one member for each, so that none turns on features of another.
fn others(workspace: &Workspace) -> Result<Vec<Subject>, Failure> {
    let root = workspace.target.join("mirror");
    fs::create_dir_all(&root)?;
    fs::write(
        root.join("Cargo.toml"),
        "[workspace]\nresolver = \"3\"\nmembers = [\"m-*\"]\n",
    )?;
    for other in &OTHERS {
        let member = root.join(format!("m-{}", other.name));
        fs::create_dir_all(member.join("src"))?;
        fs::write(member.join("src/lib.rs"), "")?;
        let (name, version, features) = (other.name, other.version, other.features);
        let manifest = format!(
            "[package]\nname = \"m-{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
             [dependencies]\n{name} = {{ version = \"{version}\", features = {features:?} }}\n"
        );
        fs::write(member.join("Cargo.toml"), manifest)?;
    }
    let metadata = metadata(&root)?;
    let mut subjects = Vec::new();
    for other in &OTHERS {
        let package =
            package(&metadata, other.name).ok_or("cargo metadata does not tell of a dependency")?;
        let manifest = Path::new(package["manifest_path"].as_str().unwrap_or_default());
        subjects.push(Subject {
            name: format!("{} {}", other.name, other.version.trim_start_matches('=')),
            folder: manifest
                .parent()
                .ok_or("a manifest in no folder")?
                .to_owned(),
            required: required(&metadata, other.name),
            workspace: root.clone(),
            member: format!("m-{}", other.name),
        });
    }
    Ok(subjects)
}

fn metadata(folder: &Path) -> Result<Value, Failure> {
    let mut metadata = Command::new("cargo");
    metadata.args(["metadata", "--format-version", "1"]);
    Ok(serde_json::from_str(&process::output(
        metadata.current_dir(folder),
    )?)?)
}

fn package<'a>(metadata: &'a Value, name: &str) -> Option<&'a Value> {
    let mut packages = metadata["packages"].as_array().into_iter().flatten();
    packages.find(|package| package["name"].as_str() == Some(name))
}

fn required(metadata: &Value, name: &str) -> usize {
    let dependencies =
        package(metadata, name).and_then(|package| package["dependencies"].as_array());
    let required = |one: &&Value| {
        one["kind"].is_null() && one["target"].is_null() && one["optional"].as_bool() == Some(false)
    };
    dependencies.into_iter().flatten().filter(required).count()
}

/// How many packages are built for it with its default features, itself not counted.
fn tree(subject: &Subject) -> Result<usize, Failure> {
    let mut tree = Command::new("cargo");
    tree.args([
        "tree",
        "--edges=normal",
        "--prefix=none",
        "-p",
        &subject.member,
    ]);
    let tree = process::output(tree.current_dir(&subject.workspace))?;
    let mut packages: Vec<&str> = tree
        .lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .collect();
    packages.sort_unstable();
    packages.dedup();
    // The member that stands before another's crate is not part of it.
    let itself = if subject.member == subject.name { 1 } else { 2 };
    Ok(packages.len() - itself)
}

/// Seconds of processor that building it takes when nothing is built. Those by the clock say as much of what else the
/// machine does.
fn from_nothing(workspace: &Workspace, subject: &Subject) -> Result<f64, Failure> {
    let target = workspace.target.join("mirror/from-nothing");
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    // The shell tells what its children have used.
    let mut build = Command::new("sh");
    build.args(["-c", "\"$@\" >&2 && times", "sh"]);
    build.args(["cargo", "build", "--quiet", "-p", &subject.member]);
    build
        .current_dir(&subject.workspace)
        .env("CARGO_TARGET_DIR", &target);
    let times = process::output(&mut build)?;
    Ok(children(&times).ok_or("the shell does not tell times")?)
}

/// The second line of `times`: user and system time of children, each like `1m2.345s`.
fn children(times: &str) -> Option<f64> {
    let seconds = |time: &str| -> Option<f64> {
        let (minutes, seconds) = time.strip_suffix('s')?.split_once('m')?;
        Some(60.0 * minutes.parse::<f64>().ok()? + seconds.parse::<f64>().ok()?)
    };
    times.lines().nth(1)?.split_whitespace().map(seconds).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_children_are_added_up() {
        assert_eq!(
            children("0m0.001s 0m0.002s\n1m2.500s 0m4.250s\n"),
            Some(66.75)
        );
        assert_eq!(children("0m0.001s 0m0.002s\n"), None);
    }
}
