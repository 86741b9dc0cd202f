//! How long is waited, and how often something is tried again.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::time::Duration;

use http::{HeaderValue, Method};
use kiro_sim::{Matcher, Operation, Script};
use serde_json::{Value, json};
use support::{Answer, House, streamed, whole};

async fn ask_with(house: &House, body: &Value, timeouts: &'static str) -> Answer {
    let mut request = house.request(Method::POST, "/v1/chat/completions", body.to_string());
    let timeouts = HeaderValue::from_static(timeouts);
    request.headers_mut().insert("x-gateway-timeouts", timeouts);
    house.ask(request).await
}

fn message(answer: &Answer) -> String {
    let body = answer.json();
    body["error"]["message"].as_str().unwrap().to_owned()
}

/// A house whose upstream is tried once.
async fn impatient() -> House {
    House::with(Default::default(), |options| {
        options.upstream.max_retries = 0
    })
    .await
}

#[tokio::test]
async fn a_request_lowers_each_of_its_limits() {
    let house = impatient().await;
    let slow = || {
        Script::new()
            .text("One ")
            .silence(Duration::from_secs(60))
            .text("two.")
    };
    house
        .sim
        .script(Matcher::any().text_contains("never"), Script::new().hang());
    house
        .sim
        .script(Matcher::any().text_contains("slowly"), slow());

    let answer = ask_with(&house, &whole("never"), "first_event=0.2").await;
    assert_eq!(answer.status, 504);
    let answer = ask_with(&house, &whole("slowly"), "gap=0.2").await;
    assert_eq!(answer.status, 504);
    let answer = ask_with(&house, &whole("slowly"), "total=0.3").await;
    assert_eq!(answer.status, 504);
    assert!(
        message(&answer).contains("0.3 seconds"),
        "{:?}",
        answer.body
    );
    for limit in ["gap=0.2", "total=0.3"] {
        let answer = ask_with(&house, &streamed("slowly"), limit).await;
        assert_eq!(answer.status, 200);
        let data = answer.data();
        assert!(
            data.iter().any(|line| line.contains("\"error\"")),
            "{data:?}"
        );
        assert!(answer.finish_reasons().is_empty());
    }
    let answer = ask_with(&house, &whole("hi"), "gap=soon").await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn a_brown_out_is_not_amplified_and_a_dead_host_is_left_alone() {
    let house = House::start().await;
    let down = json!({"__type": "InternalServerException", "message": "Internal error."});
    house
        .sim
        .script(Matcher::any(), Script::new().http_error(500, down, None));
    for _ in 0..40 {
        let answer = house.chat(&whole("hi")).await;
        assert!(
            [502, 503].contains(&answer.status.as_u16()),
            "{:?}",
            answer.body
        );
    }
    let sent = house.sim.requests_for(Operation::Generate).len();
    assert!(sent <= 12, "{sent} attempts for 40 requests");
    let answer = house.chat(&whole("hi")).await;
    assert_eq!(answer.status, 503);
    let after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&after), "{after}");
    assert!(message(&answer).contains("left alone"), "{:?}", answer.body);
    let metrics = house.get("/metrics").await;
    let metrics = std::str::from_utf8(&metrics.body).unwrap();
    assert!(
        metrics.contains("kiro_gateway_hosts_left_alone 1\n"),
        "{metrics}"
    );
}

#[tokio::test]
async fn what_the_request_or_the_account_is_to_blame_for_does_not_stop_the_others() {
    let house = House::start().await;
    let refusal = json!({"__type": "ValidationException", "message": "Improperly formed request.", "reason": null});
    let bad = Matcher::any().text_contains("bad");
    house
        .sim
        .script(bad, Script::new().http_error(400, refusal, None));
    for _ in 0..15 {
        assert_eq!(house.chat(&whole("bad")).await.status, 400);
    }
    assert_eq!(house.sim.requests_for(Operation::Generate).len(), 15);
    assert_eq!(house.chat(&whole("good")).await.status, 200);
}

#[tokio::test]
async fn the_limits_of_a_model_follow_its_pace_and_can_be_seen() {
    let house = House::start().await;
    for _ in 0..21 {
        assert_eq!(house.chat(&whole("sim:echo Hi")).await.status, 200);
    }
    let page = house.get("/metrics").await;
    assert_eq!(page.status, 200);
    let kind = page.header("content-type").unwrap();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    let text = std::str::from_utf8(&page.body).unwrap();
    let first = "kiro_gateway_first_event_timeout_seconds{model=\"claude-sonnet-4.5\"} 30.0\n";
    assert!(text.contains(first), "{text}");
    let gap = "kiro_gateway_gap_timeout_seconds{model=\"claude-sonnet-4.5\"} 120.0\n";
    assert!(text.contains(gap), "{text}");
    assert!(text.contains("kiro_gateway_exchanges_total 21\n"), "{text}");
    assert!(text.ends_with("# EOF\n"), "{text}");
}
