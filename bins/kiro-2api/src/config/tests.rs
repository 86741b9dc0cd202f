use std::collections::BTreeSet;
use std::fs;
use std::num::NonZeroUsize;
use std::time::Duration;

use kiro_auth::Secret;

use super::environment::{self, NAMES};
use super::*;

/// Loads from a `.env`, a configuration file and an environment.
fn load(dotenv: &str, toml: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        Some(file)
    };
    let source = Source {
        file: None,
        default_file: write("kiro-2api.toml", toml),
        dotenv: write(".env", dotenv),
        environment: environment
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect(),
        ..Source::default()
    };
    Config::load(&source).map_err(|error| error.to_string())
}

const KEY: (&str, &str) = ("PROXY_API_KEY", "0123456789abcdef");

#[test]
fn the_originals_names_work_from_dotenv_and_from_the_environment() {
    let text = "PROXY_API_KEY=\"my-super-secret-key\"\nREFRESH_TOKEN='aor:sig' # a comment\nPROFILE_ARN=arn:x\nKIRO_REGION=eu-central-1\nKIRO_CREDS_FILE=~/kiro.json\nFIRST_TOKEN_TIMEOUT=30\nSTREAM_READ_TIMEOUT=60\nNON_STREAM_TIMEOUT=600.5\nSLOW_MODEL_TIMEOUT_MULTIPLIER=2\nMAX_RETRIES=5\nLOG_LEVEL=debug\n";
    let from_file = load(text, "", &[]).unwrap();
    assert_eq!(
        from_file.proxy_api_key.unwrap().expose(),
        "my-super-secret-key"
    );
    assert_eq!(from_file.refresh_token.unwrap().expose(), "aor:sig");
    assert_eq!(from_file.profile_arn.as_deref(), Some("arn:x"));
    assert_eq!(from_file.upstream.region.as_deref(), Some("eu-central-1"));
    assert_eq!(from_file.creds_file, Some("~/kiro.json".into()));
    assert_eq!(from_file.timeouts.first_event, Duration::from_secs(30));
    assert_eq!(from_file.timeouts.gap, Duration::from_secs(60));
    assert_eq!(from_file.timeouts.total, Duration::from_millis(600_500));
    assert_eq!(from_file.timeouts.multipliers(), [("opus".to_owned(), 2.0)]);
    assert_eq!(
        (from_file.upstream.max_retries, from_file.log.level.as_str()),
        (5, "debug")
    );

    let environment = load(
        "",
        "",
        &[
            KEY,
            ("KIRO_2API_SERVER__LISTEN", "127.0.0.1:9"),
            ("KIRO_2API_UPSTREAM__ENDPOINT", "http://127.0.0.1:1"),
        ],
    )
    .unwrap();
    assert_eq!(environment.server.listen.port(), 9);
    assert_eq!(
        environment.upstream.endpoint.as_deref(),
        Some("http://127.0.0.1:1")
    );
}

#[test]
fn later_layers_win() {
    let toml = "proxy_api_key = \"from the file, which is long\"\n[upstream]\nmax_retries = 1\n[timeouts]\ngap = \"5m\"";
    let config = load(
        "MAX_RETRIES=2\nPROXY_API_KEY=from-dotenv-from-dotenv",
        toml,
        &[("MAX_RETRIES", "3")],
    )
    .unwrap();
    assert_eq!(config.upstream.max_retries, 3);
    assert_eq!(
        config.proxy_api_key.unwrap().expose(),
        "from-dotenv-from-dotenv"
    );
    assert_eq!(config.timeouts.gap, Duration::from_secs(300));
}

#[test]
fn a_key_of_digits_stays_a_key_and_an_empty_variable_is_unset() {
    let config = load(
        "REFRESH_TOKEN=\nKIRO_CREDS_FILE=\"\"",
        "",
        &[("PROXY_API_KEY", "00001111222233334444")],
    )
    .unwrap();
    assert_eq!(
        config.proxy_api_key.as_ref().unwrap().expose(),
        "00001111222233334444"
    );
    assert_eq!(config.accounts().count(), 0);
}

