//! What the log says of a request: its id in every line, and the status that was sent. In a program of its own,
//! because the log is the process's.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderValue, Method};
use http_body_util::BodyExt as _;
use kiro_sim::{Matcher, Operation, Playback, Script, SimOptions};
use serde_json::json;
use support::{House, streamed, whole};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// Takes what this thread logs as long as the guard lives.
    fn collect(&self) -> tracing::subscriber::DefaultGuard {
        let writer = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_env_filter("kiro_gateway=trace")
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[tokio::test]
async fn every_line_about_a_request_has_its_id() {
    let lines = Lines::default();
    let _guard = lines.collect();
    let house = House::start().await;
    let broken = Script::new().text("One ").fault_frame(
        "internalServerException",
        json!({"message": "Something went wrong."}),
    );
    let breaks = Matcher::any().text_contains("break");
    house.sim.script(breaks, broken);
    for (n, body) in [
        streamed("hi"),
        whole("hi"),
        streamed("break"),
        whole("break"),
        json!({}),
    ]
    .iter()
    .enumerate()
    {
        let mut request = house.request(Method::POST, "/v1/chat/completions", body.to_string());
        let id = HeaderValue::from_str(&format!("mine-{n}")).unwrap();
        request.headers_mut().insert("x-request-id", id);
        house.ask(request).await;
    }
    let logged = lines.text();
    for n in 0..5 {
        let ours = format!("request{{request_id=mine-{n}}}");
        let exchange = |line: &&str| line.contains(&ours) && line.contains("exchange");
        assert_eq!(logged.lines().filter(exchange).count(), 1, "{n}: {logged}");
    }
    for line in logged.lines() {
        assert!(line.contains("request_id=mine-"), "{line}");
    }
    assert!(logged.contains("the stream ends with an error"), "{logged}");
}

#[tokio::test]
async fn the_status_in_the_log_is_the_one_that_was_sent() {
    let lines = Lines::default();
    let _guard = lines.collect();
    let house = House::with(SimOptions::default(), |options| {
        options.upstream.max_retries = 0;
    })
    .await;
    let asked = |text: &str, stream: bool| {
        json!({"model": "claude-sonnet-4-5", "max_tokens": 100, "stream": stream,
               "messages": [{"role": "user", "content": text}]})
    };
    let (messages, chat) = ("/v1/messages", "/v1/chat/completions");
    let no_capacity = "sim:error=429,INSUFFICIENT_MODEL_CAPACITY";
    for (n, (path, body, status, ending)) in [
        (messages, asked("hi", true), 200, "complete"),
        (messages, asked("hi", false), 200, "complete"),
        (messages, json!({}), 400, "failed"),
        (messages, asked("sim:cut", true), 200, "failed"),
        (messages, asked("sim:cut", false), 502, "failed"),
        (messages, asked(no_capacity, true), 529, "failed"),
        (messages, asked(no_capacity, false), 529, "failed"),
        (chat, asked(no_capacity, false), 503, "failed"),
        // The last ones, because the account has no quota left.
        (messages, asked("sim:error=402", false), 402, "failed"),
        (messages, asked("hi", true), 402, "failed"),
        (chat, asked("hi", true), 429, "failed"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut request = house.request(Method::POST, path, body.to_string());
        let id = HeaderValue::from_str(&format!("mine-{n}.")).unwrap();
        request.headers_mut().insert("x-request-id", id);
        let (head, body) = house.send(request).await.into_parts();
        body.collect().await.unwrap();
        assert_eq!(head.status, status, "{n}");
        let logged = lines.text();
        let of_it = |line: &&str| line.contains(&format!("mine-{n}.")) && line.contains("events=");
        let line = logged.lines().find(of_it).unwrap();
        let said = format!(r#"status={status} ending="{ending}""#);
        assert!(line.contains(&said), "{said} in {line}");
    }
}

/// A service that repeats what it was sent, when it refuses an attempt or a small call.
#[tokio::test]
async fn what_the_service_repeats_of_a_token_is_not_logged() {
    let token = "aoaAAAAAGkTn3secretsecretsecret:MGUCMQDsignature";
    let lines = Lines::default();
    let _guard = lines.collect();
    let house = House::start().await;
    let body = json!({"message": format!("The token {token} is not liked.")}).to_string();
    for operation in [Operation::Generate, Operation::GetUsageLimits] {
        let mut refusal = Playback::new(400);
        refusal.pieces.push((Duration::ZERO, body.clone().into()));
        for _ in 0..3 {
            house.sim.play_back(operation, refusal.clone());
        }
    }
    house.chat(&whole("hi")).await;
    house.get("/v1/usage").await;
    let logged = lines.text();
    for told in ["attempt failed", "what is left of a quota"] {
        assert!(logged.contains(told), "{told}: {logged}");
    }
    assert!(!logged.contains("secretsecret"), "{logged}");
}
