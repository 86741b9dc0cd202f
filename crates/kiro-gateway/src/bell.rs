//! Polling what has something to say, and nothing else.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Stands between a task and something that it polls: what has not woken it since the last poll is still pending, and
/// is not asked. A stream that yields is polled again at once, and a task is woken by whichever of its parts is ready;
/// without this, each of those polls goes down to the connection and to the timers.
pub(crate) struct Bell {
    ringing: Arc<Ringing>,
    /// Rings it.
    waker: Waker,
}

struct Ringing {
    rung: AtomicBool,
    /// Whom it wakes.
    task: Mutex<Waker>,
}

impl Bell {
    /// One that has rung: what was never polled may be ready.
    pub(crate) fn new() -> Self {
        let ringing = Arc::new(Ringing {
            rung: AtomicBool::new(true),
            task: Mutex::new(Waker::noop().clone()),
        });
        let waker = Waker::from(ringing.clone());
        Self { ringing, waker }
    }

    /// Polls, if it has rung since the last poll or that one was ready.
    pub(crate) fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        // First, so that whoever rings from now on wakes the right task.
        self.ringing.set_task(cx.waker());
        self.poll_again(poll)
    }

    /// The same for the task that has polled last, in the same turn of it.
    pub(crate) fn poll_again<T>(&self, poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        if !self.ringing.rung.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let polled = poll(&mut Context::from_waker(&self.waker));
        if polled.is_ready() {
            // What is ready has noted nobody to wake.
            self.ringing.rung.store(true, Ordering::Release);
        }
        polled
    }
}

impl Ringing {
    fn set_task(&self, waker: &Waker) {
        // It is replaced in one step.
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if !task.will_wake(waker) {
            task.clone_from(waker);
        }
    }
}

impl Wake for Ringing {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        let task = task.clone();
        task.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// Whether what is behind the bell was polled.
    fn is_polled(bell: &Bell, task: &Arc<Woken>, polled: Poll<()>) -> bool {
        let mut was_polled = false;
        let waker = Waker::from(task.clone());
        let told = bell.poll(&mut Context::from_waker(&waker), |_| {
            was_polled = true;
            polled
        });
        assert_eq!(told.is_ready(), was_polled && polled.is_ready());
        was_polled
    }

    #[test]
    fn what_is_pending_is_polled_again_when_it_has_rung() {
        let (bell, task) = (Bell::new(), Arc::new(Woken::default()));
        assert!(is_polled(&bell, &task, Poll::Pending));
        assert!(!is_polled(&bell, &task, Poll::Pending));
        bell.waker.wake_by_ref();
        assert!(task.0.load(Ordering::Relaxed));
        assert!(is_polled(&bell, &task, Poll::Pending));
        assert!(!is_polled(&bell, &task, Poll::Pending));
    }

    #[test]
    fn what_was_ready_is_polled_again() {
        let (bell, task) = (Bell::new(), Arc::new(Woken::default()));
        assert!(is_polled(&bell, &task, Poll::Ready(())));
        assert!(is_polled(&bell, &task, Poll::Pending));
    }

    #[test]
    fn it_rings_while_it_is_polled_and_for_the_task_that_polled_last() {
        let (bell, first) = (Bell::new(), Arc::new(Woken::default()));
        let waker = Waker::from(first.clone());
        let polled = bell.poll(&mut Context::from_waker(&waker), |cx| {
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        });
        assert!(polled.is_pending() && first.0.swap(false, Ordering::Relaxed));
        let second = Arc::new(Woken::default());
        assert!(is_polled(&bell, &second, Poll::Pending));
        bell.waker.wake_by_ref();
        assert!(second.0.load(Ordering::Relaxed) && !first.0.load(Ordering::Relaxed));
    }
}
