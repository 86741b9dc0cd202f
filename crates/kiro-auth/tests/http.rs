//! Refreshing over HTTP, against a simulated Kiro on loopback.
#![cfg(feature = "hyper")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kiro_auth::{
    AuthErrorKind, Credential, FileStore, HttpRefresher, HttpRefresherOptions, ManualClock,
    MemoryStore, Refresher, SystemClock, TokenSource,
};
use kiro_sim::{
    CredentialKind, IssuedCredential, Operation, Rotation, SignInFault, SimOptions, Simulator,
};
use serde_json::json;
use support::http::{refresher, tls};
use tokio::sync::Barrier;

async fn simulator() -> Simulator {
    Simulator::start(SimOptions::default()).await.unwrap()
}

/// What the simulator has issued, as Kiro's IDE would write it down.
fn as_file(issued: &IssuedCredential) -> String {
    let (method, provider) = match issued.kind {
        CredentialKind::Social => ("social", "Github"),
        CredentialKind::BuilderId => ("IdC", "BuilderId"),
        CredentialKind::ExternalIdp => ("external_idp", "ExternalIdp"),
        other => panic!("{other:?} is not asked for here"),
    };
    let mut members = json!({
        "accessToken": issued.access_token,
        "refreshToken": issued.refresh_token,
        "region": issued.region,
        "authMethod": method,
        "provider": provider,
        "clientId": issued.client_id,
        "clientSecret": issued.client_secret,
    });
    if issued.kind == CredentialKind::ExternalIdp {
        members["tokenEndpoint"] = json!("https://login.microsoftonline.com/idp/token");
    }
    members.to_string()
}

fn credential(issued: &IssuedCredential) -> Credential {
    Credential::from_json(&as_file(issued)).unwrap()
}

fn source(path: &Path, simulator: &Simulator) -> TokenSource {
    TokenSource::new(
        Arc::new(FileStore::new(path)),
        Arc::new(refresher(simulator)),
        Arc::new(SystemClock),
    )
}

#[tokio::test]
async fn issuer_is_asked_for_the_endpoint_when_the_credential_has_none() {
    let simulator = simulator().await;
    let mut credential = credential(&simulator.issue(CredentialKind::ExternalIdp));
    credential.token_endpoint = None;
    credential.issuer_url = Some("https://login.microsoftonline.com/idp".to_owned());
    refresher(&simulator).refresh(&credential).await.unwrap();
    assert_eq!(simulator.requests_for(Operation::IdpDiscovery).len(), 1);
}

#[tokio::test]
async fn endpoint_that_a_credential_names_must_be_allowed_and_encrypted() {
    let simulator = simulator().await;
    let mut credential = credential(&simulator.issue(CredentialKind::ExternalIdp));
    let with = |idp_hosts: &[&str]| {
        let mut options = HttpRefresherOptions::default();
        options.idp_hosts = idp_hosts.iter().map(ToString::to_string).collect();
        HttpRefresher::new(tls(), options).unwrap()
    };
    for endpoint in [
        "https://login.example/token",
        "https://evilokta.com/token",
        "https://okta.com.evil.example/token",
        "http://dev-1.okta.com/token",
        "ftp://dev-1.okta.com/token",
        "/token",
        "not a url",
    ] {
        credential.token_endpoint = Some(endpoint.to_owned());
        let error = with(&["okta.com"]).refresh(&credential).await.unwrap_err();
        assert_eq!(
            error.kind(),
            AuthErrorKind::Misconfigured,
            "{endpoint}: {error}"
        );
    }

    credential.token_endpoint = Some(format!("{}/idp/token", simulator.base_url()));
    with(&["127.0.0.1"])
        .refresh(&credential)
        .await
        .expect("loopback may be plain http");
}

#[test]
fn endpoint_that_would_send_tokens_in_the_clear_is_refused_at_the_start() {
    for (endpoint, allowed) in [
        ("https://auth.example", true),
        ("https://auth.example/prefix/", true),
        ("http://127.0.0.1:9000", true),
        ("http://[::1]:9000", true),
        ("http://localhost:9000", true),
        ("http://auth.example", false),
        ("http://10.0.0.1:9000", false),
        ("http://127.0.0.1.evil.example", false),
        ("auth.example", false),
        ("/path", false),
    ] {
        let mut options = HttpRefresherOptions::default();
        options.auth_endpoint = Some(endpoint.parse().unwrap());
        let result = HttpRefresher::new(tls(), options).map_err(|error| error.kind());
        match result {
            Ok(_) => assert!(allowed, "{endpoint}"),
            Err(kind) => assert!(
                !allowed && kind == AuthErrorKind::Misconfigured,
                "{endpoint}"
            ),
        }
    }
}

