//! The limits of the whole gateway.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::memory::Memory;
use super::slots::{Full, Slot, Slots};
use crate::error::{Error, ErrorKind};

/// How much the gateway takes on at the same time. What is more is refused with a time to come back, before it
/// has cost memory.
///
/// ```
/// let mut options = kiro_gateway::AdmissionOptions::default();
/// options.max_exchanges = std::num::NonZeroUsize::new(100);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdmissionOptions {
    /// Most exchanges under way, from the head of a request to the end of its answer. Default: 1 000;
    /// one costs some 50 kB while it streams. `None`: no limit.
    pub max_exchanges: Option<NonZeroUsize>,
    /// Requests that wait for one of those to end, at most; their bodies are not read. Default: 1 000.
    pub queue: usize,
    /// How long one waits. Default: 10 s.
    pub queue_timeout: Duration,
    /// Most bytes of request bodies, as decoded, that are held until the service answers. Default: 512 MiB.
    /// A body of 8 KiB and more counts for 96 bytes more with each of its JSON names and values, a million at most.
    /// What is made of a body takes up to three times as much for a moment. 0: no limit.
    pub max_body_memory: usize,
}

impl Default for AdmissionOptions {
    fn default() -> Self {
        Self {
            max_exchanges: NonZeroUsize::new(1_000),
            queue: 1_000,
            queue_timeout: Duration::from_secs(10),
            max_body_memory: 512 << 20,
        }
    }
}

/// How much the gateway has taken on.
#[derive(Debug)]
pub(crate) struct Admission {
    options: AdmissionOptions,
    /// Without a limit there are more of them than anybody can hold.
    exchanges: Slots,
    /// For request bodies.
    pub(crate) memory: Memory,
}

/// When a place is likely to be free again.
const AGAIN: Duration = Duration::from_secs(5);

impl Admission {
    pub(crate) fn new(options: &AdmissionOptions) -> Self {
        let &AdmissionOptions {
            max_exchanges,
            queue,
            queue_timeout,
            max_body_memory,
        } = options;
        let most = max_exchanges.map_or(usize::MAX, NonZeroUsize::get);
        Self {
            options: options.clone(),
            exchanges: Slots::new(most, queue, queue_timeout),
            memory: Memory::new(max_body_memory),
        }
    }

    /// Whether it has the limits of another, so that what was let in there counts here.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.options == other.options
    }

    /// Places that are taken, and requests that wait for one. `None` without a limit.
    pub(crate) fn taken(&self) -> Option<(usize, usize)> {
        let has_limit = self.options.max_exchanges.is_some();
        has_limit.then(|| self.exchanges.taken())
    }

    /// How many have a place among the exchanges under way.
    pub(crate) fn under_way(&self) -> usize {
        self.exchanges.taken().0
    }

    /// Waits for a place among the exchanges under way.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Overloaded`] when there is none, nor one in the queue, or none in time.
    pub(crate) async fn enter(&self) -> Result<Slot, Error> {
        self.exchanges.enter().await.map_err(|full| {
            let waited = match full {
                Full::Queue => "",
                Full::Deadline => ", and none ended in time",
            };
            let message = format!(
                "The gateway has {} exchanges under way, as many as it may (`[server] max_exchanges`){waited}. Please try again in {}s.",
                self.exchanges.limit(),
                AGAIN.as_secs()
            );
            Error::new(ErrorKind::Overloaded, message).with_retry_after(Some(AGAIN))
        })
    }
}
