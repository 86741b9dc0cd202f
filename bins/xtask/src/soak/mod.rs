//! Mixed load with random faults, for as long as asked for.
//!
//! Every request must come to exactly one end: the complete answer, word for word, or one error. Afterwards the
//! gateway must be as it was: its memory, its descriptors, its threads, and nothing under way. The seed is
//! printed, and the same seed asks the same.

mod ask;
mod ending;
mod process;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::http::{Answer, Connection, request};
use crate::stage::{Build, KEY, Stage};
use crate::workspace::Workspace;
use ask::{Ask, Course};
use ending::{Ending, ending};
use process::Resources;

/// Requests at the same time.
const CLIENTS: usize = 24;

/// Load before the gateway's resources are measured for the first time.
const WARM_UP: Duration = Duration::from_secs(20);

/// For the gateway to come to rest.
const REST: Duration = Duration::from_secs(120);

/// Endings that are shown when they are not what they must be.
const SHOWN: usize = 10;

/// How long, and with which seed.
#[derive(Debug, PartialEq)]
pub(crate) struct Options {
    pub(crate) minutes: f64,
    /// `None`: a new one.
    pub(crate) seed: Option<u64>,
}

impl Options {
    pub(crate) fn parse(mut arguments: &[&str]) -> Option<Self> {
        let mut options = Self {
            minutes: 30.0,
            seed: None,
        };
        loop {
            arguments = match arguments {
                [] => return Some(options),
                ["--minutes", minutes, rest @ ..] => {
                    options.minutes = minutes.parse().ok().filter(|minutes| *minutes > 0.0)?;
                    rest
                }
                ["--seed", seed, rest @ ..] => {
                    options.seed = Some(seed.parse().ok()?);
                    rest
                }
                _ => return None,
            };
        }
    }
}

/// What has come of the requests.
#[derive(Debug, Default)]
struct Tally {
    /// Endings of each kind of request: whole answers, errors, and requests that were left.
    counts: BTreeMap<&'static str, [u64; 3]>,
    /// Of the requests that are to be answered: whole answers, and errors.
    answers: [u64; 2],
    wrong: Vec<String>,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<(), Failure> {
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..));
    println!("soak: {} min, --seed {seed}", options.minutes);
    let folder = workspace.target.join("soak");
    let settings = [
        ("KIRO_2API_LOG__LEVEL", "error"),
        ("KIRO_2API_TIMEOUTS__KEEP_ALIVE", "1s"),
        // Kept responses fill their bound in the warm-up, and not over an hour, as a leak would.
        ("KIRO_2API_RESPONSES__MAX_BYTES", "1MiB"),
    ];
    let mut stage = Stage::start(workspace, Build::Release, &folder, &settings)?;
    let address = stage.gateway_url.trim_start_matches("http://").to_owned();
    let pid = stage.gateway.id();

    load(&address, seed, WARM_UP)?;
    at_rest(&address)?;
    let before = Resources::of(pid)?;
    let started = Instant::now();
    let tally = load(
        &address,
        seed,
        Duration::from_secs_f64(options.minutes * 60.0),
    )?;
    let took = started.elapsed();
    at_rest(&address)?;
    let after = back_to(&before, pid)?;
    stage.check()?;

    println!("{}", tally.table(took));
    println!("before  {before}\nafter   {after}");
    if !tally.wrong.is_empty() {
        let wrong = tally.wrong.join("\n  ");
        return Err(format!("these came to no proper end:\n  {wrong}").into());
    }
    tally.check()?;
    after.check(&before)
}

/// Puts load on the gateway, each client with its own requests.
fn load(address: &str, seed: u64, time: Duration) -> Result<Tally, Failure> {
    let end = Instant::now() + time;
    let tally = Mutex::new(Tally::default());
    thread::scope(|scope| {
        for client in 0..CLIENTS as u64 {
            let tally = &tally;
            let mut random = fastrand::Rng::with_seed(seed.wrapping_add(client));
            scope.spawn(move || {
                while Instant::now() < end {
                    let ask = Ask::random(&mut random);
                    let (kind, ending) = (ask.kind(), ending(address, &ask));
                    // A panic in another thread is a mistake in this program.
                    tally.lock().expect("a client").count(kind, &ask, ending);
                }
            });
        }
    });
    Ok(tally.into_inner()?)
}

