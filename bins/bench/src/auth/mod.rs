//! What a fresh access token costs, beside the bare load of a shared pointer.
//!
//! Processor time of all threads. Tasks that wait for a lock use little of it while they wait, but the
//! kernel's work to put them to sleep and to wake them counts. On a machine whose processors are all busy
//! with something else, the sixteen tasks run one after the other and show nothing.

mod call;

use std::time::Duration;

use tokio::runtime::Runtime;

use crate::Failure;
use crate::figure::{Figure, Format, print};
use crate::rounds::{Samples, judge, passes_per_turn};
use call::{Call, time};

/// Tasks that share one credential: more than most machines have processors to run them.
const TASKS: usize = 16;

/// Rounds that count.
const ROUNDS: usize = 15;

/// As for decoding, but longer, so that threads have started when most of it is done.
const TURN: Duration = Duration::from_millis(20);

/// The contestants, by their places.
const TOKEN: usize = 0;
const LOAD: usize = 1;
const CLOCK: usize = 2;
const LEASE: usize = 3;
const TOKEN_SHARED: usize = 4;
const LOAD_SHARED: usize = 5;
const TOKEN_APART: usize = 6;
const LEASE_SHARED: usize = 7;

/// Measures and prints.
///
/// # Errors
///
/// The runtime does not start.
pub(crate) fn run(format: Format) -> Result<(), Failure> {
    let runtime = Runtime::new()?;
    let contestants = runtime.block_on(contestants())?;
    let mut times = Vec::new();
    for tasks in &contestants {
        times.push(passes_per_turn(TURN, |times| time(&runtime, tasks, times))?);
    }
    // The first one once more, to see how well two measurements of the same thing agree.
    let (samples, same) = Samples::take_agreeing(
        ROUNDS,
        contestants.len() + 1,
        |it| *it,
        |turn| {
            let turn = turn % contestants.len();
            let (tasks, times) = (&contestants[turn], times[turn]);
            let took = time(&runtime, tasks, times)?;
            Ok(took.as_secs_f64() / (times * tasks.len() as u64) as f64)
        },
    )?;
    print(&figures(&samples), format)?;
    judge(&[("auth_token_1_task".to_owned(), same)]);
    Ok(())
}

/// The tasks of each contestant.
async fn contestants() -> Result<[Vec<Call>; 8], Failure> {
    let (token, load, lease) = (Call::token().await?, Call::load(), Call::lease().await?);
    let mut apart = Vec::new();
    for _ in 0..TASKS {
        apart.push(Call::token().await?);
    }
    Ok([
        vec![token.clone()],
        vec![load.clone()],
        vec![Call::Clock],
        vec![lease.clone()],
        vec![token; TASKS],
        vec![load; TASKS],
        apart,
        vec![lease; TASKS],
    ])
}

fn figures(samples: &Samples<f64>) -> Vec<Figure> {
    let alone = |name: &str, place| Figure {
        name: name.to_owned(),
        value: nanoseconds(samples, place),
        unit: "ns",
        reference: None,
        ratio: None,
        deviation: None,
        against: "",
    };
    let beside = |name: &str, place, reference, against| {
        let ratio = samples.ratio(place, reference, |seconds| *seconds);
        Figure {
            reference: Some(nanoseconds(samples, reference)),
            ratio: Some(ratio.median),
            deviation: Some(ratio.deviation),
            against,
            ..alone(name, place)
        }
    };
    let load = "ArcSwap::load_full";
    vec![
        beside("auth_token_1_task", TOKEN, LOAD, load),
        beside("auth_token_16_tasks", TOKEN_SHARED, LOAD_SHARED, load),
        beside(
            "auth_token_16_tasks_sharing",
            TOKEN_SHARED,
            TOKEN_APART,
            "a credential for each task",
        ),
        alone("auth_clock", CLOCK),
        alone("auth_lease_1_task", LEASE),
        alone("auth_lease_16_tasks", LEASE_SHARED),
    ]
}

fn nanoseconds(samples: &Samples<f64>, place: usize) -> f64 {
    samples.median(place, |seconds| *seconds) * 1e9
}
