//! A wall clock of the program that a row moves.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use tempfile::TempDir;

use super::{Plan, preload};

/// The clock, as long as it is held.
pub(crate) struct WallClock {
    folder: TempDir,
    library: PathBuf,
    offset: fs::File,
}

impl WallClock {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let library = preload::build("clock", folder.path());
        let offset = fs::File::create(folder.path().join("offset")).unwrap();
        let clock = Self {
            folder,
            library,
            offset,
        };
        clock.moved_by(0);
        clock
    }

    /// A program that reads it.
    pub(crate) fn rules(&self, plan: Plan) -> Plan {
        let offset = self.folder.path().join("offset");
        plan.env("LD_PRELOAD", &self.library.display().to_string())
            .env("KIRO_TEST_CLOCK", &offset.display().to_string())
    }

    /// So many seconds ahead of the right time.
    pub(crate) fn moved_by(&self, seconds: i64) {
        self.offset.write_all_at(&seconds.to_ne_bytes(), 0).unwrap();
    }
}
