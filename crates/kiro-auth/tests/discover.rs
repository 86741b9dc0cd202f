//! The logins of a machine, on each of the three platforms.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use kiro_auth::{
    ChoiceReason, Discovery, Login, PlaceState, Places, Platform, SourceKind, discover,
};
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

const NOON: u64 = 1_792_497_600;

/// A home folder as people have them.
struct Home {
    _folder: TempDir,
    path: PathBuf,
}

impl Home {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("Zoë Müller");
        fs::create_dir(&path).unwrap();
        Self {
            _folder: folder,
            path,
        }
    }

    /// Writes a file in the form of Kiro's cache whose token expires so long after noon.
    fn file(&self, path: &str, minutes: i64) -> PathBuf {
        let path = self.path.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, social(minutes).to_string()).unwrap();
        path
    }

    /// Makes a database of kiro-cli with a social login whose token expires so long after noon.
    fn database(&self, path: &str, minutes: i64) -> PathBuf {
        let path = self.path.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        database(&path, &social(minutes).to_string());
        path
    }

    fn places(&self, platform: Platform) -> Places {
        Places::new(platform, Some(self.path.clone()))
    }
}

fn social(minutes: i64) -> Value {
    json!({
        "access_token": "planted-access", "refresh_token": "planted-refresh",
        "expires_at": i64::try_from(NOON).unwrap() + 60 * minutes,
    })
}

fn database(path: &Path, row: &str) {
    let connection = Connection::open(path).unwrap();
    connection
        .execute_batch("CREATE TABLE auth_kv (key TEXT PRIMARY KEY, value TEXT)")
        .unwrap();
    let sql = "INSERT INTO auth_kv VALUES ('kirocli:social:token', ?1)";
    connection.execute(sql, [row]).unwrap();
}

async fn at_noon(places: &Places) -> Discovery {
    discover(places, SystemTime::UNIX_EPOCH + Duration::from_secs(NOON)).await
}

/// The places where a login was found, and the chosen one.
fn found(discovery: &Discovery) -> (Vec<(SourceKind, PathBuf)>, Option<PathBuf>) {
    let logins = discovery.logins();
    let logins = logins.map(|find| (find.place.kind, find.place.path.clone()));
    let chosen = discovery.chosen().map(|find| find.place.path.clone());
    (logins.collect(), chosen)
}

const IDE: &str = ".aws/sso/cache/kiro-auth-token.json";
const TWIN: &str = ".aws/sso/cache/kiro-auth-token-cli.json";

#[tokio::test]
async fn linux_is_searched() {
    let home = Home::new();
    let ide = home.file(IDE, 20);
    let twin = home.file(TWIN, 10);
    let cli = home.database(".local/share/kiro-cli/data.sqlite3", 30);
    let amazon_q = home.database(".local/share/amazon-q/data.sqlite3", 40);
    let xdg = home.database("daten/kiro-cli/data.sqlite3", 35);
    let mut places = home.places(Platform::Linux);
    let usual = [
        (SourceKind::KiroIde, ide),
        (SourceKind::KiroCliFile, twin),
        (SourceKind::KiroCli, cli),
        (SourceKind::AmazonQ, amazon_q.clone()),
    ];
    let expected = (usual.to_vec(), Some(amazon_q));
    assert_eq!(found(&at_noon(&places).await), expected);

    let list = places.list();
    places.xdg_data_home = Some("daten".into());
    assert_eq!(places.list(), list, "relative");
    places.xdg_data_home = Some(home.path.join(".local/share"));
    assert_eq!(found(&at_noon(&places).await), expected, "not twice");
    places.xdg_data_home = Some(home.path.join("daten"));
    let with_xdg = found(&at_noon(&places).await).0;
    assert_eq!(with_xdg[2], (SourceKind::KiroCli, xdg));
    assert_eq!(with_xdg.len(), 5);
}

