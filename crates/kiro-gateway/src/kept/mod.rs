//! Responses that are kept, so that later requests can go on from them.
//!
//! ```text
//! Surface::recalls ─> Recall ── recall ─> Recalled ─> Surface::accept
//! ReplyEncoder::keep ─> Kept ── keep ─> memory
//! ```
//!
//! Everything is under the tenant's name: what another tenant has kept is as unknown as what nobody has.

mod memory;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::value::RawValue;

use memory::Memory;

/// How many responses are kept, and for how long.
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
}

impl Default for KeepOptions {
    fn default() -> Self {
        Self {
            max_bytes: 64 << 20,
            idle_expiry: Duration::from_secs(3600),
        }
    }
}

/// A response that is kept.
#[derive(Debug)]
pub(crate) struct Kept {
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
pub(crate) struct Recall {
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
    memory: Memory,
}

/// One response may take this share of the room, so that one request cannot empty it.
const SHARE: usize = 8;

impl Keeper {
    pub(crate) fn new(options: &KeepOptions) -> Self {
        Self {
            memory: Memory::new(options),
        }
    }

    /// Looks up what a request of so many bytes builds on.
    pub(crate) fn recall(&self, tenant: &str, recall: &Recall, n_bytes: usize) -> Recalled {
        let items = recall.items.iter();
        Recalled {
            history: recall
                .previous
                .as_ref()
                .and_then(|id| self.conversation(tenant, id)),
            items: items
                .filter_map(|id| Some((id.clone(), self.memory.item(tenant, id)?)))
                .collect(),
            keeps: n_bytes <= self.memory.max_bytes() / SHARE,
        }
    }

    /// Keeps a response.
    pub(crate) fn keep(&self, tenant: &str, kept: Kept) {
        if kept.n_bytes() > self.memory.max_bytes() / SHARE {
            tracing::info!("a response is too large to be kept");
            return;
        }
        self.memory.insert(tenant, kept);
    }

    /// One response.
    pub(crate) fn response(&self, tenant: &str, id: &str) -> Option<Arc<Kept>> {
        self.memory.get(tenant, id)
    }

    /// Forgets a response; `false` if it was not there.
    pub(crate) fn forget(&self, tenant: &str, id: &str) -> bool {
        self.memory.remove(tenant, id)
    }

    /// A response and all that it went on from, oldest first.
    pub(crate) fn conversation(&self, tenant: &str, id: &str) -> Option<Vec<Arc<Kept>>> {
        let mut chain = vec![self.memory.get(tenant, id)?];
        while let Some(previous) = chain.last().and_then(|kept| kept.previous.clone()) {
            // Each was made after the one before it, so this ends. Using them in this order leaves the
            // oldest as the one used last: what others build on is not the first to go.
            chain.push(self.memory.get(tenant, &previous)?);
        }
        chain.reverse();
        Some(chain)
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
}
