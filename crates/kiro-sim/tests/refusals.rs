//! What the simulator refuses, how it says so, and what it records.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on may as well panic"
)]

mod support;

use std::time::Duration;

use kiro_sim::{CredentialKind, Matcher, Script, Strictness};
use serde_json::{Value, json};
use support::{Answer, Client, ask, krs, of_model, post, rest, simulator, start, target};

const CLI: &str = "AmazonCodeWhispererStreamingService.GenerateAssistantResponse";

fn reason(answer: &Answer) -> Option<String> {
    answer.json()["reason"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn each_generation_spells_a_refusal_in_its_own_way_and_the_reason_is_recorded() {
    let sim = simulator().await;
    let credential = sim.issue_social();
    let mut client = Client::connect(&sim).await;
    let body = of_model(ask("Hi"), "gpt-2");

    let krs = client.call(krs(&credential, &body)).await;
    assert_eq!(krs.status, 400);
    assert_eq!(
        krs.json()["__type"],
        "com.amazon.kiro.runtimeservice#ValidationException"
    );
    assert_eq!(krs.headers["x-amzn-errortype"], "ValidationException");
    let cli = client.call(target(&credential, CLI, &body)).await;
    assert_eq!(
        cli.json()["__type"],
        "com.amazon.aws.codewhisperer#ValidationException"
    );
    let rest = client
        .call(rest(&credential, "/generateAssistantResponse", &body))
        .await;
    let message = "Invalid model. Please select a different model to continue.";
    assert_eq!(
        rest.json(),
        json!({"message": message, "reason": "INVALID_MODEL_ID"})
    );

    for recorded in sim.requests() {
        let refusal = recorded.refusal.unwrap();
        assert_eq!((refusal.rule, refusal.status), ("E2", 400));
        assert!(refusal.detail.contains("gpt-2"));
        assert_eq!(recorded.status, Some(400));
    }
    assert_eq!(sim.state().refusals, 3);
}

#[tokio::test]
async fn the_bearer_token_has_to_be_good() {
    let sim = simulator().await;
    let good = sim.issue_social();
    let mut unknown = good.clone();
    unknown.access_token = "aoaAAAAAGnobody:has".to_owned();
    let mut client = Client::connect(&sim).await;

    let answer = client.call(krs(&unknown, &ask("Hi"))).await;
    assert_eq!(answer.status, 403);
    assert_eq!(
        answer.json()["message"],
        "The bearer token included in the request is invalid."
    );
    let missing = post("/generateAssistantResponse", &ask("Hi"));
    assert_eq!(client.call(missing).await.status, 403);

    assert_eq!(client.call(krs(&good, &ask("Hi"))).await.status, 200);
    sim.expire_access_tokens();
    assert_eq!(client.call(krs(&good, &ask("Hi"))).await.status, 403);

    let again = sim.issue_social();
    sim.revoke(again.account);
    assert_eq!(client.call(krs(&again, &ask("Hi"))).await.status, 403);
    assert_eq!(
        sim.requests()
            .last()
            .unwrap()
            .refusal
            .as_ref()
            .unwrap()
            .rule,
        "E16"
    );
}

#[tokio::test(start_paused = true)]
async fn an_access_token_lives_an_hour() {
    let sim = simulator().await;
    let credential = sim.issue_social();
    let mut client = Client::connect(&sim).await;
    tokio::time::advance(Duration::from_secs(3_590)).await;
    assert_eq!(client.call(krs(&credential, &ask("Hi"))).await.status, 200);
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!(client.call(krs(&credential, &ask("Hi"))).await.status, 403);
}

#[tokio::test]
async fn api_keys_and_external_tokens_need_their_type() {
    let sim = simulator().await;
    let mut client = Client::connect(&sim).await;
    for kind in [CredentialKind::ApiKey, CredentialKind::ExternalIdp] {
        let credential = sim.issue(kind);
        let mut body = ask("Hi");
        match &credential.profile_arn {
            Some(arn) => body["profileArn"] = arn.as_str().into(),
            None => drop(body.as_object_mut().unwrap().remove("profileArn")),
        }
        let with_type = krs(&credential, &body);
        let mut without = krs(&credential, &body);
        without.headers_mut().remove("tokentype");
        let mut other = krs(&credential, &body);
        other
            .headers_mut()
            .insert("tokentype", "SSO_OIDC".parse().unwrap());

        assert_eq!(client.call(with_type).await.status, 200, "{kind:?}");
        assert_eq!(client.call(without).await.status, 403, "{kind:?}");
        assert_eq!(client.call(other).await.status, 403, "{kind:?}");
    }
}

#[tokio::test]
async fn the_profile_is_checked_by_kind_and_host() {
    let sim = simulator().await;
    let social = sim.issue_social();
    let builder = sim.issue_oidc();
    let team = sim.issue(CredentialKind::IdentityCenter);
    let mut client = Client::connect(&sim).await;
    let mut without = ask("Hi");
    without.as_object_mut().unwrap().remove("profileArn");

    let answer = client.call(krs(&social, &without)).await;
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.json()["message"],
        "profileArn is required for this request."
    );
    let legacy = "/generateAssistantResponse";
    assert_eq!(
        client.call(rest(&social, legacy, &without)).await.status,
        200
    );
    assert_eq!(
        client.call(rest(&builder, legacy, &without)).await.status,
        200
    );
    assert_eq!(client.call(rest(&team, legacy, &without)).await.status, 403);

    let mut with_header = rest(&team, legacy, &without);
    let arn = team.profile_arn.clone().unwrap();
    with_header
        .headers_mut()
        .insert("x-amzn-kiro-profile-arn", arn.parse().unwrap());
    assert_eq!(client.call(with_header).await.status, 200);

    let mut of_team = ask("Hi");
    of_team["profileArn"] = arn.into();
    assert_eq!(client.call(krs(&team, &of_team)).await.status, 200);
    let answer = client.call(krs(&social, &of_team)).await;
    assert_eq!(
        answer.json()["message"],
        "User is not authorized to make this call."
    );
}

#[tokio::test]
async fn a_suspended_account_is_told_so() {
    let sim = simulator().await;
    let credential = sim.issue_social();
    sim.suspend(credential.account, true);
    let mut client = Client::connect(&sim).await;
    let answer = client.call(krs(&credential, &ask("Hi"))).await;
    assert_eq!(
        (answer.status.as_u16(), reason(&answer)),
        (403, Some("TEMPORARILY_SUSPENDED".into()))
    );
    sim.suspend(credential.account, false);
    assert_eq!(client.call(krs(&credential, &ask("Hi"))).await.status, 200);
}

#[tokio::test]
async fn a_builder_id_is_refused_behind_the_plugins_user_agent() {
    let sim = simulator().await;
    let mut client = Client::connect(&sim).await;
    for (credential, status) in [(sim.issue_oidc(), 403), (sim.issue_social(), 200)] {
        let mut body = ask("Hi");
        body["profileArn"] = credential.profile_arn.clone().unwrap().into();
        let mut request = krs(&credential, &body);
        let agent = "aws-sdk-js/1 AWS-Language-Servers-AWS-CodeWhisperer/1.0";
        request
            .headers_mut()
            .insert("user-agent", agent.parse().unwrap());
        assert_eq!(client.call(request).await.status, status);
    }
}

#[tokio::test]
async fn unknown_operations_are_404() {
    let sim = simulator().await;
    let credential = sim.issue_social();
    let mut client = Client::connect(&sim).await;
    for request in [
        target(&credential, "KiroRuntimeService.DoWhatIMean", &ask("Hi")),
        target(
            &credential,
            "kiroRuntimeService.GenerateAssistantResponse",
            &ask("Hi"),
        ),
        rest(&credential, "/generate", &ask("Hi")),
        rest(&credential, "/", &ask("Hi")),
    ] {
        let answer = client.call(request).await;
        assert_eq!(answer.status, 404);
        assert_eq!(
            answer.headers["x-amzn-errortype"],
            "UnknownOperationException"
        );
    }
}

#[tokio::test]
async fn generations_can_be_switched_off() {
    let sim = start(|options| {
        options.rest_path_refused = true;
        options.krs_refused = true;
    })
    .await;
    let credential = sim.issue_social();
    let mut client = Client::connect(&sim).await;
    assert_eq!(client.call(krs(&credential, &ask("Hi"))).await.status, 404);
    let answer = client
        .call(rest(&credential, "/generateAssistantResponse", &ask("Hi")))
        .await;
    assert_eq!(
        (answer.status.as_u16(), reason(&answer)),
        (400, Some("REQUEST_BODY_INVALID".into()))
    );
    assert_eq!(
        client
            .call(target(&credential, CLI, &ask("Hi")))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn strictness_decides_about_disputed_rules() {
    for (strictness, status) in [(Strictness::Strict, 400), (Strictness::Lenient, 200)] {
        let sim = start(|options| options.strictness = strictness).await;
        let credential = sim.issue_social();
        let mut body = ask("Hi");
        body["conversationState"]["history"] = json!([{"userInputMessage": {"content": "One"}}]);
        let answer = Client::connect(&sim)
            .await
            .call(krs(&credential, &body))
            .await;
        assert_eq!(answer.status, status);
    }
}

#[tokio::test]
async fn what_is_not_json_or_too_large_is_refused() {
    let sim = start(|options| {
        options.max_body = 10_000;
        options.practical_body_limit = Some(5_000);
    })
    .await;
    let credential = sim.issue_social();
    let mut broken = krs(&credential, &ask("Hi"));
    *broken.body_mut() = "{\"conversationState\":".into();
    let answer = Client::connect(&sim).await.call(broken).await;
    assert_eq!(reason(&answer), Some("REQUEST_BODY_INVALID_JSON".into()));

    let body = ask(&"x".repeat(6_000));
    let answer = Client::connect(&sim)
        .await
        .call(krs(&credential, &body))
        .await;
    assert_eq!(answer.json()["message"], "Improperly formed request.");

    let body = ask(&"x".repeat(20_000));
    let answer = Client::connect(&sim)
        .await
        .call(krs(&credential, &body))
        .await;
    assert_eq!(answer.status, 413);
}

#[tokio::test]
async fn what_does_not_fit_the_window_is_too_long() {
    let sim = simulator().await;
    let credential = sim.issue_social();
    let mut client = Client::connect(&sim).await;
    let body = of_model(ask(&"x".repeat(128_000 * 4 + 1)), "deepseek-3.2");
    let answer = client.call(krs(&credential, &body)).await;
    assert_eq!(
        (answer.status.as_u16(), reason(&answer)),
        (400, Some("PROMPT_TOO_LONG".into()))
    );
    let answer = client.call(target(&credential, CLI, &body)).await;
    assert_eq!(
        reason(&answer),
        Some("CONTENT_LENGTH_EXCEEDS_THRESHOLD".into())
    );
    let body = of_model(ask(&"x".repeat(128_000 * 4)), "deepseek-3.2");
    assert_eq!(client.call(krs(&credential, &body)).await.status, 200);
}

fn after_reasoning(text: &str, signature: &Value) -> Value {
    let mut body = ask("And now?");
    body["conversationState"]["history"] = json!([
        {"userInputMessage": {"content": "Think"}},
        {"assistantResponseMessage": {"content": "Done.", "reasoningContent": {
            "reasoningText": {"text": text, "signature": signature},
        }}},
    ]);
    body
}

#[tokio::test]
async fn reasoning_comes_back_unmodified_or_not_at_all() {
    let sim = simulator().await;
    let credential = sim.issue_social();
    sim.script(
        Matcher::once(),
        Script::new().thinking("A").signed_reasoning("B"),
    );
    let mut client = Client::connect(&sim).await;
    let given = client
        .call(krs(&credential, &ask("Think")))
        .await
        .payloads("reasoningContentEvent");
    let signature = &given[2]["signature"];

    let accepted = client
        .call(krs(&credential, &after_reasoning("AB", signature)))
        .await;
    assert_eq!(accepted.status, 200);
    for (text, signature) in [("ABC", signature), ("AB", &json!("Zm9yZWlnbg=="))] {
        let answer = client
            .call(krs(&credential, &after_reasoning(text, signature)))
            .await;
        assert_eq!(reason(&answer), Some("THINKING_SIGNATURE_INVALID".into()));
    }
}

#[tokio::test]
async fn a_signature_of_the_scripts_own_comes_back_with_its_thoughts() {
    let sim = simulator().await;
    let credential = sim.issue_social();
    sim.script(
        Matcher::once(),
        Script::new().thinking("A").reasoning("B", "c2ln"),
    );
    let mut client = Client::connect(&sim).await;
    let back = |text| krs(&credential, &after_reasoning(text, &json!("c2ln")));
    assert_eq!(client.call(back("AB")).await.status, 400);
    client.call(krs(&credential, &ask("Think"))).await;
    assert_eq!(client.call(back("AB")).await.status, 200);
    assert_eq!(client.call(back("A")).await.status, 400);
}

#[tokio::test(start_paused = true)]
async fn calls_per_minute_are_limited_by_account() {
    let sim = start(|options| options.calls_per_minute = Some(2)).await;
    let (one, two) = (sim.issue_social(), sim.issue_social());
    let mut client = Client::connect(&sim).await;
    for _ in 0..2 {
        assert_eq!(
            client
                .call(krs(&one, &ask("sim:delay=0ms Hi")))
                .await
                .status,
            200
        );
    }
    let answer = client.call(krs(&one, &ask("Hi"))).await;
    assert_eq!(
        (answer.status.as_u16(), reason(&answer)),
        (429, Some("USER_REQUEST_RATE_EXCEEDED".into()))
    );
    assert_eq!(answer.headers["retry-after"], "60");
    assert_eq!(client.call(krs(&two, &ask("Hi"))).await.status, 200);
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(client.call(krs(&one, &ask("Hi"))).await.status, 200);
}

#[tokio::test]
async fn a_model_has_only_so_much_capacity() {
    let sim = start(|options| options.model_capacity = Some(1)).await;
    let credential = sim.issue_social();
    sim.script(Matcher::once(), Script::new().text("half").hang());
    let mut busy = Client::connect(&sim).await;
    let open = busy.send(krs(&credential, &ask("Hi"))).await.unwrap();
    let mut client = Client::connect(&sim).await;
    let answer = client.call(krs(&credential, &ask("Hi"))).await;
    assert_eq!(
        (answer.status.as_u16(), reason(&answer)),
        (429, Some("INSUFFICIENT_MODEL_CAPACITY".into()))
    );
    let other = of_model(ask("Hi"), "claude-haiku-4.5");
    assert_eq!(client.call(krs(&credential, &other)).await.status, 200);
    drop((open, busy));
    sim.wait_until(|state| state.open_streams == 0, support::DEADLINE)
        .await
        .unwrap();
    assert_eq!(client.call(krs(&credential, &ask("Hi"))).await.status, 200);
}

#[tokio::test]
async fn credits_run_out_and_the_usage_tells() {
    let sim = start(|options| options.credit_quota = 1.0).await;
    let credential = sim.issue_social();
    sim.script(Matcher::any(), Script::new().text("dear").credits(1.5));
    let mut client = Client::connect(&sim).await;
    assert_eq!(client.call(krs(&credential, &ask("Hi"))).await.status, 200);
    let answer = client.call(krs(&credential, &ask("Hi"))).await;
    assert_eq!(
        (answer.status.as_u16(), reason(&answer)),
        (402, Some("MONTHLY_REQUEST_COUNT".into()))
    );
    let usage = "AmazonCodeWhispererService.GetUsageLimits";
    let usage = client
        .call(target(&credential, usage, &json!({})))
        .await
        .json();
    assert_eq!(
        usage["usageBreakdownList"][0]["currentUsageWithPrecision"],
        1.5
    );
    assert_eq!(
        usage["usageBreakdownList"][0]["usageLimitWithPrecision"],
        1.0
    );
}

#[tokio::test]
async fn tokens_do_not_show_in_debug_output() {
    let sim = simulator().await;
    let credential = sim.issue_oidc();
    Client::connect(&sim)
        .await
        .call(krs(&credential, &ask("Hi")))
        .await;
    let shown = format!("{credential:?} {sim:?} {:?}", sim.requests());
    for secret in [
        Some(&credential.access_token),
        credential.refresh_token.as_ref(),
        credential.client_secret.as_ref(),
    ] {
        assert!(!shown.contains(secret.unwrap()));
    }
}
