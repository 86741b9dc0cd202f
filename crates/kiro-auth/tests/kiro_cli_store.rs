//! The database of kiro-cli as we share it with the CLI.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::cell::Cell;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use kiro_auth::store::contract;
use kiro_auth::{
    AuthErrorKind, Credential, CredentialStore, KiroCliStore, Login, ManualClock, Refreshed,
    TokenSource,
};
use rusqlite::{Connection, OptionalExtension};
use serde_json::{Value, json};
use support::http::log::write_log;
use support::{HOUR, SignInService};
use tempfile::TempDir;

use AuthErrorKind::{Misconfigured, SignedOut, StoreFailed};

const ODIC: &str = "kirocli:odic:token";
const OLD_ODIC: &str = "codewhisperer:odic:token";
const SOCIAL: &str = "kirocli:social:token";
const EXTERNAL: &str = "kirocli:external-idp:token";
const REGISTRATION: &str = "kirocli:odic:device-registration";
const PROFILE: &str = "arn:aws:codewhisperer:eu-central-1:111122223333:profile/CHOSEN";

/// A database in the schema of the CLI, in a folder of its own.
struct Cli {
    folder: TempDir,
    path: PathBuf,
}

impl Cli {
    fn new() -> Self {
        write_log();
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("data.sqlite3");
        create(&path);
        Self { folder, path }
    }

    fn with(rows: &[(&str, Value)]) -> Self {
        let cli = Self::new();
        for (key, value) in rows {
            cli.put("auth_kv", key, &value.to_string());
        }
        cli
    }

    fn put(&self, table: &str, key: &str, value: &str) {
        put(&self.open(), table, key, value);
    }

    fn open(&self) -> Connection {
        Connection::open(&self.path).unwrap()
    }

    fn store(&self) -> KiroCliStore {
        KiroCliStore::new(&self.path)
    }

    fn text(&self, key: &str) -> String {
        text(&self.open(), key).unwrap()
    }

    async fn load(&self) -> Result<Credential, AuthErrorKind> {
        self.store().load().await.map_err(|error| error.kind())
    }

    async fn login(&self) -> Login {
        self.load().await.unwrap().login
    }

