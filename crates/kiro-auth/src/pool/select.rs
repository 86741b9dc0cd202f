//! Which credential is next: a pure function of what is known about each.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::health::Availability;
use crate::credential::CredentialId;

/// A credential that might be leased.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    /// Its place in the pool.
    pub(super) index: usize,
    pub(super) id: CredentialId,
    pub(super) availability: Availability,
    /// Leases that are out.
    pub(super) load: usize,
    /// When it was last leased, as a count of leases.
    pub(super) last_leased: u64,
}

/// How many more leases the home of a conversation may have out than the least loaded credential before
/// the conversation moves: the upstream's prompt cache is worth a little imbalance, not a queue.
const AFFINITY_SLACK: usize = 4;

/// Chooses the least loaded credential, of equals the one that has waited longest. With an affinity – a
/// hash of the conversation – it prefers the credential that the conversation falls to, as long as that
/// is not much busier than the others.
pub(super) fn select(candidates: &[Candidate], affinity: Option<u64>) -> Option<usize> {
    let usable = || candidates.iter().filter(|candidate| is_usable(candidate));
    let least = usable().min_by_key(|candidate| (candidate.load, candidate.last_leased))?;
    let home = affinity.and_then(|affinity| usable().max_by_key(|one| closeness(affinity, one.id)));
    match home {
        Some(home) if home.load <= least.load + AFFINITY_SLACK => Some(home.index),
        _ => Some(least.index),
    }
}

fn is_usable(candidate: &Candidate) -> bool {
    match candidate.availability {
        Availability::Available => true,
        Availability::OnTrial => candidate.load == 0,
        Availability::Resting { .. } => false,
    }
}

/// Rendezvous hashing: when a credential leaves the pool, only its own conversations move.
fn closeness(affinity: u64, id: CredentialId) -> u64 {
    let mut hasher = DefaultHasher::new();
    (affinity, id).hash(&mut hasher);
    hasher.finish()
}
