//! Responses that several gateways keep in one Redis, end to end.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "../../../tests/support/redis.rs"]
mod server;
mod support;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use http::Method;
use kiro_auth::{RedisServer, RedisStoreOptions};
use kiro_sim::{Matcher, Operation, Script};
use serde_json::{Value, json};
use server::Server;
use support::{Answer, House, KEY, with};

/// A gateway that keeps responses in a Redis and does not wait for it for long.
async fn house(redis: &Server) -> House {
    let mut options = RedisStoreOptions::default();
    options.timeout = Duration::from_millis(600);
    let redis = RedisServer::new(&redis.url(), options).unwrap();
    let house = House::with(Default::default(), |options| {
        options.keep.redis = Some(redis);
    })
    .await;
    let answer = Script::new().text("planted answer").stop("END_TURN");
    house.sim.script(Matcher::any(), answer);
    house
}

async fn respond(house: &House, more: Value) -> Answer {
    let body = json!({"model": "claude-sonnet-4-5", "input": "planted question"});
    let body = with(body, more).to_string();
    house
        .ask(house.request(Method::POST, "/v1/responses", body))
        .await
}

/// The response of a stream or a document.
fn response(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let text = std::str::from_utf8(&answer.body).unwrap();
    let Some((_, last)) = text.rsplit_once("\ndata: ") else {
        return answer.json();
    };
    serde_json::from_str::<Value>(last).unwrap()["response"].clone()
}

fn path(response: &Value) -> String {
    format!("/v1/responses/{}", response["id"].as_str().unwrap())
}

fn sent(house: &House) -> String {
    let sent = house.sim.requests_for(Operation::Generate);
    sent.last().unwrap().json()["conversationState"].to_string()
}

#[tokio::test]
async fn what_one_gateway_has_answered_another_goes_on_from() {
    let redis = Server::start().await;
    let (a, b) = (house(&redis).await, house(&redis).await);
    for stream in [false, true] {
        let first = response(&respond(&a, json!({"stream": stream})).await);
        assert_eq!(first["store"], true);
        assert_eq!(b.get(&path(&first)).await.json(), first);

        let more =
            json!({"input": "and then?", "previous_response_id": first["id"], "stream": stream});
        let second = response(&respond(&b, more).await);
        assert_eq!(second["previous_response_id"], first["id"]);
        assert!(sent(&b).contains("planted question") && sent(&b).contains("planted answer"));
        let listed = format!("{}/input_items?order=asc", path(&second));
        let listed = a.get(&listed).await.json();
        assert_eq!(listed["data"].as_array().unwrap().len(), 3, "{listed}");

        let reference = json!({"type": "item_reference", "id": first["output"][0]["id"]});
        let more = json!({"input": [{"role": "user", "content": "q"}, reference, {"role": "user", "content": "sure?"}]});
        response(&respond(&b, more).await);
        assert!(sent(&b).contains("planted answer"), "{}", sent(&b));

        let request = b.request(Method::DELETE, &path(&first), "");
        assert_eq!(b.ask(request).await.status, 200);
        assert_eq!(a.get(&path(&first)).await.status, 404);
        let more = json!({"previous_response_id": second["id"]});
        let refused = respond(&a, more).await;
        assert_eq!(
            refused.json()["error"]["code"],
            "previous_response_not_found"
        );
    }
}

#[tokio::test]
async fn another_tenant_does_not_find_them() {
    let redis = Server::start().await;
    let (a, b) = (house(&redis).await, house(&redis).await);
    let house_answer = response(&respond(&a, json!({})).await);
    let guest = format!(
        "Bearer {KEY}:{}",
        b.sim.issue_social().refresh_token.unwrap()
    );
    let as_guest = |method, path: &str, body: String| {
        let mut request = b.request(method, path, body);
        let headers = request.headers_mut();
        headers.insert("authorization", guest.parse().unwrap());
        b.ask(request)
    };
    for method in [Method::GET, Method::DELETE] {
        let answer = as_guest(method, &path(&house_answer), String::new()).await;
        assert_eq!(answer.status, 404);
    }
    let body = json!({"model": "claude-sonnet-4-5", "input": "hi"});
    let theirs = as_guest(Method::POST, "/v1/responses", body.to_string()).await;
    let theirs = response(&theirs);
    let found = as_guest(Method::GET, &path(&theirs), String::new()).await;
    assert_eq!(found.status, 200);
    assert_eq!(b.get(&path(&theirs)).await.status, 404);
    assert_eq!(b.get(&path(&house_answer)).await.status, 200);
}

