//! Each kind of login from its file to an answer of the service, as one table.
//!
//! The facts come from the sections named in the table's comments; the simulator, which shares no code with
//! this crate, checks them again.
#![cfg(feature = "hyper")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kiro_auth::refresh::first_request;
use kiro_auth::{
    AccessToken, ApiHost, AuthErrorKind, BUILDER_ID_PROFILE_ARN, Credential, Login, ManualClock,
    MemoryStore, Refresher as _, SECRET_FORMS, SECRET_MEMBERS, SOCIAL_PROFILE_ARN, SecretForm,
    TokenSource,
};
use kiro_sim::validate::{Holder, check_profile};
use kiro_sim::{
    CredentialKind, Host, IssuedCredential, Operation, Recorded, SimOptions, Simulator,
};
use serde_json::{Value, json};
use support::http::refresher;

/// What there is to know about one kind. In texts, `{access}`, `{refresh}`, `{client}`, `{secret}` and
/// `{own}` stand for what the simulator has issued.
struct Kind {
    issued_as: CredentialKind,
    /// The members by which it is recognised. None says outright what it is.
    file: &'static str,
    login: Login,
    /// Where the first request goes that the pure half makes.
    url: &'static str,
    /// What the sign-in service sees.
    asks: &'static [Ask],
    token_type: Option<&'static str>,
    /// The profile that runtime, legacy and management host want to hear.
    profiles: [Option<&'static str>; 3],
    login_region: &'static str,
    /// The region of the service: by the profile, and by the login where no profile is known.
    api_regions: [&'static str; 2],
}

/// A request to a sign-in service.
struct Ask {
    operation: Operation,
    path: &'static str,
    content_type: Option<&'static str>,
    body: &'static str,
}

const OWN: Option<&str> = Some("{own}");

const KINDS: [Kind; 6] = [
    Kind {
        issued_as: CredentialKind::Social,
        file: r#"{"accessToken": "{access}", "refreshToken": "{refresh}"}"#,
        login: Login::Social,
        url: "https://prod.us-east-1.auth.desktop.kiro.dev/refreshToken",
        asks: &[Ask {
            operation: Operation::SocialRefresh,
            path: "/refreshToken",
            content_type: Some("application/json"),
            body: r#"{"refreshToken":"{refresh}"}"#,
        }],
        token_type: None,
        // The refresh tells it.
        profiles: [Some(SOCIAL_PROFILE_ARN); 3],
        login_region: "us-east-1",
        api_regions: ["us-east-1"; 2],
    },
    Kind {
        issued_as: CredentialKind::BuilderId,
        file: r#"{"accessToken": "{access}", "refreshToken": "{refresh}",
            "clientId": "{client}", "clientSecret": "{secret}"}"#,
        login: Login::BuilderId,
        url: "https://oidc.us-east-1.amazonaws.com/token",
        asks: &[OIDC],
        token_type: None,
        profiles: [Some(BUILDER_ID_PROFILE_ARN), None, None],
        login_region: "us-east-1",
        api_regions: ["us-east-1"; 2],
    },
    Kind {
        issued_as: CredentialKind::IdentityCenter,
        file: r#"{"accessToken": "{access}", "refreshToken": "{refresh}", "region": "eu-west-1",
            "clientId": "{client}", "clientSecret": "{secret}", "profileArn": "{own}"}"#,
        login: Login::IdentityCenter,
        url: "https://oidc.eu-west-1.amazonaws.com/token",
        asks: &[OIDC],
        token_type: None,
        profiles: [OWN; 3],
        login_region: "eu-west-1",
        api_regions: ["us-east-1", "eu-central-1"],
    },
    Kind {
        issued_as: CredentialKind::ExternalIdp,
        file: r#"{"accessToken": "{access}", "refreshToken": "{refresh}", "clientId": "{client}",
            "tokenEndpoint": "https://login.microsoftonline.com/idp/token",
            "scopes": "api://example/conversations offline_access", "profileArn": "{own}"}"#,
        login: Login::ExternalIdp,
        url: "https://login.microsoftonline.com/idp/token",
        asks: &[Ask {
            operation: Operation::IdpToken,
            path: "/idp/token",
            content_type: Some("application/x-www-form-urlencoded"),
            body: "grant_type=refresh_token&client_id={client}&refresh_token={refresh}\
                   &scope=api%3A%2F%2Fexample%2Fconversations+offline_access",
        }],
        token_type: Some("EXTERNAL_IDP"),
        profiles: [OWN; 3],
        login_region: "us-east-1",
        api_regions: ["us-east-1"; 2],
    },
    Kind {
        issued_as: CredentialKind::ExternalIdp,
        file: r#"{"accessToken": "{access}", "refreshToken": "{refresh}", "clientId": "{client}",
            "issuerUrl": "https://login.microsoftonline.com/idp", "profileArn": "{own}"}"#,
        login: Login::ExternalIdp,
        url: "https://login.microsoftonline.com/idp/.well-known/openid-configuration",
        asks: &[
            Ask {
                operation: Operation::IdpDiscovery,
                path: "/idp/.well-known/openid-configuration",
                content_type: None,
                body: "",
            },
            Ask {
                operation: Operation::IdpToken,
                path: "/idp/token",
                content_type: Some("application/x-www-form-urlencoded"),
                body: "grant_type=refresh_token&client_id={client}&refresh_token={refresh}",
            },
        ],
        token_type: Some("EXTERNAL_IDP"),
        profiles: [OWN; 3],
        login_region: "us-east-1",
        api_regions: ["us-east-1"; 2],
    },
    Kind {
        issued_as: CredentialKind::ApiKey,
        file: r#"{"kiroApiKey": "{access}"}"#,
        login: Login::ApiKey,
        // Never refreshed.
        url: "",
        asks: &[],
        token_type: Some("API_KEY"),
        profiles: [None; 3],
        login_region: "us-east-1",
        api_regions: ["us-east-1"; 2],
    },
];