#[test]
fn every_kind_of_login_can_be_configured() {
    let toml = "discover = true\n[[account]]\nname = \"a\"\napi_key = \"ksk_a\"\n[[account]]\nname = \"b\"\nkiro_cli = \"~/data.sqlite3\"";
    let environment = [
        KEY,
        ("KIRO_API_KEY", "ksk_first"),
        ("KIROCLI_DB_PATH", "/a b/data.sqlite3"),
    ];
    let config = load("", toml, &environment).unwrap();
    assert!(config.discover);
    assert_eq!(config.kiro_cli_database, Some("/a b/data.sqlite3".into()));
    let accounts: Vec<Account> = config.accounts().collect();
    let keys = accounts
        .iter()
        .map(|account| account.api_key.as_ref().map(Secret::expose));
    assert_eq!(
        keys.collect::<Vec<_>>(),
        [Some("ksk_first"), Some("ksk_a"), None]
    );
    assert_eq!(accounts[2].kiro_cli, Some("~/data.sqlite3".into()));
}

#[test]
fn logins_of_the_machine_are_used_only_when_asked_for() {
    for (value, expected) in [
        ("", false),
        ("false", false),
        ("0", false),
        ("true", true),
        ("True", true),
        ("1", true),
    ] {
        let config = load("", "", &[KEY, ("KIRO_2API_DISCOVER", value)]).unwrap();
        assert_eq!(config.discover, expected, "{value}");
    }
}

#[test]
fn secrets_come_from_a_folder_and_the_environment_wins() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("PROXY_API_KEY", "key-#-of-the-folder\n");
    write("KIRO_2API_STORE__KIND", "memory");
    write("REFRESH_TOKEN", "of the folder");
    write("tls-key", "not ours");
    let path = folder.path().to_str().unwrap();
    let from = (environment::SECRETS, path);
    let config = load("PROXY_API_KEY=key-of-dotenv-0000", "", &[from]).unwrap();
    let key = config.proxy_api_key.unwrap();
    assert_eq!(key.expose(), "key-#-of-the-folder");
    assert_eq!(config.store.kind, StoreKind::Memory);
    let config = load("", "", &[from, ("REFRESH_TOKEN", "of the environment")]).unwrap();
    let token = config.refresh_token.unwrap();
    assert_eq!(token.expose(), "of the environment");

    let source = Source {
        environment: [(from.0.to_owned(), from.1.to_owned())].into(),
        ..Source::default()
    };
    assert_eq!(source.files().count(), 3, "they are watched for changes");
    let error = load("", "", &[(environment::SECRETS, "/no/such/folder")]).unwrap_err();
    assert!(error.contains("/no/such/folder, of CREDENTIALS_DIRECTORY"));
}

#[test]
fn comments_and_quotes_of_an_environment_file_are_not_part_of_a_value() {
    for (value, meant) in [
        ("0123456789abcdef # my key", "0123456789abcdef"),
        ("\"0123456789abcdef\" # my key", "0123456789abcdef"),
        ("'0123456789abcdef'", "0123456789abcdef"),
        ("0123456789abc#def", "0123456789abc#def"),
        ("'0123456789 # abcdef'", "0123456789 # abcdef"),
        ("it's 0123456789abc", "it's 0123456789abc"),
    ] {
        let config = load(
            "",
            "",
            &[("PROXY_API_KEY", value), ("MAX_RETRIES", "2 # two")],
        );
        let config = config.unwrap();
        assert_eq!(config.proxy_api_key.unwrap().expose(), meant, "{value}");
        assert_eq!(config.upstream.max_retries, 2);
    }
}

#[test]
fn a_list_is_written_as_one_or_with_commas() {
    let toml = "[upstream]\nidp_hosts = [\"login.example.org\", \"sso.example.org\"]";
    let variable = (
        "KIRO_2API_UPSTREAM__IDP_HOSTS",
        " login.example.org , sso.example.org,",
    );
    for config in [load("", toml, &[KEY]), load("", "", &[KEY, variable])] {
        let hosts = config.unwrap().upstream.idp_hosts;
        assert_eq!(hosts, ["login.example.org", "sso.example.org"]);
    }
}

