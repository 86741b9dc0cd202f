//! The connection of one process to the store.

use std::fmt;
use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use kiro_auth::{BoxFuture, StandIn};
use redis::{Cmd, RedisError, Value};
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::clock::Time;
use crate::network::{Cut, Network};
use crate::process::Process;
use crate::redis::Redis;

/// The store, and the way to it.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) redis: Redis,
    pub(crate) network: Network,
    pub(crate) time: Time,
}

/// Sees what the store does for a process, at the moment it does it.
pub(crate) trait Witness: Send + Sync {
    fn saw(&self, line: &Line, command: &Cmd, answer: &Value);
}

#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) replica: usize,
    pub(crate) process: Process,
    pub(crate) store: Arc<Store>,
    pub(crate) witness: Option<Arc<dyn Witness>>,
}

/// A message that takes longer arrives even if nobody waits for its answer any more.
const SHORT: Duration = Duration::from_millis(3);

impl Line {
    async fn send(&self, command: &Cmd) -> Result<Value, RedisError> {
        self.process.go_on().await;
        let trip = self.store.network.trip(self.replica);
        if trip.lost == Some(Cut::There) {
            return lost(trip.resets, trip.there).await;
        }
        let answer = if trip.there <= SHORT {
            sleep(trip.there).await;
            self.arrive(command)
        } else {
            let (sender, receiver) = oneshot::channel();
            let (line, command) = (self.clone(), command.clone());
            tokio::spawn(async move {
                sleep(trip.there).await;
                let _ = sender.send(line.arrive(&command));
            });
            receiver
                .await
                .map_err(|_| RedisError::from(io::Error::from(io::ErrorKind::BrokenPipe)))?
        };
        if trip.lost == Some(Cut::Back) {
            return lost(trip.resets, trip.back).await;
        }
        sleep(trip.back).await;
        self.process.go_on().await;
        Ok(answer)
    }

    /// The store carries it out.
    fn arrive(&self, command: &Cmd) -> Value {
        let answer = self.store.redis.answer(command, self.store.time.micros());
        if let Some(witness) = &self.witness {
            witness.saw(self, command, &answer);
        }
        answer
    }
}

async fn lost(resets: bool, after: Duration) -> Result<Value, RedisError> {
    if !resets {
        return pending().await;
    }
    sleep(after).await;
    Err(io::Error::from(io::ErrorKind::ConnectionReset).into())
}

impl StandIn for Line {
    fn answer<'a>(&'a self, command: &'a Cmd) -> BoxFuture<'a, Result<Value, RedisError>> {
        Box::pin(self.send(command))
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line")
            .field("replica", &self.replica)
            .finish_non_exhaustive()
    }
}
