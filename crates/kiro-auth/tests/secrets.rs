//! No secret ever appears in a log, whatever happens.
#![cfg(feature = "hyper")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use kiro_auth::{
    Credential, FileStore, HttpRefresher, HttpRefresherOptions, Outcome, Pool, SystemClock,
    TokenSource,
};
use kiro_sim::{SignInFault, SimOptions, Simulator};
use tracing_subscriber::filter::LevelFilter;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The only test of this file, because it listens to the whole process.
#[tokio::test]
async fn log_of_a_whole_life_holds_no_secret() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .init();

    let simulator = Simulator::start(SimOptions::default()).await.unwrap();
    let issued = simulator.issue_oidc();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kiro-auth-token.json");
    let members = serde_json::json!({
        "accessToken": issued.access_token,
        "refreshToken": issued.refresh_token,
        "clientId": issued.client_id,
        "clientSecret": issued.client_secret,
        "region": issued.region,
    });
    fs::write(&path, members.to_string()).unwrap();

    let mut options = HttpRefresherOptions::default();
    options.auth_endpoint = Some(simulator.base_url().parse().unwrap());
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_root_certificates(rustls::RootCertStore::empty())
    .with_no_client_auth();
    let refresher = Arc::new(HttpRefresher::new(tls, options).unwrap());
    let source = TokenSource::new(
        Arc::new(FileStore::new(&path)),
        refresher.clone(),
        Arc::new(SystemClock),
    );
    let pool = Pool::new(vec![source.clone()]);
    let mut secrets = vec![
        issued.access_token.clone(),
        issued.refresh_token.clone().unwrap(),
        issued.client_secret.clone().unwrap(),
    ];
    let mut shown = String::new();

    // A refresh, a rejection and another refresh, a failure, a save that fails, a death.
    let lease = pool.lease().await.unwrap();
    shown += &format!("{lease:?} {:?} {:?}", lease.token(), pool.status());
    secrets.push(lease.token().secret().expose().to_owned());
    lease.settle(Outcome::Success);
    let lease = pool.lease().await.unwrap();
    lease.settle(Outcome::TokenRejected);
    secrets.push(
        pool.lease()
            .await
            .unwrap()
            .token()
            .secret()
            .expose()
            .to_owned(),
    );
    let saved = fs::read_to_string(&path).unwrap();
    let credential = Credential::from_json(&saved).unwrap();
    shown += &format!("{credential:?} {credential:#?} {refresher:?} {pool:?} {source:?}");
    secrets.push(credential.refresh_token.unwrap().expose().to_owned());

    source.confirm(source.current().unwrap().generation());
    source.reject(source.current().unwrap().generation());
    simulator.fail_sign_in(SignInFault::Blocked);
    shown += &format!("{:?}", pool.lease().await.unwrap_err());
    fs::write(&path, &saved[..saved.len() / 2]).unwrap();
    simulator.revoke(issued.account);
    let other = TokenSource::new(
        Arc::new(FileStore::new(&path)),
        refresher.clone(),
        Arc::new(SystemClock),
    );
    shown += &format!("{:?}", other.token().await.unwrap_err());

    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("refreshed"), "the log was heard: {logged}");
    for secret in &secrets {
        // A part of a secret is a secret too.
        let part = &secret[..secret.len().min(24)];
        assert!(!logged.contains(part), "{part} was logged");
        assert!(!shown.contains(part), "{part} was shown");
    }
}
