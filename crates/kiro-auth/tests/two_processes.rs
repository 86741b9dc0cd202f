//! Two processes that share one credential file never lock each other out, although the service takes each
//! refresh token once.
#![cfg(feature = "hyper")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/http.rs"]
mod http;
#[path = "support/process.rs"]
mod process;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::refresher_at;
use kiro_auth::{Credential, FileStore, ManualClock, Refresher, TokenSource};
use kiro_sim::{IssuedCredential, Operation, Rotation, SignInFault, SimOptions, Simulator};
use process::{DEADLINE, Process, command, listen, say, setting};
use serde_json::json;
use tempfile::TempDir;

const ROUNDS: usize = 500;

/// A service, and a file on which somebody has signed in to it.
struct Scene {
    simulator: Simulator,
    /// Holds the file until the test is over.
    _folder: TempDir,
    path: PathBuf,
}

impl Scene {
    async fn new() -> Self {
        let mut options = SimOptions::default();
        options.rotation = Rotation::AlwaysRevoke;
        let simulator = Simulator::start(options).await.unwrap();
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("kiro-auth-token.json");
        fs::write(&path, as_file(&simulator.issue_social())).unwrap();
        Self {
            simulator,
            _folder: folder,
            path,
        }
    }

    /// A process that shares the file.
    fn process(&self) -> Process {
        let mut child = command("child_that_shares_the_file");
        child.env("KIRO_AUTH_TEST_FILE", &self.path);
        child.env("KIRO_AUTH_TEST_SERVICE", self.simulator.base_url());
        Process::start(child)
    }

    /// What the process answers must be a token that the service accepts.
    fn assert_served(&self, process: &Process, round: usize) {
        let heard = process.hear();
        let token = heard.strip_prefix("token ");
        let token = token.unwrap_or_else(|| panic!("round {round}: {heard}"));
        assert!(self.is_accepted(token), "round {round}: a token in vain");
    }

    fn is_accepted(&self, token: &str) -> bool {
        let mut stream = TcpStream::connect(self.simulator.address()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let request = format!(
            "GET /getUsageLimits HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
             connection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.starts_with("HTTP/1.1 200 ")
    }

    /// The IDE refreshes, and knows nothing of our lock. It writes the file in place, or replaces it.
    async fn the_ide_refreshes(&self, in_place: bool) {
        let text = fs::read_to_string(&self.path).unwrap();
        let credential = Credential::from_json(&text).unwrap();
        let refresher = refresher_at(&self.simulator.base_url());
        let refreshed = refresher.refresh(&credential).await.unwrap();
        let text = json!({
            "accessToken": refreshed.access_token.expose(),
            "refreshToken": refreshed.refresh_token.unwrap().expose(),
            "expiresAt": "2026-10-20T13:00:00.000Z",
            "authMethod": "social",
            "provider": "Github",
        });
        if in_place {
            fs::write(&self.path, text.to_string()).unwrap();
        } else {
            let new = self.path.with_extension("new");
            fs::write(&new, text.to_string()).unwrap();
            fs::rename(&new, &self.path).unwrap();
        }
    }

    /// For as long as some other requests take, which would be enough for a refresh.
    fn assert_nobody_else_refreshes(&self) {
        let before = self.simulator.state().refreshes;
        for _ in 0..20 {
            assert!(!self.is_accepted("nobody's"));
            let after = self.simulator.state().refreshes;
            assert_eq!(after, before, "the claim is somebody else's");
        }
    }

    /// Refreshes that the service has refused because their token was used up.
    fn dead_refreshes(&self) -> usize {
        let requests = self.simulator.requests_for(Operation::SocialRefresh);
        let refused = requests.iter().filter(|asked| asked.refusal.is_some());
        refused.count()
    }
}

fn as_file(issued: &IssuedCredential) -> String {
    json!({
        "accessToken": issued.access_token,
        "refreshToken": issued.refresh_token,
        "expiresAt": "2026-10-20T13:00:00.000Z",
        "authMethod": "social",
        "provider": "Github",
    })
    .to_string()
}

/// The body of the tests below; does nothing when it is run by itself.
///
/// Each line from the parent means that the service has accepted the last token and does so no longer.
#[tokio::test]
async fn child_that_shares_the_file() {
    let (Some(path), Some(service)) = (
        setting("KIRO_AUTH_TEST_FILE"),
        setting("KIRO_AUTH_TEST_SERVICE"),
    ) else {
        return;
    };
    let source = TokenSource::new(
        Arc::new(FileStore::new(Path::new(&path))),
        Arc::new(refresher_at(&service)),
        Arc::new(ManualClock::new()),
    );
    source.token().await.unwrap();
    say("here");
    while !listen().is_empty() {
        let last = source.current().unwrap().generation();
        source.confirm(last);
        source.reject(last);
        match source.token().await {
            Ok(token) => say(&format!("token {}", token.secret().expose())),
            Err(error) => say(&format!("error {error}")),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_and_the_ide_take_turns_for_five_hundred_expiries() {
    let scene = Scene::new().await;
    let mut processes = [scene.process(), scene.process()];
    for process in &processes {
        assert_eq!(process.hear(), "here");
    }
    for round in 0..ROUNDS {
        scene.simulator.expire_access_tokens();
        if round % 10 == 9 {
            scene.the_ide_refreshes(round % 20 == 9).await;
        }
        for process in &mut processes {
            process.tell("refused");
        }
        for process in &processes {
            scene.assert_served(process, round);
        }
        processes.reverse();
    }
    processes.into_iter().for_each(Process::finish);
    assert_eq!(scene.dead_refreshes(), 0);
    let refreshes = scene.simulator.state().refreshes;
    assert_eq!(refreshes, ROUNDS as u64, "one for each expiry");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_killed_in_the_middle_of_a_refresh_is_replaced_at_once() {
    let scene = Scene::new().await;
    let mut other = scene.process();
    assert_eq!(other.hear(), "here");
    for round in 0..5 {
        let mut holder = scene.process();
        assert_eq!(holder.hear(), "here");
        scene.simulator.expire_access_tokens();
        let hour = Duration::from_secs(3600);
        scene.simulator.fail_sign_in(SignInFault::Delayed(hour));
        let before = scene.simulator.state().requests;
        holder.tell("refused");
        let asked = scene
            .simulator
            .wait_until(|state| state.requests > before, DEADLINE);
        asked.await.unwrap();
        other.tell("refused");
        scene.assert_nobody_else_refreshes();
        holder.kill();
        // The deadline for an answer is shorter than the limit for a claim.
        scene.assert_served(&other, round);
    }
    other.finish();
    assert_eq!(scene.dead_refreshes(), 0);
}
