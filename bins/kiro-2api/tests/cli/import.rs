//! `kiro-2api accounts import`.

use std::fs;

use super::*;

/// Kiro's cache file in the home folder.
fn kiro_cache(user: &User, issued: &IssuedCredential) -> PathBuf {
    let folder = user.path(".aws/sso/cache");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("kiro-auth-token.json");
    fs::write(&file, cache_of(issued)).unwrap();
    file
}

/// The database of kiro-cli with a social login.
fn kiro_cli(user: &User, issued: &IssuedCredential) -> PathBuf {
    let folder = user.path(".local/share/kiro-cli");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("data.sqlite3");
    let row = serde_json::json!({
        "access_token": issued.access_token,
        "refresh_token": issued.refresh_token,
        "expires_at": "2020-01-01T00:00:00Z",
        "provider": "google",
        "profile_arn": issued.profile_arn,
    });
    let connection = rusqlite::Connection::open(&path).unwrap();
    let table = "CREATE TABLE auth_kv (key TEXT PRIMARY KEY, value TEXT)";
    connection.execute_batch(table).unwrap();
    let sql = "INSERT INTO auth_kv VALUES ('kirocli:social:token', ?1)";
    connection.execute(sql, [row.to_string()]).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn the_login_of_the_ide_is_used_where_it_is() {
    let user = User::new().await;
    let issued = user.sim.issue_social();
    let file = kiro_cache(&user, &issued);
    let done = user.run(&["accounts", "import", "--json"]);
    let document = done.json();
    assert_eq!(document["account"], "kiro-ide");
    assert_eq!(document["copied"], false);
    assert_eq!(Path::new(document["file"].as_str().unwrap()), file);
    done.hides(&secrets_of(&issued)).ends_well();

    let before = fs::read_to_string(&file).unwrap();
    user.run(&["accounts", "test", "kiro-ide"]).ends_well();
    // It was refreshed, and the IDE has the new token too.
    assert_ne!(fs::read_to_string(&file).unwrap(), before);
    assert_eq!(user.account_in(&file), issued.account);

    let done = user.run(&["accounts", "remove", "kiro-ide"]).ends_well();
    assert!(done.contains("stays as it is"), "{done}");
    assert!(file.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_stands_alone() {
    let user = User::new().await;
    let issued = user.sim.issue_oidc();
    let file = user.path("elsewhere.json");
    fs::write(&file, cache_of(&issued)).unwrap();
    let path = file.to_str().unwrap();
    user.run(&["accounts", "import", path, "--copy", "--name", "mine"])
        .ends_well();
    fs::remove_file(&file).unwrap();
    user.run(&["accounts", "test", "mine"]).ends_well();
    assert_eq!(user.account_in(&user.login_file("mine")), issued.account);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_of_kiro_cli_is_chosen_by_name_or_by_path() {
    let user = User::new().await;
    kiro_cache(&user, &user.sim.issue_social());
    let database = kiro_cli(&user, &user.sim.issue_social());
    let arguments = ["accounts", "import", "--from", "kiro-cli"];
    let text = user.run(&arguments).ends_well();
    assert!(
        text.contains("`kiro-cli` is an account now (social)"),
        "{text}"
    );
    user.run(&["accounts", "test", "kiro-cli"]).ends_well();
    let path = database.to_str().unwrap();
    user.run(&["accounts", "import", path, "--name", "again"])
        .ends_well();
    user.run(&arguments).fails_with("--replace");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_imported_says_why() {
    let user = User::new().await;
    user.run(&["accounts", "import"])
        .fails_with("kiro-2api login");
    user.run(&["accounts", "import", "nowhere.json"])
        .fails_with("there is no file");
    fs::write(user.path("text.json"), "planted-secret").unwrap();
    let done = user.run(&["accounts", "import", "text.json"]);
    let error = done.fails_with("text.json");
    assert!(!error.contains("planted"), "{error}");
    let list = user.run(&["accounts", "list", "--json"]).json();
    assert_eq!(list["accounts"].as_array().unwrap().len(), 0);
}
