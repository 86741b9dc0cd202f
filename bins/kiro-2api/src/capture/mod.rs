//! Captured exchanges in a folder: one file each, written by a thread of its own.

mod folder;
mod writer;

use kiro_gateway::capture::{CaptureOptions, Which};

pub(crate) use writer::landed;

use crate::config::{Capture, Config, Log};
use crate::setup::home;
use crate::state;
use folder::Folder;

/// What is captured, if anything is. A folder that cannot be used costs the captures and not the service.
pub(crate) fn options(config: &Config) -> Option<CaptureOptions> {
    let Log {
        capture,
        capture_path,
        capture_max_bytes,
        capture_max_files,
        // `logging/`.
        level: _,
        format: _,
    } = &config.log;
    let which = match capture {
        Capture::Off => return None,
        Capture::Errors => Which::Errors,
        Capture::All => Which::All,
    };
    let path = capture_path.as_deref().map(home);
    let path = path.or_else(|| Some(state::folder(&config.store)?.join("captures")));
    let Some(path) = path else {
        tracing::error!(
            "there is no home folder to keep captures in, so there are none; set KIRO_2API_LOG__CAPTURE_PATH to a folder"
        );
        return None;
    };
    tracing::warn!(
        folder = %path.display(),
        "exchanges are captured: conversations are written to files"
    );
    let folder = Folder {
        path,
        max_bytes: *capture_max_bytes as u64,
        max_files: *capture_max_files,
    };
    let mut options = CaptureOptions::new(writer::sink(folder)?);
    options.which = which;
    Some(options)
}
