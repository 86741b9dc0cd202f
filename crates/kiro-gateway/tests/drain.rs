//! The server stops: what is open is finished, or ended in the dialect's way.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::time::Duration;

use http_body_util::BodyExt as _;
use kiro_gateway::ServerOptions;
use kiro_sim::{Matcher, Script, SimOptions};
use support::{House, KEY, SOON, streamed, whole};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[tokio::test]
async fn an_open_stream_is_finished_and_nobody_new_is_let_in() {
    let house = House::start().await;
    let pieces = ["a ", "b ", "c ", "d "];
    house.sim.script(
        Matcher::any(),
        Script::new()
            .text_slowly(&pieces, Duration::from_millis(100))
            .stop("END_TURN"),
    );
    let response = house.open_chat(&streamed("x")).await;
    house.stop();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&body);
    assert!(
        text.contains("d ") && text.ends_with("data: [DONE]\n\n"),
        "{text}"
    );
    let address = house.address;
    house.stopped().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn at_the_deadline_an_open_stream_says_goodbye() {
    let mut server = ServerOptions::default();
    server.drain = Duration::from_millis(100);
    let house = House::built(SimOptions::default(), support::client_tls(), server, |_| {}).await;
    house
        .sim
        .script(Matcher::any(), Script::new().text("One ").hang());
    let response = house.open_chat(&streamed("x")).await;
    house.stop();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&body);
    assert!(
        text.contains("shutting down") && text.ends_with("data: [DONE]\n\n"),
        "{text}"
    );
    assert!(!text.contains("\"finish_reason\":\"stop\""), "{text}");
    house.stopped().await;
}

#[tokio::test]
async fn at_the_deadline_an_answer_in_one_piece_becomes_a_503() {
    let mut server = ServerOptions::default();
    server.drain = Duration::from_millis(100);
    let house = House::built(SimOptions::default(), support::client_tls(), server, |_| {}).await;
    house
        .sim
        .script(Matcher::any(), Script::new().text("One ").hang());
    let response = {
        let request = whole("x");
        let asking = house.open_chat(&request);
        let streaming = house
            .sim
            .wait_until(|state| state.open_streams == 1, support::SOON);
        let mut asking = std::pin::pin!(asking);
        tokio::select! {
            _ = &mut asking => panic!("there is no answer yet"),
            streaming = streaming => streaming.unwrap(),
        };
        house.stop();
        asking.await
    };
    assert_eq!(response.status(), 503);
    house.stopped().await;
}

/// Longer than any test takes, so that nothing here happens because time has passed.
const NEVER: Duration = Duration::from_secs(600);

#[tokio::test]
async fn before_it_stops_accepting_it_says_that_it_is_not_ready_and_serves() {
    let mut server = ServerOptions::default();
    server.drain_delay = NEVER;
    let house = House::built(SimOptions::default(), support::client_tls(), server, |_| {}).await;
    assert_eq!(page(&house, "/readyz").await, (200, "ready".into()));
    assert_eq!(page(&house, "/health").await, (200, "ok".into()));
    house.stop();
    let red = async {
        while page(&house, "/readyz").await != (503, "draining".into()) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, red).await.unwrap();
    // It is alive, so nobody should kill it.
    assert_eq!(page(&house, "/health").await, (200, "draining".into()));
    assert_eq!(house.chat(&whole("x")).await.status, 200);
}

/// Status of a page, as HTTP and as the page itself says it.
async fn page(house: &House, path: &str) -> (u16, serde_json::Value) {
    let answer = house.get(path).await;
    (answer.status.as_u16(), answer.json()["status"].clone())
}

#[tokio::test]
async fn who_has_connected_in_time_is_served_although_the_request_comes_later() {
    let house = House::start().await;
    let body = whole("x").to_string();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    // Some are accepted, and some are not yet when it is asked to stop.
    let mut waiting = Vec::new();
    for _ in 0..20 {
        waiting.push(TcpStream::connect(house.address).await.unwrap());
    }
    house.stop();
    let closed = async { while TcpStream::connect(house.address).await.is_ok() {} };
    tokio::time::timeout(SOON, closed).await.unwrap();
    for stream in &mut waiting {
        stream.write_all(request.as_bytes()).await.unwrap();
    }
    for mut stream in waiting {
        let mut answer = String::new();
        // It is closed behind the answer.
        let read = stream.read_to_string(&mut answer);
        tokio::time::timeout(SOON, read).await.unwrap().unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    house.stopped().await;
}

#[tokio::test]
async fn a_hundred_streams_are_finished_within_the_drain() {
    let house = House::start().await;
    for _ in 0..100 {
        house.sim.script(
            Matcher::any(),
            Script::new()
                .text_slowly(&["a ", "b ", "c "], Duration::from_millis(100))
                .stop("END_TURN"),
        );
    }
    let mut open = Vec::new();
    for _ in 0..100 {
        open.push(house.open_chat(&streamed("x")).await);
    }
    house.stop();
    for response in open {
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&body);
        assert!(text.contains("c ") && text.ends_with("data: [DONE]\n\n"));
    }
    house.stopped().await;
}
