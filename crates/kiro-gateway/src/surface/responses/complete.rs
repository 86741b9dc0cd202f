//! The answer as one document.

use bytes::BytesMut;
use kiro_protocol::reply::ReplyEvent;

use super::answer::Answer;
use super::output::Output;
use crate::error::Error;
use crate::kept::Kept;
use crate::surface::ReplyEncoder;
use crate::usage::Consumed;

/// Collects a reply and writes it at the end.
#[derive(Debug)]
pub(super) struct CompleteEncoder {
    answer: Answer,
    output: Output,
}

impl CompleteEncoder {
    pub(super) fn new(answer: Answer) -> Self {
        let output = Output::new(
            answer.told.clone(),
            answer.tells_sealed,
            answer.salt.clone(),
        );
        Self { answer, output }
    }
}

impl ReplyEncoder for CompleteEncoder {
    fn event(&mut self, event: ReplyEvent, _out: &mut BytesMut) {
        self.answer.meter.observe(&event);
        self.output.event(event, &mut ());
    }

    fn keep_alive(&mut self, _out: &mut BytesMut) {}

    fn finish(&mut self, out: &mut BytesMut) {
        out.extend_from_slice(&self.answer.document(&self.output));
    }

    fn keep(&mut self) -> Option<Kept> {
        self.answer.keep(&mut self.output)
    }

    fn not_kept(&mut self) {
        self.answer.store = false;
    }

    fn fail(&mut self, _error: &Error, _out: &mut BytesMut) {}

    fn consumed(&self) -> Option<Consumed> {
        Some(self.answer.meter.consumed())
    }
}
