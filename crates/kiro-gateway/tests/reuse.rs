//! Upstream connections are reused, and replaced when they have died.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use kiro_sim::{Matcher, Script, SimOptions};
use support::{House, whole};

#[tokio::test]
async fn a_hundred_requests_in_a_row_make_at_most_two_handshakes() {
    let (server, client) = support::self_signed();
    let mut sim = SimOptions::default();
    sim.tls = Some(server);
    let house = House::built(sim, client, Default::default(), |_| {}).await;
    house
        .sim
        .script(Matcher::any(), Script::new().text("ok").stop("END_TURN"));
    for _ in 0..50 {
        assert_eq!(house.chat(&whole("x")).await.status, 200);
        assert_eq!(house.chat(&support::streamed("x")).await.status, 200);
    }
    let connections = house.sim.connections();
    // One for the token, one for all the rest.
    assert!(connections.tls_handshakes <= 2, "{connections:?}");
}

#[tokio::test]
async fn a_connection_that_the_upstream_closed_is_replaced_unnoticed() {
    let house = House::start().await;
    house
        .sim
        .script(Matcher::any(), Script::new().text("ok").stop("END_TURN"));
    for _ in 0..5 {
        assert_eq!(house.chat(&whole("x")).await.status, 200);
        house.sim.close_idle_connections();
    }
    assert_eq!(
        house.sim.requests_for(kiro_sim::Operation::Generate).len(),
        5,
        "none was sent twice"
    );
}
