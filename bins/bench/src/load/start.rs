//! G12: how long a start takes, and how large the program is.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::contestant::Place;
use super::report::{Line, Report};
use crate::Failure;
use crate::figure::Figure;
use crate::stats::median;

const STARTS: usize = 15;

pub(super) fn run(place: &Place, report: &mut Report) -> Result<(), Failure> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        times.push(one(place)?.as_secs_f64() * 1e3);
    }
    report.add(Line {
        goal: "G12",
        figure: Figure::alone("start_to_first_accept".to_owned(), median(times), "ms"),
        at_most: Some(20.0),
    });
    let size = fs::metadata(&place.program)?.len() as f64 / (1024.0 * 1024.0);
    report.add(Line {
        goal: "G12",
        figure: Figure::alone("program_size".to_owned(), size, "MiB"),
        at_most: None,
    });
    Ok(())
}

fn one(place: &Place) -> Result<Duration, Failure> {
    let address: SocketAddr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let mut command = Command::new(&place.program);
    command.args(["serve", "--listen", &address.to_string()]);
    command
        .env_clear()
        .current_dir(&place.folder)
        .env("HOME", &place.folder);
    command.envs([
        ("PROXY_API_KEY", "key-of-the-measurement"),
        ("KIRO_API_KEY", "ksk_of-the-measurement"),
        ("KIRO_2API_STORE__KIND", "memory"),
        ("LOG_LEVEL", "error"),
    ]);
    let started = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    let deadline = started + Duration::from_secs(10);
    let accepted = loop {
        if TcpStream::connect(address).is_ok() {
            break Ok(started.elapsed());
        }
        if Instant::now() > deadline {
            break Err(Failure::from("the program does not accept"));
        }
        thread::sleep(Duration::from_micros(200));
    };
    child.kill()?;
    child.wait()?;
    accepted
}
