//! A downstream that leaves closes the upstream, in every phase.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::time::{Duration, Instant};

use http_body_util::BodyExt as _;
use kiro_gateway::ServerOptions;
use kiro_sim::{Matcher, Script, SimOptions};
use support::{House, KEY, client_tls, streamed, whole};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// How soon the upstream must see that the downstream has left.
const PROMPTLY: Duration = Duration::from_millis(100);

/// Sends a request on a connection of its own.
async fn send(house: &House, body: &serde_json::Value) -> TcpStream {
    let body = body.to_string();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    stream.write_all((head + &body).as_bytes()).await.unwrap();
    stream
}

async fn upstream_closes_promptly(house: &House, stream: TcpStream) {
    let left = Instant::now();
    drop(stream);
    house
        .sim
        .wait_until(|state| state.cancelled_streams == 1, support::SOON)
        .await
        .unwrap();
    // A generous multiple, because the machine may be busy; a time-out of ours would be seconds.
    assert!(left.elapsed() < PROMPTLY * 10, "{:?}", left.elapsed());
}

#[tokio::test]
async fn before_the_first_event_in_a_stream_and_in_one_piece() {
    for request in [streamed("wait"), whole("wait")] {
        let house = House::start().await;
        house.sim.script(Matcher::any(), Script::new().hang());
        let stream = send(&house, &request).await;
        house
            .sim
            .wait_until(|state| state.open_streams == 1, support::SOON)
            .await
            .unwrap();
        upstream_closes_promptly(&house, stream).await;
    }
}

#[tokio::test]
async fn in_the_middle_of_the_text() {
    let house = House::start().await;
    house
        .sim
        .script(Matcher::any(), Script::new().text("One ").hang());
    let response = house.open_chat(&streamed("x")).await;
    let mut body = response.into_body();
    while !String::from_utf8_lossy(&body.frame().await.unwrap().unwrap().into_data().unwrap())
        .contains("One ")
    {}
    drop(body);
    house
        .sim
        .wait_until(|state| state.cancelled_streams == 1, support::SOON)
        .await
        .unwrap();
}

#[tokio::test]
async fn in_the_middle_of_a_tool_call_and_between_the_text_and_the_end() {
    for (script, last) in [
        (
            Script::new()
                .tool_without_stop("get_weather", &["{\"city\":"])
                .hang(),
            "arguments\":\"{",
        ),
        (Script::new().text("All.").hang(), "All."),
    ] {
        let house = House::start().await;
        house.sim.script(Matcher::any(), script);
        let response = house.open_chat(&streamed("x")).await;
        let mut body = response.into_body();
        let mut read = String::new();
        while !read.contains(last) {
            let data = body.frame().await.unwrap().unwrap().into_data().unwrap();
            read.push_str(&String::from_utf8_lossy(&data));
        }
        drop(body);
        house
            .sim
            .wait_until(|state| state.cancelled_streams == 1, support::SOON)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn in_one_piece_while_the_text_is_collected() {
    let house = House::start().await;
    house
        .sim
        .script(Matcher::any(), Script::new().text("One ").hang());
    let stream = send(&house, &whole("x")).await;
    house
        .sim
        .wait_until(|state| state.open_streams == 1, support::SOON)
        .await
        .unwrap();
    upstream_closes_promptly(&house, stream).await;
}

#[tokio::test]
async fn in_a_retry_pause_no_further_attempt_is_made() {
    let house = House::start().await;
    let hint = Some(Duration::from_secs(1));
    house.sim.script(
        Matcher::any(),
        Script::new().http_error(503, serde_json::json!({}), hint),
    );
    let stream = send(&house, &whole("x")).await;
    // The refresh and the first attempt.
    house.sim.wait_for_requests(2, support::SOON).await.unwrap();
    drop(stream);
    let more = house
        .sim
        .wait_for_requests(3, Duration::from_millis(1500))
        .await;
    assert!(more.is_err(), "nobody waits for an answer");
}

/// Asks for much more than what the sockets in between take, and reads nothing of it.
async fn stuck(server: ServerOptions) -> (House, TcpStream) {
    let mut options = SimOptions::default();
    options.credit_quota = f64::MAX;
    let house = House::built(options, client_tls(), server, |_| ()).await;
    let piece = "x".repeat(LENGTH);
    let script = (0..PIECES).fold(Script::new(), |script, _| script.text(&*piece));
    house.sim.script(Matcher::any(), script.stop("END_TURN"));
    let stuck = send(&house, &streamed("stuck")).await;
    house
        .sim
        .wait_until(|state| state.open_streams == 1, support::SOON)
        .await
        .unwrap();
    (house, stuck)
}

const PIECES: usize = 512;
const LENGTH: usize = 48 << 10;

#[tokio::test]
async fn who_does_not_read_holds_the_upstream_and_nobody_else() {
    let (house, stuck) = stuck(ServerOptions::default()).await;
    let response = house.open_chat(&streamed("reads")).await;
    let mut body = response.into_body();
    let mut read = 0;
    while let Some(frame) = body.frame().await {
        read += frame.unwrap().into_data().unwrap().len();
    }
    assert!(read > PIECES * LENGTH, "{read}");

    house
        .sim
        .wait_until(|state| state.completed_streams == 1, support::SOON)
        .await
        .unwrap();
    assert_eq!(house.sim.state().open_streams, 1);
    upstream_closes_promptly(&house, stuck).await;
}

#[tokio::test]
async fn who_does_not_read_for_too_long_is_left() {
    let mut server = ServerOptions::default();
    server.write_timeout = Duration::from_millis(200);
    let (house, stuck) = stuck(server).await;
    house
        .sim
        .wait_until(|state| state.cancelled_streams == 1, support::SOON)
        .await
        .unwrap();
    drop(stuck);
}
