//! Chance, where it only spreads things out: pauses, margins. Nothing secret is made of it.

#[cfg(any(test, feature = "test-util"))]
use std::cell::Cell;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

#[cfg(any(test, feature = "test-util"))]
thread_local! {
    static SEEDED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Makes chance on this thread a consequence of `seed`, so that what a test has seen can be seen again.
#[cfg(any(test, feature = "test-util"))]
pub fn seed(seed: u64) {
    SEEDED.set(Some(seed));
}

/// Any number.
pub fn number() -> u64 {
    #[cfg(any(test, feature = "test-util"))]
    if let Some(state) = SEEDED.get() {
        let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        SEEDED.set(Some(state));
        return mixed(state);
    }
    RandomState::new().hash_one(0)
}

/// Between 0 and 1.
pub fn fraction() -> f64 {
    number() as f64 / u64::MAX as f64
}

/// A number that looks like chance and follows from another: SplitMix64 (Steele, Lea and Flood, "Fast splittable
/// pseudorandom number generators", 2014).
pub(crate) fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seeded_comes_again_and_nothing_else_does() {
        let ten = || (0..10).map(|_| fraction()).collect::<Vec<_>>();
        let unseeded = ten();
        seed(7);
        let seeded = ten();
        seed(7);
        assert_eq!(ten(), seeded);
        assert_ne!(ten(), seeded);
        assert_ne!(unseeded, seeded);
        assert!(seeded.iter().all(|one| (0.0..=1.0).contains(one)));
    }
}
