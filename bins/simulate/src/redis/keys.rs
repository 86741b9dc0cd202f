//! What lies in it, and until when.

use std::collections::{BTreeMap, HashMap};

/// What a key names.
pub(super) enum Kept {
    Text(Vec<u8>),
    Hash(BTreeMap<Vec<u8>, Vec<u8>>),
    Sorted(BTreeMap<Vec<u8>, f64>),
}

struct Entry {
    kept: Kept,
    /// In milliseconds since the epoch.
    ends: Option<u64>,
}

#[derive(Default)]
pub(super) struct Keys {
    entries: HashMap<Vec<u8>, Entry>,
    /// In microseconds since the epoch.
    pub(super) now: u64,
}

impl Keys {
    pub(super) fn millis(&self) -> u64 {
        self.now / 1000
    }

    pub(super) fn get(&mut self, key: &[u8]) -> Option<&mut Kept> {
        let now = self.millis();
        if self.entries.get(key)?.ends.is_some_and(|ends| ends <= now) {
            self.entries.remove(key);
        }
        self.entries.get_mut(key).map(|entry| &mut entry.kept)
    }

    /// Puts something there for good, whatever was there.
    pub(super) fn set(&mut self, key: &[u8], kept: Kept) {
        self.entries
            .insert(key.to_vec(), Entry { kept, ends: None });
    }

    /// Whether there was something.
    pub(super) fn remove(&mut self, key: &[u8]) -> bool {
        self.get(key).is_some() && self.entries.remove(key).is_some()
    }

    /// Lets it end at a moment. Whether it is there.
    pub(super) fn end_at(&mut self, key: &[u8], millis: u64) -> bool {
        if self.get(key).is_none() {
            return false;
        }
        if let Some(entry) = self.entries.get_mut(key) {
            entry.ends = Some(millis);
        }
        true
    }

    pub(super) fn text(&mut self, key: &[u8]) -> Option<&Vec<u8>> {
        match self.get(key)? {
            Kept::Text(text) => Some(text),
            _ => panic!("WRONGTYPE"),
        }
    }

    /// A field of a hash, if both are there.
    pub(super) fn field(&mut self, key: &[u8], field: &[u8]) -> Option<&Vec<u8>> {
        self.get(key)?;
        self.hash(key).get(field)
    }

    /// Forgets what is empty, as Redis does.
    pub(super) fn tidy(&mut self, key: &[u8]) {
        let is_empty = match self.get(key) {
            Some(Kept::Hash(hash)) => hash.is_empty(),
            Some(Kept::Sorted(sorted)) => sorted.is_empty(),
            _ => false,
        };
        if is_empty {
            self.entries.remove(key);
        }
    }

    pub(super) fn hash(&mut self, key: &[u8]) -> &mut BTreeMap<Vec<u8>, Vec<u8>> {
        if self.get(key).is_none() {
            self.set(key, Kept::Hash(BTreeMap::new()));
        }
        match self.get(key) {
            Some(Kept::Hash(hash)) => hash,
            _ => panic!("WRONGTYPE"),
        }
    }

    pub(super) fn sorted(&mut self, key: &[u8]) -> &mut BTreeMap<Vec<u8>, f64> {
        if self.get(key).is_none() {
            self.set(key, Kept::Sorted(BTreeMap::new()));
        }
        match self.get(key) {
            Some(Kept::Sorted(sorted)) => sorted,
            _ => panic!("WRONGTYPE"),
        }
    }
}
