//! `kiro-2api accounts list`, `add`, `remove`, `test` and `quota`.

use std::time::Duration;

use kiro_sim::SignInFault;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_secret_becomes_an_account() {
    let user = User::new().await;
    let (social, builder) = (user.sim.issue_social(), user.sim.issue_oidc());
    let key = user.sim.issue_api_key();
    for (name, secret, kind) in [
        ("token", social.refresh_token.as_ref().unwrap(), "social"),
        ("key", &key.access_token, "api-key"),
        ("json", &cache_of(&builder), "builder-id"),
    ] {
        let done = user.run_with(&["accounts", "add", name, "--json"], secret);
        let document = done.json();
        assert_eq!(document["account"], name, "{document}");
        assert_eq!(document["login"], kind, "{document}");
        done.hides(&[secret]).ends_well();
    }
    let done = user.run(&["accounts", "list", "--json"]);
    let list = done.json();
    let names = list["accounts"].as_array().unwrap().iter();
    let names: Vec<&str> = names.map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["token", "key", "json"]);
    let done = done
        .hides(&secrets_of(&social))
        .hides(&secrets_of(&builder));
    done.hides(&secrets_of(&key)).ends_well();

    let table = user.run(&["accounts", "list"]).ends_well();
    assert!(table.starts_with("NAME "), "{table}");
    assert!(table.contains("never"), "{table}");
    let report = user.run(&["accounts", "test", "--json"]);
    assert_eq!(report.json()["ok"], true, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_login_is_refused_and_not_shown() {
    let user = User::new().await;
    for input in [
        "",
        "two words that-are-no-token",
        "{\"planted-secret\": ",
        "{\"startUrl\": \"planted-secret\"}",
        "aorAAAAAGshort-planted-secret",
    ] {
        let done = user.run_with(&["accounts", "add", "x"], input);
        let error = done.fails_with("no refresh token, no API key and no JSON");
        assert!(!error.contains("planted"), "{error}");
    }
    let none = user.run(&["accounts", "list"]);
    none.fails_with("sign in with `kiro-2api login`");
    let list = user.run(&["accounts", "list", "--json"]).json();
    assert_eq!(list["accounts"].as_array().unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_typed_is_not_shown() {
    let user = User::new().await;
    let token = user.sim.issue_social().refresh_token.unwrap();
    let mut terminal = user.terminal(&["accounts", "add", "typed"]);
    terminal.exp_string("it is not shown").unwrap();
    terminal.send_line(&token).unwrap();
    let before = terminal.exp_string("Saved `typed` (social)").unwrap();
    assert!(!before.contains(&token[..20]), "{before}");
    terminal.exp_eof().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_removed_with_its_login_and_nothing_else() {
    let (user, _) = User::with_account("one").await;
    user.add("two", &user.sim.issue_api_key().access_token);
    let done = user.run(&["accounts", "remove", "one", "--json"]);
    assert_eq!(done.json()["removed"], "one");
    assert!(!user.login_file("one").exists());
    assert!(user.login_file("two").exists());
    user.run(&["accounts", "remove", "one"])
        .fails_with("saved are two");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_of_the_configuration_is_listed_and_cannot_be_removed() {
    let user = User::new().await;
    let token = user.sim.issue_social().refresh_token.unwrap();
    let user = user.with("REFRESH_TOKEN", &token);
    let done = user.run(&["accounts", "list"]).hides(&[&token]);
    assert!(done.out.contains("default"), "{done:?}");
    user.run(&["accounts", "remove", "default"])
        .fails_with("part of the configuration");
    // Its rotated token is kept where the gateway finds it.
    user.run(&["accounts", "test", "default"]).ends_well();
    user.run(&["accounts", "test", "default"]).ends_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_the_configuration_or_one_that_differs_by_case_alone_is_not_given_again() {
    let (user, _) = User::with_account("Work").await;
    let issued = user.sim.issue_social();
    let file = user.path("login.json");
    std::fs::write(&file, cache_of(&issued)).unwrap();
    let token = issued.refresh_token.as_deref().unwrap();
    let user = user.with("REFRESH_TOKEN", token);
    let path = file.to_str().unwrap();
    for (name, words) in [
        ("default", "the configuration has an account `default`"),
        ("Default", "the configuration has an account `default`"),
        ("work", "there is an account `Work` already"),
    ] {
        for replace in [&[][..], &["--replace"]] {
            let add = [&["accounts", "add", name], replace].concat();
            user.run_with(&add, token).fails_with(words);
            let import = [&["accounts", "import", path, "--name", name], replace].concat();
            user.run(&import).fails_with(words);
            let login = [&["login", "--name", name], replace].concat();
            user.run(&login).fails_with(words);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_accounts_the_one_that_is_dead_is_named() {
    let (user, dead) = User::with_account("dead").await;
    user.add("alive", &user.sim.issue_api_key().access_token);
    user.sim.revoke(dead.account);
    let done = user.run(&["accounts", "test", "--json"]);
    assert_eq!(done.code, Some(1));
    let report = done.json();
    let findings = report["findings"].as_array().unwrap().iter();
    let problems: Vec<&Value> = findings.filter(|one| one["level"] == "problem").collect();
    assert_eq!(problems.len(), 1, "{report:#}");
    assert_eq!(problems[0]["about"], "account dead");
    user.run(&["accounts", "test", "alive"]).ends_well();
    user.run(&["accounts", "test", "other"])
        .fails_with("there are dead, alive");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_list_is_named() {
    let (user, _) = User::with_account("one").await;
    let list = user.path(".local/state/kiro-2api/accounts.json");
    std::fs::write(&list, "[{").unwrap();
    user.run(&["accounts", "list"])
        .fails_with(list.to_str().unwrap());
    let done = user.run(&["doctor", "--offline"]);
    assert_eq!(done.code, Some(1));
    assert!(done.out.contains("accounts.json"), "{done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_cannot_be_read_costs_its_accounts_and_is_named() {
    let user = User::new().await;
    let list = user.path(".local/state/kiro-2api/accounts.json");
    std::fs::create_dir_all(&list).unwrap();
    let token = user.sim.issue_social().refresh_token.unwrap();
    let user = user.with("REFRESH_TOKEN", &token);
    let done = user.run(&["accounts", "test"]);
    assert!(done.err.contains("saved accounts are not used"), "{done:?}");
    assert!(done.err.contains(list.to_str().unwrap()), "{done:?}");
    done.ends_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_of_the_operators_counts_and_one_that_is_none_is_refused() {
    let user = User::new().await;
    let key = user.sim.issue_api_key().access_token;
    let arguments = ["accounts", "add", "eu", "--region", "eu-central-1"];
    user.run_with(&arguments, &key).ends_well();
    let list = user.run(&["accounts", "list", "--json"]).json();
    assert_eq!(list["accounts"][0]["region"], "eu-central-1");
    let arguments = ["accounts", "add", "bad", "--region", "evil.example/"];
    user.run_with(&arguments, &key).fails_with("region");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_rotated_is_saved_before_ctrl_c_ends_a_command() {
    let (user, issued) = User::with_account("work").await;
    let before = issued.refresh_token.as_ref().unwrap();
    user.sim
        .fail_sign_in(SignInFault::Delayed(Duration::from_secs(2)));
    let mut command = user.command(&["accounts", "test", "work"]);
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    user.sim
        .wait_for_requests(1, Duration::from_secs(60))
        .await
        .unwrap();
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &id]).status();
    assert!(sent.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let login = std::fs::read_to_string(user.login_file("work")).unwrap();
    assert!(!login.contains(before), "the new token is not in the file");
    user.run(&["accounts", "test", "work"]).ends_well();
}
