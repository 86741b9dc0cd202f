//! Running other programs to their end.

use std::ffi::OsStr;
use std::io;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How often a running program is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Why another program did not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProcessError {
    /// It could not be started.
    #[error("`{command}` cannot be started; is `{program}` installed?")]
    NotStarted {
        command: String,
        program: String,
        source: io::Error,
    },
    /// It ended, and not well.
    #[error("`{command}` failed: {status}")]
    Failed { command: String, status: ExitStatus },
    /// It took too long and was killed.
    #[error("`{command}` took longer than {} s and was killed", deadline.as_secs())]
    TooSlow { command: String, deadline: Duration },
    /// It wrote something that is not text.
    #[error("`{command}` wrote what is not UTF-8")]
    NotText { command: String },
}

/// Runs a command that writes to our own output.
///
/// # Errors
///
/// It cannot be started, or it fails.
pub(crate) fn run(command: &mut Command) -> Result<(), ProcessError> {
    let status = command
        .status()
        .map_err(|source| not_started(command, source))?;
    succeeded(command, status)
}

/// Runs a command that writes to our own output and kills it at the deadline.
///
/// # Errors
///
/// It cannot be started, it fails, or it takes too long.
pub(crate) fn run_until(command: &mut Command, deadline: Duration) -> Result<(), ProcessError> {
    let started = Instant::now();
    let mut child = command
        .spawn()
        .map_err(|source| not_started(command, source))?;
    loop {
        // Waiting fails only for a child that somebody else has waited for, and nobody else knows this one.
        if let Ok(Some(status)) = child.try_wait() {
            return succeeded(command, status);
        }
        if started.elapsed() >= deadline {
            let _ = child.kill();
            let _ = child.wait();
            let command = shown(command);
            return Err(ProcessError::TooSlow { command, deadline });
        }
        thread::sleep(LOOK);
    }
}

/// Runs a command and returns what it wrote to its standard output.
///
/// # Errors
///
/// It cannot be started, it fails, or it does not write text.
pub(crate) fn output(command: &mut Command) -> Result<String, ProcessError> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| not_started(command, source))?;
    succeeded(command, output.status)?;
    String::from_utf8(output.stdout).map_err(|_| ProcessError::NotText {
        command: shown(command),
    })
}

/// A command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let words = [command.get_program()]
        .into_iter()
        .chain(command.get_args());
    let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
    words.join(" ")
}

pub(crate) fn not_started(command: &Command, source: io::Error) -> ProcessError {
    ProcessError::NotStarted {
        command: shown(command),
        program: command.get_program().to_string_lossy().into_owned(),
        source,
    }
}

/// The failure of a command that has ended, if it failed.
pub(crate) fn succeeded(command: &Command, status: ExitStatus) -> Result<(), ProcessError> {
    if status.success() {
        return Ok(());
    }
    let command = shown(command);
    Err(ProcessError::Failed { command, status })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_what_was_written() {
        let written = output(Command::new("cargo").arg("--version")).unwrap();
        assert!(written.starts_with("cargo "), "{written}");
    }

    #[test]
    fn a_failure_names_the_command() {
        let mut command = Command::new("cargo");
        let command = command
            .args(["no-such-command", "-q"])
            .stderr(Stdio::null());
        let error = run(command).unwrap_err();
        assert!(
            error.to_string().starts_with("`cargo no-such-command -q`"),
            "{error}"
        );
        let error = run(&mut Command::new("no-such-program")).unwrap_err();
        assert!(
            error.to_string().contains("is `no-such-program` installed"),
            "{error}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_slow_command_is_killed_at_the_deadline() {
        let started = Instant::now();
        let error = run_until(Command::new("sleep").arg("600"), Duration::from_millis(50));
        assert!(
            matches!(error, Err(ProcessError::TooSlow { .. })),
            "{error:?}"
        );
        assert!(started.elapsed() < Duration::from_secs(60));
    }
}