#[tokio::test]
async fn refusals_are_not_asked_for_twice() {
    let table = [
        (SignInFault::Dead, AuthErrorKind::SignedOut),
        (SignInFault::InvalidClient, AuthErrorKind::SignedOut),
        (SignInFault::Blocked, AuthErrorKind::Transient),
    ];
    for (fault, kind) in table {
        let simulator = simulator().await;
        let credential = credential(&simulator.issue_oidc());
        simulator.fail_sign_in(fault);
        let error = refresher(&simulator)
            .refresh(&credential)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{fault:?}");
        assert_eq!(simulator.requests_for(Operation::OidcToken).len(), 1);
    }
}

#[tokio::test]
async fn weather_is_waited_out() {
    let mut options = SimOptions::default();
    options.rotation = Rotation::AlwaysGrace(Duration::from_secs(60));
    let simulator = Simulator::start(options).await.unwrap();
    let attempts = [
        SignInFault::ServerError,
        SignInFault::SlowDown,
        SignInFault::AnswerLost,
    ]
    .map(async |fault| {
        simulator.fail_sign_in(fault);
        let credential = credential(&simulator.issue_social());
        refresher(&simulator).refresh(&credential).await
    });
    let [first, second, third] = attempts;
    let results = tokio::join!(first, second, third);
    results.0.unwrap();
    results.1.unwrap();
    results.2.unwrap();
    assert_eq!(simulator.requests_for(Operation::SocialRefresh).len(), 6);
}

#[tokio::test]
async fn service_that_is_silent_is_given_up_in_time() {
    let simulator = simulator().await;
    let credential = credential(&simulator.issue_social());
    let mut options = HttpRefresherOptions::default();
    options.auth_endpoint = Some(simulator.base_url().parse().unwrap());
    options.timeout = Duration::from_millis(500);
    let refresher = HttpRefresher::new(tls(), options).unwrap();
    simulator.fail_sign_in(SignInFault::Delayed(Duration::from_secs(3600)));
    refresher
        .refresh(&credential)
        .await
        .expect("the second try is answered");
    assert_eq!(simulator.requests_for(Operation::SocialRefresh).len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_requests_cause_one_refresh_on_the_wire() {
    let simulator = simulator().await;
    let issued = simulator.issue_social();
    // It has no claims, which would keep refreshes apart as well.
    let store = MemoryStore::new(credential(&issued));
    let source = TokenSource::new(
        Arc::new(store),
        Arc::new(refresher(&simulator)),
        Arc::new(SystemClock),
    );
    let start = Arc::new(Barrier::new(200));
    let callers: Vec<_> = (0..200)
        .map(|_| {
            let (source, start) = (source.clone(), start.clone());
            tokio::spawn(async move {
                start.wait().await;
                source.token().await.unwrap()
            })
        })
        .collect();
    for caller in callers {
        assert_ne!(caller.await.unwrap().secret().expose(), issued.access_token);
    }
    assert_eq!(simulator.requests_for(Operation::SocialRefresh).len(), 1);
}

#[tokio::test]
async fn rotated_token_is_found_after_a_restart() {
    let simulator = simulator().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kiro-auth-token.json");
    for issued in [simulator.issue_social(), simulator.issue_oidc()] {
        fs::write(&path, as_file(&issued)).unwrap();
        for _ in 0..5 {
            let source = source(&path, &simulator);
            let token = source.token().await.unwrap();
            source.confirm(token.generation());
            source.reject(token.generation());
            source
                .token()
                .await
                .expect("the service revokes used tokens at once");
        }
        assert!(simulator.refreshes(issued.account) >= 5);
    }
}

#[tokio::test]
async fn two_holders_of_one_file_take_turns() {
    let simulator = simulator().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kiro-auth-token.json");
    let issued = simulator.issue_social();
    fs::write(&path, as_file(&issued)).unwrap();
    let holders = [source(&path, &simulator), source(&path, &simulator)];
    for round in 0..10 {
        let holder = &holders[round % 2];
        let token = holder.token().await.unwrap();
        holder.confirm(token.generation());
        holder.reject(token.generation());
        holder.token().await.unwrap();
    }
    let refused = simulator.requests_for(Operation::SocialRefresh);
    assert!(refused.iter().all(|request| request.status == Some(200)));
}

#[tokio::test]
async fn refresh_token_alone_is_enough() {
    let simulator = simulator().await;
    let issued = simulator.issue_social();
    let credential = Credential::from_refresh_token(issued.refresh_token.unwrap()).unwrap();
    let clock = ManualClock::new();
    let source = TokenSource::new(
        Arc::new(MemoryStore::new(credential)),
        Arc::new(refresher(&simulator)),
        Arc::new(clock.clone()),
    );
    let first = source.token().await.unwrap();
    assert_eq!(first.profile_arn(), issued.profile_arn.as_deref());
    clock.advance(Duration::from_secs(2 * 3600));
    let second = source.token().await.unwrap();
    assert!(second.generation() > first.generation());
    assert_eq!(simulator.refreshes(issued.account), 2);
}
