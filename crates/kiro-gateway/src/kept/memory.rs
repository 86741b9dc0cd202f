//! Kept responses in the memory of this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use lru::LruCache;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::{KeepOptions, Kept};

/// A tenant's name and an id.
type Key = (String, String);

/// Kept responses, bounded by bytes and by time.
#[derive(Debug)]
pub(super) struct Memory {
    max_bytes: usize,
    idle_expiry: Duration,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// The one used last is in front.
    responses: LruCache<Key, Entry>,
    /// The newest response that each item is in.
    items: HashMap<Key, String>,
    n_bytes: usize,
}

#[derive(Debug)]
struct Entry {
    kept: Arc<Kept>,
    n_bytes: usize,
    last_used: Instant,
}

impl Memory {
    pub(super) fn new(options: &KeepOptions) -> Self {
        let &KeepOptions {
            max_bytes,
            idle_expiry,
            #[cfg(feature = "redis")]
                redis: _,
        } = options;
        Self {
            max_bytes,
            idle_expiry,
            inner: Mutex::new(Inner {
                responses: LruCache::unbounded(),
                items: HashMap::new(),
                n_bytes: 0,
            }),
        }
    }

    pub(super) fn insert(&self, tenant: &str, kept: Kept) {
        let mut inner = self.lock();
        let n_bytes = kept.n_bytes();
        for item in kept.input.iter().chain(&kept.output) {
            let key = (tenant.to_owned(), item.id.clone());
            inner.items.insert(key, kept.id.clone());
        }
        let key = (tenant.to_owned(), kept.id.clone());
        let entry = Entry {
            kept: Arc::new(kept),
            n_bytes,
            last_used: Instant::now(),
        };
        inner.n_bytes += n_bytes;
        if let Some((key, replaced)) = inner.responses.push(key, entry) {
            inner.left(&key, &replaced);
        }
        while inner.n_bytes > self.max_bytes && inner.drop_oldest() {}
    }

    pub(super) fn get(&self, tenant: &str, id: &str) -> Option<Arc<Kept>> {
        self.lock().get(tenant, id)
    }

    pub(super) fn conversation(&self, tenant: &str, id: &str) -> Option<Vec<Arc<Kept>>> {
        let mut inner = self.lock();
        let mut chain = vec![inner.get(tenant, id)?];
        while let Some(previous) = chain.last().and_then(|kept| kept.previous.clone()) {
            // Each was made after the one before it, so this ends. Using them in this order leaves the
            // oldest as the one used last: what others build on is not the first to go.
            chain.push(inner.get(tenant, &previous)?);
        }
        chain.reverse();
        Some(chain)
    }

    pub(super) fn items(&self, tenant: &str, ids: &[String]) -> HashMap<String, Arc<RawValue>> {
        let mut inner = self.lock();
        let items = ids
            .iter()
            .filter_map(|id| Some((id.clone(), inner.item(tenant, id)?)));
        items.collect()
    }

    pub(super) fn remove(&self, tenant: &str, id: &str) -> bool {
        let mut inner = self.lock();
        let key = (tenant.to_owned(), id.to_owned());
        let entry = inner.responses.pop(&key);
        if let Some(entry) = &entry {
            inner.left(&key, entry);
        }
        entry.is_some()
    }

    /// What is there and not too old.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while the lock was held cannot have left more than a wrong count.
        let mut inner = self
            .inner
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let now = Instant::now();
        while let Some((_, oldest)) = inner.responses.peek_lru() {
            if now.duration_since(oldest.last_used) <= self.idle_expiry {
                break;
            }
            inner.drop_oldest();
        }
        inner
    }
}

impl Inner {
    fn get(&mut self, tenant: &str, id: &str) -> Option<Arc<Kept>> {
        let entry = self
            .responses
            .get_mut(&(tenant.to_owned(), id.to_owned()))?;
        entry.last_used = Instant::now();
        Some(entry.kept.clone())
    }

    fn item(&mut self, tenant: &str, id: &str) -> Option<Arc<RawValue>> {
        let key = (tenant.to_owned(), id.to_owned());
        let response = self.items.get(&key)?.clone();
        self.get(tenant, &response)?.item(id)
    }

    fn drop_oldest(&mut self) -> bool {
        let oldest = self.responses.pop_lru();
        if let Some((key, entry)) = &oldest {
            self.left(key, entry);
        }
        oldest.is_some()
    }

    /// Forgets what else is known of a response that is gone.
    fn left(&mut self, (tenant, id): &Key, entry: &Entry) {
        self.n_bytes -= entry.n_bytes;
        for item in entry.kept.input.iter().chain(&entry.kept.output) {
            let key = (tenant.clone(), item.id.clone());
            if self.items.get(&key) == Some(id) {
                self.items.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::kept;
    use super::*;

    fn is_empty(memory: &Memory) -> bool {
        let inner = memory.lock();
        inner.responses.is_empty() && inner.items.is_empty() && inner.n_bytes == 0
    }

    #[test]
    fn nothing_is_left_of_what_was_removed() {
        let memory = Memory::new(&KeepOptions::default());
        memory.insert("a", kept("1", None, &["i"]));
        memory.insert("a", kept("2", None, &["i"]));
        assert!(memory.remove("a", "1") && memory.remove("a", "2"));
        assert!(is_empty(&memory));
    }

    #[tokio::test(start_paused = true)]
    async fn use_starts_the_time_again_and_idleness_ends_it() {
        let options = KeepOptions {
            idle_expiry: Duration::from_secs(10),
            ..KeepOptions::default()
        };
        let memory = Memory::new(&options);
        memory.insert("a", kept("1", None, &["i"]));
        memory.insert("a", kept("2", None, &["j"]));
        tokio::time::advance(Duration::from_secs(9)).await;
        assert!(memory.get("a", "1").is_some());
        tokio::time::advance(Duration::from_secs(9)).await;
        assert!(memory.get("a", "1").is_some() && memory.get("a", "2").is_none());
        tokio::time::advance(Duration::from_secs(11)).await;
        assert!(is_empty(&memory));
    }
}
