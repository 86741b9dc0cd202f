//! Whether Redis answers. When it does not, nobody waits for it a second time.

use std::error::Error;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use kiro_auth::RedisServer;
use redis::{Cmd, FromRedisValue};
use tokio::sync::Notify;

/// The way to Redis, and whether it is open.
#[derive(Debug)]
pub(super) struct Reach {
    server: RedisServer,
    is_away: AtomicBool,
    /// How often it has gone away.
    outages: AtomicU64,
    /// Told when it goes away, so that somebody looks when it is back.
    pub(super) lost: Notify,
    /// Requests that were let in without having asked.
    unshared: AtomicU64,
}

impl Reach {
    pub(super) fn new(server: RedisServer) -> Self {
        Self {
            server,
            is_away: AtomicBool::new(false),
            outages: AtomicU64::new(0),
            lost: Notify::new(),
            unshared: AtomicU64::new(0),
        }
    }

    /// What begins every key.
    pub(super) fn prefix(&self) -> &str {
        &self.server.options().prefix
    }

    /// How long after it was sent a command may still come a second time.
    pub(super) fn resent_within(&self) -> Duration {
        // It is sent again within the time-out, and may lie on its way as long.
        2 * self.server.options().timeout
    }

    pub(super) fn is_away(&self) -> bool {
        self.is_away.load(Ordering::Relaxed)
    }

    /// Asks, unless it is away. `None` when there is no answer, or a refusal.
    pub(super) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Option<T> {
        match self.is_away() {
            true => None,
            false => self.look(command).await,
        }
    }

    /// Asks, whether it is away or not.
    pub(super) async fn look<T: FromRedisValue>(&self, command: &Cmd) -> Option<T> {
        match self.server.ask(command).await {
            Ok(answer) => {
                if self.is_away.swap(false, Ordering::Relaxed) {
                    tracing::warn!("Redis answers again: limits are shared again");
                }
                Some(answer)
            }
            Err(error) => {
                if self.go_away() {
                    tracing::warn!(
                        error = &error as &dyn Error,
                        "this gateway lets in its share of each limit alone until Redis answers"
                    );
                }
                None
            }
        }
    }

    /// Nobody asks it until somebody has seen that it is back. Whether that is new.
    pub(super) fn go_away(&self) -> bool {
        let is_new = !self.is_away.swap(true, Ordering::Relaxed);
        if is_new {
            self.outages.fetch_add(1, Ordering::Relaxed);
            self.lost.notify_one();
        }
        is_new
    }

    /// Counts the times that it has gone away.
    pub(super) fn outage(&self) -> u64 {
        self.outages.load(Ordering::Relaxed)
    }

    pub(super) fn count_unshared(&self) {
        self.unshared.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn unshared(&self) -> u64 {
        self.unshared.load(Ordering::Relaxed)
    }
}
