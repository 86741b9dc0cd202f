//! Whatever is logged for a request has its id. In a program of its own, because the log is the process's.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::io::Write;
use std::sync::{Arc, Mutex};

use http::{HeaderValue, Method};
use kiro_sim::{Matcher, Script};
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

#[tokio::test]
async fn every_line_about_a_request_has_its_id() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_env_filter("kiro_gateway=trace")
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
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
    let logged = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
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
