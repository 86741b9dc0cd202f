//! The program as a person starts it: arguments in, text and an exit code out.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "../../../tests/support/certificate.rs"]
mod certificate;
mod lifecycle;
#[path = "../../../tests/support/redis.rs"]
mod redis_server;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kiro_sim::{Matcher, Operation, Script, SignInFault, SimOptions, Simulator};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};

const KEY: &str = "sk-program-0123456789";

/// The program in an empty folder that is its home too, with nothing of our environment that it would
/// read.
fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kiro-2api"));
    command.args(arguments).current_dir(folder).env_clear();
    command.env("HOME", folder);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn output(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    program(folder.path(), arguments)
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

/// A running program, killed when the test ends.
struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
}

/// A file of the folder that `KIRO_TEST_LOG` names, which `cargo xtask ci` searches for secrets.
#[allow(
    clippy::disallowed_methods,
    reason = "how the one who runs the tests says where"
)]
fn log_file() -> Option<File> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let folder = std::env::var("KIRO_TEST_LOG").ok()?;
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("kiro-2api.{}-{count}.log", std::process::id());
    Some(File::create(Path::new(&folder).join(name)).unwrap())
}

impl Running {
    fn start(mut command: Command) -> Self {
        match log_file() {
            Some(file) => command.env("LOG_LEVEL", "trace").stderr(file),
            None => command.stderr(Stdio::inherit()),
        };
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// Reads up to a line that holds `wanted`; gives everything read.
    fn read_until(&mut self, wanted: &str) -> String {
        let mut text = String::new();
        while !text
            .lines()
            .last()
            .is_some_and(|line| line.contains(wanted))
        {
            let read = self.lines.read_line(&mut text).unwrap();
            assert!(read > 0, "the program ended before `{wanted}`: {text}");
        }
        text
    }

    /// Sends a signal and gives the exit code and the rest of the output.
    fn signal(mut self, signal: &str) -> (Option<i32>, String) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &id])
                .status()
                .unwrap()
                .success()
        );
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Posts a chat request over a bare socket and gives the whole response as text.
fn chat(address: SocketAddr, key: &str, body: &Value) -> String {
    let mut response = String::new();
    open_chat(address, key, body)
        .read_to_string(&mut response)
        .unwrap();
    response
}

/// Posts a chat request; the response is read by the caller.
fn open_chat(address: SocketAddr, key: &str, body: &Value) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .write_all(chat_request(key, body).as_bytes())
        .unwrap();
    BufReader::new(stream)
}

fn chat_request(key: &str, body: &Value) -> String {
    request("POST", "/v1/chat/completions", key, &body.to_string())
}

