//! Callers who bring a credential of their own: in every shape and header, after rotation, eviction and
//! restart, and never with another's.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::num::NonZeroUsize;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use kiro_auth::{
    Credential, HttpRefresher, HttpRefresherOptions, Pool, Secret, SystemClock, TokenSource, Vault,
    VaultOptions,
};
use kiro_gateway::{Gateway, GatewayOptions};
use kiro_sim::{AccountId, CredentialKind, IssuedCredential, Operation, SimOptions, Simulator};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{KEY, SOON, client_tls, whole};
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// A simulator, and a state folder that outlives the gateways before it.
struct Town {
    sim: Simulator,
    state: TempDir,
}

impl Town {
    async fn start() -> Self {
        Self {
            sim: Simulator::start(SimOptions::default()).await.unwrap(),
            state: TempDir::new().unwrap(),
        }
    }

    /// A gateway without a login of its own, as after a restart.
    fn gateway(&self, change: impl FnOnce(&mut GatewayOptions)) -> Gateway {
        let endpoint: http::Uri = self.sim.base_url().parse().unwrap();
        let mut options = HttpRefresherOptions::default();
        options.auth_endpoint = Some(endpoint.clone());
        let refresher = Arc::new(HttpRefresher::new(client_tls(), options).unwrap());
        let clock = Arc::new(SystemClock);
        let vault = Vault::open(self.state.path(), VaultOptions::default(), clock.clone()).unwrap();
        let make_pool = Box::new(move |sent: Credential| {
            let source = TokenSource::new(vault.store(sent), refresher.clone(), clock.clone());
            Pool::new(vec![source])
        });
        let mut options = GatewayOptions::new(Secret::from(KEY), None, make_pool, client_tls());
        options.upstream.endpoint = Some(endpoint);
        // Nothing is asked of the simulator but what a test asks for.
        options.quota.warn_below = 0.0;
        change(&mut options);
        Gateway::new(options).unwrap()
    }

    /// The accounts that Generate calls were made with, in order.
    fn served(&self) -> Vec<Option<AccountId>> {
        let calls = self.sim.requests_for(Operation::Generate);
        calls.iter().map(|call| call.account).collect()
    }
}

/// Asks with a header; the status, and the document.
async fn ask_with(gateway: &Gateway, header: &str, value: &str) -> (u16, Value) {
    let request = Request::post("/v1/chat/completions")
        .header("content-type", "application/json")
        .header(header, value)
        .body(Full::new(Bytes::from(whole("hi").to_string())))
        .unwrap();
    let (head, body) = gateway.handle(request).await.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status.as_u16(), serde_json::from_slice(&body).unwrap())
}

async fn ask(gateway: &Gateway, sent: &str) -> (u16, Value) {
    ask_with(gateway, "authorization", &format!("Bearer {KEY}:{sent}")).await
}

/// What a tenant puts behind the colon.
fn compact(issued: &IssuedCredential) -> String {
    let mut members = json!({
        "refreshToken": issued.refresh_token, "clientId": issued.client_id, "region": issued.region,
    });
    match issued.kind {
        CredentialKind::ApiKey => return issued.access_token.clone(),
        CredentialKind::Social => return issued.refresh_token.clone().unwrap(),
        CredentialKind::ExternalIdp => {
            members["tokenEndpoint"] = "https://login.example.okta.com/idp/token".into();
        }
        CredentialKind::BuilderId => members["clientSecret"] = issued.client_secret.clone().into(),
        CredentialKind::IdentityCenter => {
            members["clientSecret"] = issued.client_secret.clone().into();
            members["startUrl"] = "https://d-1234567890.awsapps.com/start".into();
        }
    }
    URL_SAFE_NO_PAD.encode(members.to_string())
}

#[tokio::test]
async fn every_kind_of_login_works_in_every_header() {
    let town = Town::start().await;
    let gateway = town.gateway(|_| {});
    for kind in CredentialKind::ALL.iter().copied() {
        let issued = town.sim.issue(kind);
        let sent = compact(&issued);
        for (header, scheme) in [
            ("authorization", "Bearer "),
            ("x-api-key", ""),
            ("api-key", ""),
        ] {
            let (status, body) = ask_with(&gateway, header, &format!("{scheme}{KEY}:{sent}")).await;
            assert_eq!(status, 200, "{kind:?} {header}: {body}");
            assert_eq!(town.served().pop(), Some(Some(issued.account)));
        }
    }
}

