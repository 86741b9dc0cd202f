//! One turn of one server: the load, and what was seen of it.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::client::Connection;
use super::contestant::Contestant;
use super::plan::Plan;
use super::{clock, nanoseconds};
use crate::Failure;

/// What a turn comes to. Times are in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    /// Processor time of the server for each event, or each request where that is what counts.
    pub(super) cpu: f64,
    /// Events or requests in a second.
    pub(super) rate: f64,
    /// From the time a request was due to the first byte of its answer.
    pub(super) first: Quantiles,
    /// To the end of the answer.
    pub(super) whole: Quantiles,
    /// Of events: from when they were due to when they were read.
    pub(super) transit: Quantiles,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Quantiles {
    pub(super) p50: f64,
    pub(super) p99: f64,
}

/// Nanoseconds between the beginnings of two streams. If all began at once, the events of the first would wait for the
/// requests of the last, and nothing else would be seen.
const BETWEEN_STREAMS: u64 = 2_000_000;

/// What each turn is measured with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load<'a> {
    pub(super) request: &'a [u8],
    pub(super) plan: Plan,
    pub(super) connections: usize,
    pub(super) when: When,
}

/// When requests are sent.
#[derive(Debug, Clone, Copy)]
pub(super) enum When {
    /// One after the other on each connection, for so long.
    AtOnce(Duration),
    /// So many in a second in the mean, as strangers send them: the time between two is exponential. A request that
    /// finds no connection free is late, and that is a part of its latency.
    Random { per_second: f64, time: Duration },
    /// One on each connection, which has answered a short one before…
    Reused,
    /// … or has just been opened.
    Fresh,
}

/// What one connection has seen.
struct Seen {
    n_answers: usize,
    first: Histogram<u64>,
    whole: Histogram<u64>,
    transit: Histogram<u64>,
}

impl Load<'_> {
    /// Puts the load on a server. `per_event`: whether events are what counts, or requests.
    pub(super) fn turn(self, contestant: &Contestant, per_event: bool) -> Result<Turn, Failure> {
        let mut connections = (0..self.connections)
            .map(|_| Connection::open(&contestant.target))
            .collect::<Result<Vec<_>, _>>()?;
        if !matches!(self.when, When::Fresh) {
            for connection in &mut connections {
                self.warm_up(connection)?;
            }
        }
        let due = self.timetable();
        let next = AtomicUsize::new(0);
        let before = contestant.process.cpu()?;
        let started = clock::now();
        let seen = thread::scope(|scope| {
            let (due, next) = (&due, &next);
            let askers: Vec<_> = connections
                .into_iter()
                .map(|connection| {
                    scope.spawn(move || {
                        let asked = self.ask(connection, started, due, next);
                        asked.map_err(|error| error.to_string())
                    })
                })
                .collect();
            // A panic in one of them is a mistake in this program.
            let ends = askers.into_iter().map(|it| it.join().expect("an asker"));
            ends.collect::<Result<Vec<_>, String>>()
        })
        .map_err(|error| format!("{}: {error}", contestant.server.name()))?;
        let took = (clock::now() - started) as f64 / 1e9;
        let cpu = (contestant.process.cpu()? - before).as_nanos() as f64;
        let mut all = Seen::new();
        for seen in seen {
            all.n_answers += seen.n_answers;
            all.first.add(seen.first)?;
            all.whole.add(seen.whole)?;
            all.transit.add(seen.transit)?;
        }
        let each = if per_event { self.plan.events } else { 1 };
        let counted = (all.n_answers * each).max(1) as f64;
        Ok(Turn {
            cpu: cpu / counted,
            rate: counted / took,
            first: Quantiles::of(&all.first),
            whole: Quantiles::of(&all.whole),
            transit: Quantiles::of(&all.transit),
        })
    }

    /// Has the connection used once, by a request of the same size with a plain answer where the load itself takes long.
    fn warm_up(self, connection: &mut Connection) -> Result<(), Failure> {
        if self.plan.is_paced() {
            let short = Plan {
                events: 1,
                period: Duration::from_micros(1),
                ..self.plan
            };
            let (long, short_question) = (self.plan.question(), short.question());
            let request = replace(self.request, &long, &short_question);
            connection.ask(&request, short, drop)?;
        } else {
            connection.ask(self.request, self.plan, drop)?;
        }
        Ok(())
    }

    /// When each request is due, from the beginning on.
    fn timetable(self) -> Vec<u64> {
        let When::Random { per_second, time } = self.when else {
            return Vec::new();
        };
        let (mut at, mut due) = (0.0, Vec::new());
        // The same requests for every server, and for every round.
        let mut random = fastrand::Rng::with_seed(1);
        loop {
            at -= (1.0 - random.f64()).ln() / per_second;
            if at >= time.as_secs_f64() {
                return due;
            }
            due.push((at * 1e9) as u64);
        }
    }

    fn ask(
        self,
        mut connection: Connection,
        started: u64,
        due: &[u64],
        next: &AtomicUsize,
    ) -> Result<Seen, Failure> {
        clock::sleep_precisely();
        let mut seen = Seen::new();
        match self.when {
            When::Reused | When::Fresh => {
                let number = next.fetch_add(1, Relaxed) as u64;
                let begin = started + number * BETWEEN_STREAMS;
                clock::sleep_until(begin);
                self.ask_once(&mut connection, begin, &mut seen)?;
            }
            When::AtOnce(time) => {
                let end = started + time.as_nanos() as u64;
                while clock::now() < end {
                    self.ask_once(&mut connection, clock::now(), &mut seen)?;
                }
            }
            When::Random { .. } => {
                while let Some(due) = due.get(next.fetch_add(1, Relaxed)) {
                    clock::sleep_until(started + due);
                    self.ask_once(&mut connection, started + due, &mut seen)?;
                }
            }
        }
        Ok(seen)
    }

    fn ask_once(
        self,
        connection: &mut Connection,
        due: u64,
        seen: &mut Seen,
    ) -> Result<(), Failure> {
        let late = clock::now().saturating_sub(due);
        let transit = &mut seen.transit;
        let answer = connection.ask(self.request, self.plan, |time| {
            transit.saturating_record(time)
        })?;
        seen.n_answers += 1;
        seen.first.saturating_record(late + answer.first);
        seen.whole.saturating_record(late + answer.whole);
        Ok(())
    }
}

