//! What the operator sees: live, counted, and nothing of what anybody said.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use kiro_sim::SimOptions;
use serde_json::{Value, json};

use support::{Answer, House, SOON, streamed};

const ADMIN: &str = "admin-0123456789abcdef";

async fn house() -> House {
    let admin = |options: &mut kiro_gateway::GatewayOptions| {
        options.admin_key = Some(ADMIN.into());
    };
    House::with(SimOptions::default(), admin).await
}

fn request(house: &House, path: &str, key: &str) -> Request<Full<Bytes>> {
    let mut request = house.request(Method::GET, path, "");
    let key = format!("Bearer {key}").parse().unwrap();
    request.headers_mut().insert("authorization", key);
    request
}

async fn snapshot(house: &House) -> Value {
    let answer = house.ask(request(house, "/admin/snapshot", ADMIN)).await;
    assert_eq!(answer.status, 200);
    answer.json()
}

/// The next change that has what is looked for.
async fn change(body: &mut Incoming, rest: &mut String, wanted: impl Fn(&Value) -> bool) -> Value {
    let find = async {
        loop {
            while let Some((event, after)) = rest.split_once("\n\n") {
                let data = event
                    .strip_prefix("event: change\ndata: ")
                    .map(str::to_owned);
                *rest = after.to_owned();
                let Some(data) = data else { continue };
                let value: Value = serde_json::from_str(&data).unwrap();
                if wanted(&value) {
                    return value;
                }
            }
            let frame = body.frame().await.expect("it goes on").unwrap();
            *rest += std::str::from_utf8(frame.data_ref().unwrap()).unwrap();
        }
    };
    tokio::time::timeout(SOON, find)
        .await
        .expect("the change comes")
}

#[tokio::test]
async fn exchanges_are_counted_by_model_and_tenant_and_nothing_is_told_of_them() {
    let house = house().await;
    let secret = "a-word-that-only-the-tenant-knows";
    assert_eq!(house.chat(&streamed(secret)).await.status, 200);
    let whole =
        json!({"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": secret}]});
    assert_eq!(house.chat(&whole).await.status, 200);
    let wrong = json!({"model": secret, "messages": [{"role": "user", "content": secret}]});
    assert_eq!(house.chat(&wrong).await.status, 404);
    let guest = house.sim.issue_social().refresh_token.unwrap();
    let key = format!("{}:{}", support::KEY, guest);
    let mut of_guest = house.request(
        Method::POST,
        "/v1/messages",
        json!({
            "model": "claude-sonnet-4-5", "max_tokens": 100,
            "messages": [{"role": "user", "content": secret}],
        })
        .to_string(),
    );
    let bearer = format!("Bearer {key}").parse().unwrap();
    of_guest.headers_mut().insert("authorization", bearer);
    assert_eq!(house.ask(of_guest).await.status, 200);

    let seen = snapshot(&house).await;
    let text = seen.to_string();
    for hidden in [secret, ADMIN, support::KEY, &guest] {
        assert!(!text.contains(hidden), "{hidden} is in {text}");
    }
    let ended: u64 = seen["cells"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cell| cell["ended"].as_u64().unwrap())
        .sum();
    assert_eq!(ended, 4);
    assert_eq!(seen["models"][0]["name"], "claude-sonnet-4.5");
    assert_eq!(seen["models"][0]["ended"], 3);
    assert!(seen["models"][0]["prompt_tokens"].as_u64().unwrap() > 0);
    assert!(seen["models"][0]["output_tokens"].as_u64().unwrap() > 0);
    assert!(seen["models"][0]["first_event_p50_ms"].is_u64());
    let mut tenants: Vec<&str> = seen["tenants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    tenants.sort_unstable();
    assert_eq!(tenants[0], "default");
    assert!(
        tenants[1].starts_with("default:") && tenants[1].len() == 16,
        "{tenants:?}"
    );
    let error = &seen["errors"][0];
    assert_eq!(
        (&error["kind"], &error["status"]),
        (&json!("model_not_found"), &json!(404))
    );
    assert!(error["remedy"].as_str().unwrap().contains("aliases"));
    let account = &seen["accounts"][0];
    assert_eq!(account["state"], "usable");
    assert!(
        account["quota"]["limit"].as_f64().unwrap() > 0.0,
        "{account}"
    );
    assert!(account["quota"]["resets_at"].is_u64(), "{account}");
}

