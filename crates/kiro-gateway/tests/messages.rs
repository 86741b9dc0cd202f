//! `/v1/messages` and its neighbours, over HTTP.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::time::Duration;

use anthropic_types::Event;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use kiro_sim::{Matcher, Operation, Script, SimOptions};
use serde_json::{Value, json};
use support::{Answer, House, KEY, SOON, with};

const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

fn asking(text: &str) -> Value {
    json!({"model": "claude-sonnet-4-5", "max_tokens": 1000, "messages": [{"role": "user", "content": text}]})
}

fn streamed(text: &str) -> Value {
    with(asking(text), json!({"stream": true}))
}

fn weather() -> Value {
    let schema =
        json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    json!([{"name": "get_weather", "description": "The weather", "input_schema": schema}])
}

fn post(house: &House, path: &str, body: &Value) -> Request<Full<bytes::Bytes>> {
    let mut request = house.request(Method::POST, path, body.to_string());
    let headers = request.headers_mut();
    headers.insert("anthropic-version", "2023-06-01".parse().unwrap());
    headers.insert("anthropic-beta", "a-2026-01-01, b".parse().unwrap());
    request
}

async fn ask(house: &House, body: &Value) -> Answer {
    house.ask(post(house, "/v1/messages?beta=true", body)).await
}

/// The events of a stream.
fn events(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let text = std::str::from_utf8(&answer.body).unwrap();
    let written = text.split_terminator("\n\n");
    let events = written.map(|event| {
        let (name, data) = event.split_once('\n').unwrap();
        let data = data.strip_prefix("data: ").unwrap();
        let typed: Event<'_> = serde_json::from_str(data).unwrap();
        assert_eq!(name, format!("event: {}", typed.kind));
        serde_json::from_str(data).unwrap()
    });
    events.collect()
}

fn joined(events: &[Value], member: &str) -> String {
    let deltas = events
        .iter()
        .filter_map(|event| event["delta"][member].as_str());
    deltas.collect()
}

fn error(answer: &Answer) -> (u16, String, String) {
    let body = answer.json();
    assert_eq!(body["type"], "error");
    assert_eq!(body["request_id"].as_str(), answer.header("request-id"));
    let member = |name: &str| body["error"][name].as_str().unwrap().to_owned();
    (answer.status.as_u16(), member("type"), member("message"))
}

#[tokio::test]
async fn an_answer_comes_whole_and_as_a_stream() {
    let house = House::start().await;
    let whole = ask(&house, &asking("sim:echo Hello there")).await;
    let message = whole.json();
    assert_eq!(
        message["content"],
        json!([{"type": "text", "text": "Hello there"}])
    );
    assert_eq!(message["stop_reason"], "end_turn");
    assert!(message["usage"]["input_tokens"].as_u64().unwrap() > 0);
    assert_eq!(whole.header("request-id"), whole.header("x-request-id"));

    let stream = ask(&house, &streamed("sim:echo Hello there")).await;
    let events = events(&stream);
    assert_eq!(events[0]["type"], "message_start");
    assert_eq!(joined(&events, "text"), "Hello there");
    let [.., delta, stop] = &events[..] else {
        panic!()
    };
    assert_eq!(delta["delta"]["stop_reason"], "end_turn");
    assert!(delta["usage"]["input_tokens"].as_u64().unwrap() > 0);
    assert_eq!(stop["type"], "message_stop");
}

#[tokio::test]
async fn every_way_to_the_route_and_every_key_is_taken() {
    let house = House::start().await;
    for path in [
        "/messages",
        "/v1/v1/messages/",
        "/anthropic/v1/messages",
        "/api/v1/messages?beta=true",
    ] {
        let answer = house.ask(post(&house, path, &asking("sim:echo Hi"))).await;
        assert_eq!(answer.status, 200, "{path}");
    }
    let mut request = post(&house, "/v1/messages", &asking("sim:echo Hi"));
    request.headers_mut().remove("authorization");
    request
        .headers_mut()
        .insert("x-api-key", KEY.parse().unwrap());
    request.headers_mut().remove("anthropic-version");
    assert_eq!(house.ask(request).await.status, 200);
}

