//! Kiro's cache file as we share it with the IDE.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use kiro_auth::store::contract;
use kiro_auth::{
    AuthErrorKind, Credential, CredentialStore, FileStore, Login, MemoryStore, Refreshed,
};
use proptest::prelude::*;
use tempfile::TempDir;

use AuthErrorKind::{Misconfigured, SignedOut, StoreFailed};

const SOCIAL: &str = r#"{
  "accessToken": "access-0",
  "refreshToken": "refresh-0",
  "profileArn": "arn:aws:codewhisperer:us-east-1:699475941385:profile/EHGA3GRVQMUK",
  "expiresAt": "2026-10-20T12:34:56.789Z",
  "authMethod": "social",
  "provider": "Github"
}"#;

/// A folder with a credential file in it.
struct Cache {
    folder: TempDir,
    path: PathBuf,
}

impl Cache {
    fn with(text: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("kiro-auth-token.json");
        fs::write(&path, text).unwrap();
        Self { folder, path }
    }

    fn store(&self) -> FileStore {
        FileStore::new(&self.path)
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.path).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    async fn rotate(&self) -> Result<Credential, AuthErrorKind> {
        rotate(&self.store()).await
    }
}

/// Loads, refreshes and saves.
async fn rotate(store: &FileStore) -> Result<Credential, AuthErrorKind> {
    let load = store.load().await.map_err(|error| error.kind())?;
    let refreshed = Refreshed::new("access-1").with_refresh_token("refresh-1");
    let next = load.refreshed(&refreshed, at(1_792_500_000));
    store.save(&next).await.map_err(|error| error.kind())?;
    Ok(next)
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn both_stores_keep_the_contract() {
    contract::check(async |credential| MemoryStore::new(credential)).await;

    let folder = TempDir::new().unwrap();
    let count = std::cell::Cell::new(0);
    contract::check(async |credential| {
        count.set(count.get() + 1);
        let store = FileStore::new(folder.path().join(format!("{}.json", count.get())));
        store.save(&credential).await.unwrap();
        store
    })
    .await;
}

#[cfg(unix)]
#[tokio::test]
async fn claims_are_shared_among_processes() {
    let folder = TempDir::new().unwrap();
    contract::check_claims(async |credential| {
        let store = || FileStore::new(folder.path().join("shared.json"));
        store().save(&credential).await.unwrap();
        (store(), store())
    })
    .await;
}

#[tokio::test]
async fn only_the_values_that_changed_are_changed() {
    let cache = Cache::with(SOCIAL);
    cache.rotate().await.unwrap();
    let expected = SOCIAL
        .replace("access-0", "access-1")
        .replace("refresh-0", "refresh-1")
        .replace("2026-10-20T12:34:56.789Z", "2026-10-20T13:40:00.000Z");
    assert_eq!(cache.text(), expected);
    assert_eq!(
        cache.names(),
        ["kiro-auth-token.json"],
        "nothing is left over"
    );
}

#[tokio::test]
async fn unknown_members_and_their_order_survive() {
    let text = r#"{"zeta":{"b":1.50,"a":[ ]},"refreshToken":"refresh-0","big":12345678901234567890123,"accessToken":"access-0","alpha":null}"#;
    let cache = Cache::with(text);
    cache.rotate().await.unwrap();
    let expected = text
        .replace("access-0", "access-1")
        .replace("refresh-0", "refresh-1")
        .replace("null}", "null,\"expiresAt\":\"2026-10-20T13:40:00.000Z\"}");
    assert_eq!(cache.text(), expected);
}

#[tokio::test]
async fn expiry_is_written_in_the_style_of_the_file() {
    for (before, after) in [
        ("1792496400", "1792503600"),
        ("1792496400000", "1792503600000"),
        ("\"2026-10-20T12:34:56\"", "\"2026-10-20T13:40:00.000Z\""),
        ("null", "\"2026-10-20T13:40:00.000Z\""),
    ] {
        let text = format!("{{\"refreshToken\":\"refresh-0\",\"expiresAt\":{before}}}");
        let cache = Cache::with(&text);
        cache.rotate().await.unwrap();
        let credential = cache.store().load().await.unwrap();
        assert!(
            cache.text().contains(&format!("\"expiresAt\":{after}")),
            "{}",
            cache.text()
        );
        assert_eq!(credential.expires_at, Some(at(1_792_503_600)), "{before}");
    }
}

#[tokio::test]
async fn rows_of_kiro_cli_keep_their_spelling() {
    let cache = Cache::with(
        r#"{"access_token":"access-0","refresh_token":"refresh-0","expires_at":"2026-10-20T12:34:56.123456789Z"}"#,
    );
    cache.rotate().await.unwrap();
    assert_eq!(
        cache.text(),
        r#"{"access_token":"access-1","refresh_token":"refresh-1","expires_at":"2026-10-20T13:40:00.000Z"}"#
    );
}

#[tokio::test]
async fn file_with_a_byte_order_mark_is_read() {
    let cache = Cache::with(&format!("\u{feff}{SOCIAL}"));
    assert_eq!(cache.store().load().await.unwrap().login, Login::Social);
}

#[cfg(unix)]
#[tokio::test]
async fn mode_of_the_file_is_kept() {
    let cache = Cache::with(SOCIAL);
    for kept in [0o600, 0o640, 0o644] {
        set_mode(&cache.path, kept);
        cache.rotate().await.unwrap();
        assert_eq!(mode(&cache.path), kept);
        fs::write(&cache.path, SOCIAL).unwrap();
    }
}

/// A gateway that runs as root must not lock the IDE out of its own file.
#[cfg(unix)]
#[tokio::test]
async fn owner_of_the_file_is_kept() {
    use std::os::unix::fs::{MetadataExt, chown};

    let cache = Cache::with(SOCIAL);
    // Only root may give files away; for everybody else the owner is the same anyway.
    let _ = chown(&cache.path, Some(65534), Some(65534));
    let owner = |path: &Path| {
        fs::metadata(path)
            .map(|found| (found.uid(), found.gid()))
            .unwrap()
    };
    let before = owner(&cache.path);
    cache.rotate().await.unwrap();
    assert!(cache.text().contains("refresh-1"));
    assert_eq!(owner(&cache.path), before);
}

#[cfg(unix)]
#[tokio::test]
async fn new_file_is_for_its_owner_only() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("new.json");
    let store = FileStore::new(&path);
    assert_eq!(store.load().await.unwrap_err().kind(), SignedOut);

    let credential = Credential::from_json(SOCIAL).unwrap();
    store.save(&credential).await.unwrap();
    assert_eq!(mode(&path), 0o600);
    let loaded = store.load().await.unwrap();
    assert_eq!(loaded.refresh_token, credential.refresh_token);
    assert_eq!(loaded.expires_at, credential.expires_at);
}