#[tokio::test]
async fn after_rotation_and_restart_the_same_header_still_works() {
    let town = Town::start().await;
    for kind in CredentialKind::ALL.iter().copied() {
        let issued = town.sim.issue(kind);
        let sent = compact(&issued);
        for restart in 0..3 {
            let gateway = town.gateway(|_| {});
            for _ in 0..2 {
                let (status, body) = ask(&gateway, &sent).await;
                assert_eq!(status, 200, "{kind:?} after {restart} restarts: {body}");
                town.sim.expire_access_tokens();
            }
        }
        let rotates = kind != CredentialKind::ApiKey;
        assert_eq!(town.sim.refreshes(issued.account) > 4, rotates, "{kind:?}");
    }
}

#[tokio::test]
async fn after_eviction_the_same_header_still_works() {
    let town = Town::start().await;
    let gateway = town.gateway(|options| options.guests.max_guests = NonZeroUsize::MIN);
    let guests: Vec<_> = (0..3).map(|_| town.sim.issue_social()).collect();
    for _ in 0..3 {
        for guest in &guests {
            assert_eq!(ask(&gateway, &compact(guest)).await.0, 200);
            assert_eq!(town.served().pop(), Some(Some(guest.account)));
        }
    }
    for guest in &guests {
        assert_eq!(
            town.sim.refreshes(guest.account),
            1,
            "its access token was kept too"
        );
    }
}

#[tokio::test]
async fn a_loop_with_a_dead_token_asks_the_sign_in_service_once() {
    let town = Town::start().await;
    let gateway = town.gateway(|_| {});
    let dead = format!("aor{}:{}", "x".repeat(100), "y".repeat(60));
    for _ in 0..50 {
        let (status, body) = ask(&gateway, &dead).await;
        assert_eq!(status, 401, "{body}");
    }
    assert_eq!(town.sim.requests_for(Operation::SocialRefresh).len(), 1);
    let good = town.sim.issue_social();
    assert_eq!(
        ask(&gateway, &compact(&good)).await.0,
        200,
        "others are not held up"
    );
}

#[tokio::test]
async fn what_is_no_credential_is_refused_with_the_remedy_and_without_the_secret() {
    let town = Town::start().await;
    let gateway = town.gateway(|_| {});
    for sent in [
        "aorPLANTED",
        "aorPLANTED...cut",
        "ksk_PLANTED…",
        &URL_SAFE_NO_PAD.encode(r#"{"clientId":"PLANTED"}"#),
        &URL_SAFE_NO_PAD.encode(r#"{"refreshToken":"aorPLANTED"}"#),
    ] {
        // Header values are bytes; what is not ASCII cannot be read as a key at all.
        let (status, body) = ask(&gateway, sent).await;
        assert_eq!(status, 401, "{sent}: {body}");
        let message = body["error"]["message"].as_str().unwrap();
        assert!(!message.contains("PLANTED"), "{message}");
        if sent.is_ascii() {
            assert!(
                message.contains("Send a refresh token, a `ksk_` key"),
                "{message}"
            );
        }
    }
    assert_eq!(town.sim.state().requests, 0, "nobody upstream was bothered");
}

#[tokio::test]
async fn the_profile_of_an_organisations_login_is_found_once() {
    let town = Town::start().await;
    let gateway = town.gateway(|_| {});
    let issued = town.sim.issue(CredentialKind::IdentityCenter);
    let sent = compact(&issued);
    let asks = (0..20).map(|_| ask(&gateway, &sent));
    for (status, body) in futures_util::future::join_all(asks).await {
        assert_eq!(status, 200, "{body}");
    }
    assert_eq!(
        town.sim
            .requests_for(Operation::ListAvailableProfiles)
            .len(),
        1
    );
    let body = town.sim.requests_for(Operation::Generate)[0].json();
    assert_eq!(body["profileArn"].as_str(), issued.profile_arn.as_deref());
}

#[tokio::test]
async fn of_several_profiles_the_caller_is_told_to_choose() {
    let town = Town::start().await;
    let gateway = town.gateway(|_| {});
    let issued = town.sim.issue(CredentialKind::IdentityCenter);
    let other = "arn:aws:codewhisperer:eu-central-1:111122223333:profile/OTHER";
    town.sim
        .add_profile(issued.account, other, "the-other-team");
    let (status, body) = ask(&gateway, &compact(&issued)).await;
    let message = body["error"]["message"].as_str().unwrap();
    assert_eq!(status, 401, "{message}");
    assert!(
        message.contains("the-other-team") && message.contains("profileArn"),
        "{message}"
    );
    assert!(!message.contains("111122223333"), "{message}");
}

/// An upstream that takes what comes and answers nobody; what it was asked.
async fn silent_upstream() -> (http::Uri, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (asked, received) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let asked = asked.clone();
            tokio::spawn(async move {
                let mut head = vec![0; 16 * 1024];
                let length = stream.read(&mut head).await.unwrap();
                let _ = asked.send(String::from_utf8_lossy(&head[..length]).into_owned());
                std::future::pending::<()>().await;
            });
        }
    });
    (endpoint.parse().unwrap(), received)
}

