//! What is left of a quota: for callers, for the operator, and as a warning.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use http_body_util::BodyExt as _;
use kiro_sim::{CredentialKind, Matcher, Operation, Playback, Script, SimOptions};
use serde_json::json;
use support::quota::{asked, chat, fails, pass, request, says, usage};
use support::{Answer, House, KEY, streamed, whole};

const ADMIN: &str = "admin-0123456789abcdef";

/// With an admin key, and with warnings below this share.
async fn house(warn_below: f64) -> House {
    House::with(SimOptions::default(), |options| {
        options.admin_key = Some(ADMIN.into());
        options.quota.warn_below = warn_below;
    })
    .await
}

#[tokio::test]
async fn what_is_left_is_asked_for_once_in_five_minutes() {
    let house = house(0.1).await;
    says(&house, 412.5, "ann");
    let told = usage(&house, "/v1/usage", KEY).await;
    for (member, value) in [
        ("object", json!("usage")),
        ("title", json!("KIRO PRO")),
        ("used", json!(412.5)),
        ("limit", json!(1000.0)),
        ("remaining", json!(587.5)),
        ("remaining_share", json!(0.5875)),
        ("unit", json!("CREDIT")),
        ("resets_at", json!(1_793_491_200)),
        ("overage_enabled", json!(false)),
        ("stale", json!(false)),
        ("stale_because", json!(null)),
        ("low", json!(false)),
        ("accounts", json!(1)),
        ("accounts_unknown", json!(0)),
        ("refresh_in_seconds", json!(30)),
    ] {
        assert_eq!(told[member], value, "{member} of {told}");
    }
    assert!(told["fetched_at"].as_u64().unwrap() > 1_700_000_000);
    assert_eq!(told["resources"][0]["name"], "Credits");
    assert_eq!(told["resources"][0]["bonuses"]["remaining"], 0.0);
    let again = usage(&house, "/v1/usage", KEY).await;
    assert_eq!((again["used"].clone(), asked(&house)), (json!(412.5), 1));
    // The pages of the operator know it from the same question.
    let seen = usage(&house, "/admin/snapshot", ADMIN).await;
    assert_eq!(seen["accounts"][0]["quota"]["used"], 412.5);
    usage(&house, "/admin/usage", ADMIN).await;
    assert_eq!(asked(&house), 1);
    pass(301).await;
    let later = usage(&house, "/v1/usage", KEY).await;
    assert_eq!((later["used"].clone(), asked(&house)), (json!(0.0), 2));
}

#[tokio::test]
async fn callers_who_come_together_ask_once() {
    let house = house(0.1).await;
    let one = || usage(&house, "/v1/usage", KEY);
    let told = tokio::join!(one(), one(), one());
    assert_eq!(told.0["limit"], told.2["limit"]);
    assert_eq!(asked(&house), 1);
}

#[tokio::test]
async fn an_answer_is_stale_while_the_service_does_not_answer() {
    let house = house(0.1).await;
    says(&house, 10.0, "ann");
    usage(&house, "/v1/usage", KEY).await;
    pass(301).await;
    fails(&house);
    let told = usage(&house, "/v1/usage", KEY).await;
    assert_eq!(
        (&told["used"], &told["stale"]),
        (&json!(10.0), &json!(true))
    );
    let why = told["stale_because"].as_str().unwrap();
    assert!(why.contains("upstream"), "{why}");
    let admin = usage(&house, "/admin/usage", ADMIN).await;
    assert_eq!(admin["accounts"][0]["quota"]["stale"], true);
    assert!(admin["accounts"][0]["quota_age_seconds"].is_u64());
    assert_eq!(asked(&house), 2, "not at once again");
    // A failure does not stand for five minutes.
    pass(31).await;
    let told = usage(&house, "/v1/usage", KEY).await;
    assert_eq!(
        (&told["used"], &told["stale"]),
        (&json!(0.0), &json!(false))
    );
    assert_eq!(asked(&house), 3);
}

#[tokio::test]
async fn who_insists_is_told_when_it_is_too_early() {
    let house = house(0.1).await;
    says(&house, 1.0, "ann");
    let insisting = || house.ask(request(&house, "/v1/usage?refresh=true", KEY));
    let first: Answer = insisting().await;
    assert_eq!(
        (first.status.as_u16(), first.header("retry-after")),
        (200, None)
    );
    let second = insisting().await;
    assert_eq!(second.status, 200);
    let after: u64 = second.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=30).contains(&after), "{after}");
    assert_eq!(second.json()["used"], 1.0);
    assert_eq!(asked(&house), 1);
    pass(31).await;
    assert_eq!(insisting().await.json()["used"], 0.0);
    assert_eq!(asked(&house), 2);
    let wrong = house.get("/v1/usage?refresh=maybe").await;
    assert_eq!(wrong.status, 400);
    assert_eq!(wrong.json()["error"]["param"], "refresh");
}

