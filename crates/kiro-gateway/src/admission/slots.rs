//! So many at a time, and a short queue before the door.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::ledger::Place;

/// Places for exchanges under way. Whoever waits for one is served in the order of coming.
#[derive(Debug)]
pub(crate) struct Slots {
    limit: usize,
    places: Arc<Semaphore>,
    waiting: Semaphore,
    queue: usize,
    queue_timeout: Duration,
    /// Held by the first of those who have a place here and wait for one among those of all gateways.
    #[cfg(feature = "redis")]
    pub(super) line: tokio::sync::Mutex<()>,
}

/// A place, free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    /// The same among the exchanges of all gateways, where they share the limit. Given back first, so that whoever
    /// is let in by the other finds it to take over, and need not ask Redis, which believes that it is taken.
    _shared: Option<Place>,
    _place: OwnedSemaphorePermit,
}

/// A place in the queue, free again when it is dropped.
pub(super) type Waiting<'a> = SemaphorePermit<'a>;

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// As many as may are waiting already.
    Queue,
    /// None became free in time.
    Deadline,
}

impl Slots {
    pub(crate) fn new(limit: usize, queue: usize, queue_timeout: Duration) -> Self {
        let most = Semaphore::MAX_PERMITS;
        Self {
            limit: limit.min(most),
            places: Arc::new(Semaphore::new(limit.min(most))),
            waiting: Semaphore::new(queue.min(most)),
            queue: queue.min(most),
            queue_timeout,
            #[cfg(feature = "redis")]
            line: tokio::sync::Mutex::new(()),
        }
    }

    /// How long one waits.
    pub(super) fn queue_timeout(&self) -> Duration {
        self.queue_timeout
    }

    /// Takes a place in the queue.
    pub(super) fn queue(&self) -> Result<Waiting<'_>, Full> {
        self.waiting.try_acquire().map_err(|_| Full::Queue)
    }

    /// How many there are.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// How many are taken, and how many wait for one.
    pub(super) fn taken(&self) -> (usize, usize) {
        let taken =
            |of: usize, semaphore: &Semaphore| of.saturating_sub(semaphore.available_permits());
        (
            taken(self.limit, &self.places),
            taken(self.queue, &self.waiting),
        )
    }

    /// Takes a place, and waits for one if there is room in the queue.
    ///
    /// # Cancel safety
    ///
    /// Whoever leaves gives their place in the queue back.
    pub(crate) async fn enter(&self) -> Result<Slot, Full> {
        let (slot, _waiting) = self.enter_first().await?;
        Ok(slot)
    }

    /// The same for who may have to wait once more, among those of all gateways: with their place in the queue, if
    /// they have waited, so that nobody who comes after them takes it.
    pub(super) async fn enter_first(&self) -> Result<(Slot, Option<Waiting<'_>>), Full> {
        // A place that becomes free goes to who waits for it, never to somebody who has just come.
        if let Ok(place) = self.places.clone().try_acquire_owned() {
            return Ok((Slot::new(place), None));
        }
        let waiting = self.queue()?;
        let place = self.places.clone().acquire_owned();
        match tokio::time::timeout(self.queue_timeout, place).await {
            Ok(Ok(place)) => Ok((Slot::new(place), Some(waiting))),
            // It is never closed, so this is the time-out.
            _ => Err(Full::Deadline),
        }
    }
}

impl Slot {
    fn new(place: OwnedSemaphorePermit) -> Self {
        Self {
            _shared: None,
            _place: place,
        }
    }

    /// Holds the place among those of all gateways, too.
    pub(super) fn with(self, shared: Place) -> Self {
        Self {
            _shared: Some(shared),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::{Pin, pin};
    use std::task::Poll;

    /// Polls once, with a waker of the test.
    async fn first_poll<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
        std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[tokio::test(start_paused = true)]
    async fn exactly_what_is_over_the_limit_and_the_queue_is_refused() {
        let slots = Arc::new(Slots::new(3, 2, seconds(10)));
        let enter = |_| {
            let slots = slots.clone();
            tokio::spawn(async move {
                let entered = slots.enter().await;
                if entered.is_ok() {
                    tokio::time::sleep(seconds(7)).await;
                }
                entered.err()
            })
        };
        // Four times as many as there are places.
        let callers: Vec<_> = (0..12).map(enter).collect();
        let mut refused = Vec::new();
        for caller in callers {
            refused.push(caller.await.unwrap());
        }
        let served = [None; 5].into_iter();
        let expected: Vec<_> = served.chain([Some(Full::Queue); 7]).collect();
        assert_eq!(refused, expected);
        assert_eq!(slots.places.available_permits(), 3);
        assert_eq!(slots.waiting.available_permits(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_is_refused_and_who_leaves_makes_room() {
        let slots = Slots::new(1, 1, seconds(10));
        let held = slots.enter().await.unwrap();
        {
            let mut left = pin!(slots.enter());
            assert!(first_poll(left.as_mut()).await.is_pending());
            assert_eq!(slots.enter().await.err(), Some(Full::Queue));
        }
        let start = tokio::time::Instant::now();
        assert_eq!(slots.enter().await.err(), Some(Full::Deadline));
        assert_eq!(start.elapsed(), seconds(10));
        drop(held);
        assert!(slots.enter().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_goes_to_who_waits_and_not_to_who_comes() {
        let slots = Slots::new(1, 1, seconds(10));
        let held = slots.enter().await.unwrap();
        let mut waits = pin!(slots.enter());
        assert!(first_poll(waits.as_mut()).await.is_pending());
        drop(held);
        assert_eq!(slots.enter().await.err(), Some(Full::Queue));
        assert!(waits.await.is_ok());
    }
}