#[tokio::test]
async fn what_is_under_way_is_live_until_it_ends() {
    let house = house().await;
    let (head, mut body) = house
        .send(request(&house, "/admin/events", ADMIN))
        .await
        .into_parts();
    assert_eq!(
        head.headers["content-type"],
        "text/event-stream; charset=utf-8"
    );
    let mut rest = String::new();
    change(&mut body, &mut rest, |seen| {
        seen["cells"].as_array().unwrap().len() == 360
    })
    .await;
    let open = house.open_chat(&streamed("sim:hang")).await;
    let seen = change(&mut body, &mut rest, |seen| {
        !seen["live"][0]["first_event_ms"].is_null()
    })
    .await;
    let live = &seen["live"][0];
    assert_eq!(
        (&live["surface"], &live["stream"], &live["tenant"]),
        (&json!("chat"), &json!(true), &json!("default"))
    );
    assert!(
        seen["cells"].as_array().unwrap().len() < 360,
        "only what is new"
    );
    drop(open);
    let seen = change(&mut body, &mut rest, |seen| seen["live"] == json!([])).await;
    assert_eq!(seen["tenants"][0]["cancelled"], 1);
    assert_eq!(seen["tenants"][0]["failed"], 0);
}

#[tokio::test]
async fn the_stream_of_changes_ends_with_the_options_and_with_the_gateway() {
    let house = house().await;
    let ends = async |body: Incoming| {
        tokio::time::timeout(SOON, body.collect())
            .await
            .expect("it ends")
            .unwrap();
    };
    let before = house
        .send(request(&house, "/admin/events", ADMIN))
        .await
        .into_body();
    let mut options = house.options();
    options.admin_key = Some("another-0123456789".into());
    house.gateway.reload(options).unwrap();
    ends(before).await;
    let refused = house.ask(request(&house, "/admin/events", ADMIN)).await;
    assert_eq!(refused.status, 401);
    let after = house
        .send(request(&house, "/admin/events", "another-0123456789"))
        .await
        .into_body();
    house.stop();
    ends(after).await;
    house.stopped().await;
}

#[tokio::test]
async fn streams_of_changes_are_few() {
    let house = house().await;
    let mut open = Vec::new();
    for _ in 0..8 {
        open.push(house.send(request(&house, "/admin/events", ADMIN)).await);
    }
    let refused: Answer = house.ask(request(&house, "/admin/events", ADMIN)).await;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn without_an_admin_key_there_is_nothing() {
    let house = House::start().await;
    for path in [
        "/admin/snapshot",
        "/admin/events",
        "/dashboard",
        "/dashboard/main.js",
    ] {
        for key in [support::KEY, ADMIN] {
            let answer = house.ask(request(&house, path, key)).await;
            assert_eq!(answer.status, 404, "{path}");
        }
    }
}

#[tokio::test]
async fn the_admin_key_is_no_callers_key() {
    let house = house().await;
    assert_eq!(
        house.ask(request(&house, "/v1/models", ADMIN)).await.status,
        401
    );
    assert_eq!(
        house
            .ask(request(&house, "/admin/snapshot", support::KEY))
            .await
            .status,
        401
    );
    let mut options = house.options();
    options.admin_key = Some(support::KEY.into());
    assert!(
        house
            .gateway
            .reload(options)
            .unwrap_err()
            .to_string()
            .contains("admin key")
    );
    let mut options = house.options();
    options.admin_key = Some("short".into());
    assert!(house.gateway.reload(options).is_err());
}

#[tokio::test]
async fn wrong_keys_of_the_operator_meet_the_brake_and_the_right_one_does_not() {
    let house = House::with(SimOptions::default(), |options| {
        options.admin_key = Some(ADMIN.into());
        options.failed_keys_per_minute = std::num::NonZeroU64::new(3);
    })
    .await;
    let tries = [
        ("/admin/snapshot", "wrong", 401),
        ("/admin/events", support::KEY, 401),
        ("/admin/snapshot", "", 401),
        ("/admin/events", "wrong", 429),
        ("/admin/snapshot", "wrong", 429),
        // One brake for all keys.
        ("/v1/models", "wrong", 429),
        ("/v1/models", support::KEY, 200),
        ("/admin/snapshot", ADMIN, 200),
        ("/metrics", support::KEY, 429),
        ("/metrics", ADMIN, 200),
    ];
    for (path, key, status) in tries {
        let answer = house.ask(request(&house, path, key)).await;
        assert_eq!(answer.status, status, "{path} {key}: {:?}", answer.body);
        let waits = answer.header("retry-after").is_some();
        assert_eq!(waits, status == 429, "{path} {key}");
    }
}
