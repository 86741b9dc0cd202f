//! Three processes, one account whose refresh tokens are good for one use.

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kiro_auth::{
    AuthError, BoxFuture, Credential, RedisStore, RedisStoreOptions, Refreshed, Refresher, Secret,
    SystemClock, TokenSource,
};
use kiro_sim::{IssuedCredential, Operation, Rotation, SignInFault, Simulator};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::server::{DEADLINE, Server};
use crate::support::{call, key, refresh_token, refresher, seed, simulator, store, until};

const REPLICAS: usize = 3;
/// Requests of one replica in one round, and how many of them are under way at once.
const REQUESTS: usize = 16;
const AT_ONCE: usize = 4;
/// With the requests of all replicas they make 2 016.
const ROUNDS: usize = 42;
/// In these, who refreshes is killed while it waits for the answer.
const DEADLY: [usize; 4] = [0, 11, 22, 33];
/// In this one, Redis is killed during a refresh and started again.
const RESTART: usize = 27;
/// Short enough for four deaths, long enough for a loaded machine.
const LEASE: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_and_no_token_is_lost_when_replicas_and_redis_die() {
    let mut server = Server::start().await;
    let simulator = simulator(Rotation::AlwaysRevoke).await;
    let issued = simulator.issue_social();
    let mut replicas = Vec::new();
    for _ in 0..REPLICAS {
        replicas.push(Replica::start(&server, &simulator, &issued));
    }
    let mut served = 0;
    for round in 0..ROUNDS {
        // In the first round there is no access token yet, which is an expiry too.
        simulator.expire_access_tokens();
        if DEADLY.contains(&round) {
            // It is never carried out: the connection is gone long before.
            simulator.fail_sign_in(SignInFault::Delayed(Duration::from_secs(600)));
        } else if round == RESTART {
            simulator.fail_sign_in(SignInFault::Delayed(Duration::from_millis(500)));
        }
        let asked_before = refreshes_asked(&simulator);
        for replica in &mut replicas {
            replica.serve().await;
        }
        if DEADLY.contains(&round) || round == RESTART {
            until("a refresh is under way", async || {
                refreshes_asked(&simulator) > asked_before
            })
            .await;
        }
        if DEADLY.contains(&round) {
            let holder = holder(&mut replicas).await;
            replicas[holder].kill().await;
            replicas[holder] = Replica::start(&server, &simulator, &issued);
            replicas[holder].serve().await;
        } else if round == RESTART {
            server.kill();
            server.start_again().await;
        }
        for replica in &mut replicas {
            replica.has_served().await;
            served += REQUESTS;
        }
        let (expiries, refreshes) = (round as u64 + 1, simulator.refreshes(issued.account));
        assert_eq!(refreshes, expiries, "one for each expiry, round {round}");
        assert_eq!(
            refused(&simulator),
            0,
            "no token is shown twice, round {round}"
        );
    }
    assert!(served >= 2000);
    drop(replicas);

    // What the record holds is the one token that works.
    let record = store(&server, seed(&issued));
    let last = Credential::from_refresh_token(refresh_token(&record).await).unwrap();
    refresher(simulator.address()).refresh(&last).await.unwrap();
}

/// How many refreshes have reached the simulator.
fn refreshes_asked(simulator: &Simulator) -> usize {
    simulator.requests_for(Operation::SocialRefresh).len()
}

/// How many refreshes the simulator has refused. One that was killed has no answer.
fn refused(simulator: &Simulator) -> usize {
    let asked = simulator.requests_for(Operation::SocialRefresh);
    let is_refused = |status: Option<u16>| status.is_some_and(|status| status != 200);
    asked.iter().filter(|one| is_refused(one.status)).count()
}

/// The replica that refreshes: the one that has said so.
async fn holder(replicas: &mut [Replica]) -> usize {
    let started = Instant::now();
    loop {
        for (index, replica) in replicas.iter_mut().enumerate() {
            let said = timeout(Duration::from_millis(20), replica.said());
            if let Ok(said) = said.await {
                assert_eq!(said, "refreshing");
                return index;
            }
        }
        assert!(started.elapsed() < DEADLINE, "nobody refreshes");
    }
}

