//! The life of the process: how it ends, how its configuration changes, and how the next one takes over.

mod credits;
mod hand_over;
mod otlp;
mod reload;
mod signals;
mod systemd;

use std::time::Instant;

use super::*;

/// How long anything may take that should happen soon, on a machine that is busy.
const SOON: Duration = Duration::from_secs(60);

/// The program with its log.
struct Logged {
    running: Running,
    address: SocketAddr,
    log: PathBuf,
}

impl Logged {
    /// `serve` in `folder` with what its files say.
    fn serve(folder: &Path, listen: &str, environment: &[(&str, &str)]) -> Self {
        let mut command = program(folder, &["serve", "--listen", listen]);
        command.envs(environment.iter().copied());
        Self::start(command, folder)
    }

    fn start(mut command: Command, folder: &Path) -> Self {
        let log = folder.join(format!("log.{}", uuid::Uuid::new_v4()));
        let mut child = command.stderr(File::create(&log).unwrap()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut running = Running { child, lines };
        let address = address_in(&running.read_until("Base URL"));
        Self {
            running,
            address,
            log,
        }
    }

    fn send(&self, signal: &str) {
        let id = self.running.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits until the log holds `words` that often; gives all of it.
    fn log_until(&self, words: &str, times: usize) -> String {
        let begun = Instant::now();
        loop {
            let log = fs::read_to_string(&self.log).unwrap();
            if log.matches(words).count() >= times {
                return log;
            }
            assert!(begun.elapsed() < SOON, "no `{words}` in the log: {log}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The exit code of a process that was told to end.
    fn ended(mut self) -> Option<i32> {
        self.running.child.wait().unwrap().code()
    }

    fn status(&self, key: &str) -> u16 {
        let answer = chat(self.address, key, &question());
        let status = answer.split(' ').nth(1);
        status
            .unwrap_or_else(|| panic!("{answer}"))
            .parse()
            .unwrap()
    }
}

/// Writes `kiro-2api.toml`: the simulator as the world, and more.
fn configure(folder: &Path, sim: &Simulator, first: &str, tables: &str) {
    let url = sim.base_url();
    let text =
        format!("{first}\n[upstream]\nendpoint = \"{url}\"\nauth_endpoint = \"{url}\"\n{tables}\n");
    fs::write(folder.join("kiro-2api.toml"), text).unwrap();
}

/// The top of a configuration file with a key and a new account.
fn with_account(sim: &Simulator) -> String {
    let token = sim.issue_social().refresh_token.unwrap();
    format!("proxy_api_key = \"{KEY}\"\nrefresh_token = \"{token}\"")
}

/// A request for a stream.
fn streamed() -> Value {
    let mut body = question();
    body["stream"] = json!(true);
    body
}

/// Opens a stream and reads its head.
fn open_stream(address: SocketAddr) -> BufReader<TcpStream> {
    let mut stream = open_chat(address, KEY, &streamed());
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    assert!(line.starts_with("HTTP/1.1 200"), "{line}");
    stream
}

fn rest_of(mut stream: BufReader<TcpStream>) -> String {
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    rest
}
