//! Another process: the same test binary, run again for one of its tests.
//!
//! Parent and child talk in lines. The child's go through its standard output, between those of the test
//! harness.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Long enough for a busy machine, short enough for a person to wait for a failure.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Stands before what a child says.
const MARK: &str = "child says: ";

/// A command that runs one test of this binary.
pub(crate) fn command(test: &str) -> Command {
    with_arguments(Command::new(std::env::current_exe().unwrap()), test)
}

/// The same, after a line of shell that changes what the process may do.
#[cfg(unix)]
pub(crate) fn command_after(shell: &str, test: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{shell}; exec \"$0\" \"$@\"")]);
    command.arg(std::env::current_exe().unwrap());
    with_arguments(command, test)
}

fn with_arguments(mut command: Command, test: &str) -> Command {
    command.args(["--exact", test, "--nocapture"]);
    command
}

/// A child that runs until it is done, killed or dropped.
pub(crate) struct Process {
    child: Child,
    said: Receiver<String>,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, said) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some(said) = line.strip_prefix(MARK) {
                    let _ = sender.send(said.to_owned());
                }
            }
        });
        Self { child, said }
    }

    /// The next line that the child says.
    pub(crate) fn hear(&self) -> String {
        let heard = self.said.recv_timeout(DEADLINE);
        heard.expect("the child has nothing to say")
    }

    pub(crate) fn tell(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
    }

    /// Ends it where it stands (`SIGKILL`), and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it ends by itself.
    pub(crate) fn finish(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In the child: what the parent has set in the environment; `None` when nobody has, so this is no child.
#[allow(clippy::disallowed_methods, reason = "how a parent passes settings")]
pub(crate) fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// In the child.
#[allow(clippy::print_stdout, reason = "how a child answers")]
pub(crate) fn say(line: &str) {
    // The harness leaves its own line unfinished.
    println!("\n{MARK}{line}");
}

/// In the child: the next line that the parent tells, or an empty one when it has left.
pub(crate) fn listen() -> String {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}