#[tokio::test]
async fn when_nothing_is_known_the_error_is_in_the_callers_words() {
    let house = house(0.1).await;
    fails(&house);
    let refused = house.get("/v1/usage").await;
    assert_eq!(refused.status, 502);
    assert!(refused.json()["error"]["message"].is_string());
    let mut request = request(&house, "/v1/usage", KEY);
    let version = "2023-06-01".parse().unwrap();
    request.headers_mut().insert("anthropic-version", version);
    let refused = house.ask(request).await;
    assert_eq!(refused.json()["type"], "error");
    assert_eq!(asked(&house), 1, "the refusal is remembered");
    let admin = usage(&house, "/admin/usage", ADMIN).await;
    assert_eq!(admin["whole"], json!(null));
    assert_eq!(admin["accounts"][0]["quota"], json!(null));
    assert!(admin["accounts"][0]["quota_unknown_because"].is_string());
}

#[tokio::test]
async fn a_caller_sees_their_own_credential_and_of_others_no_name() {
    let house = House::with_accounts(2).await;
    says(&house, 100.0, "ann");
    says(&house, 300.0, "bob");
    let sums = usage(&house, "/v1/usage", KEY).await;
    assert_eq!(sums["accounts"], 2);
    assert_eq!(
        (&sums["used"], &sums["limit"]),
        (&json!(400.0), &json!(2000.0))
    );
    let guest = |house: &House| {
        let token = house.sim.issue_social().refresh_token.unwrap();
        format!("{KEY}:{token}")
    };
    let (carol, dave) = (guest(&house), guest(&house));
    says(&house, 7.0, "carol");
    let of_carol = usage(&house, "/v1/usage", &carol).await;
    says(&house, 9.0, "dave");
    let of_dave = usage(&house, "/v1/usage", &dave).await;
    assert_eq!(
        (&of_carol["used"], &of_carol["accounts"]),
        (&json!(7.0), &json!(1))
    );
    assert_eq!(of_dave["used"], 9.0);
    assert_eq!(usage(&house, "/v1/usage", &carol).await["used"], 7.0);
    assert_eq!(asked(&house), 4);
    for told in [sums, of_carol, of_dave] {
        let text = told.to_string();
        for name in ["ann", "bob", "carol", "dave", "example.com", "gift"] {
            assert!(!text.contains(name), "{name} is in {text}");
        }
    }
    let request = request(&house, "/v1/usage", &format!("{KEY}:{}", "x".repeat(120)));
    assert_eq!(house.ask(request).await.status, 401);
}

#[tokio::test]
async fn an_organisations_login_is_asked_with_its_profile_and_where_that_is_refused_without() {
    let house = House::start().await;
    let issued = house.sim.issue(CredentialKind::IdentityCenter);
    let login = json!({
        "refreshToken": issued.refresh_token, "clientId": issued.client_id,
        "clientSecret": issued.client_secret, "region": issued.region,
        "startUrl": "https://d-1234567890.awsapps.com/start",
    });
    let guest = format!("{KEY}:{}", URL_SAFE_NO_PAD.encode(login.to_string()));
    let refusal = Playback::new(400);
    house.sim.play_back(Operation::GetUsageLimits, refusal);
    house.sim.set_credits_used(issued.account, 3.5);
    assert_eq!(usage(&house, "/v1/usage", &guest).await["used"], 3.5);
    let asked = house.sim.requests_for(Operation::GetUsageLimits);
    let profiles = asked.iter().map(|request| {
        let told = request.path.clone() + &String::from_utf8_lossy(&request.body);
        told.contains("profileArn")
    });
    assert_eq!(profiles.collect::<Vec<_>>(), [true, false]);
}

#[tokio::test]
async fn an_access_token_that_has_died_is_renewed() {
    let house = House::start().await;
    usage(&house, "/v1/usage", KEY).await;
    house.sim.expire_access_tokens();
    pass(31).await;
    let told = usage(&house, "/v1/usage?refresh=true", KEY).await;
    assert_eq!((&told["stale"], asked(&house)), (&json!(false), 3));
}