/// A process that serves requests with the shared credential when it is told to.
struct Replica {
    process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Replica {
    fn start(server: &Server, simulator: &Simulator, issued: &IssuedCredential) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "replicas::child_replica", "--nocapture"])
            .env("KIRO_AUTH_TEST_REDIS", server.url().expose())
            .env("KIRO_AUTH_TEST_SERVICE", simulator.address().to_string())
            .env(
                "KIRO_AUTH_TEST_SEED",
                issued.refresh_token.as_ref().unwrap(),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self {
            input: process.stdin.take().unwrap(),
            output: BufReader::new(process.stdout.take().unwrap()).lines(),
            process,
        }
    }

    /// Has it serve its requests of a round.
    async fn serve(&mut self) {
        self.input.write_all(b"serve\n").await.unwrap();
    }

    /// Waits until all of them are served.
    async fn has_served(&mut self) {
        loop {
            let said = timeout(DEADLINE, self.said()).await;
            match said.expect("it hangs").as_str() {
                "refreshing" => {}
                "served" => return,
                other => panic!("{other}"),
            }
        }
    }

    /// The next thing it says. What the test harness prints is left out.
    async fn said(&mut self) -> String {
        loop {
            let line = self.output.next_line().await.unwrap().expect("it has died");
            if let Some(said) = line.strip_prefix("replica: ") {
                return said.to_owned();
            }
        }
    }

    /// SIGKILL.
    async fn kill(&mut self) {
        self.process.kill().await.unwrap();
    }
}

#[allow(clippy::print_stdout, reason = "how a replica talks to its parent")]
fn say(what: &str) {
    // On a line of its own, whatever the test harness has begun.
    println!("\nreplica: {what}");
}

/// The body of a replica; does nothing when it is run by itself.
#[test]
fn child_replica() {
    #[allow(clippy::disallowed_methods, reason = "how the parent passes them")]
    let setting = |name| std::env::var(name).ok();
    let Some(url) = setting("KIRO_AUTH_TEST_REDIS") else {
        return;
    };
    let service: SocketAddr = setting("KIRO_AUTH_TEST_SERVICE").unwrap().parse().unwrap();
    let seed = Credential::from_refresh_token(setting("KIRO_AUTH_TEST_SEED").unwrap()).unwrap();
    let mut options = RedisStoreOptions::default();
    options.lease = LEASE;
    let store = RedisStore::new(&Secret::from(url), seed, &key(), options).unwrap();
    let refresher = Arc::new(Talkative(refresher(service)));
    let source = TokenSource::new(Arc::new(store), refresher, Arc::new(SystemClock));

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    for _ in std::io::stdin().lines() {
        let tasks: Vec<_> = (0..AT_ONCE)
            .map(|_| runtime.spawn(serve(source.clone(), service)))
            .collect();
        for task in tasks {
            match runtime.block_on(task).unwrap() {
                Ok(()) => {}
                Err(failure) => return say(&failure),
            }
        }
        say("served");
    }
}

async fn serve(source: TokenSource, service: SocketAddr) -> Result<(), String> {
    for _ in 0..REQUESTS / AT_ONCE {
        serve_one(&source, service).await?;
    }
    Ok(())
}

/// One request, replayed once when the token is refused.
async fn serve_one(source: &TokenSource, service: SocketAddr) -> Result<(), String> {
    for _ in 0..2 {
        let token = source.token().await.map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            format!("no token: {error} because {cause:?}")
        })?;
        match call(service, token.secret()).await {
            200 => {
                source.confirm(token.generation());
                return Ok(());
            }
            // The management host's answer to a bad token.
            400 => source.reject(token.generation()),
            status => return Err(format!("status {status}")),
        }
    }
    Err("two tokens in a row were refused".to_owned())
}

/// Says when it begins.
#[derive(Debug)]
struct Talkative(Arc<dyn Refresher>);

impl Refresher for Talkative {
    fn refresh<'a>(
        &'a self,
        credential: &'a Credential,
    ) -> BoxFuture<'a, Result<Refreshed, AuthError>> {
        say("refreshing");
        self.0.refresh(credential)
    }
}
