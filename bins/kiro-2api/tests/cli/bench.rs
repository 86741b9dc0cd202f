//! `kiro-2api bench`.

use std::net::{SocketAddr, TcpListener};
use std::process::Child;

use super::*;

/// A gateway that serves until the test ends.
pub(super) struct Gateway {
    process: Child,
    pub(super) url: String,
}

impl Gateway {
    pub(super) fn of(user: &User) -> Self {
        use std::io::{BufRead as _, BufReader};
        let mut command = user.command(&["serve", "--listen", "127.0.0.1:0"]);
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let url = lines.map(Result::unwrap).find_map(|line| {
            let (_, url) = line.split_once("Base URL for clients: ")?;
            Some(url.to_owned())
        });
        Self {
            process,
            url: url.unwrap(),
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An address at which nobody listens.
fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_counted_and_their_times_told() {
    let (user, _) = User::with_account("work").await;
    let gateway = Gateway::of(&user);
    let arguments = ["bench", &gateway.url, "-n", "20", "-c", "4", "--json"];
    let document = user.run(&arguments).json();
    assert_eq!(document["requests"], 20);
    assert_eq!(document["answers"], 20);
    assert_eq!(document["errors"], serde_json::json!({}));
    for what in ["first_token_ms", "total_ms"] {
        let at = |name: &str| document[what][name].as_f64().unwrap();
        assert!(0.0 < at("p50") && at("p50") <= at("p99") && at("p99") <= at("max"));
    }
    let text = user.run(&["bench", &gateway.url, "-n", "5"]).hides(&[KEY]);
    let text = text.ends_well();
    for words in ["5 requests in", "first token", "whole answer", "99 %", "#"] {
        assert!(text.contains(words), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_terminal_there_is_a_bar() {
    let (user, _) = User::with_account("work").await;
    let gateway = Gateway::of(&user);
    let mut terminal = user.terminal(&["bench", &gateway.url, "-n", "5", "-c", "1"]);
    terminal.exp_regex("[0-5]/5 ").unwrap();
    terminal.exp_string("5 requests in").unwrap();
    terminal.exp_eof().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_counted_by_their_status() {
    let (user, _) = User::with_account("work").await;
    let gateway = Gateway::of(&user);
    let user = user
        .without("PROXY_API_KEY")
        .with("PROXY_API_KEY", "another-key-0123456789");
    let done = user.run(&["bench", &gateway.url, "-n", "3", "--json"]);
    assert_eq!(done.code, Some(1));
    assert_eq!(done.json()["errors"]["status 401"], 3);
    let url = format!("http://{}", nobody());
    let done = user.run(&["bench", &url, "-n", "2"]);
    assert_eq!(done.code, Some(1));
    assert!(
        done.out.contains("failed: 2 times no connection"),
        "{done:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_arguments_are_refused() {
    let user = User::new().await;
    user.run(&["bench", "127.0.0.1:8000"])
        .fails_with("http://127.0.0.1:8000");
    assert_eq!(user.run(&["bench", "http://x", "-n", "0"]).code, Some(2));
    let user = user.without("PROXY_API_KEY");
    user.run(&["bench", "http://127.0.0.1:1"])
        .fails_with("PROXY_API_KEY is not set");
}
