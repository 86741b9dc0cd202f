//! A vault without a folder.

use std::fmt;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use super::seal::keyed_name;
use super::token_of;
use crate::BoxFuture;
use crate::credential::{Credential, CredentialId};
use crate::error::AuthError;
use crate::store::rotated::Rotated;
use crate::store::{Claim, CredentialStore};

/// Tokens by what was sent in the first place.
pub(super) struct Memory {
    /// By a hash, so that what was sent is not held on to.
    slots: Mutex<LruCache<String, Arc<Slot>>>,
    max_records: usize,
}

/// What is kept for one owner.
#[derive(Default)]
struct Slot {
    newest: Mutex<Option<Rotated>>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// Keeps one credential of a vault in memory.
pub(super) struct MemoryRecord {
    sent: Credential,
    slot: Arc<Slot>,
}

impl Memory {
    pub(super) fn new(max_records: usize) -> Self {
        Self {
            slots: Mutex::new(LruCache::unbounded()),
            max_records: max_records.max(1),
        }
    }

    pub(super) fn record(&self, sent: Credential) -> MemoryRecord {
        let name = keyed_name(&token_of(&sent), b"", "kiro-auth vault in memory");
        let mut slots = lock(&self.slots);
        if !slots.contains(&name) {
            while slots.len() >= self.max_records {
                make_room(&mut slots);
            }
        }
        let slot = Arc::clone(slots.get_or_insert(name, Arc::default));
        MemoryRecord { sent, slot }
    }
}

/// Removes the record that was not asked for for the longest time, if possible one whose owner never succeeded
/// to refresh: strangers can make those.
fn make_room(slots: &mut LruCache<String, Arc<Slot>>) {
    let is_empty = |slot: &Slot| lock(&slot.newest).is_none();
    let stranger = slots.iter().rev().find(|(_, slot)| is_empty(slot));
    match stranger.map(|(name, _)| name.clone()) {
        Some(name) => drop(slots.pop(&name)),
        None => drop(slots.pop_lru()),
    }
}

impl CredentialStore for MemoryRecord {
    fn id(&self) -> CredentialId {
        self.sent.id
    }

    fn load(&self) -> BoxFuture<'_, Result<Credential, AuthError>> {
        let newest = lock(&self.slot.newest);
        let credential = match &*newest {
            Some(rotated) => rotated.over(&self.sent),
            None => self.sent.clone(),
        };
        Box::pin(ready(Ok(credential)))
    }

    fn save<'a>(&'a self, credential: &'a Credential) -> BoxFuture<'a, Result<(), AuthError>> {
        *lock(&self.slot.newest) = Some(Rotated::of(credential));
        Box::pin(ready(Ok(())))
    }

    fn claim(&self) -> BoxFuture<'_, Result<Claim, AuthError>> {
        let turn = Arc::clone(&self.slot.turn);
        Box::pin(async move { Ok(Claim::held(turn.lock_owned().await)) })
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("records", &lock(&self.slots).len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for MemoryRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryRecord")
            .field("id", &self.sent.id)
            .finish_non_exhaustive()
    }
}

/// What these locks protect is changed in one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
