//! The control plane, as tests in other languages use it.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on may as well panic"
)]

mod support;

use kiro_sim::{IssuedCredential, Simulator};
use serde_json::{Value, json};
use support::{Client, ask, get, krs, of_model, post, simulator};

async fn tell(sim: &Simulator, path: &str, body: Value) -> (u16, Value) {
    let answer = Client::connect(sim)
        .await
        .call(post(&format!("/__sim/{path}"), &body))
        .await;
    (answer.status.as_u16(), answer.json())
}

async fn show(sim: &Simulator, path: &str) -> Value {
    Client::connect(sim)
        .await
        .call(get(&format!("/__sim/{path}")))
        .await
        .json()
}

/// What `POST /__sim/tokens` gives, put into the form that the support code takes.
async fn issue(sim: &Simulator) -> (IssuedCredential, Value) {
    let (status, issued) = tell(sim, "tokens", json!({"kind": "social"})).await;
    assert_eq!(status, 200);
    let mut credential = sim.issue_social();
    credential.access_token = issued["accessToken"].as_str().unwrap().to_owned();
    (credential, issued)
}

#[tokio::test]
async fn tokens_are_issued_over_http() {
    let sim = simulator().await;
    let (credential, issued) = issue(&sim).await;
    assert!(issued["refreshToken"].as_str().unwrap().starts_with("aor"));
    assert_eq!(
        (&issued["expiresIn"], &issued["kind"]),
        (&json!(3600), &json!("social"))
    );
    let answer = Client::connect(&sim)
        .await
        .call(krs(&credential, &ask("Hi")))
        .await;
    assert_eq!(answer.status, 200);
    let (status, answer) = tell(&sim, "tokens", json!({"kind": "password"})).await;
    assert_eq!(status, 400);
    assert!(answer["error"].as_str().unwrap().contains("builder-id"));
}