const OIDC: Ask = Ask {
    operation: Operation::OidcToken,
    path: "/token",
    content_type: Some("application/json"),
    body: r#"{"clientId":"{client}","clientSecret":"{secret}","grantType":"refresh_token","refreshToken":"{refresh}"}"#,
};

#[test]
fn every_login_has_a_row() {
    for login in Login::ALL {
        assert!(KINDS.iter().any(|kind| kind.login == *login), "{login}");
    }
    for issued_as in CredentialKind::ALL {
        let has = |kind: &Kind| kind.issued_as == *issued_as;
        assert!(KINDS.iter().any(has), "{issued_as:?}");
    }
}

/// By our rules and by the simulator's.
#[test]
fn every_login_is_labelled_and_let_in_on_every_host() {
    const OWN: &str = "arn:aws:codewhisperer:eu-central-1:111122223333:profile/EXAMPLEPROF1";
    for kind in &KINDS {
        let (login, issued_as) = (kind.login, kind.issued_as);
        assert_eq!(login.token_type(), issued_as.token_type());
        for (api_host, host) in [
            (ApiHost::Runtime, Host::Runtime),
            (ApiHost::Legacy, Host::Legacy),
            (ApiHost::Management, Host::Management),
        ] {
            let mut holder = Holder::new(issued_as, host);
            let own = holder.own.is_empty().then_some(OWN);
            holder.own.extend(own.map(str::to_owned));
            let arn = login.profile_arn(api_host, own);
            check_profile(arn, &holder).unwrap_or_else(|violation| {
                panic!("{login:?} on {api_host:?}: {violation}");
            });
        }
    }
}

