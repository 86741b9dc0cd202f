//! An open reply that keeps its bounds.

use std::collections::VecDeque;
use std::task::{Context, Poll, ready};

use kiro_protocol::reply::ReplyEvent;

use super::Bounds;
use super::filter::Filter;
use crate::error::Error;
use crate::upstream::ReplyStream;

/// The events of a reply within its bounds. Closes the upstream as soon as they are reached.
#[derive(Debug)]
pub(crate) struct BoundedReply {
    /// `None` once nothing more is wanted of it.
    stream: Option<ReplyStream>,
    filter: Filter,
    /// Events to be given out next.
    ready: VecDeque<ReplyEvent>,
    warning: Option<&'static str>,
}

impl BoundedReply {
    pub(crate) fn new(stream: ReplyStream, bounds: &Bounds) -> Self {
        Self {
            stream: Some(stream),
            filter: Filter::new(bounds),
            ready: VecDeque::new(),
            warning: None,
        }
    }

    /// A word for what the reply does not keep although it was asked for.
    pub(crate) fn warning(&self) -> Option<&'static str> {
        self.warning
    }

    pub(super) fn warn(&mut self, warning: &'static str) {
        self.warning = Some(warning);
    }

    /// The next event; `None` after the last one.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when a poll is not followed by another.
    pub(crate) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<ReplyEvent>, Error>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Poll::Ready(Ok(Some(event)));
            }
            let Some(stream) = &mut self.stream else {
                return Poll::Ready(Ok(None));
            };
            match ready!(stream.poll_event(cx))? {
                Some(event) if self.filter.is_idle() => return Poll::Ready(Ok(Some(event))),
                Some(event) => self.filter.push(event, &mut self.ready),
                None => self.stream = None,
            }
            if self.filter.is_over() {
                self.close();
            }
        }
    }

    /// Puts events back, to be given out again.
    pub(super) fn put_back(&mut self, events: VecDeque<ReplyEvent>) {
        let later = std::mem::replace(&mut self.ready, events);
        self.ready.extend(later);
    }

    /// Wants nothing more of the upstream.
    pub(super) fn close(&mut self) {
        if let Some(stream) = self.stream.take() {
            stream.close();
        }
    }
}
