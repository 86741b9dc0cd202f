//! A broken upstream becomes a proper error, never a normal end.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::time::Duration;

use kiro_sim::{Matcher, Script};
use serde_json::{Value, json};
use support::{Answer, House, streamed, whole};

/// The error event of a stream that broke after its first event; checks that nothing looks like an end.
fn broken_off(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.finish_reasons(),
        Vec::<String>::new(),
        "no fake finish"
    );
    let chunks = answer.chunks();
    let last = chunks.last().unwrap();
    assert!(
        last.get("choices").is_none(),
        "an error and nothing else: {last}"
    );
    last["error"].clone()
}

#[tokio::test]
async fn every_way_to_break_after_the_first_event_ends_in_one_error_event() {
    let house = House::start().await;
    let begun = || Script::new().text("The first half ");
    let throttled =
        json!({"message": "Too many requests.", "reason": "USER_REQUEST_RATE_EXCEEDED"});
    for (name, script) in [
        ("cut", begun().cut()),
        ("reset", begun().reset()),
        ("cut inside a frame", begun().cut_inside_frame()),
        ("end inside a frame", begun().end_inside_frame()),
        ("message checksum", begun().bad_message_crc()),
        ("prelude checksum", begun().bad_prelude_crc()),
        ("lying length", begun().lying_length()),
        ("no stop reason", begun().no_stop()),
        (
            "exception",
            begun().fault_frame("throttlingError", throttled),
        ),
        ("error frame", begun().error_frame("500", "boom")),
    ] {
        let house = if name == "exception" {
            &House::start().await
        } else {
            &house
        };
        house
            .sim
            .script(Matcher::once().text_contains(name), script);
        let answer = house.chat(&streamed(name)).await;
        let error = broken_off(&answer);
        assert!(!error["message"].as_str().unwrap().is_empty(), "{name}");
        assert_eq!(
            answer.streamed_text(),
            "The first half ",
            "{name}: what came before is kept"
        );
        let tries = house.sim.requests_for(kiro_sim::Operation::Generate);
        let tries = tries
            .iter()
            .filter(|sent| sent.json().to_string().contains(name))
            .count();
        assert_eq!(tries, 1, "{name}: no second attempt after the commit point");
    }
}

#[tokio::test]
async fn the_same_in_one_piece_is_a_proper_status() {
    let house = House::start().await;
    house
        .sim
        .script(Matcher::any(), Script::new().text("The first half ").cut());
    let answer = house.chat(&whole("x")).await;
    assert_eq!(answer.status, 502);
    assert_eq!(answer.json()["error"]["code"], "upstream_error");
}

#[tokio::test]
async fn an_exception_before_any_content_is_a_proper_status() {
    let house = House::start().await;
    let fault = json!({"message": "Too many requests.", "reason": "USER_REQUEST_RATE_EXCEEDED"});
    house.sim.script(
        Matcher::any(),
        Script::new().fault_frame("throttlingError", fault),
    );
    let answer = house.chat(&streamed("x")).await;
    assert_eq!(
        (
            answer.status.as_u16(),
            answer.json()["error"]["code"].as_str()
        ),
        (429, Some("rate_limit_exceeded"))
    );
}

#[tokio::test]
async fn a_context_that_overflows_in_the_middle_is_told_with_its_sizes() {
    let house = House::start().await;
    let fault =
        json!({"message": "Input is too long.", "reason": "CONTENT_LENGTH_EXCEEDS_THRESHOLD"});
    let script = Script::new().text("The first half ");
    house.sim.script(
        Matcher::any(),
        script.fault_frame("ValidationException", fault),
    );
    let error = broken_off(&house.chat(&streamed("x")).await);
    assert_eq!(error["code"], "context_length_exceeded");
    assert_eq!(error["param"], "messages");
    assert_eq!(
        error["message"],
        "This model's maximum context length is 200000 tokens. However, your messages resulted in 200001 tokens. Please reduce the length of the messages."
    );
    let answer = house.chat(&whole("x")).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["error"], error);
}

#[tokio::test]
async fn what_passes_by_itself_is_tried_again_before_the_commit_point() {
    for (name, script) in [
        ("500", Script::new().http_error(500, json!({}), None)),
        (
            "no capacity",
            Script::new().http_error(429, json!({"reason": "INSUFFICIENT_MODEL_CAPACITY"}), None),
        ),
        ("empty", Script::new().empty()),
        ("html", Script::new().html_200()),
        ("cut before the head", Script::new().cut_before_head()),
    ] {
        let house = House::start().await;
        house.sim.script(Matcher::once(), script);
        house.sim.script(
            Matcher::any(),
            Script::new().text("At last.").stop("END_TURN"),
        );
        let answer = house.chat(&streamed("x")).await;
        assert_eq!(answer.status, 200, "{name}");
        assert_eq!(answer.streamed_text(), "At last.", "{name}");
    }
}

