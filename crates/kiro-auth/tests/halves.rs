//! The requests and replies of every sign-in service, against recorded shapes.
//!
//! `data/login-and-refresh.json` holds the shapes of real exchanges with invented values,
//! `data/credential-files.json` those of the files that real clients leave on disk.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use http::{HeaderMap, Request, StatusCode};
use kiro_auth::refresh::{Refusal, external, oidc, social};
use kiro_auth::{AuthError, AuthErrorKind, Credential, Login};
use serde_json::{Value, json};

fn exchanges() -> Value {
    serde_json::from_str(include_str!("data/login-and-refresh.json")).unwrap()
}

/// A credential as a client's file holds it, with what its registration file adds.
fn credential(name: &str) -> Credential {
    let files: Value = serde_json::from_str(include_str!("data/credential-files.json")).unwrap();
    let mut members = files[name]["content"].clone();
    let registration = &files["ide_client_registration"]["content"];
    if members["clientIdHash"].is_string() {
        members["clientId"] = registration["clientId"].clone();
        members["clientSecret"] = registration["clientSecret"].clone();
    }
    Credential::from_json(&members.to_string()).unwrap()
}

fn status(value: &Value) -> StatusCode {
    StatusCode::from_u16(u16::try_from(value.as_u64().unwrap()).unwrap()).unwrap()
}

fn assert_sent(request: &Request<bytes::Bytes>, recorded: &Value) {
    assert_eq!(request.method().as_str(), recorded["method"]);
    assert_eq!(request.uri().to_string(), recorded["url"]);
}

fn json_body(request: &Request<bytes::Bytes>) -> Value {
    assert_eq!(request.headers()["content-type"], "application/json");
    serde_json::from_slice(request.body()).unwrap()
}

#[test]
fn files_of_real_clients_are_recognised() {
    let table = [
        ("ide_social", Login::Social, None, "us-east-1"),
        (
            "ide_builder_id",
            Login::BuilderId,
            Some("us-east-1"),
            "us-east-1",
        ),
        (
            "ide_enterprise",
            Login::IdentityCenter,
            Some("eu-west-1"),
            "eu-central-1",
        ),
        (
            "ide_external_idp",
            Login::ExternalIdp,
            Some("us-east-1"),
            "us-east-1",
        ),
    ];
    for (name, login, auth_region, service_region) in table {
        let credential = credential(name);
        assert_eq!(credential.login, login, "{name}");
        assert_eq!(credential.auth_region.as_deref(), auth_region, "{name}");
        assert_eq!(credential.service_region(), service_region, "{name}");
        assert!(credential.access_token.is_some() && credential.refresh_token.is_some());
        let milliseconds = credential
            .expires_at
            .unwrap()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_millis();
        assert_eq!(milliseconds, 1_792_499_696_789, "{name}");
    }
}

#[test]
fn rows_of_kiro_cli_are_recognised() {
    let files: Value = serde_json::from_str(include_str!("data/credential-files.json")).unwrap();
    let row = |index: usize| files["cli_sqlite"]["rows"][index]["value"].clone();
    let read = |value: Value| Credential::from_json(&value.to_string()).unwrap();

    let mut oidc = row(0);
    oidc["client_id"] = row(1)["client_id"].clone();
    oidc["client_secret"] = row(1)["client_secret"].clone();
    let oidc = read(oidc);
    assert_eq!(oidc.login, Login::BuilderId);
    assert!(
        oidc.scopes
            .unwrap()
            .starts_with("codewhisperer:completions codewhisperer:analysis")
    );
    assert_eq!(read(row(2)).login, Login::Social);
    let external = read(row(3));
    assert_eq!(external.login, Login::ExternalIdp);
    assert!(external.token_endpoint.is_some() && external.client_id.is_some());
}