impl Tally {
    /// Whether most of what is to be answered was. Otherwise the load was not what it should be, however well each
    /// request has ended.
    fn check(&self) -> Result<(), Failure> {
        let [whole, errors] = self.answers;
        if errors > whole / 10 {
            return Err(format!(
                "{errors} requests failed that are to be answered, and {whole} were: look at target/soak/gateway.log"
            )
            .into());
        }
        Ok(())
    }

    fn count(&mut self, kind: &'static str, ask: &Ask, ending: Ending) {
        if let (Course::Answers(_), Ending::Whole | Ending::Error) = (&ask.course, &ending) {
            self.answers[usize::from(matches!(ending, Ending::Error))] += 1;
        }
        let counts = self.counts.entry(kind).or_default();
        match ending {
            Ending::Whole => counts[0] += 1,
            Ending::Error => counts[1] += 1,
            Ending::Left => counts[2] += 1,
            Ending::Wrong(what) if self.wrong.len() < SHOWN => {
                self.wrong.push(format!("{ask}: {what}"));
            }
            Ending::Wrong(_) => {}
        }
    }

    fn table(&self, took: Duration) -> String {
        let mut table = format!(
            "{:<44}{:>10}{:>10}{:>10}",
            "asked", "whole", "error", "left"
        );
        let mut sum = 0;
        for (kind, [whole, error, left]) in &self.counts {
            table += &format!("\n{kind:<44}{whole:>10}{error:>10}{left:>10}");
            sum += whole + error + left;
        }
        let rate = sum as f64 / took.as_secs_f64();
        table + &format!("\n{sum} requests, {rate:.0} in a second")
    }
}

/// Waits until nothing is under way.
fn at_rest(address: &str) -> Result<(), Failure> {
    let end = Instant::now() + REST;
    loop {
        let active = active(address)?;
        if active == 0 {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(format!("{active} exchanges are still under way").into());
        }
        thread::sleep(Duration::from_millis(200));
    }
}

fn active(address: &str) -> Result<u64, Failure> {
    let mut answer = Answer::default();
    let authorization = format!("Bearer {KEY}");
    let asking = request("GET", "/health", &[("authorization", &authorization)], "");
    Connection::open(address)?.ask(&asking, &mut answer)?;
    let health: serde_json::Value = serde_json::from_slice(&answer.body)?;
    let active = health["active_exchanges"].as_u64();
    active.ok_or_else(|| "the health page does not say what is under way".into())
}

/// The resources once they are what they were, or when that takes too long.
fn back_to(before: &Resources, pid: u32) -> Result<Resources, Failure> {
    let end = Instant::now() + REST;
    loop {
        let now = Resources::of(pid)?;
        if now.check(before).is_ok() || Instant::now() > end {
            return Ok(now);
        }
        thread::sleep(Duration::from_secs(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_decides_what_is_asked() {
        let asks = |seed| {
            let mut random = fastrand::Rng::with_seed(seed);
            let asks = (0..100).map(|_| Ask::random(&mut random).to_string());
            asks.collect::<Vec<_>>()
        };
        assert_eq!(asks(7), asks(7));
        assert_ne!(asks(7), asks(8));
    }

    #[test]
    fn a_load_of_refusals_is_no_load() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut asks = (0..100).map(|_| Ask::random(&mut random));
        let ask = asks.find(|ask| matches!(ask.course, Course::Answers(_)));
        let ask = ask.unwrap();
        let mut tally = Tally::default();
        (0..20).for_each(|_| tally.count("answers", &ask, Ending::Whole));
        (0..2).for_each(|_| tally.count("answers", &ask, Ending::Error));
        tally.check().unwrap();
        tally.count("answers", &ask, Ending::Error);
        let error = tally.check().unwrap_err().to_string();
        assert!(error.contains("3 requests failed"), "{error}");
    }

    #[test]
    fn options_are_read() {
        let options = Options::parse(&["--minutes", "0.5", "--seed", "7"]).unwrap();
        assert_eq!((options.minutes, options.seed), (0.5, Some(7)));
        assert_eq!(Options::parse(&["--minutes", "0"]), None);
        assert_eq!(Options::parse(&["--hours", "1"]), None);
    }
}
