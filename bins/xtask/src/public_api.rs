//! What each library promises, line by line in `crates/*/public-api.txt`: a change of it is seen before it is made.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Failure;
use crate::library::{self, Library};
use crate::process;
use crate::workspace::Workspace;

/// The file beside the manifest.
const FILE: &str = "public-api.txt";

/// Its first line.
const HEAD: &str =
    "# Everything public, with all features. Written by `cargo xtask public-api --bless`.\n";

/// Traits that nobody implements by hand and nobody relies on here. `Send` and `Sync` stay: a future that loses them is of
/// no use any more.
const UNTOLD: [&str; 6] = [
    "core::marker::Freeze",
    "core::marker::StructuralPartialEq",
    "core::marker::Unpin",
    "core::marker::UnsafeUnpin",
    "core::panic::unwind_safe::RefUnwindSafe",
    "core::panic::unwind_safe::UnwindSafe",
];

/// Where traits come from whose methods are what the trait says they are.
const OTHERS: [&str; 3] = ["core::", "schemars::", "serde_core::"];

/// Compares the public items of every library with its file, or writes the files.
///
/// # Errors
///
/// They differ, or this compiler's description of the items cannot be read.
pub(crate) fn check(workspace: &Workspace, bless: bool) -> Result<(), Failure> {
    let rustdoc = permissive(workspace)?;
    let mut changed = Vec::new();
    for library in library::all(workspace)? {
        let now = HEAD.to_owned() + &listed(workspace, &rustdoc, &library)?;
        let file = library.folder.join(FILE);
        let was = fs::read_to_string(&file).unwrap_or_default();
        if bless {
            fs::write(&file, &now)?;
        } else if was != now {
            println!("{}:\n{}", library.name, difference(&was, &now));
            changed.push(library.name);
            continue;
        }
        println!("{}: {} lines", library.name, now.lines().count());
    }
    if changed.is_empty() {
        return Ok(());
    }
    let changed = changed.join(", ");
    Err(format!("the promises of {changed} have changed; if that is meant, `cargo xtask public-api --bless`, and the changelog says so").into())
}

/// A rustdoc that writes JSON although it is a stable one.
///
/// The variable that makes it do so is for it alone: build scripts look at it as well, and half of all crates would be
/// built anew, here and at the next build without it.
fn permissive(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let folder = workspace.target.join("public-api");
    fs::create_dir_all(&folder)?;
    let script = folder.join("rustdoc");
    fs::write(
        &script,
        "#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc \"$@\"\n",
    )?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    }
    Ok(script)
}

fn listed(workspace: &Workspace, rustdoc: &Path, library: &Library) -> Result<String, Failure> {
    let mut describe = workspace.command("cargo", &["rustdoc", "--locked", "--quiet"]);
    describe.args(["-p", &library.name, "--lib", "--all-features"]);
    describe.args(["--", "-Z", "unstable-options", "--output-format", "json"]);
    process::run(describe.env("RUSTDOC", rustdoc))?;
    let described = workspace.target.join("doc");
    let described = described.join(format!("{}.json", library.name.replace('-', "_")));
    let mut items = public_api::Builder::from_rustdoc_json(described);
    // They follow from what is written: `Into` from `From`, `ToString` from `Display`.
    items = items.omit_blanket_impls(true);
    let items = items.build()?.to_string();
    Ok(told(&items))
}

/// The lines worth reading: without the traits that are not told, and without the methods of other people's traits.
fn told(items: &str) -> String {
    let mut told = String::new();
    let mut skipped = None;
    for line in items.lines() {
        if line.starts_with("impl") {
            let implemented = implementation(line);
            if implemented.is_some_and(|(name, _)| UNTOLD.contains(&name)) {
                continue;
            }
            let others = |name: &str| OTHERS.iter().any(|from| name.starts_with(from));
            skipped = implemented.filter(|(name, _)| others(name));
        }
        let method = line.strip_prefix("pub fn ");
        if let (Some((_, of)), Some(method)) = (skipped, method)
            && method
                .strip_prefix(of)
                .is_some_and(|rest| rest.starts_with("::"))
        {
            continue;
        }
        told += line;
        told.push('\n');
    }
    told
}

/// The trait of an implementation and the type that has it.
fn implementation(line: &str) -> Option<(&str, &str)> {
    let (before, of) = line.split_once(" for ")?;
    let name = before.rsplit([' ', '!']).next()?;
    Some((name, of.split(" where ").next()?))
}

/// The lines that went and those that came.
fn difference(was: &str, now: &str) -> String {
    let only = |these: &str, others: &str, sign: char| -> String {
        let others: Vec<&str> = others.lines().collect();
        let these = these.lines().filter(|line| !others.contains(line));
        these.map(|line| format!("{sign} {line}\n")).collect()
    };
    only(was, now, '-') + &only(now, was, '+')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_by_the_lines_that_went_and_came() {
        let was = "pub fn a::b()\npub fn a::c()\n";
        let now = "pub fn a::b()\npub fn a::c(u8)\n";
        assert_eq!(difference(was, now), "- pub fn a::c()\n+ pub fn a::c(u8)\n");
    }

    #[test]
    fn what_can_go_between_threads_is_told_and_what_can_be_moved_is_not() {
        let shown = "impl core::marker::Send for a::B\nimpl !core::marker::Sync for a::B\n";
        let hidden = "impl core::marker::Unpin for a::B\nimpl<T> !core::panic::unwind_safe::UnwindSafe for a::B<T>\n";
        assert_eq!(told(&format!("{hidden}{shown}{hidden}")), shown);
    }

    #[test]
    fn methods_of_other_peoples_traits_are_left_out_and_free_functions_are_not() {
        let items = "impl core::clone::Clone for a::B\npub fn a::B::clone(&self) -> a::B\n\
            impl a::C for a::B\npub fn a::B::c(&self)\n\
            impl<'a> core::fmt::Debug for a::D<'a> where 'a: 'a\npub fn a::D<'a>::fmt(&self)\npub fn a::free()\n";
        let left = "impl core::clone::Clone for a::B\n\
            impl a::C for a::B\npub fn a::B::c(&self)\n\
            impl<'a> core::fmt::Debug for a::D<'a> where 'a: 'a\npub fn a::free()\n";
        assert_eq!(told(items), left);
    }
}
