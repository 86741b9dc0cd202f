//! The steps of a sign-in without any I/O: requests against recorded shapes, answers by tables, time by
//! hand.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant, SystemTime};

use http::{HeaderMap, HeaderValue, Request, StatusCode};
use kiro_auth::refresh::Refusal;
use kiro_auth::sign_in::{
    Callback, ClientRegistration, DeviceAuthorization, DevicePoll, Directory, IdentityProvider,
    Pkce, PollStep, PortalChoice, Provider, SignInError, device, external, oidc, portal, register,
    social,
};
use kiro_auth::{Login, Refreshed, Secret};
use serde_json::{Value, json};

fn exchanges() -> Value {
    serde_json::from_str(include_str!("data/login-and-refresh.json")).unwrap()
}

/// The one whose verifier is that of the recorded exchanges (RFC 7636, appendix B).
fn pkce() -> Pkce {
    const VERIFIER: [u8; 32] = [
        116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212, 37,
        77, 105, 214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121,
    ];
    let mut random = [0xab; Pkce::RANDOM_BYTES];
    random[..32].copy_from_slice(&VERIFIER);
    Pkce::from_random(random)
}

/// A recorded URL with our state for the recorded one.
fn with_state(url: &Value, recorded: &str) -> String {
    url.as_str()
        .unwrap()
        .replace(recorded, pkce().state().expose())
}

fn assert_sends(request: &Request<bytes::Bytes>, recorded: &Value) {
    assert_eq!(request.method().as_str(), recorded["method"]);
    assert_eq!(request.uri().to_string(), recorded["url"]);
    assert_eq!(request.headers()["content-type"], "application/json");
    let body: Value = serde_json::from_slice(request.body()).unwrap();
    assert_eq!(body, recorded["body"]);
}

fn answer<T>(
    reply: fn(StatusCode, &HeaderMap, &[u8]) -> Result<T, Refusal>,
    status: u16,
    body: &Value,
) -> Result<T, Refusal> {
    let status = StatusCode::from_u16(status).unwrap();
    reply(status, &HeaderMap::new(), body.to_string().as_bytes())
}

fn client() -> ClientRegistration {
    let recorded = &exchanges()["oidc_register_client"]["response"]["body"];
    answer(register::reply, 200, recorded).unwrap()
}

