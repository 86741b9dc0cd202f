//! All that is kept, wherever that is.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::memory::Memory;
#[cfg(feature = "redis")]
use super::redis;
use super::{KeepOptions, Kept, Owner, Recall, Recalled};
use crate::error::Error;
use crate::surface::ReplyEncoder;

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
pub(super) const SHARE: usize = 8;

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

    pub(super) async fn insert(&self, owner: &Owner, kept: Kept) -> Result<(), Error> {
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

    pub(super) async fn items(
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
