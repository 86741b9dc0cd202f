//! The access token that may be handed out without asking anybody.

use std::array;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use arc_swap::ArcSwapOption;

use super::access::{AccessToken, Life};
use super::freshness::Freshness;

/// Handles, which threads take in turn: as many as most machines have processors. Two threads that share
/// one need three times as long for a token (measured on two processors with `cargo xtask bench auth`).
const HANDLES: usize = 16;

/// The access token, unless there is none or the upstream has refused it. Read without a lock.
///
/// A lock would do no harm to one caller, but it is taken by every request of a gateway, and whoever is
/// descheduled while holding it stops them all.
#[derive(Default)]
pub(super) struct Published(ArcSwapOption<Token>);

/// Never written once it is there, so that every processor can keep it.
struct Token {
    life: Life,
    handles: [AccessToken; HANDLES],
}

impl Published {
    /// The token, while it may simply be used.
    pub(super) fn fresh(&self, now: SystemTime) -> Option<AccessToken> {
        let token = self.0.load();
        let token = token.as_ref()?;
        let is_fresh = token.life.freshness(now) == Freshness::Fresh;
        is_fresh.then(|| token.handles[place_of_this_thread()].clone())
    }

    /// Puts this token in the place of whatever is there.
    pub(super) fn set(&self, token: Option<&AccessToken>) {
        let is_there = match (self.0.load().as_ref(), token) {
            (Some(published), Some(token)) => published.handles[0].is(token),
            (published, token) => published.is_none() && token.is_none(),
        };
        // Most holders of the lock change nothing, and readers need not notice them.
        if !is_there {
            self.0.store(token.map(|token| Arc::new(Token::new(token))));
        }
    }
}

impl Token {
    fn new(token: &AccessToken) -> Self {
        Self {
            life: token.life(),
            handles: array::from_fn(|_| token.again()),
        }
    }
}

fn place_of_this_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static PLACE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % HANDLES;
    }
    PLACE.with(|place| *place)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::thread;

    use super::*;

    #[test]
    fn threads_do_not_all_take_the_same_handle() {
        let place = |_| thread::spawn(place_of_this_thread).join().unwrap();
        let places: HashSet<usize> = (0..8).map(place).collect();
        assert!(places.len() > 1);
    }
}
