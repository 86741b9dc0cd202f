//! A simulated Kiro, the program before it, and what has to hold after every row.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use kiro_sim::{IssuedCredential, Matcher, Operation, Recorded, Script, SimOptions, Simulator};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::program::{ANY_PORT, Holds, Program, command};
use super::{Answer, CHAT, KEY, Wire, streamed, until, whole};

/// How secrets of the simulator begin: its refresh, access and other tokens, and API keys.
const SECRETS: [&str; 6] = ["aoaAAAAAG", "aorAAAAAG", "MGUCMQ", "MGQCM", "ksk_", "eyJ"];

/// Descriptors that may have come for other reasons than connections to the service that are kept.
const SLACK: usize = 8;

/// What the neighbour is told.
const PIECES: [&str; 24] = ["a neighbour's words "; 24];

/// How the program is started.
pub(crate) struct Plan {
    sim: SimOptions,
    settings: Vec<(String, String)>,
    limit: String,
    toml: String,
    accounts: usize,
    in_file: bool,
    upstream: Option<String>,
    cold: bool,
    unread: bool,
}

/// A simulated Kiro and the program before it.
pub(crate) struct House {
    pub(crate) sim: Simulator,
    pub(crate) program: Program,
    pub(crate) folder: TempDir,
    pub(crate) accounts: Vec<IssuedCredential>,
    settings: Vec<(String, String)>,
    limit: String,
    idle: Holds,
    ended: f64,
    neighbour: Option<JoinHandle<Answer>>,
}

impl Plan {
    /// One account, whose refresh token is in the environment.
    pub(crate) fn new() -> Self {
        Self {
            sim: SimOptions::default(),
            settings: vec![("LOG_LEVEL".into(), "trace".into())],
            limit: String::new(),
            toml: String::new(),
            accounts: 1,
            in_file: false,
            upstream: None,
            cold: false,
            unread: false,
        }
    }

    /// A setting of the program by its name in the environment, without `KIRO_2API_`.
    pub(crate) fn set(self, name: &str, value: &str) -> Self {
        self.env(&format!("KIRO_2API_{name}"), value)
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn sim(mut self, change: impl FnOnce(&mut SimOptions)) -> Self {
        change(&mut self.sim);
        self
    }

    /// A line of the shell that takes something away from the program.
    pub(crate) fn limit(mut self, line: &str) -> Self {
        line.clone_into(&mut self.limit);
        self
    }

    /// More of the configuration's file.
    pub(crate) fn file(mut self, toml: &str) -> Self {
        self.toml += toml;
        self
    }

    /// So many accounts of its own; each has a file if there is more than one.
    pub(crate) fn accounts(mut self, count: usize) -> Self {
        self.accounts = count;
        self
    }

    /// The account is in Kiro's credential file.
    pub(crate) fn in_file(mut self) -> Self {
        self.in_file = true;
        self
    }

    /// Another service than the simulator answers questions; the simulator goes on to refresh tokens.
    pub(crate) fn upstream(mut self, url: &str) -> Self {
        self.upstream = Some(url.to_owned());
        self.cold()
    }

    /// Asks nothing before the row does, and has no neighbour.
    pub(crate) fn cold(mut self) -> Self {
        self.cold = true;
        self
    }

    /// Nobody reads the log.
    pub(crate) fn unread(mut self) -> Self {
        self.unread = true;
        self
    }

    pub(crate) async fn start(mut self) -> House {
        let sim = Simulator::start(self.sim).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let accounts: Vec<_> = (0..self.accounts).map(|_| sim.issue_social()).collect();
        let upstream = self.upstream.unwrap_or_else(|| sim.base_url());
        let mut set = |name: &str, value: String| self.settings.insert(0, (name.into(), value));
        set("PROXY_API_KEY", KEY.into());
        set("KIRO_2API_UPSTREAM__ENDPOINT", upstream);
        set("KIRO_2API_UPSTREAM__AUTH_ENDPOINT", sim.base_url());
        // What is asked behind an exchange would come between requests that are counted.
        set("KIRO_2API_QUOTA__WARN_BELOW", "0".to_owned());
        let mut toml = self.toml;
        match &*accounts {
            [] => {}
            [one] if !self.in_file => set("REFRESH_TOKEN", one.refresh_token.clone().unwrap()),
            many => {
                for (n, account) in many.iter().enumerate() {
                    let file = folder.path().join(format!("login-{n}.json"));
                    write_login(&file, account);
                    toml += &format!("[[account]]\nname = \"n{n}\"\nfile = {file:?}\n");
                }
            }
        }
        if !toml.is_empty() {
            std::fs::write(folder.path().join("kiro-2api.toml"), toml).unwrap();
        }
        let mut starting = command(folder.path(), &self.limit, ANY_PORT);
        starting.envs(self.settings.iter().cloned());
        let program = match self.unread {
            true => Program::start_unread(starting),
            false => Program::start(starting),
        };
        let mut house = House {
            idle: program.holds(),
            sim,
            program,
            folder,
            accounts,
            settings: self.settings,
            limit: self.limit,
            ended: 0.0,
            neighbour: None,
        };
        if !self.cold {
            assert_eq!(house.chat(&whole("Are you there?")).await.status, 200);
            house.idle = house.program.holds();
            house.ended = house.metric("kiro_gateway_exchanges_total").await;
            house.neighbour = Some(house.neighbour().await);
        }
        house
    }
}

/// Kiro's credential file of a login.
pub(crate) fn write_login(file: &std::path::Path, account: &IssuedCredential) {
    let login = json!({
        "refreshToken": account.refresh_token, "profileArn": account.profile_arn,
        "authMethod": "social", "provider": "Github", "somethingNew": {"kept": true},
    });
    std::fs::write(file, login.to_string()).unwrap();
}

impl House {
    /// With everything at its default.
    pub(crate) async fn start() -> Self {
        Plan::new().start().await
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.program.address
    }

