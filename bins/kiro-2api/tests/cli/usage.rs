//! `kiro-2api usage`, which `accounts quota` is too.

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