impl Seen {
    fn new() -> Self {
        Self {
            n_answers: 0,
            first: nanoseconds(),
            whole: nanoseconds(),
            transit: nanoseconds(),
        }
    }
}

impl Quantiles {
    fn of(times: &Histogram<u64>) -> Self {
        let at = |share| times.value_at_quantile(share) as f64;
        Self {
            p50: at(0.5),
            p99: at(0.99),
        }
    }
}

/// A request with another question; the announced length follows.
pub(super) fn replace(request: &[u8], question: &str, other: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(request);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let length = format!("content-length: {}", body.len());
    let body = body.replace(question, other);
    let head = head.replace(&length, &format!("content-length: {}", body.len()));
    format!("{head}\r\n\r\n{body}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::client::request;

    #[test]
    fn another_question_changes_the_length() {
        let asked = replace(
            &request("/", &[], "a Long question."),
            "Long question",
            "one",
        );
        assert!(asked.ends_with(b"\r\n\r\na one."));
        assert!(
            String::from_utf8(asked)
                .unwrap()
                .contains("content-length: 6\r\n")
        );
    }

    #[test]
    fn strangers_come_as_often_as_they_should_and_not_regularly() {
        let load = Load {
            request: b"",
            plan: Plan::burst(1, 20),
            connections: 1,
            when: When::Random {
                per_second: 1000.0,
                time: Duration::from_secs(10),
            },
        };
        let due = load.timetable();
        assert!((9_500..10_500).contains(&due.len()), "{}", due.len());
        let gaps: Vec<u64> = due.windows(2).map(|two| two[1] - two[0]).collect();
        let long = gaps.iter().filter(|gap| **gap > 2_000_000).count() as f64;
        // e^-2 of them are more than twice the mean apart.
        assert!((0.12..0.15).contains(&(long / gaps.len() as f64)));
    }
}
