//! Limits of keys, of callers and of the whole gateway: what is over them is refused in the caller's words with
//! a time to come back, before it costs anything, and the rest is served.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use kiro_auth::Secret;
use kiro_gateway::{AccessKey, GatewayOptions, KeyDigest, ProcessState, ServerOptions};
use kiro_sim::{Matcher, Operation, Script, SimOptions};
use serde_json::json;
use support::{Answer, House, KEY, client_tls, streamed, whole};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

async fn house(change: impl FnOnce(&mut GatewayOptions)) -> House {
    House::with(SimOptions::default(), change).await
}

/// Posts a question with a key, in either dialect.
async fn post(house: &House, path: &str, key: &str, body: &serde_json::Value) -> Answer {
    house.ask(posted(house, path, key, body)).await
}

fn posted(house: &House, path: &str, key: &str, body: &serde_json::Value) -> Request<Full<Bytes>> {
    let mut request = house.request(Method::POST, path, body.to_string());
    let bearer = format!("Bearer {key}").parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    request
}

fn message(text: &str) -> serde_json::Value {
    json!({"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": [{"role": "user", "content": text}]})
}

fn served(house: &House) -> usize {
    house.sim.requests_for(Operation::Generate).len()
}

/// A refusal with a time to come back.
fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{:?}", answer.body);
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds));
    let error = &answer.json()["error"];
    let said = error["code"].as_str().or(error["type"].as_str());
    assert_eq!(said, Some(code), "{error}");
}

#[tokio::test]
async fn requests_over_the_rate_are_refused_in_the_callers_words() {
    let house = house(|options| options.limits.requests_per_minute = NonZeroU32::new(2)).await;
    for remaining in ["1", "0"] {
        let answer = house.chat(&whole("hi")).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-ratelimit-limit-requests"), Some("2"));
        let left = answer.header("x-ratelimit-remaining-requests");
        assert_eq!(left, Some(remaining));
        let reset = answer.header("x-ratelimit-reset-requests").unwrap();
        assert!(reset.ends_with('s'), "{reset}");
        assert_eq!(answer.header("x-ratelimit-limit-tokens"), None);
    }
    for path in ["/v1/chat/completions", "/v1/responses"] {
        let answer = post(&house, path, KEY, &whole("hi")).await;
        refused(&answer, 429, "rate_limit_exceeded");
        let said = answer.json()["error"]["message"].to_string();
        assert!(said.contains("the key `default`") && said.contains("2 requests per minute"));
        assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some("0"));
    }
    let answer = post(&house, "/v1/messages", KEY, &message("hi")).await;
    refused(&answer, 429, "rate_limit_error");
    let left = answer.header("anthropic-ratelimit-requests-remaining");
    assert_eq!(left, Some("0"));
    let reset = answer.header("anthropic-ratelimit-requests-reset").unwrap();
    assert!(reset.ends_with('Z') && reset.len() == 20, "{reset}");
    assert_eq!(answer.header("x-ratelimit-limit-requests"), None);
    assert_eq!(served(&house), 2, "what is refused costs nothing");
    // What needs no model is not counted, and not limited.
    assert_eq!(house.get("/v1/models").await.status, 200);
    let counted = post(&house, "/v1/messages/count_tokens", KEY, &message("hi")).await;
    assert_eq!(counted.status, 200);
}

