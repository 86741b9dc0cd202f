//! The whole path measured: simulator → gateway → client, all over loopback.
//!
//! A number alone says more about the machine than about the gateway. So bare hyper pass-throughs move the same
//! upstream bytes in the same run, in turn with the gateway, and the ratio is what counts. Processor time is that
//! of the server alone; requests per second are what this machine's cores yield for simulator, server and
//! client together.

pub(crate) mod auth;
mod cpu;
mod load;
pub(crate) mod overload;
pub(crate) mod path;
pub(crate) mod protocol;

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::Failure;
use crate::http::{self, Answer, Connection};
use crate::service::Service;
use crate::stage::{self, Build, KEY, Stage};
use crate::workspace::Workspace;
use load::{Contestant, Round};

/// Events of one stream, and bytes of text in each: a short answer, token by token.
const EVENTS: usize = 100;
const EVENT_BYTES: usize = 20;

/// Streams at the same time.
const CONNECTIONS: usize = 16;

/// Rounds of each contestant. The first warms up and is not counted.
const ROUNDS: usize = 7;

/// The question that gets the measured answer.
const QUESTION: &str = "Please measure.";

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

/// Measures and prints.
///
/// # Errors
///
/// A part does not start, a response is wrong, or this is not Linux.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<(), Failure> {
    let folder = workspace.target.join("bench");
    let quiet = [("LOG_LEVEL", "warn")];
    let mut stage = Stage::start(workspace, Build::Release, &folder, &quiet)?;
    Build::Release.make(workspace, &["--package=xtask", "--example=passthrough"])?;
    let upstream = authority(&stage.simulator_url);
    let binary = Build::Release
        .folder(workspace)
        .join("examples/passthrough");
    let passthrough = |kind| {
        let log = folder.join(format!("passthrough-{kind}.log"));
        Service::start(Command::new(&binary).args([kind, upstream]), &log)
    };
    let (pooled, inline) = (passthrough("pooled")?, passthrough("inline")?);

    let contestants = contestants(
        &stage,
        &[
            ("hyper, pooled client", &pooled),
            ("hyper, inline", &inline),
        ],
    )?;
    let mut rounds: Vec<Vec<Round>> = contestants.iter().map(|_| Vec::new()).collect();
    for turn in 0..ROUNDS {
        // Everyone goes first once in a while, so that nobody has the warm or the cold place for good.
        for at in (0..contestants.len()).map(|at| (at + turn) % contestants.len()) {
            let time = Duration::from_secs(options.seconds);
            rounds[at].push(contestants[at].round(CONNECTIONS, time)?);
        }
    }
    stage.check()?;
    let results: Vec<Summary> = contestants
        .iter()
        .zip(&rounds)
        .map(|(contestant, rounds)| Summary::new(contestant.name, &rounds[1..]))
        .collect();
    if options.json {
        print_json(&results);
    } else {
        print_table(&results, options);
    }
    Ok(())
}

/// The command that builds and runs the measuring program of the libraries, `kiro-bench`. It is a package of
/// its own: it brings what it compares with, and must be built in release mode, while this program stays
/// quick to build.
fn measuring_program(workspace: &Workspace) -> Command {
    workspace.command(
        "cargo",
        &[
            "run",
            "--release",
            "--locked",
            "--quiet",
            "-p",
            "kiro-bench",
            "--",
        ],
    )
}

