//! A ceiling for the request bodies that are held at the same time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Error, ErrorKind};

/// The memory that bodies may take together.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    /// Permits are kibibytes, because a semaphore gives out 32 bits of them at a time. `None`: no ceiling.
    free: Option<Arc<Semaphore>>,
    limit: usize,
}

/// A part of it, free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    memory: Memory,
    permits: Option<OwnedSemaphorePermit>,
}

/// When memory is likely to be free again: bodies are held until the service begins to answer.
const AGAIN: Duration = Duration::from_secs(2);

impl Memory {
    /// Memory of so many bytes; none for zero.
    pub(crate) fn new(limit: usize) -> Self {
        let permits = (limit / 1024).clamp(1, Semaphore::MAX_PERMITS);
        Self {
            free: (limit > 0).then(|| Arc::new(Semaphore::new(permits))),
            limit,
        }
    }

    /// Takes memory for a body that is announced to be so long.
    pub(crate) fn hold(&self, bytes: u64) -> Result<Held, Error> {
        let mut held = Held {
            memory: self.clone(),
            permits: None,
        };
        held.grow_to(usize::try_from(bytes).unwrap_or(usize::MAX))?;
        Ok(held)
    }

    /// How much is taken, in bytes. `None` without a ceiling.
    pub(crate) fn taken(&self) -> Option<usize> {
        let free = self.free.as_ref()?.available_permits();
        Some((self.limit / 1024).saturating_sub(free) * 1024)
    }
}

impl Held {
    /// Takes more, if that is more than what is held already. Who needs more than there is at all, takes all of it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Overloaded`] when there is not so much.
    pub(crate) fn grow_to(&mut self, bytes: usize) -> Result<(), Error> {
        let Some(free) = &self.memory.free else {
            return Ok(());
        };
        let has = self
            .permits
            .as_ref()
            .map_or(0, OwnedSemaphorePermit::num_permits);
        let needed = bytes.div_ceil(1024).min(self.memory.limit / 1024);
        let missing = needed.saturating_sub(has);
        if missing == 0 {
            return Ok(());
        }
        let missing = u32::try_from(missing).map_err(|_| full(self.memory.limit))?;
        let more = free.clone().try_acquire_many_owned(missing);
        let more = more.map_err(|_| full(self.memory.limit))?;
        match &mut self.permits {
            Some(permits) => permits.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }
}

fn full(limit: usize) -> Error {
    let message = format!(
        "The gateway holds request bodies of {limit} bytes, as much as it may (`[server] max_body_memory`). Please try again in {}s.",
        AGAIN.as_secs()
    );
    Error::new(ErrorKind::Overloaded, message).with_retry_after(Some(AGAIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_counted_and_given_back() {
        let memory = Memory::new(4096);
        let one = memory.hold(2048).unwrap();
        let mut two = memory.hold(1).unwrap();
        assert!(two.grow_to(1024).is_ok(), "a kibibyte is held already");
        assert!(two.grow_to(2048).is_ok());
        let refused = memory.hold(1).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Overloaded);
        assert!(refused.retry_after().is_some());
        assert!(memory.hold(0).is_ok());
        assert!(two.grow_to(2049).is_err());
        drop(one);
        assert!(two.grow_to(4096).is_ok());
        drop(two);
        let odd = Memory::new(4095);
        assert!(odd.hold(4095).is_ok());
        let all = memory.hold(1 << 40).unwrap();
        assert!(memory.hold(1).is_err());
        drop(all);
        assert!(memory.hold(4096).is_ok());
    }

    #[test]
    fn without_a_ceiling_everything_is_taken() {
        assert!(Memory::new(0).hold(u64::MAX).is_ok());
    }
}
