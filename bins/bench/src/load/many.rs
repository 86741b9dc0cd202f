//! Ten thousand streams at the same time, each with an event every two seconds, through each surface.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use hdrhistogram::Histogram;
use rustix::process::{Resource, getrlimit};

use super::client::Connection;
use super::contestant::{Contestant, Place, Server, Surface};
use super::plan::Plan;
use super::report::{Line, Report};
use super::{clock, nanoseconds};
use crate::Failure;
use crate::figure::Figure;

const STREAMS: usize = 10_000;
const PLAN: Plan = Plan::paced(20, Duration::from_secs(2));

/// How many begin in a second. A machine with two processors needs them for handshakes and for reading.
const BEGUN_PER_SECOND: u64 = 1_500;

const STACK: usize = 64 * 1024;
const BUFFER: usize = 1024;

/// Descriptors of a gateway besides those of its streams.
const OTHERS: usize = 200;

pub(super) fn run(place: &Place, report: &mut Report) -> Result<(), Failure> {
    for surface in Surface::ALL {
        one(place, surface, report)?;
    }
    Ok(())
}

fn one(place: &Place, surface: Surface, report: &mut Report) -> Result<(), Failure> {
    let service = place.service()?;
    // A stream takes two descriptors of the gateway. Where the system does not give one process so many, several share
    // the streams, as they would the load of a real one.
    let files = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX) as usize;
    let n_gateways = STREAMS.div_ceil((files - OTHERS) / 2);
    let gateways = (0..n_gateways)
        .map(|_| place.start(Server::Gateway, &service))
        .collect::<Result<Vec<_>, _>>()?;
    let plan = Plan {
        told_again: surface == Surface::Responses,
        ..PLAN
    };
    let request = surface.question(plan);
    let before = memory(&gateways)?;
    let n_begun = AtomicUsize::new(0);
    let transit = std::sync::Mutex::new(nanoseconds());
    let mut all_begun = 0.0;
    thread::scope(|scope| {
        let started = clock::now();
        let mut readers = Vec::new();
        for stream in 0..STREAMS {
            let gateway = &gateways[stream % n_gateways];
            let (request, n_begun, transit) = (&request, &n_begun, &transit);
            let read = move || {
                clock::sleep_until(started + stream as u64 * 1_000_000_000 / BEGUN_PER_SECOND);
                let mut times = Vec::with_capacity(PLAN.events);
                let mut reader = Connection::open_with(&gateway.target, BUFFER)?;
                reader.ask(request, plan, |time| {
                    if times.is_empty() {
                        n_begun.fetch_add(1, Relaxed);
                    }
                    times.push(time);
                })?;
                let mut transit = transit
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                times
                    .into_iter()
                    .for_each(|time| transit.saturating_record(time));
                Ok(())
            };
            let read = move || read().map_err(|error: Failure| error.to_string());
            readers.push(
                thread::Builder::new()
                    .stack_size(STACK)
                    .spawn_scoped(scope, read)?,
            );
        }
        let plan_ends = started + PLAN.period.as_nanos() as u64 * PLAN.events as u64;
        while n_begun.load(Relaxed) < STREAMS && clock::now() < plan_ends {
            thread::sleep(Duration::from_millis(50));
        }
        all_begun = memory(&gateways)?;
        if n_begun.load(Relaxed) < STREAMS {
            eprintln!("void: not all of {STREAMS} streams were open at the same time");
        }
        for reader in readers {
            // A panic in one of them is a mistake in this program.
            reader.join().expect("a reader")?;
        }
        Ok::<_, Failure>(())
    })?;
    let transit: Histogram<u64> = transit
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let name = surface.path().trim_start_matches("/v1/").replace('/', "_");
    report.slip(&format!("streams_10000_{name}"), service.counts()?.slip);
    for (what, value, unit, at_most) in [
        (
            "transit_p50",
            transit.value_at_quantile(0.5) as f64 / 1e6,
            "ms",
            None,
        ),
        (
            "transit_p99",
            transit.value_at_quantile(0.99) as f64 / 1e6,
            "ms",
            None,
        ),
        (
            "memory_per_stream",
            (all_begun - before) / STREAMS as f64,
            "KiB",
            Some(32.0),
        ),
        ("gateways", n_gateways as f64, "", None),
    ] {
        let figure = Figure::alone(format!("streams_10000_{name}_{what}"), value, unit);
        report.add(Line {
            goal: "point 3",
            figure,
            at_most,
        });
    }
    Ok(())
}

fn memory(gateways: &[Contestant]) -> Result<f64, Failure> {
    let memories = gateways.iter().map(|it| it.process.memory());
    Ok(memories.sum::<Result<u64, _>>()? as f64)
}
