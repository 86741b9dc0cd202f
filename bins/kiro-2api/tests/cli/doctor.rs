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
async fn the_remedy_has_the_options_that_the_login_takes() {
    let user = User::new().await;
    let dead = |issued: &IssuedCredential, start_url: Option<&str>| {
        let mut login: Value = serde_json::from_str(&cache_of(issued)).unwrap();
        if let Some(url) = start_url {
            (login["startUrl"], login["region"]) = (url.into(), "eu-west-1".into());
        }
        user.sim.revoke(issued.account);
        login.to_string()
    };
    let url = "https://d-1234567890.awsapps.com/start";
    let (social, builder) = (user.sim.issue_social(), user.sim.issue_oidc());
    let org = user.sim.issue(CredentialKind::IdentityCenter);
    user.add("social", &dead(&social, None));
    user.add("builder", &dead(&builder, None));
    user.add("org", &dead(&org, Some(url)));
    let key = user.sim.issue_api_key();
    user.sim.revoke(key.account);
    user.add("key", &key.access_token);
    let report = user.run(&["doctor", "--no-prompt", "--json"]).json();
    let problems = of_level(&report, "problem");
    for (about, words) in [
        (
            "account social",
            "login --name social --replace --social google` (or `github`)".to_owned(),
        ),
        (
            "account builder",
            "login --name builder --replace`".to_owned(),
        ),
        (
            "account org",
            format!("login --name org --replace --idc {url} --region eu-west-1`"),
        ),
        ("account key", "accounts add key --replace <".to_owned()),
    ] {
        let problem = problems.iter().find(|problem| problem["about"] == about);
        let problem = problem.unwrap_or_else(|| panic!("no {about} in {report:#}"));
        let remedy = problem["remedy"].as_str().unwrap();
        assert!(remedy.contains(&words), "{about}: {remedy}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_remedy_of_a_configured_account_is_in_the_configuration() {
    let user = User::new().await;
    let issued = user.sim.issue_social();
    user.sim.revoke(issued.account);
    let file = user.path("of-the-ide.json");
    std::fs::write(&file, cache_of(&issued)).unwrap();
    let toml = format!("[[account]]\nname = \"work\"\nfile = {file:?}\n");
    std::fs::write(user.path("kiro-2api.toml"), toml).unwrap();
    let done = user.run(&["doctor", "--json"]).hides(&secrets_of(&issued));
    let (_, remedy) = the_problem(&done);
    let program = format!("in the program that {} belongs to", file.display());
    assert!(remedy.contains(&program), "{remedy}");
    assert!(
        remedy.contains("take the account `work` out of the configuration"),
        "{remedy}"
    );
    assert!(!remedy.contains("--replace"), "{remedy}");

    std::fs::remove_file(user.path("kiro-2api.toml")).unwrap();
    let token = issued.refresh_token.as_deref().unwrap();
    let user = user.with("REFRESH_TOKEN", token);
    let done = user.run(&["usage", "--json"]).hides(&secrets_of(&issued));
    let remedy = done.json()["accounts"][0]["remedy"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        remedy.contains("put a new refresh token in the place of the old one"),
        "{remedy}"
    );
    assert!(
        remedy.contains("`kiro-2api check`") && !remedy.contains("--replace"),
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