#[tokio::test]
async fn requests_and_their_refusals_are_shown() {
    let sim = simulator().await;
    let (credential, _) = issue(&sim).await;
    let mut client = Client::connect(&sim).await;
    client.call(krs(&credential, &ask("Hi"))).await;
    client
        .call(krs(&credential, &of_model(ask("Hi"), "gpt-2")))
        .await;
    client
        .call(post("/refreshToken", &json!({"refreshToken": "nonsense"})))
        .await;

    let all = show(&sim, "requests").await;
    assert_eq!(all.as_array().unwrap().len(), 3);
    assert_eq!(all[0]["headers"]["authorization"], "(hidden)");
    assert_eq!(all[0]["generation"], "krs");
    assert_eq!(
        all[0]["target"],
        "KiroRuntimeService.GenerateAssistantResponse"
    );
    assert_eq!(all[0]["ended"], "completed");
    assert_eq!(all[0]["body"]["agentMode"], "vibe");
    assert_eq!(all[1]["refusal"]["rule"], "E2");
    assert_eq!(
        (&all[2]["operation"], &all[2]["status"]),
        (&json!("SocialRefresh"), &json!(401))
    );
    let generated = show(&sim, "requests?operation=Generate&after=1").await;
    assert_eq!(generated.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn scripts_are_set_and_taken_back() {
    let sim = simulator().await;
    let (credential, _) = issue(&sim).await;
    let script = json!([
        {"match": {"text_contains": "tool", "times": 1}, "script": [
            {"text": "I look."}, {"tool": {"name": "ls", "input": {"path": "."}}}, {"usage": 5.0},
        ]},
        {"match": {"generation": "rest", "account": 7}, "script": ["cut"]},
        {"script": [{"text_slowly": {"pieces": ["a", "b"], "pause_ms": 1}}, {"silence_ms": 1}, "no_stop"]},
    ]);
    assert_eq!(
        tell(&sim, "scripts", script).await,
        (200, json!({"added": 3}))
    );
    let mut client = Client::connect(&sim).await;
    let first = client.call(krs(&credential, &ask("a tool"))).await;
    assert_eq!(
        (first.text(), first.payloads("toolUseEvent").is_empty()),
        ("I look.".into(), false)
    );
    let second = client.call(krs(&credential, &ask("a tool"))).await;
    assert_eq!(
        (second.text(), second.payloads("metadataEvent").len()),
        ("ab".into(), 0)
    );

    assert_eq!(tell(&sim, "reset", json!({})).await.0, 200);
    assert!(
        client
            .call(krs(&credential, &ask("Hi")))
            .await
            .text()
            .starts_with("You asked")
    );
    assert_eq!(show(&sim, "requests").await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_script_that_is_wrong_is_refused_with_the_reason() {
    let sim = simulator().await;
    for script in [
        json!([{"script": ["explode"]}]),
        json!({"script": [], "mtach": {}}),
        json!({"script": [], "match": {"generation": "fourth"}}),
    ] {
        let (status, answer) = tell(&sim, "scripts", script).await;
        assert_eq!(status, 400);
        assert!(
            answer["error"].as_str().unwrap().contains("unknown"),
            "{answer}"
        );
    }
    assert_eq!(tell(&sim, "nothing", json!({})).await.0, 404);
}

#[tokio::test]
async fn the_state_counts_and_names_the_accounts() {
    let sim = simulator().await;
    let (credential, issued) = issue(&sim).await;
    let mut client = Client::connect(&sim).await;
    client.call(krs(&credential, &ask("Hi"))).await;
    let refresh = json!({"refreshToken": issued["refreshToken"]});
    client.call(post("/refreshToken", &refresh)).await;
    let state = show(&sim, "state").await;
    assert_eq!(
        (&state["requests"], &state["completed_streams"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(state["refreshes"], 1);
    assert_eq!(state["accounts"][0]["refreshes"], 1);
    assert!(state["connections"]["accepted"].as_u64().unwrap() >= 3);
}

#[tokio::test]
async fn accounts_are_expired_suspended_and_revoked() {
    let sim = simulator().await;
    let (credential, issued) = issue(&sim).await;
    let account = &issued["account"];
    let mut client = Client::connect(&sim).await;
    let mut status = async || {
        client
            .call(krs(&credential, &ask("Hi")))
            .await
            .status
            .as_u16()
    };

    tell(&sim, "suspend", json!({"account": account})).await;
    assert_eq!(status().await, 403);
    tell(
        &sim,
        "suspend",
        json!({"account": account, "suspended": false}),
    )
    .await;
    assert_eq!(status().await, 200);
    tell(&sim, "expire", json!({})).await;
    assert_eq!(status().await, 403);
    tell(&sim, "revoke", json!({"account": account})).await;
    let refresh = post(
        "/refreshToken",
        &json!({"refreshToken": issued["refreshToken"]}),
    );
    assert_eq!(Client::connect(&sim).await.call(refresh).await.status, 401);
    assert_eq!(tell(&sim, "revoke", json!({"account": 99})).await.0, 404);
}

#[tokio::test]
async fn sign_in_faults_are_set() {
    let sim = simulator().await;
    let (_, issued) = issue(&sim).await;
    let faults = json!(["server_error", {"delayed": 1}]);
    assert_eq!(tell(&sim, "faults", faults).await.0, 200);
    let mut client = Client::connect(&sim).await;
    let refresh = || {
        post(
            "/refreshToken",
            &json!({"refreshToken": issued["refreshToken"]}),
        )
    };
    assert_eq!(client.call(refresh()).await.status, 500);
    assert_eq!(client.call(refresh()).await.status, 200);
    assert_eq!(
        tell(&sim, "devices", json!({"approve_after": 3})).await.0,
        200
    );
}

#[tokio::test]
async fn what_people_do_in_a_browser_can_be_told_over_http() {
    let sim = simulator().await;
    let page = "/signin?state=s&code_challenge=c&code_challenge_method=S256\
                &redirect_uri=http://localhost:1&redirect_from=kirocli";
    let mut client = Client::connect(&sim).await;
    assert_eq!(tell(&sim, "logins", json!("builderid")).await.0, 200);
    let answer = client.call(get(page)).await;
    let location = answer.headers["location"].to_str().unwrap();
    assert!(location.contains("login_option=builderid"), "{location}");
    assert_eq!(tell(&sim, "browsers", json!("refuse")).await.0, 200);
    let answer = client.call(get(page)).await;
    let location = answer.headers["location"].to_str().unwrap();
    assert!(location.contains("error=access_denied"), "{location}");
    tell(&sim, "reset", json!({})).await;
    let answer = client.call(get(page)).await;
    let location = answer.headers["location"].to_str().unwrap();
    assert!(location.contains("login_option=google"), "{location}");
}
