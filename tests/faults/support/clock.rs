//! A wall clock of the program that a row moves.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::process::Command;

use tempfile::TempDir;

use super::Plan;

/// The clock, as long as it is held.
pub(crate) struct WallClock {
    folder: TempDir,
    offset: fs::File,
}

impl WallClock {
    /// Builds what takes the place of the system's; who builds this test has a compiler for C as its linker.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../tests/faults/support/clock.c"
        );
        let mut build = Command::new("cc");
        build.args(["-shared", "-fPIC", "-Wall", "-Werror", "-o"]);
        build.arg(folder.path().join("clock.so")).arg(source);
        assert!(build.arg("-ldl").status().unwrap().success());
        let offset = fs::File::create(folder.path().join("offset")).unwrap();
        let clock = Self { folder, offset };
        clock.moved_by(0);
        clock
    }

    /// A program that reads it.
    pub(crate) fn rules(&self, plan: Plan) -> Plan {
        let path = |file: &str| self.folder.path().join(file).display().to_string();
        plan.env("LD_PRELOAD", &path("clock.so"))
            .env("KIRO_TEST_CLOCK", &path("offset"))
    }

    /// So many seconds ahead of the right time.
    pub(crate) fn moved_by(&self, seconds: i64) {
        self.offset.write_all_at(&seconds.to_ne_bytes(), 0).unwrap();
    }
}
