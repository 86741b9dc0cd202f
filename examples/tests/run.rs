//! Every example does what it says, against the simulator.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use kiro_auth::{Credential, Login};
use kiro_sim::{Matcher, Script, SimOptions, Simulator};
use serde_json::{Value, json};

const KEY: &str = "0123456789abcdef";

/// An example that serves. It is stopped with the test.
struct Serving {
    program: Child,
    address: String,
    /// What it said before its address.
    before: String,
    key: &'static str,
}

impl Serving {
    fn start(command: &mut Command) -> Self {
        let mut program = command.stdout(Stdio::piped()).spawn().unwrap();
        let (mut before, mut address) = (String::new(), None);
        let lines = BufReader::new(program.stdout.take().unwrap()).lines();
        for line in lines {
            let line = line.unwrap();
            address = line.strip_prefix("listening on http://").map(str::to_owned);
            if address.is_some() {
                break;
            }
            before += &line;
        }
        Self {
            program,
            address: address.expect("it says where it listens"),
            before,
            key: KEY,
        }
    }

    fn ask(&self, head: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "{head}\r\nhost: x\r\nconnection: close\r\n\r\n{body}"
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    fn get(&self, path: &str) -> String {
        let key = self.key;
        let head = format!("GET {path} HTTP/1.1\r\nauthorization: Bearer {key}");
        self.ask(&head, "")
    }

    fn generate(&self, body: &str) -> String {
        let (key, length) = (self.key, body.len());
        let head = format!(
            "POST /api/generate HTTP/1.1\r\nauthorization: Bearer {key}\r\ncontent-length: {length}"
        );
        self.ask(&head, body)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may be over already.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

async fn simulator() -> Simulator {
    let sim = Simulator::start(SimOptions::default()).await.unwrap();
    sim.script(
        Matcher::any(),
        Script::new().text("Forty-").text("two.").stop("END_TURN"),
    );
    sim
}

#[test]
fn decode_capture_prints_the_text_and_the_end() {
    let hex = include_str!("../../crates/kiro-protocol/tests/data/streams/sample-tool-call.hex");
    let lines = hex.lines().filter(|line| !line.starts_with('#'));
    let digits: Vec<u8> = lines
        .flat_map(str::bytes)
        .filter(u8::is_ascii_hexdigit)
        .collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let file = std::env::temp_dir().join(format!("capture-{}.bin", std::process::id()));
    std::fs::write(&file, digits.chunks(2).map(byte).collect::<Vec<u8>>()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_decode_capture"))
        .arg(&file)
        .output()
        .unwrap();
    std::fs::remove_file(&file).unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("[tool read_file: {"), "{text}");
    assert!(text.trim_end().ends_with("(ToolUse)"), "{text}");
}

#[test]
fn sign_in_says_what_to_open_and_saves_a_login() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("login.json");
    let sign_in = |file: &Path| {
        Command::new(env!("CARGO_BIN_EXE_sign_in"))
            .arg("--simulate")
            .arg(file)
            .args(["https://d-1234567890.awsapps.com/start", "eu-west-1"])
            .output()
            .unwrap()
    };
    let output = String::from_utf8(sign_in(&file).stdout).unwrap();
    let page = "open    https://d-1234567890.awsapps.com/start/#/device?user_code=";
    assert!(output.starts_with(page), "{output}");
    assert!(output.contains("saved   identity-center in"), "{output}");
    let text = std::fs::read_to_string(&file).unwrap();
    let credential = Credential::from_json(&text).unwrap();
    assert_eq!(credential.login, Login::IdentityCenter);
    assert!(credential.refresh_token.is_some() && credential.client_secret.is_some());

    assert!(
        !sign_in(&file).status.success(),
        "a login is not overwritten"
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[tokio::test(flavor = "multi_thread")]
async fn ask_prints_the_answer() {
    let sim = simulator().await;
    let output = Command::new(env!("CARGO_BIN_EXE_ask"))
        .arg("What is the answer?")
        .env("REFRESH_TOKEN", sim.issue_social().refresh_token.unwrap())
        .env("KIRO_ENDPOINT", sim.base_url())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "Forty-two.\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn embed_serves_its_own_route_and_the_gateways() {
    let sim = simulator().await;
    let embed = Serving::start(
        Command::new(env!("CARGO_BIN_EXE_embed"))
            .env("REFRESH_TOKEN", sim.issue_social().refresh_token.unwrap())
            .env("KIRO_ENDPOINT", sim.base_url())
            .env("PROXY_API_KEY", KEY),
    );
    let (mine, theirs) = (embed.get("/mine"), embed.get("/v1/models"));
    assert!(mine.ends_with("a route of my own\n"), "{mine}");
    assert!(theirs.contains("claude-sonnet-4-5"), "{theirs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refresh_once_saves_what_was_rotated_and_keeps_the_rest() {
    let sim = simulator().await;
    let login = sim.issue_social();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("login.json");
    let sent = login.refresh_token.unwrap();
    let text = format!(r#"{{"refreshToken":"{sent}","authMethod":"social","mine":[1,2]}}"#);
    std::fs::write(&file, text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_refresh_once"))
        .arg(&file)
        .env("KIRO_ENDPOINT", sim.base_url())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("Social: good for 3"), "{said}");
    assert_eq!(sim.refreshes(login.account), 2);
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(kept["mine"], json!([1, 2]));
    let kept = kept["refreshToken"].as_str().unwrap();
    assert_eq!(sim.owner_of_refresh_token(kept), Some(login.account));
}

#[tokio::test(flavor = "multi_thread")]
async fn custom_store_keeps_its_promises() {
    let sim = simulator().await;
    let login = sim.issue_social();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("login.json");
    let sent = login.refresh_token.unwrap();
    std::fs::write(&file, format!(r#"{{"refreshToken":"{sent}","mine":1}}"#)).unwrap();
    let run = || {
        Command::new(env!("CARGO_BIN_EXE_custom_store"))
            .arg(format!("cat {}", file.display()))
            .arg(format!("tee {}", file.display()))
            .env("KIRO_ENDPOINT", sim.base_url())
            .output()
            .unwrap()
    };
    let said = String::from_utf8(run().stdout).unwrap();
    assert!(said.starts_with("until Some("), "{said}");
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(kept["mine"], 1);
    let token = kept["refreshToken"].as_str().unwrap();
    assert_eq!(sim.owner_of_refresh_token(token), Some(login.account));
    // What was saved is used the next time.
    assert!(run().status.success());
    assert_eq!(sim.refreshes(login.account), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn your_own_surface_answers_in_its_own_words() {
    let sim = simulator().await;
    let mut serving = Serving::start(
        Command::new(env!("CARGO_BIN_EXE_your_own_surface"))
            .env("REFRESH_TOKEN", sim.issue_social().refresh_token.unwrap())
            .env("KIRO_ENDPOINT", sim.base_url())
            .env("PROXY_API_KEY", KEY),
    );
    let streamed = serving.generate(r#"{"model":"claude-sonnet-4.5","prompt":"?"}"#);
    assert!(
        streamed.contains("content-type: application/x-ndjson"),
        "{streamed}"
    );
    for line in [
        r#"{"response":"Forty-","done":false}"#,
        r#"{"response":"two.","done":false}"#,
        r#"{"response":"","done":true}"#,
    ] {
        assert!(streamed.contains(line), "{streamed}");
    }
    let whole = serving.generate(r#"{"model":"claude-sonnet-4.5","prompt":"?","stream":false}"#);
    assert!(
        whole.ends_with("{\"response\":\"Forty-two.\",\"done\":true}\n"),
        "{whole}"
    );
    let refused = serving.generate(r#"{"model":"claude-sonnet-4.5"}"#);
    assert!(refused.starts_with("HTTP/1.1 400"), "{refused}");
    assert!(
        refused.ends_with(r#"{"error":"'prompt' must be a string."}"#),
        "{refused}"
    );
    let unknown = serving.generate(r#"{"model":"gpt-2","prompt":"?"}"#);
    assert!(
        unknown.starts_with("HTTP/1.1 404") && unknown.contains("{\"error\":"),
        "{unknown}"
    );
    serving.key = "a wrong key, which is long";
    let stranger = serving.generate(r#"{"model":"claude-sonnet-4.5","prompt":"?"}"#);
    assert!(
        stranger.starts_with("HTTP/1.1 401") && stranger.contains("{\"error\":"),
        "{stranger}"
    );
}

#[test]
fn demo_prints_a_question_that_is_answered() {
    let serving = Serving::start(&mut Command::new(env!("CARGO_BIN_EXE_demo")));
    let command: Vec<&str> = serving.before.split('\'').collect();
    let (authorization, body) = (command[1], command[3]);
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\n{authorization}\r\ncontent-length: {}",
        body.len()
    );
    let answer = serving.ask(&request, body);
    assert!(answer.contains("Six by nine, forty-two."), "{answer}");
}

#[test]
fn every_example_is_short_enough_to_copy() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines < 100, "{}: {lines} lines", path.display());
    }
}
