//! `kiro-2api login`, on a terminal and without one.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use kiro_sim::{DeviceDecision, LoginOption};

use super::*;

/// Kiro's own sign-in knows five ports of this machine, and tests run side by side, in several processes too.
fn localhost_ports() -> File {
    let path = std::env::temp_dir().join("kiro-auth-tests-localhost-ports.lock");
    let file = File::create(path).unwrap();
    file.lock().unwrap();
    file
}

/// The address that the page of a simulated sign-in sends the browser back to.
fn way_back(url: &str) -> String {
    let response = get(url);
    let location = response
        .lines()
        .find_map(|line| line.strip_prefix("location: "));
    location.unwrap_or_else(|| panic!("{response}")).to_owned()
}

fn get(url: &str) -> String {
    let rest = url.strip_prefix("http://").unwrap();
    let (authority, target) = rest.split_at(rest.find('/').unwrap());
    let mut stream = TcpStream::connect(authority.replace("localhost", "127.0.0.1")).unwrap();
    let request =
        format!("GET {target} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

/// The link that a terminal shows.
fn link_on(terminal: &mut PtySession) -> String {
    let (_, link) = terminal.exp_regex("https?://[^ \r\n]+\r").unwrap();
    link.trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_code_on_a_terminal_shows_link_code_picture_and_time() {
    let user = User::new().await;
    let mut terminal = user.terminal(&["login"]);
    let link = link_on(&mut terminal);
    assert!(link.starts_with("https://view.awsapps.com/start"), "{link}");
    // The QR code begins with a white margin. What comes from the terminal is bytes to `rexpect`, not UTF-8.
    let block: String = "█".bytes().map(char::from).collect();
    terminal.exp_regex(&format!("({block}){{20}}")).unwrap();
    let code = link.split_once("user_code=").unwrap().1;
    terminal.exp_string(code).unwrap();
    terminal
        .exp_regex("Waiting for the browser, (10m 0|9m 5[0-9])s left")
        .unwrap();
    terminal.exp_string("Signed in as `builder-id`").unwrap();
    terminal.exp_string("kiro-2api serve").unwrap();
    terminal.exp_eof().unwrap();

    let file = user.login_file("builder-id");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let folder = std::fs::metadata(file.parent().unwrap()).unwrap();
    assert_eq!(folder.permissions().mode() & 0o777, 0o700);
    // The gateway finds it.
    let answer = user.run(&["chat", "Hello?"]).ends_well();
    assert!(answer.contains("You asked: \"Hello?\""), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_there_are_plain_lines_and_one_document() {
    let user = User::new().await;
    let done = user.run(&["login", "--json"]);
    assert!(done.err.contains("user_code="), "{done:?}");
    assert!(done.err.contains("Waiting, at most 10m 0s."), "{done:?}");
    assert!(!done.err.contains('▀') && !done.err.contains('\u{1b}'));
    let document = done.json();
    assert_eq!(document["account"], "builder-id");
    assert_eq!(document["login"], "builder-id");
    let file = document["file"].as_str().unwrap();
    assert_eq!(Path::new(file), user.login_file("builder-id"));
    let login = std::fs::read_to_string(file).unwrap();
    let login: Value = serde_json::from_str(&login).unwrap();
    let secrets = ["accessToken", "refreshToken", "clientSecret"];
    done.hides(&secrets.map(|name| login[name].as_str().unwrap()))
        .ends_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_signs_in_at_its_own_page_and_region() {
    let user = User::new().await;
    let url = "https://d-1234567890.awsapps.com/start";
    let done = user.run(&["login", "--idc", url, "--region", "eu-west-1", "--json"]);
    assert!(done.err.contains(url), "{done:?}");
    let document = done.json();
    assert_eq!(document["login"], "identity-center");
    assert_eq!(document["account"], "idc");
    let login = std::fs::read_to_string(user.login_file("idc")).unwrap();
    assert!(
        login.contains("eu-west-1") && login.contains(url),
        "{login}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_comes_back_to_a_port() {
    let _ports = localhost_ports();
    let user = User::new().await;
    let mut terminal = user.terminal(&["login", "--social", "google"]);
    let link = link_on(&mut terminal);
    terminal.exp_string("Waiting for the browser").unwrap();
    let page = get(&way_back(&link));
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    terminal
        .exp_string("Signed in as `google` (social)")
        .unwrap();
    terminal.exp_eof().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_pasted_where_the_browser_cannot_come_back() {
    let _ports = localhost_ports();
    let user = User::new().await;
    let mut terminal = user.terminal(&["login", "--social", "github"]);
    let link = link_on(&mut terminal);
    terminal.exp_string("paste the address").unwrap();
    let address = way_back(&link);
    // One that belongs to nobody is refused, and the right one may follow.
    terminal
        .send_line("http://localhost:49153/oauth/callback?code=x&state=y")
        .unwrap();
    terminal.exp_string("belongs to another sign-in").unwrap();
    terminal.send_line(&address).unwrap();
    terminal
        .exp_string("Signed in as `github` (social)")
        .unwrap();
    terminal.exp_eof().unwrap();
    user.run(&["accounts", "test", "github"]).ends_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_portal_the_person_chooses() {
    let _ports = localhost_ports();
    let user = User::new().await;
    user.sim.choose_login(LoginOption::BuilderId);
    let mut terminal = user.terminal(&["login", "--portal", "--name", "chosen"]);
    let link = link_on(&mut terminal);
    terminal.exp_string("Waiting for the browser").unwrap();
    get(&way_back(&link));
    // A directory goes on with a code.
    terminal.exp_string("user_code=").unwrap();
    terminal
        .exp_string("Signed in as `chosen` (builder-id)")
        .unwrap();
    terminal.exp_eof().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_refuses_is_told_so_and_nothing_is_saved() {
    let user = User::new().await;
    user.sim.decide_devices(DeviceDecision::Refuse);
    user.run(&["login"])
        .fails_with("access was refused in the browser");
    assert!(!user.login_file("builder-id").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_taken_is_refused_before_anybody_signs_in() {
    let user = User::new().await;
    user.run(&["login"]).ends_well();
    let first = std::fs::read_to_string(user.login_file("builder-id")).unwrap();
    user.sim.forget_requests();
    user.run(&["login"]).fails_with("--replace");
    assert!(user.sim.requests().is_empty());
    user.run(&["login", "--replace"]).ends_well();
    let second = std::fs::read_to_string(user.login_file("builder-id")).unwrap();
    assert_ne!(first, second);
    user.run(&["login", "--name", "second"]).ends_well();
    let list = user.run(&["accounts", "list", "--json"]).json();
    assert_eq!(list["accounts"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_options_are_refused_with_what_would_be_good() {
    let user = User::new().await;
    user.run(&["login", "--idc", "d-1234567890"])
        .fails_with("https://d-1234567890.awsapps.com/start");
    user.run(&[
        "login",
        "--idc",
        "https://x.example/start",
        "--region",
        "Ireland",
    ])
    .fails_with("--region eu-west-1");
    user.run(&["login", "--name", "../up"])
        .fails_with("cannot be the name of an account");
    for arguments in [
        &["login", "--social", "twitter"][..],
        &["login", "--idc", "https://x.example", "--social", "google"],
    ] {
        assert_eq!(user.run(arguments).code, Some(2), "{arguments:?}");
    }
    assert!(user.sim.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_gateway_takes_up_a_login_and_lets_go_of_it() {
    let user = User::new().await;
    let mut serve = user.command(&["serve", "--listen", "127.0.0.1:0"]);
    let mut serve = Killed(
        serve
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let address = serve.address();
    assert_ne!(ask(&address), 200);
    user.run(&["login"]).ends_well();
    wait_until(|| ask(&address) == 200);
    user.run(&["accounts", "remove", "builder-id"]).ends_well();
    wait_until(|| ask(&address) != 200);
}

/// A process that does not outlive its test.
struct Killed(std::process::Child);

impl Killed {
    /// Where it listens.
    fn address(&mut self) -> String {
        use std::io::BufRead as _;
        let out = self.0.stdout.take().unwrap();
        let mut lines = std::io::BufReader::new(out).lines();
        let line = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, url) = line.split_once("Base URL for clients: http://")?;
            Some(url.trim_end_matches("/v1").to_owned())
        });
        line.unwrap()
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The status of a request with the key alone.
fn ask(address: &str) -> u16 {
    let body = r#"{"model":"auto","messages":[{"role":"user","content":"Hi"}]}"#;
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {KEY}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response[9..12].parse().unwrap()
}

fn wait_until(condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it never came");
        std::thread::sleep(Duration::from_millis(50));
    }
}