#[cfg(unix)]
#[tokio::test]
async fn symbolic_link_stays_and_its_target_is_replaced() {
    let cache = Cache::with(SOCIAL);
    let elsewhere = TempDir::new().unwrap();
    let link = elsewhere.path().join("link.json");
    std::os::unix::fs::symlink(&cache.path, &link).unwrap();
    rotate(&FileStore::new(&link)).await.unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(cache.text().contains("refresh-1"));
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1);
}

/// Who has the file open sees the old one to its end: it is replaced, not rewritten.
#[cfg(unix)]
#[tokio::test]
async fn file_is_replaced_and_never_rewritten_in_place() {
    use std::io::Read;
    use std::os::unix::fs::MetadataExt;

    let cache = Cache::with(SOCIAL);
    let before = fs::metadata(&cache.path).unwrap().ino();
    let mut reader = fs::File::open(&cache.path).unwrap();
    cache.rotate().await.unwrap();
    let mut seen = String::new();
    reader.read_to_string(&mut seen).unwrap();
    assert_eq!(seen, SOCIAL);
    assert_ne!(fs::metadata(&cache.path).unwrap().ino(), before);
}

#[cfg(unix)]
#[tokio::test]
async fn save_without_news_does_not_touch_the_file() {
    use std::os::unix::fs::MetadataExt;

    let cache = Cache::with(SOCIAL);
    let saved = cache.rotate().await.unwrap();
    let before = fs::metadata(&cache.path).unwrap().ino();
    cache.store().save(&saved).await.unwrap();
    assert_eq!(fs::metadata(&cache.path).unwrap().ino(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_only_ever_see_whole_files() {
    let cache = Cache::with(SOCIAL);
    let store = cache.store();
    let path = cache.path.clone();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let reader = std::thread::spawn({
        let stop = stop.clone();
        move || {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let text = fs::read_to_string(&path).unwrap();
                Credential::from_json(&text).unwrap();
            }
        }
    });
    for round in 0..50 {
        let load = store.load().await.unwrap();
        let long = "x".repeat(round * 500);
        let refreshed = Refreshed::new(long.as_str()).with_refresh_token("refresh-1");
        store
            .save(&load.refreshed(&refreshed, at(0)))
            .await
            .unwrap();
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    reader.join().unwrap();
}

#[tokio::test]
async fn file_that_is_not_json_is_never_overwritten() {
    let credential = Credential::from_json(SOCIAL).unwrap();
    for text in ["", "{\"refreshToken\": \"refr", "[]", "not json at all"] {
        let cache = Cache::with(text);
        assert_eq!(
            cache.store().load().await.unwrap_err().kind(),
            Misconfigured
        );
        let error = cache.store().save(&credential).await.unwrap_err();
        assert_eq!(error.kind(), StoreFailed);
        assert_eq!(cache.text(), text);
        assert_eq!(cache.names(), ["kiro-auth-token.json"]);
    }
}

#[tokio::test]
async fn huge_file_is_not_read_into_memory() {
    let cache = Cache::with(&" ".repeat(2 * 1024 * 1024));
    assert_eq!(cache.store().load().await.unwrap_err().kind(), StoreFailed);
}

#[tokio::test]
async fn no_error_shows_what_the_file_holds() {
    for text in [
        "\"planted\"",
        "{\"refreshToken\":\"planted",
        "{\"refreshToken\":planted}",
    ] {
        let error = Cache::with(text).store().load().await.unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        let shown = format!("{error} {error:?} {source}");
        assert!(!shown.contains("planted"), "{shown}");
    }
}

#[tokio::test]
async fn save_that_cannot_replace_the_file_leaves_it_and_nothing_else() {
    let cache = Cache::with(SOCIAL);
    let credential = Credential::from_json(SOCIAL).unwrap();
    // A folder stands where the file has to go.
    let path = cache.folder.path().join("taken");
    fs::create_dir(&path).unwrap();
    let error = FileStore::new(&path).save(&credential).await.unwrap_err();
    assert_eq!(error.kind(), StoreFailed);
    assert_eq!(cache.names(), ["kiro-auth-token.json", "taken"]);
}

#[tokio::test]
async fn registration_beside_the_file_is_followed() {
    let text = r#"{"accessToken":"a","refreshToken":"r","clientIdHash":"abc123","authMethod":"IdC","provider":"Enterprise","region":"eu-west-1"}"#;
    let cache = Cache::with(text);
    let without = cache.store().load().await.unwrap();
    assert_eq!(
        without.login,
        Login::IdentityCenter,
        "the access token can be used"
    );
    assert!(without.client_secret.is_none());

    let registration =
        r#"{"clientId":"client","clientSecret":"secret","expiresAt":"2027-01-18T12:00:00.000Z"}"#;
    let beside = cache.folder.path().join("abc123.json");
    fs::write(&beside, registration).unwrap();
    let credential = cache.store().load().await.unwrap();
    assert_eq!(credential.login, Login::IdentityCenter);
    assert_eq!(credential.client_id.as_deref(), Some("client"));
    assert_eq!(
        credential.client_secret.as_ref().unwrap().expose(),
        "secret"
    );
    assert_eq!(
        credential.expires_at, None,
        "the registration's expiry is not the token's"
    );

    cache.rotate().await.unwrap();
    assert_eq!(fs::read_to_string(&beside).unwrap(), registration);
    assert!(!cache.text().contains("clientSecret"), "{}", cache.text());
}

#[cfg(unix)]
#[tokio::test]
async fn registration_is_found_beside_the_target_of_a_link() {
    let cache = Cache::with(r#"{"refreshToken":"r","clientIdHash":"abc123"}"#);
    let registration = r#"{"clientId":"client","clientSecret":"secret"}"#;
    fs::write(cache.folder.path().join("abc123.json"), registration).unwrap();
    let elsewhere = TempDir::new().unwrap();
    let link = elsewhere.path().join("link.json");
    std::os::unix::fs::symlink(&cache.path, &link).unwrap();
    let credential = FileStore::new(&link).load().await.unwrap();
    assert_eq!(credential.client_id.as_deref(), Some("client"));
}

#[cfg(unix)]
#[tokio::test]
async fn protected_file_is_left_alone() {
    let cache = Cache::with(SOCIAL);
    set_mode(&cache.path, 0o444);
    cache.rotate().await.unwrap();
    assert_eq!(cache.text(), SOCIAL);
    assert_eq!(cache.names(), ["kiro-auth-token.json"]);
}

#[tokio::test]
async fn registration_cannot_lead_out_of_the_folder() {
    for hash in [
        "../../etc/passwd",
        "a/b",
        "a.b",
        "..",
        "/etc/passwd",
        "a\\\\b",
    ] {
        let text = format!("{{\"refreshToken\":\"r\",\"clientIdHash\":\"{hash}\"}}");
        let error = Cache::with(&text).store().load().await.unwrap_err();
        assert_eq!(error.kind(), Misconfigured, "{hash}");
        assert!(error.to_string().contains("clientIdHash"), "{error}");
    }
}

/// Runs as a user who may not write: as this one, or as `nobody` when this one is root, who may write
/// everywhere.
#[cfg(unix)]
#[test]
fn read_only_folder_works_with_a_claim_and_is_left_alone() {
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    let cache = Cache::with(SOCIAL);
    set_mode(&cache.path, 0o666);
    set_mode(cache.folder.path(), 0o555);
    let test = cache
        .folder
        .path()
        .parent()
        .unwrap()
        .join(format!("kiro-auth-test-{}", std::process::id()));
    fs::copy(std::env::current_exe().unwrap(), &test).unwrap();
    set_mode(&test, 0o755);

    let mut child = Command::new(&test);
    child.args(["--exact", "child_in_a_read_only_folder", "--nocapture"]);
    child.env("KIRO_AUTH_TEST_FILE", &cache.path);
    if fs::metadata(&cache.path).unwrap().uid() == 0 {
        child.uid(65534).gid(65534);
    }
    let output = child.output().unwrap();
    fs::remove_file(&test).unwrap();
    set_mode(cache.folder.path(), 0o755);

    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && printed.contains("saved without a word"),
        "{output:?}"
    );
    assert_eq!(cache.text(), SOCIAL);
    assert_eq!(cache.names(), ["kiro-auth-token.json"]);
}

/// The body of the test above; does nothing when it is run by itself.
#[tokio::test]
async fn child_in_a_read_only_folder() {
    #[allow(clippy::disallowed_methods, reason = "how the parent passes the path")]
    let Ok(path) = std::env::var("KIRO_AUTH_TEST_FILE") else {
        return;
    };
    let store = FileStore::new(path);
    for _ in 0..2 {
        let claim = store.claim().await.unwrap();
        assert_eq!(format!("{claim:?}"), "Claim(held)");
        rotate(&store).await.unwrap();
    }
    println!("saved without a word");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_object_that_holds_a_token_can_be_saved_and_read_again(
        members in proptest::collection::vec(("[a-zA-Z]{1,8}", prop_oneof![
            Just("null".to_owned()),
            "-?[1-9][0-9]{0,25}(\\.[0-9]{1,5}(e-?[0-9]{1,3})?)?",
            "[ -!#-\\[\\]-~]{0,12}".prop_map(|text| format!("\"{text}\"")),
            "[a-z]{0,5}".prop_map(|text| format!("{{ \"{text}\" : [ 1,2 ] }}")),
        ]), 0..8),
        separator in "(, |,|,\n\t)",
    ) {
        let unknown: Vec<String> = members.iter().map(|(name, value)| format!("\"x-{name}\": {value}")).collect();
        let mut all = unknown.clone();
        all.insert(all.len() / 2, "\"refreshToken\": \"refresh-0\"".to_owned());
        let cache = Cache::with(&format!("{{{}}}", all.join(&separator)));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let saved = cache.rotate().await.unwrap();
            let loaded = cache.store().load().await.unwrap();
            assert_eq!(loaded.refresh_token, saved.refresh_token);
            assert_eq!(loaded.access_token, saved.access_token);
            assert_eq!(loaded.expires_at, saved.expires_at);
        });
        for member in &unknown {
            prop_assert!(cache.text().contains(member.as_str()));
        }
    }
}