#[tokio::test]
async fn every_kind_is_recognised_refreshed_at_its_host_and_served() {
    for kind in &KINDS {
        let simulator = Simulator::start(SimOptions::default()).await.unwrap();
        let issued = simulator.issue(kind.issued_as);
        let credential = Credential::from_json(&filled_in(kind.file, &issued)).unwrap();
        assert_eq!(credential.login, kind.login, "{}", kind.file);
        assert_secrets_are_known(kind, &issued);
        assert_eq!(first_url(&credential), kind.url, "{}", kind.login);
        assert_region_names_no_host(&credential);

        // Only an API key is good without an expiry.
        let source = TokenSource::new(
            Arc::new(MemoryStore::new(credential)),
            Arc::new(refresher(&simulator)),
            Arc::new(ManualClock::new()),
        );
        let token = source.token().await.unwrap();
        let asked = simulator.requests();
        assert_eq!(asked.len(), kind.asks.len(), "{}", kind.login);
        for (recorded, ask) in asked.iter().zip(kind.asks) {
            assert_asked(recorded, ask, &issued);
        }
        assert_eq!(token.token_type(), kind.token_type, "{}", kind.login);
        assert_eq!(token.auth_region(), kind.login_region, "{}", kind.login);
        assert_eq!(token.api_region(), kind.api_regions[0], "{}", kind.login);
        assert_profiles(&token, kind, &issued);
        assert_served(&simulator, &token, kind.login).await;
    }
}

#[tokio::test]
async fn a_refresh_rotates_and_reuses_its_connection() {
    for kind in KINDS.iter().filter(|kind| !kind.asks.is_empty()) {
        let simulator = Simulator::start(SimOptions::default()).await.unwrap();
        let issued = simulator.issue(kind.issued_as);
        let first = Credential::from_json(&filled_in(kind.file, &issued)).unwrap();
        let refresher = refresher(&simulator);
        let refreshed = refresher.refresh(&first).await.unwrap();
        assert_ne!(refreshed.access_token.expose(), issued.access_token);
        assert_eq!(refreshed.expires_in, Duration::from_secs(3600));

        let second = first.refreshed(&refreshed, SystemTime::UNIX_EPOCH);
        refresher
            .refresh(&second)
            .await
            .expect("the rotated token is good");
        let dead = refresher.refresh(&first).await.unwrap_err();
        // The first one is used up.
        assert_eq!(dead.kind(), AuthErrorKind::SignedOut, "{}", kind.login);

        let asked = simulator.requests();
        assert_eq!(asked.len(), 3 * kind.asks.len(), "{}", kind.login);
        assert_eq!(asked[0].connection, asked[kind.asks.len()].connection);
    }
}

#[test]
fn without_a_profile_the_region_of_the_service_follows_from_that_of_the_login() {
    for kind in &KINDS {
        let mut credential = Credential::from_json(kind.file).unwrap();
        assert_eq!(credential.login_region(), kind.login_region);
        credential.profile_arn = None;
        assert_eq!(
            credential.service_region(),
            kind.api_regions[1],
            "{}",
            kind.login
        );
    }
}

/// The text with what was issued in it.
fn filled_in(text: &str, issued: &IssuedCredential) -> String {
    let or_empty = |text: &Option<String>| text.clone().unwrap_or_default();
    text.replace("{access}", &issued.access_token)
        .replace("{refresh}", &or_empty(&issued.refresh_token))
        .replace("{client}", &or_empty(&issued.client_id))
        .replace("{secret}", &or_empty(&issued.client_secret))
        .replace("{own}", &or_empty(&issued.profile_arn))
}

/// Whoever keeps secrets out of texts knows these by their form, and where they are sent by a name as well.
fn assert_secrets_are_known(kind: &Kind, issued: &IssuedCredential) {
    let issued = [
        Some(&issued.access_token),
        issued.refresh_token.as_ref(),
        issued.client_secret.as_ref(),
    ];
    for secret in issued.into_iter().flatten() {
        let has =
            |form: &SecretForm| secret.starts_with(form.beginning) && secret.len() >= form.least;
        assert!(SECRET_FORMS.iter().any(has), "{}: {secret}", kind.login);
    }
    let secrets = ["{refresh}", "{secret}"];
    let sent = kind.asks.iter().flat_map(|ask| {
        secrets
            .into_iter()
            .filter_map(|secret| ask.body.split_once(secret))
    });
    for (before, _) in sent {
        let before = before.trim_end_matches(['"', ':', '=']);
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let name = before.rsplit(|c| !is_name(c)).next().unwrap();
        assert!(SECRET_MEMBERS.contains(&name), "{}: {name}", kind.login);
    }
}

