//! The program as it is shipped: one file that needs no other, not even the system's C library.

use std::fs;
use std::path::PathBuf;

use crate::Failure;
use crate::process;
use crate::workspace::Workspace;

/// Builds the program for this machine's kind and puts it into `target/dist`.
///
/// On Linux it is linked statically, so that a container holds nothing else. glibc then knows names of hosts from `files`
/// and `dns` alone. Elsewhere the system's libraries are part of the system.
///
/// # Errors
///
/// It cannot be built.
pub(crate) fn make(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let host = host(workspace)?;
    let mut build = workspace.command("cargo", &["build", "--locked", "--release"]);
    build.args(["--bin", "kiro-2api", "--target", &host]);
    if host.contains("-linux-") {
        // With a target named, scripts and macros of the build are linked as ever.
        build.env("RUSTFLAGS", "-C target-feature=+crt-static");
    }
    process::run(&mut build)?;
    let folder = workspace.target.join("dist");
    fs::create_dir_all(&folder)?;
    let program = format!("kiro-2api{}", std::env::consts::EXE_SUFFIX);
    let built = workspace.target.join(host).join("release").join(&program);
    let shipped = folder.join(program);
    fs::copy(built, &shipped)?;
    println!("{}", shipped.display());
    Ok(shipped)
}

fn host(workspace: &Workspace) -> Result<String, Failure> {
    let mut version = workspace.command("rustc", &["--version", "--verbose"]);
    let version = process::output(&mut version)?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or("rustc does not say for which machine it builds")?;
    Ok(host.to_owned())
}
