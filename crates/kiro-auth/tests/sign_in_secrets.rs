//! No secret of a sign-in ever appears in a log, in an error or in what is printed on the way.
#![cfg(feature = "hyper")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/browser.rs"]
mod browser;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use browser::{browse, sign_in, tls, way_back};
use kiro_auth::sign_in::{Directory, IdentityProvider, SignIn, SignInOptions};
use kiro_auth::{Secret, SystemClock};
use kiro_sim::{Operation, SignInFault, SimOptions, Simulator};
use serde_json::Value;
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

/// What the requests of the sign-ins have shown to the service and nobody else may see.
fn shown_to_the_service(simulator: &Simulator) -> Vec<String> {
    let tokens = simulator.requests_for(Operation::OidcToken);
    let bodies = tokens
        .iter()
        .map(|request| serde_json::from_slice::<Value>(&request.body).unwrap());
    let names = ["clientSecret", "deviceCode", "code", "codeVerifier"];
    bodies
        .flat_map(|body| names.map(|name| body[name].as_str().map(str::to_owned)))
        .flatten()
        .collect()
}

/// The only test of this file, because it listens to the whole process.
#[tokio::test(start_paused = true)]
async fn log_of_a_sign_in_holds_no_secret() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .init();
    let simulator = Simulator::start(SimOptions::default()).await.unwrap();
    let driver = sign_in(&simulator);
    let directory = Directory::builder_id();
    let mut printed = String::new();
    let mut credentials = Vec::new();

    simulator.fail_sign_in(SignInFault::ServerError);
    simulator.fail_sign_in(SignInFault::AnswerLost);
    let device = driver.device(&directory).await.unwrap();
    printed += &format!("{driver:?} {device:?}");
    let user_code = device.user_code().to_owned();
    credentials.push(device.wait().await.unwrap());

    let begun = driver.directory(&directory).await.unwrap();
    printed += &format!("{begun:?} {:?}", begun.paste("?code=a&state=b").await);
    let address = way_back(begun.url()).await;
    let state = address.rsplit_once("state=").unwrap().1.to_owned();
    let (credential, _) = tokio::join!(begun.wait(), browse(begun.url()));
    credentials.push(credential.unwrap());
    simulator.fail_sign_in(SignInFault::Dead);
    printed += &format!("{:?}", begun.paste(&address).await);
    let stranger = IdentityProvider::new("https://evil.example/planted", "client-1");
    let real = SignIn::new(tls(), SignInOptions::default(), Arc::new(SystemClock)).unwrap();
    printed += &format!("{:?}", real.external(&stranger).await);
    printed += &format!("{credentials:?}");

    let mut secrets = shown_to_the_service(&simulator);
    assert_eq!(
        secrets.len(),
        3 * 2 + 2 * 3,
        "three polls, an exchange and one that is refused"
    );
    secrets.extend([user_code, state]);
    for credential in &credentials {
        let tokens = [&credential.access_token, &credential.refresh_token];
        secrets.extend(tokens.map(|token| token.as_ref().map(Secret::expose).unwrap().to_owned()));
    }
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        logged.contains("asked again"),
        "the log was heard: {logged}"
    );
    for secret in &secrets {
        // A part of a secret is a secret too.
        let part = &secret[..secret.len().min(24)];
        assert!(!logged.contains(part), "{part} was logged");
        assert!(!printed.contains(part), "{part} was printed");
    }
}
