//! Signing in and refreshing, for every kind of login.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on may as well panic"
)]

mod support;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kiro_sim::{
    BrowserDecision, CredentialKind, DeviceDecision, IssuedCredential, LoginOption, Rotation,
    SignInFault, Simulator,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::{Answer, Client, ask, form, get, krs, post, simulator, start};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER))
}

async fn refresh_social(sim: &Simulator, token: &str) -> Answer {
    let body = json!({"refreshToken": token});
    Client::connect(sim)
        .await
        .call(post("/refreshToken", &body))
        .await
}

async fn refresh_oidc(sim: &Simulator, credential: &IssuedCredential, token: &str) -> Answer {
    let body = json!({
        "clientId": credential.client_id, "clientSecret": credential.client_secret,
        "grantType": "refresh_token", "refreshToken": token,
    });
    Client::connect(sim).await.call(post("/token", &body)).await
}

/// Whether an access token is good for a question.
async fn serves(sim: &Simulator, credential: &IssuedCredential, access_token: &Value) -> bool {
    let mut credential = credential.clone();
    credential.access_token = access_token.as_str().unwrap().to_owned();
    let mut body = ask("Hi");
    if let Some(arn) = &credential.profile_arn {
        body["profileArn"] = arn.as_str().into();
    }
    Client::connect(sim)
        .await
        .call(krs(&credential, &body))
        .await
        .status
        == 200
}

/// The query of the page that a browser was sent to.
async fn follow(sim: &Simulator, page: &str) -> Vec<(String, String)> {
    let answer = Client::connect(sim).await.call(get(page)).await;
    assert_eq!(answer.status, 302, "{page}");
    let location = answer.headers["location"].to_str().unwrap().to_owned();
    let (_, query) = location.split_once('?').unwrap();
    query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn value<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    &pairs.iter().find(|(key, _)| key == name).unwrap().1
}

#[tokio::test]
async fn issued_tokens_have_the_shape_of_real_ones() {
    let sim = simulator().await;
    let social = sim.issue_social();
    let refresh_token = social.refresh_token.unwrap();
    assert!(social.access_token.starts_with("aoa") && social.access_token.contains(':'));
    assert!(refresh_token.starts_with("aor") && refresh_token.contains(':'));
    assert!(refresh_token.len() > 100 && !refresh_token.contains("..."));
    let key = sim.issue_api_key();
    assert!(key.access_token.starts_with("ksk_") && key.refresh_token.is_none());
    let external = sim.issue(CredentialKind::ExternalIdp);
    assert!(external.access_token.starts_with("eyJ"));
    assert!(external.refresh_token.unwrap().starts_with("1.A"));
}

#[tokio::test]
async fn the_same_seed_issues_the_same_tokens() {
    let (one, two) = (simulator().await, simulator().await);
    assert_eq!(one.issue_social(), two.issue_social());
    let other = start(|options| options.seed = 2).await;
    assert_ne!(one.issue_social(), other.issue_social());
}

#[tokio::test]
async fn a_social_refresh_rotates_and_the_old_token_is_dead() {
    let sim = simulator().await;
    let credential = sim.issue_social();
    let old = credential.refresh_token.clone().unwrap();
    let answer = refresh_social(&sim, &old).await.json();
    assert_eq!(answer["expiresIn"], 3600);
    assert_eq!(answer["profileArn"], kiro_sim::validate::SOCIAL_PROFILE_ARN);
    assert!(serves(&sim, &credential, &answer["accessToken"]).await);

    let dead = refresh_social(&sim, &old).await;
    assert_eq!(
        (dead.status.as_u16(), dead.json()),
        (401, json!({"message": "Unauthorized"}))
    );
    let new = answer["refreshToken"].as_str().unwrap();
    assert_eq!(sim.owner_of_refresh_token(new), Some(credential.account));
    assert_eq!(refresh_social(&sim, new).await.status, 200);
    assert_eq!(sim.refreshes(credential.account), 2);
    assert_eq!(sim.state().refreshes, 2);
}

