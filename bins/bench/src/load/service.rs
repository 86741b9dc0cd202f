//! A Kiro that costs little: threads, prepared bytes, and a timetable that is kept to some microseconds.
//!
//! `kiro-sim` checks and records what it is asked, and would be the slowest of all who are measured. This one knows
//! one thing: to answer a [`Plan`]. It is a process of its own, so that its work is nobody else's.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use hdrhistogram::Histogram;
use rustls::{ServerConnection, StreamOwned};
use serde_json::json;

use super::clock;
use super::nanoseconds;
use super::plan::Plan;
use super::tls::Identity;
use crate::Failure;
use crate::frame::event;

/// Of each connection's thread. Twenty thousand of them fit into a small machine.
const STACK: usize = 128 * 1024;

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\ntransfer-encoding: chunked\r\n\r\n";

/// What all connections share.
struct Shared {
    prepared: Mutex<HashMap<Plan, Arc<[u8]>>>,
    /// The last request to be answered, for those who pass it on unread.
    last: Mutex<Vec<u8>>,
    n_connections: AtomicU64,
    /// How much too late events were written.
    slips: Mutex<Histogram<u64>>,
}

/// Serves until the process is stopped. Prints its address.
///
/// # Errors
///
/// It cannot listen, or a frame cannot be made.
pub(crate) fn serve(identity: Option<&str>) -> Result<(), Failure> {
    let tls = match identity {
        Some(folder) => Some(Identity::read(folder.as_ref())?.server()?),
        None => None,
    };
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("service listens on {}", listener.local_addr()?);
    let shared = Arc::new(Shared {
        prepared: Mutex::default(),
        last: Mutex::default(),
        n_connections: AtomicU64::new(0),
        slips: Mutex::new(nanoseconds()),
    });
    for stream in listener.incoming() {
        let (stream, shared, tls) = (stream?, shared.clone(), tls.clone());
        stream.set_nodelay(true)?;
        shared.n_connections.fetch_add(1, Relaxed);
        let serve = move || {
            clock::sleep_precisely();
            // An error is the end of the connection, and whoever asked knows better whether it was to end.
            let _ = match tls {
                Some(tls) => ServerConnection::new(tls)
                    .map_err(Failure::from)
                    .and_then(|tls| answer_all(StreamOwned::new(tls, stream), &shared)),
                None => answer_all(stream, &shared),
            };
        };
        thread::Builder::new().stack_size(STACK).spawn(serve)?;
    }
    Ok(())
}

fn answer_all(mut stream: impl Read + Write, shared: &Shared) -> Result<(), Failure> {
    let mut request = Vec::new();
    while let Some(head) = receive(&mut stream, &mut request)? {
        match Plan::find(&request[head..]) {
            Some(plan) => {
                remember(shared, &request[head..]);
                if !plan.delay.is_zero() {
                    thread::sleep(plan.delay);
                }
                if plan.is_paced() {
                    answer_paced(&mut stream, plan, shared)?;
                } else {
                    stream.write_all(&prepared(plan, shared)?)?;
                }
            }
            None => tell(&mut stream, &request[..head], shared)?,
        }
        stream.flush()?;
        // A connection that waits holds no large request.
        if request.capacity() > 64 * 1024 {
            request = Vec::new();
        }
    }
    Ok(())
}

fn remember(shared: &Shared, body: &[u8]) {
    let mut last = shared.last.lock().unwrap_or_else(PoisonError::into_inner);
    if *last != body {
        last.clear();
        last.extend_from_slice(body);
    }
}

fn prepared(plan: Plan, shared: &Shared) -> Result<Arc<[u8]>, Failure> {
    let mut prepared = shared
        .prepared
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if let Some(answer) = prepared.get(&plan) {
        return Ok(answer.clone());
    }
    let mut answer = HEAD.to_vec();
    for number in 0..plan.events {
        chunk(&content(&plan.text(number, 0))?, &mut answer);
    }
    end(&mut answer)?;
    let answer: Arc<[u8]> = answer.into();
    prepared.insert(plan, answer.clone());
    Ok(answer)
}

