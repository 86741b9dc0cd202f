//! `kiro-2api check`.

use std::fs;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn every_value_has_its_origin_and_secrets_are_hidden() {
    let user = User::new().await.with("MAX_RETRIES", "7");
    let token = user.sim.issue_social().refresh_token.unwrap();
    let toml = format!(
        "[server]\nmax_body = \"3MiB\"\n[timeouts]\ngap = \"5m\"\n[[account]]\nname = \"listed\"\nrefresh_token = \"{token}\"\n[store]\nurl = \"redis://:planted-password@localhost\"\n"
    );
    fs::write(user.path("kiro-2api.toml"), toml).unwrap();
    fs::write(user.path(".env"), "KIRO_REGION=eu-central-1\n").unwrap();
    fs::create_dir(user.path("secrets")).unwrap();
    fs::write(user.path("secrets/KIRO_API_KEY"), "ksk_planted-key").unwrap();
    let user = user.with("CREDENTIALS_DIRECTORY", "secrets");
    let done = user.run(&["check", "--json"]);
    let document = done.json();
    assert_eq!(document["ok"], true, "{document:#}");
    for (key, value, origin) in [
        ("server.max_body", "3MiB", "kiro-2api.toml"),
        ("timeouts.gap", "300s", "kiro-2api.toml"),
        ("upstream.region", "eu-central-1", ".env"),
        ("upstream.max_retries", "7", "MAX_RETRIES"),
        ("proxy_api_key", "(hidden)", "PROXY_API_KEY"),
        ("account[0].name", "listed", "kiro-2api.toml"),
        ("account[0].refresh_token", "(hidden)", "kiro-2api.toml"),
        ("store.url", "(hidden)", "kiro-2api.toml"),
        ("api_key", "(hidden)", "secrets"),
        ("server.listen", "127.0.0.1:8000", "default"),
    ] {
        let setting = &document["settings"][key];
        assert_eq!(setting["value"], value, "{key}: {setting}");
        let from = setting["origin"].as_str().unwrap();
        assert!(from.ends_with(origin), "{key}: {from}");
    }
    done.hides(&[&token, KEY, "planted-password", "ksk_planted-key"])
        .ends_well();

    let done = user
        .run(&["check"])
        .hides(&[&token, KEY, "planted-password", "ksk_planted-key"]);
    let text = done.ends_well();
    assert!(text.contains("The configuration is all right."), "{text}");
    let changed = user.run(&["check", "--changed"]).ends_well();
    assert!(changed.contains("server.max_body"), "{changed}");
    assert!(!changed.contains("default\n"), "{changed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_serve_would_not_start_with_is_an_error() {
    let user = User::new().await;
    for (toml, words) in [
        ("[server]\nmax_boddy = 1", "did you mean `max_body`?"),
        ("[timeouts]\ngap = \"soon\"", "expected a duration"),
        (
            "[server.tls]\ncert = \"no.pem\"\nkey = \"no.pem\"",
            "no.pem",
        ),
        ("[upstream]\nendpoint = \"nowhere\"", "expected"),
    ] {
        fs::write(user.path("kiro-2api.toml"), toml).unwrap();
        let user = user.run(&["check"]);
        // An endpoint of the environment wins over that of the file.
        if words == "expected" {
            user.ends_well();
        } else {
            user.fails_with(words);
        }
    }
    fs::write(user.path("kiro-2api.toml"), "").unwrap();
    let user = user.without("PROXY_API_KEY");
    user.run(&["check"]).fails_with("PROXY_API_KEY is not set");
    let document = user.run(&["check", "--json"]);
    assert_eq!(document.code, Some(1));
    assert_eq!(document.json()["ok"], false);
    user.run(&["check", "--config", "nowhere.toml"])
        .fails_with("there is no configuration file at nowhere.toml");
}

#[tokio::test(flavor = "multi_thread")]
async fn checking_leaves_nothing_behind() {
    let user = User::new().await;
    user.run(&["check"]).ends_well();
    assert_eq!(fs::read_dir(&user.home).unwrap().count(), 0);
}