/// What is answered when Redis cannot be reached: everything but what needs it.
async fn serves_without_redis(house: &House, kept: &Value) {
    let started = Instant::now();
    for stream in [false, true] {
        let answer = response(&respond(house, json!({"stream": stream})).await);
        assert_eq!(answer["status"], "completed");
        assert_eq!(answer["store"], false, "it says that it is not kept");
        let unstored = json!({"store": false, "stream": stream});
        assert_eq!(response(&respond(house, unstored).await)["store"], false);
    }
    let chat =
        json!({"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "hi"}]});
    assert_eq!(house.chat(&chat).await.status, 200);

    let reference = json!([{"type": "item_reference", "id": kept["output"][0]["id"]}]);
    let mut refused = vec![
        respond(house, json!({"previous_response_id": kept["id"]})).await,
        respond(house, json!({"input": reference, "stream": true})).await,
    ];
    let items = format!("{}/input_items", path(kept));
    for (method, path) in [
        (Method::GET, path(kept)),
        (Method::GET, items),
        (Method::POST, format!("{}/cancel", path(kept))),
        (Method::DELETE, path(kept)),
    ] {
        refused.push(house.ask(house.request(method, &path, "")).await);
    }
    for answer in refused {
        assert_eq!(answer.status, 503, "{:?}", answer.body);
        assert_eq!(answer.json()["error"]["code"], "store_unreachable");
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert_eq!(answer.header("x-should-retry"), None);
    }
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn without_redis_answers_are_not_kept_and_all_is_well_when_it_is_back() {
    let mut redis = Server::start().await;
    let house = house(&redis).await;
    let kept = response(&respond(&house, json!({})).await);
    redis.kill();
    serves_without_redis(&house, &kept).await;

    redis.start_again().await;
    assert_eq!(house.get(&path(&kept)).await.json(), kept);
    let next = respond(&house, json!({"previous_response_id": kept["id"]})).await;
    assert_eq!(response(&next)["store"], true);
}

#[tokio::test]
async fn a_redis_that_hangs_is_not_waited_for() {
    let redis = Server::start().await;
    let house = house(&redis).await;
    let kept = response(&respond(&house, json!({})).await);
    redis.signal("-STOP");
    serves_without_redis(&house, &kept).await;
    redis.signal("-CONT");
    assert_eq!(house.get(&path(&kept)).await.json(), kept);
}

#[tokio::test]
async fn nothing_that_redis_was_ever_told_can_be_read() {
    let redis = Server::start().await;
    let house = house(&redis).await;
    let input = json!([{"type": "message", "id": "planted-id", "role": "user", "content": "planted question"}]);
    let first = response(&respond(&house, json!({"input": input})).await);
    let more = json!({"previous_response_id": first["id"], "input": [{"type": "item_reference", "id": "planted-id"}]});
    let second = response(&respond(&house, more).await);
    let mut told = String::new();
    let mut connection = redis.connection().await;
    for key in redis.keys("").await {
        let mut dump = redis::cmd("DUMP");
        let dump: Vec<u8> = dump.arg(&key).query_async(&mut connection).await.unwrap();
        told += &format!("{key} {}\n", String::from_utf8_lossy(&dump));
    }
    // What lies there now, and every command that has led to it.
    read_all(redis.folder(), &mut told);
    assert!(told.contains("{kept}:response:"), "{told}");
    assert!(told.contains("PEXPIREAT"), "{told}");
    let ids = [&first, &second].map(|response| response["id"].as_str().unwrap());
    for secret in ["planted", KEY, ids[0], ids[1], "input_text"] {
        assert!(!told.contains(secret), "{secret} is in {told}");
    }
}

fn read_all(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, into);
        } else {
            *into += &String::from_utf8_lossy(&fs::read(&path).unwrap());
        }
    }
}
