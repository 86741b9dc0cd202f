//! Gateways that are asked what is left of a quota.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use kiro_sim::{Operation, Playback};
use serde_json::{Value, json};

use super::{Answer, House};

pub fn request(house: &House, path: &str, key: &str) -> Request<Full<Bytes>> {
    let mut request = once(house.request(Method::GET, path, ""));
    let key = format!("Bearer {key}").parse().unwrap();
    request.headers_mut().insert("authorization", key);
    request
}

/// On a connection of its own: time passes in jumps here, which ends idle ones.
pub fn once(mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    let close = "close".parse().unwrap();
    request.headers_mut().insert("connection", close);
    request
}

pub async fn chat(house: &House, body: &Value) -> Answer {
    let request = house.request(Method::POST, "/v1/chat/completions", body.to_string());
    house.ask(once(request)).await
}

/// How often the service was asked.
pub fn asked(house: &House) -> usize {
    house.sim.requests_for(Operation::GetUsageLimits).len()
}

/// Lets time pass, for the gateway and the simulator.
pub async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

/// The next answer of the service.
pub fn says(house: &House, used: f64, name: &str) {
    let body = json!({
        "nextDateReset": 1_793_491_200.0,
        "subscriptionInfo": {"subscriptionTitle": "KIRO PRO"},
        "overageConfiguration": {"overageStatus": "DISABLED"},
        "usageBreakdownList": [{
            "resourceType": "CREDIT", "displayNamePlural": "Credits",
            "currentUsageWithPrecision": used, "usageLimit": 1000,
            "bonuses": [{"displayName": format!("gift of {name}"), "status": "ACTIVE", "currentUsage": 0, "usageLimit": 0}],
        }],
        "userInfo": {"userId": name, "email": format!("{name}@example.com")},
    });
    let mut playback = Playback::new(200);
    playback
        .pieces
        .push((Duration::ZERO, body.to_string().into()));
    house.sim.play_back(Operation::GetUsageLimits, playback);
}

pub fn fails(house: &House) {
    let playback = Playback::new(500);
    house.sim.play_back(Operation::GetUsageLimits, playback);
}

/// The answer is told in headers and members that the description has.
pub async fn usage(house: &House, path: &str, key: &str) -> Value {
    let answer = house.ask(request(house, path, key)).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer.json()
}
