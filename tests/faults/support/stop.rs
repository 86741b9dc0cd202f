//! A place in the save of a login at which a row stops the program.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use tempfile::TempDir;

use super::{Plan, preload};

/// Where it stops, as long as this is held.
pub(crate) struct StopSign {
    folder: TempDir,
    library: PathBuf,
    place: fs::File,
}

/// A place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Nowhere,
    /// The new file is written and not on the disk.
    Written,
    /// It is on the disk, under a name of its own.
    Synced,
    /// It has taken the place of the old one.
    Renamed,
}

impl StopSign {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = fs::File::create(folder.path().join("place")).unwrap();
        let library = preload::build("stop", folder.path());
        let sign = Self {
            folder,
            library,
            place,
        };
        sign.stand(Place::Nowhere);
        sign
    }

    /// A program that heeds it, where it saves a file with this in its path.
    pub(crate) fn rules(&self, plan: Plan, path: &str) -> Plan {
        let place = self.folder.path().join("place");
        plan.env("LD_PRELOAD", &self.library.display().to_string())
            .env("KIRO_TEST_STOP", &place.display().to_string())
            .env("KIRO_TEST_STOP_AT", path)
    }

    pub(crate) fn stand(&self, place: Place) {
        let byte = match place {
            Place::Nowhere => b'-',
            Place::Written => b'w',
            Place::Synced => b's',
            Place::Renamed => b'r',
        };
        self.place.write_all_at(&[byte], 0).unwrap();
    }
}