#[tokio::test]
async fn the_operator_sees_accounts_and_what_tenants_have_spent() {
    let house = house(0.5).await;
    let token = house.sim.issue_social().refresh_token.unwrap();
    let mut of_guest = house.request(
        Method::POST,
        "/v1/chat/completions",
        whole("hello").to_string(),
    );
    let bearer = format!("Bearer {KEY}:{token}").parse().unwrap();
    of_guest.headers_mut().insert("authorization", bearer);
    assert_eq!(house.ask(of_guest).await.status, 200);
    says(&house, 900.0, "ann");
    let seen = usage(&house, "/admin/usage", ADMIN).await;
    let account = &seen["accounts"][0];
    assert_eq!(account["state"], "usable");
    assert_eq!(account["quota"]["used"], 900.0);
    assert_eq!(account["quota"]["low"], true);
    assert_eq!(account["quota_age_seconds"], 0);
    assert_eq!(
        (&seen["warn_below"], &seen["whole"]["remaining"]),
        (&json!(0.5), &json!(100.0))
    );
    let tenant = &seen["tenants"][0];
    assert!(tenant["name"].as_str().unwrap().starts_with("default:"));
    assert!(tenant["credits"].as_f64().unwrap() > 0.0, "{tenant}");
    assert!(tenant["output_tokens"].as_u64().unwrap() > 0);
    let text = seen.to_string();
    for hidden in [&token, "example.com", KEY, ADMIN] {
        assert!(!text.contains(hidden), "{hidden} is in {text}");
    }
    let refused = house.ask(request(&house, "/admin/usage", KEY)).await;
    assert_eq!(refused.status, 401);
    let wrong = house
        .ask(request(&house, "/admin/usage?refresh=x", ADMIN))
        .await;
    assert_eq!(wrong.status, 400);
}

#[tokio::test]
async fn where_nothing_is_warned_of_nothing_is_asked() {
    let house = House::start().await;
    assert_eq!(chat(&house, &whole("hello")).await.status, 200);
    assert_eq!(chat(&house, &streamed("hello")).await.status, 200);
    says(&house, 999.0, "ann");
    let told = usage(&house, "/v1/usage", KEY).await;
    assert_eq!((asked(&house), &told["low"]), (1, &json!(false)));
    let answer = chat(&house, &whole("hello")).await;
    assert_eq!(answer.header("x-kiro-quota-remaining"), None);
    // A reload turns it on, for what is known as well.
    let mut options = house.options();
    options.quota.warn_below = 0.1;
    house.gateway.reload(options).unwrap();
    let answer = chat(&house, &whole("hello")).await;
    assert_eq!(answer.header("x-kiro-quota-remaining"), Some("1"));
    assert_eq!(asked(&house), 1);
}

#[tokio::test]
async fn an_account_that_rests_tells_what_it_was_refused_for() {
    let mut sim = SimOptions::default();
    sim.credit_quota = 0.0;
    let house = House::with(sim, |_| {}).await;
    says(&house, 1000.0, "ann");
    assert_eq!(chat(&house, &whole("hello")).await.status, 429);
    assert_eq!(asked(&house), 1);
    let told = usage(&house, "/v1/usage", KEY).await;
    assert_eq!(
        (&told["remaining"], &told["stale"]),
        (&json!(0.0), &json!(false))
    );
    pass(301).await;
    let told = usage(&house, "/v1/usage", KEY).await;
    assert_eq!(told["stale"], true);
    let why = told["stale_because"].as_str().unwrap();
    assert!(why.contains("quota is used up"), "{why}");
    assert_eq!(asked(&house), 1, "it is left alone");
}

#[tokio::test]
async fn the_price_of_a_stream_is_in_its_last_usage_on_every_surface() {
    let house = House::start().await;
    let said = Script::new().text("Hello.").credits(0.75);
    let text = json!([{"role": "user", "content": "hi"}]);
    for (path, body) in [
        (
            "/v1/chat/completions",
            json!({"messages": text, "stream_options": {"include_usage": true}}),
        ),
        ("/v1/messages", json!({"messages": text, "max_tokens": 100})),
        ("/v1/responses", json!({"input": "hi"})),
    ] {
        let mut body = support::with(body, json!({"model": "auto", "stream": true}));
        house.sim.script(Matcher::once(), said.clone());
        let request = house.request(Method::POST, path, body.to_string());
        let streamed = house.send(request).await.into_body();
        let streamed = streamed.collect().await.unwrap().to_bytes();
        let streamed = String::from_utf8(streamed.to_vec()).unwrap();
        let priced: Vec<&str> = streamed
            .lines()
            .filter(|line| line.contains(r#""credits_used":0.75"#))
            .collect();
        assert_eq!(priced.len(), 1, "{path}: {streamed}");
        let kind = ["\"usage\":{", "message_delta", "response.completed"];
        assert!(kind.iter().any(|kind| priced[0].contains(kind)), "{path}");

        body["stream"] = json!(false);
        house.sim.script(Matcher::once(), said.clone());
        let request = house.request(Method::POST, path, body.to_string());
        let answer = house.ask(request).await;
        assert_eq!(answer.header("x-kiro-credits"), Some("0.75"), "{path}");
        assert_eq!(answer.json()["usage"]["credits_used"], 0.75, "{path}");
    }
}