#[tokio::test]
async fn a_mistake_of_the_caller_is_sent_once() {
    for refusal in [
        json!({"message": "Improperly formed request.", "reason": null}),
        json!({"message": "Something new about profileArn.", "reason": "NEVER_SEEN"}),
        json!({"message": "Invalid tool use format.", "reason": "REQUEST_BODY_INVALID"}),
        json!({"message": "Input is too long.", "reason": "CONTENT_LENGTH_EXCEEDS_THRESHOLD"}),
    ] {
        let house = House::start().await;
        let refused = Script::new().http_error(400, refusal.clone(), None);
        house.sim.script(Matcher::any(), refused);
        assert_eq!(house.chat(&whole("x")).await.status, 400, "{refusal}");
        let sent = house.sim.requests_for(kiro_sim::Operation::Generate);
        assert_eq!(sent.len(), 1, "{refusal}");
    }
}

#[tokio::test]
async fn a_silent_upstream_is_a_504_and_a_stalled_stream_an_error_event() {
    let house = House::with(Default::default(), |options| {
        options.timeouts.first_event = Duration::from_millis(200);
        options.timeouts.gap = Duration::from_millis(300);
        options.upstream.max_retries = 0;
    })
    .await;
    house.sim.script(
        Matcher::any().text_contains("before"),
        Script::new().hang_before_head(),
    );
    house.sim.script(
        Matcher::any().text_contains("middle"),
        Script::new().text("One ").hang(),
    );
    let answer = house.chat(&streamed("before")).await;
    assert_eq!(
        (
            answer.status.as_u16(),
            answer.json()["error"]["code"].as_str()
        ),
        (504, Some("upstream_timeout"))
    );
    assert_eq!(
        broken_off(&house.chat(&streamed("middle")).await)["code"],
        "upstream_timeout"
    );
    assert_eq!(house.chat(&whole("middle")).await.status, 504);
}

#[tokio::test]
async fn who_does_not_wait_for_long_is_told_before_they_give_up() {
    let house = House::start().await;
    house
        .sim
        .script(Matcher::any(), Script::new().text("One ").hang());
    let body = whole("x").to_string();
    let mut request = house.request(http::Method::POST, "/v1/chat/completions", body);
    let announced = http::HeaderValue::from_static("1.6");
    request
        .headers_mut()
        .insert("x-stainless-read-timeout", announced);
    let answer = house.ask(request).await;
    assert_eq!(answer.status, 504);
    assert_eq!(answer.json()["error"]["code"], "upstream_timeout");
    house
        .sim
        .wait_until(|state| state.cancelled_streams == 1, support::SOON)
        .await
        .unwrap();
}

#[tokio::test]
async fn keep_alives_flow_while_a_model_thinks_and_spoil_nothing() {
    let house = House::with(Default::default(), |options| {
        options.timeouts.patience = Duration::from_millis(100);
        options.timeouts.keep_alive = Duration::from_millis(100);
    })
    .await;
    house.sim.script(
        Matcher::any(),
        Script::new()
            .silence(Duration::from_secs(1))
            .text("Done.")
            .stop("END_TURN"),
    );
    let answer = house.chat(&streamed("think")).await;
    let chunks = answer.chunks();
    let silent = chunks.iter().filter(|chunk| {
        chunk["choices"][0]["delta"] == json!({}) && chunk["choices"][0]["finish_reason"].is_null()
    });
    assert!(silent.count() >= 3, "{chunks:#?}");
    assert_eq!(
        (
            answer.streamed_text().as_str(),
            answer.finish_reasons().len()
        ),
        ("Done.", 1)
    );
}

#[tokio::test]
async fn attempts_that_take_longer_than_a_gap_are_neither_cut_nor_drowned_in_keep_alives() {
    let house = House::with(Default::default(), |options| {
        options.timeouts.patience = Duration::from_millis(20);
        options.timeouts.gap = Duration::from_millis(50);
    })
    .await;
    let late = Script::new()
        .delay(Duration::from_millis(500))
        .text("Done.")
        .stop("END_TURN");
    house.sim.script(Matcher::any(), late);
    let answer = house.chat(&streamed("think")).await;
    assert_eq!(answer.streamed_text(), "Done.");
    assert_eq!(answer.chunks().len(), 3, "role, text, finish");
}

#[tokio::test]
async fn after_the_patience_a_refusal_is_in_the_stream() {
    let house = House::with(Default::default(), |options| {
        options.timeouts.patience = Duration::from_millis(50)
    })
    .await;
    let improper = json!({"message": "Improperly formed request.", "reason": null});
    house.sim.script(
        Matcher::any(),
        Script::new()
            .delay(Duration::from_millis(300))
            .http_error(400, improper, None),
    );
    let error = broken_off(&house.chat(&streamed("x")).await);
    assert_eq!(error["type"], "invalid_request_error");
}

#[tokio::test]
async fn an_upstream_that_is_gone_is_a_502() {
    let house = House::with(Default::default(), |options| {
        options.upstream.endpoint = Some("http://127.0.0.1:1".parse().unwrap());
        options.upstream.max_retries = 0;
    })
    .await;
    let answer = house.chat(&whole("x")).await;
    assert_eq!(
        (
            answer.status.as_u16(),
            answer.json()["error"]["code"].as_str()
        ),
        (502, Some("upstream_error"))
    );
    assert_eq!(
        house.get("/health").await.json()["upstream"]["state"],
        "unreachable"
    );
}
