//! What Prometheus reads: counted once, by names with a bound, and for who may see it.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use http::{Method, StatusCode};
use kiro_sim::{Matcher, Operation, Script, SignInFault, SimOptions};
use serde_json::json;

use support::{House, streamed, whole};

const ADMIN: &str = "admin-0123456789abcdef";

async fn page(house: &House) -> String {
    let page = house.get("/metrics").await;
    assert_eq!(page.status, StatusCode::OK, "{:?}", page.body);
    String::from_utf8(page.body.to_vec()).unwrap()
}

/// The number behind a name with its labels.
fn number(page: &str, name: &str) -> f64 {
    let line = page.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.strip_prefix(' '));
    let number = number.unwrap_or_else(|| panic!("{name} is not in\n{page}"));
    number.parse().unwrap()
}

#[tokio::test]
async fn a_request_is_counted_with_its_surface_model_status_tokens_and_credits() {
    let house = House::start().await;
    assert_eq!(house.chat(&whole("sim:echo Hi there")).await.status, 200);
    assert_eq!(house.chat(&streamed("sim:echo Hi there")).await.status, 200);
    let message = json!({
        "model": "claude-sonnet-4-5", "max_tokens": 100,
        "messages": [{"role": "user", "content": "Hi"}],
    });
    let message = house.request(Method::POST, "/v1/messages", message.to_string());
    assert_eq!(house.ask(message).await.status, 200);
    let no_model = json!({"model": "nothing", "messages": [{"role": "user", "content": "Hi"}]});
    assert_eq!(house.chat(&no_model).await.status, 404);

    let page = page(&house).await;
    let chat = r#"surface="chat",model="claude-sonnet-4.5""#;
    let ended = |name: &str, rest: &str| number(&page, &format!("kiro_gateway_{name}{{{rest}}}"));
    let ok = r#"status="200",ending="complete""#;
    assert_eq!(ended("requests_total", &format!("{chat},{ok}")), 2.0);
    let messages = r#"surface="messages",model="claude-sonnet-4.5""#;
    assert_eq!(ended("requests_total", &format!("{messages},{ok}")), 1.0);
    let failed = r#"surface="chat",model="unknown",status="404",ending="failed""#;
    assert_eq!(ended("requests_total", failed), 1.0);
    let kind = r#"surface="chat",kind="model_not_found""#;
    assert_eq!(ended("errors_total", kind), 1.0);
    for histogram in ["request_duration", "first_event"] {
        assert_eq!(ended(&format!("{histogram}_seconds_count"), chat), 2.0);
        assert!(ended(&format!("{histogram}_seconds_sum"), chat) > 0.0);
    }
    assert!(ended("event_gap_seconds_count", chat) >= 2.0);
    let model = r#"model="claude-sonnet-4.5""#;
    for kind in ["input", "output"] {
        let labels = format!(r#"{model},kind="{kind}""#);
        assert!(ended("tokens_total", &labels) > 0.0);
    }
    let credits = ended("credits_total", model);
    assert!(credits > 0.0);
    assert_eq!(
        ended("tenant_credits_total", r#"tenant="default""#),
        credits
    );
    assert_eq!(ended("upstream_attempts_total", r#"fault="none""#), 3.0);
    assert_eq!(number(&page, "kiro_gateway_exchanges_total"), 4.0);
    assert_eq!(number(&page, "kiro_gateway_exchanges_active"), 0.0);
    assert_eq!(number(&page, "kiro_gateway_streams_active"), 0.0);
}

#[tokio::test]
async fn attempts_are_counted_by_fault_and_accounts_by_state() {
    let house = House::with_accounts(2).await;
    let throttled = json!({"__type": "ThrottlingException", "message": "Too many requests", "reason": "USER_REQUEST_RATE_EXCEEDED"});
    let refusal = Script::new().http_error(429, throttled, None);
    house.sim.script(Matcher::once(), refusal);
    assert_eq!(house.chat(&whole("sim:echo Hi")).await.status, 200);
    let page = page(&house).await;
    let attempts = |fault: &str| {
        let name = format!("kiro_gateway_upstream_attempts_total{{fault=\"{fault}\"}}");
        number(&page, &name)
    };
    assert_eq!((attempts("throttled"), attempts("none")), (1.0, 1.0));
    let accounts = |state: &str| {
        let name = format!("kiro_gateway_accounts{{state=\"{state}\"}}");
        number(&page, &name)
    };
    assert_eq!(
        (accounts("usable"), accounts("resting"), accounts("broken")),
        (1.0, 1.0, 0.0)
    );
}

#[tokio::test]
async fn an_account_whose_login_has_ended_is_named() {
    let house = House::with_accounts(2).await;
    house.sim.fail_sign_in(SignInFault::Dead);
    assert_eq!(house.chat(&whole("sim:echo Hi")).await.status, 200);
    let page = page(&house).await;
    let signed_out = |line: &&str| line.starts_with("kiro_gateway_account_signed_out{account=");
    let mut values: Vec<&str> = page
        .lines()
        .filter(signed_out)
        .filter_map(|line| line.rsplit(' ').next())
        .collect();
    values.sort_unstable();
    assert_eq!(values, ["0.0", "1.0"], "{page}");
}

#[tokio::test]
async fn every_reason_to_let_nothing_in_is_there_before_its_first_time() {
    let house = House::start().await;
    let page = page(&house).await;
    for reason in ["limit", "exchanges", "memory"] {
        let name = format!("kiro_gateway_requests_shed_total{{reason=\"{reason}\"}}");
        assert_eq!(number(&page, &name), 0.0);
    }
    // The encoder ends each sentence itself.
    assert!(!page.contains("..\n"), "{page}");
}

#[tokio::test]
async fn an_open_stream_is_seen_and_one_that_is_not_let_in_is_counted() {
    let full = |options: &mut kiro_gateway::GatewayOptions| {
        options.admission.max_exchanges = std::num::NonZeroUsize::new(1);
        options.admission.queue = 0;
    };
    let house = House::with(SimOptions::default(), full).await;
    let stalled = Script::new().text("One").hang();
    house.sim.script(Matcher::any(), stalled);
    let open = house.open_chat(&streamed("wait")).await;
    assert_eq!(house.chat(&whole("no room")).await.status, 503);
    let seen = page(&house).await;
    assert_eq!(number(&seen, "kiro_gateway_streams_active"), 1.0);
    assert_eq!(number(&seen, "kiro_gateway_places_taken"), 1.0);
    assert_eq!(number(&seen, "kiro_gateway_requests_queued"), 0.0);
    let shed = "kiro_gateway_requests_shed_total{reason=\"exchanges\"}";
    assert_eq!(number(&seen, shed), 1.0);
    drop(open);
}

#[tokio::test]
async fn where_there_is_an_admin_key_it_alone_opens_the_page() {
    let admin = |options: &mut kiro_gateway::GatewayOptions| {
        options.admin_key = Some(ADMIN.into());
    };
    let house = House::with(SimOptions::default(), admin).await;
    assert_eq!(house.get("/metrics").await.status, 401);
    let mut request = house.request(Method::GET, "/metrics", "");
    let key = format!("Bearer {ADMIN}").parse().unwrap();
    request.headers_mut().insert("authorization", key);
    let page = house.ask(request).await;
    assert_eq!(page.status, 200);
    let text = String::from_utf8(page.body.to_vec()).unwrap();
    assert!(text.contains("kiro_gateway_build_info{version="), "{text}");
}

#[tokio::test]
async fn what_is_left_of_an_account_is_told_once_it_is_known_and_the_page_asks_nobody() {
    let house = House::start().await;
    assert!(!page(&house).await.contains("account_quota_used_credits{"));
    assert_eq!(house.get("/v1/usage").await.status, 200);
    let asked = |house: &House| house.sim.requests_for(Operation::GetUsageLimits).len();
    let before = asked(&house);
    let page = page(&house).await;
    assert_eq!(asked(&house), before);
    let of_account = |name: &str| {
        let line = page.lines().find(|line| line.starts_with(name));
        let line = line.unwrap_or_else(|| panic!("{name} is not in\n{page}"));
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    let limit = of_account("kiro_gateway_account_quota_limit_credits{account=");
    let used = of_account("kiro_gateway_account_quota_used_credits{account=");
    let ratio = of_account("kiro_gateway_account_quota_remaining_ratio{account=");
    assert!(limit > 0.0 && used < limit, "{used} of {limit}");
    assert!((0.0..=1.0).contains(&ratio), "{ratio}");
    assert_eq!(of_account("kiro_gateway_account_quota_stale{account="), 0.0);
}
