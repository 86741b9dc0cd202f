//! The command line as a person uses it: arguments, standard input and a terminal in; text, JSON and an exit code out.
//!
//! The service is a simulator, and each test has a home folder of its own.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod accounts;
mod bench;
mod chat;
mod check;
mod doctor;
mod help;
mod import;
mod login;
mod models;
mod usage;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kiro_sim::{AccountId, CredentialKind, IssuedCredential, SimOptions, Simulator};
use rexpect::reader::Options;
use rexpect::session::{PtySession, spawn_with_options};
use serde_json::Value;
use tempfile::TempDir;

const KEY: &str = "sk-cli-0123456789abcdef";

/// A user with a home folder, and the service that they use.
struct User {
    home: TempDir,
    sim: Simulator,
    environment: Vec<(String, String)>,
}

/// What a command left.
#[derive(Debug)]
struct Done {
    code: Option<i32>,
    out: String,
    err: String,
}

impl User {
    async fn new() -> Self {
        Self::of(Simulator::start(SimOptions::default()).await.unwrap())
    }

    fn of(sim: Simulator) -> Self {
        let user = Self {
            home: tempfile::tempdir().unwrap(),
            environment: Vec::new(),
            sim,
        };
        let url = user.sim.base_url();
        user.with("KIRO_2API_UPSTREAM__ENDPOINT", &url)
            .with("KIRO_2API_UPSTREAM__AUTH_ENDPOINT", &url)
            .with("PROXY_API_KEY", KEY)
    }

    /// A user with an account that is named `NAME`, of this kind.
    async fn with_account(name: &str) -> (Self, IssuedCredential) {
        let user = Self::new().await;
        let issued = user.sim.issue_social();
        user.add(name, issued.refresh_token.as_ref().unwrap());
        (user, issued)
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.environment.retain(|(set, _)| set != name);
        self
    }

    fn add(&self, name: &str, secret: &str) {
        self.run_with(&["accounts", "add", name], secret)
            .ends_well();
    }

    fn path(&self, path: &str) -> PathBuf {
        self.home.path().join(path)
    }

    /// The file that a saved account has.
    fn login_file(&self, name: &str) -> PathBuf {
        self.path(&format!(".local/state/kiro-2api/accounts/{name}.json"))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kiro-2api"));
        command.args(arguments).current_dir(&self.home).env_clear();
        command.env("HOME", self.home.path());
        command.envs(self.environment.iter().cloned());
        command
    }

    fn run(&self, arguments: &[&str]) -> Done {
        self.run_with(arguments, "")
    }

    /// With something on standard input.
    fn run_with(&self, arguments: &[&str], input: &str) -> Done {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A command that does not read its input may have ended.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Done {
            code: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    /// In a terminal of 120 columns that shows more than ASCII.
    fn terminal(&self, arguments: &[&str]) -> PtySession {
        const DEADLINE_MS: u64 = 60_000;
        let mut shell = Command::new("sh");
        shell.args(["-c", "stty cols 120 rows 60; exec \"$0\" \"$@\""]);
        shell.arg(env!("CARGO_BIN_EXE_kiro-2api")).args(arguments);
        shell.current_dir(&self.home).env_clear();
        shell.env("HOME", self.home.path()).env("TERM", "xterm");
        shell.env("PATH", "/usr/bin:/bin").env("LANG", "C.UTF-8");
        shell.envs(self.environment.iter().cloned());
        let options = Options::new()
            .timeout_ms(Some(DEADLINE_MS))
            .strip_ansi_escape_codes(true);
        spawn_with_options(shell, options).unwrap()
    }

    /// The account that the refresh token in a file belongs to.
    fn account_in(&self, file: &Path) -> AccountId {
        let login: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let token = login["refreshToken"].as_str().unwrap();
        self.sim.owner_of_refresh_token(token).unwrap()
    }
}

impl Done {
    /// It ended well; gives what it printed.
    fn ends_well(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }

    /// It ended with an error that says these words; gives it.
    fn fails_with(self, words: &str) -> String {
        assert_eq!(self.code, Some(1), "{self:?}");
        assert!(self.err.contains(words), "`{words}` is not in: {self:?}");
        self.err
    }

    /// The document that it printed, whatever the exit code.
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// None of the secrets is in what it said.
    fn hides(self, secrets: &[&str]) -> Self {
        for secret in secrets {
            // A part of a secret is one too.
            let part = &secret[secret.len() / 2..];
            assert!(!self.out.contains(part), "{self:?}");
            assert!(!self.err.contains(part), "{self:?}");
        }
        self
    }
}

/// Everything of a login that must not be shown.
fn secrets_of(issued: &IssuedCredential) -> Vec<&str> {
    let secrets = [
        Some(&issued.access_token),
        issued.refresh_token.as_ref(),
        issued.client_secret.as_ref(),
    ];
    secrets.into_iter().flatten().map(String::as_str).collect()
}

/// A login in the form of Kiro's cache.
fn cache_of(issued: &IssuedCredential) -> String {
    let (method, provider) = match issued.kind {
        CredentialKind::Social => ("social", "Google"),
        CredentialKind::BuilderId => ("IdC", "BuilderId"),
        CredentialKind::IdentityCenter => ("IdC", "Enterprise"),
        CredentialKind::ExternalIdp | CredentialKind::ApiKey => {
            panic!("no test has one in a cache")
        }
    };
    serde_json::json!({
        "accessToken": issued.access_token,
        "refreshToken": issued.refresh_token,
        "expiresAt": "2020-01-01T00:00:00.000Z",
        "authMethod": method,
        "provider": provider,
        "clientId": issued.client_id,
        "clientSecret": issued.client_secret,
        "region": issued.region,
        "profileArn": issued.profile_arn,
    })
    .to_string()
}