fn authorization() -> DeviceAuthorization {
    let recorded = &exchanges()["oidc_device_authorization"]["response"]["body"];
    answer(device::reply, 200, recorded).unwrap()
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn requests_of_the_device_code_are_the_recorded_ones() {
    let exchanges = exchanges();
    let directory = Directory::builder_id();
    let request = register::device_request(&directory, "example gateway").unwrap();
    assert_sends(&request, &exchanges["oidc_register_client"]["request"]);
    let request = device::request(&directory, &client()).unwrap();
    assert_sends(&request, &exchanges["oidc_device_authorization"]["request"]);
    let code = authorization().device_code;
    let request = device::poll_request(&directory, &client(), &code).unwrap();
    assert_sends(&request, &exchanges["oidc_device_poll"]["request"]);
}

#[test]
fn requests_of_a_browser_at_aws_are_the_recorded_ones() {
    const REDIRECT: &str = "http://127.0.0.1:51234/oauth/callback";
    let recorded = &exchanges()["oidc_pkce_exchange"];
    let directory = Directory::builder_id();
    let request = register::browser_request(&directory, "example gateway", REDIRECT).unwrap();
    let body: Value = serde_json::from_slice(request.body()).unwrap();
    assert_eq!(body["redirectUris"], json!([REDIRECT]));
    assert_eq!(
        body["grantTypes"],
        json!(["authorization_code", "refresh_token"])
    );
    assert_eq!(body["issuerUrl"], "https://view.awsapps.com/start");
    assert_eq!(
        oidc::authorize_url(&directory, &client(), &pkce(), REDIRECT),
        with_state(&recorded["authorize_url"], "p4Jq8sX0Lm"),
    );
    let code = Secret::from("EXAMPLE-CODE");
    let request = oidc::exchange_request(&directory, &client(), &pkce(), REDIRECT, &code).unwrap();
    assert_sends(&request, &recorded["request"]);
}

#[test]
fn organisations_are_served_in_their_region() {
    let start_url = "https://d-1234567890.awsapps.com/start";
    let directory = Directory::identity_center(start_url, "eu-west-1").unwrap();
    assert_eq!(directory.login(), Login::IdentityCenter);
    let host = "oidc.eu-west-1.amazonaws.com";
    let redirect = "http://127.0.0.1:1/oauth/callback";
    let (client, secret) = (client(), Secret::from("code"));
    for request in [
        register::device_request(&directory, "x").unwrap(),
        register::browser_request(&directory, "x", redirect).unwrap(),
        device::request(&directory, &client).unwrap(),
        device::poll_request(&directory, &client, &secret).unwrap(),
        oidc::exchange_request(&directory, &client, &pkce(), redirect, &secret).unwrap(),
    ] {
        assert_eq!(request.uri().host(), Some(host), "{}", request.uri());
    }
    let page = oidc::authorize_url(&directory, &client, &pkce(), redirect);
    assert!(page.starts_with(&format!("https://{host}/authorize?")));
    let granted = Refreshed::new("access").with_refresh_token("refresh");
    let credential = directory.credential(&client, &granted, SystemTime::UNIX_EPOCH);
    assert_eq!(credential.login, Login::IdentityCenter);
    assert_eq!(credential.auth_region.as_deref(), Some("eu-west-1"));
    assert_eq!(credential.start_url.as_deref(), Some(start_url));
    assert_eq!(
        credential.client_expires_at,
        Some(SystemTime::UNIX_EPOCH + seconds(1_797_776_000))
    );
}

#[test]
fn requests_of_a_social_sign_in_are_the_recorded_ones() {
    const REDIRECT: &str = "http://localhost:49153/oauth/callback";
    let exchanges = exchanges();
    assert_eq!(
        social::login_url(Provider::Github, &pkce(), REDIRECT),
        with_state(
            &exchanges["social_login_redirect"]["request"]["url"],
            "Zk3n9q2LwT"
        ),
    );
    let callback = with_state(
        &exchanges["social_login_redirect"]["callback"],
        "Zk3n9q2LwT",
    );
    let code = Callback::read(&callback, &pkce()).unwrap().code().unwrap();
    let request = social::exchange_request(&pkce(), REDIRECT, &code).unwrap();
    assert_sends(&request, &exchanges["social_code_exchange"]["request"]);
    let body = &exchanges["social_code_exchange"]["response"]["body"];
    let granted = answer(social::reply, 200, body).unwrap();
    let credential = social::credential(&granted, SystemTime::UNIX_EPOCH);
    assert_eq!(credential.login, Login::Social);
    assert_eq!(
        credential.profile_arn.as_deref(),
        body["profileArn"].as_str()
    );
    assert_eq!(
        credential.expires_at,
        Some(SystemTime::UNIX_EPOCH + seconds(3600))
    );
}

#[test]
fn missing_invitation_is_not_taken_for_a_bad_code() {
    let table = [
        (401, json!({"message": "Signups are paused."}), "Uninvited"),
        (
            401,
            json!({"message": "An invitation code is required"}),
            "Uninvited",
        ),
        (401, json!({"message": "Unauthorized"}), "Dead"),
        (400, json!({"error": "invalid_grant"}), "Dead"),
        (403, json!("<html>"), "Blocked"),
        (429, json!({}), "Throttled"),
        (503, json!({"message": "signup service is down"}), "Failed"),
        (200, json!({}), "Unclear"),
    ];
    for (status, body, expected) in table {
        let refusal = answer(social::reply, status, &body).unwrap_err();
        let name = format!("{refusal:?}");
        assert!(name.starts_with(expected), "{status} {body}: {name}");
    }
}

#[test]
fn identity_provider_is_asked_as_oauth_has_it() {
    let endpoints = answer(
        external::discovery_reply,
        200,
        &json!({"authorization_endpoint": "https://idp.example/authorize?tenant=1",
                "token_endpoint": "https://idp.example/token"}),
    )
    .unwrap();
    let mut provider = IdentityProvider::new("https://idp.example/", "client-1")
        .with_scopes("api://kiro/chat offline_access");
    provider.login_hint = Some("ann@example.com".to_owned());
    let request = external::discovery_request(&provider).unwrap();
    assert_eq!(
        request.uri(),
        "https://idp.example/.well-known/openid-configuration"
    );
    let redirect = "http://localhost:49153/oauth/callback";
    let url = external::authorize_url(&provider, &endpoints, &pkce(), redirect);
    assert_eq!(
        url.replace(pkce().state().expose(), "STATE"),
        "https://idp.example/authorize?tenant=1&response_type=code&client_id=client-1\
         &redirect_uri=http%3A%2F%2Flocalhost%3A49153%2Foauth%2Fcallback&state=STATE\
         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256\
         &scope=api%3A%2F%2Fkiro%2Fchat%20offline_access&login_hint=ann%40example.com"
    );
    let code = Secret::from("C 1");
    let request =
        external::exchange_request(&provider, &endpoints, &pkce(), redirect, &code).unwrap();
    assert_eq!(
        request.headers()["content-type"],
        "application/x-www-form-urlencoded"
    );
    assert_eq!(
        request.body(),
        "grant_type=authorization_code&client_id=client-1&code=C+1\
         &code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk\
         &redirect_uri=http%3A%2F%2Flocalhost%3A49153%2Foauth%2Fcallback"
    );
    for body in [
        json!({}),
        json!({"token_endpoint": "https://idp.example/token"}),
    ] {
        assert!(
            answer(external::discovery_reply, 200, &body).is_err(),
            "{body}"
        );
    }
}

#[test]
fn choice_at_the_portal_decides_what_comes_next() {
    const BASE: &str = "http://localhost:49153";
    let chosen = |path: &str, query: &str| {
        let state = pkce().state().expose().to_owned();
        let address = format!("{BASE}{path}?state={state}&{query}");
        portal::choice(&Callback::read(&address, &pkce()).unwrap(), BASE)
    };
    let redirect_uri = format!("{BASE}/signin/callback?login_option=github");
    assert_eq!(
        chosen("/signin/callback", "login_option=github&code=C").unwrap(),
        PortalChoice::Social { redirect_uri }
    );
    assert_eq!(
        chosen("/oauth/callback", "login_option=builderid").unwrap(),
        PortalChoice::Directory(Directory::builder_id())
    );
    let start_url = "https://d-1.awsapps.com/start";
    assert_eq!(
        chosen(
            "/oauth/callback",
            &format!("login_option=awsidc&issuer_url={start_url}&idc_region=eu-west-1")
        )
        .unwrap(),
        PortalChoice::Directory(Directory::identity_center(start_url, "eu-west-1").unwrap())
    );
    assert_eq!(
        chosen(
            "/oauth/callback",
            "login_option=external_idp&issuer_url=https://idp.example&client_id=c&scopes=a+b"
        )
        .unwrap(),
        PortalChoice::ExternalIdp(
            IdentityProvider::new("https://idp.example", "c").with_scopes("a b")
        )
    );
    let error = chosen("/oauth/callback", "login_option=internal").unwrap_err();
    assert!(matches!(error, SignInError::Unsupported { option } if option == "internal"));
    let error = chosen("/oauth/callback", "login_option=awsidc").unwrap_err();
    assert!(matches!(error, SignInError::NoCode));
    let query = "login_option=awsidc&issuer_url=https://x&idc_region=evil.example/";
    let error = chosen("/oauth/callback", query).unwrap_err();
    assert!(matches!(error, SignInError::Failed(_)));
}

/// What a poll comes to.
fn outcome(polled: &Result<Option<Refreshed>, SignInError>) -> &'static str {
    match polled {
        Ok(Some(_)) => "signed in",
        Ok(None) => "ask again",
        Err(SignInError::Expired) => "start again",
        Err(SignInError::Denied) => "denied",
        Err(SignInError::Refused(Refusal::Dead { .. })) => "code of no use",
        Err(SignInError::Refused(Refusal::Unregistered { .. })) => "client of no use",
        Err(_) => "refused",
    }
}

