//! More requests than the gateway takes on: how many are still answered, and how much memory that takes.
//!
//! Requests come by a schedule, whether or not the ones before were answered. The simulated service takes its
//! time, so the gateway's places and not this machine's processors are what is scarce: one load fills them, the
//! others are two and four times as much. In every round each load has its turn, and what counts is the ratio to
//! the first.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Failure;
use crate::http::{self, Answer, Connection};
use crate::stage::{Build, KEY, Stage};
use crate::workspace::Workspace;

/// Exchanges that the gateway takes on at the same time, and requests that may wait for one to end.
const PLACES: usize = 64;
const PLACES_TEXT: &str = "64";

/// One answer: so many events with so much between them.
const EVENTS: usize = 20;
const EVENT_BYTES: usize = 20;
const PAUSE: Duration = Duration::from_millis(20);

/// Of a request: that of an agent in the middle of its work.
const BODY_BYTES: usize = 100_000;

/// Multiples of what fills the places.
const LOADS: [u32; 3] = [1, 2, 4];

const ROUNDS: usize = 3;

/// Threads that ask. More than can be under way and in the queue, so that the schedule is kept.
const ASKERS: usize = 4 * PLACES;

/// What a request may be asked too late before the schedule counts as not kept.
const LATE: Duration = Duration::from_millis(250);

const QUESTION: &str = "Please take your time.";

/// How to measure.
#[derive(Debug, PartialEq)]
pub(crate) struct Options {
    /// Length of one round.
    pub(crate) seconds: u64,
    /// Whether to print one JSON object a line.
    pub(crate) json: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seconds: 2,
            json: false,
        }
    }
}

/// What came of one load in one round.
#[derive(Debug, Default)]
struct Turn {
    /// Whole and right answers.
    n_answered: usize,
    /// Refused with 503 and a time to come back.
    n_refused: usize,
    /// From the first request to the last answer.
    took: Duration,
    /// The most memory the gateway had, in KiB.
    peak: u64,
    /// The latest request.
    late: Duration,
}

/// Measures and prints.
///
/// # Errors
///
/// A part does not start, a request came to any other end, or this is not Linux.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<(), Failure> {
    let folder = workspace.target.join("bench");
    let settings = [
        ("LOG_LEVEL", "error"),
        ("KIRO_2API_SERVER__MAX_EXCHANGES", PLACES_TEXT),
        ("KIRO_2API_SERVER__QUEUE", PLACES_TEXT),
        ("KIRO_2API_SERVER__QUEUE_TIMEOUT", "1s"),
    ];
    let mut stage = Stage::start(workspace, Build::Release, &folder, &settings)?;
    let pause = PAUSE.as_millis();
    let flood = json!({"n_events": EVENTS, "bytes_each": EVENT_BYTES, "per_http_chunk": 1, "pause_ms": pause});
    let script = json!([{"flood": flood}, {"credits": 0.0}]);
    let script = json!({"match": {"text_contains": QUESTION}, "script": script});
    control(&stage, "POST", "scripts", &script)?;

    let time = Duration::from_secs(options.seconds);
    // What is measured later has been done once.
    turn(&stage, LOADS[0], time.min(Duration::from_secs(2)))?;
    let mut turns: [Vec<Turn>; LOADS.len()] = Default::default();
    for round in 0..ROUNDS {
        for at in (0..LOADS.len()).map(|at| (at + round) % LOADS.len()) {
            turns[at].push(turn(&stage, LOADS[at], time)?);
        }
    }
    stage.check()?;
    print(&turns, options);
    Ok(())
}

/// Puts one load on the gateway.
fn turn(stage: &Stage, load: u32, time: Duration) -> Result<Turn, Failure> {
    let (pid, address) = (stage.gateway.id(), authority(&stage.gateway_url));
    let asking = asking();
    let answer_time = PAUSE * EVENTS as u32;
    let interval = answer_time / (PLACES as u32 * load);
    let n_requests = (time.as_nanos() / interval.as_nanos()) as usize;
    forget_peak(pid)?;
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    let askers: Vec<Turn> = thread::scope(|scope| {
        let ask = || {
            let mut turn = Turn::default();
            loop {
                let number = next.fetch_add(1, Relaxed);
                if number >= n_requests {
                    return Ok(turn);
                }
                let due = start + interval * number as u32;
                thread::sleep(due.saturating_duration_since(Instant::now()));
                turn.late = turn.late.max(due.elapsed());
                turn.count(address, &asking)?;
            }
        };
        let askers: Vec<_> = (0..ASKERS).map(|_| scope.spawn(ask)).collect();
        // A panic in one of them is a mistake in this program.
        let ends = askers.into_iter().map(|it| it.join().expect("an asker"));
        ends.collect::<Result<_, String>>()
    })?;
    let mut sum = Turn {
        took: start.elapsed(),
        peak: peak(pid)?,
        ..Turn::default()
    };
    for asker in askers {
        sum.n_answered += asker.n_answered;
        sum.n_refused += asker.n_refused;
        sum.late = sum.late.max(asker.late);
    }
    Ok(sum)
}

