//! A Redis of a test's own. Included by the tests of several crates.
#![allow(dead_code, reason = "each uses its own part")]

use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kiro_auth::Secret;
use redis::aio::MultiplexedConnection;
use tempfile::TempDir;

/// Long enough for a loaded machine, short enough for a person to wait for a failure.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// The programs that will do, in the order of preference.
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];

/// A server on an ephemeral port that keeps its data over a restart. It ends with this value.
///
/// It writes each command to its log before it answers, and leaves it to the system to bring the log to the
/// disk. With the usual `everysec` it would hold writes back while the disk is busy, and lose them when it is
/// killed (observed with Redis 7.0).
pub(crate) struct Server {
    folder: TempDir,
    port: u16,
    process: Child,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        // Between giving the port back and the server's taking it, somebody else may be faster.
        for _ in 0..10 {
            let port = free_port();
            let mut process = run(port, folder.path());
            if is_up(port, &mut process).await {
                return Self {
                    folder,
                    port,
                    process,
                };
            }
        }
        panic!("no Redis could be started");
    }

    pub(crate) fn url(&self) -> Secret {
        Secret::new(format!("redis://127.0.0.1:{}", self.port))
    }

    /// Where it keeps its data.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends it with SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again, with its data, after it was killed.
    pub(crate) async fn start_again(&mut self) {
        self.process = run(self.port, self.folder.path());
        assert!(
            is_up(self.port, &mut self.process).await,
            "it does not start again"
        );
    }

    /// Lets it hang, or go on.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.process.id().to_string();
        let kill = Command::new("kill").args([signal, &pid]).status();
        assert!(kill.unwrap().success());
    }

    /// A connection for the test itself.
    pub(crate) async fn connection(&self) -> MultiplexedConnection {
        connection(self.port).await.unwrap()
    }

    /// The keys that end like this.
    pub(crate) async fn keys(&self, end: &str) -> Vec<String> {
        let mut connection = self.connection().await;
        let mut keys = redis::cmd("KEYS");
        keys.arg(format!("*{end}"));
        keys.query_async(&mut connection).await.unwrap()
    }

    /// How many scripts it has run so far.
    pub(crate) async fn scripts_run(&self) -> u64 {
        let mut connection = self.connection().await;
        let mut info = redis::cmd("INFO");
        let info: String = info
            .arg("commandstats")
            .query_async(&mut connection)
            .await
            .unwrap();
        let (_, rest) = info.split_once("cmdstat_eval:calls=").unwrap();
        rest.split(',').next().unwrap().parse().unwrap()
    }

    /// Milliseconds until the one lease runs out.
    pub(crate) async fn lease_left(&self) -> i64 {
        let [lease] = self.keys(":lease").await.try_into().unwrap();
        let mut connection = self.connection().await;
        let mut left = redis::cmd("PTTL");
        left.arg(lease).query_async(&mut connection).await.unwrap()
    }

    /// Ends every lease, as if its time had run out.
    pub(crate) async fn expire_leases(&self) {
        let mut connection = self.connection().await;
        for key in self.keys(":lease").await {
            let deleted: u64 = redis::cmd("DEL")
                .arg(key)
                .query_async(&mut connection)
                .await
                .unwrap();
            assert_eq!(deleted, 1);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn run(port: u16, folder: &Path) -> Child {
    let port = port.to_string();
    for program in PROGRAMS {
        let mut command = Command::new(program);
        command
            .args(["--bind", "127.0.0.1", "--port", &port, "--save", ""])
            .args(["--appendonly", "yes", "--appendfsync", "no", "--dir"])
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        match command.spawn() {
            Ok(process) => return process,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => panic!("{program} cannot be started: {error}"),
        }
    }
    panic!(
        "these tests need `redis-server` or `valkey-server`; `cargo xtask ci` installs it where it can, and on \
         Debian and Ubuntu `apt-get install redis-server` does"
    );
}

/// Waits until it answers; `false` when it has ended instead.
async fn is_up(port: u16, process: &mut Child) -> bool {
    let started = Instant::now();
    loop {
        if process.try_wait().unwrap().is_some() {
            return false;
        }
        if let Ok(mut connection) = connection(port).await
            && let Ok(()) = redis::cmd("PING").query_async(&mut connection).await
        {
            return true;
        }
        assert!(started.elapsed() < DEADLINE, "Redis does not answer");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn connection(port: u16) -> redis::RedisResult<MultiplexedConnection> {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}"))?;
    client.get_multiplexed_async_connection().await
}
