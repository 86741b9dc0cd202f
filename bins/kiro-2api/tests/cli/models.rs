//! `kiro-2api models`.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_models_are_a_table_and_a_list() {
    let (user, _) = User::with_account("work").await;
    let table = user.run(&["models"]).ends_well();
    let mut lines = table.lines();
    assert!(lines.next().unwrap().starts_with("MODEL "), "{table}");
    let opus = lines.find(|line| line.starts_with("claude-opus-4.8 "));
    let opus = opus.unwrap_or_else(|| panic!("{table}"));
    for words in ["1M", "128k", "images", "effort none|low"] {
        assert!(opus.contains(words), "{opus}");
    }
    let list = user.run(&["models", "--account", "work", "--json"]).json();
    let models = list["data"].as_array().unwrap();
    assert_eq!(models.len() + 1, table.lines().count());
    assert!(models.iter().any(|model| model["id"] == "auto"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_ask_is_told_why() {
    let user = User::new().await;
    user.run(&["models"]).fails_with("kiro-2api login");
    let (user, issued) = User::with_account("work").await;
    user.sim.revoke(issued.account);
    user.run(&["models"]).fails_with("error");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_always_work_are_listed_with_a_warning_where_the_list_is_refused() {
    let (user, issued) = User::with_account("work").await;
    user.sim.suspend(issued.account, true);
    let done = user.run(&["models"]);
    assert!(
        done.err.contains("list of models could not be fetched"),
        "{done:?}"
    );
    let table = done.ends_well();
    assert!(table.contains("\nclaude-sonnet-4-5 "), "{table}");
    assert!(!table.contains("claude-opus-4.8"), "{table}");
}