#[test]
fn aliases_are_a_table_or_text_with_commas() {
    let toml = "[models]\naliases = {\"gpt-4o\" = \"claude-sonnet-4.5\", small = \"claude-haiku-4.5\"}\nfallback = \"auto\"";
    let variables = [
        KEY,
        (
            "KIRO_2API_MODELS__ALIASES",
            "gpt-4o=claude-sonnet-4.5, small = claude-haiku-4.5,",
        ),
        ("KIRO_2API_MODELS__FALLBACK", "auto"),
    ];
    for config in [load("", toml, &[KEY]), load("", "", &variables)] {
        let models = config.unwrap().models;
        let aliases: Vec<(&str, &str)> = models
            .aliases
            .iter()
            .map(|(name, model)| (name.as_str(), model.as_str()))
            .collect();
        assert_eq!(
            aliases,
            [
                ("gpt-4o", "claude-sonnet-4.5"),
                ("small", "claude-haiku-4.5")
            ]
        );
        assert_eq!(models.fallback.as_deref(), Some("auto"));
    }
    let broken = load("", "", &[KEY, ("KIRO_2API_MODELS__ALIASES", "gpt-4o")]).unwrap_err();
    assert!(
        broken.contains("aliases") && broken.contains("name=value"),
        "{broken}"
    );
}

