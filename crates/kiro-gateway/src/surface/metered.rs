//! An encoder that does not count what it tells, counted.

use bytes::BytesMut;
use kiro_protocol::reply::ReplyEvent;

use super::ReplyEncoder;
use crate::error::Error;
use crate::kept::Kept;
use crate::search::{Asked, Found};
use crate::usage::{Consumed, Meter};

/// What logs and metrics say of tokens comes from the encoder, which most dialects need to tell it, too. One that says
/// nothing of it is counted here.
pub(crate) struct Metered {
    encoder: Box<dyn ReplyEncoder>,
    meter: Meter,
}

impl Metered {
    /// The encoder itself, where it counts.
    pub(crate) fn where_needed(
        encoder: Box<dyn ReplyEncoder>,
        meter: impl FnOnce() -> Meter,
    ) -> Box<dyn ReplyEncoder> {
        match encoder.consumed() {
            Some(_) => encoder,
            None => Box::new(Self {
                encoder,
                meter: meter(),
            }),
        }
    }
}

impl ReplyEncoder for Metered {
    fn event(&mut self, event: ReplyEvent, out: &mut BytesMut) {
        self.meter.observe(&event);
        self.encoder.event(event, out);
    }

    fn consumed(&self) -> Option<Consumed> {
        Some(self.meter.consumed())
    }

    fn stopped_at(&mut self, sequence: &str) {
        self.encoder.stopped_at(sequence);
    }

    fn search(&mut self, asked: &Asked, out: &mut BytesMut) {
        self.encoder.search(asked, out);
    }

    fn found(&mut self, found: &Found, out: &mut BytesMut) {
        self.encoder.found(found, out);
    }

    fn keep_alive(&mut self, out: &mut BytesMut) {
        self.encoder.keep_alive(out);
    }

    fn finish(&mut self, out: &mut BytesMut) {
        self.encoder.finish(out);
    }

    fn keep(&mut self) -> Option<Kept> {
        self.encoder.keep()
    }

    fn not_kept(&mut self) {
        self.encoder.not_kept();
    }

    fn fail(&mut self, error: &Error, out: &mut BytesMut) {
        self.encoder.fail(error, out);
    }
}
