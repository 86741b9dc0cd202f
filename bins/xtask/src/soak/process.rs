//! What a process holds.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use crate::Failure;

/// What a process holds at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resources {
    /// Memory that is resident, in KiB.
    memory: u64,
    descriptors: usize,
    threads: usize,
}

/// What the memory may have grown by: an allocator keeps some of what it was given back.
const GROWTH: f64 = 1.3;
const SLACK_KIB: u64 = 8 * 1024;

/// Descriptors that may have come: connections to the service that are kept for the next request.
const SLACK_DESCRIPTORS: usize = 8;

impl Resources {
    /// # Errors
    ///
    /// The process is gone, or this is not Linux.
    pub(super) fn of(pid: u32) -> io::Result<Self> {
        let folder = Path::new("/proc").join(pid.to_string());
        let status = fs::read_to_string(folder.join("status"))?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        Ok(Self {
            memory: resident.ok_or(io::ErrorKind::InvalidData)?,
            descriptors: fs::read_dir(folder.join("fd"))?.count(),
            threads: fs::read_dir(folder.join("task"))?.count(),
        })
    }

    /// Whether it holds no more than before.
    pub(super) fn check(&self, before: &Self) -> Result<(), Failure> {
        let most = (before.memory as f64 * GROWTH) as u64 + SLACK_KIB;
        if self.memory > most {
            return Err(format!("the memory has grown to more than {most} KiB").into());
        }
        if self.descriptors > before.descriptors + SLACK_DESCRIPTORS {
            return Err("descriptors are left open".into());
        }
        if self.threads > before.threads {
            return Err("threads are left running".into());
        }
        Ok(())
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            memory,
            descriptors,
            threads,
        } = self;
        write!(
            f,
            "{memory:>8} KiB {descriptors:>5} descriptors {threads:>4} threads"
        )
    }
}
