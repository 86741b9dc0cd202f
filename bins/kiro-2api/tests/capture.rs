//! Captures of the program as people run it, and their replay.
//!
//! The captures in `tests/data/captures` were made by this test with `KIRO_2API_BLESS=1`.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use kiro_gateway::capture::Bundle;
use kiro_sim::{Matcher, Script, SimOptions, Simulator};
use serde_json::{Value, json};

const KEY: &str = "sk-capture-0123456789";

/// How long anything may take that should happen soon, on a machine that is busy.
const SOON: Duration = Duration::from_secs(60);

const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";
const RESPONSES: &str = "/v1/responses";

/// A simulator, and the program before it, in a folder of its own.
struct House {
    sim: Simulator,
    folder: tempfile::TempDir,
    child: Child,
    address: SocketAddr,
}

fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kiro-2api"));
    command.args(arguments).current_dir(folder).env_clear();
    command.env("HOME", folder).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl House {
    async fn start(capture: &str) -> Self {
        Self::limited(capture, "").await
    }

    /// `limit` is a line of the shell that takes something away from the program.
    async fn limited(capture: &str, limit: &str) -> Self {
        let sim = Simulator::start(SimOptions::default()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        configure(folder.path(), &sim, capture);
        let script = format!("{limit}\nexec \"$0\" serve --listen 127.0.0.1:0");
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_kiro-2api")]);
        command.current_dir(folder.path()).env_clear();
        command.env("HOME", folder.path()).stdout(Stdio::piped());
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let mut child = command.stderr(log).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        while !said.contains("Base URL") {
            assert!(lines.read_line(&mut said).unwrap() > 0, "{said}");
        }
        let (_, url) = said.rsplit_once("://").unwrap();
        let address = url.split('/').next().unwrap().parse().unwrap();
        std::thread::spawn(move || lines.read_to_string(&mut String::new()));
        Self {
            sim,
            folder,
            child,
            address,
        }
    }

    /// Posts, and reads to the end of the connection.
    fn post(&self, path: &str, body: &Value) -> String {
        let body = body.to_string();
        let mut stream = TcpStream::connect(self.address).unwrap();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {KEY}\r\nuser-agent: test\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        response
    }

    /// The captures, oldest first.
    fn captures(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.folder.path().join("captures")) else {
            return Vec::new();
        };
        let files = entries.map(|entry| entry.unwrap().path());
        let mut files: Vec<PathBuf> = files
            .filter(|file| {
                file.extension()
                    .is_some_and(|extension| extension == "json")
            })
            .collect();
        files.sort();
        files
    }

    /// Waits for that many captures.
    fn captured(&self, count: usize) -> Vec<PathBuf> {
        let mut files = Vec::new();
        until("captures", || {
            files = self.captures();
            files.len() >= count
        });
        files
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.unwrap().success());
    }

    /// Puts another setting in force.
    fn reload(&self, capture: &str) {
        let n_reloads = || self.log().matches("was reloaded").count();
        let before = n_reloads();
        configure(self.folder.path(), &self.sim, capture);
        self.signal("-HUP");
        until("the reload", || n_reloads() > before);
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < SOON, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn configure(folder: &Path, sim: &Simulator, capture: &str) {
    let (url, path) = (sim.base_url(), folder.join("captures"));
    let file = folder.join("kiro-2api.toml");
    let text = fs::read_to_string(&file).unwrap_or_default();
    // One login for the life of the house.
    let token = text.lines().find(|line| line.starts_with("refresh_token"));
    let issued = || {
        format!(
            "refresh_token = {:?}",
            sim.issue_social().refresh_token.unwrap()
        )
    };
    let token = token.map_or_else(issued, str::to_owned);
    let text = format!(
        "proxy_api_key = {KEY:?}\n{token}\n[store]\nkind = \"memory\"\n[upstream]\nendpoint = {url:?}\nauth_endpoint = {url:?}\n[log]\nlevel = \"debug\"\ncapture_path = {path:?}\n{capture}\n"
    );
    fs::write(file, text).unwrap();
}

fn whole(text: &str) -> Value {
    json!({"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": text}]})
}

fn with(mut body: Value, members: Value) -> Value {
    let members = members.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(members);
    body
}

