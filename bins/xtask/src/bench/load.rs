//! Load on one server: as many connections as asked for, each with one request after the other.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use super::cpu;
use crate::http::{Answer, Connection};

/// A server under measurement.
#[derive(Debug)]
pub(super) struct Contestant {
    pub(super) name: &'static str,
    pub(super) pid: u32,
    pub(super) address: String,
    pub(super) request: Vec<u8>,
    /// Takes out of a response body what must be the same in every response.
    pub(super) essence: fn(&[u8]) -> Vec<u8>,
    /// That same.
    pub(super) expected: Vec<u8>,
}

/// What one round found out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round {
    /// Responses per second.
    pub(super) rate: f64,
    /// Processor time of the server per response.
    pub(super) cpu: Duration,
}

/// Why a round is void.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    /// The connection or the process broke.
    #[error("{0} cannot be measured")]
    Io(&'static str, #[source] io::Error),
    /// A response is not what it must be. One wrong byte voids the run.
    #[error("{name} answered wrongly, with status {status}: {body}")]
    Wrong {
        name: &'static str,
        status: u16,
        body: String,
    },
}

impl Contestant {
    /// Runs one round.
    pub(super) fn round(&self, connections: usize, time: Duration) -> Result<Round, LoadError> {
        let failed = |error| LoadError::Io(self.name, error);
        let before = cpu::time_of(self.pid).map_err(failed)?;
        let started = Instant::now();
        let end = started + time;
        let counts: Vec<_> = thread::scope(|scope| {
            let runs = (0..connections).map(|_| scope.spawn(|| self.run_until(end)));
            let runs: Vec<_> = runs.collect();
            // A panic in one of them is a mistake in this program.
            runs.into_iter()
                .map(|run| run.join().expect("a thread of the load"))
                .collect()
        });
        let elapsed = started.elapsed();
        let used = cpu::time_of(self.pid).map_err(failed)? - before;
        let mut n_answers = 0;
        for count in counts {
            n_answers += count?;
        }
        Ok(Round {
            rate: f64::from(n_answers) / elapsed.as_secs_f64(),
            cpu: used / n_answers.max(1),
        })
    }

    fn run_until(&self, end: Instant) -> Result<u32, LoadError> {
        let failed = |error| LoadError::Io(self.name, error);
        let mut connection = Connection::open(&self.address).map_err(failed)?;
        let mut answer = Answer::default();
        let mut n_answers = 0;
        while Instant::now() < end {
            connection.ask(&self.request, &mut answer).map_err(failed)?;
            if answer.status != 200 || (self.essence)(&answer.body) != self.expected {
                let (name, status) = (self.name, answer.status);
                let body = String::from_utf8_lossy(&answer.body);
                let body = body.chars().take(500).collect();
                return Err(LoadError::Wrong { name, status, body });
            }
            n_answers += 1;
        }
        Ok(n_answers)
    }
}
