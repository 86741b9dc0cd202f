//! One replica: a process, its source of tokens, and the requests that come to it.

use std::sync::Arc;
use std::time::Duration;

use kiro_auth::{RedisServer, RedisStoreOptions, TokenSource};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::desk::Desk;
use super::store::Sabotaged;
use super::{World, store_in};
use crate::clock::SkewedClock;
use crate::line::{Line, Witness};
use crate::process::Process;

pub(super) struct Replica {
    pub(super) process: Process,
    pub(super) source: TokenSource,
    requests: JoinHandle<()>,
}

impl Replica {
    pub(super) fn start(world: &Arc<World>, number: usize) -> Self {
        let process = Process::default();
        let witness: Arc<dyn Witness> = world.clone();
        let line = Line {
            replica: number,
            process: process.clone(),
            store: Arc::clone(&world.store),
            witness: Some(witness),
        };
        let server = RedisServer::of_stand_in(Arc::new(line), RedisStoreOptions::default());
        let store = Sabotaged {
            store: store_in(&server),
            sabotage: world.sabotage,
            dice: world.dice.clone(),
        };
        let desk = Desk {
            world: world.clone(),
            replica: number,
            process: process.clone(),
        };
        let skew =
            world.dice.below(2 * world.plan.skew as usize + 1) as i64 - world.plan.skew as i64;
        let clock = SkewedClock {
            time: world.time,
            skew,
        };
        let source = TokenSource::new(Arc::new(store), Arc::new(desk), Arc::new(clock));
        let requests = requests(world.clone(), number, process.clone(), source.clone());
        Self {
            requests: tokio::spawn(requests),
            process,
            source,
        }
    }

    pub(super) fn kill(&self) {
        self.process.kill();
        self.requests.abort();
    }
}

/// Callers come, and some of them leave.
async fn requests(world: Arc<World>, number: usize, process: Process, source: TokenSource) {
    let usual = (world.plan.lifetime / 30).as_millis() as u64;
    loop {
        sleep(world.dice.millis(usual / 2, usual * 3 / 2)).await;
        process.go_on().await;
        let patience = Duration::from_secs(match world.dice.happens(0.1) {
            true => 1,
            false => 600,
        });
        if let Ok(Ok(token)) = timeout(patience, source.token()).await {
            world.served(number, &token);
        }
    }
}