/// The gateway first, then the pass-throughs, each with the request that makes the same answer stream.
fn contestants(
    stage: &Stage,
    passthroughs: &[(&'static str, &Service)],
) -> Result<Vec<Contestant>, Failure> {
    let flood = json!({"n_events": EVENTS, "bytes_each": EVENT_BYTES, "per_http_chunk": 1});
    // Without a price, because accounts have a quota that a benchmark would use up.
    let script = json!([{"flood": flood}, {"credits": 0.0}]);
    let script = json!({"match": {"text_contains": QUESTION}, "script": script});
    control(stage, "POST", "scripts", &script)?;
    let body = json!({
        "model": "claude-sonnet-4-5",
        "stream": true,
        "messages": [{"role": "user", "content": QUESTION}],
    });
    let headers = [
        ("authorization", format!("Bearer {KEY}")),
        ("content-type", "application/json".to_owned()),
    ];
    let asked = request_of("/v1/chat/completions", &headers, &body);
    let mut contestants = vec![contestant(
        "kiro-2api",
        stage.gateway.id(),
        authority(&stage.gateway_url),
        asked,
        text,
    )?];
    if contestants[0].expected.len() != EVENTS * EVENT_BYTES {
        return Err("the gateway did not pass on the whole text".into());
    }
    let asked = upstream_request(stage)?;
    for (name, service) in passthroughs {
        let url = service.wait_for(Duration::from_secs(10), stage::address)?;
        let address = authority(&url).to_owned();
        contestants.push(contestant(
            name,
            service.id(),
            &address,
            asked.clone(),
            length,
        )?);
    }
    Ok(contestants)
}

/// A contestant, and what it answers the first time.
fn contestant(
    name: &'static str,
    pid: u32,
    address: &str,
    request: Vec<u8>,
    essence: fn(&[u8]) -> Vec<u8>,
) -> Result<Contestant, Failure> {
    let mut answer = Answer::default();
    Connection::open(address)?.ask(&request, &mut answer)?;
    if answer.status != 200 {
        let body = String::from_utf8_lossy(&answer.body);
        return Err(format!("{name} answered with {}: {body}", answer.status).into());
    }
    Ok(Contestant {
        name,
        pid,
        address: address.to_owned(),
        request,
        essence,
        expected: essence(&answer.body),
    })
}

/// The text of a stream of chunks, as it is escaped there.
fn text(body: &[u8]) -> Vec<u8> {
    let body = String::from_utf8_lossy(body);
    // Nothing is found in what stands before the first chunk.
    let pieces = body.split(r#""content":""#).skip(1);
    let texts: String = pieces.filter_map(|piece| piece.split('"').next()).collect();
    texts.into_bytes()
}

/// The length of a stream of frames. Its ids differ from answer to answer.
fn length(body: &[u8]) -> Vec<u8> {
    body.len().to_be_bytes().to_vec()
}

/// The request that the gateway sent upstream, with a token of its own.
fn upstream_request(stage: &Stage) -> Result<Vec<u8>, Failure> {
    let received = control(stage, "GET", "requests?operation=Generate", &Value::Null)?;
    let received = received.as_array().and_then(|all| all.last().cloned());
    let received = received.ok_or("the simulator has received no question")?;
    let login = control(stage, "POST", "tokens", &json!({"kind": "social"}))?;
    let token = login["accessToken"]
        .as_str()
        .ok_or("the simulator issued no token")?;
    let mut headers = vec![("authorization", format!("Bearer {token}"))];
    for name in ["content-type", "x-amz-target", "user-agent", "accept"] {
        if let Some(value) = received["headers"][name].as_str() {
            headers.push((name, value.to_owned()));
        }
    }
    let path = received["path"].as_str().unwrap_or("/");
    Ok(request_of(path, &headers, &received["body"]))
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

/// What a contestant's rounds come to.
#[derive(Debug)]
struct Summary {
    name: &'static str,
    rate: f64,
    /// Microseconds of processor time per event: median, least, most.
    cpu: [f64; 3],
}

impl Summary {
    fn new(name: &'static str, rounds: &[Round]) -> Self {
        let sorted = |value: fn(&Round) -> f64| {
            let mut values: Vec<f64> = rounds.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            values
        };
        let rates = sorted(|round| round.rate);
        let cpu = sorted(|round| round.cpu.as_secs_f64() * 1e6 / EVENTS as f64);
        Self {
            name,
            rate: rates[rates.len() / 2],
            cpu: [cpu[cpu.len() / 2], cpu[0], cpu[cpu.len() - 1]],
        }
    }
}

fn print_table(results: &[Summary], options: &Options) {
    println!(
        "Streams of {EVENTS} events with {EVENT_BYTES} bytes of text, one event in each upstream chunk; {CONNECTIONS} connections;\n{} rounds of {} s each, in turn. Median (least to most) of the rounds.\n",
        ROUNDS - 1,
        options.seconds,
    );
    println!("{:<22} {:>12}   CPU µs/event", "", "requests/s");
    for Summary { name, rate, cpu } in results {
        let [median, least, most] = cpu;
        println!("{name:<22} {rate:>12.0}   {median:.2} ({least:.2} to {most:.2})");
    }
    println!();
    let (ours, others) = (&results[0], &results[1..]);
    for other in others {
        let ratio = ours.cpu[0] / other.cpu[0];
        println!("CPU per event, {} / {}: {ratio:.2}", ours.name, other.name);
    }
    println!(
        "\nCPU is that of the server alone. Requests per second are what all processes reach together."
    );
}

/// One object a line: `name`, `value`, `unit`, and `reference` with the `ratio` to it.
fn print_json(results: &[Summary]) {
    let (ours, others) = (&results[0], &results[1..]);
    for other in others {
        let name = other.name.replace([',', ' '], "_").replace("__", "_");
        let (value, reference) = (ours.cpu[0], other.cpu[0]);
        let cpu = json!({
            "name": format!("stream_cpu_per_event_vs_{name}"),
            "value": value, "unit": "us", "reference": reference, "ratio": value / reference,
        });
        let (value, reference) = (ours.rate, other.rate);
        let rate = json!({
            "name": format!("stream_requests_vs_{name}"),
            "value": value, "unit": "1/s", "reference": reference, "ratio": value / reference,
        });
        println!("{cpu}\n{rate}");
    }
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

    #[test]
    fn a_summary_takes_the_middle_round() {
        let round = |rate, micros| Round {
            rate,
            cpu: Duration::from_micros(micros),
        };
        let summary = Summary::new("x", &[round(3.0, 900), round(1.0, 100), round(2.0, 200)]);
        assert_eq!(summary.rate, 2.0);
        assert_eq!(summary.cpu, [2.0, 1.0, 9.0]);
    }
}