#[tokio::test]
async fn keys_have_limits_of_their_own_and_one_without_has_no_headers() {
    let (team, guests) = ("k2a_0123456789abcdef", "k2a_fedcba9876543210");
    let house = house(|options| {
        let key = |name, key| AccessKey::new(name, KeyDigest::of(&Secret::from(key)));
        let mut limited = key("team", team);
        limited.limits.requests_per_minute = NonZeroU32::new(1);
        let mut of_callers = key("guests", guests);
        of_callers.tenant_limits.requests_per_minute = NonZeroU32::new(1);
        options.keys = vec![limited, of_callers];
    })
    .await;
    let ask = async |key: &str| {
        let answer = post(&house, "/v1/chat/completions", key, &whole("hi")).await;
        let has_headers = answer.header("x-ratelimit-limit-requests").is_some();
        (answer.status.as_u16(), has_headers)
    };
    assert_eq!(ask(team).await, (200, true));
    assert_eq!(ask(team).await, (429, true));
    assert_eq!(ask(KEY).await, (200, false));
    // Each caller has the limit, whoever else comes with the same key.
    let login = || house.sim.issue_social().refresh_token.unwrap();
    let (one, other) = (login(), login());
    assert_eq!(ask(&format!("{guests}:{one}")).await, (200, true));
    assert_eq!(ask(&format!("{guests}:{one}")).await, (429, true));
    assert_eq!(ask(&format!("{guests}:{other}")).await, (200, true));
    // However they write their login, and whatever they send beside it.
    for members in [
        json!({"refreshToken": one}),
        json!({"refreshToken": one, "extra": 1}),
        json!({"refreshToken": other, "accessToken": "made-up-000000000000"}),
    ] {
        let login = URL_SAFE_NO_PAD.encode(members.to_string());
        assert_eq!(
            ask(&format!("{guests}:{login}")).await,
            (429, true),
            "{members}"
        );
    }
    assert_eq!(ask(guests).await, (200, false));
    assert_eq!(ask("k2a_0123456789abcdeF").await, (401, false));
}