fn request(method: &str, path: &str, key: &str, body: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {key}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The whole response to a request with the key, as text.
fn ask(address: SocketAddr, method: &str, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = request(method, path, KEY, body);
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

fn question() -> Value {
    json!({"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "Hello?"}]})
}

/// The address in a line such as `Base URL for clients: http://127.0.0.1:1234/v1`.
fn address_in(text: &str) -> SocketAddr {
    let url = text.split("://").last().unwrap();
    url.split('/').next().unwrap().trim().parse().unwrap()
}

async fn simulator() -> Simulator {
    Simulator::start(SimOptions::default()).await.unwrap()
}

/// `serve` in `folder` with a simulator as its world.
fn serve(folder: &Path, sim: &Simulator, environment: &[(&str, &str)]) -> (Running, SocketAddr) {
    let (running, address, _) = serve_saying(folder, sim, environment);
    (running, address)
}

/// The same with what it says at its start.
fn serve_saying(
    folder: &Path,
    sim: &Simulator,
    environment: &[(&str, &str)],
) -> (Running, SocketAddr, String) {
    let mut command = program(folder, &["serve", "--listen", "127.0.0.1:0"]);
    command.env("PROXY_API_KEY", KEY);
    command.env("KIRO_2API_UPSTREAM__ENDPOINT", sim.base_url());
    command.env("KIRO_2API_UPSTREAM__AUTH_ENDPOINT", sim.base_url());
    command.envs(environment.iter().copied());
    let mut running = Running::start(command);
    let text = running.read_until("Base URL");
    let address = address_in(&text);
    (running, address, text)
}

#[test]
fn a_key_that_is_made_has_the_hash_that_is_printed_with_it() {
    let made = output(&["key", "new", "team"], &[]);
    let made = String::from_utf8(made.stdout).unwrap();
    let key = made.lines().find(|line| line.starts_with("k2a_")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut hash = program(folder.path(), &["key", "hash"]);
    let mut hash = hash.stdin(Stdio::piped()).spawn().unwrap();
    let mut input = hash.stdin.take().unwrap();
    input.write_all(format!("{key}\n").as_bytes()).unwrap();
    drop(input);
    let printed = hash.wait_with_output().unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    let entry = format!("[[keys]]\nname = \"team\"\nhash = \"{}\"", printed.trim());
    assert!(made.contains(&entry), "{printed}");
    assert!(!printed.contains(key));
}

#[test]
#[cfg(target_os = "linux")]
fn a_crash_would_write_no_core() {
    let folder = tempfile::tempdir().unwrap();
    // The shell allows one, whatever this process may do.
    let script = "ulimit -S -c 1024; exec \"$0\" sim --listen 127.0.0.1:0";
    let mut shell = Command::new("sh");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_kiro-2api")]);
    shell.env_clear().current_dir(folder.path());
    shell.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut sim = Running::start(shell);
    sim.read_until("listens on");
    let limits = fs::read_to_string(format!("/proc/{}/limits", sim.child.id())).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let soft = core.unwrap().split_whitespace().nth(4);
    assert_eq!(soft, Some("0"), "{limits}");
}

#[test]
#[cfg(target_os = "linux")]
fn it_takes_as_many_open_files_as_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let script = "ulimit -S -n 300; ulimit -H -n 2000; exec \"$0\" sim --listen 127.0.0.1:0";
    let mut shell = Command::new("sh");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_kiro-2api")]);
    shell.env_clear().current_dir(folder.path());
    shell.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut sim = Running::start(shell);
    sim.read_until("listens on");
    let limits = fs::read_to_string(format!("/proc/{}/limits", sim.child.id())).unwrap();
    let files = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let soft = files.unwrap().split_whitespace().next();
    assert_eq!(soft, Some("2000"), "{limits}");
}

#[test]
fn help_and_version_need_no_configuration() {
    for argument in ["--help", "--version", "help"] {
        let output = output(&[argument], &[]);
        assert!(output.status.success());
        assert!(
            String::from_utf8_lossy(&output.stdout).contains("kiro-2api") || argument == "help"
        );
    }
}

#[test]
fn serve_refuses_to_start_without_a_good_key_and_says_why() {
    for (environment, words) in [
        (&[][..], "PROXY_API_KEY is not set"),
        (
            &[("PROXY_API_KEY", "short")],
            "5 characters; it needs at least 16",
        ),
        (&[("PROXY_API_KEY", "0123456789:0123456789")], "colon"),
    ] {
        let output = output(&["serve", "--listen", "127.0.0.1:0"], environment);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1));
        assert!(error.contains(words), "{error}");
        assert!(
            !error.contains("0123456789:"),
            "the key is not shown: {error}"
        );
    }
}

#[test]
fn tokens_are_never_sent_in_the_clear() {
    for name in [
        "KIRO_2API_UPSTREAM__ENDPOINT",
        "KIRO_2API_UPSTREAM__AUTH_ENDPOINT",
    ] {
        let output = output(
            &["serve"],
            &[("PROXY_API_KEY", KEY), (name, "http://example.com")],
        );
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{name}");
        assert!(error.contains("loopback"), "{name}: {error}");
    }
}

#[test]
fn an_origin_that_no_browser_would_send_is_refused_at_the_start() {
    let origins = "https://a.example, https://b.example/";
    let output = output(
        &["serve", "--listen", "127.0.0.1:0"],
        &[
            ("PROXY_API_KEY", KEY),
            ("KIRO_2API_SERVER__ALLOWED_ORIGINS", origins),
        ],
    );
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        error.contains("`https://b.example/` is no origin"),
        "{error}"
    );
}

/// Writes a new certificate and its key into `folder`, and names them as the environment does.
fn certificate_in(folder: &Path) -> ([(&'static str, String); 2], CertificateDer<'static>) {
    let made = certificate::Made::new();
    let write = |name: &str, text: &str| {
        let file = folder.join(name);
        fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let environment = [
        ("KIRO_2API_SERVER__TLS__CERT", write("cert.pem", &made.cert)),
        ("KIRO_2API_SERVER__TLS__KEY", write("key.pem", &made.key)),
    ];
    let der = CertificateDer::from_pem_slice(made.cert.as_bytes()).unwrap();
    (environment, der)
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_certificate_it_listens_with_tls() {
    let (sim, folder) = (simulator().await, tempfile::tempdir().unwrap());
    let (files, cert) = certificate_in(folder.path());
    let token = sim.issue_social().refresh_token.unwrap();
    let mut environment: Vec<_> = files.iter().map(|(name, file)| (*name, &**file)).collect();
    environment.push(("REFRESH_TOKEN", &token));
    let (running, address, text) = serve_saying(folder.path(), &sim, &environment);
    let listens = format!("listens on https://{address}\n");
    assert!(text.contains(&listens), "{text}");
    assert!(
        text.contains(&format!("clients: https://{address}/v1\n")),
        "{text}"
    );

    let mut roots = rustls::RootCertStore::empty();
    roots.add(cert).unwrap();
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let mut config = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let client = rustls::ClientConnection::new(config.into(), address.ip().into()).unwrap();
    let mut stream = rustls::StreamOwned::new(client, TcpStream::connect(address).unwrap());
    stream
        .write_all(chat_request(KEY, &question()).as_bytes())
        .unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    let (code, _) = running.signal("-TERM");
    assert_eq!(code, Some(0));
}

/// A service behind TLS that knows one answer, which takes no request for good.
fn service_with(made: &certificate::Made) -> SocketAddr {
    let chain = vec![CertificateDer::from_pem_slice(made.cert.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(made.key.as_bytes()).unwrap();
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let config = rustls::ServerConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let config = Arc::new(config);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let tls = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut stream = rustls::StreamOwned::new(tls, stream.unwrap());
            // A caller that does not trust the certificate sends nothing.
            if stream
                .read(&mut [0; 64 * 1024])
                .is_ok_and(|n_read| n_read > 0)
            {
                let answer = "HTTP/1.1 400 Bad Request\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: 65\r\nconnection: close\r\n\r\n{\"__type\":\"ValidationException\",\"message\":\"Input is too long.\"}   ";
                stream.write_all(answer.as_bytes()).unwrap();
            }
        }
    });
    address
}

#[test]
fn whom_upstream_ca_names_may_vouch_for_the_service() {
    let (made, folder) = (certificate::Made::new(), tempfile::tempdir().unwrap());
    let service = format!("https://{}", service_with(&made));
    let file = folder.path().join("ca.pem");
    fs::write(&file, &made.cert).unwrap();
    for (ca, status) in [(None, "502"), (Some(file.to_str().unwrap()), "400")] {
        let mut command = program(folder.path(), &["serve", "--listen", "127.0.0.1:0"]);
        command.env("PROXY_API_KEY", KEY);
        command.env("KIRO_API_KEY", "ksk_of-the-test");
        command.env("KIRO_2API_STORE__KIND", "memory");
        command.env("KIRO_2API_UPSTREAM__ENDPOINT", &service);
        command.env("KIRO_2API_UPSTREAM__MAX_RETRIES", "0");
        command.envs(ca.map(|ca| ("KIRO_2API_UPSTREAM__CA", ca)));
        let mut running = Running::start(command);
        let said = running.read_until("clients: http://");
        let (_, address) = said.rsplit_once("http://").unwrap();
        let address = address.trim().trim_end_matches("/v1").parse().unwrap();
        let answer = chat(address, KEY, &question());
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
    }
}

#[test]
fn serve_does_not_start_without_the_tls_it_is_told_to_speak() {
    let folder = tempfile::tempdir().unwrap();
    let ([cert, key], _) = certificate_in(folder.path());
    let missing = folder.path().join("missing.pem");
    let missing = missing.to_str().unwrap();
    for (cert, key, words) in [
        (
            &*cert.1,
            "",
            "server.tls.cert is set and server.tls.key is not",
        ),
        (
            "",
            &*key.1,
            "server.tls.key is set and server.tls.cert is not",
        ),
        (
            missing,
            &key.1,
            "missing.pem cannot be read; check the path",
        ),
        (&key.1, &cert.1, "the two files may have changed places"),
    ] {
        let output = output(
            &["serve", "--listen", "127.0.0.1:0"],
            &[
                ("PROXY_API_KEY", KEY),
                ("KIRO_2API_SERVER__TLS__CERT", cert),
                ("KIRO_2API_SERVER__TLS__KEY", key),
            ],
        );
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains(words), "{error}");
        assert!(output.stdout.is_empty(), "it has not begun to listen");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_answers_its_question_and_ends_well_on_ctrl_c() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Running::start(program(folder.path(), &["demo", "--listen", "127.0.0.1:0"]));
    let text = demo.read_until("Press Ctrl-C");
    let word = |label: &str| {
        let line = text.lines().find(|line| line.starts_with(label)).unwrap();
        line.split_whitespace().last().unwrap().to_owned()
    };
    let (base, key) = (word("Base URL"), word("API key"));
    assert!(
        text.contains("first token after") && text.contains("tokens in"),
        "{text}"
    );
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("curl "))
        .collect();
    assert_eq!(lines.len(), 3);
    assert!(
        lines
            .iter()
            .all(|line| line.contains(&base) && line.contains(&key))
    );
    let response = chat(address_in(&base), &key, &question());
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    let (code, rest) = demo.signal("-INT");
    assert_eq!(code, Some(0), "{rest}");
    assert!(rest.contains("Draining"), "{rest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tenant_only_mode_is_announced_and_serves_those_who_bring_a_token() {
    let (sim, folder) = (simulator().await, tempfile::tempdir().unwrap());
    let mut command = program(folder.path(), &["serve", "--listen", "127.0.0.1:0"]);
    command.env("PROXY_API_KEY", KEY);
    command.env("KIRO_2API_UPSTREAM__ENDPOINT", sim.base_url());
    command.env("KIRO_2API_UPSTREAM__AUTH_ENDPOINT", sim.base_url());
    let mut running = Running::start(command);
    let text = running.read_until("Base URL");
    assert!(text.contains("Tenant-only mode"), "{text}");
    let address = address_in(&text);
    assert!(chat(address, KEY, &question()).starts_with("HTTP/1.1 401"));
    let token = sim.issue_social().refresh_token.unwrap();
    assert!(chat(address, &format!("{KEY}:{token}"), &question()).starts_with("HTTP/1.1 200"));
    assert_eq!(running.signal("-TERM").0, Some(0));
}

/// Kiro's credential file of a login, with a member that nobody here knows.
fn credential_file(folder: &Path, credential: &kiro_sim::IssuedCredential) -> String {
    let file = folder.join("kiro-auth-token.json");
    let content = json!({
        "refreshToken": credential.refresh_token,
        "profileArn": credential.profile_arn,
        "authMethod": "social",
        "provider": "Github",
        "somethingNew": {"kept": true},
    });
    std::fs::write(&file, content.to_string()).unwrap();
    file.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_token_is_in_the_file_and_found_after_kill_9() {
    let (sim, folder) = (simulator().await, tempfile::tempdir().unwrap());
    let credential = sim.issue_social();
    let file = credential_file(folder.path(), &credential);
    let environment = [("KIRO_CREDS_FILE", file.as_str())];
    let (first, address) = serve(folder.path(), &sim, &environment);
    let response = chat(address, KEY, &question());
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    assert_eq!(first.signal("-KILL").0, None);

    let saved: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_ne!(
        saved["refreshToken"],
        json!(credential.refresh_token),
        "the old one is dead"
    );
    assert_eq!(saved["somethingNew"], json!({"kept": true}));
    let leftovers = std::fs::read_dir(folder.path()).unwrap().count();
    assert!(leftovers <= 2, "the file and at most its lock");

    sim.expire_access_tokens();
    let (second, address) = serve(folder.path(), &sim, &environment);
    assert!(chat(address, KEY, &question()).starts_with("HTTP/1.1 200"));
    assert_eq!(sim.refreshes(credential.account), 2);
    assert_eq!(second.signal("-TERM").0, Some(0));
}

/// A token from the environment and one that a caller sends: neither has a file of its own.
#[tokio::test(flavor = "multi_thread")]
async fn tokens_without_a_file_are_found_after_kill_9_and_lie_sealed() {
    let (sim, folder) = (simulator().await, tempfile::tempdir().unwrap());
    let (own, callers) = (sim.issue_social(), sim.issue_social());
    let token = own.refresh_token.unwrap();
    let key = format!("{KEY}:{}", callers.refresh_token.unwrap());
    for _ in 0..3 {
        let environment = [("REFRESH_TOKEN", token.as_str())];
        let (running, address) = serve(folder.path(), &sim, &environment);
        for key in [KEY, &key] {
            let response = chat(address, key, &question());
            assert!(response.starts_with("HTTP/1.1 200"), "{response}");
        }
        assert_eq!(running.signal("-KILL").0, None);
        sim.expire_access_tokens();
    }
    let vault = folder.path().join(".local/state/kiro-2api/vault");
    let files = std::fs::read_dir(vault).unwrap();
    let files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 3, "two records and the salt: {files:?}");
    for file in files {
        let content = String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
        assert!(
            !content.contains("aor") || !content.contains(':'),
            "{content}"
        );
    }
}

/// A guest who was idle, or pushed out by others, is not a restart.
#[tokio::test(flavor = "multi_thread")]
async fn tokens_kept_in_memory_last_as_long_as_the_process() {
    let (sim, folder) = (simulator().await, tempfile::tempdir().unwrap());
    let environment = [
        ("KIRO_2API_STORE__KIND", "memory"),
        ("KIRO_2API_TENANTS__MAX_TRACKED", "1"),
    ];
    let (_running, address) = serve(folder.path(), &sim, &environment);
    let keys: Vec<String> = (0..2)
        .map(|_| format!("{KEY}:{}", sim.issue_social().refresh_token.unwrap()))
        .collect();
    for round in 0..2 {
        for key in &keys {
            let response = chat(address, key, &question());
            assert!(response.starts_with("HTTP/1.1 200"), "{round}: {response}");
        }
    }
}

/// A deployment that meets a refresh must not cost the login.
#[tokio::test(flavor = "multi_thread")]
async fn sigterm_waits_for_a_refresh_that_is_under_way() {
    let (sim, folder) = (simulator().await, tempfile::tempdir().unwrap());
    let credential = sim.issue_social();
    let file = credential_file(folder.path(), &credential);
    let (running, address) = serve(folder.path(), &sim, &[("KIRO_CREDS_FILE", &file)]);
    sim.fail_sign_in(SignInFault::Delayed(Duration::from_secs(1)));
    // The caller leaves; the refresh goes on.
    let caller = open_chat(address, KEY, &question());
    sim.wait_until(|state| state.requests > 0, Duration::from_secs(20))
        .await
        .unwrap();
    drop(caller);
    assert_eq!(running.signal("-TERM").0, Some(0));
    let saved: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_ne!(saved["refreshToken"], json!(credential.refresh_token));
}

/// As a container is given its login.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_read_only_file_does_not_take_is_found_after_kill_9() {
    let (sim, folder) = (simulator().await, tempfile::tempdir().unwrap());
    let credential = sim.issue_social();
    let file = credential_file(folder.path(), &credential);
    let protect = |mode| std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
    protect(0o444);
    for _ in 0..3 {
        let (running, address) = serve(folder.path(), &sim, &[("KIRO_CREDS_FILE", &file)]);
        for _ in 0..2 {
            let response = chat(address, KEY, &question());
            assert!(response.starts_with("HTTP/1.1 200"), "{response}");
            sim.expire_access_tokens();
        }
        assert_eq!(running.signal("-KILL").0, None);
    }
    let kept: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(kept["refreshToken"], json!(credential.refresh_token));

    // Somebody signs in anew, and the file has another login.
    protect(0o600);
    let another = sim.issue_social();
    credential_file(folder.path(), &another);
    protect(0o444);
    let (_running, address) = serve(folder.path(), &sim, &[("KIRO_CREDS_FILE", &file)]);
    assert!(chat(address, KEY, &question()).starts_with("HTTP/1.1 200"));
    assert_eq!(sim.refreshes(another.account), 1);
}

#[test]
fn variables_that_are_no_text_are_passed_over_unless_they_are_ours() {
    let folder = tempfile::tempdir().unwrap();
    let broken = OsStr::from_bytes(b"x\xff");
    let mut command = program(folder.path(), &["serve"]);
    let output = command.env("SOMETHING", broken).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("PROXY_API_KEY is not set"), "{said}");

    let mut command = program(folder.path(), &["serve"]);
    let output = command.env("KIRO_CREDS_FILE", broken).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("KIRO_CREDS_FILE") && said.contains("UTF-8"),
        "{said}"
    );
}

/// Whichever of them a request meets: they use the same tokens, and none uses up another's.
#[tokio::test(flavor = "multi_thread")]
async fn gateways_share_their_tokens_in_redis() {
    let (sim, folder) = (simulator().await, tempfile::tempdir().unwrap());
    let redis = redis_server::Server::start().await;
    let (own, callers) = (sim.issue_social(), sim.issue_social());
    let token = own.refresh_token.unwrap();
    let key = format!("{KEY}:{}", callers.refresh_token.unwrap());
    let url = redis.url();
    let environment = [
        ("REFRESH_TOKEN", token.as_str()),
        ("KIRO_2API_STORE__KIND", "redis"),
        ("KIRO_2API_STORE__URL", url.expose()),
    ];
    let gateways: Vec<_> = (0..3)
        .map(|_| serve(folder.path(), &sim, &environment))
        .collect();
    for _ in 0..2 {
        for (_, address) in &gateways {
            for key in [KEY, &key] {
                let response = chat(*address, key, &question());
                assert!(response.starts_with("HTTP/1.1 200"), "{response}");
            }
        }
        sim.expire_access_tokens();
    }
    for account in [own.account, callers.account] {
        assert_eq!(sim.refreshes(account), 2, "once for each expiry");
    }
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 0, "nothing is kept in files");
}

