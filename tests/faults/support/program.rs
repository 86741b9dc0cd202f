//! The program as a process: started, looked at, signalled, ended.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use super::until;

const BINARY: &str = env!("CARGO_BIN_EXE_kiro-2api");

/// An address of the system's choice.
pub(crate) const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A running program, killed when it is dropped.
pub(crate) struct Program {
    child: Child,
    pub(crate) address: SocketAddr,
    log: Arc<Mutex<String>>,
    /// Its standard error, while nobody reads it.
    unread: Option<ChildStderr>,
}

/// What it holds of the machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holds {
    /// Resident memory in bytes.
    pub(crate) memory: usize,
    pub(crate) descriptors: usize,
}

/// `serve` in `folder`, which is its home as well, with nothing of our own environment. `limit` is a line of
/// the shell that takes something away from it, such as `ulimit -n 64`.
pub(crate) fn command(folder: &Path, limit: &str, listen: SocketAddr) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &format!("{limit}\nexec \"$0\" \"$@\""), BINARY]);
    command.args(["serve", "--listen", &listen.to_string()]);
    command.current_dir(folder).env_clear().env("HOME", folder);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// What it says when it does not start in an empty folder.
pub(crate) fn refused(environment: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut starting = command(folder.path(), "", ANY_PORT);
    let output = starting.envs(environment.iter().copied()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

impl Program {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let log = Arc::default();
        collect(child.stderr.take().unwrap(), &log);
        Self::started(child, log)
    }

    /// Nobody reads its log.
    pub(crate) fn start_unread(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let unread = child.stderr.take();
        let mut program = Self::started(child, Arc::default());
        program.unread = unread;
        program
    }

    fn started(mut child: Child, log: Arc<Mutex<String>>) -> Self {
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        while !text.contains("Base URL for clients: ") {
            let read = said.read_line(&mut text).unwrap();
            assert!(read > 0, "it does not start: {text}{}", log.lock().unwrap());
        }
        thread::spawn(move || said.read_to_string(&mut String::new()));
        let (_, url) = text.rsplit_once("://").unwrap();
        let address = url.split('/').next().unwrap().parse().unwrap();
        Self {
            child,
            address,
            log,
            unread: None,
        }
    }

    /// Reads its log from now on.
    pub(crate) fn read_log(&mut self) {
        collect(self.unread.take().unwrap(), &self.log);
    }

    /// Closes the pipe of its log, which nobody has read.
    pub(crate) fn close_log(&mut self) {
        drop(self.unread.take().unwrap());
    }

    /// All that it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn holds(&self) -> Holds {
        let folder = Path::new("/proc").join(self.pid().to_string());
        let status = fs::read_to_string(folder.join("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib: usize = line
            .unwrap()
            .split_whitespace()
            .next()
            .unwrap()
            .parse()
            .unwrap();
        Holds {
            memory: kib << 10,
            descriptors: fs::read_dir(folder.join("fd")).unwrap().count(),
        }
    }

    /// The most memory that it has ever held.
    pub(crate) fn peak(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib: usize = line
            .unwrap()
            .split_whitespace()
            .next()
            .unwrap()
            .parse()
            .unwrap();
        kib << 10
    }

    /// Processor time that it has used, in hundredths of a second.
    pub(crate) fn ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        // The name is in parentheses; user and system time are the twelfth and thirteenth field behind it.
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let times = fields.split(' ').skip(11).take(2);
        times.map(|time| time.parse::<u64>().unwrap()).sum()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// Whether a signal has stopped it.
    pub(crate) fn is_stopped(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        fields.starts_with('T')
    }

    /// Waits for its end; `None` when a signal has ended it.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        let mut ended = None;
        until("the end of the program", || {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        })
        .await;
        ended.unwrap().code()
    }

    pub(crate) async fn kill(mut self) {
        self.signal("-KILL");
        assert_eq!(self.ended().await, None);
    }
}

/// Reads a log, line by line, until it ends.
fn collect(stderr: ChildStderr, log: &Arc<Mutex<String>>) {
    let (mut lines, log) = (BufReader::new(stderr), log.clone());
    thread::spawn(move || {
        let mut line = Vec::new();
        while lines
            .read_until(b'\n', &mut line)
            .is_ok_and(|read| read > 0)
        {
            log.lock()
                .unwrap()
                .push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    });
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