fn asking() -> Vec<u8> {
    let headers = [
        ("authorization", format!("Bearer {KEY}")),
        ("content-type", "application/json".to_owned()),
    ];
    let body = json!({
        "model": "claude-sonnet-4-5",
        "stream": true,
        "messages": [
            {"role": "user", "content": "a ".repeat(BODY_BYTES / 2)},
            {"role": "assistant", "content": "Go on."},
            {"role": "user", "content": QUESTION},
        ],
    });
    request_of("/v1/chat/completions", &headers, &body)
}

impl Turn {
    /// Asks once, on a connection of its own.
    fn count(&mut self, address: &str, asking: &[u8]) -> Result<(), String> {
        let mut answer = Answer::default();
        let asked = Connection::open(address).and_then(|mut to| to.ask(asking, &mut answer));
        asked.map_err(|error| format!("a request got neither answer nor refusal: {error}"))?;
        let text = text(&answer.body);
        match answer.status {
            200 if text.len() == EVENTS * EVENT_BYTES => self.n_answered += 1,
            503 => self.n_refused += 1,
            status => {
                let body = String::from_utf8_lossy(&answer.body);
                return Err(format!("answered wrongly, with status {status}: {body}"));
            }
        }
        Ok(())
    }

    /// Whole answers in a second.
    fn goodput(&self) -> f64 {
        self.n_answered as f64 / self.took.as_secs_f64()
    }
}

/// Lets the process' peak of memory begin anew (proc(5), `clear_refs`).
fn forget_peak(pid: u32) -> io::Result<()> {
    fs::write(format!("/proc/{pid}/clear_refs"), "5")
}

/// The most memory that was resident, in KiB.
fn peak(pid: u32) -> io::Result<u64> {
    let status = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status"))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    peak.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn median(turns: &[Turn], value: fn(&Turn) -> f64) -> f64 {
    let mut values: Vec<f64> = turns.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn print(turns: &[Vec<Turn>; LOADS.len()], options: &Options) {
    let goodputs = turns.each_ref().map(|turns| median(turns, Turn::goodput));
    let peaks = turns
        .each_ref()
        .map(|turns| median(turns, |turn| turn.peak as f64));
    if options.json {
        for (at, load) in LOADS.iter().enumerate().skip(1) {
            for (name, unit, values) in
                [("goodput", "1/s", goodputs), ("peak_memory", "KiB", peaks)]
            {
                let (value, reference) = (values[at], values[0]);
                let figure = json!({
                    "name": format!("overload_{load}x_{name}"),
                    "value": value, "unit": unit, "reference": reference, "ratio": value / reference,
                });
                println!("{figure}");
            }
        }
        return;
    }
    println!(
        "{PLACES} places and as many in the queue; answers of {} ms; requests of {} kB; {ROUNDS} rounds of {} s. Medians.\n",
        PAUSE.as_millis() * EVENTS as u128,
        BODY_BYTES / 1000,
        options.seconds,
    );
    println!("load   answered/s  ratio   refused   peak of memory   latest request");
    for ((load, turns), (goodput, peak)) in LOADS.iter().zip(turns).zip(goodputs.iter().zip(peaks))
    {
        let ratio = goodput / goodputs[0];
        let refused = median(turns, |turn| turn.n_refused as f64);
        let late = turns.iter().map(|turn| turn.late).max().unwrap_or_default();
        let kept = if late > LATE {
            "  (schedule not kept)"
        } else {
            ""
        };
        println!(
            "{load}x     {goodput:>10.1}   {ratio:.2}   {refused:>7.0}   {:>10.1} MiB   {:>11.0} ms{kept}",
            peak / 1024.0,
            late.as_secs_f64() * 1e3,
        );
    }
}

/// The text of a stream of chunks, as it is escaped there.
fn text(body: &[u8]) -> Vec<u8> {
    let body = String::from_utf8_lossy(body);
    // Nothing is found in what stands before the first chunk.
    let pieces = body.split(r#""content":""#).skip(1);
    let texts: String = pieces.filter_map(|piece| piece.split('"').next()).collect();
    texts.into_bytes()
}

fn request_of(path: &str, headers: &[(&str, String)], body: &Value) -> Vec<u8> {
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    http::request("POST", path, &headers, &body.to_string())
}

/// One call to the simulator's control plane.
fn control(stage: &Stage, method: &str, path: &str, body: &Value) -> Result<Value, Failure> {
    let request = http::request(method, &format!("/__sim/{path}"), &[], &body.to_string());
    let mut answer = Answer::default();
    Connection::open(authority(&stage.simulator_url))?.ask(&request, &mut answer)?;
    if answer.status == 200 {
        return Ok(serde_json::from_slice(&answer.body)?);
    }
    let body = String::from_utf8_lossy(&answer.body);
    Err(format!(
        "the simulator's control plane answered with {}: {body}",
        answer.status
    )
    .into())
}

/// `HOST:PORT` of a base URL.
fn authority(url: &str) -> &str {
    url.trim_start_matches("http://").trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_found_in_chunks() {
        let body =
            b"data: {\"delta\":{\"content\":\"ab\"}}\n\ndata: {\"delta\":{\"content\":\"c\"}}\n\n";
        assert_eq!(text(body), b"abc");
    }
}
