//! An open reply that keeps its bounds.

use std::collections::VecDeque;
use std::task::{Context, Poll, ready};

use kiro_auth::CredentialId;
use kiro_protocol::reply::{Delta, ReplyEvent};

use super::filter::Filter;
use super::format::Shape;
use super::{Bounds, Demand};
use crate::error::Error;
use crate::upstream::ReplyStream;

/// The events of a reply within its bounds. Closes the upstream as soon as they are reached.
#[derive(Debug)]
pub(crate) struct BoundedReply {
    /// `None` once nothing more is wanted of it.
    stream: Option<ReplyStream>,
    /// The credential that it was given to.
    credential: Option<CredentialId>,
    /// Where JSON is demanded.
    shape: Option<Shape>,
    filter: Filter,
    /// Events to be given out next.
    ready: VecDeque<ReplyEvent>,
    warning: Option<&'static str>,
    /// Whether an answer that is not the JSON it began as ends in an error.
    is_bound: bool,
}

impl BoundedReply {
    pub(crate) fn new(stream: ReplyStream, bounds: &Bounds) -> Self {
        let shape = match &bounds.demand {
            Some(Demand::Json(format)) => Some(Shape::new(format.clone())),
            _ => None,
        };
        Self {
            credential: stream.credential(),
            stream: Some(stream),
            shape,
            filter: Filter::new(bounds),
            ready: VecDeque::new(),
            warning: None,
            is_bound: false,
        }
    }

    /// The credential that it was given to.
    pub(crate) fn credential(&self) -> Option<CredentialId> {
        self.credential
    }

    /// A word for what the reply does not keep although it was asked for.
    pub(crate) fn warning(&self) -> Option<&'static str> {
        self.warning
    }

    pub(super) fn warn(&mut self, warning: &'static str) {
        self.warning = Some(warning);
    }

    /// From now on an answer that is not the JSON that was demanded ends in an error.
    pub(super) fn bind(&mut self) {
        self.is_bound = true;
    }

    /// Whether the answer begins like the JSON that was demanded.
    pub(super) fn is_json_so_far(&self) -> bool {
        self.shape.as_ref().is_some_and(Shape::has_begun)
    }

    /// The answer as the model wrote it, where JSON is demanded.
    pub(super) fn answer(&self) -> &str {
        self.shape.as_ref().map_or("", Shape::text)
    }

    /// Why the answer is not the JSON that was demanded, if it is there to its end and is not.
    pub(super) fn fault(&self) -> Option<&str> {
        let verdict = self.shape.as_ref()?.verdict()?;
        verdict.as_ref().err().map(String::as_str)
    }

    /// The stop sequence that ended the reply, if one did.
    pub(crate) fn stopped_at(&self) -> Option<&str> {
        self.filter.stopped_at()
    }

    /// What is left of the limit of tokens.
    pub(crate) fn tokens_left(&self) -> Option<u64> {
        self.filter.tokens_left()
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
                Some(event) if self.shape.is_none() && self.filter.is_idle() => {
                    return Poll::Ready(Ok(Some(event)));
                }
                Some(event) => self.take(event)?,
                None => self.stream = None,
            }
            if self.filter.is_over() {
                self.close();
            }
        }
    }

    /// Takes an event of the upstream.
    fn take(&mut self, event: ReplyEvent) -> Result<(), Error> {
        let Some(shape) = &mut self.shape else {
            self.filter.push(event, &mut self.ready);
            return Ok(());
        };
        let mut shaped = VecDeque::new();
        shape.push(event, &mut shaped);
        for event in shaped {
            self.filter.push(event, &mut self.ready);
        }
        match shape.verdict() {
            Some(Err(fault)) if self.is_bound => {
                let error = shape.format().unsatisfied("", fault);
                self.close();
                Err(error)
            }
            _ => Ok(()),
        }
    }

    /// Puts events back, to be given out again. Of an answer that is there to its end, the text is what
    /// was demanded, or all that the model wrote if it wrote something else.
    pub(super) fn put_back(&mut self, mut events: VecDeque<ReplyEvent>) {
        if let Some(shape) = &self.shape
            && let Some(verdict) = shape.verdict()
        {
            let text = verdict.as_deref().unwrap_or(shape.text());
            replace_text(&mut events, text.into());
        }
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

/// Puts one text where the first one was.
fn replace_text(events: &mut VecDeque<ReplyEvent>, text: Delta) {
    let is_text = |event: &ReplyEvent| matches!(event, ReplyEvent::Text(_));
    let Some(first) = events.iter().position(is_text) else {
        return;
    };
    events.retain(|event| !is_text(event));
    events.insert(first, ReplyEvent::Text(text));
}
