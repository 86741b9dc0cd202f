//! `kiro-2api doctor`.

use kiro_sim::Operation;

use super::*;

/// The findings of one level.
fn of_level(report: &Value, level: &str) -> Vec<Value> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .filter(|finding| finding["level"] == level)
        .cloned()
        .collect()
}

/// The one problem that there is, and its remedy.
fn the_problem(done: &Done) -> (String, String) {
    assert_eq!(done.code, Some(1), "{done:?}");
    let report = done.json();
    assert_eq!(report["ok"], false);
    let problems = of_level(&report, "problem");
    assert_eq!(problems.len(), 1, "{report:#}");
    let text = |name: &str| problems[0][name].as_str().unwrap().to_owned();
    (text("says"), text("remedy"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_works_is_all_right_and_no_secret_is_shown() {
    let (user, issued) = User::with_account("work").await;
    let secrets = secrets_of(&issued);
    let done = user.run(&["doctor"]).hides(&secrets).hides(&[KEY]);
    let text = done.ends_well();
    for words in [
        "account work",
        "social, from ",
        "can be refreshed",
        "region us-east-1",
        "has an access token good until",
        "KIRO PRO, 1000.00 credits left",
        "`auto` answered a test prompt",
        "answers after",
        "clock",
        "All right; 0 warnings.",
    ] {
        assert!(text.contains(words), "`{words}` is not in {text}");
    }
    let report = user.run(&["doctor", "--json"]).hides(&secrets).json();
    assert_eq!(report["ok"], true);
    assert!(of_level(&report, "problem").is_empty());
    assert!(of_level(&report, "ok").len() > 8, "{report:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_at_its_most_talkative_holds_no_secret() {
    let (user, issued) = User::with_account("work").await;
    let user = user.with("LOG_LEVEL", "trace");
    let done = user.run(&["doctor"]).hides(&secrets_of(&issued));
    assert!(done.err.contains("TRACE"), "{done:?}");
    // The tokens of the first refresh are the ones in the file.
    let login = std::fs::read_to_string(user.login_file("work")).unwrap();
    let login: Value = serde_json::from_str(&login).unwrap();
    let tokens = ["accessToken", "refreshToken"].map(|name| login[name].as_str().unwrap());
    done.hides(&tokens).ends_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_account_or_a_key_it_says_how_to_get_one() {
    let user = User::new().await.without("PROXY_API_KEY");
    let done = user.run(&["doctor"]);
    assert_eq!(done.code, Some(1));
    for words in [
        "PROBLEM  key for callers",
        "openssl rand -hex 24",
        "PROBLEM  accounts",
        "kiro-2api login",
        "2 problems",
    ] {
        assert!(done.out.contains(words), "`{words}` is not in {done:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_token_is_a_problem_with_the_login_as_its_remedy() {
    let (user, issued) = User::with_account("work").await;
    user.sim.revoke(issued.account);
    let done = user.run(&["doctor", "--json"]).hides(&secrets_of(&issued));
    let (_, remedy) = the_problem(&done);
    assert!(
        remedy.contains("kiro-2api login --name work --replace"),
        "{remedy}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_account_and_one_without_credits_are_told_apart() {
    let (user, issued) = User::with_account("work").await;
    user.sim.set_credits_used(issued.account, 1000.0);
    let done = user.run(&["doctor", "--no-prompt", "--json"]);
    let (says, remedy) = the_problem(&done);
    assert!(says.contains("no credits left, full again at"), "{says}");
    assert!(remedy.contains("wait for the reset"), "{remedy}");

    user.sim.set_credits_used(issued.account, 0.0);
    user.sim.suspend(issued.account, true);
    let done = user.run(&["doctor", "--no-prompt", "--json"]);
    let (says, remedy) = the_problem(&done);
    assert!(says.contains("suspended"), "{says}");
    assert!(remedy.contains("only its provider"), "{remedy}");
}

#[tokio::test(flavor = "multi_thread")]
async fn offline_nobody_is_asked() {
    let (user, _) = User::with_account("work").await;
    user.sim.forget_requests();
    let text = user.run(&["doctor", "--offline"]).ends_well();
    assert!(text.contains("account work"), "{text}");
    assert!(!text.contains("answers after"), "{text}");
    assert!(user.sim.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_nobody_answers_at_is_a_problem_of_the_network() {
    let (user, issued) = User::with_account("work").await;
    // The token is good, so that nothing has to be refreshed.
    user.run(&["accounts", "test", "work"]).ends_well();
    let user = user
        .without("KIRO_2API_UPSTREAM__ENDPOINT")
        .with("KIRO_2API_UPSTREAM__ENDPOINT", "http://127.0.0.1:1");
    let done = user.run(&["doctor", "--no-prompt", "--json"]);
    let problems = of_level(&done.json(), "problem");
    let host = problems.iter().find(|problem| problem["about"] == "host");
    let host = host.unwrap_or_else(|| panic!("{problems:#?}"));
    assert!(host["says"].as_str().unwrap().contains("127.0.0.1"));
    assert!(host["remedy"].as_str().unwrap().contains("network"));
    done.hides(&secrets_of(&issued));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_configuration_is_a_finding_and_not_the_end() {
    let (user, _) = User::with_account("work").await;
    std::fs::write(user.path("kiro-2api.toml"), "[server]\nmax_boddy = 1").unwrap();
    let done = user.run(&["doctor", "--offline", "--json"]);
    assert_eq!(done.code, Some(1));
    let report = done.json();
    let problems = of_level(&report, "problem");
    let configuration = problems
        .iter()
        .find(|problem| problem["about"] == "configuration");
    let says = configuration.unwrap()["says"].as_str().unwrap();
    assert!(says.contains("did you mean `max_body`?"), "{says}");
    // What is on the machine is looked at all the same.
    assert!(report["findings"].as_array().unwrap().len() > 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_of_other_programs_are_found_and_unreadable_ones_are_said() {
    let user = User::new().await;
    let cache = user.path(".aws/sso/cache");
    std::fs::create_dir_all(&cache).unwrap();
    let issued = user.sim.issue_social();
    std::fs::write(cache.join("kiro-auth-token.json"), cache_of(&issued)).unwrap();
    std::fs::write(cache.join("kiro-auth-token-cli.json"), "{\"broken").unwrap();
    let report = user.run(&["doctor", "--json"]).hides(&secrets_of(&issued));
    let report = report.json();
    let note = &of_level(&report, "note")[0];
    assert_eq!(note["about"], "Kiro's IDE");
    let warning = &of_level(&report, "warning")[0];
    assert!(warning["says"].as_str().unwrap().contains("-cli.json"));
    // It is not used before somebody says so.
    let problem = &of_level(&report, "problem")[0];
    assert!(
        problem["says"]
            .as_str()
            .unwrap()
            .contains("KIRO_2API_DISCOVER=true")
    );
    assert!(user.sim.requests_for(Operation::Generate).is_empty());

    let user = user.with("KIRO_2API_DISCOVER", "true");
    let text = user.run(&["doctor"]).ends_well();
    assert!(text.contains("account found"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_profile_of_an_organisation_is_found_by_the_test_prompt() {
    let user = User::new().await;
    let issued = user.sim.issue(CredentialKind::IdentityCenter);
    let arn = issued.profile_arn.as_deref().unwrap();
    let mut login: Value = serde_json::from_str(&cache_of(&issued)).unwrap();
    login["startUrl"] = "https://d-1234567890.awsapps.com/start".into();
    login.as_object_mut().unwrap().remove("profileArn");
    user.add("org", &login.to_string());
    let text = user
        .run(&["doctor"])
        .hides(&secrets_of(&issued))
        .ends_well();
    assert!(text.contains("profile will be asked for"), "{text}");
    let (_, profile) = arn.rsplit_once(':').unwrap();
    let found = text
        .lines()
        .find(|line| line.contains("its profile was found"));
    assert!(found.unwrap().ends_with(profile), "{text}");
    // Neither the number of the account is shown.
    assert!(!text.contains(arn), "{text}");
}