/// What one gateway has answered, another tells and forgets.
#[tokio::test(flavor = "multi_thread")]
async fn gateways_share_kept_responses_in_redis() {
    let (sim, folder) = (simulator().await, tempfile::tempdir().unwrap());
    let redis = redis_server::Server::start().await;
    let token = sim.issue_social().refresh_token.unwrap();
    let url = redis.url();
    let environment = [
        ("REFRESH_TOKEN", token.as_str()),
        ("KIRO_2API_STORE__KIND", "redis"),
        ("KIRO_2API_STORE__URL", url.expose()),
        ("KIRO_2API_RESPONSES__IDLE_EXPIRY", "20m"),
    ];
    let (_a, a) = serve(folder.path(), &sim, &environment);
    let (_b, b) = serve(folder.path(), &sim, &environment);
    let question = json!({"model": "claude-sonnet-4-5", "input": "Hello?"});
    let answer = ask(a, "POST", "/v1/responses", &question.to_string());
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let answered: Value = serde_json::from_str(body).unwrap();
    assert_eq!(answered["store"], true);

    let path = format!("/v1/responses/{}", answered["id"].as_str().unwrap());
    let told = ask(b, "GET", &path, "");
    assert_eq!(told.split_once("\r\n\r\n").unwrap().1, body);
    let [sizes] = redis.keys("{kept}:sizes").await.try_into().unwrap();
    let mut connection = redis.connection().await;
    let mut left = redis::cmd("TTL");
    let left: u64 = left.arg(sizes).query_async(&mut connection).await.unwrap();
    assert!((1100..=1200).contains(&left), "{left} seconds");

    let forgotten = ask(b, "DELETE", &path, "");
    assert!(forgotten.starts_with("HTTP/1.1 200"), "{forgotten}");
    let unknown = ask(a, "GET", &path, "");
    assert!(unknown.starts_with("HTTP/1.1 404"), "{unknown}");
}