#[tokio::test]
async fn what_claude_code_asks_first_is_answered_without_a_key() {
    let house = House::start().await;
    for (method, path) in [
        (Method::HEAD, "/"),
        (Method::GET, "/api/hello"),
        (Method::HEAD, "/api/hello"),
    ] {
        let mut request = house.request(method, path, "");
        request.headers_mut().remove("authorization");
        assert_eq!(house.ask(request).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn the_tool_loop_comes_to_an_answer() {
    let house = House::start().await;
    let request = with(
        asking("What is the weather in Paris?"),
        json!({"tools": weather()}),
    );
    let message = ask(&house, &request).await.json();
    assert_eq!(message["stop_reason"], "tool_use");
    let blocks = message["content"].as_array().unwrap();
    let call = blocks
        .iter()
        .find(|block| block["type"] == "tool_use")
        .unwrap();
    assert_eq!(call["input"], json!({"city": "Paris"}));

    let stream = events(&ask(&house, &with(request.clone(), json!({"stream": true}))).await);
    let input: Value = serde_json::from_str(&joined(&stream, "partial_json")).unwrap();
    assert_eq!(input, json!({"city": "Paris"}));

    let result = json!({"type": "tool_result", "tool_use_id": call["id"], "content": "18 degrees"});
    let mut messages = request["messages"].as_array().unwrap().clone();
    messages.push(json!({"role": "assistant", "content": blocks}));
    messages.push(json!({"role": "user", "content": [result]}));
    let last = ask(&house, &with(request, json!({"messages": messages})))
        .await
        .json();
    assert_eq!(last["stop_reason"], "end_turn");
    assert!(
        last["content"][0]["text"]
            .as_str()
            .unwrap()
            .contains("18 degrees"),
        "{last}"
    );
}

#[tokio::test]
async fn thoughts_come_with_a_signature_and_go_back_with_it() {
    let house = House::start().await;
    let thinking = json!({"thinking": {"type": "enabled", "budget_tokens": 2048}});
    let request = with(asking("sim:reasoning Why?"), thinking);
    let message = ask(&house, &request).await.json();
    let thoughts = &message["content"][0];
    assert_eq!(thoughts["type"], "thinking");
    let signature = thoughts["signature"].as_str().unwrap();
    assert!(!signature.is_empty());

    let stream = events(&ask(&house, &with(request.clone(), json!({"stream": true}))).await);
    assert_eq!(
        joined(&stream, "thinking"),
        thoughts["thinking"].as_str().unwrap()
    );
    assert!(!joined(&stream, "signature").is_empty());

    let mut messages = request["messages"].as_array().unwrap().clone();
    messages.push(json!({"role": "assistant", "content": message["content"]}));
    messages.push(json!({"role": "user", "content": "sim:echo And?"}));
    let again = ask(&house, &with(request, json!({"messages": messages}))).await;
    assert_eq!(again.status, 200, "{:?}", again.body);
    let sent = house.sim.requests_for(Operation::Generate);
    let sent = sent.last().unwrap().json().to_string();
    assert!(sent.contains(signature), "{sent}");
}

#[tokio::test]
async fn pictures_reach_the_model_from_messages_and_from_results() {
    let house = House::start().await;
    let image = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}});
    let mut request = asking("");
    request["messages"][0]["content"] = json!([{"type": "text", "text": "What is it?"}, image]);
    let said = ask(&house, &request).await.json()["content"][0]["text"].to_string();
    assert!(said.contains("png"), "{said}");

    let call = json!({"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {}});
    let result = json!({"type": "tool_result", "tool_use_id": "toolu_1", "content": [image]});
    let request = with(
        asking(""),
        json!({"tools": weather(), "messages": [
            {"role": "user", "content": "Look."},
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [result]},
        ]}),
    );
    assert_eq!(ask(&house, &request).await.status, 200);
    let sent = house.sim.requests_for(Operation::Generate);
    assert!(sent.last().unwrap().json().to_string().contains(PNG));
}

#[tokio::test]
async fn tokens_are_counted_without_asking_upstream() {
    let house = House::start().await;
    let count = async |body: &Value| {
        let answer = house
            .ask(post(&house, "/v1/messages/count_tokens", body))
            .await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        answer.json()["input_tokens"].as_u64().unwrap()
    };
    let mut body = json!({"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "foo"}], "tools": []});
    let few = count(&body).await;
    assert!((1..20).contains(&few), "{few}");
    body["tools"] = weather();
    let more = count(&body).await;
    assert!(more > few);
    body["system"] = json!("Be brief in what you say.");
    assert!(count(&body).await > more);
    body["model"] = json!("nobody-knows-it");
    assert!(count(&body).await > more);
    assert_eq!(house.sim.requests_for(Operation::Generate).len(), 0);

    let refused = house
        .ask(post(
            &house,
            "/v1/messages/count_tokens",
            &json!({"model": "m"}),
        ))
        .await;
    let (status, kind, message) = error(&refused);
    assert_eq!((status, &*kind), (400, "invalid_request_error"));
    assert_eq!(message, "messages: Field required");
    let mut request = house.request(Method::POST, "/v1/messages/count_tokens", "{}");
    request.headers_mut().remove("authorization");
    let refused = house.ask(request).await;
    assert_eq!(error(&refused).1, "authentication_error");
}

#[tokio::test]
async fn models_are_told_in_the_dialect_of_who_asks() {
    let house = House::start().await;
    let mut request = house.request(Method::GET, "/v1/models?limit=1000", "");
    request
        .headers_mut()
        .insert("anthropic-version", "2026-10-21".parse().unwrap());
    let list = house.ask(request).await.json();
    let typed: anthropic_types::ModelList = serde_json::from_value(list.clone()).unwrap();
    assert_eq!(serde_json::to_value(&typed).unwrap(), list);
    assert!(!typed.has_more && typed.first_id.is_some());
    assert!(typed.data[0].created_at.ends_with('Z'));
    assert_eq!(house.get("/v1/models").await.json()["object"], "list");

    let mut request = house.request(Method::GET, "/v1/models/claude-sonnet-4-5", "");
    request
        .headers_mut()
        .insert("anthropic-version", "2026-10-21".parse().unwrap());
    let model = house.ask(request).await.json();
    assert_eq!(
        (&model["type"], &model["id"]),
        (&json!("model"), &json!("claude-sonnet-4-5"))
    );
}

#[tokio::test]
async fn errors_are_in_the_words_of_the_api() {
    let house = House::start().await;
    for (directive, status, kind) in [
        ("sim:error=429,x", 429, "rate_limit_error"),
        ("sim:error=402,MONTHLY_REQUEST_COUNT", 402, "billing_error"),
    ] {
        let house = House::with(SimOptions::default(), |options| {
            options.upstream.max_retries = 0
        })
        .await;
        let answer = ask(&house, &asking(directive)).await;
        let (actual, class, message) = error(&answer);
        assert_eq!((actual, &*class), (status, kind), "{message}");
    }
    let mut request = post(&house, "/v1/messages", &asking("Hi"));
    request
        .headers_mut()
        .insert("authorization", "Bearer wrong".parse().unwrap());
    let refused = house.ask(request).await;
    assert_eq!(error(&refused).0, 401);
    assert_eq!(refused.header("x-should-retry"), Some("false"));

    let unknown = ask(&house, &with(asking("Hi"), json!({"model": "x"}))).await;
    let (status, kind, message) = error(&unknown);
    assert_eq!((status, &*kind), (404, "not_found_error"));
    assert!(message.starts_with("model: "), "{message}");

    let wrong = house.ask(post(&house, "/v1/nothing", &json!({}))).await;
    assert_eq!(error(&wrong).0, 404);
    let get = house.get("/v1/messages").await;
    assert_eq!(error(&get).0, 405);
}

#[tokio::test]
async fn a_conversation_that_is_too_long_is_told_with_both_numbers() {
    let house = House::start().await;
    let long = "word ".repeat(200_000);
    let (status, kind, message) = error(&ask(&house, &asking(&long)).await);
    assert_eq!((status, &*kind), (400, "invalid_request_error"));
    let numbers = message.strip_prefix("prompt is too long: ").unwrap();
    let (tokens, rest) = numbers.split_once(" tokens > ").unwrap();
    let maximum = rest.strip_suffix(" maximum").unwrap();
    assert!(tokens.parse::<u64>().unwrap() > maximum.parse::<u64>().unwrap());
}

#[tokio::test]
async fn a_stream_that_breaks_ends_with_an_error() {
    for directive in [
        "sim:cut",
        "sim:fault=ThrottlingException",
        "sim:bad-message-crc",
    ] {
        let house = House::start().await;
        let question = format!("{directive} sim:after=5 sim:tokens=100");
        let events = events(&ask(&house, &streamed(&question)).await);
        let last = events.last().unwrap();
        assert_eq!(last["type"], "error", "{directive}");
        assert!(last["request_id"].as_str().is_some_and(|id| !id.is_empty()));
        assert!(events.iter().all(|event| event["type"] != "message_stop"));
    }
}

#[tokio::test]
async fn silence_is_filled_with_pings() {
    let house = House::with(SimOptions::default(), |options| {
        options.timeouts.keep_alive = Duration::from_millis(50);
        options.timeouts.patience = Duration::from_millis(20);
    })
    .await;
    let script = Script::new()
        .silence(Duration::from_millis(300))
        .text("Here.");
    house.sim.script(Matcher::any(), script);
    let events = events(&ask(&house, &streamed("Hi")).await);
    let pings = events
        .iter()
        .filter(|event| event["type"] == "ping")
        .count();
    assert!(pings > 2, "{events:?}");
    assert_eq!(joined(&events, "text"), "Here.");
}

#[tokio::test]
async fn who_leaves_ends_the_upstreams_stream() {
    let house = House::start().await;
    let request = post(
        &house,
        "/v1/messages",
        &streamed("sim:tokens=5 sim:after=1 sim:hang"),
    );
    let mut response = house.send(request).await;
    assert_eq!(response.status(), StatusCode::OK);
    response.frame().await.unwrap().unwrap();
    drop(response);
    let ended = house
        .sim
        .wait_until(|state| state.cancelled_streams == 1, SOON);
    ended.await.unwrap();
}

#[tokio::test]
async fn a_tool_is_forced_and_an_answer_in_json_is_checked() {
    let house = House::start().await;
    let choice = json!({"tools": weather(), "tool_choice": {"type": "any"}});
    let message = ask(&house, &with(asking("Hello"), choice)).await.json();
    assert_eq!(message["stop_reason"], "tool_use");

    let house = House::start().await;
    for answer in ["Well.", "```json\n{\"title\": \"x\"}\n```"] {
        house
            .sim
            .script(Matcher::once(), Script::new().text(answer));
    }
    let schema = json!({"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]});
    let format = json!({"output_config": {"format": {"type": "json_schema", "schema": schema}}});
    let message = ask(&house, &with(asking("A title"), format)).await.json();
    assert_eq!(message["content"][0]["text"], "{\"title\": \"x\"}");
}

#[tokio::test]
async fn thoughts_that_another_has_signed_are_left_out_and_not_refused() {
    let house = House::start().await;
    let refusal = json!({"message": "Invalid signature in thinking block", "reason": "THINKING_SIGNATURE_INVALID"});
    let script = Script::new().http_error(400, refusal, None);
    house
        .sim
        .script(Matcher::any().body_contains("Rm9yZWlnbg=="), script);
    let thoughts = json!({"type": "thinking", "thinking": "Hm.", "signature": "Rm9yZWlnbg=="});
    let mut request = asking("Hi");
    request["messages"] = json!([
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [thoughts, {"type": "text", "text": "So."}]},
        {"role": "user", "content": "sim:echo And?"},
    ]);
    let answer = ask(&house, &request).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let sent = house.sim.requests_for(Operation::Generate);
    assert_eq!(sent.len(), 2);
    let last = sent.last().unwrap().json().to_string();
    assert!(
        last.contains("So.") && !last.contains("Rm9yZWlnbg=="),
        "{last}"
    );
}