#[tokio::test]
async fn nobody_waits_for_the_profile_of_another_tenant() {
    let town = Town::start().await;
    let (endpoint, mut asked) = silent_upstream().await;
    let gateway = town.gateway(|options| options.upstream.endpoint = Some(endpoint));
    for tenant in ["slow-tenant", "other-tenant"] {
        let members = json!({"accessToken": tenant, "refreshToken": tenant, "clientId": "c",
            "expiresAt": "2099-01-01T00:00:00Z", "tokenEndpoint": "https://login.example.okta.com/t"});
        let sent = URL_SAFE_NO_PAD.encode(members.to_string());
        let gateway = gateway.clone();
        tokio::spawn(async move { ask(&gateway, &sent).await });
        let request = tokio::time::timeout(SOON, asked.recv()).await;
        let request = request.expect("it is held up").unwrap();
        assert!(request.contains(tenant), "{request}");
    }
}

/// One step of a crowd.
#[derive(Debug, Clone)]
enum Step {
    /// These tenants ask at the same time.
    Ask(Vec<usize>),
    /// All access tokens expire behind our back.
    Expire,
    /// The gateway starts anew.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => proptest::collection::vec(0..CredentialKind::ALL.len(), 1..8).prop_map(Step::Ask),
        1 => Just(Step::Expire),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn no_interleaving_serves_one_tenant_with_anothers_token(
        steps in proptest::collection::vec(step(), 1..10),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(crowd(steps));
    }
}

async fn crowd(steps: Vec<Step>) {
    let town = Town::start().await;
    // Fewer seats than tenants, so that they push each other out.
    let few = |options: &mut GatewayOptions| {
        options.guests.max_guests = NonZeroUsize::new(2).unwrap();
    };
    let tenants: Vec<_> = CredentialKind::ALL
        .iter()
        .map(|kind| town.sim.issue(*kind))
        .collect();
    let mut gateway = town.gateway(few);
    for step in steps {
        match step {
            Step::Expire => town.sim.expire_access_tokens(),
            Step::Restart => gateway = town.gateway(few),
            Step::Ask(who) => ask_together(&town, &gateway, &tenants, who).await,
        }
    }
}

/// The words of each request name its tenant, so what reached the service can be held against it.
async fn ask_together(
    town: &Town,
    gateway: &Gateway,
    tenants: &[IssuedCredential],
    who: Vec<usize>,
) {
    town.sim.forget_requests();
    let asks = who.into_iter().map(|index| {
        let (gateway, tenant) = (gateway.clone(), tenants[index].clone());
        tokio::spawn(async move {
            let body = whole(&format!("I am {}", tenant.account)).to_string();
            let request = Request::post("/v1/chat/completions")
                .header("x-api-key", format!("{KEY}:{}", compact(&tenant)))
                .body(Full::new(Bytes::from(body)))
                .unwrap();
            assert_eq!(gateway.handle(request).await.status(), 200);
        })
    });
    for ask in asks.collect::<Vec<_>>() {
        ask.await.unwrap();
    }
    for call in town.sim.requests_for(Operation::Generate) {
        let body = call.json().to_string();
        if let Some(account) = call.account {
            assert!(
                body.contains(&format!("I am {account}\"")),
                "{account}: {body}"
            );
        }
    }
}