    async fn rotate(&self) -> Result<(), AuthErrorKind> {
        rotate(&self.store()).await
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn create(path: &Path) {
    let tables = "CREATE TABLE auth_kv (key TEXT PRIMARY KEY, value TEXT);
        CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB);
        CREATE TABLE history (id INTEGER PRIMARY KEY, command TEXT);
        INSERT INTO history (command) VALUES ('ls');";
    Connection::open(path)
        .unwrap()
        .execute_batch(tables)
        .unwrap();
}

fn put(connection: &Connection, table: &str, key: &str, value: &str) {
    let sql = format!("INSERT OR REPLACE INTO {table} (key, value) VALUES (?1, ?2)");
    connection.execute(&sql, [key, value]).unwrap();
}

fn text(connection: &Connection, key: &str) -> Option<String> {
    let sql = "SELECT CAST(value AS TEXT) FROM auth_kv WHERE key = ?1";
    let value = connection.query_row(sql, [key], |row| row.get(0));
    value.optional().unwrap()
}

/// Loads, refreshes and saves.
async fn rotate(store: &KiroCliStore) -> Result<(), AuthErrorKind> {
    let loaded = store.load().await.map_err(|error| error.kind())?;
    let refreshed = Refreshed::new("access-1").with_refresh_token("refresh-1");
    let next = loaded.refreshed(&refreshed, at(1_792_500_000));
    store.save(&next).await.map_err(|error| error.kind())
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn tokens(name: &str, expires_at: &str) -> Value {
    json!({
        "access_token": format!("access-{name}"),
        "expires_at": expires_at,
        "refresh_token": format!("refresh-{name}"),
    })
}

fn directory(start_url: &str, region: Option<&str>) -> Value {
    let mut row = tokens("0", "2026-10-20T12:34:56.123456789Z");
    row["start_url"] = json!(start_url);
    row["region"] = json!(region);
    row["oauth_flow"] = json!("DeviceCode");
    row["scopes"] = json!(["codewhisperer:completions", "codewhisperer:conversations"]);
    row
}

fn registration() -> Value {
    json!({
        "client_id": "client", "client_secret": "client-secret", "region": "eu-west-1",
        "client_secret_expires_at": "2027-01-18T12:00:00Z", "oauth_flow": "DeviceCode",
    })
}

const BUILDER_ID: &str = "https://view.awsapps.com/start";
const ENTERPRISE: &str = "https://d-1234567890.awsapps.com/start";

/// By a lock beside the database, which the CLI can use all the while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_with_one_database_take_turns() {
    let row = tokens("0", "2026-10-20T11:00:00Z");
    let cli = Cli::with(&[(SOCIAL, row)]);
    let service = Arc::new(SignInService::new("refresh-0"));
    let ask = || {
        let clock = Arc::new(ManualClock::new());
        let source = TokenSource::new(Arc::new(cli.store()), service.clone(), clock);
        tokio::spawn(async move { source.token().await.unwrap() })
    };
    for token in (0..4).map(|_| ask()).collect::<Vec<_>>() {
        assert_eq!(token.await.unwrap().secret().expose(), "access-1");
    }
    assert_eq!(service.visits(), 1);

    let claim = cli.store().claim().await.unwrap();
    cli.put("state", "auth.idc.region", "eu-west-1");
    drop(claim);
    assert_eq!(cli.names(), ["data.sqlite3", "data.sqlite3.kiro-2api.lock"]);
}

#[tokio::test]
async fn store_keeps_the_contract() {
    let folder = TempDir::new().unwrap();
    let count = Cell::new(0);
    contract::check(async |credential| {
        count.set(count.get() + 1);
        let path = folder.path().join(format!("{}.sqlite3", count.get()));
        sign_in(&path, &credential);
        KiroCliStore::new(path)
    })
    .await;
    contract::check_claims(async |credential| {
        let path = folder.path().join("shared.sqlite3");
        sign_in(&path, &credential);
        (KiroCliStore::new(&path), KiroCliStore::new(path))
    })
    .await;
}

/// Makes a database in which this credential of an organisation is signed in.
fn sign_in(path: &Path, credential: &Credential) {
    create(path);
    let connection = Connection::open(path).unwrap();
    let expose = |secret: Option<&kiro_auth::Secret>| secret.unwrap().expose().to_owned();
    let row = json!({
        "access_token": expose(credential.access_token.as_ref()),
        "refresh_token": expose(credential.refresh_token.as_ref()),
        "expires_at": "2026-10-20T12:34:56.789Z",
        "start_url": ENTERPRISE,
        "region": credential.auth_region,
    });
    put(&connection, "auth_kv", ODIC, &row.to_string());
    let row = json!({
        "client_id": credential.client_id,
        "client_secret": expose(credential.client_secret.as_ref()),
    });
    put(&connection, "auth_kv", REGISTRATION, &row.to_string());
    let row = json!({"arn": credential.profile_arn, "profile_name": "team"});
    put(
        &connection,
        "state",
        "api.codewhisperer.profile",
        &row.to_string(),
    );
}

/// The rows that were seen in the field, each alone in a database.
#[tokio::test]
async fn rows_of_the_field_are_understood() {
    let samples: Value = serde_json::from_str(include_str!("data/credential-files.json")).unwrap();
    let rows = samples["cli_sqlite"]["rows"].as_array().unwrap();
    let row = |key: &str| {
        let row = rows.iter().find(|row| row["key"] == key).unwrap();
        row["value"].clone()
    };
    let cli = Cli::with(&[(ODIC, row(ODIC)), (REGISTRATION, row(REGISTRATION))]);
    let credential = cli.load().await.unwrap();
    assert_eq!(credential.login, Login::BuilderId);
    assert_eq!(credential.auth_region.as_deref(), Some("us-east-1"));
    assert_eq!(
        credential.client_id.as_deref(),
        Some("EXAMPLEclientId0123456789")
    );
    assert_eq!(
        credential.client_secret.unwrap().expose(),
        "EXAMPLE.client.secret"
    );
    assert_eq!(
        credential.scopes.as_deref(),
        Some("codewhisperer:completions codewhisperer:analysis codewhisperer:conversations")
    );
    assert_eq!(
        credential.expires_at,
        Some(at(1_792_499_696) + Duration::from_nanos(123_456_789)),
        "nine digits, and not the registration's expiry"
    );

    let credential = Cli::with(&[(SOCIAL, row(SOCIAL))]).load().await.unwrap();
    assert_eq!(credential.login, Login::Social);
    assert_eq!(
        credential.profile_arn.as_deref(),
        Some(kiro_auth::SOCIAL_PROFILE_ARN)
    );

    let credential = Cli::with(&[(EXTERNAL, row(EXTERNAL))])
        .load()
        .await
        .unwrap();
    assert_eq!(credential.login, Login::ExternalIdp);
    assert!(credential.token_endpoint.is_some() && credential.client_id.is_some());
}

#[tokio::test]
async fn older_and_corrected_spellings_of_the_keys_are_found() {
    for (token, client) in [
        (ODIC, REGISTRATION),
        ("kirocli:oidc:token", "kirocli:oidc:device-registration"),
        ("kirocli:oidc:token", REGISTRATION),
        (OLD_ODIC, "codewhisperer:odic:device-registration"),
    ] {
        let cli = Cli::with(&[
            (token, directory(ENTERPRISE, Some("eu-west-1"))),
            (client, registration()),
        ]);
        let credential = cli.load().await.unwrap();
        assert_eq!(credential.login, Login::IdentityCenter, "{token}");
        assert!(credential.client_secret.is_some(), "{token} with {client}");
        cli.rotate().await.unwrap();
        assert!(cli.text(token).contains("refresh-1"), "{token}");
        assert_eq!(cli.text(client), registration().to_string());
    }
    let old_social = "codewhisperer:social:token";
    let cli = Cli::with(&[(old_social, tokens("0", "2026-10-20T12:00:00Z"))]);
    assert_eq!(cli.login().await, Login::Social);
}

/// A token is refreshed by the client that it was issued to.
#[tokio::test]
async fn client_of_the_older_program_is_not_borrowed() {
    let cli = Cli::with(&[
        (ODIC, directory(BUILDER_ID, None)),
        ("codewhisperer:odic:device-registration", registration()),
    ]);
    let credential = cli.load().await.unwrap();
    assert_eq!(credential.login, Login::BuilderId);
    assert!(credential.access_token.is_some() && credential.client_id.is_none());
}

#[tokio::test]
async fn login_that_expires_last_wins_and_order_decides_the_rest() {
    let early = tokens("early", "2026-10-20T12:00:00Z");
    let late = tokens("late", "2026-10-20T13:00:00.123456789Z");
    let never = json!({"access_token": "access-never", "refresh_token": "refresh-never"});
    let unreadable = json!("planted");
    for (rows, winner) in [
        ([(ODIC, &early), (SOCIAL, &late)], "access-late"),
        ([(ODIC, &late), (SOCIAL, &early)], "access-late"),
        ([(OLD_ODIC, &late), (ODIC, &early)], "access-late"),
        ([(EXTERNAL, &early), (SOCIAL, &never)], "access-early"),
        ([(ODIC, &never), (SOCIAL, &early)], "access-early"),
        ([(ODIC, &early), (OLD_ODIC, &early)], "access-early"),
        ([(ODIC, &unreadable), (OLD_ODIC, &never)], "access-never"),
        ([(SOCIAL, &late), (ODIC, &unreadable)], "access-late"),
    ] {
        let rows = rows.map(|(key, value)| (key, value.clone()));
        let credential = Cli::with(&rows).load().await.unwrap();
        let token = credential.access_token.unwrap();
        assert_eq!(token.expose(), winner, "{rows:?}");
    }
    let cli = Cli::with(&[(SOCIAL, never.clone()), (OLD_ODIC, never)]);
    assert_eq!(cli.login().await, Login::Social, "the order decides");
}

#[tokio::test]
async fn facts_that_a_row_lacks_come_from_what_the_cli_remembers() {
    let blank = None;
    let table = [
        // the row's start URL and region; the remembered start URL and region → login, region, profile
        (
            ENTERPRISE,
            Some("eu-west-1"),
            ENTERPRISE,
            "eu-north-1",
            Login::IdentityCenter,
            Some("eu-west-1"),
        ),
        (
            ENTERPRISE,
            blank,
            ENTERPRISE,
            "eu-north-1",
            Login::IdentityCenter,
            Some("eu-north-1"),
        ),
        (
            ENTERPRISE,
            blank,
            "",
            "eu-north-1",
            Login::IdentityCenter,
            Some("eu-north-1"),
        ),
        (
            ENTERPRISE,
            blank,
            "https://other",
            "eu-north-1",
            Login::IdentityCenter,
            None,
        ),
        (
            BUILDER_ID,
            blank,
            ENTERPRISE,
            "eu-north-1",
            Login::BuilderId,
            None,
        ),
        ("", blank, ENTERPRISE, "eu-north-1", Login::BuilderId, None),
    ];
    for (start_url, region, last_url, last_region, login, expected) in table {
        // Some versions write JSON, some the bare text.
        for spell in [Value::to_string, |value: &Value| {
            value.as_str().unwrap().to_owned()
        }] {
            let cli = Cli::with(&[(ODIC, directory(start_url, region))]);
            cli.put("state", "auth.idc.start-url", &spell(&json!(last_url)));
            cli.put("state", "auth.idc.region", &spell(&json!(last_region)));
            let chosen = json!({"arn": PROFILE, "profile_name": "team"});
            cli.put("state", "api.codewhisperer.profile", &chosen.to_string());
            let credential = cli.load().await.unwrap();
            assert_eq!(credential.login, login, "{start_url}");
            assert_eq!(
                credential.auth_region.as_deref(),
                expected,
                "{start_url}, {last_url}"
            );
            let profile = (login == Login::IdentityCenter).then_some(PROFILE);
            assert_eq!(credential.profile_arn.as_deref(), profile, "{start_url}");
        }
    }
}

#[tokio::test]
async fn social_login_does_not_inherit_the_profile_of_an_organisation() {
    let mut own = tokens("0", "2026-10-20T12:00:00Z");
    for (row, login, expected) in [
        (SOCIAL, Login::Social, None),
        (EXTERNAL, Login::ExternalIdp, Some(PROFILE)),
    ] {
        let cli = Cli::with(&[(row, own.clone())]);
        cli.put(
            "state",
            "api.codewhisperer.profile",
            &json!({"arn": PROFILE}).to_string(),
        );
        let credential = cli.load().await.unwrap();
        assert_eq!(credential.login, login);
        assert_eq!(credential.profile_arn.as_deref(), expected);
    }
    own["profile_arn"] = json!("arn:own");
    let cli = Cli::with(&[(EXTERNAL, own)]);
    cli.put(
        "state",
        "api.codewhisperer.profile",
        &json!({"arn": PROFILE}).to_string(),
    );
    let credential = cli.load().await.unwrap();
    assert_eq!(
        credential.profile_arn.as_deref(),
        Some("arn:own"),
        "the row's own word wins"
    );
}

#[tokio::test]
async fn profile_of_the_other_table_is_not_copied_into_the_row() {
    let cli = Cli::with(&[(ODIC, directory(ENTERPRISE, Some("eu-west-1")))]);
    cli.put(
        "state",
        "api.codewhisperer.profile",
        &json!({"arn": PROFILE}).to_string(),
    );
    cli.rotate().await.unwrap();
    assert!(!cli.text(ODIC).contains("profile"), "{}", cli.text(ODIC));
}

#[tokio::test]
async fn only_the_values_that_changed_are_changed() {
    let row = r#"{"zeta": {"b":1.50}, "access_token":"access-0","expires_at":"2026-10-20T12:34:56.123456789Z","refresh_token":"refresh-0","start_url":null,"big":12345678901234567890123}"#;
    let cli = Cli::with(&[
        (SOCIAL, tokens("other", "2020-01-01T00:00:00Z")),
        (REGISTRATION, registration()),
    ]);
    cli.put("auth_kv", ODIC, row);
    cli.rotate().await.unwrap();
    let expected = row
        .replace("access-0", "access-1")
        .replace("refresh-0", "refresh-1")
        .replace("2026-10-20T12:34:56.123456789Z", "2026-10-20T13:40:00.000Z");
    assert_eq!(cli.text(ODIC), expected);
    assert_eq!(
        cli.text(SOCIAL),
        tokens("other", "2020-01-01T00:00:00Z").to_string()
    );
    assert_eq!(cli.text(REGISTRATION), registration().to_string());
    assert_eq!(cli.names(), ["data.sqlite3"], "nothing is left over");
    let connection = cli.open();
    let whole: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    let kind: String = connection
        .query_row(
            "SELECT typeof(value) FROM auth_kv WHERE key = ?1",
            [ODIC],
            |row| row.get(0),
        )
        .unwrap();
    let command: String = connection
        .query_row("SELECT command FROM history", [], |row| row.get(0))
        .unwrap();
    assert_eq!([whole, kind, command], ["ok", "text", "ls"]);
}

#[tokio::test]
async fn new_members_are_spelled_as_the_cli_reads_them() {
    let cli = Cli::with(&[(SOCIAL, json!({"refresh_token": "refresh-0"}))]);
    let store = cli.store();
    let mut credential = store.load().await.unwrap();
    credential = credential.refreshed(&Refreshed::new("access-1"), at(1_792_500_000));
    credential.profile_arn = Some("arn:own".to_owned());
    store.save(&credential).await.unwrap();
    let row: Value = serde_json::from_str(&cli.text(SOCIAL)).unwrap();
    let expected = json!({
        "refresh_token": "refresh-0", "access_token": "access-1", "profile_arn": "arn:own",
        "expires_at": "2026-10-20T13:40:00.000Z",
    });
    assert_eq!(row, expected);
}

#[tokio::test]
async fn a_blob_stays_a_blob() {
    let cli = Cli::new();
    let row = tokens("0", "2026-10-20T12:00:00Z").to_string();
    let connection = cli.open();
    let sql = "INSERT INTO auth_kv VALUES (?1, CAST(?2 AS BLOB))";
    connection.execute(sql, [SOCIAL, row.as_str()]).unwrap();
    cli.rotate().await.unwrap();
    let kind: String = connection
        .query_row("SELECT typeof(value) FROM auth_kv", [], |row| row.get(0))
        .unwrap();
    assert_eq!(kind, "blob");
    assert!(cli.text(SOCIAL).contains("refresh-1"));
}

/// A refreshed social credential must not end up in the row of a directory that was signed in to since.
#[tokio::test]
async fn tokens_go_to_the_row_of_their_kind() {
    let cli = Cli::with(&[(SOCIAL, tokens("0", "2026-10-20T12:00:00Z"))]);
    let credential = cli.load().await.unwrap();
    let newer = tokens("directory", "2026-10-20T18:00:00Z").to_string();
    cli.put("auth_kv", ODIC, &newer);
    let next = credential.refreshed(&Refreshed::new("access-1"), at(1_792_500_000));
    cli.store().save(&next).await.unwrap();
    assert_eq!(cli.text(ODIC), newer);
    assert!(cli.text(SOCIAL).contains("access-1"));
}

#[tokio::test]
async fn what_is_missing_is_never_created() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data.sqlite3");
    let store = KiroCliStore::new(&path);
    assert_eq!(store.load().await.unwrap_err().kind(), SignedOut);
    let credential = Credential::from_refresh_token("refresh-0").unwrap();
    assert_eq!(
        store.save(&credential).await.unwrap_err().kind(),
        StoreFailed
    );
    assert!(!path.exists());