fn answer_paced(stream: &mut impl Write, plan: Plan, shared: &Shared) -> Result<(), Failure> {
    stream.write_all(HEAD)?;
    stream.flush()?;
    let period = plan.period.as_nanos() as u64;
    // The first is due a little later than now, so that what is measured is not our way here. Streams that begin at the
    // same time are spread over the period, as those of strangers are.
    let first = clock::now() + fastrand::u64(..period.max(1));
    let mut slips = Vec::with_capacity(plan.events);
    let mut bytes = Vec::new();
    for number in 0..plan.events {
        let due = first + period * number as u64;
        bytes.clear();
        chunk(&content(&plan.text(number, due))?, &mut bytes);
        clock::sleep_until(due);
        slips.push(clock::now().saturating_sub(due));
        stream.write_all(&bytes)?;
        stream.flush()?;
    }
    bytes.clear();
    end(&mut bytes)?;
    stream.write_all(&bytes)?;
    let mut all = shared.slips.lock().unwrap_or_else(PoisonError::into_inner);
    slips
        .into_iter()
        .for_each(|slip| all.saturating_record(slip));
    Ok(())
}

fn content(text: &str) -> Result<bytes::Bytes, Failure> {
    let payload = format!(r#"{{"content":"{text}","modelId":"claude-sonnet-4.5"}}"#);
    event("assistantResponseEvent", &payload)
}

fn chunk(data: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}

/// As the service ends: how full the context is, what it cost, and why it ended.
fn end(out: &mut Vec<u8>) -> Result<(), Failure> {
    for (kind, payload) in [
        ("contextUsageEvent", r#"{"contextUsagePercentage":12.5}"#),
        (
            "meteringEvent",
            r#"{"unit":"credit","unitPlural":"credits","usage":0.02}"#,
        ),
        ("metadataEvent", r#"{"stopReason":"END_TURN"}"#),
    ] {
        chunk(&event(kind, payload)?, out);
    }
    out.extend_from_slice(b"0\r\n\r\n");
    Ok(())
}

/// What the measurement itself asks: `/last`, the last question; `/counts`, which are taken once.
fn tell(stream: &mut impl Write, head: &[u8], shared: &Shared) -> Result<(), Failure> {
    let body = if head.starts_with(b"GET /last ") {
        shared
            .last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    } else {
        let mut slips = shared.slips.lock().unwrap_or_else(PoisonError::into_inner);
        let slip = slips.value_at_quantile(0.99);
        slips.reset();
        let n_connections = shared.n_connections.load(Relaxed);
        json!({"connections": n_connections, "slip_p99": slip})
            .to_string()
            .into_bytes()
    };
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )?;
    stream.write_all(&body)?;
    Ok(())
}

/// Reads one request; gives the length of its head, `None` at the end of the connection.
fn receive(stream: &mut impl Read, request: &mut Vec<u8>) -> io::Result<Option<usize>> {
    request.clear();
    let mut part = [0; 16 * 1024];
    let (head, length) = loop {
        let n_read = stream.read(&mut part)?;
        if n_read == 0 {
            return Ok(None);
        }
        request.extend_from_slice(&part[..n_read]);
        if let Some(found) = head_and_length(request) {
            break found;
        }
    };
    let read = request.len();
    request.resize(read.max(head + length), 0);
    stream.read_exact(&mut request[read..])?;
    Ok(Some(head))
}

/// The length of a head that is there, and the length of the body that it announces.
fn head_and_length(received: &[u8]) -> Option<(usize, usize)> {
    let end = memchr::memmem::find(received, b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&received[..end]);
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse().ok())?
    });
    Some((end, length.unwrap_or(0)))
}
