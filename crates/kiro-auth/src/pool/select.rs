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

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use proptest::prelude::*;

    use super::*;
    use crate::pool::RestReason;

    const RESTING: Availability = Availability::Resting {
        reason: RestReason::RateLimited,
        until: SystemTime::UNIX_EPOCH,
    };

    fn candidates(states: impl IntoIterator<Item = (Availability, usize, u64)>) -> Vec<Candidate> {
        let candidates = states.into_iter().enumerate();
        candidates
            .map(|(index, (availability, load, last_leased))| Candidate {
                index,
                id: CredentialId::of("test", &index.to_string()),
                availability,
                load,
                last_leased,
            })
            .collect()
    }

    #[test]
    fn least_loaded_is_chosen_and_of_equals_the_longest_unused() {
        use Availability::{Available, OnTrial};
        let table = [
            (vec![], None),
            (vec![(RESTING, 0, 0)], None),
            (vec![(Available, 2, 1), (Available, 1, 9)], Some(1)),
            (vec![(Available, 1, 5), (Available, 1, 3)], Some(1)),
            (vec![(RESTING, 0, 0), (Available, 7, 0)], Some(1)),
            (vec![(OnTrial, 0, 0), (Available, 7, 0)], Some(0)),
            (vec![(OnTrial, 1, 0), (Available, 7, 0)], Some(1)),
            (vec![(OnTrial, 1, 0)], None),
        ];
        for (states, expected) in table {
            assert_eq!(
                select(&candidates(states.clone()), None),
                expected,
                "{states:?}"
            );
        }
    }

    #[test]
    fn conversation_stays_until_its_home_is_much_busier() {
        let idle = candidates([(Availability::Available, 0, 0); 5]);
        let home = select(&idle, Some(42)).unwrap();
        let busy_home = |load| {
            let mut busy = idle.clone();
            busy[home].load = load;
            select(&busy, Some(42)).unwrap()
        };
        assert_eq!(busy_home(AFFINITY_SLACK), home);
        assert_ne!(busy_home(AFFINITY_SLACK + 1), home);
    }

    proptest! {
        #[test]
        fn when_a_credential_leaves_only_its_conversations_move(affinity in any::<u64>(), gone in 0..6_usize) {
            let all = candidates([(Availability::Available, 0, 0); 6]);
            let home = select(&all, Some(affinity)).unwrap();
            let mut fewer = all.clone();
            fewer[gone].availability = RESTING;
            let home_then = select(&fewer, Some(affinity)).unwrap();
            prop_assert!(home_then == home || home == gone);
        }

        #[test]
        fn somebody_is_chosen_whenever_somebody_is_available(
            states in proptest::collection::vec((any::<bool>(), 0..5_usize, 0..5_u64), 0..8),
            affinity in proptest::option::of(any::<u64>()),
        ) {
            let states = states.into_iter().map(|(up, load, last)| {
                (if up { Availability::Available } else { RESTING }, load, last)
            });
            let candidates = candidates(states);
            let chosen = select(&candidates, affinity);
            let somebody = candidates.iter().any(|one| one.availability == Availability::Available);
            prop_assert_eq!(chosen.is_some(), somebody);
            if let Some(index) = chosen {
                prop_assert_eq!(candidates[index].availability, Availability::Available);
            }
        }
    }
}