    let cli = Cli::with(&[(ODIC, directory(BUILDER_ID, None))]);
    let social = Credential::from_refresh_token("refresh-0").unwrap();
    assert_eq!(
        cli.store().save(&social).await.unwrap_err().kind(),
        StoreFailed
    );
    let key = Credential::from_api_key("ksk_planted").unwrap();
    assert_eq!(
        cli.store().save(&key).await.unwrap_err().kind(),
        StoreFailed
    );
    assert_eq!(text(&cli.open(), SOCIAL), None);
    assert_eq!(cli.text(ODIC), directory(BUILDER_ID, None).to_string());
}

#[tokio::test]
async fn each_defect_has_an_error_of_its_own_and_none_shows_what_is_there() {
    let no_table = || {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("data.sqlite3");
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch("CREATE TABLE planted (x)")
            .unwrap();
        Cli { folder, path }
    };
    let no_database = |bytes: &[u8]| {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("data.sqlite3");
        fs::write(&path, bytes).unwrap();
        Cli { folder, path }
    };
    let with_row = |text: &str| {
        let cli = Cli::new();
        cli.put("auth_kv", ODIC, text);
        cli
    };
    let corrupt = || {
        let cli = with_row(&tokens("planted", "2026-10-20T12:00:00Z").to_string());
        let mut bytes = fs::read(&cli.path).unwrap();
        bytes[100..].fill(0xa5);
        fs::write(&cli.path, bytes).unwrap();
        cli
    };
    let huge = format!("{{\"refresh_token\":\"{}\"}}", "planted".repeat(200_000));
    for (cli, kind, words) in [
        (Cli::new(), SignedOut, "nobody is signed in"),
        (no_table(), Misconfigured, "no table auth_kv"),
        (no_database(b""), Misconfigured, "no table auth_kv"),
        (
            no_database(&b"planted, not a database ".repeat(100)),
            Misconfigured,
            "not a whole SQLite",
        ),
        (corrupt(), Misconfigured, "not a whole SQLite"),
        (
            with_row("planted"),
            Misconfigured,
            "kirocli:odic:token cannot be understood",
        ),
        (
            with_row("\"planted\""),
            Misconfigured,
            "kirocli:odic:token cannot be understood",
        ),
        (
            with_row(r#"{"refresh_token":"planted"#),
            Misconfigured,
            "kirocli:odic:token cannot be understood",
        ),
        (
            with_row(r#"{"planted":1}"#),
            Misconfigured,
            "kirocli:odic:token makes no sense",
        ),
        (with_row(&huge), Misconfigured, "no text of a sensible size"),
    ] {
        let error = cli.store().load().await.unwrap_err();
        let shown = shown(&error);
        assert_eq!(error.kind(), kind, "{shown}");
        assert!(shown.contains(words), "{shown}");
        assert!(shown.contains("data.sqlite3"), "{shown}");
        assert!(!shown.contains("planted"), "{shown}");

        let before = fs::read(&cli.path).unwrap();
        let mut credential = Credential::from_refresh_token("planted").unwrap();
        credential.login = Login::BuilderId;
        let error = cli.store().save(&credential).await.unwrap_err();
        assert_eq!(
            error.kind() == StoreFailed,
            words != "not a whole SQLite",
            "{error}"
        );
        assert!(!format!("{error:?}").contains("planted"));
        assert_eq!(fs::read(&cli.path).unwrap(), before, "{words}");
    }
}

fn shown(error: &dyn Error) -> String {
    let mut text = format!("{error}; {error:?}");
    let mut cause = error.source();
    while let Some(deeper) = cause {
        text += &format!("; {deeper}");
        cause = deeper.source();
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn writer_that_takes_its_time_is_waited_for() {
    let cli = Cli::with(&[(SOCIAL, tokens("0", "2026-10-20T12:00:00Z"))]);
    for load in [true, false] {
        let credential = cli.load().await.unwrap();
        let next = credential.refreshed(&Refreshed::new("access-1"), at(1_792_500_000));
        let connection = cli.open();
        connection.execute_batch("BEGIN EXCLUSIVE").unwrap();
        let store = cli.store();
        let work = tokio::spawn(async move {
            match load {
                true => store.load().await.map(drop),
                false => store.save(&next).await,
            }
        });
        // How long the other program takes; the outcome does not depend on it.
        std::thread::sleep(Duration::from_millis(200));
        assert!(!work.is_finished(), "nobody gets past an exclusive lock");
        put(&connection, "auth_kv", "somebody:else", "{}");
        connection.execute_batch("COMMIT").unwrap();
        work.await.unwrap().unwrap();
    }
    assert!(cli.text(SOCIAL).contains("access-1"));
    assert_eq!(cli.text("somebody:else"), "{}");
}

#[tokio::test(flavor = "multi_thread")]
async fn writer_that_never_ends_is_given_up_on() {
    let cli = Cli::with(&[(SOCIAL, tokens("0", "2026-10-20T12:00:00Z"))]);
    let credential = cli.load().await.unwrap();
    let connection = cli.open();
    connection.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let store = cli.store();
    let (load, save) = tokio::join!(store.load(), store.save(&credential));
    for error in [load.unwrap_err(), save.unwrap_err()] {
        assert_eq!(error.kind(), StoreFailed);
        assert!(error.to_string().contains("another program"), "{error}");
    }
}

#[tokio::test]
async fn database_in_write_ahead_mode_works_beside_its_owner() {
    let cli = Cli::new();
    let owner = cli.open();
    owner.pragma_update(None, "journal_mode", "wal").unwrap();
    put(
        &owner,
        "auth_kv",
        SOCIAL,
        &tokens("0", "2026-10-20T12:00:00Z").to_string(),
    );
    let unfinished = cli.open();
    unfinished.execute_batch("BEGIN").unwrap();
    assert!(text(&unfinished, SOCIAL).unwrap().contains("refresh-0"));

    cli.rotate().await.unwrap();
    assert!(
        text(&owner, SOCIAL).unwrap().contains("refresh-1"),
        "the owner sees it"
    );
    assert!(
        text(&unfinished, SOCIAL).unwrap().contains("refresh-0"),
        "who reads is not disturbed"
    );
    let loaded = cli.load().await.unwrap();
    assert_eq!(loaded.refresh_token.unwrap().expose(), "refresh-1");
}

/// A transaction whose program died after the first pages were written: a journal stands beside the
/// database, and who only reads cannot take back what is in it.
#[tokio::test]
async fn unfinished_transaction_of_a_dead_program_is_taken_back() {
    let cli = Cli::with(&[(SOCIAL, tokens("0", "2026-10-20T12:00:00Z"))]);
    let dying = cli.open();
    dying.execute_batch("BEGIN IMMEDIATE").unwrap();
    put(
        &dying,
        "auth_kv",
        SOCIAL,
        "{\"refresh_token\":\"half-written\"}",
    );
    dying.cache_flush().unwrap();
    let left = Cli::new();
    for suffix in ["sqlite3", "sqlite3-journal"] {
        let (from, to) = (&cli.path, &left.path);
        fs::copy(from.with_extension(suffix), to.with_extension(suffix)).unwrap();
    }
    let raw = String::from_utf8_lossy(&fs::read(&left.path).unwrap()).into_owned();
    assert!(raw.contains("half-written"));
    let loaded = left.load().await.unwrap();
    assert_eq!(loaded.refresh_token.unwrap().expose(), "refresh-0");
    left.rotate().await.unwrap();
    assert!(left.text(SOCIAL).contains("refresh-1"));
}

/// Everybody reads before writing; who has read must not be overtaken, nor turned away for having read.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_writers_all_get_their_turn() {
    for mode in ["delete", "wal"] {
        let cli = Cli::with(&[(SOCIAL, tokens("0", "2026-10-20T12:00:00Z"))]);
        cli.open()
            .pragma_update(None, "journal_mode", mode)
            .unwrap();
        let credential = cli.load().await.unwrap();
        let writers: Vec<_> = (0..3)
            .map(|writer| {
                let (store, credential) = (cli.store(), credential.clone());
                tokio::spawn(async move {
                    for round in 0..5 {
                        let refreshed = Refreshed::new(format!("access-{writer}-{round}"));
                        store
                            .save(&credential.refreshed(&refreshed, at(0)))
                            .await
                            .unwrap();
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        assert!(cli.load().await.is_ok(), "{mode}");
    }
}

/// T28: the CLI refreshes while we hold an older token.
#[tokio::test]
async fn token_that_the_cli_has_written_is_used_instead_of_refreshing() {
    let clock = ManualClock::new();
    let row = |name: &str| {
        json!({"access_token": format!("access-{name}"), "refresh_token": format!("refresh-{name}"),
            "expires_at": 1_792_497_600 + if name == "old" { 1800 } else { 7200 }})
    };
    let cli = Cli::with(&[(SOCIAL, row("old"))]);
    let service = Arc::new(SignInService::new("refresh-cli"));
    let source = TokenSource::new(
        Arc::new(cli.store()),
        service.clone(),
        Arc::new(clock.clone()),
    );
    assert_eq!(
        source.token().await.unwrap().secret().expose(),
        "access-old"
    );
    cli.put("auth_kv", SOCIAL, &row("cli").to_string());
    clock.advance(HOUR);
    assert_eq!(
        source.token().await.unwrap().secret().expose(),
        "access-cli"
    );
    assert_eq!(service.visits(), 0);

    clock.advance(2 * HOUR);
    assert_eq!(source.token().await.unwrap().secret().expose(), "access-1");
    let row: Value = serde_json::from_str(&cli.text(SOCIAL)).unwrap();
    assert_eq!(
        row["refresh_token"],
        json!("refresh-1"),
        "before the new token is used"
    );
}

/// The program is killed wherever it happens to be, many times: what it said was saved is there, and
/// the two tokens always belong together.
#[cfg(unix)]
#[tokio::test]
async fn killed_in_the_middle_of_saving_leaves_old_or_new() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    for (mode, kills) in [("delete", 8), ("wal", 8)] {
        let cli = Cli::with(&[(SOCIAL, tokens("0", "2026-10-20T12:00:00Z"))]);
        let connection = cli.open();
        connection
            .pragma_update(None, "journal_mode", mode)
            .unwrap();
        drop(connection);
        for kill in 1..=kills {
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "child_that_saves_for_ever", "--nocapture"])
                .env("KIRO_AUTH_TEST_DATABASE", &cli.path)
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let mut saved = lines.map_while(|line| {
                let line = line.unwrap();
                Some(
                    line.strip_prefix("saved ")
                        .map(|n| n.parse::<u64>().unwrap()),
                )
            });
            let last = saved.by_ref().flatten().nth(kill).unwrap();
            child.kill().unwrap();
            child.wait().unwrap();
            let last = saved.flatten().last().unwrap_or(last);

            let loaded = cli.load().await.unwrap();
            let number = |secret: Option<kiro_auth::Secret>| -> u64 {
                let text = secret.unwrap().expose().to_owned();
                text.rsplit('-').next().unwrap().parse().unwrap()
            };
            let (access, refresh) = (number(loaded.access_token), number(loaded.refresh_token));
            assert_eq!(access, refresh, "{mode}, kill {kill}");
            assert!(
                access == last || access == last + 1,
                "{mode}: {access} after {last}"
            );
        }
    }
}

/// The body of the test above; does nothing when it is run by itself.
#[tokio::test]
async fn child_that_saves_for_ever() {
    #[allow(clippy::disallowed_methods, reason = "how the parent passes the path")]
    let Ok(path) = std::env::var("KIRO_AUTH_TEST_DATABASE") else {
        return;
    };
    let store = KiroCliStore::new(path);
    println!();
    for round in 1_u64.. {
        let refreshed = Refreshed::new(format!("access-{round}"))
            .with_refresh_token(format!("refresh-{round}"));
        let loaded = store.load().await.unwrap();
        store
            .save(&loaded.refreshed(&refreshed, at(round)))
            .await
            .unwrap();
        println!("saved {round}");
    }
}

/// What a user who may not write can do with a database and the files beside it.
#[cfg(unix)]
#[test]
fn read_only_database_works_is_left_alone_and_never_shows_the_past() {
    let row = tokens("0", "2026-10-20T12:00:00Z");
    // A file that may be written is of no use where the journal beside it may not.
    for (journal, mode) in [
        ("delete", 0o444),
        ("delete", 0o666),
        ("wal", 0o444),
        ("wal", 0o666),
    ] {
        let cli = Cli::with(&[(SOCIAL, row.clone())]);
        cli.open()
            .pragma_update(None, "journal_mode", journal)
            .unwrap();
        assert_eq!(cli.names(), ["data.sqlite3"], "no shared memory to be had");
        let outcome = as_somebody_else(&cli, mode);
        assert_eq!(outcome, "loaded refresh-0, saved", "{journal}, {mode:o}");
    }

    let open = Cli::with(&[(SOCIAL, row.clone())]);
    let owner = open.open();
    owner.pragma_update(None, "journal_mode", "wal").unwrap();
    put(
        &owner,
        "auth_kv",
        SOCIAL,
        &tokens("new", "2026-10-20T12:00:00Z").to_string(),
    );
    assert_eq!(as_somebody_else(&open, 0o444), "loaded refresh-new, saved");

    // As after a copy: the newest tokens wait in a log that cannot be read without shared memory.
    let copied = Cli::with(&[(SOCIAL, row)]);
    fs::copy(&open.path, &copied.path).unwrap();
    fs::copy(
        open.path.with_extension("sqlite3-wal"),
        copied.path.with_extension("sqlite3-wal"),
    )
    .unwrap();
    drop(owner);
    assert_eq!(as_somebody_else(&copied, 0o444), "StoreFailed");
}

/// Runs as a user who may not write to the folder: as this one, or as `nobody` when this one is root, who
/// may write everywhere. `mode` is that of the files. Gives what the child found.
#[cfg(unix)]
fn as_somebody_else(cli: &Cli, mode: u32) -> String {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    let set_mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let folder = cli.folder.path();
    let names = cli.names();
    for name in &names {
        set_mode(&folder.join(name), mode);
    }
    let before = fs::read(&cli.path).unwrap();
    let test = folder.with_extension("test");
    fs::copy(std::env::current_exe().unwrap(), &test).unwrap();
    set_mode(&test, 0o755);
    set_mode(folder, 0o555);

    let mut child = Command::new(&test);
    child.args(["--exact", "child_in_a_read_only_folder", "--nocapture"]);
    child.env("KIRO_AUTH_TEST_READ_ONLY", &cli.path);
    if fs::metadata(&cli.path).unwrap().uid() == 0 {
        child.uid(65534).gid(65534);
    }
    let output = child.output().unwrap();
    fs::remove_file(&test).unwrap();
    set_mode(folder, 0o755);

    assert_eq!(cli.names(), names);
    assert_eq!(fs::read(&cli.path).unwrap(), before);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let outcome = printed
        .lines()
        .find_map(|line| line.strip_prefix("outcome: "));
    let outcome = outcome.unwrap_or_else(|| panic!("{output:?}"));
    let warnings = printed.matches("the database is read-only").count();
    assert_eq!(
        warnings,
        usize::from(outcome.contains("saved")),
        "{printed}"
    );
    outcome.to_owned()
}

/// The body of the test above; does nothing when it is run by itself.
#[tokio::test]
async fn child_in_a_read_only_folder() {
    #[allow(clippy::disallowed_methods, reason = "how the parent passes the path")]
    let Ok(path) = std::env::var("KIRO_AUTH_TEST_READ_ONLY") else {
        return;
    };
    tracing_subscriber::fmt().with_ansi(false).init();
    let store = KiroCliStore::new(path);
    println!();
    match store.load().await {
        Ok(credential) => {
            rotate(&store).await.unwrap();
            rotate(&store).await.unwrap();
            let token = credential.refresh_token.unwrap();
            println!("outcome: loaded {}, saved", token.expose());
        }
        Err(error) => println!("outcome: {:?}", error.kind()),
    }
}
