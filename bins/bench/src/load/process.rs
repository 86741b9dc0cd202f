//! A process under measurement: started, asked for its address, looked at from outside, stopped.

use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Failure;

/// A running program, and the processes that it has started. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    pub(super) address: SocketAddr,
}

impl Process {
    /// Starts a program that prints `… listens on [http://]ADDRESS`.
    pub(super) fn start(command: &mut Command) -> Result<Self, Failure> {
        let shown = format!("{command:?}");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{shown} cannot be started: {error}"))?;
        let output = child.stdout.take().ok_or("no output")?;
        let mut lines = BufReader::new(output).lines();
        let address = loop {
            let line = lines
                .next()
                .ok_or_else(|| format!("{shown} ended at once"))??;
            if let Some((_, url)) = line.split_once(" listens on ") {
                let address = url.rsplit('/').next().unwrap_or_default();
                break address.trim().parse()?;
            }
        };
        // What it says later is for nobody, and a full pipe would stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self { child, address })
    }

    /// Starts one that prints nothing, and waits until it accepts.
    pub(super) fn start_at(command: &mut Command, address: SocketAddr) -> Result<Self, Failure> {
        let shown = format!("{command:?}");
        let child = command.stdin(Stdio::null()).spawn();
        let child = child.map_err(|error| format!("{shown} cannot be started: {error}"))?;
        let process = Self { child, address };
        let deadline = Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(address).is_err() {
            if Instant::now() > deadline {
                return Err(format!("{shown} does not listen at {address}").into());
            }
            std::thread::yield_now();
        }
        Ok(process)
    }

    /// It and its children, of which nginx has some.
    fn pids(&self) -> Vec<u32> {
        let id = self.child.id();
        let path = format!("/proc/{id}/task/{id}/children");
        let children = fs::read_to_string(path).unwrap_or_default();
        let children = children.split_whitespace().filter_map(|id| id.parse().ok());
        std::iter::once(id).chain(children).collect()
    }

    /// Processor time of all threads, to the nanosecond.
    ///
    /// From `schedstat`, because the better known `/proc/PID/stat` counts in steps of 10 ms. Threads that have ended are
    /// not in it; those of the programs that we measure live as long as they.
    pub(super) fn cpu(&self) -> io::Result<Duration> {
        let mut nanoseconds = 0;
        for pid in self.pids() {
            for task in fs::read_dir(process(pid).join("task"))? {
                // A thread may end between the listing and the reading.
                let Ok(statistics) = fs::read_to_string(task?.path().join("schedstat")) else {
                    continue;
                };
                let first = statistics.split_whitespace().next();
                nanoseconds += first.and_then(|it| it.parse::<u64>().ok()).unwrap_or(0);
            }
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Resident memory in KiB.
    pub(super) fn memory(&self) -> io::Result<u64> {
        self.status("VmRSS:")
    }

    /// The most that was resident since [`forget_peak`](Self::forget_peak).
    pub(super) fn peak(&self) -> io::Result<u64> {
        self.status("VmHWM:")
    }

    /// Lets the peak begin anew (proc(5), `clear_refs`).
    pub(super) fn forget_peak(&self) -> io::Result<()> {
        let mut pids = self.pids().into_iter();
        pids.try_for_each(|pid| fs::write(process(pid).join("clear_refs"), "5"))
    }

    fn status(&self, name: &str) -> io::Result<u64> {
        let mut sum = 0;
        for pid in self.pids() {
            let status = fs::read_to_string(process(pid).join("status"))?;
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let value = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
            sum += value.ok_or(io::ErrorKind::InvalidData)?;
        }
        Ok(sum)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        for pid in self.pids().into_iter().skip(1) {
            if let Some(pid) = rustix::process::Pid::from_raw(pid.cast_signed()) {
                // It may have ended by itself.
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
        // Both fail only for a program that has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn process(pid: u32) -> PathBuf {
    Path::new("/proc").join(pid.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_and_its_children_are_looked_at_and_end() {
        let script = "while :; do :; done & echo it listens on http://127.0.0.1:1; wait";
        let started = Process::start(Command::new("sh").args(["-c", script])).unwrap();
        assert_eq!(started.address.port(), 1);
        let deadline = Instant::now() + Duration::from_secs(60);
        while started.cpu().unwrap() < Duration::from_millis(1) && Instant::now() < deadline {
            std::thread::yield_now();
        }
        assert!(started.cpu().unwrap() >= Duration::from_millis(1));
        assert!(started.memory().unwrap() > 0 && started.peak().unwrap() > 0);
        let pids = started.pids();
        assert_eq!(pids.len(), 2);
        drop(started);
        let is_alive = |pid: &u32| {
            fs::read_to_string(process(*pid).join("stat")).is_ok_and(|stat| !stat.contains(") Z "))
        };
        while pids.iter().any(is_alive) && Instant::now() < deadline {
            std::thread::yield_now();
        }
        assert!(!pids.iter().any(is_alive));
    }
}
