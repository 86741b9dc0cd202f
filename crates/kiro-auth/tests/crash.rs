//! A process that is killed in the middle of a write-back leaves the old file or the new one.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/process.rs"]
mod process;

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kiro_auth::{
    AuthError, BoxFuture, Credential, FileStore, ManualClock, Refreshed, Refresher, TokenSource,
};
use process::{Process, command, listen, say, setting};
use tempfile::TempDir;

/// The points of a write-back, in their order, and the one from which on the new file is there.
struct Way {
    points: &'static [&'static str],
    new_from: &'static str,
    mounted: bool,
}

const BY_RENAMING: Way = Way {
    points: &[
        "created",
        "half-written",
        "written",
        "made-like",
        "synced",
        "renamed",
        "folder-synced",
    ],
    new_from: "renamed",
    mounted: false,
};

/// The file is a mount point, which cannot be renamed over.
const BY_REWRITING: Way = Way {
    points: &[
        "created",
        "half-written",
        "written",
        "made-like",
        "extended",
        "rewritten",
    ],
    new_from: "rewritten",
    mounted: true,
};

const HOUR: Duration = Duration::from_secs(3600);

const UNUSUAL_MODE: u32 = 0o640;

/// `EBUSY`, which the system answers to a rename over a mount point.
const RESOURCE_BUSY: &str = "return(16)";

/// Kiro's file with an expired access token, in a folder of its own.
struct Cache {
    folder: TempDir,
    path: PathBuf,
}

impl Cache {
    fn holding(access_token: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("kiro-auth-token.json");
        let text = format!(
            r#"{{"accessToken":"{access_token}","refreshToken":"refresh-0","expiresAt":"2020-01-01T00:00:00.000Z","x-unknown":[1, 2]}}"#
        );
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(UNUSUAL_MODE)).unwrap();
        Self { folder, path }
    }

    /// The refresh token in the file, which must be whole and as private as it was.
    fn refresh_token(&self) -> String {
        let text = fs::read_to_string(&self.path).unwrap();
        assert!(text.contains(r#""x-unknown":[1, 2]"#), "{text}");
        let mode = fs::metadata(&self.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, UNUSUAL_MODE);
        let credential = Credential::from_json(&text).unwrap();
        credential.refresh_token.unwrap().expose().to_owned()
    }

    /// Temporary files that nobody has removed.
    fn leftovers(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| *path != self.path)
            .collect()
    }

    /// A process that rotates the token and says so at each point, before it goes on.
    fn rotated_by_a_child(&self, way: &Way) -> Process {
        let mut child = command("child_that_rotates_the_token");
        child.env("KIRO_AUTH_TEST_FILE", &self.path);
        if way.mounted {
            child.env("KIRO_AUTH_TEST_MOUNTED", "yes");
        }
        Process::start(child)
    }
}

/// Turns `refresh-0` into `refresh-1` and `access-1`, and so on.
#[derive(Debug)]
struct Rotating;

impl Refresher for Rotating {
    fn refresh<'a>(
        &'a self,
        credential: &'a Credential,
    ) -> BoxFuture<'a, Result<Refreshed, AuthError>> {
        let token = credential.refresh_token.as_ref().unwrap().expose();
        let round: u32 = token.strip_prefix("refresh-").unwrap().parse().unwrap();
        let next = Refreshed::new(format!("access-{}", round + 1))
            .with_refresh_token(format!("refresh-{}", round + 1));
        Box::pin(async { Ok(next) })
    }
}

fn source(path: &Path, clock: &ManualClock) -> TokenSource {
    let store = Arc::new(FileStore::new(path));
    TokenSource::new(store, Arc::new(Rotating), Arc::new(clock.clone()))
}

fn held(source: &TokenSource) -> String {
    let held = source.current();
    held.map_or_else(String::new, |token| token.secret().expose().to_owned())
}

/// The body of the tests below; does nothing when it is run by itself.
#[tokio::test]
async fn child_that_rotates_the_token() {
    let Some(path) = setting("KIRO_AUTH_TEST_FILE") else {
        return;
    };
    let source = source(Path::new(&path), &ManualClock::new());
    for point in BY_RENAMING.points.iter().chain(BY_REWRITING.points) {
        let source = source.clone();
        let stop = move || {
            say(&format!("{point}, holding {}", held(&source)));
            listen();
        };
        fail::cfg_callback(format!("replace::{point}"), stop).unwrap();
    }
    if setting("KIRO_AUTH_TEST_MOUNTED").is_some() {
        fail::cfg("replace::synced", RESOURCE_BUSY).unwrap();
    }
    source.token().await.unwrap();
    say(&format!("served {}", held(&source)));
}

/// Leads a child from point to point. At each of them the old access token must be the one in its hands:
/// a new one that was handed out before it is safe could outlive its refresh token.
fn lead(child: &mut Process, points: &[&str], old: &str) {
    for (at, point) in points.iter().enumerate() {
        if at > 0 {
            child.tell("go on");
        }
        assert_eq!(child.hear(), format!("{point}, holding {old}"));
    }
}

/// Starts anew with what a dead process has left, and lives for long enough to clean up.
async fn live_on(cache: &Cache) {
    let clock = ManualClock::new();
    let token = source(&cache.path, &clock).token().await.unwrap();
    assert_eq!(token.secret().expose(), "access-1", "refreshed or found");
    assert_eq!(cache.refresh_token(), "refresh-1");

    cache.leftovers().iter().for_each(|path| grow_old(path));
    clock.advance(2 * HOUR);
    let token = source(&cache.path, &clock).token().await.unwrap();
    assert_eq!(token.secret().expose(), "access-2");
    assert_eq!(cache.refresh_token(), "refresh-2");
    assert!(cache.leftovers().is_empty(), "{:?}", cache.leftovers());
}

fn grow_old(path: &Path) {
    let file = File::options().write(true).open(path).unwrap();
    let written_at = file.metadata().unwrap().modified().unwrap();
    file.set_modified(written_at - HOUR).unwrap();
}

async fn killed_at_every_point(way: &Way) {
    for old in ["access-0".to_owned(), "access-0".repeat(20)] {
        let mut expected = "refresh-0";
        for (at, point) in way.points.iter().enumerate() {
            if *point == way.new_from {
                expected = "refresh-1";
            }
            let cache = Cache::holding(&old);
            let mut child = cache.rotated_by_a_child(way);
            lead(&mut child, &way.points[..=at], &old);
            child.kill();
            assert_eq!(cache.refresh_token(), expected, "killed at {point}");
            live_on(&cache).await;
        }
    }
}

#[tokio::test]
async fn process_killed_while_it_replaces_the_file_leaves_the_old_one_or_the_new_one() {
    killed_at_every_point(&BY_RENAMING).await;
}

#[tokio::test]
async fn process_killed_while_it_writes_over_a_mounted_file_leaves_the_old_content_or_the_new() {
    killed_at_every_point(&BY_REWRITING).await;
}

#[test]
fn new_token_is_served_after_the_last_point() {
    for way in [BY_RENAMING, BY_REWRITING] {
        let cache = Cache::holding("access-0");
        let mut child = cache.rotated_by_a_child(&way);
        lead(&mut child, way.points, "access-0");
        child.tell("go on");
        assert_eq!(child.hear(), "served access-1");
        child.finish();
        assert_eq!(cache.refresh_token(), "refresh-1");
        assert!(cache.leftovers().is_empty(), "{:?}", cache.leftovers());
    }
}
