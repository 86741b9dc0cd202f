//! Every example does what it says, against the simulator.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use kiro_auth::{Credential, Login};
use kiro_sim::{Matcher, Script, SimOptions, Simulator};

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
    let mut embed = Command::new(env!("CARGO_BIN_EXE_embed"))
        .env("REFRESH_TOKEN", sim.issue_social().refresh_token.unwrap())
        .env("KIRO_ENDPOINT", sim.base_url())
        .env("PROXY_API_KEY", "0123456789abcdef")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(embed.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let address = line.trim().rsplit('/').next().unwrap();
    let get = |head: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "{head}\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer 0123456789abcdef\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    let (mine, theirs) = (get("GET /mine HTTP/1.1"), get("GET /v1/models HTTP/1.1"));
    embed.kill().unwrap();
    embed.wait().unwrap();
    assert!(mine.ends_with("a route of my own\n"), "{mine}");
    assert!(theirs.contains("claude-sonnet-4-5"), "{theirs}");
}
