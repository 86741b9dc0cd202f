//! Lines of the log on their way to whoever reads it.
//!
//! A pipe that nobody reads blocks its writer, and a thread that serves requests must not wait for that. So
//! lines go into a buffer, and a thread of its own writes them:
//!
//! ```text
//!  requests ──► buffer of 1 MiB ──► thread ──► standard error
//!                 │ full                │ closed
//!                 └──── dropped, counted┘
//! ```

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use kiro_gateway::ProcessState;
use tracing_subscriber::fmt::MakeWriter;

/// Most bytes that wait: some thousand lines, enough for a reader who pauses, and little beside a request.
const MAX_WAITING: usize = 1 << 20;

/// Where lines are left. Clones share the buffer.
#[derive(Clone)]
pub(crate) struct Lines {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// Something has changed: there are lines, or they have been written.
    changed: Condvar,
    process: Arc<ProcessState>,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// Whether the thread has lines in its hands.
    is_writing: bool,
    /// Dropped, and nobody was told so far.
    dropped: u64,
}

impl Lines {
    /// Lines that go to `out`; those that are dropped are counted in `process`.
    pub(crate) fn new(out: impl Write + Send + 'static, process: Arc<ProcessState>) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            process,
        });
        let lines = Self {
            shared: shared.clone(),
        };
        let writing = thread::Builder::new().name("log".into());
        // Without a thread there is no room in the buffer some time, and lines are dropped.
        drop(writing.spawn(move || shared.write_all(out)));
        lines
    }

    /// Waits until everything is written, but no longer than `limit`.
    pub(crate) fn flush(&self, limit: Duration) {
        let end = Instant::now() + limit;
        let mut state = self.shared.state();
        while state.is_writing || !state.waiting.is_empty() {
            let Some(left) = end.checked_duration_since(Instant::now()) else {
                return;
            };
            let waited = self.shared.changed.wait_timeout(state, left);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Shared {
    /// A panic cannot have left it half changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &[u8]) {
        let mut state = self.state();
        if state.waiting.len() + line.len() > MAX_WAITING {
            state.dropped += 1;
            self.process.count_dropped_log_lines(1);
            return;
        }
        state.waiting.extend_from_slice(line);
        self.changed.notify_all();
    }

    /// Writes what comes. Has no end.
    fn write_all(&self, mut out: impl Write) {
        let mut batch = Vec::new();
        loop {
            self.take(&mut batch);
            let written = out.write_all(&batch).and_then(|()| out.flush());
            let dropped = self.wrote(&batch, written.is_ok());
            batch.clear();
            if dropped > 0 {
                tracing::warn!(
                    lines = dropped,
                    "lines of the log were dropped because nobody read them in time"
                );
            }
        }
    }

    /// Waits for lines, and puts them into `batch`, whose buffer is used for the next ones.
    fn take(&self, batch: &mut Vec<u8>) {
        let mut state = self.state();
        while state.waiting.is_empty() {
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(&mut state.waiting, batch);
        state.is_writing = true;
    }

    /// What came of a batch. When one was written: how many lines were dropped before.
    fn wrote(&self, batch: &[u8], is_written: bool) -> u64 {
        let mut state = self.state();
        state.is_writing = false;
        self.changed.notify_all();
        if is_written {
            return std::mem::take(&mut state.dropped);
        }
        // Nobody is there to read it: the pipe is closed, or the disk is full.
        let lost = batch.iter().filter(|byte| **byte == b'\n').count() as u64;
        state.dropped += lost;
        self.process.count_dropped_log_lines(lost);
        0
    }
}

/// A whole line in one call, as the subscriber writes them.
impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.shared.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};

    const LONG: Duration = Duration::from_secs(60);

    /// A reader who shows what they are given, and takes it when they are told to.
    struct Slow {
        given: Sender<Vec<u8>>,
        may: Receiver<io::Result<()>>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.given.send(bytes.to_vec()).unwrap();
            self.may.recv().unwrap()?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_who_takes_nothing_holds_nobody_up_and_costs_lines_that_are_counted() {
        let ((given, gets), (allow, may)) = (channel(), channel());
        let next = || gets.recv_timeout(LONG).unwrap();
        let process = Arc::new(ProcessState::default());
        let mut lines = Lines::new(Slow { given, may }, process.clone());
        lines.write_all(b"first\n").unwrap();
        assert_eq!(next(), b"first\n");
        let line = [[b'x'; 1023].as_slice(), b"\n"].concat();
        let fit = MAX_WAITING / line.len();
        for _ in 0..3 * fit {
            lines.write_all(&line).unwrap();
        }
        assert_eq!(process.dropped_log_lines(), 2 * fit as u64);
        // It ends, although nothing is read.
        lines.flush(Duration::from_millis(1));

        allow.send(Ok(())).unwrap();
        assert_eq!(next().len(), MAX_WAITING);
        allow.send(Ok(())).unwrap();
        lines.flush(LONG);

        // The other side is gone: nothing is kept, everything is counted, and the next lines are tried again.
        lines.write_all(b"to nobody\n").unwrap();
        assert_eq!(next(), b"to nobody\n");
        allow.send(Err(io::ErrorKind::BrokenPipe.into())).unwrap();
        lines.flush(LONG);
        assert_eq!(process.dropped_log_lines(), 2 * fit as u64 + 1);
        lines.write_all(b"to somebody\n").unwrap();
        assert_eq!(next(), b"to somebody\n");
        allow.send(Ok(())).unwrap();
        lines.flush(LONG);
    }
}
