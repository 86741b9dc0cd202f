//! Limits that several gateways share in one Redis, end to end.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "../../../tests/support/redis.rs"]
mod server;
mod support;

use std::fs;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use http::Method;
use http_body_util::BodyExt as _;
use kiro_auth::{RedisServer, RedisStoreOptions, Secret};
use kiro_gateway::{KeyDigest, Limits};
use kiro_sim::{Matcher, Operation, Script};
use server::{DEADLINE, Server};
use support::{Answer, House, KEY, streamed, whole};

/// How long a request waits for Redis. Long, so that it is seen whether one has.
const TIMEOUT: Duration = Duration::from_secs(4);

/// A gateway that shares the limits of its key.
async fn house(redis: &Server, change: impl FnOnce(&mut Limits)) -> House {
    let mut options = RedisStoreOptions::default();
    options.timeout = TIMEOUT;
    let redis = RedisServer::new(&redis.url(), options).unwrap();
    House::with(Default::default(), |options| {
        options.share_limits = Some(redis);
        change(&mut options.limits);
        options.tenant_limits = options.limits.clone();
    })
    .await
}

fn requests(n: u32) -> impl Fn(&mut Limits) {
    move |limits| limits.requests_per_minute = NonZeroU32::new(n)
}

fn served(house: &House) -> usize {
    house.sim.requests_for(Operation::Generate).len()
}

/// Why a request was refused for its limits.
fn refusal(answer: &Answer) -> String {
    assert_eq!(answer.status, 429, "{:?}", answer.body);
    assert!(answer.header("retry-after").is_some());
    answer.json()["error"]["message"].to_string()
}

/// Waits until something holds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < DEADLINE, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn is_shared(house: &House) -> bool {
    let page = house.get("/metrics").await;
    let page = String::from_utf8(page.body.to_vec()).unwrap();
    match page
        .lines()
        .any(|line| line == "kiro_gateway_limits_shared 1")
    {
        true => true,
        false => {
            assert!(page.contains("kiro_gateway_limits_shared 0\n"), "{page}");
            false
        }
    }
}

#[tokio::test]
async fn two_gateways_let_in_together_what_one_would() {
    let redis = Server::start().await;
    let (a, b) = (
        house(&redis, requests(4)).await,
        house(&redis, requests(4)).await,
    );
    let question = whole("hi");
    let asked = (0..24).map(|n| if n % 2 == 0 { &a } else { &b });
    let answers = join_all(asked.map(|house| house.chat(&question))).await;
    let good = answers.iter().filter(|answer| answer.status == 200);
    assert_eq!(good.count(), 4);
    assert_eq!(served(&a) + served(&b), 4);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        let said = refusal(answer);
        assert!(said.contains("the key `default`") && said.contains("4 requests per minute"));
        assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some("0"));
    }
}

