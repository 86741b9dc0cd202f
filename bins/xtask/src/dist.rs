//! The program as it is shipped: one file that needs no other, not even the system's C library.

use std::fs;
use std::path::PathBuf;

use crate::Failure;
use crate::process;
use crate::workspace::Workspace;

/// Bytes that it may have: an image is pulled by every machine that runs it.
const LARGEST: u64 = 30_000_000;

/// Builds the program for this machine's kind and puts it into `target/dist`.
///
/// On Linux it is linked statically, so that a container holds nothing else. glibc then knows names of hosts from `files`
/// and `dns` alone. Elsewhere the system's libraries are part of the system.
///
/// # Errors
///
/// It cannot be built, or is too large.
pub(crate) fn make(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let host = host(workspace)?;
    let mut build = workspace.command("cargo", &["build", "--locked", "--profile=dist"]);
    build.args(["--bin", "kiro-2api", "--target", &host]);
    if host.contains("-linux-") {
        // With a target named, scripts and macros of the build are linked as ever. Without a dynamic linker nobody finds
        // out whether the C library knows `getrandom`; it does, and `/dev/urandom` need not be there.
        let flags = [
            "-C target-feature=+crt-static",
            "--cfg getrandom_backend=\"linux_getrandom\"",
        ];
        build.env("RUSTFLAGS", flags.join(" "));
    }
    process::run(&mut build)?;
    let folder = workspace.target.join("dist");
    fs::create_dir_all(&folder)?;
    let program = format!("kiro-2api{}", std::env::consts::EXE_SUFFIX);
    let built = workspace.target.join(host).join("dist").join(&program);
    let shipped = folder.join(program);
    let size = fs::copy(built, &shipped)?;
    println!("{}: {:.1} MB", shipped.display(), size as f64 / 1e6);
    if size > LARGEST {
        let most = LARGEST / 1_000_000;
        return Err(format!("the program, and so its image, is larger than {most} MB").into());
    }
    Ok(shipped)
}

fn host(workspace: &Workspace) -> Result<String, Failure> {
    let mut version = workspace.command("rustc", &["--version", "--verbose"]);
    let version = process::output(&mut version)?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or("rustc does not say for which machine it builds")?;
    Ok(host.to_owned())
}
