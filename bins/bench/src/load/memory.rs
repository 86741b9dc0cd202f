//! Goals of memory: at rest, for each stream, for readers that do not read, and after a flood.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use super::client::Connection;
use super::contestant::{Contestant, Place, Server, Service, Surface, upstream_request};
use super::plan::Plan;
use super::report::{Line, Report};
use super::turn::replace;
use crate::Failure;
use crate::conversation;
use crate::figure::Figure;
use crate::stats::median;

/// Each of them a process of its own in every round, because memory that was once taken is not all given back.
const CONTESTANTS: [Server; 3] = [Server::Gateway, Server::Inline, Server::Nginx];

const ROUNDS: usize = 3;

/// Small, so that clients take no memory from the machine.
const BUFFER: usize = 4 * 1024;

const STACK: usize = 128 * 1024;

/// A scene: what is done to a server that has just been started, and the KiB that it comes to.
type Scene = fn(&Contestant, &[u8], Plan) -> Result<f64, Failure>;

const STREAMS: usize = 2_000;
const SLOW_READERS: usize = 200;
const FLOOD: usize = 300;
const FLOOD_BYTES: usize = 150_000;

/// Measures all of it.
pub(super) fn run(place: &Place, report: &mut Report) -> Result<(), Failure> {
    let service = place.service()?;
    let each = Plan::paced(8, Duration::from_secs(1));
    compare(
        place,
        &service,
        report,
        "G7",
        "memory_idle",
        each,
        idle,
        &[],
    )?;
    let goals: &[_] = &[(Server::Gateway, 32.0)];
    compare(
        place,
        &service,
        report,
        "G7",
        "memory_per_stream",
        each,
        streams,
        goals,
    )?;
    // Some 8 MB, more than all buffers on the way hold.
    let much = Plan::burst(40_000, 100);
    let goals: &[_] = &[(Server::Gateway, 64.0), (Server::Inline, 0.2)];
    compare(
        place,
        &service,
        report,
        "G8",
        "memory_per_slow_reader",
        much,
        slow_readers,
        goals,
    )?;
    flood(place, &service, report)
}

#[allow(clippy::too_many_arguments, reason = "a row of a table")]
fn compare(
    place: &Place,
    service: &Service,
    report: &mut Report,
    goal: &'static str,
    name: &str,
    plan: Plan,
    scene: Scene,
    goals: &[(Server, f64)],
) -> Result<(), Failure> {
    let mut values = [const { Vec::new() }; CONTESTANTS.len()];
    let question = Surface::Chat.question(plan);
    for round in 0..ROUNDS {
        for turn in 0..CONTESTANTS.len() {
            let at = (round + turn) % CONTESTANTS.len();
            let contestant = place.start(CONTESTANTS[at], service)?;
            let request = request_to(place, &contestant, service, &question, plan)?;
            values[at].push(scene(&contestant, &request, plan)?);
        }
    }
    let [ours, others @ ..] = values.map(median);
    let limit = |of: Server| {
        goals
            .iter()
            .find(|(server, _)| *server == of)
            .map(|(_, most)| *most)
    };
    report.add(Line {
        goal,
        figure: Figure::alone(name.to_owned(), ours, "KiB"),
        at_most: limit(Server::Gateway),
    });
    for (server, value) in CONTESTANTS[1..].iter().zip(others) {
        let figure = Figure {
            reference: Some(value),
            ratio: Some(ours / value),
            against: server.name(),
            ..Figure::alone(format!("{name}_vs_{}", server.slug()), ours, "KiB")
        };
        report.add(Line {
            goal,
            figure,
            at_most: limit(*server),
        });
    }
    Ok(())
}

fn request_to(
    place: &Place,
    contestant: &Contestant,
    service: &Service,
    question: &[u8],
    plan: Plan,
) -> Result<Vec<u8>, Failure> {
    if contestant.server == Server::Gateway {
        return Ok(question.to_vec());
    }
    let short = Plan { events: 1, ..plan };
    let asked = replace(question, &plan.question(), &short.question());
    let gateway = place.start(Server::Gateway, service)?;
    let request = upstream_request(&gateway, service, &asked, short)?;
    Ok(replace(&request, &short.question(), &plan.question()))
}

/// After it has answered once, so that what is made at first use is there.
fn rest(contestant: &Contestant, request: &[u8], plan: Plan) -> Result<f64, Failure> {
    let short = Plan {
        events: 1,
        period: Duration::ZERO,
        bytes: 20,
        ..plan
    };
    let request = replace(request, &plan.question(), &short.question());
    Connection::open(&contestant.target)?.ask(&request, short, drop)?;
    settled(contestant)
}

