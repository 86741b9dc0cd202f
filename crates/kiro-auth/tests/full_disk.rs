//! A disk that is full costs nobody a token, and the operator learns what to do.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/process.rs"]
mod process;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kiro_auth::{
    AuthError, AuthErrorKind, BoxFuture, Credential, CredentialStore, FileStore, ManualClock,
    Refreshed, Refresher, TokenSource,
};
use process::{Process, command_after, listen, say, setting};
use tempfile::TempDir;

/// A file that has no room under the limit below, and one that has. Their tokens are the same.
const FILE: &str = r#"{"accessToken":"access-0","refreshToken":"refresh-0","expiresAt":"2020-01-01T00:00:00.000Z","x-blob":"…"}"#;

/// Nobody may write past four kilobytes, and who tries is told so instead of killed. It is the full disk
/// that one process can have for itself.
const LIMIT: &str = "trap '' XFSZ; ulimit -f 8";

/// `ENOSPC` in the middle of a write: of the file that is to replace the old one, and of the old one where it
/// is a mount point, which answers a rename with `EBUSY`.
const FULL_DISKS: [&[(&str, &str)]; 2] = [
    &[("replace::half-written", "return(28)")],
    &[
        ("replace::synced", "return(16)"),
        ("replace::extended", "return(28)"),
    ],
];

fn big_file() -> String {
    FILE.replace('…', &"x".repeat(64 * 1024))
}

fn cache_with(text: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("kiro-auth-token.json");
    fs::write(&path, text).unwrap();
    (folder, path)
}

/// Answers with `access-1` and `refresh-1`, once: the second time the old refresh token is used up.
#[derive(Debug, Default)]
struct Once(std::sync::atomic::AtomicBool);

impl Refresher for Once {
    fn refresh<'a>(&'a self, _: &'a Credential) -> BoxFuture<'a, Result<Refreshed, AuthError>> {
        let used_up = self.0.swap(true, std::sync::atomic::Ordering::Relaxed);
        Box::pin(async move {
            if used_up {
                return Err(AuthError::new(AuthErrorKind::SignedOut, "used up"));
            }
            Ok(Refreshed::new("access-1").with_refresh_token("refresh-1"))
        })
    }
}

fn source(path: &Path) -> TokenSource {
    let store = Arc::new(FileStore::new(path));
    TokenSource::new(
        store,
        Arc::new(Once::default()),
        Arc::new(ManualClock::new()),
    )
}

async fn token(source: &TokenSource) -> String {
    source.token().await.unwrap().secret().expose().to_owned()
}

#[test]
fn token_is_served_from_memory_and_saved_once_there_is_room() {
    let (folder, path) = cache_with(&big_file());
    let mut command = command_after(LIMIT, "child_without_room");
    command.env("KIRO_AUTH_TEST_FILE", &path);
    let mut child = Process::start(command);
    assert_eq!(child.hear(), "served access-1");
    assert_eq!(child.hear(), "served access-1 again");
    assert_eq!(fs::read_to_string(&path).unwrap(), big_file(), "left alone");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

    let room = folder.path().join("room");
    fs::write(&room, FILE).unwrap();
    fs::rename(&room, &path).unwrap();
    child.tell("there is room");
    assert_eq!(child.hear(), "saved");
    child.finish();
}

/// The body of the test above; does nothing when it is run by itself.
#[tokio::test]
async fn child_without_room() {
    let Some(path) = setting("KIRO_AUTH_TEST_FILE") else {
        return;
    };
    let path = Path::new(&path);
    let source = source(path);
    say(&format!("served {}", token(&source).await));
    say(&format!("served {} again", token(&source).await));
    listen();
    let expected = FILE
        .replace("access-0", "access-1")
        .replace("refresh-0", "refresh-1")
        .replace("2020-01-01T00:00:00.000Z", "2026-10-20T13:00:00.000Z");
    until(|| fs::read_to_string(path).unwrap() == expected).await;
    say("saved");
}

/// Saving is tried again by the runtime of this very test, so the wait must leave it room.
async fn until(condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < process::DEADLINE, "saved in time");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// One test for both disks, because the points are those of the whole process.
#[tokio::test(start_paused = true)]
async fn error_says_what_failed_and_where_and_what_to_do() {
    for points in FULL_DISKS {
        let (folder, path) = cache_with(FILE);
        for (point, action) in points {
            fail::cfg(*point, action).unwrap();
        }
        let next = Credential::from_json(&FILE.replace("-0\"", "-longer\"")).unwrap();
        let error = FileStore::new(&path).save(&next).await.unwrap_err();
        assert_eq!(error.kind(), AuthErrorKind::StoreFailed);
        let expected = format!("cannot write {}; make room on its disk", path.display());
        assert_eq!(error.to_string(), expected);
        let cause = error.source().unwrap().to_string();
        assert!(cause.contains("No space left"), "{cause}");
        assert_eq!(fs::read_to_string(&path).unwrap(), FILE);

        let source = source(&path);
        assert_eq!(token(&source).await, "access-1");
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!(token(&source).await, "access-1");
        assert_eq!(fs::read_to_string(&path).unwrap(), FILE);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

        for (point, _) in points {
            fail::remove(point);
        }
        until(|| fs::read_to_string(&path).unwrap().contains("refresh-1")).await;
    }
}