fn bundle(file: &Path) -> Bundle {
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

fn replay(file: &Path, more: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut arguments = vec!["replay", file.to_str().unwrap()];
    arguments.extend(more);
    program(folder.path(), &arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    let text = [&*output.stdout, &*output.stderr].concat();
    String::from_utf8(text).unwrap()
}

/// Where the captures are, each with what the service does and what is asked.
fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/captures")
}

fn cases() -> Vec<(&'static str, Script, &'static str, Value)> {
    let stream = json!({"stream": true});
    let fault = json!({"message": "I am experiencing high traffic.", "reason": "INSUFFICIENT_MODEL_CAPACITY"});
    let tools = json!({"max_tokens": 500, "stream": true, "tools": [{"name": "read_file",
        "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}}}]});
    let improper =
        json!({"message": "Improperly formed request.", "reason": "REQUEST_BODY_INVALID"});
    let pause = Duration::from_millis(40);
    let search = json!({"max_tokens": 500, "stream": true,
        "tools": [{"type": "web_search_20250305", "name": "web_search"}]});
    vec![
        (
            "error-in-the-middle",
            Script::new()
                .text_slowly(&["One ", "two "], pause)
                .fault_frame("throttlingException", fault),
            CHAT,
            with(whole("error-in-the-middle"), stream.clone()),
        ),
        (
            "tool-call",
            Script::new()
                .signed_reasoning("I should look.")
                .text("I will look.")
                .tool("read_file", json!({"path": "src/main.rs"})),
            MESSAGES,
            with(whole("tool-call"), tools),
        ),
        (
            "refused",
            Script::new().http_error(400, improper, None),
            CHAT,
            whole("refused"),
        ),
        (
            "cut-in-a-frame",
            Script::new()
                .text("Half of it")
                .silence(pause)
                .cut_inside_frame(),
            RESPONSES,
            json!({"model": "claude-sonnet-4-5", "input": "cut-in-a-frame", "stream": true}),
        ),
        (
            "search",
            Script::new()
                .text("I search. ")
                .tool("web_search", json!({"query": "rust"})),
            MESSAGES,
            with(whole("search"), search),
        ),
        (
            "in-one-piece",
            Script::new().text("All of it.").stop("END_TURN"),
            CHAT,
            whole("in-one-piece"),
        ),
    ]
}

/// Makes the captures anew.
async fn bless() {
    let house = House::start("capture = \"all\"").await;
    fs::create_dir_all(data()).unwrap();
    let in_one_piece = Matcher::any().text_contains("in-one-piece").times(1);
    let broken = Script::new().http_error(500, json!({"message": "Internal."}), None);
    house.sim.script(in_one_piece, broken);
    for (n, (name, script, path, body)) in cases().into_iter().enumerate() {
        house
            .sim
            .script(Matcher::any().text_contains(name).times(1), script);
        house.post(path, &body);
        let files = house.captured(n + 1);
        fs::copy(&files[n], data().join(format!("{name}.json"))).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn captured_exchanges_come_out_the_same_again() {
    #[expect(
        clippy::disallowed_methods,
        reason = "how one says that the data is to be made anew"
    )]
    if std::env::var("KIRO_2API_BLESS").is_ok() {
        bless().await;
    }
    let mut n_replayed = 0;
    for entry in fs::read_dir(data()).unwrap() {
        let file = entry.unwrap().path();
        let output = replay(&file, &["--fast"]);
        let said = said(&output);
        assert!(output.status.success(), "{}: {said}", file.display());
        assert!(said.starts_with("The same: status "), "{said}");
        n_replayed += 1;
    }
    assert_eq!(n_replayed, cases().len());
}

/// With the pauses that the service made.
#[test]
fn a_replay_takes_as_long_as_the_exchange() {
    let file = data().join("error-in-the-middle.json");
    let reply = bundle(&file).attempts[0].answer.clone().unwrap();
    let length = reply.pieces.last().unwrap().ms - reply.ms;
    assert!(length >= 80.0, "{length}");
    let begun = Instant::now();
    let output = replay(&file, &[]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(begun.elapsed() >= Duration::from_millis(70));
}

/// A gateway that answers otherwise is noticed, wherever the difference is.
#[test]
fn a_replay_shows_what_differs() {
    let folder = tempfile::tempdir().unwrap();
    for (name, then, now, shown) in [
        ("error-in-the-middle", "two ", "six ", "- data: "),
        ("tool-call", "read_file", "write_file", "write_file"),
        (
            "refused",
            "\"status\": 400,\n",
            "\"status\": 422,\n",
            "- status: 422",
        ),
        ("in-one-piece", "All of it.", "None of it.", "None of it."),
    ] {
        let text = fs::read_to_string(data().join(format!("{name}.json"))).unwrap();
        // Only what went downstream: what the service said is in base64, or comes before.
        let (before, response) = text.rsplit_once("\"response\": {").unwrap();
        let (body, outcome) = response.rsplit_once("\"outcome\": {").unwrap();
        let body = body.replace(then, now);
        let other = format!("{before}\"response\": {{{body}\"outcome\": {{{outcome}");
        assert_ne!(other, text, "{name}");
        let file = folder.path().join("other.json");
        fs::write(&file, other).unwrap();
        let output = replay(&file, &["--fast"]);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{name}: {said}");
        assert!(
            said.contains("The answer is another one.") && said.contains(shown),
            "{said}"
        );
    }
    let text = fs::read_to_string(data().join("refused.json")).unwrap();
    let (before, after) = text.split_once("\"attempts\"").unwrap();
    let after = after.replacen("claude-sonnet-4.5", "claude-sonnet-9", 1);
    let file = folder.path().join("other.json");
    fs::write(&file, format!("{before}\"attempts\"{after}")).unwrap();
    let said = said(&replay(&file, &["--fast"]));
    assert!(
        said.contains("Request 1 to the service is another one."),
        "{said}"
    );
    assert!(
        said.contains("-") && said.contains("claude-sonnet-9"),
        "{said}"
    );
}

#[test]
fn what_is_no_capture_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(data().join("refused.json")).unwrap();
    for (content, reason) in [
        ("not json".to_owned(), "is no capture"),
        ("{\"kiro_capture\": 99}".to_owned(), "a capture of form 99"),
        ("{\"kiro_capture\": 1}".to_owned(), "is damaged"),
        (
            text.replacen("\"body\": {", "\"body\": {\"left_out\": 7,", 1),
            "too large to be captured",
        ),
    ] {
        let file = folder.path().join("capture.json");
        fs::write(&file, content).unwrap();
        let output = replay(&file, &[]);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(reason), "{said}");
    }
    let output = replay(&folder.path().join("nowhere.json"), &[]);
    assert!(said(&output).contains("cannot be read"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_turns_captures_on_and_off() {
    let house = House::start("").await;
    let broken = Script::new().http_error(400, json!({"message": "No."}), None);
    house
        .sim
        .script(Matcher::any().text_contains("break"), broken);
    house.post(CHAT, &whole("break"));
    assert!(!house.folder.path().join("captures").exists(), "off is off");

    house.reload("capture = \"errors\"");
    house.post(CHAT, &whole("hi"));
    house.post(CHAT, &whole("break"));
    let files = house.captured(1);
    assert_eq!(bundle(&files[0]).response.unwrap().status, 400);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(files[0].parent().unwrap()), 0o700);
    assert_eq!(mode(&files[0]), 0o600);
    let text = fs::read_to_string(&files[0]).unwrap();
    for secret in [KEY, "aoaAAAAAG", "aorAAAAAG"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }

    house.reload("capture = \"all\"\ncapture_max_files = 2");
    for n in 0..4 {
        house.post(CHAT, &whole(&format!("sim:echo {n}")));
    }
    until("the newest", || {
        let newest = house
            .captures()
            .pop()
            .map(|file| fs::read_to_string(file).unwrap_or_default());
        newest.is_some_and(|text| text.contains("sim:echo 3"))
    });
    assert_eq!(house.captures().len(), 2);

    house.reload("capture = \"off\"");
    house.post(CHAT, &whole("sim:echo after"));
    house.signal("-TERM");
    let mut house = house;
    assert_eq!(house.child.wait().unwrap().code(), Some(0));
    let texts = house
        .captures()
        .into_iter()
        .map(|file| fs::read_to_string(file).unwrap());
    assert!(!texts.collect::<String>().contains("sim:echo after"));
}

/// What was captured is on the disk when the program has ended.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_capture_is_written_before_the_end() {
    let mut house = House::start("capture = \"all\"").await;
    for n in 0..20 {
        house.post(CHAT, &whole(&format!("sim:echo {n}")));
    }
    house.signal("-TERM");
    assert_eq!(house.child.wait().unwrap().code(), Some(0));
    assert_eq!(house.captures().len(), 20);
}

/// A disk without room costs captures, one line of the log, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_written_costs_no_answer() {
    let house = House::start("").await;
    fs::write(house.folder.path().join("captures"), "a file in its place").unwrap();
    house.reload("capture = \"all\"");
    for n in 0..5 {
        let answer = house.post(CHAT, &whole(&format!("sim:echo {n}")));
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    until("the warning", || house.log().contains("folder of captures"));
    fs::remove_file(house.folder.path().join("captures")).unwrap();
    house.post(CHAT, &whole("sim:echo there"));
    house.captured(1);
    assert_eq!(house.log().matches("cannot be written").count(), 0);
    assert_eq!(house.log().matches("cannot be used").count(), 1);
}

/// As on a full disk: what does not fit is not written, in one line of the log; what fits is.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_on_the_disk_is_left_out() {
    let limit = "trap '' XFSZ; ulimit -S -f 256";
    let house = House::limited("capture = \"all\"", limit).await;
    for n in 0..5 {
        let answer = house.post(
            CHAT,
            &whole(&format!("{n} sim:echo {}", "x".repeat(300_000))),
        );
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer:.500}");
    }
    house.post(CHAT, &whole("sim:echo small"));
    let files = house.captured(1);
    assert!(
        fs::read_to_string(&files[0])
            .unwrap()
            .contains("sim:echo small")
    );
    assert_eq!(house.log().matches("captures cannot be written").count(), 1);
    let left = fs::read_dir(house.folder.path().join("captures"))
        .unwrap()
        .count();
    assert_eq!(left, 1, "and no half one");
}
