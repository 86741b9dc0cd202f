//! Refreshes a login and says until when it is good: `refresh_once login.json`. What the service has changed is saved in
//! the file, which keeps everything else.
//!
//! `KIRO_ENDPOINT` replaces all hosts, for a simulator.

#![allow(clippy::print_stdout, reason = "a program talks to its user")]
#![allow(clippy::disallowed_methods, reason = "a program reads the clock")]

use std::sync::Arc;
use std::time::SystemTime;

use kiro_auth::{AuthErrorKind, FileStore, SystemClock, TokenSource, refreshes_landed};
use kiro_examples::{Failure, refresher};

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let file = std::env::args().nth(1).ok_or("usage: refresh_once FILE")?;
    let store = Arc::new(FileStore::new(file));
    let source = TokenSource::new(store, refresher()?, Arc::new(SystemClock));
    let token = match source.token().await {
        Ok(token) => token,
        Err(error) if error.kind() == AuthErrorKind::SignedOut => {
            return Err("the login is over: sign in again".into());
        }
        // A program that runs on would try again after `AuthErrorKind::Transient`.
        Err(error) => return Err(error.into()),
    };
    // So says who has a request refused for its token; here it makes the next one a fresh one in any case.
    source.reject(token.generation());
    let token = source.token().await?;
    let left = token
        .expires_at()
        .and_then(|at| at.duration_since(SystemTime::now()).ok());
    println!(
        "{:?}: good for {} s",
        token.login(),
        left.unwrap_or_default().as_secs()
    );
    // The only working refresh token may be on its way into the file.
    refreshes_landed().await;
    Ok(())
}