#[test]
fn login_is_recognised_by_an_explicit_method_and_else_by_shape() {
    use Login::{ApiKey, BuilderId, ExternalIdp, IdentityCenter, Social};
    let table = [
        (json!({}), Social),
        (
            json!({"authMethod": "social", "clientId": "c", "clientSecret": "s"}),
            Social,
        ),
        (
            json!({"authMethod": "IdC", "provider": "BuilderId"}),
            BuilderId,
        ),
        (
            json!({"authMethod": "IdC", "provider": "Enterprise"}),
            IdentityCenter,
        ),
        (json!({"authMethod": "idc"}), BuilderId),
        (
            json!({"authMethod": "idc", "startUrl": "https://d-1.awsapps.com/start"}),
            IdentityCenter,
        ),
        (json!({"authMethod": "builder-id"}), BuilderId),
        (json!({"authMethod": "external_idp"}), ExternalIdp),
        (
            json!({"authMethod": "something new", "tokenEndpoint": "https://x"}),
            ExternalIdp,
        ),
        (
            json!({"issuerUrl": "https://x", "clientId": "c"}),
            ExternalIdp,
        ),
        (json!({"clientId": "c", "clientSecret": "s"}), BuilderId),
        (
            json!({"clientId": "c", "clientSecret": "s", "profileArn": "arn:x"}),
            IdentityCenter,
        ),
        (json!({"clientId": "c"}), Social),
        (
            json!({"clientIdHash": "e909a0580879b06ece1202964fbe9dda95ea4ce3"}),
            BuilderId,
        ),
        (
            json!({"clientIdHash": "0f3a6c1d5b7e9a2c4d6f8e0b1a3c5d7e9f0a2b4c"}),
            IdentityCenter,
        ),
        (json!({"apiKey": "ksk_example"}), ApiKey),
        (json!({"refreshToken": "ksk_example"}), ApiKey),
        (
            json!({"accessToken": "ksk_example", "tokenEndpoint": "https://x"}),
            ApiKey,
        ),
        (
            json!({"provider": "Google", "region": 5, "scopes": {}, "authMethod": null}),
            Social,
        ),
    ];
    for (members, expected) in table {
        let mut all = json!({"refreshToken": "refresh"});
        all.as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        let credential = Credential::from_json(&all.to_string()).unwrap();
        assert_eq!(credential.login, expected, "{members}");
    }
}

#[test]
fn token_that_was_cut_short_is_refused_at_the_door() {
    let whole = format!("aor{}:signature", "A".repeat(120));
    assert!(Credential::from_refresh_token(whole.as_str()).is_ok());
    assert!(Credential::from_refresh_token("1.AXoA-of-another-kind").is_ok());
    for cut in [
        "",
        "aorAAAAAGexample",
        "aorAAAA...wxyz",
        "aorAAAA…wxyz",
        "two words",
        "line\n",
    ] {
        let error = Credential::from_refresh_token(cut).unwrap_err();
        assert_eq!(error.kind(), AuthErrorKind::Misconfigured, "{cut:?}");
        assert!(
            cut.is_empty() || !format!("{error:?}").contains(cut),
            "{error:?}"
        );
    }
}

#[test]
fn file_without_any_token_is_no_credential() {
    for text in [
        "{}",
        r#"{"accessToken":"","refreshToken":null}"#,
        r#"{"refreshToken":5}"#,
    ] {
        let error = Credential::from_json(text).unwrap_err();
        assert_eq!(error.kind(), AuthErrorKind::Misconfigured, "{text}");
    }
}

#[test]
fn social_refresh_is_spelled_as_recorded() {
    let recorded = &exchanges()["social_refresh"];
    let request = social::request(&credential("ide_social")).unwrap();
    assert_sent(&request, &recorded["request"]);
    assert_eq!(json_body(&request), recorded["request"]["body"]);

    let body = &recorded["response"]["body"];
    let refreshed = social::reply(
        StatusCode::OK,
        &HeaderMap::new(),
        body.to_string().as_bytes(),
    );
    let refreshed = refreshed.unwrap();
    assert_eq!(refreshed.access_token.expose(), body["accessToken"]);
    assert_eq!(
        refreshed.refresh_token.unwrap().expose(),
        body["refreshToken"]
    );
    assert_eq!(
        refreshed.profile_arn.unwrap(),
        body["profileArn"].as_str().unwrap()
    );
    assert_eq!(refreshed.expires_in, Duration::from_secs(3600));
}

