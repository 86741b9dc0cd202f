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
        Self {
            max_bytes: options.max_bytes,
            idle_expiry: options.idle_expiry,
            inner: Mutex::new(Inner {
                responses: LruCache::unbounded(),
                items: HashMap::new(),
                n_bytes: 0,
            }),
        }
    }

    pub(super) fn max_bytes(&self) -> usize {
        self.max_bytes
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

    pub(super) fn item(&self, tenant: &str, id: &str) -> Option<Arc<RawValue>> {
        let mut inner = self.lock();
        let response = inner
            .items
            .get(&(tenant.to_owned(), id.to_owned()))?
            .clone();
        let kept = inner.get(tenant, &response)?;
        let mut items = kept.output.iter().chain(&kept.input);
        let item = items.find(|item| item.id == id)?;
        Some(item.json.clone())
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
    use super::super::Item;
    use super::*;

    fn kept(id: &str, items: &[&str]) -> Kept {
        let items = items.iter().map(|id| Item {
            id: (*id).to_owned(),
            json: RawValue::from_string(format!("{{\"id\":{id:?}}}"))
                .unwrap()
                .into(),
        });
        Kept {
            id: id.to_owned(),
            previous: None,
            input: items.collect(),
            output: Vec::new(),
            document: "{}".into(),
        }
    }

    fn memory(change: impl FnOnce(&mut KeepOptions)) -> Memory {
        let mut options = KeepOptions::default();
        change(&mut options);
        Memory::new(&options)
    }

    fn is_empty(memory: &Memory) -> bool {
        let inner = memory.lock();
        inner.responses.is_empty() && inner.items.is_empty() && inner.n_bytes == 0
    }

    #[test]
    fn another_tenants_ids_are_unknown() {
        let memory = memory(|_| {});
        memory.insert("a", kept("r", &["i"]));
        assert!(memory.get("a", "r").is_some() && memory.item("a", "i").is_some());
        assert!(memory.get("b", "r").is_none() && memory.item("b", "i").is_none());
        assert!(!memory.remove("b", "r"));
        assert!(memory.remove("a", "r") && !memory.remove("a", "r"));
        assert!(is_empty(&memory));
    }

    #[test]
    fn what_was_used_least_recently_goes_first() {
        let room = kept("1", &["i"]).n_bytes() * 2;
        let memory = memory(|options| options.max_bytes = room);
        memory.insert("a", kept("1", &["i"]));
        memory.insert("a", kept("2", &["j"]));
        assert!(memory.item("a", "i").is_some());
        memory.insert("a", kept("3", &["k"]));
        assert!(memory.get("a", "1").is_some() && memory.get("a", "3").is_some());
        assert!(memory.get("a", "2").is_none() && memory.item("a", "j").is_none());
        assert!(memory.lock().n_bytes <= room);
    }

    #[test]
    fn an_item_is_known_as_long_as_the_newest_response_that_has_it() {
        let memory = memory(|_| {});
        memory.insert("a", kept("1", &["i"]));
        memory.insert("a", kept("2", &["i"]));
        memory.remove("a", "1");
        assert!(memory.item("a", "i").is_some());
        memory.remove("a", "2");
        assert!(memory.item("a", "i").is_none() && is_empty(&memory));
    }

    #[tokio::test(start_paused = true)]
    async fn use_starts_the_time_again_and_idleness_ends_it() {
        let memory = memory(|options| options.idle_expiry = Duration::from_secs(10));
        memory.insert("a", kept("1", &["i"]));
        memory.insert("a", kept("2", &["j"]));
        tokio::time::advance(Duration::from_secs(9)).await;
        assert!(memory.get("a", "1").is_some());
        tokio::time::advance(Duration::from_secs(9)).await;
        assert!(memory.get("a", "1").is_some() && memory.get("a", "2").is_none());
        tokio::time::advance(Duration::from_secs(11)).await;
        assert!(is_empty(&memory));
    }
}