#[tokio::test(start_paused = true)]
async fn with_grace_the_old_token_lives_a_little_longer() {
    let grace = Duration::from_secs(30);
    let sim = start(|options| options.rotation = Rotation::AlwaysGrace(grace)).await;
    let old = sim.issue_social().refresh_token.unwrap();
    assert_eq!(refresh_social(&sim, &old).await.status, 200);
    tokio::time::advance(Duration::from_secs(20)).await;
    assert_eq!(refresh_social(&sim, &old).await.status, 200);
    // A second use does not prolong the grace.
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!(refresh_social(&sim, &old).await.status, 401);
}

#[tokio::test]
async fn without_rotation_the_token_stays() {
    let sim = start(|options| options.rotation = Rotation::Never).await;
    let social = sim.issue_social().refresh_token.unwrap();
    let oidc = sim.issue_oidc();
    for _ in 0..2 {
        let answer = refresh_social(&sim, &social).await.json();
        assert_eq!(answer["refreshToken"], social);
        let token = oidc.refresh_token.as_deref().unwrap();
        let answer = refresh_oidc(&sim, &oidc, token).await.json();
        assert!(answer.get("refreshToken").is_none() && answer["accessToken"].is_string());
    }
}

#[tokio::test]
async fn an_oidc_refresh_needs_its_client() {
    let sim = simulator().await;
    for kind in [CredentialKind::BuilderId, CredentialKind::IdentityCenter] {
        let credential = sim.issue(kind);
        let other = sim.issue(kind);
        let token = credential.refresh_token.clone().unwrap();

        let mut unregistered = credential.clone();
        unregistered.client_secret = Some("guessed".to_owned());
        let answer = refresh_oidc(&sim, &unregistered, &token).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["error"]),
            (401, &json!("invalid_client"))
        );
        let answer = refresh_oidc(&sim, &other, &token).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["error"]),
            (400, &json!("invalid_grant"))
        );
        assert_eq!(refresh_social(&sim, &token).await.status, 401);

        let answer = refresh_oidc(&sim, &credential, &token).await.json();
        assert_eq!(answer["tokenType"], "Bearer");
        assert!(serves(&sim, &credential, &answer["accessToken"]).await);
    }
}

#[tokio::test]
async fn oidc_is_json_and_the_identity_provider_is_a_form() {
    let sim = simulator().await;
    let oidc = sim.issue_oidc();
    let body = format!(
        "grant_type=refresh_token&refresh_token={}",
        oidc.refresh_token.unwrap()
    );
    let answer = Client::connect(&sim)
        .await
        .call(form("/token", &body))
        .await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["error"]),
        (400, &json!("invalid_request"))
    );

    let external = sim.issue(CredentialKind::ExternalIdp);
    let (token, client) = (
        external.refresh_token.clone().unwrap(),
        external.client_id.clone().unwrap(),
    );
    let body = format!("grant_type=refresh_token&refresh_token={token}&client_id={client}");
    let answer = Client::connect(&sim)
        .await
        .call(form("/idp/token", &body))
        .await
        .json();
    assert_eq!(answer["expires_in"], "3600");
    assert_ne!(answer["refresh_token"], token);
    assert!(serves(&sim, &external, &answer["access_token"]).await);
}

#[tokio::test]
async fn a_social_sign_in_exchanges_its_code_once() {
    let sim = simulator().await;
    let page = format!(
        "/login?idp=Github&redirect_uri=http%3A%2F%2Flocalhost%3A49153%2Foauth%2Fcallback\
         &code_challenge={}&code_challenge_method=S256&state=s1",
        challenge()
    );
    let query = follow(&sim, &page).await;
    assert_eq!(value(&query, "state"), "s1");
    let exchange = |verifier: &str| {
        let redirect_uri = "http://localhost:49153/oauth/callback";
        let code = value(&query, "code");
        post(
            "/oauth/token",
            &json!({"code": code, "code_verifier": verifier, "redirect_uri": redirect_uri}),
        )
    };
    let mut client = Client::connect(&sim).await;
    assert_eq!(client.call(exchange("another verifier")).await.status, 401);
    let answer = client.call(exchange(VERIFIER)).await;
    assert_eq!(answer.status, 200);
    assert!(
        answer.json()["refreshToken"]
            .as_str()
            .unwrap()
            .starts_with("aor")
    );
    assert_eq!(client.call(exchange(VERIFIER)).await.status, 401);
}