/// A credential says its region, and whoever wrote it may not send its token to a host of theirs by that.
fn assert_region_names_no_host(credential: &Credential) {
    let at = |region: &str| {
        let mut elsewhere = credential.clone();
        elsewhere.auth_region = Some(region.to_owned());
        elsewhere.api_region = Some(region.to_owned());
        first_url(&elsewhere)
    };
    for region in ["evil.example/?", "evil.example#", "a@evil.example/", ""] {
        assert!(!at(region).contains("evil.example"), "{}", credential.login);
    }
}

/// Where a refresh sends its first request; nothing where there is none.
fn first_url(credential: &Credential) -> String {
    match first_request(credential) {
        Ok(first) => first.request().uri().to_string(),
        Err(_) => String::new(),
    }
}

fn assert_asked(recorded: &Recorded, ask: &Ask, issued: &IssuedCredential) {
    assert_eq!(recorded.operation, ask.operation);
    assert_eq!(recorded.path, ask.path);
    let body = String::from_utf8(recorded.body.to_vec()).unwrap();
    assert_eq!(body, filled_in(ask.body, issued));
    assert_eq!(recorded.header("content-type"), ask.content_type);
    assert_eq!(recorded.header("user-agent"), Some("tests/1.0"));
    // A name that no official client sends would set us apart, and a bearer token has no business here.
    let known = [
        "accept",
        "content-length",
        "content-type",
        "host",
        "user-agent",
    ];
    for name in recorded.headers.keys() {
        assert!(known.contains(&name.as_str()), "{name} at {}", ask.path);
    }
    assert_eq!(recorded.status, Some(200));
}

fn assert_profiles(token: &AccessToken, kind: &Kind, issued: &IssuedCredential) {
    let hosts = [ApiHost::Runtime, ApiHost::Legacy, ApiHost::Management];
    for (host, expected) in hosts.into_iter().zip(kind.profiles) {
        let expected = expected.map(|text| filled_in(text, issued));
        assert_eq!(
            token.profile_arn_for(host),
            expected.as_deref(),
            "{} at {host:?}",
            kind.login
        );
    }
}

/// The token is good for a reply, on the runtime host and on the legacy one.
async fn assert_served(simulator: &Simulator, token: &AccessToken, login: Login) {
    for host in [ApiHost::Runtime, ApiHost::Legacy] {
        let request = question(simulator, token, host);
        let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        let response = client.request(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&body);
        assert_eq!(head.status, StatusCode::OK, "{login} at {host:?}: {text}");
        assert!(text.contains("assistantResponseEvent"), "{login}: {text}");
    }
}

/// A Generate call of the newest generation for the runtime host, of the first for the legacy one.
fn question(simulator: &Simulator, token: &AccessToken, host: ApiHost) -> Request<Full<Bytes>> {
    let mut body = json!({
        "conversationState": {
            "agentTaskType": "vibe",
            "chatTriggerType": "MANUAL",
            "conversationId": "6f1f7a2e-4f0e-4a53-9a9b-0d6b1b0f2c11",
            "currentMessage": {"userInputMessage": {
                "content": "Hello", "modelId": "claude-sonnet-4.5", "origin": "AI_EDITOR",
            }},
        },
    });
    if let Some(arn) = token.profile_arn_for(host) {
        body["profileArn"] = Value::from(arn);
    }
    let base = simulator.base_url();
    let bearer = format!("Bearer {}", token.secret().expose());
    let request = if host == ApiHost::Runtime {
        body["agentMode"] = json!("vibe");
        Request::post(base)
            .header("content-type", "application/x-amz-json-1.0")
            .header(
                "x-amz-target",
                "KiroRuntimeService.GenerateAssistantResponse",
            )
    } else {
        Request::post(format!("{base}/generateAssistantResponse"))
            .header("content-type", "application/json")
            .header("x-amzn-kiro-agent-mode", "vibe")
    };
    let request = request.header("authorization", bearer);
    let request = match token.token_type() {
        Some(token_type) => request.header("TokenType", token_type),
        None => request,
    };
    request.body(Full::from(body.to_string())).unwrap()
}
