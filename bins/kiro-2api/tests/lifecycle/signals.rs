//! How the process ends.

use super::*;

/// A gateway with an open stream that has no end.
async fn with_open_stream(
    tables: &str,
) -> (Simulator, tempfile::TempDir, Logged, BufReader<TcpStream>) {
    let (sim, folder) = (simulator().await, tempfile::tempdir().unwrap());
    configure(folder.path(), &sim, &with_account(&sim), tables);
    sim.script(Matcher::any(), Script::new().text("One ").hang());
    let logged = Logged::serve(folder.path(), "127.0.0.1:0", &[]);
    let stream = open_stream(logged.address);
    (sim, folder, logged, stream)
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_drain_deadline_streams_say_goodbye_and_it_ends_well() {
    let (_sim, _folder, logged, stream) =
        with_open_stream("[server]\ndrain_timeout = \"300ms\"").await;
    logged.send("-TERM");
    let rest = rest_of(stream);
    assert!(rest.contains("shutting down"), "{rest}");
    assert_eq!(logged.ended(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_at_once_and_so_does_a_quit() {
    let drain = "[server]\ndrain_timeout = \"1h\"";
    for (second, code) in [("-TERM", 143), ("-INT", 130), ("-QUIT", 131)] {
        let (_sim, _folder, logged, _stream) = with_open_stream(drain).await;
        logged.send("-TERM");
        logged.log_until("draining", 1);
        logged.send(second);
        assert_eq!(logged.ended(), Some(code), "{second}");
    }
    let (_sim, _folder, logged, _stream) = with_open_stream(drain).await;
    logged.send("-QUIT");
    assert_eq!(logged.ended(), Some(131));
}

#[tokio::test(flavor = "multi_thread")]
async fn also_in_an_end_at_once_a_rotated_token_is_saved() {
    let (sim, folder) = (simulator().await, tempfile::tempdir().unwrap());
    let credential = sim.issue_social();
    let file = credential_file(folder.path(), &credential);
    let first = format!("proxy_api_key = \"{KEY}\"\ncreds_file = \"{file}\"");
    configure(folder.path(), &sim, &first, "");
    let logged = Logged::serve(folder.path(), "127.0.0.1:0", &[]);
    sim.fail_sign_in(SignInFault::Delayed(Duration::from_secs(1)));
    let _caller = open_chat(logged.address, KEY, &question());
    sim.wait_until(|state| state.requests > 0, SOON)
        .await
        .unwrap();
    logged.send("-QUIT");
    assert_eq!(logged.ended(), Some(131));
    let saved: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_ne!(saved["refreshToken"], json!(credential.refresh_token));
}