#[test]
fn every_answer_to_a_poll_has_its_meaning() {
    let recorded = exchanges()["oidc_device_poll"]["responses"].clone();
    let table = [
        // status, body, meaning, seconds until the next poll
        (200, recorded[4]["body"].clone(), "signed in", None),
        (400, recorded[0]["body"].clone(), "ask again", Some(1)),
        (400, recorded[1]["body"].clone(), "ask again", Some(6)),
        (400, recorded[2]["body"].clone(), "start again", None),
        (400, recorded[3]["body"].clone(), "denied", None),
        (
            400,
            json!({"error": "invalid_grant"}),
            "code of no use",
            None,
        ),
        (
            401,
            json!({"error": "invalid_client"}),
            "client of no use",
            None,
        ),
        (400, json!({"error": "invalid_request"}), "refused", None),
        (403, json!("<html>"), "refused", None),
        (408, json!({}), "ask again", Some(1)),
        (429, json!({}), "ask again", Some(6)),
        (500, json!({"error": "server_error"}), "ask again", Some(1)),
        (503, json!("<html>"), "ask again", Some(1)),
        (200, json!({"tokenType": "Bearer"}), "refused", None),
        (200, json!("<html>"), "refused", None),
    ];
    let begun = Instant::now();
    for (status, body, meaning, wait) in table {
        let mut poll = DevicePoll::new(&authorization(), begun);
        let polled = poll.answered(
            begun,
            StatusCode::from_u16(status).unwrap(),
            &HeaderMap::new(),
            body.to_string().as_bytes(),
        );
        assert_eq!(outcome(&polled), meaning, "{status} {body}");
        if let Some(wait) = wait {
            let until = begun + seconds(wait);
            assert_eq!(poll.next(begun), PollStep::Wait(until), "{status} {body}");
            assert_eq!(poll.next(until), PollStep::Ask, "{status} {body}");
        }
    }
}