#[tokio::test]
async fn macos_is_searched() {
    let home = Home::new();
    let ide = home.file(IDE, 20);
    let cli = home.database("Library/Application Support/kiro-cli/data.sqlite3", 30);
    let amazon_q = home.database("Library/Application Support/amazon-q/data.sqlite3", -1);
    home.database(".local/share/kiro-cli/data.sqlite3", 50);
    let logins = vec![
        (SourceKind::KiroIde, ide),
        (SourceKind::KiroCli, cli.clone()),
        (SourceKind::AmazonQ, amazon_q),
    ];
    let discovery = at_noon(&home.places(Platform::MacOs)).await;
    assert_eq!(found(&discovery), (logins, Some(cli)));
}

#[tokio::test]
async fn windows_is_searched() {
    let home = Home::new();
    let ide = home.file(IDE, 20);
    let local = home.database("AppData/Local/Kiro-Cli/data.sqlite3", 30);
    let roaming = home.database("AppData/Roaming/kiro-cli/data.sqlite3", 40);
    let amazon_q = home.database("AppData/Local/amazon-q/data.sqlite3", -1);
    let mut places = home.places(Platform::Windows);
    let logins = vec![
        (SourceKind::KiroIde, ide),
        (SourceKind::KiroCli, local),
        (SourceKind::KiroCli, roaming.clone()),
        (SourceKind::AmazonQ, amazon_q),
    ];
    assert_eq!(found(&at_noon(&places).await), (logins, Some(roaming)));

    let moved = home.database("D/Lokal/Kiro-Cli/data.sqlite3", 50);
    places.local_app_data = Some(home.path.join("D/Lokal"));
    places.app_data = Some(home.path.join("D/Wandernd"));
    assert_eq!(found(&at_noon(&places).await).1, Some(moved));
}

#[tokio::test]
async fn override_takes_the_place_of_the_usual_paths_and_more_files_are_added() {
    let home = Home::new();
    home.database(".local/share/kiro-cli/data.sqlite3", 50);
    let elsewhere = home.database("a b/ü.db", 30);
    let more = home.file("export.json", 40);
    let mut places = home.places(Platform::Linux);
    places.kiro_cli_database = Some(elsewhere.clone());
    places.more_files = vec![more.clone()];
    let logins = vec![
        (SourceKind::File, more.clone()),
        (SourceKind::KiroCli, elsewhere),
    ];
    assert_eq!(found(&at_noon(&places).await), (logins, Some(more)));
}

#[tokio::test]
async fn without_a_home_only_what_is_named_is_looked_at() {
    let home = Home::new();
    let elsewhere = home.database("data.sqlite3", 30);
    for platform in [Platform::Linux, Platform::MacOs, Platform::Windows] {
        let mut places = Places::new(platform, None);
        assert!(places.list().is_empty());
        places.kiro_cli_database = Some(elsewhere.clone());
        let logins = vec![(SourceKind::KiroCli, elsewhere.clone())];
        let expected = (logins, Some(elsewhere.clone()));
        assert_eq!(found(&at_noon(&places).await), expected);
    }
}

#[tokio::test]
async fn chosen_login_can_be_opened() {
    let home = Home::new();
    let cli = home.database(".local/share/kiro-cli/data.sqlite3", 30);
    let discovery = at_noon(&home.places(Platform::Linux)).await;
    assert_eq!(discovery.reason(), Some(ChoiceReason::ValidAndLasting));
    let chosen = discovery.chosen().unwrap();
    let credential = chosen.place.open().unwrap().load().await.unwrap();
    assert_eq!(credential.login, Login::Social);
    assert_eq!(chosen.place.path, cli);
}

