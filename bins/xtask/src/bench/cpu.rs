//! How much processor time another process has used.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

/// The time of all threads of a process, to the nanosecond.
///
/// From `/proc/PID/task/*/schedstat`, because the better known `/proc/PID/stat` counts in steps of 10 ms.
/// Threads that have ended are not in it; those of the programs that we measure live as long as they.
///
/// # Errors
///
/// The process is gone, or this is not Linux.
pub(super) fn time_of(pid: u32) -> io::Result<Duration> {
    let tasks = Path::new("/proc").join(pid.to_string()).join("task");
    let mut nanoseconds = 0;
    for task in fs::read_dir(tasks)? {
        // A thread may end between the listing and the reading.
        let Ok(statistics) = fs::read_to_string(task?.path().join("schedstat")) else {
            continue;
        };
        let first = statistics.split_whitespace().next();
        nanoseconds += first
            .and_then(|number| number.parse::<u64>().ok())
            .unwrap_or(0);
    }
    Ok(Duration::from_nanos(nanoseconds))
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::process::Command;
    use std::thread;
    use std::time::Instant;

    use super::*;

    #[test]
    fn work_takes_time() {
        let mut busy = Command::new("sh");
        let mut busy = busy.args(["-c", "while :; do :; done"]).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        while time_of(busy.id()).unwrap() < Duration::from_millis(1) && Instant::now() < deadline {
            thread::yield_now();
        }
        let used = time_of(busy.id()).unwrap();
        busy.kill().unwrap();
        busy.wait().unwrap();
        assert!(used >= Duration::from_millis(1), "{used:?}");
        assert!(time_of(busy.id()).is_err());
    }
}
