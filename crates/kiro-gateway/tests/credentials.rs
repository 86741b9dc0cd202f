//! Credentials on the request path: refresh, replay, tenants, fallback.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::time::{Duration, SystemTime};

use http::Method;
use kiro_auth::{Clock as _, SystemClock};
use kiro_protocol::Generation;
use kiro_sim::{AccountId, Matcher, Operation, Script, SimOptions};
use serde_json::json;
use support::{House, KEY, whole};

/// The envelopes in which a house has asked for answers, one after the other.
fn generations(house: &House) -> Vec<Generation> {
    let sent = house.sim.requests_for(Operation::Generate);
    sent.iter()
        .map(|request| request.generation.unwrap())
        .collect()
}

/// The accounts with which a house has asked for answers, one after the other.
fn accounts_that_served(house: &House) -> Vec<AccountId> {
    let sent = house.sim.requests_for(Operation::Generate);
    sent.iter()
        .map(|request| request.account.unwrap())
        .collect()
}

#[tokio::test]
async fn two_hundred_requests_without_a_token_make_one_refresh() {
    let house = House::start().await;
    house
        .sim
        .script(Matcher::any(), Script::new().text("ok").stop("END_TURN"));
    let request = whole("hi");
    let answers: Vec<_> = (0..200).map(|_| house.chat(&request)).collect();
    for answer in futures_util::future::join_all(answers).await {
        assert_eq!(answer.status, 200);
    }
    assert_eq!(house.sim.requests_for(Operation::SocialRefresh).len(), 1);
}

#[tokio::test]
async fn a_token_that_expired_behind_our_back_is_replaced_and_the_request_replayed_once() {
    let house = House::start().await;
    house
        .sim
        .script(Matcher::any(), Script::new().text("ok").stop("END_TURN"));
    assert_eq!(house.chat(&whole("one")).await.status, 200);
    house.sim.expire_access_tokens();
    assert_eq!(house.chat(&whole("two")).await.status, 200);
    assert_eq!(house.sim.requests_for(Operation::SocialRefresh).len(), 2);
    assert_eq!(
        house.sim.requests_for(Operation::Generate).len(),
        3,
        "one of them was refused"
    );
}

#[tokio::test]
async fn a_token_that_is_refused_for_ever_is_replaced_once_and_the_request_replayed_once() {
    let invalid =
        json!({"message": "The bearer token included in the request is invalid.", "reason": null});
    // With a second account there is something left to ask, but no second replacement.
    for (accounts, asked) in [(1, 2), (2, 3)] {
        let house = House::with_accounts(accounts).await;
        let refused = Script::new().http_error(403, invalid.clone(), None);
        house.sim.script(Matcher::any(), refused);
        let answer = house.chat(&whole("hi")).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("x-should-retry")),
            (502, Some("false"))
        );
        assert_eq!(answer.json()["error"]["code"], "upstream_auth_failed");
        assert_eq!(
            house.sim.requests_for(Operation::Generate).len(),
            asked,
            "of {accounts}"
        );
        assert_eq!(
            house.sim.requests_for(Operation::SocialRefresh).len(),
            accounts + 1,
            "the first token of each account and one more, of {accounts}"
        );
    }
}

#[tokio::test]
async fn a_guest_is_served_with_the_credential_that_they_bring() {
    let house = House::start().await;
    house
        .sim
        .script(Matcher::any(), Script::new().text("ok").stop("END_TURN"));
    let guest = house.sim.issue_social();
    let key = format!("Bearer {KEY}:{}", guest.refresh_token.as_ref().unwrap());
    for _ in 0..2 {
        let mut request = house.request(
            Method::POST,
            "/v1/chat/completions",
            whole("hi").to_string(),
        );
        request
            .headers_mut()
            .insert("authorization", key.parse().unwrap());
        assert_eq!(house.ask(request).await.status, 200);
    }
    let served = house.sim.requests_for(Operation::Generate);
    assert!(
        served
            .iter()
            .all(|request| request.account == Some(guest.account))
    );
    assert_eq!(
        house.sim.refreshes(guest.account),
        1,
        "the second request used the same access token"
    );
}

#[tokio::test]
async fn a_guests_dead_token_is_their_401() {
    let house = House::start().await;
    let dead = format!("aor{}:{}", "x".repeat(100), "y".repeat(60));
    for token in [dead.as_str(), "short"] {
        let mut request = house.request(
            Method::POST,
            "/v1/chat/completions",
            whole("hi").to_string(),
        );
        request.headers_mut().insert(
            "authorization",
            format!("Bearer {KEY}:{token}").parse().unwrap(),
        );
        let answer = house.ask(request).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("x-should-retry")),
            (401, Some("false"))
        );
        let message = answer.json()["error"]["message"].to_string();
        assert!(
            message.contains("refresh token") && !message.contains(token),
            "{message}"
        );
    }
}