#[tokio::test]
async fn each_state_is_told_apart_and_nothing_secret_is_shown() {
    let home = Home::new();
    let platform = Platform::Linux;
    let state = async |place: usize| {
        let discovery = at_noon(&home.places(platform)).await;
        let shown = format!("{discovery} {discovery:?}");
        assert!(!shown.contains("planted"), "{shown}");
        let find = discovery.finds()[place].clone();
        (find.state.to_string(), find.state)
    };
    let (ide, cli) = (0, 2);
    let (text, absent) = state(ide).await;
    assert!(matches!(absent, PlaceState::Absent), "{text}");

    let path = home.file(IDE, 20);
    let (text, signed_in) = state(ide).await;
    let facts = signed_in.login().unwrap();
    assert!(facts.is_valid && facts.is_refreshable && facts.has_profile);
    assert_eq!(
        text,
        "social, valid until 2026-10-20T12:20:00.000Z, can be refreshed"
    );

    // With less than two minutes left a token is refreshed before it is used.
    home.file(IDE, 1);
    assert!(!state(ide).await.1.login().unwrap().is_valid);

    let enterprise =
        json!({"accessToken": "planted", "authMethod": "IdC", "provider": "Enterprise"});
    fs::write(&path, enterprise.to_string()).unwrap();
    let (text, signed_in) = state(ide).await;
    let facts = signed_in.login().unwrap();
    assert!(!facts.is_valid && !facts.is_refreshable && !facts.has_profile);
    assert!(
        text.contains("cannot be refreshed, its profile is not known"),
        "{text}"
    );
    assert!(
        at_noon(&home.places(platform)).await.chosen().is_none(),
        "of no use"
    );

    fs::write(&path, r#"{"apiKey": "ksk_planted"}"#).unwrap();
    let (text, signed_in) = state(ide).await;
    let facts = signed_in.login().unwrap();
    assert!(facts.is_valid && !facts.is_refreshable && facts.has_profile);
    assert_eq!(text, "api-key, valid");

    fs::write(&path, "{\"refreshToken\": \"planted").unwrap();
    let (text, not_understood) = state(ide).await;
    assert!(
        matches!(not_understood, PlaceState::NotUnderstood(_)),
        "{text}"
    );

    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let (text, unreadable) = state(ide).await;
    assert!(matches!(unreadable, PlaceState::Unreadable(_)), "{text}");

    let path = home.database(".local/share/kiro-cli/data.sqlite3", 0);
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("DELETE FROM auth_kv").unwrap();
    let (text, signed_out) = state(cli).await;
    assert!(matches!(signed_out, PlaceState::SignedOut), "{text}");
}

#[tokio::test]
async fn identity_provider_that_tells_its_endpoint_itself_is_refreshable() {
    let home = Home::new();
    let path = home.file(IDE, 0);
    let mut login =
        json!({"refreshToken": "planted", "clientId": "c", "authMethod": "external_idp"});
    for (issuer, expected) in [(None, false), (Some("https://idp.example"), true)] {
        login["issuerUrl"] = json!(issuer);
        fs::write(&path, login.to_string()).unwrap();
        let discovery = at_noon(&home.places(Platform::Linux)).await;
        let facts = discovery.logins().next().unwrap().state.login().unwrap();
        assert_eq!(facts.is_refreshable, expected, "{issuer:?}");
    }
}

#[tokio::test]
async fn report_reads_well() {
    let home = Home::new();
    home.file(IDE, -60);
    home.database(".local/share/kiro-cli/data.sqlite3", 30);
    let report = at_noon(&home.places(Platform::Linux)).await.to_string();
    let folder = home.path.to_str().unwrap();
    assert_eq!(
        report.replace(folder, "~"),
        "~/.aws/sso/cache/kiro-auth-token.json (Kiro's IDE): social, expired at 2026-10-20T11:00:00.000Z, can be refreshed\n\
         ~/.local/share/kiro-cli/data.sqlite3 (kiro-cli): social, valid until 2026-10-20T12:30:00.000Z, can be refreshed\n\
         nothing in 2 other places\n\
         best: ~/.local/share/kiro-cli/data.sqlite3 (kiro-cli), because its token is valid, can be renewed and expires last"
    );
    let empty = Home::new();
    let report = at_noon(&empty.places(Platform::MacOs)).await.to_string();
    assert_eq!(report, "nothing in 4 places\nno login that could be used");
    let nowhere = Places::new(Platform::MacOs, None);
    let report = at_noon(&nowhere).await.to_string();
    assert_eq!(report, "no login that could be used");
}