/// Limits hold for all gateways together, and a gateway that is killed gives its places back.
#[tokio::test(flavor = "multi_thread")]
async fn gateways_share_limits_in_redis_and_one_that_is_killed_holds_nothing() {
    let (sim, folder) = (simulator().await, tempfile::tempdir().unwrap());
    let redis = redis_server::Server::start().await;
    let token = sim.issue_social().refresh_token.unwrap();
    let url = redis.url();
    let environment = [
        ("REFRESH_TOKEN", token.as_str()),
        ("KIRO_2API_STORE__KIND", "redis"),
        ("KIRO_2API_STORE__URL", url.expose()),
        ("KIRO_2API_LIMITS__CONCURRENCY", "1"),
        ("KIRO_2API_LIMITS__CREDITS_PER_DAY", "0.3"),
    ];
    let script = Script::new().text("One ").hang();
    sim.script(Matcher::any().text_contains("hold"), script);
    sim.script(Matcher::any(), Script::new().text("Hi").credits(0.4));
    let (mut one, address) = serve(folder.path(), &sim, &environment);
    let (survivor, other) = serve(folder.path(), &sim, &environment);
    let hold = json!({"model": "claude-sonnet-4-5", "stream": true, "messages": [{"role": "user", "content": "hold"}]});
    let mut held = open_chat(address, KEY, &hold);
    let mut line = String::new();
    held.read_line(&mut line).unwrap();
    assert!(line.starts_with("HTTP/1.1 200"), "{line}");
    let refused = chat(other, KEY, &question());
    assert!(refused.contains("1 requests at the same time"), "{refused}");

    one.child.kill().unwrap();
    one.child.wait().unwrap();
    let begun = std::time::Instant::now();
    loop {
        let answer = chat(other, KEY, &question());
        if answer.starts_with("HTTP/1.1 200") {
            break;
        }
        assert!(answer.contains("at the same time"), "{answer}");
        assert!(begun.elapsed() < Duration::from_secs(60), "{answer}");
        std::thread::sleep(Duration::from_millis(50));
    }
    // What was spent is in Redis a moment later, for whoever starts next.
    while !redis
        .keys("")
        .await
        .iter()
        .any(|key| key.contains("{limits}") && key.contains(":day:"))
    {
        assert!(begun.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(survivor);
    let (_next, next) = serve(folder.path(), &sim, &environment);
    let refused = chat(next, KEY, &question());
    assert!(refused.contains("0.3 credits per day"), "{refused}");
}

/// Who starts without Redis has not heard how many others there are.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_starts_without_redis_lets_in_the_part_of_one_of_those_configured() {
    let (sim, folder) = (simulator().await, tempfile::tempdir().unwrap());
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", nobody.local_addr().unwrap());
    drop(nobody);
    // The login does not depend on the store.
    let key = sim.issue_api_key().access_token;
    let environment = [
        ("KIRO_API_KEY", key.as_str()),
        ("KIRO_2API_STORE__KIND", "redis"),
        ("KIRO_2API_STORE__URL", url.as_str()),
        ("KIRO_2API_STORE__GATEWAYS", "4"),
        ("KIRO_2API_LIMITS__CONCURRENCY", "4"),
    ];
    let script = Script::new().text("One ").hang();
    sim.script(Matcher::any().text_contains("hold"), script);
    let (_running, address) = serve(folder.path(), &sim, &environment);
    let hold = json!({"model": "claude-sonnet-4-5", "stream": true, "messages": [{"role": "user", "content": "hold"}]});
    let mut held = open_chat(address, KEY, &hold);
    let mut line = String::new();
    held.read_line(&mut line).unwrap();
    assert!(line.starts_with("HTTP/1.1 200"), "{line}");
    let refused = chat(address, KEY, &question());
    assert!(refused.contains("at the same time"), "{refused}");
}

#[test]
fn redis_without_an_address_is_refused() {
    let environment = [("PROXY_API_KEY", KEY), ("KIRO_2API_STORE__KIND", "redis")];
    let output = output(&["serve"], &environment);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(
        said.contains("store.url") && said.contains("redis://"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_folder_that_cannot_be_used_is_named_and_the_service_goes_on() {
    let (sim, folder) = (simulator().await, tempfile::tempdir().unwrap());
    let taken = folder.path().join("taken");
    std::fs::write(&taken, "").unwrap();
    let mut command = program(folder.path(), &["serve", "--listen", "127.0.0.1:0"]);
    command.env("KIRO_2API_STORE__PATH", &taken);
    command.env("PROXY_API_KEY", KEY);
    command.env("REFRESH_TOKEN", sim.issue_social().refresh_token.unwrap());
    command.env("KIRO_2API_UPSTREAM__ENDPOINT", sim.base_url());
    command.env("KIRO_2API_UPSTREAM__AUTH_ENDPOINT", sim.base_url());
    let mut child = command.spawn().unwrap();
    let mut log = child.stderr.take().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap());
    let mut running = Running { child, lines };
    let address = address_in(&running.read_until("Base URL"));
    assert!(chat(address, KEY, &question()).starts_with("HTTP/1.1 200"));
    running.signal("-KILL");
    let mut logged = String::new();
    log.read_to_string(&mut logged).unwrap();
    let named = logged.contains("taken") && logged.contains("KIRO_2API_STORE__PATH");
    assert!(named, "{logged}");
}

/// The database of kiro-cli with a social login, in the home folder.
fn kiro_cli_database(home: &Path, credential: &kiro_sim::IssuedCredential) -> PathBuf {
    let folder = home.join(".local/share/kiro-cli");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("data.sqlite3");
    let row = json!({
        "access_token": "unknown", "expires_at": "2020-01-01T00:00:00.123456789Z",
        "refresh_token": credential.refresh_token, "provider": "github",
        "profile_arn": credential.profile_arn,
    });
    let connection = rusqlite::Connection::open(&path).unwrap();
    let table = "CREATE TABLE auth_kv (key TEXT PRIMARY KEY, value TEXT)";
    connection.execute_batch(table).unwrap();
    let sql = "INSERT INTO auth_kv VALUES ('kirocli:social:token', ?1)";
    connection.execute(sql, [row.to_string()]).unwrap();
    path
}

/// The refresh token in it.
fn stored_in(database: &Path) -> Value {
    let connection = rusqlite::Connection::open(database).unwrap();
    let row: String = connection
        .query_row("SELECT value FROM auth_kv", [], |row| row.get(0))
        .unwrap();
    serde_json::from_str::<Value>(&row).unwrap()["refresh_token"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_login_serves() {
    let (sim, folder) = (simulator().await, tempfile::tempdir().unwrap());
    let login = sim.issue_social();
    let database = kiro_cli_database(folder.path(), &login);
    let renamed = folder.path().join("copy of it");
    std::fs::copy(&database, &renamed).unwrap();
    let key = sim.issue_api_key().access_token;

    let creds_file = ("KIRO_CREDS_FILE", renamed.to_str().unwrap());
    let (running, address) = serve(folder.path(), &sim, &[creds_file]);
    assert!(chat(address, KEY, &question()).starts_with("HTTP/1.1 200"));
    assert_eq!(running.signal("-TERM").0, Some(0));
    assert_ne!(
        stored_in(&renamed),
        json!(login.refresh_token),
        "told by its content"
    );

    let (running, address) = serve(folder.path(), &sim, &[("KIRO_API_KEY", &key)]);
    assert!(chat(address, KEY, &question()).starts_with("HTTP/1.1 200"));
    assert_eq!(running.signal("-TERM").0, Some(0));

    let database = kiro_cli_database(&folder.path().join("other"), &sim.issue_social());
    let before = stored_in(&database);
    let account = format!("[[account]]\nname = \"cli\"\nkiro_cli = {database:?}\n");
    std::fs::write(folder.path().join("kiro-2api.toml"), account).unwrap();
    let (running, address) = serve(folder.path(), &sim, &[]);
    assert!(chat(address, KEY, &question()).starts_with("HTTP/1.1 200"));
    assert_eq!(running.signal("-TERM").0, Some(0));
    assert_ne!(stored_in(&database), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_of_the_machine_are_announced_and_used_when_asked_for() {
    let (sim, folder) = (simulator().await, tempfile::tempdir().unwrap());
    let start = |environment: &[(&str, &str)]| {
        let mut command = program(folder.path(), &["serve", "--listen", "127.0.0.1:0"]);
        command
            .env("PROXY_API_KEY", KEY)
            .envs(environment.iter().copied());
        command.env("KIRO_2API_UPSTREAM__ENDPOINT", sim.base_url());
        command.env("KIRO_2API_UPSTREAM__AUTH_ENDPOINT", sim.base_url());
        let mut running = Running::start(command);
        let text = running.read_until("Base URL");
        (running, text)
    };
    let discover = ("KIRO_2API_DISCOVER", "true");
    let (_running, text) = start(&[discover]);
    assert!(
        text.contains("Tenant-only mode") && text.contains("nothing in 4 places"),
        "{text}"
    );

    let database = kiro_cli_database(folder.path(), &sim.issue_social());
    let (_running, text) = start(&[]);
    let path = database.to_str().unwrap();
    assert!(
        text.contains("Tenant-only mode") && text.contains(path),
        "{text}"
    );
    assert!(text.contains("set KIRO_2API_DISCOVER=true"), "{text}");
    assert!(chat(address_in(&text), KEY, &question()).starts_with("HTTP/1.1 401"));

    let amazon_q = folder.path().join(".local/share/amazon-q");
    std::fs::create_dir(&amazon_q).unwrap();
    std::fs::write(amazon_q.join("data.sqlite3"), "not a database").unwrap();
    let before = stored_in(&database);
    let (_running, text) = start(&[discover]);
    assert!(
        text.contains(&format!("the login that was found: {path} (kiro-cli)")),
        "{text}"
    );
    assert!(text.contains("because no token is valid"), "{text}");
    assert!(
        !text.contains("Tenant-only mode")
            && text.contains("Also found")
            && text.contains("not a whole"),
        "{text}"
    );
    assert!(chat(address_in(&text), KEY, &question()).starts_with("HTTP/1.1 200"));
    assert_ne!(stored_in(&database), before);

    let elsewhere = kiro_cli_database(&folder.path().join("elsewhere"), &sim.issue_social());
    let elsewhere = elsewhere.to_str().unwrap();
    let (_running, text) = start(&[discover, ("KIROCLI_DB_PATH", elsewhere)]);
    assert!(
        text.contains(&format!("found: {elsewhere}")) && !text.contains(path),
        "{text}"
    );

    let token = sim.issue_social().refresh_token.unwrap();
    let (_running, text) = start(&[discover, ("REFRESH_TOKEN", &token)]);
    assert!(
        text.contains("so none was looked for") && !text.contains(path),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_killed_in_mid_stream_is_an_error_event_and_no_end() {
    let (sim, folder) = (simulator().await, tempfile::tempdir().unwrap());
    let token = sim.issue_social().refresh_token.unwrap();
    sim.script(Matcher::any(), Script::new().text("The first half ").hang());
    let (running, address) = serve(folder.path(), &sim, &[("REFRESH_TOKEN", &token)]);
    let mut request = question();
    request["stream"] = json!(true);
    let mut stream = open_chat(address, KEY, &request);
    let mut response = String::new();
    while !response.contains("The first half ") {
        assert!(stream.read_line(&mut response).unwrap() > 0, "{response}");
    }
    drop(sim);
    stream.read_to_string(&mut response).unwrap();
    assert!(response.contains("\"error\":{"), "{response}");
    assert!(
        !response.contains("\"finish_reason\":\"stop\""),
        "{response}"
    );
    assert_eq!(running.signal("-TERM").0, Some(0));
}

/// A gateway would find what an earlier run had rotated.
#[test]
fn the_simulator_gives_other_tokens_in_each_run_unless_it_is_told_a_seed() {
    let folder = tempfile::tempdir().unwrap();
    let token = |arguments: &[&str]| {
        let arguments = [&["sim", "--listen", "127.0.0.1:0"], arguments].concat();
        let text = Running::start(program(folder.path(), &arguments)).read_until("REFRESH_TOKEN");
        text.split("REFRESH_TOKEN=").nth(1).unwrap().to_owned()
    };
    assert_ne!(token(&[]), token(&[]));
    assert_eq!(token(&["--seed", "7"]), token(&["--seed", "7"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulator_alone_prints_a_login_that_works() {
    let folder = tempfile::tempdir().unwrap();
    let mut sim = Running::start(program(folder.path(), &["sim", "--listen", "127.0.0.1:0"]));
    let text = sim.read_until("/__sim/requests");
    let value = |name: &str| {
        let after = text.split(&format!("{name}=")).nth(1).unwrap();
        after
            .split_whitespace()
            .next()
            .unwrap()
            .trim_matches('\'')
            .to_owned()
    };
    let mut command = program(folder.path(), &["serve", "--listen", "127.0.0.1:0"]);
    command.env("PROXY_API_KEY", KEY);
    for name in [
        "KIRO_2API_UPSTREAM__ENDPOINT",
        "KIRO_2API_UPSTREAM__AUTH_ENDPOINT",
        "REFRESH_TOKEN",
    ] {
        command.env(name, value(name));
    }
    let mut gateway = Running::start(command);
    let address = address_in(&gateway.read_until("Base URL"));
    assert!(chat(address, KEY, &question()).starts_with("HTTP/1.1 200"));
    assert_eq!(sim.signal("-INT").0, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_logged_at_the_most_talkative_level() {
    let (sim, folder) = (simulator().await, tempfile::tempdir().unwrap());
    let credential = sim.issue_social();
    let token = credential.refresh_token.clone().unwrap();
    let mut command = program(folder.path(), &["serve", "--listen", "127.0.0.1:0"]);
    command
        .env("PROXY_API_KEY", KEY)
        .env("REFRESH_TOKEN", &token)
        .env("LOG_LEVEL", "trace");
    command.env("KIRO_2API_UPSTREAM__ENDPOINT", sim.base_url());
    command.env("KIRO_2API_UPSTREAM__AUTH_ENDPOINT", sim.base_url());
    let log = folder.path().join("log");
    let mut child = command
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap());
    let mut running = Running { child, lines };
    let address = address_in(&running.read_until("Base URL"));
    assert!(chat(address, KEY, &question()).starts_with("HTTP/1.1 200"));
    sim.expire_access_tokens();
    assert!(chat(address, KEY, &question()).starts_with("HTTP/1.1 200"));
    let guest = sim.issue_social().refresh_token.unwrap();
    assert!(chat(address, &format!("{KEY}:{guest}"), &question()).starts_with("HTTP/1.1 200"));
    assert_eq!(running.signal("-TERM").0, Some(0));
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(
        log.contains("exchange") && log.contains("TRACE"),
        "the log is not empty"
    );
    let mut bearers = vec![KEY.to_owned(), token, guest];
    for request in sim.requests_for(Operation::Generate) {
        bearers.push(
            request
                .header("authorization")
                .unwrap()
                .trim_start_matches("Bearer ")
                .to_owned(),
        );
    }
    for secret in bearers {
        assert!(
            !log.contains(&secret),
            "a secret of {} characters is in the log",
            secret.len()
        );
    }
}