#[test]
fn oidc_refresh_is_spelled_as_recorded() {
    let recorded = &exchanges()["oidc_refresh"];
    let request = oidc::request(&credential("ide_builder_id")).unwrap();
    assert_sent(&request, &recorded["request"]);
    assert_eq!(json_body(&request), recorded["request"]["body"]);

    let enterprise = oidc::request(&credential("ide_enterprise")).unwrap();
    assert_eq!(
        enterprise.uri().to_string(),
        "https://oidc.eu-west-1.amazonaws.com/token"
    );

    let body = &recorded["response"]["body"];
    let refreshed = oidc::reply(
        StatusCode::OK,
        &HeaderMap::new(),
        body.to_string().as_bytes(),
    );
    assert_eq!(
        refreshed.unwrap().access_token.expose(),
        body["accessToken"]
    );
}

#[test]
fn external_refresh_is_spelled_as_recorded() {
    let recorded = &exchanges()["external_idp_refresh"];
    let request = external::request(&credential("ide_external_idp")).unwrap();
    assert_sent(&request, &recorded["request"]);
    assert_eq!(
        request.headers()["content-type"],
        "application/x-www-form-urlencoded"
    );
    assert_eq!(
        std::str::from_utf8(request.body()).unwrap(),
        "grant_type=refresh_token&client_id=11111111-2222-3333-4444-555555555555\
         &refresh_token=1.AXoA-example-not-real\
         &scope=api%3A%2F%2Fexample%2Fcodewhisperer%3Aconversations+offline_access"
    );

    let body = &recorded["response"]["body"];
    let refreshed = external::reply(
        StatusCode::OK,
        &HeaderMap::new(),
        body.to_string().as_bytes(),
    );
    let refreshed = refreshed.unwrap();
    assert_eq!(
        refreshed.expires_in,
        Duration::from_secs(3599),
        "a number in quotes"
    );
    assert_eq!(
        refreshed.refresh_token.unwrap().expose(),
        body["refresh_token"]
    );
}