#[test]
fn interval_grows_with_every_complaint_and_never_shrinks() {
    let begun = Instant::now();
    let mut poll = DevicePoll::new(&authorization(), begun);
    let mut now = begun;
    let mut waits = Vec::new();
    for error in [
        "slow_down",
        "authorization_pending",
        "slow_down",
        "slow_down",
    ] {
        let body = json!({"error": error}).to_string();
        let status = StatusCode::BAD_REQUEST;
        let answered = poll.answered(now, status, &HeaderMap::new(), body.as_bytes());
        assert!(answered.unwrap().is_none());
        let PollStep::Wait(until) = poll.next(now) else {
            panic!("asks without a pause after {error}");
        };
        waits.push((until - now).as_secs());
        now = until;
    }
    assert_eq!(waits, [6, 6, 11, 16]);
}

#[test]
fn weather_is_waited_out_until_the_code_expires() {
    let begun = Instant::now();
    let mut poll = DevicePoll::new(&authorization(), begun);
    let mut now = begun;
    let mut asked = 0;
    loop {
        match poll.next(now) {
            PollStep::Ask => {
                asked += 1;
                assert!(asked < 1000, "there is an end");
                poll.unanswered(now);
            }
            PollStep::Wait(until) => now = until,
            PollStep::Expired => break,
        }
    }
    // Ten minutes, one poll a second, the first after a second and none at the end.
    assert_eq!((now - begun, asked), (seconds(600), 599));
}

#[test]
fn last_wait_ends_with_the_code() {
    let mut authorization = authorization();
    authorization.interval = seconds(60);
    authorization.expires_in = seconds(90);
    let begun = Instant::now();
    let mut poll = DevicePoll::new(&authorization, begun);
    poll.unanswered(begun + seconds(60));
    let end = begun + seconds(90);
    assert_eq!(poll.next(begun + seconds(61)), PollStep::Wait(end));
    assert_eq!(poll.next(end), PollStep::Expired);
}

#[test]
fn what_the_service_leaves_out_has_a_default_and_nonsense_counts_as_left_out() {
    let parse = |more: Value| {
        let mut body =
            json!({"deviceCode": "d", "userCode": "AB-CD", "verificationUri": "https://x"});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        answer(device::reply, 200, &body)
    };
    for more in [
        json!({}),
        json!({"expiresIn": 0, "interval": 0}),
        json!({"expiresIn": "soon", "interval": -1}),
        json!({"expiresIn": u64::MAX, "interval": u64::MAX}),
    ] {
        let authorization = parse(more.clone()).unwrap();
        let times = (authorization.expires_in, authorization.interval);
        assert_eq!(times, (seconds(600), seconds(5)), "{more}");
    }
    for more in [
        json!({"userCode": "AB\u{1b}[2J"}),
        json!({"verificationUri": "https://x\r\ny"}),
        json!({"deviceCode": null}),
    ] {
        assert!(parse(more.clone()).is_err(), "{more}");
    }
}

#[test]
fn registration_that_is_refused_says_why() {
    let mut headers = HeaderMap::new();
    headers.insert("retry-after", HeaderValue::from_static("7"));
    let throttled = register::reply(StatusCode::TOO_MANY_REQUESTS, &headers, b"").unwrap_err();
    assert_eq!(throttled.retry_after(), Some(seconds(7)));
    let body = json!({"error": "invalid_request"});
    let malformed = answer(register::reply, 400, &body).unwrap_err();
    assert!(!SignInError::Refused(malformed).may_start_again());
    let unclear = answer(register::reply, 200, &json!({"clientId": "c"})).unwrap_err();
    assert!(matches!(unclear, Refusal::Unclear { .. }));
}

#[test]
fn no_half_prints_a_secret() {
    let mut client = client();
    client.client_secret = "planted".into();
    let mut authorization = authorization();
    authorization.device_code = "planted".into();
    authorization.user_code = "planted".to_owned();
    authorization.verification_uri_complete = Some("https://x?user_code=planted".to_owned());
    let pkce = pkce();
    let printed = format!("{client:?} {authorization:?} {pkce:?}");
    for secret in ["planted", pkce.verifier().expose(), pkce.state().expose()] {
        assert!(!printed.contains(secret), "{printed}");
    }
}