#[tokio::test]
async fn the_portal_tells_the_option_and_the_exchange_repeats_it() {
    let sim = simulator().await;
    let page = format!(
        "/signin?state=s2&code_challenge={}&code_challenge_method=S256\
         &redirect_uri=http://localhost:3128&redirect_from=kirocli",
        challenge()
    );
    let query = follow(&sim, &page).await;
    assert_eq!(value(&query, "login_option"), "google");
    let body = json!({
        "code": value(&query, "code"), "code_verifier": VERIFIER,
        "redirect_uri": "http://localhost:3128/oauth/callback?login_option=google",
    });
    let answer = Client::connect(&sim)
        .await
        .call(post("/oauth/token", &body))
        .await;
    assert_eq!(answer.status, 200);
}

async fn try_to_register(sim: &Simulator, more: Value) -> Answer {
    let mut body = json!({
        "clientName": "test", "clientType": "public",
        "scopes": ["codewhisperer:completions"],
    });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    Client::connect(sim)
        .await
        .call(post("/client/register", &body))
        .await
}

/// A client for devices, as the official CLI registers it.
async fn register(sim: &Simulator) -> Value {
    try_to_register(sim, json!({})).await.json()
}

/// A client for a browser that comes back to `redirect_uri`.
async fn register_for_browser(sim: &Simulator, redirect_uri: &str) -> Value {
    let terms = json!({
        "grantTypes": ["authorization_code", "refresh_token"],
        "redirectUris": [redirect_uri], "issuerUrl": "https://view.awsapps.com/start",
    });
    try_to_register(sim, terms).await.json()
}

fn authorize_page(client: &Value, redirect_uri: &str, scopes: &str) -> String {
    format!(
        "/authorize?response_type=code&client_id={}&redirect_uri={redirect_uri}&scopes={scopes}\
         &state=p4Jq8sX0Lm&code_challenge={}&code_challenge_method=S256",
        client["clientId"].as_str().unwrap(),
        challenge()
    )
}

/// Status and error of an OAuth refusal.
fn refusal(answer: &Answer) -> (u16, String) {
    let error = answer.json()["error"].as_str().unwrap().to_owned();
    (answer.status.as_u16(), error)
}

#[tokio::test]
async fn a_registration_for_nothing_is_refused() {
    let sim = simulator().await;
    for (more, error) in [
        (json!({"clientType": "confidential"}), "invalid_request"),
        (json!({"scopes": []}), "invalid_scope"),
        (json!({"scopes": ["openid"]}), "invalid_scope"),
        (json!({"grantTypes": ["password"]}), "invalid_request"),
        (json!({"grantTypes": "refresh_token"}), "invalid_request"),
        (
            json!({"grantTypes": ["authorization_code"]}),
            "invalid_request",
        ),
        (
            json!({"redirectUris": ["https://evil.example/"]}),
            "invalid_redirect_uri",
        ),
    ] {
        let answer = try_to_register(&sim, more.clone()).await;
        assert_eq!(refusal(&answer), (400, error.to_owned()), "{more}");
    }
}

#[tokio::test]
async fn a_client_gets_only_what_it_has_registered_for() {
    const REDIRECT: &str = "http://127.0.0.1:5000/oauth/callback";
    let sim = simulator().await;
    let mut connection = Client::connect(&sim).await;
    let (device, browser) = (
        register(&sim).await,
        register_for_browser(&sim, REDIRECT).await,
    );
    let scope = "codewhisperer:completions";
    for (page, error) in [
        (
            authorize_page(&device, REDIRECT, scope),
            "unauthorized_client",
        ),
        (
            authorize_page(&browser, "http://127.0.0.1:5001/oauth/callback", scope),
            "invalid_redirect_uri",
        ),
        (
            authorize_page(&browser, REDIRECT, "codewhisperer:analysis"),
            "invalid_scope",
        ),
        (authorize_page(&browser, REDIRECT, ""), "invalid_scope"),
    ] {
        let answer = connection.call(get(&page)).await;
        assert_eq!(refusal(&answer), (400, error.to_owned()), "{page}");
    }
    let body = json!({
        "clientId": browser["clientId"], "clientSecret": browser["clientSecret"],
        "startUrl": "https://view.awsapps.com/start",
    });
    let answer = connection.call(post("/device_authorization", &body)).await;
    assert_eq!(refusal(&answer), (400, "unauthorized_client".to_owned()));
}

