//! Every way of signing in, from what the person sees to a credential that is refreshed after a restart,
//! against a simulated Kiro and a browser on loopback.
#![cfg(feature = "hyper")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/browser.rs"]
mod browser;

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use browser::{at, browse, open, sign_in, tls, way_back};
use kiro_auth::sign_in::{
    BrowserSignIn, Directory, IdentityProvider, LOCALHOST_PORTS, PortalOutcome, Provider, SignIn,
    SignInError, SignInOptions,
};
use kiro_auth::{
    AuthErrorKind, Credential, CredentialStore, FileStore, HttpRefresher, Login, Refresher,
    SystemClock,
};
use kiro_sim::{
    BrowserDecision, DeviceDecision, LoginOption, Operation, SignInFault, SimOptions, Simulator,
};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// Kiro's own sign-in knows five ports of this machine, and tests run side by side, in several processes
/// too. Given back when it is dropped.
fn localhost_ports() -> File {
    let path = std::env::temp_dir().join("kiro-auth-tests-localhost-ports.lock");
    let file = File::create(path).unwrap();
    file.lock().unwrap();
    file
}

async fn simulator() -> Simulator {
    Simulator::start(SimOptions::default()).await.unwrap()
}

fn organisation() -> Directory {
    Directory::identity_center("https://d-1234567890.awsapps.com/start", "eu-west-1").unwrap()
}

/// An issuer whose host is allowed. The simulator answers for it.
fn provider() -> IdentityProvider {
    IdentityProvider::new("https://login.microsoftonline.com/idp", "client-1")
        .with_scopes("api://kiro/chat offline_access")
}

/// Saves the credential to a new file, as a program would, reads it back as if after a restart, and
/// refreshes it twice: the second time with what the first has brought.
async fn assert_lives_on(simulator: &Simulator, credential: &Credential, login: Login) {
    assert_eq!(credential.login, login);
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::new(folder.path().join("login.json"));
    store.save(credential).await.unwrap();
    let loaded = store.load().await.unwrap();
    assert_eq!(loaded.login, login);
    assert_eq!(loaded.access_token, credential.access_token);
    assert!(loaded.expires_at.is_some(), "{login}");
    assert_eq!(loaded.start_url, credential.start_url);
    assert_eq!(loaded.scopes, credential.scopes);

    let refresher = HttpRefresher::new(tls(), at(simulator)).unwrap();
    let refreshed = refresher.refresh(&loaded).await.unwrap();
    assert_ne!(Some(&refreshed.access_token), loaded.access_token.as_ref());
    let next = loaded.refreshed(&refreshed, std::time::SystemTime::UNIX_EPOCH);
    refresher.refresh(&next).await.unwrap();
}

/// A browser opens the page and comes back while the program waits.
async fn through_the_browser(begun: &BrowserSignIn) -> Result<Credential, SignInError> {
    let (credential, page) = tokio::join!(begun.wait(), browse(begun.url()));
    assert_eq!(page.status, 200, "{}", page.text);
    credential
}

#[tokio::test(start_paused = true)]
async fn device_code_signs_in_to_both_kinds_of_directory() {
    let simulator = simulator().await;
    for (directory, login) in [
        (Directory::builder_id(), Login::BuilderId),
        (organisation(), Login::IdentityCenter),
    ] {
        let device = sign_in(&simulator).device(&directory).await.unwrap();
        let complete = format!("user_code={}", device.user_code());
        assert!(device.page().starts_with(directory.start_url()));
        assert!(device.page().ends_with(&complete), "{}", device.page());
        let credential = device.wait().await.unwrap();
        assert_eq!(credential.auth_region.as_deref(), Some(directory.region()));
        assert!(credential.client_expires_at > credential.expires_at);
        assert_lives_on(&simulator, &credential, login).await;
    }
    let registered = &simulator.requests_for(Operation::OidcRegister)[0];
    let body: Value = serde_json::from_slice(&registered.body).unwrap();
    assert_eq!(body["clientName"], "Kiro-2API");
}

#[tokio::test(start_paused = true)]
async fn complaint_about_polling_slows_it_down_for_good() {
    let simulator = simulator().await;
    simulator.decide_devices(DeviceDecision::ApproveAfter(2));
    let device = sign_in(&simulator).device(&Directory::builder_id()).await;
    simulator.fail_sign_in(SignInFault::SlowDown);
    device.unwrap().wait().await.unwrap();
    let polls = simulator.requests_for(Operation::OidcToken);
    let pauses: Vec<u64> = polls
        .windows(2)
        .map(|pair| (pair[1].at - pair[0].at).as_secs())
        .collect();
    assert_eq!(pauses, [6, 6, 6]);
}

