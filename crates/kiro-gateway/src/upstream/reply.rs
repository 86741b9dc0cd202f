//! An open reply: segments from the connection become reply events.

use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use kiro_auth::{CredentialId, Lease, Outcome};
use kiro_protocol::reply::{ReplyDecoder, ReplyError, ReplyEvent};
use tokio::time::Instant;

use super::connection::ResponseBody;
use super::retry::Failure;
use super::{Order, refusal};
use crate::error::Error;
use crate::pace::Paces;
use crate::usage::Prompt;

/// A reply past its first event. Dropping it before its end closes the connection, which tells the
/// upstream to stop.
#[derive(Debug)]
pub(crate) struct ReplyStream {
    source: Source,
    /// Events that were decoded while the reply was opened.
    opening: std::collections::VecDeque<ReplyEvent>,
    lease: Option<Lease>,
    /// Whose reply it is, also after its end.
    credential: Option<CredentialId>,
    /// What it answers, to say so when that was too long.
    prompt: Arc<Prompt>,
    context_window: u32,
    waits: Option<Waits>,
}

/// How long the reply was waited for, which its model's next time-outs follow from.
#[derive(Debug)]
struct Waits {
    paces: Arc<Paces>,
    model: String,
    /// When the wait began that is under way.
    since: Option<Instant>,
    longest: Duration,
}

/// The connection's body and the decoder of what it carries.
#[derive(Debug)]
pub(super) struct Source {
    body: ResponseBody,
    decoder: ReplyDecoder,
    at_end: bool,
}

impl Source {
    pub(super) fn new(body: ResponseBody, decoder: ReplyDecoder) -> Self {
        Self {
            body,
            decoder,
            at_end: false,
        }
    }

    /// The next event; `None` after the last one of a complete reply.
    pub(super) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<ReplyEvent>, Failure>> {
        loop {
            if let Some(event) = self.decoder.next_event().map_err(failure)? {
                return Poll::Ready(Ok(Some(event)));
            }
            if self.at_end {
                return Poll::Ready(Ok(None));
            }
            match ready!(self.body.poll_segment(cx)) {
                Ok(Some(segment)) => self.decoder.push(segment),
                Ok(None) => {
                    self.at_end = true;
                    self.decoder.finish().map_err(failure)?;
                    let ignored = self.decoder.ignored_events();
                    tracing::debug!(ignored, "a reply has ended");
                }
                Err(error) => {
                    tracing::debug!(%error, "the upstream connection broke in a reply");
                    return Poll::Ready(Err(Failure::Broken));
                }
            }
        }
    }
}

impl ReplyStream {
    pub(super) fn new(
        source: Source,
        opening: std::collections::VecDeque<ReplyEvent>,
        order: &Order,
    ) -> Self {
        Self {
            source,
            opening,
            lease: None,
            credential: None,
            prompt: order.prompt.clone(),
            context_window: order.context_window,
            waits: None,
        }
    }

    /// Notes how long the rest of the reply is waited for.
    pub(super) fn timed(mut self, paces: &Arc<Paces>, model: &str) -> Self {
        self.waits = Some(Waits {
            paces: paces.clone(),
            model: model.to_owned(),
            since: None,
            longest: Duration::ZERO,
        });
        self
    }

    pub(super) fn with_lease(mut self, lease: Lease) -> Self {
        self.credential = Some(lease.credential_id());
        self.lease = Some(lease);
        self
    }

    /// The credential that it was given to.
    pub(crate) fn credential(&self) -> Option<CredentialId> {
        self.credential
    }

    /// Ends a reply of which nothing more is wanted: closes the connection, which tells the upstream to
    /// stop, and settles the lease as a success.
    pub(crate) fn close(mut self) {
        if let Some(lease) = self.lease.take() {
            lease.settle(Outcome::Success);
        }
    }

    /// The next event; `None` after the last one of a complete reply, which settles the lease.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when a poll is not followed by another.
    pub(crate) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<ReplyEvent>, Error>> {
        if let Some(event) = self.opening.pop_front() {
            return Poll::Ready(Ok(Some(event)));
        }
        let polled = self.source.poll_event(cx);
        if let Some(waits) = &mut self.waits {
            waits.note(polled.is_pending());
        }
        match ready!(polled) {
            Ok(Some(event)) => Poll::Ready(Ok(Some(event))),
            Ok(None) => {
                if let Some(lease) = self.lease.take() {
                    lease.settle(Outcome::Success);
                }
                Poll::Ready(Ok(None))
            }
            Err(failure) => {
                if let Some(lease) = self.lease.take() {
                    refusal::settle(lease, &failure, None);
                }
                let prompt = (&*self.prompt, self.context_window);
                Poll::Ready(Err(refusal::broken_off(failure, prompt)))
            }
        }
    }
}

impl Waits {
    fn note(&mut self, is_waiting: bool) {
        match (is_waiting, self.since) {
            (true, None) => self.since = Some(Instant::now()),
            (false, Some(since)) => {
                self.longest = self.longest.max(since.elapsed());
                self.since = None;
            }
            _ => {}
        }
    }
}

impl Drop for Waits {
    /// A reply that is given up counts with the time that it was waited for.
    fn drop(&mut self) {
        self.note(false);
        self.paces.waited_within(&self.model, self.longest);
    }
}

fn failure(error: ReplyError) -> Failure {
    match error {
        ReplyError::Fault(fault) => Failure::Fault(fault),
        other => {
            tracing::warn!(error = %other, "the upstream's reply is broken");
            Failure::Malformed
        }
    }
}