#[tokio::test]
async fn what_is_left_is_told_over_all_gateways() {
    let redis = Server::start().await;
    let (a, b) = (
        house(&redis, requests(4)).await,
        house(&redis, requests(4)).await,
    );
    for (house, left) in [(&a, "3"), (&b, "2"), (&a, "1"), (&b, "0")] {
        let answer = house.chat(&whole("hi")).await;
        assert_eq!(answer.status, 200);
        let told = answer.header("x-ratelimit-remaining-requests");
        assert_eq!(told, Some(left));
    }
    // Kiro's other dialect tells the same.
    let body = serde_json::json!({"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
    let answer = a
        .ask(a.request(Method::POST, "/v1/messages", body.to_string()))
        .await;
    assert_eq!(answer.status, 429);
    let left = answer.header("anthropic-ratelimit-requests-remaining");
    assert_eq!(left, Some("0"));
}

#[tokio::test]
async fn tokens_of_a_prompt_at_one_gateway_are_missing_at_the_other() {
    let redis = Server::start().await;
    let tokens = |limits: &mut Limits| limits.tokens_per_minute = NonZeroU64::new(1_000);
    let (a, b) = (house(&redis, tokens).await, house(&redis, tokens).await);
    let long = whole(&"word ".repeat(900));
    a.sim.script(Matcher::any(), Script::new().hang());
    let waits = a.chat(&long);
    let open = a.sim.wait_until(|state| state.open_streams == 1, DEADLINE);
    {
        let mut waits = std::pin::pin!(waits);
        tokio::select! {
            _ = &mut waits => panic!("it hangs"),
            open = open => drop(open.unwrap()),
        }
        let said = refusal(&b.chat(&long).await);
        assert!(said.contains("1000 tokens per minute"), "{said}");
    }
    // Nothing came of it, so nothing was used.
    until("they are given back", async || {
        b.chat(&long).await.status == 200
    })
    .await;
}

#[tokio::test]
async fn exchanges_at_the_same_time_are_counted_together() {
    let redis = Server::start().await;
    let two = |limits: &mut Limits| limits.concurrency = NonZeroUsize::new(2);
    let (a, b) = (house(&redis, two).await, house(&redis, two).await);
    let mut held = Vec::new();
    for house in [&a, &b] {
        let script = Script::new().text("One ").hang();
        house
            .sim
            .script(Matcher::any().text_contains("hold"), script);
        let answer = house.open_chat(&streamed("hold")).await;
        assert_eq!(answer.status(), 200);
        held.push(answer);
    }
    for house in [&a, &b] {
        let said = refusal(&house.chat(&whole("hi")).await);
        assert!(said.contains("2 requests at the same time"), "{said}");
    }
    // Who leaves the one makes room at the other.
    drop(held.remove(0));
    until("there is room", async || {
        b.chat(&whole("hi")).await.status == 200
    })
    .await;
}

#[tokio::test]
async fn a_budget_is_spent_together_and_is_told_before_a_gateway_ends() {
    let redis = Server::start().await;
    let budget = |limits: &mut Limits| limits.credits_per_day = Some(0.3);
    let (a, b) = (house(&redis, budget).await, house(&redis, budget).await);
    for house in [&a, &b] {
        let script = Script::new().text("hi").credits(0.2);
        house.sim.script(Matcher::any(), script);
    }
    let answer = a.open_chat(&streamed("hi")).await;
    answer.into_body().collect().await.unwrap();
    a.stop();
    a.stopped().await;
    assert_eq!(b.chat(&whole("hi")).await.status, 200);
    let said = refusal(&b.chat(&whole("hi")).await);
    assert!(said.contains("0.3 credits per day"), "{said}");
    // A gateway that starts anew is told.
    until("a new one refuses", async || {
        house(&redis, budget).await.chat(&whole("hi")).await.status == 429
    })
    .await;
}

fn three(limits: &mut Limits) {
    limits.concurrency = NonZeroUsize::new(3);
}

/// What is answered while Redis is away: what this gateway's own limits let in, without waiting for it. Leaves
/// three exchanges under way.
async fn serves_by_itself(house: &House) -> Vec<http::Response<hyper::body::Incoming>> {
    // Nobody waits for longer than the time-out.
    let question = whole("away");
    let answers = join_all((0..3).map(|_| house.chat(&question))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert!(!is_shared(house).await);
    // Nor does anybody who comes later wait at all.
    let started = Instant::now();
    for _ in 0..5 {
        assert_eq!(house.chat(&question).await.status, 200);
    }
    let script = Script::new().text("One ").hang();
    let holds = Matcher::any().text_contains("hold");
    house.sim.script(holds, script);
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(house.open_chat(&streamed("hold")).await);
        assert_eq!(held.last().unwrap().status(), 200);
    }
    let said = refusal(&house.chat(&question).await);
    assert!(said.contains("3 requests at the same time"), "{said}");
    assert!(started.elapsed() < TIMEOUT, "{:?}", started.elapsed());
    held
}

/// What began without Redis counts when it is back.
async fn shares_again(a: &House, b: &House, held: Vec<http::Response<hyper::body::Incoming>>) {
    until("it is back", async || is_shared(a).await).await;
    until("it is told of what is under way", async || {
        b.chat(&whole("hi")).await.status == 429
    })
    .await;
    drop(held);
    until("there is room", async || {
        b.chat(&whole("hi")).await.status == 200
    })
    .await;
}

#[tokio::test]
async fn a_redis_that_hangs_is_waited_for_once_and_limits_are_shared_when_it_goes_on() {
    let redis = Server::start().await;
    let (a, b) = (house(&redis, three).await, house(&redis, three).await);
    assert_eq!(a.chat(&whole("hi")).await.status, 200);
    redis.signal("-STOP");
    let held = serves_by_itself(&a).await;
    redis.signal("-CONT");
    shares_again(&a, &b, held).await;
}

#[tokio::test]
async fn a_redis_that_dies_is_no_reason_to_refuse_and_limits_are_shared_when_it_is_back() {
    let mut redis = Server::start().await;
    let (a, b) = (house(&redis, three).await, house(&redis, three).await);
    assert_eq!(a.chat(&whole("hi")).await.status, 200);
    redis.kill();
    let held = serves_by_itself(&a).await;
    redis.start_again().await;
    shares_again(&a, &b, held).await;
}

#[tokio::test]
async fn nothing_that_redis_was_ever_told_says_who_somebody_is() {
    let redis = Server::start().await;
    let house = house(&redis, |limits| {
        requests(9)(limits);
        limits.tokens_per_minute = NonZeroU64::new(100_000);
        limits.concurrency = NonZeroUsize::new(5);
        limits.credits_per_day = Some(5.0);
    })
    .await;
    let guest = house.sim.issue_social().refresh_token.unwrap();
    let script = Script::new().text("planted answer").credits(0.2);
    house.sim.script(Matcher::any(), script);
    for key in [KEY.to_owned(), format!("{KEY}:{guest}")] {
        let body = whole("planted question").to_string();
        let mut request = house.request(Method::POST, "/v1/chat/completions", body);
        let bearer = format!("Bearer {key}").parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
        assert_eq!(house.ask(request).await.status, 200);
    }
    house.gateway.settled().await;
    let mut told = String::new();
    let mut connection = redis.connection().await;
    let keys = redis.keys("").await;
    assert!(keys.len() >= 7, "{keys:?}");
    for key in keys {
        let mut dump = redis::cmd("DUMP");
        let dump: Vec<u8> = dump.arg(&key).query_async(&mut connection).await.unwrap();
        told += &format!("{key} {}\n", String::from_utf8_lossy(&dump));
    }
    // What lies there now, and every command that has led to it.
    read_all(redis.folder(), &mut told);
    assert!(
        told.contains("{limits}:") && told.contains(":places"),
        "{told}"
    );
    let digest = KeyDigest::of(&Secret::from(KEY)).to_string();
    let digest = digest.trim_start_matches("sha256:");
    for secret in ["planted", KEY, &guest, digest, "default", "sha256"] {
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
