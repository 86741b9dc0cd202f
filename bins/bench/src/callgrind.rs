//! Instructions of a run, counted by callgrind: free of noise, and blind to memory and kernel.

use std::process::{Command, Stdio};

use crate::Failure;

/// All instructions of a run of this program with these arguments.
///
/// # Errors
///
/// Valgrind is not installed, or the run failed.
pub(crate) fn instructions(arguments: &[String]) -> Result<u64, Failure> {
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("valgrind cannot be started: {error}"))?;
    let log = String::from_utf8_lossy(&run.stderr);
    if !run.status.success() {
        return Err(format!("valgrind failed:\n{log}").into());
    }
    collected(&log).ok_or_else(|| format!("valgrind counted nothing:\n{log}").into())
}

/// The number in callgrind's line `==12== Collected : 1234`.
fn collected(log: &str) -> Option<u64> {
    let mut counts = log
        .lines()
        .filter_map(|line| line.split_once("Collected :"));
    counts.next()?.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_found_in_the_log() {
        let log = "==7== Events    : Ir\n==7== Collected : 1234567\n==7== I   refs: 1,234,567\n";
        assert_eq!(collected(log), Some(1_234_567));
        assert_eq!(collected("valgrind: no such file"), None);
    }
}
