//! The features of the libraries: each builds alone, without warnings, and its page tells of it.

use std::collections::BTreeMap;
use std::fs;

use crate::Failure;
use crate::library::{self, Library};
use crate::process;
use crate::workspace::Workspace;

/// The feature that names those that are on when nobody chooses.
const DEFAULT: &str = "default";

/// Looks over every library without features, with each of them alone, and with all.
///
/// In the workspace as a whole a missing feature of a dependency stays hidden as long as any other member turns it on.
/// Additive features need no more than these: what two of them do together, all of them do.
///
/// # Errors
///
/// A page is wrong about the features, or code does not build, or warns, with some of them.
pub(crate) fn check(workspace: &Workspace) -> Result<(), Failure> {
    for library in library::all(workspace)? {
        let page = library.folder.join("README.md");
        let told = told(&fs::read_to_string(&page)?);
        let wrong = differences(&told, &library);
        if !wrong.is_empty() {
            return Err(format!("{}: {}", page.display(), wrong.join("; ")).into());
        }
        for features in choices(&library) {
            println!("{} with {features:?}", library.name);
            let mut clippy = workspace.command("cargo", &["clippy", "--locked", "--quiet"]);
            clippy.args(["-p", &library.name, "--no-default-features"]);
            clippy.args(["--features", &features.join(",")]);
            process::run(clippy.args(["--", "-Dwarnings"]))?;
        }
    }
    Ok(())
}

/// The features of a library, without the name of the defaults.
fn features(library: &Library) -> Vec<&str> {
    let names = library.features.keys().map(String::as_str);
    names.filter(|&name| name != DEFAULT).collect()
}

fn choices(library: &Library) -> Vec<Vec<&str>> {
    let features = features(library);
    let mut choices = vec![Vec::new()];
    choices.extend(features.iter().map(|&feature| vec![feature]));
    if features.len() > 1 {
        choices.push(features);
    }
    choices
}

/// The table below the heading "Features": name, and whether it is on by default.
fn told(page: &str) -> BTreeMap<String, bool> {
    let section = page
        .split("\n## ")
        .find(|part| part.starts_with("Features\n"));
    let rows = section.into_iter().flat_map(str::lines);
    rows.filter_map(|row| {
        let mut cells = row.strip_prefix("| `")?.split('|').map(str::trim);
        let name = cells.next()?.strip_suffix('`')?;
        Some((name.to_owned(), cells.next()? == "yes"))
    })
    .collect()
}

/// What a table says otherwise than the manifest.
fn differences(told: &BTreeMap<String, bool>, library: &Library) -> Vec<String> {
    let defaults = library.features.get(DEFAULT);
    let mut wrong = Vec::new();
    for name in features(library) {
        let by_default = defaults.is_some_and(|defaults| defaults.iter().any(|one| one == name));
        match told.get(name) {
            None => wrong.push(format!("`{name}` is missing under \"Features\"")),
            Some(&told) if told != by_default => {
                wrong.push(format!("`{name}` is on by default: {by_default}"));
            }
            Some(_) => {}
        }
    }
    let unknown = told
        .keys()
        .filter(|name| !library.features.contains_key(*name));
    wrong.extend(unknown.map(|name| format!("there is no feature `{name}`")));
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# a\n\n## Features\n\n| feature | default | gives |\n| --- | --- | --- |\n\
        | `hyper` | yes | a client |\n| `redis` | no | a store |\n\n## Contracts\n\n| `x` | yes | no feature |\n";

    fn library(features: &[(&str, &[&str])]) -> Library {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let features = features
            .iter()
            .map(|(name, on)| ((*name).to_owned(), owned(on)));
        Library {
            features: features.collect(),
            ..Library::default()
        }
    }

    #[test]
    fn a_page_tells_of_every_feature_and_of_no_other() {
        let told = told(PAGE);
        let right = library(&[("default", &["hyper"]), ("hyper", &[]), ("redis", &[])]);
        assert_eq!(differences(&told, &right), [""; 0]);
        let other = library(&[("default", &["redis"]), ("redis", &[]), ("vault", &[])]);
        assert_eq!(
            differences(&told, &other),
            [
                "`redis` is on by default: true",
                "`vault` is missing under \"Features\"",
                "there is no feature `hyper`"
            ]
        );
    }

    #[test]
    fn features_are_built_one_by_one_and_together() {
        let none: Vec<Vec<&str>> = vec![vec![]];
        assert_eq!(choices(&library(&[])), none);
        let one = library(&[("schema", &[])]);
        assert_eq!(choices(&one), [vec![], vec!["schema"]]);
        let two = library(&[("default", &["a"]), ("a", &[]), ("b", &[])]);
        assert_eq!(
            choices(&two),
            [vec![], vec!["a"], vec!["b"], vec!["a", "b"]]
        );
    }
}
