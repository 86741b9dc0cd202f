//! Help that teaches, completions, and what needs no configuration.

use super::*;

const COMMANDS: [&str; 13] = [
    "serve",
    "login",
    "accounts",
    "doctor",
    "chat",
    "models",
    "usage",
    "check",
    "key",
    "demo",
    "sim",
    "bench",
    "completions",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_command_has_help_and_most_have_examples() {
    // A broken configuration is in nobody's way.
    let user = User::new()
        .await
        .with("KIRO_2API_SERVER__LISTEN", "nowhere");
    let all = user.run(&["--help"]).ends_well();
    assert!(all.contains("Examples:"), "{all}");
    for command in COMMANDS {
        assert!(all.contains(&format!("\n  {command} ")), "{command}: {all}");
        let help = user.run(&[command, "--help"]).ends_well();
        assert!(help.contains("Usage: kiro-2api"), "{help}");
        if !["key", "demo", "sim"].contains(&command) {
            assert!(help.contains("Examples:"), "{command}: {help}");
        }
    }
    assert!(
        user.run(&["--version"])
            .ends_well()
            .contains("kiro-2api 0.")
    );
    for command in ["add", "import", "list", "remove", "test", "quota"] {
        user.run(&["accounts", command, "--help"]).ends_well();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shell_has_completions_that_know_the_commands() {
    let user = User::new().await;
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = user.run(&["completions", shell]).ends_well();
        for command in COMMANDS {
            assert!(script.contains(command), "{shell} {command}");
        }
    }
    let done = user.run(&["completions", "tcsh"]);
    assert_eq!(done.code, Some(2), "{done:?}");
    assert!(done.err.contains("bash, elvish, fish, powershell, zsh"));
    // The shell understands what is meant for it.
    let script = user.run(&["completions", "bash"]).ends_well();
    let file = user.path("completions");
    std::fs::write(&file, script).unwrap();
    let mut bash = Command::new("bash");
    assert!(bash.arg("-n").arg(&file).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_does_not_exist_is_named_with_the_one_that_is_meant() {
    let done = User::new().await.run(&["docter"]);
    assert_eq!(done.code, Some(2));
    assert!(done.err.contains("doctor"), "{done:?}");
}