/// Resident memory that does not grow any more.
fn settled(contestant: &Contestant) -> Result<f64, Failure> {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut before = contestant.process.memory()?;
    loop {
        thread::sleep(Duration::from_millis(500));
        let now = contestant.process.memory()?;
        if now <= before + before / 200 || Instant::now() > deadline {
            return Ok(now as f64);
        }
        before = now;
    }
}

fn idle(contestant: &Contestant, request: &[u8], plan: Plan) -> Result<f64, Failure> {
    rest(contestant, request, plan)
}

/// KiB for each of so many streams that get an event a second, looked at in the middle of them.
fn streams(contestant: &Contestant, request: &[u8], plan: Plan) -> Result<f64, Failure> {
    let before = rest(contestant, request, plan)?;
    let n_begun = AtomicUsize::new(0);
    thread::scope(|scope| {
        let mut readers = Vec::new();
        for _ in 0..STREAMS {
            let read = || {
                let mut is_first = true;
                let answer =
                    Connection::open_with(&contestant.target, BUFFER)?.ask(request, plan, |_| {
                        if std::mem::take(&mut is_first) {
                            n_begun.fetch_add(1, Relaxed);
                        }
                    });
                answer.map(drop)
            };
            let read = move || read().map_err(|error: Failure| error.to_string());
            readers.push(
                thread::Builder::new()
                    .stack_size(STACK)
                    .spawn_scoped(scope, read)?,
            );
        }
        let deadline = Instant::now() + Duration::from_secs(60);
        while n_begun.load(Relaxed) < STREAMS && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(50));
        }
        let memory = contestant.process.memory()? as f64;
        for reader in readers {
            // A panic in one of them is a mistake in this program.
            reader.join().expect("a reader")?;
        }
        Ok((memory - before) / STREAMS as f64)
    })
}

/// KiB for each of so many clients that ask for much and read nothing.
fn slow_readers(contestant: &Contestant, request: &[u8], plan: Plan) -> Result<f64, Failure> {
    let before = rest(contestant, request, plan)?;
    let mut readers = Vec::new();
    for _ in 0..SLOW_READERS {
        let mut reader = Connection::open_with(&contestant.target, BUFFER)?;
        reader.send(request)?;
        readers.push(reader);
    }
    let memory = settled(contestant)?;
    drop(readers);
    Ok((memory - before) / SLOW_READERS as f64)
}

/// G9: so many large requests at the same time, and what is left of them a minute later.
fn flood(place: &Place, service: &Service, report: &mut Report) -> Result<(), Failure> {
    let gateway = place.start(Server::Gateway, service)?;
    let plan = Plan {
        delay: Duration::from_secs(2),
        ..Plan::burst(1, 20)
    };
    let quick = Plan {
        delay: Duration::ZERO,
        ..plan
    };
    let large = conversation::history(10, FLOOD_BYTES / 10);
    let large = Surface::Chat.request(&conversation::request(large, Vec::new(), &plan.question()));
    let small = Surface::Chat.question(quick);
    let ask_all = |request: &[u8], plan| {
        let failed = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..FLOOD {
                scope.spawn(|| {
                    let asked = Connection::open(&gateway.target)
                        .and_then(|mut it| it.ask(request, plan, drop));
                    if asked.is_err() {
                        failed.store(true, Relaxed);
                    }
                });
            }
        });
        if failed.into_inner() {
            return Err(Failure::from("a request of the flood was not answered"));
        }
        Ok(())
    };
    ask_all(&small, quick)?;
    let before = settled(&gateway)?;
    gateway.process.forget_peak()?;
    ask_all(&large, plan)?;
    let peak = gateway.process.peak()? as f64;
    thread::sleep(Duration::from_secs(60));
    let after = gateway.process.memory()? as f64;
    let in_flight = (FLOOD * FLOOD_BYTES) as f64 / 1024.0;
    for (name, value, at_most) in [
        (
            "flood_peak_per_byte_in_flight",
            (peak - before) / in_flight,
            2.2,
        ),
        ("flood_memory_a_minute_later", after / before, 1.3),
    ] {
        report.add(Line {
            goal: "G9",
            figure: Figure::alone(name.to_owned(), value, "×"),
            at_most: Some(at_most),
        });
    }
    Ok(())
}
