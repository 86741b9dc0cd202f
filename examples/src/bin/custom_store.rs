//! A login that lives where you want it, here behind two commands, such as those of a password manager:
//! `custom_store "pass show kiro" "pass insert --multiline --force kiro"`.

#![allow(clippy::print_stdout, reason = "a program talks to its user")]

use std::process::Stdio;
use std::sync::Arc;

use kiro_auth::AuthErrorKind::StoreFailed;
use kiro_auth::{AuthError, BoxFuture, Credential, CredentialId, CredentialStore, TokenSource};
use kiro_examples::Failure;
use serde_json::Value;
use tokio::{io::AsyncWriteExt as _, process::Command, sync::Mutex};

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut commands = std::env::args().skip(1);
    let mut command = || commands.next().ok_or("usage: custom_store SHOW PUT");
    let store = Arc::new(CommandStore::open(command()?, command()?).await?);
    let refresher = kiro_examples::refresher()?;
    let source = TokenSource::new(store, refresher, Arc::new(kiro_auth::SystemClock));
    println!("until {:?}", source.token().await?.expires_at());
    kiro_auth::refreshes_landed().await;
    Ok(())
}

/// One command prints the login as JSON, the other reads it and keeps it.
#[derive(Debug)]
struct CommandStore {
    id: CredentialId,
    show: String,
    put: String,
    /// One save at a time.
    saving: Mutex<()>,
}

impl CommandStore {
    async fn open(show: String, put: String) -> Result<Self, AuthError> {
        let id = Credential::from_json(&run(&show, "").await?)?.id;
        Ok(Self {
            id,
            show,
            put,
            saving: Mutex::default(),
        })
    }
}

impl CredentialStore for CommandStore {
    fn id(&self) -> CredentialId {
        self.id
    }

    fn load(&self) -> BoxFuture<'_, Result<Credential, AuthError>> {
        Box::pin(async {
            let mut credential = Credential::from_json(&run(&self.show, "").await?)?;
            // The name stays, whatever the tokens are.
            credential.id = self.id;
            Ok(credential)
        })
    }

    fn save<'a>(&'a self, credential: &'a Credential) -> BoxFuture<'a, Result<(), AuthError>> {
        Box::pin(async {
            let _alone = self.saving.lock().await;
            // What else the source holds stays as it is.
            let mut document: Value =
                serde_json::from_str(&run(&self.show, "").await?).map_err(failed)?;
            let tokens = [&credential.access_token, &credential.refresh_token];
            for (name, token) in ["accessToken", "refreshToken"].iter().zip(tokens) {
                document[name] = token.as_ref().map(|token| token.expose()).into();
            }
            let at = credential.expires_at.map(jiff::Timestamp::try_from);
            let at = at.transpose().map_err(failed)?.map(|at| at.to_string());
            document["expiresAt"] = at.into();
            document["profileArn"] = credential.profile_arn.as_deref().into();
            run(&self.put, &document.to_string()).await.map(drop)
        })
    }
}

/// What a command prints that reads this.
async fn run(command: &str, input: &str) -> Result<String, AuthError> {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).stdin(Stdio::piped());
    let mut child = shell.stdout(Stdio::piped()).spawn().map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).await.map_err(failed)?;
    }
    let output = child.wait_with_output().await.map_err(failed)?;
    match output.status.success() {
        true => String::from_utf8(output.stdout).map_err(failed),
        false => Err(AuthError::new(StoreFailed, "the command failed")),
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> AuthError {
    AuthError::new(StoreFailed, "the login cannot be read or written").with_source(error)
}