#[test]
fn issuer_tells_the_endpoint() {
    let mut credential = credential("ide_external_idp");
    credential.token_endpoint = None;
    let request = external::discovery_request(&credential).unwrap();
    assert_eq!(
        request.uri().to_string(),
        "https://login.example-idp.com/tenant-1/v2.0/.well-known/openid-configuration"
    );
    let read =
        |status, body: &str| external::discovery_reply(status, &HeaderMap::new(), body.as_bytes());
    let found = read(StatusCode::OK, r#"{"token_endpoint":"https://x/token"}"#);
    assert_eq!(found.as_deref(), Ok("https://x/token"));
    for (status, body) in [(StatusCode::OK, "<html>"), (StatusCode::NOT_FOUND, "{}")] {
        assert_eq!(read(status, body), Err(Refusal::Unclear { status }));
    }
}

#[test]
fn recorded_refusals_are_understood() {
    let exchanges = exchanges();
    for case in exchanges["social_refresh_dead_token"].as_array().unwrap() {
        let (status, body) = (status(&case["status"]), case["body"].to_string());
        let refusal = social::reply(status, &HeaderMap::new(), body.as_bytes()).unwrap_err();
        let expected = match status {
            StatusCode::FORBIDDEN => Refusal::Blocked { status },
            _ => Refusal::Dead { status },
        };
        assert_eq!(refusal, expected, "{case}");
    }
    for case in exchanges["oidc_refresh"]["errors"].as_array().unwrap() {
        let (status, body) = (status(&case["status"]), case["body"].to_string());
        let refusal = oidc::reply(status, &HeaderMap::new(), body.as_bytes()).unwrap_err();
        let expected = match case["body"]["error"].as_str().unwrap() {
            "invalid_grant" => Refusal::Dead { status },
            "invalid_client" => Refusal::Unregistered { status },
            "slow_down" => Refusal::Throttled {
                status,
                retry_after: None,
            },
            _ => Refusal::Failed { status },
        };
        assert_eq!(refusal, expected, "{case}");
    }
}

/// Only what is known to mean death kills a credential.
#[test]
fn every_refusal_has_its_kind() {
    type Reply = fn(StatusCode, &HeaderMap, &[u8]) -> Result<kiro_auth::Refreshed, Refusal>;
    use AuthErrorKind::{Misconfigured, SignedOut, Transient};
    let (social, oidc, external): (Reply, Reply, Reply) =
        (social::reply, oidc::reply, external::reply);
    let table = [
        (social, 401, "", SignedOut),
        (social, 400, r#"{"error":"invalid_grant"}"#, SignedOut),
        (social, 400, r#"{"message":"something new"}"#, Transient),
        (social, 403, "<html>", Transient),
        (social, 404, "", Transient),
        (social, 408, "", Transient),
        (social, 429, "", Transient),
        (social, 503, "<html>", Transient),
        (social, 302, "", Transient),
        (social, 200, "<html>", Transient),
        (social, 200, "{}", Transient),
        (oidc, 400, r#"{"error":"invalid_grant"}"#, SignedOut),
        (oidc, 400, r#"{"error":"expired_token"}"#, SignedOut),
        (oidc, 401, r#"{"error":"invalid_client"}"#, SignedOut),
        (oidc, 400, r#"{"error":"unauthorized_client"}"#, SignedOut),
        (oidc, 400, r#"{"error":"slow_down"}"#, Transient),
        (oidc, 400, r#"{"error":"invalid_request"}"#, Misconfigured),
        (oidc, 400, "{}", Transient),
        (oidc, 401, "", Transient),
        (oidc, 403, "<html>", Transient),
        (oidc, 429, "", Transient),
        (oidc, 500, r#"{"error":"invalid_grant"}"#, Transient),
        (external, 400, r#"{"error":"invalid_grant"}"#, SignedOut),
        (external, 400, r#"{"error":"invalid_client"}"#, SignedOut),
        (external, 401, "", SignedOut),
        (external, 403, "", SignedOut),
        (
            external,
            400,
            r#"{"error":"temporarily_unavailable"}"#,
            Transient,
        ),
        (external, 408, "", Transient),
        (external, 429, "", Transient),
        (external, 500, "", Transient),
    ];
    for (reply, status, body, kind) in table {
        let code = StatusCode::from_u16(status).unwrap();
        let refusal = reply(code, &HeaderMap::new(), body.as_bytes()).unwrap_err();
        assert_eq!(AuthError::from(refusal).kind(), kind, "{status} {body}");
    }
}

#[test]
fn wish_to_wait_is_read_from_the_header() {
    let mut headers = HeaderMap::new();
    headers.insert("retry-after", "7".parse().unwrap());
    let refusal = social::reply(StatusCode::TOO_MANY_REQUESTS, &headers, b"").unwrap_err();
    assert_eq!(refusal.retry_after(), Some(Duration::from_secs(7)));
}

#[test]
fn unbelievable_lifetimes_are_replaced_by_an_hour() {
    for expires_in in [
        "0",
        "-5",
        "null",
        "\"soon\"",
        "1e300",
        "1792499696000",
        "[]",
    ] {
        let body = format!(r#"{{"accessToken":"a","expiresIn":{expires_in}}}"#);
        let refreshed = oidc::reply(StatusCode::OK, &HeaderMap::new(), body.as_bytes()).unwrap();
        assert_eq!(
            refreshed.expires_in,
            Duration::from_secs(3600),
            "{expires_in}"
        );
    }
}

#[test]
fn what_is_missing_to_ask_is_named() {
    let mut incomplete = credential("ide_enterprise");
    incomplete.client_secret = None;
    let error = oidc::request(&incomplete).unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::Misconfigured);
    assert_eq!(error.to_string(), "the credential has no client secret");

    let mut elsewhere = credential("ide_enterprise");
    elsewhere.auth_region = Some("evil.example/?".to_owned());
    assert_eq!(
        oidc::request(&elsewhere).unwrap_err().kind(),
        AuthErrorKind::Misconfigured
    );

    let mut signed_out = credential("ide_social");
    signed_out.refresh_token = None;
    assert_eq!(
        social::request(&signed_out).unwrap_err().kind(),
        AuthErrorKind::SignedOut
    );
}