#[tokio::test]
async fn a_redirect_registered_without_a_port_is_good_with_any() {
    let sim = simulator().await;
    let client = register_for_browser(&sim, "http://127.0.0.1/oauth/callback").await;
    let redirect_uri = "http://127.0.0.1:5000/oauth/callback";
    follow(
        &sim,
        &authorize_page(&client, redirect_uri, "codewhisperer:completions"),
    )
    .await;
}

#[tokio::test]
async fn a_social_sign_in_comes_back_to_known_places_only() {
    let sim = simulator().await;
    let page = |redirect_uri: &str| {
        format!(
            "/login?idp=Google&redirect_uri={redirect_uri}&code_challenge={}\
             &code_challenge_method=S256&state=s",
            challenge()
        )
    };
    follow(&sim, &page("kiro://kiro.kiroAgent/authenticate-success")).await;
    follow(&sim, &page("http://localhost:53153/oauth/callback")).await;
    for wrong in [
        "http://localhost:3128/oauth/callback",
        "http://127.0.0.1:49153/oauth/callback",
        "http://localhost:49153/",
        "https://evil.example/",
    ] {
        let answer = Client::connect(&sim).await.call(get(&page(wrong))).await;
        assert_eq!(
            refusal(&answer),
            (400, "invalid_request".to_owned()),
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn a_person_can_refuse_in_the_browser() {
    let sim = simulator().await;
    sim.decide_browsers(BrowserDecision::Refuse);
    let redirect_uri = "http://127.0.0.1:5000/oauth/callback";
    let client = register_for_browser(&sim, redirect_uri).await;
    let page = authorize_page(&client, redirect_uri, "codewhisperer:completions");
    let query = follow(&sim, &page).await;
    assert_eq!(value(&query, "error"), "access_denied");
    assert_eq!(value(&query, "state"), "p4Jq8sX0Lm");
    assert!(query.iter().all(|(name, _)| name != "code"));
}

#[tokio::test]
async fn the_portal_hands_over_what_each_choice_needs() {
    let sim = simulator().await;
    let page = format!(
        "/signin?state=s2&code_challenge={}&code_challenge_method=S256\
         &redirect_uri=http://localhost:3128&redirect_from=kirocli",
        challenge()
    );
    for (option, name, members) in [
        (LoginOption::Github, "github", &["code"][..]),
        (
            LoginOption::BuilderId,
            "builderid",
            &["issuer_url", "idc_region"],
        ),
        (
            LoginOption::IdentityCenter,
            "awsidc",
            &["issuer_url", "idc_region"],
        ),
        (
            LoginOption::ExternalIdp,
            "external_idp",
            &["issuer_url", "client_id", "scopes"],
        ),
        (LoginOption::Internal, "internal", &[]),
    ] {
        sim.choose_login(option);
        let query = follow(&sim, &page).await;
        assert_eq!(value(&query, "login_option"), name);
        let names: Vec<&str> = query.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names[1..names.len() - 1], *members, "{name}");
        assert_eq!(value(&query, "state"), "s2");
    }
}

#[tokio::test]
async fn a_pkce_sign_in_works_with_a_registered_client() {
    let sim = simulator().await;
    let redirect_uri = "http://127.0.0.1:5000/oauth/callback";
    let client = register_for_browser(&sim, redirect_uri).await;
    let life = client["clientSecretExpiresAt"].as_u64().unwrap()
        - client["clientIdIssuedAt"].as_u64().unwrap();
    assert_eq!(life, 90 * 24 * 3600);
    let page = authorize_page(&client, redirect_uri, "codewhisperer%3Acompletions");
    let query = follow(&sim, &page).await;
    let body = json!({
        "clientId": client["clientId"], "clientSecret": client["clientSecret"], "grantType": "authorization_code",
        "code": value(&query, "code"), "codeVerifier": VERIFIER,
        "redirectUri": redirect_uri,
    });
    let answer = Client::connect(&sim)
        .await
        .call(post("/token", &body))
        .await;
    assert_eq!(answer.status, 200);
    assert!(answer.json()["refreshToken"].is_string());
}

/// A device-code flow, ready to be polled.
struct Device {
    sim: Simulator,
    poll: Value,
}

impl Device {
    async fn begin(decision: DeviceDecision) -> Self {
        let sim = simulator().await;
        sim.decide_devices(decision);
        let client = register(&sim).await;
        let body = json!({
            "clientId": client["clientId"], "clientSecret": client["clientSecret"],
            "startUrl": "https://view.awsapps.com/start",
        });
        let answer = Client::connect(&sim)
            .await
            .call(post("/device_authorization", &body))
            .await
            .json();
        let page = answer["verificationUriComplete"].as_str().unwrap();
        assert!(page.ends_with(answer["userCode"].as_str().unwrap()));
        assert_eq!(
            (&answer["interval"], &answer["expiresIn"]),
            (&json!(1), &json!(600))
        );
        let poll = json!({
            "clientId": client["clientId"], "clientSecret": client["clientSecret"],
            "grantType": "urn:ietf:params:oauth:grant-type:device_code",
            "deviceCode": answer["deviceCode"],
        });
        Self { sim, poll }
    }

    async fn poll_after(&self, seconds: u64) -> String {
        tokio::time::advance(Duration::from_secs(seconds)).await;
        let answer = Client::connect(&self.sim)
            .await
            .call(post("/token", &self.poll))
            .await;
        match answer.json().get("error") {
            Some(error) => error.as_str().unwrap().to_owned(),
            None => "signed in".to_owned(),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_is_approved_after_some_polls() {
    let device = Device::begin(DeviceDecision::ApproveAfter(2)).await;
    assert_eq!(device.poll_after(1).await, "authorization_pending");
    assert_eq!(device.poll_after(1).await, "authorization_pending");
    assert_eq!(device.poll_after(1).await, "signed in");
    assert_eq!(device.poll_after(1).await, "invalid_grant");
}

#[tokio::test(start_paused = true)]
async fn polling_too_fast_adds_five_seconds_to_the_interval() {
    let device = Device::begin(DeviceDecision::Ignore).await;
    assert_eq!(device.poll_after(1).await, "authorization_pending");
    assert_eq!(device.poll_after(0).await, "slow_down");
    assert_eq!(device.poll_after(5).await, "slow_down");
    assert_eq!(device.poll_after(11).await, "authorization_pending");
}

#[tokio::test(start_paused = true)]
async fn a_device_can_be_refused_or_forgotten() {
    let device = Device::begin(DeviceDecision::Refuse).await;
    assert_eq!(device.poll_after(1).await, "access_denied");
    let device = Device::begin(DeviceDecision::Ignore).await;
    assert_eq!(device.poll_after(601).await, "expired_token");
}

#[tokio::test]
async fn the_identity_provider_can_be_discovered() {
    let sim = simulator().await;
    let mut client = Client::connect(&sim).await;
    let found = client
        .call(get("/idp/.well-known/openid-configuration"))
        .await
        .json();
    assert_eq!(found["token_endpoint"], "http://localhost/idp/token");
    let page = format!(
        "/idp/authorize?response_type=code&client_id=c1&redirect_uri=http://127.0.0.1:1/cb&state=x&code_challenge={}\
         &code_challenge_method=S256",
        challenge()
    );
    let query = follow(&sim, &page).await;
    let code = value(&query, "code");
    let body = format!(
        "grant_type=authorization_code&client_id=c1&code={code}&code_verifier={VERIFIER}\
         &redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcb"
    );
    assert_eq!(client.call(form("/idp/token", &body)).await.status, 200);
}

#[tokio::test]
async fn a_token_is_refreshed_at_the_service_of_its_kind_alone() {
    const PATHS: [&str; 3] = ["/refreshToken", "/token", "/idp/token"];
    for kind in CredentialKind::ALL.iter().copied() {
        let own = match kind {
            CredentialKind::Social => Some("/refreshToken"),
            CredentialKind::BuilderId | CredentialKind::IdentityCenter => Some("/token"),
            CredentialKind::ExternalIdp => Some("/idp/token"),
            CredentialKind::ApiKey => None,
        };
        let sim = simulator().await;
        assert!(
            own.is_none_or(|own| PATHS.contains(&own)),
            "{own:?} is not tried"
        );
        for path in PATHS {
            let issued = sim.issue(kind);
            let token = issued
                .refresh_token
                .as_ref()
                .unwrap_or(&issued.access_token);
            let answer = if path == "/refreshToken" {
                refresh_social(&sim, token).await
            } else if path == "/token" {
                refresh_oidc(&sim, &issued, token).await
            } else {
                let client = issued.client_id.clone().unwrap_or_default();
                let body =
                    format!("grant_type=refresh_token&refresh_token={token}&client_id={client}");
                let mut connection = Client::connect(&sim).await;
                connection.call(form(path, &body)).await
            };
            let is_own = own == Some(path);
            assert_eq!(answer.status == 200, is_own, "{kind:?} at {path}");
            assert_eq!(sim.refreshes(issued.account), u64::from(is_own));
        }
    }
}

#[tokio::test]
async fn a_code_is_exchanged_at_the_service_that_gave_it_alone() {
    const REDIRECT: &str = "http://127.0.0.1:5000/oauth/callback";
    let sim = simulator().await;
    let client = register_for_browser(&sim, REDIRECT).await;
    let page = authorize_page(&client, REDIRECT, "codewhisperer:completions");
    let query = follow(&sim, &page).await;
    let (id, code) = (client["clientId"].as_str().unwrap(), value(&query, "code"));
    let elsewhere = format!(
        "grant_type=authorization_code&client_id={id}&code={code}&code_verifier={VERIFIER}\
         &redirect_uri={REDIRECT}"
    );
    let mut connection = Client::connect(&sim).await;
    let answer = connection.call(form("/idp/token", &elsewhere)).await;
    assert_eq!(refusal(&answer), (400, "invalid_grant".to_owned()));
    let body = json!({
        "clientId": id, "clientSecret": client["clientSecret"], "grantType": "authorization_code",
        "code": code, "codeVerifier": VERIFIER, "redirectUri": REDIRECT,
    });
    assert_eq!(connection.call(post("/token", &body)).await.status, 200);
}

#[tokio::test]
async fn faults_happen_once_and_in_order() {
    let sim = simulator().await;
    let social = sim.issue_social();
    let oidc = sim.issue_oidc();
    for fault in [
        SignInFault::Dead,
        SignInFault::SlowDown,
        SignInFault::ServerError,
        SignInFault::Blocked,
    ] {
        sim.fail_sign_in(fault);
    }
    let mut statuses = Vec::new();
    let mut token = social.refresh_token.unwrap();
    for _ in 0..5 {
        let answer = refresh_social(&sim, &token).await;
        statuses.push(answer.status.as_u16());
        if answer.status == 200 {
            token = answer.json()["refreshToken"].as_str().unwrap().to_owned();
        }
    }
    assert_eq!(statuses, [401, 429, 500, 403, 200]);

    let mut errors = Vec::new();
    for fault in [
        SignInFault::Dead,
        SignInFault::InvalidClient,
        SignInFault::SlowDown,
        SignInFault::ServerError,
    ] {
        sim.fail_sign_in(fault);
        let answer = refresh_oidc(&sim, &oidc, oidc.refresh_token.as_deref().unwrap()).await;
        errors.push((
            answer.status.as_u16(),
            answer.json()["error"].as_str().unwrap().to_owned(),
        ));
    }
    let errors: Vec<(u16, &str)> = errors
        .iter()
        .map(|(status, error)| (*status, &**error))
        .collect();
    assert_eq!(
        errors,
        [
            (400, "invalid_grant"),
            (401, "invalid_client"),
            (400, "slow_down"),
            (500, "server_error")
        ]
    );
}

#[tokio::test]
async fn an_answer_can_be_lost_after_the_rotation() {
    let sim = simulator().await;
    let credential = sim.issue_social();
    sim.fail_sign_in(SignInFault::AnswerLost);
    let token = credential.refresh_token.as_deref().unwrap();
    let request = post("/refreshToken", &json!({"refreshToken": token}));
    assert!(Client::connect(&sim).await.send(request).await.is_err());
    assert_eq!(sim.refreshes(credential.account), 1);
    assert_eq!(refresh_social(&sim, token).await.status, 401);
}

#[tokio::test(start_paused = true)]
async fn an_answer_can_be_late() {
    let sim = simulator().await;
    let token = sim.issue_social().refresh_token.unwrap();
    sim.fail_sign_in(SignInFault::Delayed(Duration::from_secs(30)));
    let begun = tokio::time::Instant::now();
    assert_eq!(refresh_social(&sim, &token).await.status, 200);
    assert!(begun.elapsed() >= Duration::from_secs(30));
}