#[tokio::test]
async fn tokens_are_counted_when_the_answer_has_ended() {
    let house = house(|options| options.limits.tokens_per_minute = NonZeroU64::new(100)).await;
    let script = Script::new().text("word ".repeat(400));
    house.sim.script(Matcher::any(), script);
    let answer = house.chat(&whole("hi")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-ratelimit-limit-tokens"), Some("100"));
    // The answer was longer than all of it.
    let left = answer.header("x-ratelimit-remaining-tokens");
    assert_eq!(left, Some("0"));
    refused(&house.chat(&whole("hi")).await, 429, "rate_limit_exceeded");
    assert_eq!(served(&house), 1);
}

#[tokio::test]
async fn a_prompt_is_counted_before_it_is_sent_and_given_back_when_it_fails() {
    let house = house(|options| options.limits.tokens_per_minute = NonZeroU64::new(1_000)).await;
    let long = whole(&"word ".repeat(900));
    house.sim.script(Matcher::any(), Script::new().hang());
    let waits = tokio::spawn({
        let address = house.address;
        let body = long.to_string();
        async move { raw(address, "/v1/chat/completions", &body).await }
    });
    let open = house
        .sim
        .wait_until(|state| state.open_streams == 1, support::SOON);
    open.await.unwrap();
    let answer = house.chat(&long).await;
    refused(&answer, 429, "rate_limit_exceeded");
    let said = answer.json()["error"]["message"].to_string();
    assert!(said.contains("1000 tokens per minute"), "{said}");
    drop(waits.await.unwrap());
    let left = house
        .sim
        .wait_until(|state| state.open_streams == 0, support::SOON);
    left.await.unwrap();
    house.sim.clear_scripts();
    assert_eq!(house.chat(&long).await.status, 200, "nothing came of it");
}

/// Sends a request on a connection of its own.
async fn raw(address: std::net::SocketAddr, path: &str, body: &str) -> TcpStream {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all((head + body).as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn a_budget_of_credits_is_a_quota() {
    let house = house(|options| options.limits.credits_per_day = Some(0.3)).await;
    let script = Script::new().text("hi").credits(0.2);
    house.sim.script(Matcher::any(), script);
    assert_eq!(house.chat(&whole("hi")).await.status, 200);
    // In a stream the price comes last.
    let answer = house.open_chat(&streamed("hi")).await;
    answer.into_body().collect().await.unwrap();
    let answer = house.chat(&whole("hi")).await;
    refused(&answer, 429, "insufficient_quota");
    assert_eq!(answer.header("x-should-retry"), Some("false"));
    let answer = post(&house, "/v1/messages", KEY, &message("hi")).await;
    refused(&answer, 402, "billing_error");
    assert_eq!(served(&house), 2);
}

/// Opens streams that do not end.
async fn hold(house: &House, count: u64) -> Vec<http::Response<hyper::body::Incoming>> {
    let script = || Script::new().text("One ").hang();
    house
        .sim
        .script(Matcher::any().text_contains("hold"), script());
    let mut held = Vec::new();
    for _ in 0..count {
        let answer = house.open_chat(&streamed("hold")).await;
        assert_eq!(answer.status(), 200);
        held.push(answer);
    }
    held
}

#[tokio::test]
async fn a_key_has_so_many_exchanges_at_the_same_time_and_gets_each_back() {
    let house = house(|options| options.limits.concurrency = NonZeroUsize::new(2)).await;
    let mut held = hold(&house, 2).await;
    for stream in [whole("hi"), streamed("hi")] {
        let answer = house.chat(&stream).await;
        refused(&answer, 429, "rate_limit_exceeded");
    }
    // Who leaves makes room.
    drop(held.pop());
    let left = house
        .sim
        .wait_until(|state| state.open_streams == 1, support::SOON);
    left.await.unwrap();
    for _ in 0..3 {
        assert_eq!(house.chat(&whole("hi")).await.status, 200);
    }
}

#[tokio::test]
async fn who_waits_in_the_queue_is_served_when_a_place_is_free() {
    let house = house(|options| {
        options.limits.concurrency = NonZeroUsize::new(1);
        options.limits.queue = 1;
    })
    .await;
    let held = hold(&house, 1).await;
    let question = whole("hi");
    let one = std::pin::pin!(house.chat(&question));
    let other = std::pin::pin!(house.chat(&question));
    // Whichever came first waits, and the other is refused.
    let (first, waits) = futures_util::future::select(one, other)
        .await
        .factor_first();
    refused(&first, 429, "rate_limit_exceeded");
    drop(held);
    assert_eq!(waits.await.status, 200);
}

#[tokio::test]
async fn four_times_too_much_is_shed_and_the_rest_is_served() {
    let house = house(|options| {
        options.admission.max_exchanges = NonZeroUsize::new(3);
        options.admission.queue = 0;
    })
    .await;
    let held = hold(&house, 3).await;
    for n in 0..9 {
        match n % 3 {
            0 => {
                let answer = house.chat(&whole("more")).await;
                refused(&answer, 503, "server_is_overloaded");
            }
            1 => {
                let answer = post(&house, "/v1/messages", KEY, &message("more")).await;
                refused(&answer, 529, "overloaded_error");
            }
            _ => {
                let path = "/v1/messages/count_tokens";
                let answer = post(&house, path, KEY, &message("more")).await;
                refused(&answer, 529, "overloaded_error");
            }
        }
    }
    assert_eq!(served(&house), 3, "what is shed reaches nobody");
    assert_eq!(house.get("/health").await.status, 200);
    let wrong = post(&house, "/v1/chat/completions", "wrong", &whole("x")).await;
    assert_eq!(
        wrong.status, 401,
        "who has no key learns nothing of the load"
    );
    drop(held);
    let free = house
        .sim
        .wait_until(|state| state.open_streams == 0, support::SOON);
    free.await.unwrap();
    assert_eq!(house.chat(&whole("again")).await.status, 200);
}

#[tokio::test]
async fn a_body_without_memory_for_it_is_not_read() {
    let house = house(|options| {
        options.max_body = 64 << 10;
        options.admission.max_body_memory = 64 << 10;
    })
    .await;
    let large = "x".repeat(40 << 10);
    house.sim.script(Matcher::any(), Script::new().hang());
    let held = raw(
        house.address,
        "/v1/chat/completions",
        &whole(&large).to_string(),
    )
    .await;
    let open = house
        .sim
        .wait_until(|state| state.open_streams == 1, support::SOON);
    open.await.unwrap();
    // It is announced and not sent, so it is refused by its head alone.
    let mut announced = TcpStream::connect(house.address).await.unwrap();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: 40000\r\nexpect: 100-continue\r\n\r\n"
    );
    announced.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    let read = announced.read_exact(&mut answer);
    let read = tokio::time::timeout(support::SOON, read).await;
    read.unwrap().unwrap();
    assert_eq!(answer, b"HTTP/1.1 503");
    let answer = house.chat(&whole(&large)).await;
    refused(&answer, 503, "server_is_overloaded");
    drop(held);
    let left = house
        .sim
        .wait_until(|state| state.open_streams == 0, support::SOON);
    left.await.unwrap();
    // Once the service answers, the conversation is gone and its memory is free.
    house.sim.clear_scripts();
    let script = Script::new().text("One ").hang();
    house.sim.script(Matcher::any(), script);
    let one = house.open_chat(&streamed(&large)).await;
    let other = house.open_chat(&streamed(&large)).await;
    assert_eq!(
        (one.status(), other.status()),
        (http::StatusCode::OK, http::StatusCode::OK)
    );
}

#[tokio::test]
async fn who_only_waits_is_nobody_who_could_make_room_in_memory() {
    let process = Arc::new(ProcessState::default());
    let house = house(|options| {
        options.process = process.clone();
        options.limits.concurrency = NonZeroUsize::new(1);
        options.limits.queue = 2;
    })
    .await;
    let held = hold(&house, 1).await;
    let question = whole("hi");
    let asks = (0..3).map(|_| Box::pin(house.chat(&question)));
    // Whichever came last is refused, and the others wait.
    let (refusal, _, waiting) = futures_util::future::select_all(asks).await;
    refused(&refusal, 429, "rate_limit_exceeded");
    process.set_short_of_memory(true);
    drop(held);
    for answer in futures_util::future::join_all(waiting).await {
        assert_eq!(answer.status, 200, "{:?}", answer.body);
    }
}

#[tokio::test]
async fn a_count_of_tokens_takes_memory_like_the_rest() {
    let process = Arc::new(ProcessState::default());
    let house = house(|options| options.process = process.clone()).await;
    let mut counts = TcpStream::connect(house.address).await.unwrap();
    let body = message("hi").to_string();
    let head = format!(
        "POST /v1/messages/count_tokens HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: {}\r\nconnection: close\r\nexpect: 100-continue\r\n\r\n",
        body.len()
    );
    counts.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    let read = counts.read_exact(&mut answer);
    let read = tokio::time::timeout(support::SOON, read).await;
    read.unwrap().unwrap();
    assert_eq!(answer, b"HTTP/1.1 100", "its body is asked for");
    process.set_short_of_memory(true);
    for path in ["/v1/messages/count_tokens", "/v1/messages"] {
        let answer = post(&house, path, KEY, &message("hi")).await;
        refused(&answer, 529, "overloaded_error");
    }
    counts.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = counts.read_to_string(&mut answer);
    let read = tokio::time::timeout(support::SOON, read).await;
    read.unwrap().unwrap();
    assert!(answer.contains("input_tokens"), "{answer}");
    for path in ["/v1/messages/count_tokens", "/v1/messages"] {
        let answer = post(&house, path, KEY, &message("hi")).await;
        assert_eq!(answer.status, 200, "who is alone is let in");
    }
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_one_to_end() {
    let mut server = ServerOptions::default();
    server.max_connections = NonZeroUsize::new(1);
    let house = House::built(SimOptions::default(), client_tls(), server, |_| {}).await;
    let ask = async |stream: &mut TcpStream| {
        let head = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n";
        stream.write_all(head).await.unwrap();
        let mut answer = vec![0; 15];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, b"HTTP/1.1 200 OK");
    };
    let mut one = TcpStream::connect(house.address).await.unwrap();
    ask(&mut one).await;
    let mut other = TcpStream::connect(house.address).await.unwrap();
    let mut waits = std::pin::pin!(ask(&mut other));
    let early = tokio::time::timeout(Duration::from_millis(50), &mut waits).await;
    assert!(early.is_err(), "it is not accepted yet");
    drop(one);
    tokio::time::timeout(support::SOON, waits).await.unwrap();
}

#[tokio::test]
async fn a_body_that_stops_is_a_408_and_gives_its_place_back() {
    let house = house(|options| {
        options.timeouts.body = Duration::from_millis(300);
        options.admission.max_exchanges = NonZeroUsize::new(1);
        options.admission.queue = 0;
    })
    .await;
    for path in ["/v1/chat/completions", "/v1/messages/count_tokens"] {
        let mut stalled = TcpStream::connect(house.address).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: 100\r\n\r\n{{\"model\""
        );
        stalled.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let reading = stalled.read_to_string(&mut answer);
        let read = tokio::time::timeout(support::SOON, reading).await;
        read.unwrap().unwrap();
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("`[timeouts] body`"), "{answer}");
        assert_eq!(house.chat(&whole("sim:echo Hi")).await.status, 200);
    }
    assert_eq!(served(&house), 2);
}