#[tokio::test]
async fn a_suspended_account_stops_at_once() {
    let house = House::start().await;
    house.chat(&whole("hi")).await;
    let account = house.sim.requests_for(Operation::Generate)[0]
        .account
        .unwrap();
    house.sim.suspend(account, true);
    let refreshes = house.sim.refreshes(account);
    for _ in 0..3 {
        assert_eq!(house.chat(&whole("hi")).await.status, 403);
    }
    assert_eq!(
        house.sim.requests_for(Operation::Generate).len(),
        2,
        "the first refusal was believed"
    );
    assert_eq!(house.sim.refreshes(account), refreshes);
}

#[tokio::test]
async fn a_refusal_for_an_unknown_reason_is_passed_on() {
    let unknown = json!({"message": "Not for account 123456789012.", "reason": "NEVER_SEEN"});
    let house = House::start().await;
    let refused = Script::new().http_error(403, unknown, None);
    house.sim.script(Matcher::any(), refused);
    let answer = house.chat(&whole("hi")).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("x-should-retry")),
        (403, Some("false"))
    );
    let message = answer.json()["error"]["message"].to_string();
    assert!(message.contains("Check in Kiro itself"), "{message}");
    assert!(message.contains("NEVER_SEEN"), "{message}");
    assert!(!message.contains("123456789012"), "{message}");
    assert_eq!(house.sim.requests_for(Operation::Generate).len(), 1);
    assert_eq!(
        house.sim.requests_for(Operation::SocialRefresh).len(),
        1,
        "the one for the first token"
    );
}

#[tokio::test]
async fn an_account_without_quota_rests_until_its_reset_and_says_so() {
    let mut options = SimOptions::default();
    options.credit_quota = 0.0;
    let in_twenty_days = SystemClock.now() + Duration::from_secs(20 * 24 * 3600 - 60);
    let since_epoch = in_twenty_days.duration_since(SystemTime::UNIX_EPOCH);
    options.next_reset = since_epoch.unwrap().as_secs();
    let house = House::with(options, |_| {}).await;
    assert_eq!(house.chat(&whole("hi")).await.status, 429);
    for _ in 0..2 {
        let answer = house.chat(&whole("hi")).await;
        assert_eq!(answer.status, 429);
        let message = answer.json()["error"]["message"].to_string();
        let returns = "The next one returns in 20 days.";
        assert!(message.contains(returns), "{message}");
    }
    assert_eq!(
        house.sim.requests_for(Operation::Generate).len(),
        1,
        "it rests"
    );
    assert_eq!(house.sim.requests_for(Operation::GetUsageLimits).len(), 1);
}

#[tokio::test]
async fn an_unknown_operation_falls_back_to_rest_once_and_without_the_client_noticing() {
    let mut options = SimOptions::default();
    options.krs_refused = true;
    let house = House::with(options, |_| {}).await;
    assert_eq!(house.chat(&whole("hi")).await.status, 200);
    assert_eq!(generations(&house), [Generation::Krs, Generation::Rest]);
}

#[tokio::test]
async fn a_host_that_wants_a_profile_is_left_for_the_other_one_once() {
    let wants_profile = json!({"message": "profileArn is required for this request."});
    for (matcher, status) in [
        (Matcher::any().generation(Generation::Krs), 200),
        (Matcher::any(), 502),
    ] {
        let house = House::start().await;
        let refused = Script::new().http_error(400, wants_profile.clone(), None);
        house.sim.script(matcher, refused);
        assert_eq!(house.chat(&whole("hi")).await.status, status);
        assert_eq!(
            generations(&house),
            [Generation::Krs, Generation::Rest],
            "{status}"
        );
    }
}

#[tokio::test]
async fn every_wire_profile_can_be_chosen() {
    for profile in kiro_protocol::request::WireProfile::ALL {
        let house = House::with(SimOptions::default(), |options| {
            options.upstream.wire_profile = Some(profile)
        })
        .await;
        let answer = house.chat(&whole("hi")).await;
        assert_eq!(answer.status, 200, "{}: {}", profile.name, answer.json());
        assert_eq!(house.sim.requests_for(Operation::Generate)[0].refusal, None);
    }
}

