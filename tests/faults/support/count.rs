//! Instructions of the program, counted by callgrind: a number that is the same on every machine and in every run, where
//! time would only be likely.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use super::{House, Plan, until};

/// Counts what one function of the program executes, with all that it calls.
pub(crate) struct Count {
    folder: TempDir,
    n_dumps: usize,
}

impl Count {
    pub(crate) fn new() -> Self {
        let found = Command::new("valgrind").arg("--version").output();
        assert!(
            found.is_ok(),
            "this row needs `valgrind`; `cargo xtask ci` installs it where it can, and on Debian and Ubuntu \
             `apt-get install valgrind` does"
        );
        let (folder, n_dumps) = (tempfile::tempdir().unwrap(), 0);
        Self { folder, n_dumps }
    }

    /// A program whose `function` is counted. It runs some fifty times as slowly.
    pub(crate) fn of(&self, function: &str, plan: Plan) -> Plan {
        let out = self.folder.path().join("out");
        plan.limit(&format!(
            "exec valgrind --quiet --tool=callgrind --callgrind-out-file={} --toggle-collect='{function}*' \"$0\" \"$@\"",
            out.display()
        ))
    }

    /// Instructions since the last time.
    pub(crate) async fn taken(&mut self, house: &House) -> u64 {
        self.n_dumps += 1;
        let mut dump = Command::new("vgdb");
        dump.arg(format!("--pid={}", house.program.pid()));
        let output = dump.args(["dump", "row"]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let file = self.folder.path().join(format!("out.{}", self.n_dumps));
        let mut taken = None;
        until("the count", || {
            let text = fs::read_to_string(&file).unwrap_or_default();
            let mut lines = text.lines().map(str::to_owned);
            // The last line says that the file is whole.
            taken =
                lines.find_map(|line| Some(line.strip_prefix("totals: ")?.trim().parse().unwrap()));
            taken.is_some()
        })
        .await;
        taken.unwrap()
    }
}
