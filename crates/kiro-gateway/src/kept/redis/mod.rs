//! Kept responses in Redis, for several gateways.
//!
//! ```text
//! {prefix}{kept}:response:NAME   hash: sealed response, NAME of the one before it, NAMEs of its items
//! {prefix}{kept}:item:NAME       NAME of the newest response that has the item
//! {prefix}{kept}:used, …:sizes   which was used last, and what each takes
//! ```
//!
//! A NAME is a keyed hash, and responses are sealed; both keys follow from what the tenant sends. So who reads
//! Redis learns how many responses there are, how large they are and which go on from which, and nothing else.
//! Each change is one script, so that nobody sees a half of it, and every key runs out by itself.

mod record;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use kiro_auth::RedisServer;
use redis::Cmd;
use serde_json::value::RawValue;

use self::record::{item_name, response_name};
use super::{KeepOptions, Kept, Owner};
use crate::error::{Error, ErrorKind};

/// Kept responses of several gateways, bounded by bytes and by time.
#[derive(Debug)]
pub(super) struct Redis {
    server: RedisServer,
    max_bytes: usize,
    idle_expiry: Duration,
    /// What begins the keys of responses and items.
    prefix: String,
}

/// Most items that one request may name by their ids: the names of as many are worked out in some
/// milliseconds. What is named after them is not found.
const MOST_ITEMS: usize = 4096;

/// A hundred years.
const MOST_MILLIS: u128 = 100 * 365 * 24 * 3600 * 1000;

/// One of the scripts.
macro_rules! script {
    ($file:literal) => {
        concat!(include_str!("common.lua"), include_str!($file))
    };
}

impl Redis {
    pub(super) fn new(server: RedisServer, options: &KeepOptions) -> Self {
        let &KeepOptions {
            max_bytes,
            idle_expiry,
            // The server.
            redis: _,
        } = options;
        Self {
            max_bytes,
            idle_expiry,
            prefix: format!("{}{{kept}}:", server.options().prefix),
            server,
        }
    }

    pub(super) async fn insert(&self, owner: &Owner, kept: &Kept) -> Result<(), Error> {
        let name = response_name(owner, &kept.id);
        let sealed = record::seal(owner, &name, kept).map_err(|error| {
            Error::new(ErrorKind::Internal, "The response cannot be kept.").with_source(error)
        })?;
        let previous = kept.previous.as_deref();
        let previous = previous.map_or_else(String::new, |id| response_name(owner, id));
        let items = kept.input.iter().chain(&kept.output);
        let items: Vec<_> = items.map(|item| item_name(owner, &item.id)).collect();
        let mut command = self.script(script!("keep.lua"));
        command
            .arg(self.max_bytes)
            .arg(name)
            .arg(sealed)
            .arg(kept.n_bytes())
            .arg(previous)
            .arg(items.join(" "));
        self.ask(&command).await
    }

    pub(super) async fn get(&self, owner: &Owner, id: &str) -> Result<Option<Arc<Kept>>, Error> {
        let found = self
            .used(owner, "each", &[response_name(owner, id)])
            .await?;
        Ok(found.into_iter().next().map(|(_, kept)| kept))
    }

    pub(super) async fn conversation(
        &self,
        owner: &Owner,
        id: &str,
    ) -> Result<Option<Vec<Arc<Kept>>>, Error> {
        let chain = self
            .used(owner, "chain", &[response_name(owner, id)])
            .await?;
        let mut chain: Vec<_> = chain.into_iter().map(|(_, kept)| kept).collect();
        // One that did not open is missing in it.
        let mut wanted = Some(id);
        for kept in &chain {
            if wanted != Some(&kept.id) {
                return Ok(None);
            }
            wanted = kept.previous.as_deref();
        }
        if wanted.is_some() {
            return Ok(None);
        }
        chain.reverse();
        Ok(Some(chain))
    }

    pub(super) async fn items(
        &self,
        owner: &Owner,
        ids: &[String],
    ) -> Result<HashMap<String, Arc<RawValue>>, Error> {
        let ids = &ids[..ids.len().min(MOST_ITEMS)];
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let mut command = redis::cmd("MGET");
        for id in ids {
            command.arg(format!("{}item:{}", self.prefix, item_name(owner, id)));
        }
        let places: Vec<Option<String>> = self.ask(&command).await?;
        let mut responses: Vec<_> = places.iter().flatten().cloned().collect();
        responses.sort_unstable();
        responses.dedup();
        let responses: HashMap<_, _> = self
            .used(owner, "each", &responses)
            .await?
            .into_iter()
            .collect();
        let items = ids.iter().zip(places);
        let items = items.filter_map(|(id, place)| {
            let item = responses.get(&place?)?.item(id)?;
            Some((id.clone(), item))
        });
        Ok(items.collect())
    }

    pub(super) async fn remove(&self, owner: &Owner, id: &str) -> Result<bool, Error> {
        let mut command = self.script(script!("forget.lua"));
        command.arg(response_name(owner, id));
        // Sent twice because an answer was lost, it may say that there was nothing. It is gone all the same.
        self.ask(&command).await
    }

    /// Uses responses and opens them.
    async fn used(
        &self,
        owner: &Owner,
        how: &str,
        names: &[String],
    ) -> Result<Vec<(String, Arc<Kept>)>, Error> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = self.script(script!("use.lua"));
        command.arg(how).arg(names);
        let found: Vec<(String, Vec<u8>)> = self.ask(&command).await?;
        let opened = found.into_iter().filter_map(|(name, sealed)| {
            match record::open(owner, &name, &sealed) {
                Ok(kept) => Some((name, Arc::new(kept))),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "a kept response in Redis cannot be read");
                    None
                }
            }
        });
        Ok(opened.collect())
    }

    /// A script with what all of them are given. Sent as text: a hash would need a second way for a server
    /// that does not know it yet.
    fn script(&self, text: &str) -> Cmd {
        let mut command = redis::cmd("EVAL");
        // Redis does not add up what is longer than its clock.
        let life = self.idle_expiry.as_millis().clamp(1, MOST_MILLIS) as u64;
        command
            .arg(text)
            .arg(2)
            .arg(format!("{}used", self.prefix))
            .arg(format!("{}sizes", self.prefix))
            .arg(&self.prefix)
            .arg(life);
        command
    }

    async fn ask<T: redis::FromRedisValue>(&self, command: &Cmd) -> Result<T, Error> {
        self.server.ask(command).await.map_err(|error| {
            let message =
                "The store of kept responses cannot be reached. Try again in a moment, or send the whole \
                 conversation as `input`.";
            Error::new(ErrorKind::StoreUnreachable, message)
                .with_retry_after(Some(Duration::from_secs(1)))
                .with_source(error)
        })
    }
}

#[cfg(test)]
mod tests;
