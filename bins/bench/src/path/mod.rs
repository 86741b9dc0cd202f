//! Instructions on the path of a request: from [`Gateway::handle`](kiro_gateway::Gateway::handle) through the service to
//! the last byte of the answer, in one process and on one thread, so that nearly the same is done in every run. Beside it
//! a bare hyper client asks the same service: what is left is ours. The server's side of HTTP is in neither.
//!
//! Valgrind simulates an older processor and sees no kernel; the counts are for comparing one commit with another.

mod asker;
mod baseline;
mod upstream;
mod work;

use std::path::Path;
use std::thread;

use tokio::net::TcpListener;

use crate::Failure;
use crate::callgrind;
use crate::figure::{Figure, Format, print};
use asker::Asker;
use baseline::Baseline;
use work::Work;

/// What is done under callgrind: `WHO WORK TIMES`.
///
/// # Errors
///
/// The arguments are of another kind, or an answer is wrong.
pub(crate) fn walk(arguments: &[&str]) -> Result<(), Failure> {
    let [asker, work, times] = arguments else {
        return Err("`walk` takes who asks, for what, and how often".into());
    };
    let asker = Asker::by_name(asker).ok_or("nobody of that name asks")?;
    let work = Work::by_name(work).ok_or("no such work")?;
    ask(asker, work, times.parse()?).map(drop)
}

fn ask(asker: Asker, work: Work, times: usize) -> Result<Vec<u8>, Failure> {
    let (requests, events) = work.plan(times);
    let pieces = work.answer(events)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(upstream::serve(listener, pieces));
        asker.ask(address, work, requests).await
    })
}

/// Counts and prints.
///
/// # Errors
///
/// Valgrind is not installed, or a run failed.
pub(crate) fn run(format: Format) -> Result<(), Failure> {
    print(&figures()?, format)?;
    Ok(())
}

/// Counts, and compares with what is committed; `bless` commits what was counted instead.
///
/// # Errors
///
/// Something costs more than it did, or a run failed.
pub(crate) fn gate(file: &Path, bless: bool) -> Result<(), Failure> {
    let figures = figures()?;
    print(&figures, Format::Table)?;
    let now = Baseline::of(&figures)?;
    if bless {
        return now.write(file);
    }
    now.judge(&Baseline::read(file)?)
}

/// Two at a time: there are that many processors at least, and instructions are not lengthened by others.
fn figures() -> Result<Vec<Figure>, Failure> {
    let mut figures = Vec::new();
    for work in Work::ALL {
        let (ours, hyper) = thread::scope(|scope| {
            let hyper = scope.spawn(|| instructions(Asker::Hyper, work).map_err(|e| e.to_string()));
            let ours = instructions(Asker::Gateway, work);
            // A panic in it is a mistake in this program.
            (ours, hyper.join().expect("a thread that counts"))
        });
        let (value, reference) = (ours?, hyper?);
        // A bare client knows no keys.
        let reference = (work != Work::KeyCheck).then_some(reference);
        figures.push(Figure {
            name: format!("path_{}", work.name()),
            value,
            unit: work.unit(),
            reference,
            ratio: reference.map(|reference| value / reference),
            deviation: None,
            against: "hyper's client, inline",
        });
    }
    Ok(figures)
}

/// Of one time: what a long run takes more than a short one.
fn instructions(asker: Asker, work: Work) -> Result<f64, Failure> {
    let run = |times: usize| {
        let words = ["walk", asker.name(), work.name(), &times.to_string()];
        callgrind::instructions(&words.map(str::to_owned))
    };
    let times = work.times();
    let (short, long) = (run(times)?, run(11 * times)?);
    Ok(long.saturating_sub(short) as f64 / (10 * times) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateway_tells_all_of_every_answer() {
        for work in [Work::EventAlone, Work::EventsTogether] {
            let body = ask(Asker::Gateway, work, 500).unwrap();
            let body = String::from_utf8(body).unwrap();
            let mut told = String::new();
            for line in body.lines().filter_map(|line| line.strip_prefix("data: {")) {
                let chunk: serde_json::Value = serde_json::from_str(&format!("{{{line}")).unwrap();
                told += chunk["choices"][0]["delta"]["content"]
                    .as_str()
                    .unwrap_or_default();
            }
            assert_eq!(told, work::text_of(500));
            assert!(body.ends_with("data: [DONE]\n\n"));
        }
    }

    #[test]
    fn both_ask_for_everything() {
        for work in Work::ALL {
            for asker in [Asker::Gateway, Asker::Hyper] {
                ask(asker, work, 2).unwrap_or_else(|error| panic!("{asker:?} {work:?}: {error}"));
            }
        }
    }
}