#[tokio::test]
async fn a_growing_conversation_stays_with_its_account() {
    let house = House::with_accounts(3).await;
    let quick = Script::new().text("ok").stop("END_TURN");
    house.sim.script(Matcher::any(), quick);
    let mut messages = Vec::new();
    for turn in 1..=6 {
        messages.push(json!({"role": "user", "content": format!("turn {turn}")}));
        let request = json!({"model": "claude-sonnet-4-5", "messages": messages});
        let answer = house.chat(&request).await.json();
        messages.push(answer["choices"][0]["message"].clone());
    }
    let accounts = accounts_that_served(&house);
    assert_eq!(accounts.len(), 6);
    assert!(
        accounts.iter().all(|account| *account == accounts[0]),
        "{accounts:?}"
    );
}

#[tokio::test]
async fn a_session_stays_with_its_account_and_its_name_is_not_sent() {
    let house = House::with_accounts(3).await;
    let quick = Script::new().text("ok").stop("END_TURN");
    house.sim.script(Matcher::any(), quick);
    let session = "5e551011-aaaa-4bbb-8ccc-123456789abc";
    let said = |n: usize| json!([{"role": "user", "content": format!("question {n}")}]);
    // As Claude Code says it.
    let user = json!({"device_id": "d", "account_uuid": "", "session_id": session}).to_string();
    for n in 0..8 {
        for (path, body) in [
            (
                "/v1/chat/completions",
                json!({"model": "claude-sonnet-4-5", "messages": said(n), "prompt_cache_key": session}),
            ),
            (
                "/v1/responses",
                json!({"model": "claude-sonnet-4-5", "input": said(n), "prompt_cache_key": session}),
            ),
            (
                "/v1/messages",
                json!({"model": "claude-sonnet-4-5", "messages": said(n), "max_tokens": 100, "metadata": {"user_id": user}}),
            ),
        ] {
            let request = house.request(Method::POST, path, body.to_string());
            assert_eq!(house.ask(request).await.status, 200, "{path}");
        }
    }
    let accounts = accounts_that_served(&house);
    assert_eq!(accounts.len(), 24);
    assert!(
        accounts.iter().all(|account| *account == accounts[0]),
        "{accounts:?}"
    );
    let sent = house.sim.requests_for(Operation::Generate);
    assert!(
        sent.iter()
            .all(|request| !request.json().to_string().contains(session))
    );
}

#[tokio::test]
async fn a_chain_of_responses_keeps_its_id_and_its_account() {
    let house = House::with_accounts(3).await;
    let quick = Script::new().text("ok").stop("END_TURN");
    house.sim.script(Matcher::any(), quick);
    let mut previous = serde_json::Value::Null;
    for n in 0..6 {
        let body = json!({"model": "claude-sonnet-4-5", "input": format!("turn {n}"), "previous_response_id": previous});
        let request = house.request(Method::POST, "/v1/responses", body.to_string());
        previous = house.ask(request).await.json()["id"].clone();
    }
    let sent = house.sim.requests_for(Operation::Generate);
    let id = |n: usize| sent[n].json()["conversationState"]["conversationId"].clone();
    assert!((0..6).all(|n| id(n) == id(0) && id(n).is_string()));
    let accounts = accounts_that_served(&house);
    assert!(
        accounts.iter().all(|account| *account == accounts[0]),
        "{accounts:?}"
    );
}

#[tokio::test]
async fn conversations_spread_over_the_accounts() {
    let house = House::with_accounts(3).await;
    let quick = Script::new().text("ok").stop("END_TURN");
    house.sim.script(Matcher::any(), quick);
    // That all of them fall to one account has a probability of one in 10^11.
    for conversation in 0..24 {
        house
            .chat(&whole(&format!("question {conversation}")))
            .await;
    }
    let accounts = accounts_that_served(&house);
    assert!(
        accounts.iter().any(|account| *account != accounts[0]),
        "{accounts:?}"
    );
}

#[tokio::test]
async fn a_growing_conversation_keeps_its_id() {
    let house = House::start().await;
    let mut request =
        json!({"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "one"}]});
    house.chat(&request).await;
    let messages = request["messages"].as_array_mut().unwrap();
    messages.push(json!({"role": "assistant", "content": "uno"}));
    messages.push(json!({"role": "user", "content": "two"}));
    house.chat(&request).await;
    let sent = house.sim.requests_for(Operation::Generate);
    let id = |n: usize| sent[n].json()["conversationState"]["conversationId"].clone();
    assert!(id(0).is_string());
    assert_eq!(id(0), id(1));
}
