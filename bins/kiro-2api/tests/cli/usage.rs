//! `kiro-2api usage`, which `accounts quota` is too.

use super::bench::Gateway;
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn used_limit_and_reset_of_every_account() {
    let (user, issued) = User::with_account("work").await;
    let key = user.sim.issue_api_key();
    user.add("key", &key.access_token);
    user.sim.set_credits_used(issued.account, 12.5);
    for command in [&["usage"][..], &["accounts", "quota"]] {
        let table = user.run(command).ends_well();
        let line = table.lines().find(|line| line.starts_with("work "));
        let line = line.unwrap_or_else(|| panic!("{table}"));
        for words in ["KIRO PRO", "Credits", "12.50", "1000.00", "2026-11-01T"] {
            assert!(line.contains(words), "{line}");
        }
        assert!(table.contains("\nkey "), "{table}");
    }
    let document = user.run(&["usage", "work", "--json"]).json();
    let accounts = document["accounts"].as_array().unwrap();
    assert_eq!(accounts.len(), 1);
    assert_eq!(accounts[0]["remaining"], 987.5);
    assert_eq!(accounts[0]["resources"][0]["used"], 12.5);
    assert_eq!(accounts[0]["resets_at"], "2026-11-01T00:00:00Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_cannot_be_asked_does_not_hide_the_others() {
    let (user, issued) = User::with_account("work").await;
    user.add("key", &user.sim.issue_api_key().access_token);
    user.sim.suspend(issued.account, true);
    let done = user.run(&["usage"]);
    assert_eq!(done.code, Some(1));
    assert!(done.out.contains("\nkey "), "{done:?}");
    assert!(done.err.contains("work: "), "{done:?}");
    assert!(done.err.contains("only its provider"), "{done:?}");
    let document = user.run(&["usage", "--json"]).json();
    assert!(document["accounts"][0]["error"].is_string());
    assert!(document["accounts"][0]["remedy"].is_string());
    assert!(document["accounts"][1]["remaining"].is_number());
    user.run(&["usage", "nobody"])
        .fails_with("there is no account `nobody`");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_gateway_tells_what_serves_the_key_and_to_its_operator_all() {
    let (user, issued) = User::with_account("work").await;
    user.sim.set_credits_used(issued.account, 12.5);
    let mut user = user.with("KIRO_2API_ADMIN__KEY", "admin-0123456789abcdef");
    let gateway = Gateway::of(&user);
    let asking = ["usage", "--gateway", &gateway.url];
    let table = user.run(&asking).ends_well();
    for words in ["KIRO PRO", "Credits", "12.50", "1000.00", "2026-11-01T"] {
        assert!(table.contains(words), "{table}");
    }
    let document = user.run(&[&asking[..], &["--json"]].concat()).json();
    assert_eq!(document["accounts"][0]["quota"]["used"], 12.5);

    user = user.without("KIRO_2API_ADMIN__KEY");
    let table = user.run(&asking).ends_well();
    assert!(table.contains("all that serve the key"), "{table}");
    assert!(table.contains("12.50"), "{table}");
    let document = user.run(&[&asking[..], &["--json"]].concat()).json();
    assert_eq!(document["remaining"], 987.5);

    user = user.without("PROXY_API_KEY");
    user.run(&asking).fails_with("set PROXY_API_KEY");
    user = user.with("PROXY_API_KEY", "sk-another-0123456789");
    user.run(&asking).fails_with("Incorrect API key");
    user.run(&["usage", "--gateway", "localhost"])
        .fails_with("no address of a gateway");
}
