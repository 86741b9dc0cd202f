//! Memory for what is recorded: taken as it comes, given back as a whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What all exchanges may hold together.
#[derive(Debug, Default)]
pub(super) struct Memory {
    most: usize,
    held: AtomicUsize,
}

/// What one exchange holds of it, given back when it is dropped. The default has room for nothing.
#[derive(Debug, Default)]
pub(super) struct Share {
    memory: Arc<Memory>,
    most: usize,
    held: usize,
}

impl Memory {
    pub(super) fn new(most: usize) -> Arc<Self> {
        let held = AtomicUsize::new(0);
        Arc::new(Self { most, held })
    }

    /// Room for one exchange, of which it has nothing yet.
    pub(super) fn share(self: &Arc<Self>, most: usize) -> Share {
        let memory = self.clone();
        Share {
            memory,
            most,
            held: 0,
        }
    }
}

impl Share {
    /// Takes room for so many bytes; `false` when there is none.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        if self.held + bytes > self.most {
            return false;
        }
        let before = self.memory.held.fetch_add(bytes, Ordering::Relaxed);
        if before + bytes > self.memory.most {
            self.memory.held.fetch_sub(bytes, Ordering::Relaxed);
            return false;
        }
        self.held += bytes;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.memory.held.fetch_sub(self.held, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_and_all_have_a_bound_and_everything_is_given_back() {
        let memory = Memory::new(100);
        let (mut one, mut other) = (memory.share(80), memory.share(80));
        assert!(one.take(80) && !one.take(1), "its own bound");
        assert!(!other.take(21) && other.take(20), "that of all");
        drop(one);
        assert!(other.take(60));
        drop(other);
        assert_eq!(memory.held.load(Ordering::Relaxed), 0);
    }
}
