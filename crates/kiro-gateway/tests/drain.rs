//! The server stops: what is open is finished, or ended in the dialect's way.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::time::Duration;

use http_body_util::BodyExt as _;
use kiro_gateway::ServerOptions;
use kiro_sim::{Matcher, Script, SimOptions};
use support::{House, streamed, whole};

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
