//! Responses that are kept, so that later requests can go on from them.
//!
//! ```text
//! Surface::recalls ─> Recall ── recall ─> Recalled ─> Surface::accept
//! ReplyEncoder::keep ─> Kept ── keep ─> memory, or Redis
//! ```
//!
//! Everything is under its owner's name: what another tenant has kept is as unknown as what nobody has.

mod memory;
mod owner;
#[cfg(feature = "redis")]
mod redis;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::value::RawValue;

use self::memory::Memory;
pub(crate) use self::owner::Owner;
use crate::error::Error;
use crate::surface::ReplyEncoder;

/// How many responses are kept, for how long, and where.
///
/// ```
/// let mut options = kiro_gateway::KeepOptions::default();
/// options.max_bytes = 0; // keep nothing
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct KeepOptions {
    /// Largest sum of all of them in bytes; what was used least recently goes first. 0 keeps nothing.
    /// Default: 64 MiB.
    pub max_bytes: usize,
    /// How long one is kept that nobody uses. Default: 1 hour.
    pub idle_expiry: Duration,
    /// Keeps them in Redis, sealed, for all gateways that share it: what one has answered, another goes on
    /// from. Default: `None`, in the memory of the process.
    ///
    /// While it cannot be reached, answers are not kept and say so, and what builds on others is refused
    /// with 503. [`RedisStoreOptions::timeout`](kiro_auth::RedisStoreOptions::timeout) bounds how long either
    /// waits; make it short.
    #[cfg(feature = "redis")]
    pub redis: Option<kiro_auth::RedisServer>,
}

impl Default for KeepOptions {
    fn default() -> Self {
        Self {
            max_bytes: 64 << 20,
            idle_expiry: Duration::from_secs(3600),
            #[cfg(feature = "redis")]
            redis: None,
        }
    }
}

/// A response that is kept.
#[derive(Debug)]
pub struct Kept {
    /// The response's id.
    pub(crate) id: String,
    /// The response that its request went on from.
    pub(crate) previous: Option<String>,
    /// What its request added.
    pub(crate) input: Vec<Item>,
    /// What was answered.
    pub(crate) output: Vec<Item>,
    /// The answer as a document.
    pub(crate) document: Bytes,
}

/// One item of a kept conversation.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) id: String,
    pub(crate) json: Arc<RawValue>,
}

/// What a request builds on.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Recall {
    /// The response that it goes on from.
    pub(crate) previous: Option<String>,
    /// Items that it names by their ids.
    pub(crate) items: Vec<String>,
}

/// What was found of it.
#[derive(Debug, Default)]
pub(crate) struct Recalled {
    /// The conversation up to the response that it goes on from, oldest first. `None` when any of it is
    /// missing.
    pub(crate) history: Option<Vec<Arc<Kept>>>,
    /// Items by their ids.
    pub(crate) items: HashMap<String, Arc<RawValue>>,
    /// Whether the response to this request can be kept.
    pub(crate) keeps: bool,
}

/// Responses of all tenants.
#[derive(Debug)]
pub(crate) struct Keeper {
    place: Place,
    max_bytes: usize,
}

#[derive(Debug)]
enum Place {
    Memory(Memory),
    #[cfg(feature = "redis")]
    Redis(redis::Redis),
}

/// One response may take this share of the room, so that one request cannot empty it.
const SHARE: usize = 8;

/// What asks another machine can fail, and then the errors are retryable ones. Dropping a future leaves
/// either nothing or all of it done.
impl Keeper {
    pub(crate) fn new(options: &KeepOptions) -> Self {
        Self {
            place: Place::of(options),
            max_bytes: options.max_bytes,
        }
    }

    /// Looks up what a request of so many bytes builds on.
    pub(crate) async fn recall(
        &self,
        owner: &Owner,
        recall: &Recall,
        n_bytes: usize,
    ) -> Result<Recalled, Error> {
        let history = match &recall.previous {
            Some(id) => self.conversation(owner, id).await?,
            None => None,
        };
        Ok(Recalled {
            history,
            items: self.items(owner, &recall.items).await?,
            keeps: n_bytes <= self.max_bytes / SHARE,
        })
    }

    /// Keeps what an encoder leaves of a good reply, and tells it when that was not possible: the answer is
    /// good all the same.
    pub(crate) async fn keep(&self, owner: &Owner, encoder: &mut dyn ReplyEncoder) {
        let Some(kept) = encoder.keep() else {
            return;
        };
        if kept.n_bytes() > self.max_bytes / SHARE {
            tracing::info!("a response is too large to be kept");
            return encoder.not_kept();
        }
        if let Err(error) = self.insert(owner, kept).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "a response could not be kept");
            encoder.not_kept();
        }
    }

    async fn insert(&self, owner: &Owner, kept: Kept) -> Result<(), Error> {
        match &self.place {
            Place::Memory(memory) => memory.insert(&owner.name, kept),
            #[cfg(feature = "redis")]
            Place::Redis(redis) => redis.insert(owner, &kept).await?,
        }
        Ok(())
    }

    /// One response.
    pub(crate) async fn response(
        &self,
        owner: &Owner,
        id: &str,
    ) -> Result<Option<Arc<Kept>>, Error> {
        match &self.place {
            Place::Memory(memory) => Ok(memory.get(&owner.name, id)),
            #[cfg(feature = "redis")]
            Place::Redis(redis) => redis.get(owner, id).await,
        }
    }

    /// Forgets a response; `false` if it was not there.
    pub(crate) async fn forget(&self, owner: &Owner, id: &str) -> Result<bool, Error> {
        match &self.place {
            Place::Memory(memory) => Ok(memory.remove(&owner.name, id)),
            #[cfg(feature = "redis")]
            Place::Redis(redis) => redis.remove(owner, id).await,
        }
    }

    /// A response and all that it went on from, oldest first.
    pub(crate) async fn conversation(
        &self,
        owner: &Owner,
        id: &str,
    ) -> Result<Option<Vec<Arc<Kept>>>, Error> {
        match &self.place {
            Place::Memory(memory) => Ok(memory.conversation(&owner.name, id)),
            #[cfg(feature = "redis")]
            Place::Redis(redis) => redis.conversation(owner, id).await,
        }
    }

    async fn items(
        &self,
        owner: &Owner,
        ids: &[String],
    ) -> Result<HashMap<String, Arc<RawValue>>, Error> {
        match &self.place {
            Place::Memory(memory) => Ok(memory.items(&owner.name, ids)),
            #[cfg(feature = "redis")]
            Place::Redis(redis) => redis.items(owner, ids).await,
        }
    }
}

impl Place {
    fn of(options: &KeepOptions) -> Self {
        #[cfg(feature = "redis")]
        if let Some(server) = &options.redis {
            return Self::Redis(redis::Redis::new(server.clone(), options));
        }
        Self::Memory(Memory::new(options))
    }
}

impl Kept {
    /// What it takes in memory, about.
    fn n_bytes(&self) -> usize {
        /// For the entry itself and its keys.
        const OVERHEAD: usize = 512;
        let items = self.input.iter().chain(&self.output);
        let items = items.map(|item| item.id.len() + item.json.get().len() + OVERHEAD / 4);
        OVERHEAD + self.id.len() + self.document.len() + items.sum::<usize>()
    }

    /// One of its items.
    fn item(&self, id: &str) -> Option<Arc<RawValue>> {
        let mut items = self.output.iter().chain(&self.input);
        let item = items.find(|item| item.id == id)?;
        Some(item.json.clone())
    }
}