#[tokio::test(start_paused = true)]
async fn failures_of_service_and_network_do_not_end_the_polling() {
    let simulator = simulator().await;
    simulator.decide_devices(DeviceDecision::ApproveAfter(1));
    let device = sign_in(&simulator).device(&Directory::builder_id()).await;
    simulator.fail_sign_in(SignInFault::ServerError);
    simulator.fail_sign_in(SignInFault::AnswerLost);
    simulator.fail_sign_in(SignInFault::ServerError);
    device.unwrap().wait().await.unwrap();
    assert_eq!(simulator.requests_for(Operation::OidcToken).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn device_code_that_is_refused_or_forgotten_ends_with_what_to_do() {
    let simulator = simulator().await;
    simulator.decide_devices(DeviceDecision::Refuse);
    let device = sign_in(&simulator).device(&organisation()).await.unwrap();
    let error = device.wait().await.unwrap_err();
    assert!(matches!(error, SignInError::Denied) && !error.may_start_again());

    simulator.decide_devices(DeviceDecision::Ignore);
    let device = sign_in(&simulator).device(&organisation()).await.unwrap();
    let error = device.wait().await.unwrap_err();
    assert!(matches!(error, SignInError::Expired) && error.may_start_again());
    assert!(error.to_string().contains("start the sign-in again"));
}

#[tokio::test]
async fn browser_signs_in_to_both_kinds_of_directory() {
    let simulator = simulator().await;
    for (directory, login) in [
        (Directory::builder_id(), Login::BuilderId),
        (organisation(), Login::IdentityCenter),
    ] {
        let begun = sign_in(&simulator).directory(&directory).await.unwrap();
        let credential = through_the_browser(&begun).await.unwrap();
        assert_lives_on(&simulator, &credential, login).await;
    }
}

#[tokio::test]
async fn browser_signs_in_with_google_and_github() {
    let _ports = localhost_ports();
    let simulator = simulator().await;
    for provider in [Provider::Google, Provider::Github] {
        let begun = sign_in(&simulator).social(provider).await.unwrap();
        let credential = through_the_browser(&begun).await.unwrap();
        assert!(credential.profile_arn.is_some());
        assert_lives_on(&simulator, &credential, Login::Social).await;
    }
}

#[tokio::test]
async fn browser_signs_in_at_an_identity_provider() {
    let _ports = localhost_ports();
    let simulator = simulator().await;
    let begun = sign_in(&simulator).external(&provider()).await.unwrap();
    let credential = through_the_browser(&begun).await.unwrap();
    assert_eq!(
        credential.scopes.as_deref(),
        Some("api://kiro/chat offline_access")
    );
    assert!(credential.token_endpoint.is_some() && credential.client_secret.is_none());
    assert_lives_on(&simulator, &credential, Login::ExternalIdp).await;
}

#[tokio::test]
async fn address_can_be_pasted_where_the_browser_cannot_come_back() {
    let _ports = localhost_ports();
    let simulator = simulator().await;
    let driver = sign_in(&simulator);
    for (begun, login) in [
        (
            driver.directory(&organisation()).await,
            Login::IdentityCenter,
        ),
        (driver.social(Provider::Github).await, Login::Social),
        (driver.external(&provider()).await, Login::ExternalIdp),
    ] {
        let begun = begun.unwrap();
        let address = way_back(begun.url()).await;
        // As a terminal of eighty columns shows it, and as people copy it.
        let lines: Vec<&str> = address
            .as_bytes()
            .chunks(80)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect();
        let credential = begun.paste(&format!(" {}\n", lines.join("\n"))).await;
        assert_lives_on(&simulator, &credential.unwrap(), login).await;
    }
}

#[tokio::test]
async fn wrong_address_is_refused_and_the_right_one_may_follow() {
    let simulator = simulator().await;
    let driver = sign_in(&simulator);
    let other = driver.directory(&organisation()).await.unwrap();
    let begun = driver.directory(&organisation()).await.unwrap();
    let foreign = way_back(other.url()).await;
    let own = way_back(begun.url()).await;
    let (without_code, _) = own.split_once("?code=").unwrap();
    let state = own.rsplit_once("state=").unwrap().1;

    let error = begun.paste(&foreign).await.unwrap_err();
    assert!(matches!(error, SignInError::WrongState), "{error}");
    let error = begun.paste("").await.unwrap_err();
    assert!(matches!(error, SignInError::WrongState), "{error}");
    let address = format!("{without_code}?state={state}");
    let error = begun.paste(&address).await.unwrap_err();
    assert!(matches!(error, SignInError::NoCode), "{error}");
    assert_eq!(simulator.requests_for(Operation::OidcToken).len(), 0);

    let credential = begun.paste(&own).await.unwrap();
    assert_lives_on(&simulator, &credential, Login::IdentityCenter).await;
    let error = begun.paste(&own).await.unwrap_err();
    assert!(
        matches!(error, SignInError::Refused(_)),
        "a code is good for one exchange: {error}"
    );
}

#[tokio::test(start_paused = true)]
async fn listener_answers_strangers_and_waits_for_the_browser() {
    let simulator = simulator().await;
    let driver = sign_in(&simulator);
    let other = driver.directory(&organisation()).await.unwrap();
    let begun = driver.directory(&organisation()).await.unwrap();
    let own = way_back(begun.url()).await;
    let (place, _) = own.split_once('?').unwrap();
    let foreign = way_back(other.url()).await;
    let (_, foreign) = foreign.split_once('?').unwrap();
    let authority = place
        .strip_prefix("http://")
        .and_then(|rest| rest.split('/').next())
        .unwrap()
        .to_owned();

    let browser = async {
        // Opened ahead of need, as browsers do, and left silent.
        let silent = TcpStream::connect(&authority).await.unwrap();
        let favicon = open(&format!("http://{authority}/favicon.ico")).await;
        assert_eq!(favicon.status, 404);
        for query in ["code=C&state=guessed", "error=access_denied", "", foreign] {
            let page = open(&format!("{place}?{query}")).await;
            assert_eq!(page.status, 400, "{query}");
        }
        let begun = Instant::now();
        let mut endless = TcpStream::connect(&authority).await.unwrap();
        let head = format!("GET /oauth/callback HTTP/1.1\r\nx: {}", "x".repeat(100_000));
        let _ = endless.write_all(head.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = endless.read_to_end(&mut answer).await;
        assert!(answer.is_empty(), "a head without an end gets no answer");
        assert!(begun.elapsed() < Duration::from_secs(1), "nor any patience");
        let page = open(&own).await;
        drop(silent);
        page
    };
    let (credential, page) = tokio::join!(begun.wait(), browser);
    assert_eq!(page.status, 200);
    let code = own
        .split("code=")
        .nth(1)
        .unwrap()
        .split('&')
        .next()
        .unwrap();
    assert!(!page.text.contains(code), "nothing of the address is shown");
    assert!(page.text.contains("referrer-policy: no-referrer"));
    credential.unwrap();
}

#[tokio::test]
async fn refusal_in_the_browser_is_told_as_one() {
    let _ports = localhost_ports();
    let simulator = simulator().await;
    simulator.decide_browsers(BrowserDecision::Refuse);
    let driver = sign_in(&simulator);
    for begun in [
        driver.directory(&organisation()).await.unwrap(),
        driver.social(Provider::Google).await.unwrap(),
        driver.external(&provider()).await.unwrap(),
    ] {
        let address = way_back(begun.url()).await;
        let error = begun.paste(&address).await.unwrap_err();
        assert!(matches!(error, SignInError::Denied), "{error}");
        let error = through_the_browser(&begun).await.unwrap_err();
        assert!(matches!(error, SignInError::Denied), "{error}");
    }
    let portal = driver.portal().await.unwrap();
    let (error, _) = tokio::join!(portal.wait(), browse(portal.url()));
    assert!(matches!(error, Err(SignInError::Denied)));
}

#[tokio::test(start_paused = true)]
async fn browser_that_never_comes_back_is_waited_for_until_the_deadline() {
    let simulator = simulator().await;
    let begun = sign_in(&simulator)
        .directory(&organisation())
        .await
        .unwrap();
    let started = Instant::now();
    // A wait that is dropped and begun again does not prolong it.
    let minute = tokio::time::timeout(Duration::from_secs(60), begun.wait()).await;
    assert!(minute.is_err());
    let error = begun.wait().await.unwrap_err();
    assert_eq!(started.elapsed().as_secs(), 600);
    assert!(matches!(error, SignInError::Abandoned { .. }) && error.may_start_again());
    let text = error.to_string();
    assert!(
        text.contains("within 600 s") && text.contains("paste the address"),
        "{text}"
    );
}

#[tokio::test]
async fn dropped_sign_in_frees_its_port() {
    let simulator = simulator().await;
    let begun = sign_in(&simulator)
        .directory(&organisation())
        .await
        .unwrap();
    let address = way_back(begun.url()).await;
    let port = address.split([':', '/']).nth(4).unwrap();
    TcpStream::connect(format!("127.0.0.1:{port}"))
        .await
        .unwrap();
    drop(begun);
    TcpListener::bind(format!("127.0.0.1:{port}"))
        .await
        .unwrap();
}

#[tokio::test]
async fn next_port_is_taken_when_one_is_busy_and_none_is_needed_to_paste() {
    let _ports = localhost_ports();
    let simulator = simulator().await;
    let driver = sign_in(&simulator);
    // A port that somebody else has is as busy as it has to be.
    let mut busy = Vec::new();
    for port in LOCALHOST_PORTS {
        busy.extend(TcpListener::bind(("127.0.0.1", port)).await);
    }
    let free = busy.pop().unwrap().local_addr().unwrap();
    let begun = driver.social(Provider::Google).await.unwrap();
    let address = way_back(begun.url()).await;
    assert!(address.starts_with(&format!("http://localhost:{}/", free.port())));
    through_the_browser(&begun).await.unwrap();
    drop(begun);

    busy.push(TcpListener::bind(free).await.unwrap());
    let begun = driver.social(Provider::Google).await.unwrap();
    let error = begun.wait().await.unwrap_err();
    assert!(matches!(error, SignInError::NoPort), "{error}");
    let address = way_back(begun.url()).await;
    let credential = begun.paste(&address).await.unwrap();
    assert_lives_on(&simulator, &credential, Login::Social).await;
}

#[tokio::test]
async fn portal_leads_to_every_way_of_signing_in() {
    let _ports = localhost_ports();
    let simulator = simulator().await;
    let driver = sign_in(&simulator);
    for (option, login) in [
        (LoginOption::Google, Login::Social),
        (LoginOption::Github, Login::Social),
        (LoginOption::BuilderId, Login::BuilderId),
        (LoginOption::IdentityCenter, Login::IdentityCenter),
        (LoginOption::ExternalIdp, Login::ExternalIdp),
    ] {
        simulator.choose_login(option);
        let portal = driver.portal().await.unwrap();
        let (outcome, page) = tokio::join!(portal.wait(), browse(portal.url()));
        assert_eq!(page.status, 200);
        drop(portal);
        let begun = match outcome.unwrap() {
            PortalOutcome::SignedIn(credential) => {
                assert_lives_on(&simulator, &credential, login).await;
                continue;
            }
            PortalOutcome::Directory(directory) => driver.directory(&directory).await,
            PortalOutcome::ExternalIdp(provider) => driver.external(&provider).await,
        };
        let begun = begun.unwrap();
        let credential = through_the_browser(&begun).await.unwrap();
        assert_lives_on(&simulator, &credential, login).await;
    }
    simulator.choose_login(LoginOption::Internal);
    let portal = driver.portal().await.unwrap();
    let address = way_back(portal.url()).await;
    let error = portal.paste(&address).await.unwrap_err();
    assert!(matches!(error, SignInError::Unsupported { option } if option == "internal"));
}

/// A driver that goes to the real places, of which only this machine can be reached.
fn driver_that_allows(hosts: &[&str]) -> SignIn {
    let mut options = SignInOptions::default();
    options.http.idp_hosts = hosts.iter().map(ToString::to_string).collect();
    SignIn::new(tls(), options, Arc::new(SystemClock)).unwrap()
}

/// An issuer that answers every request with this document, and its URL.
async fn issuer_that_says(document: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let length = document.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{document}"
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    url
}

#[tokio::test]
async fn issuer_and_what_it_names_must_be_allowed_and_encrypted() {
    let _ports = localhost_ports();
    let simulator = simulator().await;
    let issuer = format!("{}/idp", simulator.base_url());
    let provider = |issuer: &str| IdentityProvider::new(issuer, "client-1");
    let allowing = driver_that_allows(&["127.0.0.1", "okta.com"]);
    let begun = allowing.external(&provider(&issuer)).await;
    through_the_browser(&begun.unwrap())
        .await
        .expect("loopback may be plain http");

    let asked = simulator.requests_for(Operation::IdpDiscovery).len();
    let strangers = issuer_that_says(
        r#"{"authorization_endpoint": "https://dev-1.okta.com/a", "token_endpoint": "https://evil.example/t"}"#,
    );
    let misleading = issuer_that_says(
        r#"{"authorization_endpoint": "https://evil.example/a", "token_endpoint": "https://dev-1.okta.com/t"}"#,
    );
    let in_the_clear = issuer_that_says(
        r#"{"authorization_endpoint": "https://dev-1.okta.com/a", "token_endpoint": "http://dev-1.okta.com/t"}"#,
    );
    for (driver, issuer) in [
        (&driver_that_allows(&["okta.com"]), issuer),
        (&allowing, "http://dev-1.okta.com".to_owned()),
        (&allowing, "not a url".to_owned()),
        (&allowing, strangers.await),
        (&allowing, misleading.await),
        (&allowing, in_the_clear.await),
    ] {
        let error = driver.external(&provider(&issuer)).await.unwrap_err();
        let is_misconfigured = matches!(
            &error,
            SignInError::Failed(error) if error.kind() == AuthErrorKind::Misconfigured
        );
        assert!(is_misconfigured, "{issuer}: {error}");
    }
    let asked_again = simulator.requests_for(Operation::IdpDiscovery).len();
    assert_eq!(asked, asked_again, "who is not allowed is not even asked");
}
