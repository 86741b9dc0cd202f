//! Programs that run beside us: started, asked for their address, stopped.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::process::{ProcessError, not_started, shown};

/// Lines of a log that are shown when something went wrong.
const SHOWN_LINES: usize = 40;

/// A running program. Dropping it kills it, so that nothing is left behind when a test fails.
#[derive(Debug)]
#[must_use]
pub(crate) struct Service {
    name: String,
    child: Child,
    lines: Receiver<String>,
    log: PathBuf,
}

/// Why a service is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServiceError {
    /// It could not be started.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// Its log cannot be written or read.
    #[error("the log at {} cannot be used", log.display())]
    Log { log: PathBuf, source: io::Error },
    /// It did not print what was waited for.
    #[error("`{name}` {how} before it printed its address; its log:\n{log}")]
    Silent {
        name: String,
        how: &'static str,
        log: String,
    },
    /// It ended although nobody stopped it.
    #[error("`{name}` did not survive the tests; its log:\n{log}")]
    Gone { name: String, log: String },
    /// It panicked somewhere and went on.
    #[error("`{name}` panicked; its log:\n{log}")]
    Panicked { name: String, log: String },
}

impl Service {
    /// Starts a program. What it writes goes to the log, and its standard output can be waited for.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self, ServiceError> {
        let unusable = |source| ServiceError::Log {
            log: log.to_owned(),
            source,
        };
        let file = File::create(log).map_err(unusable)?;
        let errors = file.try_clone().map_err(unusable)?;
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors);
        let mut child = command
            .spawn()
            .map_err(|source| not_started(command, source))?;
        let (sender, lines) = mpsc::channel();
        if let Some(output) = child.stdout.take() {
            thread::spawn(move || pass_on(output, file, &sender));
        }
        Ok(Self {
            name: shown(command),
            child,
            lines,
            log: log.to_owned(),
        })
    }

    /// The id of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line in which `find` finds something.
    pub(crate) fn wait_for(
        &self,
        deadline: Duration,
        find: impl Fn(&str) -> Option<String>,
    ) -> Result<String, ServiceError> {
        let end = Instant::now() + deadline;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let how = match self.lines.recv_timeout(left) {
                Ok(line) => match find(&line) {
                    Some(found) => return Ok(found),
                    None => continue,
                },
                Err(RecvTimeoutError::Timeout) => "took too long",
                Err(RecvTimeoutError::Disconnected) => "ended",
            };
            return Err(ServiceError::Silent {
                name: self.name.clone(),
                how,
                log: self.end_of_log(),
            });
        }
    }

    /// Whether it still runs, and has not panicked on the way.
    pub(crate) fn check(&mut self) -> Result<(), ServiceError> {
        let name = self.name.clone();
        if !matches!(self.child.try_wait(), Ok(None)) {
            let log = self.end_of_log();
            return Err(ServiceError::Gone { name, log });
        }
        let log = fs::read_to_string(&self.log).map_err(|source| ServiceError::Log {
            log: self.log.clone(),
            source,
        })?;
        if log.contains(" panicked at ") {
            return Err(ServiceError::Panicked { name, log });
        }
        Ok(())
    }

    /// The last lines that it wrote.
    pub(crate) fn end_of_log(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Both fail only for a program that has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pass_on(output: impl io::Read, mut log: File, sender: &mpsc::Sender<String>) {
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        let _ = writeln!(log, "{line}");
        // Nobody waits any more; the log is still wanted.
        let _ = sender.send(line);
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    /// A shell that runs a script, and the folder of its log.
    fn shell(script: &str) -> (Service, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let service = Service::start(&mut command, &folder.path().join("log")).unwrap();
        (service, folder)
    }

    const SOON: Duration = Duration::from_secs(60);

    fn address(line: &str) -> Option<String> {
        line.strip_prefix("listens on ").map(str::to_owned)
    }

    #[test]
    fn the_address_is_found_and_the_rest_passed_over() {
        let (mut service, _folder) = shell("echo hello; echo listens on :1; exec sleep 600");
        assert_eq!(service.wait_for(SOON, address).unwrap(), ":1");
        service.check().unwrap();
    }

    #[test]
    fn an_early_end_shows_the_log() {
        let (service, _folder) = shell("echo no luck >&2; exit 1");
        let error = service.wait_for(SOON, address).unwrap_err().to_string();
        assert!(
            error.contains("ended") && error.contains("no luck"),
            "{error}"
        );
    }

    #[test]
    fn a_panic_is_noticed() {
        let script =
            "echo \"thread 'a' panicked at b.rs:1:\" >&2; echo listens on :1; exec sleep 600";
        let (mut service, _folder) = shell(script);
        service.wait_for(SOON, address).unwrap();
        assert!(matches!(
            service.check(),
            Err(ServiceError::Panicked { .. })
        ));
    }

    #[test]
    fn a_dropped_service_is_gone() {
        let (service, _folder) = shell("echo listens on $$; exec sleep 600");
        let pid = service.wait_for(SOON, address).unwrap();
        drop(service);
        let alive = Command::new("kill")
            .args(["-0", &pid])
            .stderr(Stdio::null())
            .status();
        assert!(!alive.is_ok_and(|status| status.success()));
    }
}
