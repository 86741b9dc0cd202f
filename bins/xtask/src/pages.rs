//! The pages for people, in a browser that nobody here wrote.
//!
//! ```text
//! tests/pages ── node:test ── Chromium, headless ── HTTP ──> kiro-2api serve ── HTTP ──> kiro-2api sim
//! ```
//!
//! Pictures of what was seen are left in `target/pages/screenshots`.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::Failure;
use crate::clients::node;
use crate::process;
use crate::stage::{Build, KEY, Stage};
use crate::workspace::Workspace;

/// What a browser may be called.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// The key of the operator.
const ADMIN_KEY: &str = "admin-key-of-the-page-tests";

/// A browser on a busy machine takes seconds for a page.
const DEADLINE: Duration = Duration::from_secs(300);

/// Runs the tests of the pages against a gateway and a simulator of their own.
///
/// # Errors
///
/// There is no browser, a package cannot be installed, a test fails, or the gateway does not survive.
pub(crate) fn run(workspace: &Workspace) -> Result<(), Failure> {
    let browser = browser()?;
    let folder = workspace.target.join("pages");
    let tests = workspace.root.join("tests/pages");
    let mut test = node::prepare_in(workspace, &tests, folder.join("tests"))?;
    let screenshots = folder.join("screenshots");
    if screenshots.exists() {
        fs::remove_dir_all(&screenshots)?;
    }
    fs::create_dir_all(&screenshots)?;
    let settings = [("KIRO_2API_ADMIN__KEY", ADMIN_KEY)];
    let mut stage = Stage::start(workspace, Build::Debug, &folder.join("stage"), &settings)?;
    test.env("ADMIN_KEY", ADMIN_KEY);
    test.env("GATEWAY_URL", &stage.gateway_url);
    test.env("GATEWAY_KEY", KEY);
    test.env("SIMULATOR_URL", &stage.simulator_url);
    test.env("CHROMIUM", browser);
    test.env("SCREENSHOTS", &screenshots);
    process::run_until(&mut test, DEADLINE).inspect_err(|_| {
        let log = stage.gateway.end_of_log();
        eprintln!("\nThe gateway's log ends with:\n{log}\n");
    })?;
    stage.check()?;
    println!("pictures are in {}", screenshots.display());
    Ok(())
}

/// The first browser that is installed, as a path: the driver does not search for it.
fn browser() -> Result<PathBuf, Failure> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let in_each = |name: &str| folders.iter().map(|at| at.join(name)).collect::<Vec<_>>();
    let mut candidates = BROWSERS.into_iter().flat_map(in_each);
    candidates.find(|file| file.is_file()).ok_or_else(|| {
        let names = BROWSERS.join(", ");
        format!("no browser is installed; one of {names} is needed").into()
    })
}