    /// The file of an account.
    pub(crate) fn login(&self, n: usize) -> PathBuf {
        self.folder.path().join(format!("login-{n}.json"))
    }

    /// Another process of the program with the same settings, in the same folder.
    pub(crate) fn another(&self) -> Program {
        self.another_at(ANY_PORT)
    }

    pub(crate) fn another_at(&self, listen: SocketAddr) -> Program {
        let mut starting = command(self.folder.path(), &self.limit, listen);
        starting.envs(self.settings.iter().cloned());
        Program::start(starting)
    }

    pub(crate) async fn wire(&self) -> Wire {
        Wire::open(self.address()).await
    }

    pub(crate) async fn chat(&self, body: &Value) -> Answer {
        self.post(CHAT, body.to_string()).await
    }

    /// Posts a body with the key.
    pub(crate) async fn post(&self, path: &str, body: impl AsRef<[u8]>) -> Answer {
        self.post_with(path, "", body).await
    }

    /// The same with more lines in the head, each with its end.
    pub(crate) async fn post_with(
        &self,
        path: &str,
        lines: &str,
        body: impl AsRef<[u8]>,
    ) -> Answer {
        let mut wire = self.wire().await;
        let request = request("POST", path, &format!("connection: close\r\n{lines}"), body);
        // A refusal may come before all of it is sent.
        let _ = wire.send(request).await;
        wire.answer().await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let mut wire = self.wire().await;
        let request = request("GET", path, "connection: close\r\n", "");
        wire.send(request).await.unwrap();
        wire.answer().await
    }

    /// Sends a chat request whose answer the row reads itself.
    pub(crate) async fn open(&self, body: &Value) -> Wire {
        let mut wire = self.wire().await;
        let request = request("POST", CHAT, "", body.to_string());
        wire.send(request).await.unwrap();
        wire
    }

    /// The questions that came to the service with this in their body.
    pub(crate) fn sent(&self, part: &str) -> Vec<Recorded> {
        let mut sent = self.sim.requests_for(Operation::Generate);
        sent.retain(|one| String::from_utf8_lossy(&one.body).contains(part));
        sent
    }

    /// The file of the configuration, with more at its end.
    pub(crate) fn configure(&self, more: &str) {
        let file = self.folder.path().join("kiro-2api.toml");
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        std::fs::write(&file, format!("{text}\n{more}\n")).unwrap();
    }

    pub(crate) fn script(&self, part: &str, script: Script) {
        self.sim.script(Matcher::any().text_contains(part), script);
    }

    /// One number of the page of metrics.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let page = self.get("/metrics").await.text();
        let line = page.lines().find_map(|line| line.strip_prefix(name));
        let value = line.unwrap_or_else(|| panic!("{name} is not in {page}"));
        value.trim().parse().unwrap()
    }

    /// Somebody whose answer takes about a second, while the row does its worst.
    async fn neighbour(&self) -> JoinHandle<Answer> {
        let slowly = Script::new().text_slowly(&PIECES, Duration::from_millis(40));
        self.script("a neighbour", slowly.stop("END_TURN"));
        let mut wire = self.open(&streamed("a neighbour")).await;
        assert!(wire.until("words").await);
        tokio::spawn(async move { wire.answer().await })
    }

    /// What has to hold after every row: the neighbour has the whole answer, the next one is served as well,
    /// and what [`rests`](Self::rests) says.
    pub(crate) async fn survives(&mut self) {
        let answer = self.chat(&whole("Are you still there?")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        self.rests().await;
    }

    /// The neighbour has the whole answer, nothing is under way any more, every exchange was counted, the
    /// descriptors are back, nothing has panicked, and the log has no secret in it.
    pub(crate) async fn rests(&mut self) {
        if let Some(neighbour) = self.neighbour.take() {
            assert_eq!(neighbour.await.unwrap().whole_text(), PIECES.concat());
            let ended = self.metric("kiro_gateway_exchanges_total").await;
            assert!(ended > self.ended, "exchanges are counted");
        }
        self.nothing_is_under_way().await;
        let kept = || usize::try_from(self.sim.connections().open).unwrap();
        let most = || self.idle.descriptors + kept() + SLACK;
        until("descriptors", || self.program.holds().descriptors <= most()).await;
        self.log_is_clean();
    }

    async fn nothing_is_under_way(&self) {
        for _ in 0..600 {
            if self.get("/health").await.json()["active_exchanges"] == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("exchanges are still under way");
    }

    /// Nothing has panicked, and no secret was logged.
    pub(crate) fn log_is_clean(&self) {
        let log = self.program.log();
        assert!(!log.contains(" panicked at "), "{log}");
        has_no_secret("the log", &log);
    }
}

/// A text has neither the key nor a token of the simulator in it.
pub(crate) fn has_no_secret(what: &str, text: &str) {
    for secret in SECRETS.into_iter().chain([KEY]) {
        let is_part = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let mut found = text.match_indices(secret).map(|(at, _)| &text[at..]);
        let found = found.find(|rest| rest.chars().take_while(is_part).count() >= 24);
        assert!(
            found.is_none(),
            "a secret that begins with {secret} is in {what}"
        );
    }
}

/// A request with the key.
pub(crate) fn request(method: &str, path: &str, lines: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n{lines}content-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}