#[test]
fn a_certificate_and_its_key_are_given_together() {
    let (cert, key) = (Some("c.pem".into()), Some("k.pem".into()));
    let dotted = "[server]\ntls.cert = \"c.pem\"\ntls.key = \"k.pem\"";
    let table = "[server.tls]\ncert = \"c.pem\"\nkey = \"k.pem\"";
    let variables = [
        KEY,
        ("KIRO_2API_SERVER__TLS__CERT", "c.pem"),
        ("KIRO_2API_SERVER__TLS__KEY", "k.pem"),
    ];
    for config in [
        load("", dotted, &[KEY]),
        load("", table, &[KEY]),
        load("", "", &variables),
    ] {
        let tls = config.unwrap().server.tls;
        assert_eq!((&tls.cert, &tls.key), (&cert, &key));
    }
    for (toml, words) in [
        (
            "cert = \"c.pem\"",
            "server.tls.cert is set and server.tls.key is not",
        ),
        (
            "key = \"k.pem\"",
            "server.tls.key is set and server.tls.cert is not",
        ),
        ("certificate = \"c.pem\"", "did you mean `cert`?"),
    ] {
        let error = load("", &format!("[server.tls]\n{toml}"), &[KEY]).unwrap_err();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn windows_paths_and_spaces_survive() {
    for (line, path) in [
        (
            r"KIRO_CREDS_FILE='C:\Users\Zoë Müller\kiro-auth-token.json'",
            r"C:\Users\Zoë Müller\kiro-auth-token.json",
        ),
        (
            "KIRO_CREDS_FILE=\"/home/a b/kiro.json\"",
            "/home/a b/kiro.json",
        ),
    ] {
        assert_eq!(
            load(line, "", &[KEY]).unwrap().creds_file,
            Some(path.into()),
            "{line}"
        );
    }
}

#[test]
fn what_is_wrong_is_named_with_its_remedy_and_without_the_secret() {
    let no_key = load("", "", &[]).unwrap_err();
    assert!(
        no_key.contains("PROXY_API_KEY is not set") && no_key.contains("openssl rand"),
        "{no_key}"
    );
    let unknown = load("", "[server]\nlissten = \"x\"", &[KEY]).unwrap_err();
    assert!(
        unknown.contains("lissten") && unknown.contains("did you mean `listen`?"),
        "{unknown}"
    );
    let unknown = load("", "", &[KEY, ("KIRO_2API_SERVER__MAX_BODDY", "1")]).unwrap_err();
    assert!(
        unknown.contains("did you mean `max_body`?") && unknown.contains("environment"),
        "{unknown}"
    );
    let duration = load("FIRST_TOKEN_TIMEOUT=soon", "", &[KEY]).unwrap_err();
    assert!(
        duration.contains("first_event") && duration.contains("500ms"),
        "{duration}"
    );
    let profile = load("", "[upstream]\nwire_profile = \"grpc\"", &[KEY]).unwrap_err();
    assert!(
        profile.contains("grpc") && profile.contains("krs"),
        "{profile}"
    );
    for sources in [
        "",
        "file = \"a\"\nkiro_cli = \"b\"",
        "api_key = \"planted\"\nfile = \"a\"",
    ] {
        let table = format!("[[account]]\nname = \"a\"\n{sources}");
        let account = load("", &table, &[KEY]).unwrap_err();
        assert!(
            account.contains("`a`") && account.contains("refresh_token"),
            "{account}"
        );
        assert!(!account.contains("planted"), "{account}");
    }
    let discover = load("KIRO_2API_DISCOVER=perhaps", "", &[KEY]).unwrap_err();
    assert!(
        discover.contains("discover") && discover.contains("`true` or `false`"),
        "{discover}"
    );
    let broken = load("REFRESH_TOKEN=planted secret\\x", "", &[KEY]).unwrap_err();
    assert!(
        broken.contains("REFRESH_TOKEN") && !broken.contains("planted"),
        "{broken}"
    );
}

#[test]
fn keys_are_known_by_hashes_with_limits_of_their_own() {
    let hash = format!("sha256:{}", "ab".repeat(32));
    let toml = format!(
        "[limits]\nrequests_per_minute = 60\n[tenants.limits]\nconcurrency = 2\n[[keys]]\nname = \"a\"\nhash = \"{hash}\"\n[[keys]]\nname = \"b\"\nhash = \"{hash}\"\nlimits.credits_per_day = 1.5\ntenant_limits = {{}}"
    );
    // There is no other key.
    let environment = [("KIRO_2API_LIMITS__QUEUE", "7")];
    let keys = load("", &toml, &environment)
        .unwrap()
        .access_keys()
        .unwrap();
    let [a, b] = &keys[..] else {
        panic!("{keys:?}")
    };
    let number = |limit: Option<std::num::NonZeroU32>| limit.map(|limit| limit.get());
    assert_eq!(number(a.limits.requests_per_minute), Some(60));
    assert_eq!((a.limits.queue, a.limits.credits_per_day), (7, None));
    assert_eq!(a.tenant_limits.concurrency, NonZeroUsize::new(2));
    assert_eq!(number(b.limits.requests_per_minute), None);
    assert_eq!(b.limits.credits_per_day, Some(1.5));
    assert_eq!(b.tenant_limits, kiro_gateway::Limits::default());
}

#[test]
fn a_key_in_the_clear_is_refused_with_its_remedy_and_not_repeated() {
    for written in [
        "name = \"a\"\nkey = \"planted-planted-planted\"",
        "name = \"a\"\nhash = \"planted-planted-planted\"",
        "name = \"a\"",
        "hash = \"planted-planted-planted\"",
        "name = \"a planted name\"",
    ] {
        let refused = load("", &format!("[[keys]]\n{written}"), &[KEY]).unwrap_err();
        assert!(refused.contains("[[keys]]"), "{refused}");
        assert!(!refused.contains("planted"), "{refused}");
        let has_name = written.contains("\"a\"");
        assert_eq!(
            refused.contains("kiro-2api key hash"),
            has_name,
            "{refused}"
        );
    }
}

/// Keys with their defaults, as TOML would show them: `server.listen` → `127.0.0.1:8000`.
fn flatten(prefix: &str, value: &serde_json::Value, keys: &mut Vec<(String, String)>) {
    match value {
        serde_json::Value::Object(table) => {
            for (name, value) in table {
                let key = if prefix.is_empty() {
                    name.clone()
                } else {
                    format!("{prefix}.{name}")
                };
                flatten(&key, value, keys);
            }
        }
        serde_json::Value::Null => keys.push((prefix.into(), "none".into())),
        serde_json::Value::String(text) => keys.push((prefix.into(), text.clone())),
        other => keys.push((prefix.into(), other.to_string())),
    }
}

/// All keys with their defaults.
fn keys() -> Vec<(String, String)> {
    let mut keys = Vec::new();
    let mut defaults = serde_json::to_value(Config::default()).unwrap();
    defaults["account"] = serde_json::to_value(Account::default()).unwrap();
    // Described as a table of its own, too.
    defaults["keys"] = serde_json::Value::Null;
    flatten("", &defaults, &mut keys);
    keys.retain(|(key, _)| key != "keys");
    keys
}

fn variable(key: &str) -> String {
    format!("KIRO_2API_{}", key.to_uppercase().replace('.', "__"))
}

/// There everything is text, which a number or a list has to be read from.
#[test]
fn every_default_can_be_said_in_the_environment() {
    let keys = keys();
    let said = keys.iter().filter(|(key, default)| {
        !key.starts_with("account.") && !default.is_empty() && default != "none"
    });
    let mut n_said = 0;
    for (key, default) in said {
        let variable = variable(key);
        let loaded = load("", "", &[KEY, (&variable, default)]);
        assert!(loaded.is_ok(), "{variable}={default}: {:?}", loaded.err());
        n_said += 1;
    }
    assert!(n_said > 50, "{n_said}");
}

#[test]
fn the_document_lists_every_key_with_its_default_and_its_environment_name() {
    let document = include_str!("../../../../docs/configuration.md");
    let keys = keys();
    for (key, default) in keys.iter().filter(|(key, _)| !key.starts_with("account.")) {
        let row = format!("| `{key}` | `{default}` |");
        let row = row.replace("`none`", "none");
        let line = document
            .lines()
            .find(|line| line.starts_with(&row))
            .unwrap_or_else(|| panic!("no row {row}"));
        let variable = variable(key);
        assert!(line.contains(&variable), "{line} does not name {variable}");
    }
    for (key, _) in keys.iter().filter(|(key, _)| key.starts_with("account.")) {
        assert!(
            document.contains(&format!("`{}`", key.trim_start_matches("account."))),
            "{key} is missing"
        );
    }
    for (variable, key) in NAMES {
        let row = document
            .lines()
            .find(|line| line.starts_with(&format!("| `{key}` |")))
            .unwrap();
        assert!(
            row.contains(&format!("`{variable}`")),
            "{variable} is missing in the row of {key}"
        );
    }
    let rows = document
        .lines()
        .filter(|line| line.starts_with("| `") && line.contains("KIRO_2API_"));
    let documented = keys
        .iter()
        .filter(|(key, _)| !key.starts_with("account."))
        .count();
    assert_eq!(
        rows.count(),
        documented,
        "the document lists keys that do not exist"
    );
}

/// Each key that is a time is in one of the lists, because somebody has thought of what no time means there.
#[test]
fn a_limit_of_no_time_is_refused_where_nothing_could_be_served_within_it() {
    const REFUSED: [&str; 9] = [
        "server.header_timeout",
        "server.write_timeout",
        "images.timeout",
        "timeouts.connect",
        "timeouts.body",
        "timeouts.first_event",
        "timeouts.gap",
        "timeouts.total",
        "timeouts.keep_alive",
    ];
    const TAKEN: [&str; 10] = [
        "limits.queue_timeout",
        "tenants.limits.queue_timeout",
        "tenants.idle_expiry",
        "responses.idle_expiry",
        "server.queue_timeout",
        "server.drain_timeout",
        "server.drain_delay",
        "timeouts.patience",
        "timeouts.least_first_event",
        "timeouts.least_gap",
    ];
    let at_once = |key: &str| {
        let variable = format!("KIRO_2API_{}", key.to_uppercase().replace('.', "__"));
        load("", "", &[KEY, (&variable, "0s")])
    };
    for key in REFUSED {
        let refused = at_once(key).unwrap_err();
        assert!(refused.contains(&format!("{key} is 0")), "{refused}");
        assert!(refused.contains("`24h`"), "{refused}");
    }
    for key in TAKEN {
        assert!(at_once(key).is_ok(), "{key}");
    }
    let mut keys = Vec::new();
    let defaults = serde_json::to_value(Config::default()).unwrap();
    flatten("", &defaults, &mut keys);
    let is_time = |text: &str| {
        let digits = text.strip_suffix("ms").or_else(|| text.strip_suffix('s'));
        digits.is_some_and(|digits| digits.parse::<u64>().is_ok())
    };
    let times = keys.iter().filter(|(_, default)| is_time(default));
    let times: BTreeSet<&str> = times.map(|(key, _)| &**key).collect();
    assert_eq!(times, REFUSED.into_iter().chain(TAKEN).collect());
}
