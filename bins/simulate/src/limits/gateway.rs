//! One gateway: a process, its door, and the requests that come to it.

use std::sync::Arc;
use std::time::Duration;

use kiro_auth::{BoxFuture, RedisServer, RedisStoreOptions, StandIn};
use kiro_gateway::Door;
use redis::{Cmd, RedisError, Value};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use super::exchange::exchange;
use super::{Sabotage, World};
use crate::REPLICAS;
use crate::line::Line;
use crate::process::Process;

pub(super) struct Gateway {
    pub(super) process: Process,
    requests: JoinHandle<()>,
}

/// As `bins/kiro-2api` has it.
const TIMEOUT: Duration = Duration::from_millis(250);

impl Gateway {
    pub(super) fn start(world: &Arc<World>, number: usize) -> Self {
        let process = Process::default();
        let line = Line {
            replica: number,
            process: process.clone(),
            store: Arc::clone(&world.store),
            witness: None,
        };
        let mut options = RedisStoreOptions::default();
        options.timeout = TIMEOUT;
        let stand_in: Arc<dyn StandIn> = match world.sabotage {
            Some(Sabotage::WholeShares) => Arc::new(Flatterer(line)),
            None => Arc::new(line),
        };
        let server = RedisServer::of_stand_in(stand_in, options);
        let door = Door::new(server, &world.plan.limits(), REPLICAS as u32);
        let requests = requests(world.clone(), number, process.clone(), Arc::new(door));
        Self {
            requests: tokio::spawn(requests),
            process,
        }
    }

    pub(super) fn kill(&self) {
        self.process.kill();
        self.requests.abort();
    }
}

/// Requests come. Exchanges end with their process.
async fn requests(world: Arc<World>, number: usize, process: Process, door: Arc<Door>) {
    let mut exchanges = JoinSet::new();
    // Everybody is asked once, so that all are known.
    sleep(world.dice.millis(0, 1_000)).await;
    let is_busy = number < world.plan.busy;
    let mean = 60_000.0 * world.plan.busy as f64 / world.plan.asked;
    loop {
        process.go_on().await;
        exchanges.spawn(exchange(world.clone(), process.clone(), door.clone()));
        while exchanges.try_join_next().is_some() {}
        let pause = world.dice.millis(0, (2.0 * mean) as u64);
        match is_busy {
            true => sleep(pause).await,
            false => std::future::pending().await,
        }
    }
}

/// Tells each gateway that it has no others beside it.
#[derive(Debug)]
struct Flatterer(Line);

impl StandIn for Flatterer {
    fn answer<'a>(&'a self, command: &'a Cmd) -> BoxFuture<'a, Result<Value, RedisError>> {
        Box::pin(async {
            let answer = self.0.answer(command).await?;
            let is_beat = command.args_iter().nth(1).is_some_and(|script| {
                matches!(script, redis::Arg::Simple(text) if text.starts_with(b"-- KEYS: gateways"))
            });
            match answer {
                Value::Array(mut told) if is_beat => {
                    told[0] = Value::Int(1_000_000);
                    Ok(Value::Array(told))
                }
                answer => Ok(answer),
            }
        })
    }
}
