//! What was spent of budgets, over the ends of processes.

use super::*;

/// A simulator whose answers cost 0.2 credits, and a folder with a budget of less than two answers.
async fn with_budget(tables: &str) -> (Simulator, tempfile::TempDir) {
    let (sim, folder) = (simulator().await, tempfile::tempdir().unwrap());
    let budget = "[limits]\ncredits_per_month = 0.3";
    let tables = format!("{budget}\n{tables}");
    configure(folder.path(), &sim, &with_account(&sim), &tables);
    sim.script(Matcher::any(), Script::new().text("Hi").credits(0.2));
    (sim, folder)
}

fn serve(folder: &Path) -> Logged {
    Logged::serve(folder, "127.0.0.1:0", &[])
}

fn credit_file(folder: &Path) -> PathBuf {
    folder.join(".local/state/kiro-2api/credits.json")
}

/// Waits until the file holds words.
fn file_until(folder: &Path, words: &str) {
    let begun = Instant::now();
    loop {
        let text = fs::read_to_string(credit_file(folder)).unwrap_or_default();
        if text.contains(words) {
            return;
        }
        assert!(begun.elapsed() < SOON, "no `{words}` in {text}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_survives_an_end_in_order_and_a_kill() {
    let (_sim, folder) = with_budget("").await;
    let first = serve(folder.path());
    assert_eq!(first.status(KEY), 200);
    first.send("-TERM");
    assert_eq!(first.ended(), Some(0));
    let text = fs::read_to_string(credit_file(folder.path())).unwrap();
    assert!(text.contains(r#""month":0.2"#), "{text}");
    assert!(!text.contains(KEY) && !text.contains("default"), "{text}");
    let mode = fs::metadata(credit_file(folder.path()))
        .unwrap()
        .permissions();
    assert_eq!(mode.mode() & 0o077, 0);

    let second = serve(folder.path());
    assert_eq!(second.status(KEY), 200);
    assert_eq!(second.status(KEY), 429);
    file_until(folder.path(), r#""month":0.4"#);
    second.send("-KILL");
    assert_eq!(second.ended(), None);
    assert_eq!(serve(folder.path()).status(KEY), 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_leaves_time_to_save_what_was_spent() {
    let (_sim, folder) =
        with_budget("[server]\ndrain_timeout = \"1h\"\ndrain_delay = \"1h\"").await;
    let gateway = serve(folder.path());
    assert_eq!(gateway.status(KEY), 200);
    gateway.send("-QUIT");
    assert_eq!(gateway.ended(), Some(131));
    let text = fs::read_to_string(credit_file(folder.path())).unwrap();
    assert!(text.contains(r#""month":0.2"#), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_in_one_folder_lose_nothing_of_each_other() {
    let (_sim, folder) = with_budget("").await;
    let (one, other) = (serve(folder.path()), serve(folder.path()));
    assert_eq!((one.status(KEY), other.status(KEY)), (200, 200));
    for gateway in [one, other] {
        gateway.send("-TERM");
        assert_eq!(gateway.ended(), Some(0));
    }
    file_until(folder.path(), r#""month":0.4"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_is_named_and_put_aside_and_a_reload_forgets_nothing() {
    let (sim, folder) = with_budget("").await;
    let file = credit_file(folder.path());
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    for broken in [&b"{\"version\":1,\"spe"[..], b"", b"\xff\xfe", b"[]"] {
        fs::write(&file, broken).unwrap();
        let gateway = serve(folder.path());
        assert_eq!(gateway.status(KEY), 200);
        let log = gateway.log_until("credits.json is broken", 1);
        assert!(log.contains("put aside as"), "{log}");
        let aside = fs::read(file.with_extension("json.broken")).unwrap();
        assert_eq!(aside, broken);
    }
    let gateway = serve(folder.path());
    assert_eq!(gateway.status(KEY), 200);
    // With another budget what was spent of the one before is not forgotten.
    let tables = "[limits]\ncredits_per_month = 0.15";
    let first = fs::read_to_string(folder.path().join("kiro-2api.toml")).unwrap();
    let (first, _) = first.split_once("\n[upstream]").unwrap();
    configure(folder.path(), &sim, first, tables);
    gateway.send("-HUP");
    gateway.log_until("the configuration was reloaded", 1);
    assert_eq!(gateway.status(KEY), 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_saved_is_saved_later_without_being_spent_again() {
    let (_sim, folder) = with_budget("").await;
    // Nobody can open a folder to lock it.
    let lock = credit_file(folder.path()).with_extension("lock");
    fs::create_dir_all(&lock).unwrap();
    let gateway = serve(folder.path());
    assert_eq!(gateway.status(KEY), 200);
    gateway.log_until("spent credits cannot be kept", 1);
    fs::remove_dir(&lock).unwrap();
    file_until(folder.path(), r#""month":0.2"#);
}
