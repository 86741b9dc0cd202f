//! Libraries that take the place of parts of the system's, for a program that is started with `LD_PRELOAD`.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds the one of that name; who builds this test has a compiler for C as its linker.
pub(super) fn build(name: &str, folder: &Path) -> PathBuf {
    let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/faults/support");
    let library = folder.join(name).with_extension("so");
    let mut build = Command::new("cc");
    build.args(["-shared", "-fPIC", "-Wall", "-Werror", "-o"]);
    build
        .arg(&library)
        .arg(Path::new(sources).join(name).with_extension("c"));
    assert!(build.arg("-ldl").status().unwrap().success());
    library
}
