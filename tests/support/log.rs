//! What tests log, for `cargo xtask ci` to search for secrets. Included by the tests of several crates.

use std::fs::File;
use std::path::Path;
use std::sync::{Mutex, Once};

/// Writes all that this process logs, at the most talkative level, to a file in the folder that
/// `KIRO_TEST_LOG` names. Without that variable, and from the second call on, nothing happens.
pub(crate) fn write_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if let Some(path) = log_file() {
            let file = File::create(path).expect("the folder of the log can be written");
            let log = tracing_subscriber::fmt().with_ansi(false);
            let log = log.with_max_level(tracing_subscriber::filter::LevelFilter::TRACE);
            // Some other test of this process may listen already.
            let _ = log.with_writer(Mutex::new(file)).try_init();
        }
    });
}

/// A file for this process alone: `{program}.{pid}.log`.
#[allow(
    clippy::disallowed_methods,
    reason = "how the one who runs the tests says where"
)]
fn log_file() -> Option<std::path::PathBuf> {
    let folder = std::env::var("KIRO_TEST_LOG").ok()?;
    let program = std::env::current_exe().ok()?;
    let name = program.file_stem()?.to_string_lossy().into_owned();
    let name = format!("{name}.{}.log", std::process::id());
    Some(Path::new(&folder).join(name))
}
