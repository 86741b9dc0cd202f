//! Memory that nobody uses goes back to the system.
//!
//! glibc keeps what was freed below anything that is still in use, so that after a flood of large requests a gateway at
//! rest looked as if it needed two and a half times of what it does (`cargo xtask bench memory`, G9). Systems with another C
//! library do that by themselves or not at all.

use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::memory::resident;

/// How often it is looked at. A flood is over sooner, but the next one may follow.
const PAUSE: Duration = Duration::from_secs(10);

/// Bytes that are not worth the work: a process at rest moves by as much.
const SLACK: u64 = 4 << 20;

/// Looks until the process ends.
pub(crate) fn give_back() {
    let looking = thread::Builder::new().name("heap".into());
    let looking = looking.spawn(|| {
        let mut held = Held::default();
        loop {
            thread::sleep(PAUSE);
            if let Some(now) = resident(Path::new("/"))
                && held.is_worth_a_trim(now)
            {
                trim();
                held.trimmed(resident(Path::new("/")).unwrap_or(now));
            }
        }
    });
    if let Err(error) = looking {
        tracing::warn!(%error, "memory is not given back to the system");
    }
}

/// What was resident, in bytes.
#[derive(Debug, Default)]
struct Held {
    /// After the last trim.
    least: u64,
    /// At the last look.
    before: u64,
}

impl Held {
    /// Once there is a quarter more than after the last trim, and it does not grow any more: to take it from those who are
    /// about to use it again would cost them a fault for each page.
    fn is_worth_a_trim(&mut self, now: u64) -> bool {
        let grows = now > self.before + self.before / 50;
        self.before = now;
        !grows && now > self.least + self.least / 4 + SLACK
    }

    fn trimmed(&mut self, now: u64) {
        self.least = now;
        self.before = now;
    }
}

/// Some milliseconds for a heap of 200 MB.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(
    unsafe_code,
    reason = "no crate offers it without, and without it a gateway at rest holds 2.4 times of what it needs"
)]
fn trim() {
    // SAFETY: malloc_trim(3) takes a number and may be called at any time by any thread: it is marked MT-Safe, takes the
    // locks of the allocator itself, and gives away pages of free chunks alone.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn trim() {}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn what_is_held_is_given_back_once_it_does_not_grow() {
        let mut held = Held::default();
        assert!(!held.is_worth_a_trim(30 * MIB), "it has just begun");
        assert!(held.is_worth_a_trim(30 * MIB));
        held.trimmed(25 * MIB);
        assert!(!held.is_worth_a_trim(35 * MIB), "a quarter and some");
        assert!(!held.is_worth_a_trim(90 * MIB), "it grows");
        assert!(!held.is_worth_a_trim(180 * MIB));
        assert!(held.is_worth_a_trim(170 * MIB));
        held.trimmed(26 * MIB);
        assert!(!held.is_worth_a_trim(26 * MIB));
    }

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn a_trim_gives_back_what_lies_below_something_in_use() {
        let now = || resident(Path::new("/")).unwrap();
        // Small enough not to be mapped alone; every hundredth stays, so that no end of the heap is free.
        let mut blocks: Vec<Option<Vec<u8>>> = (0..2_000).map(|_| Some(vec![1; 32_000])).collect();
        for (number, block) in blocks.iter_mut().enumerate() {
            if number % 100 != 99 {
                *block = None;
            }
        }
        let held = now();
        trim();
        let given_back = held.saturating_sub(now());
        assert!(given_back > 30 * MIB, "{given_back} of {held}");
        assert_eq!(blocks.iter().flatten().count(), 20);
    }
}
