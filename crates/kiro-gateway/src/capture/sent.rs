//! A body on its way downstream, of which a tape takes note.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

use super::Tape;
use crate::body::Body;

/// A body and its tape. The tape goes last, so that it hears of everything that the body's end brings about.
pub(super) struct Noted {
    body: Body,
    tape: Tape,
}

impl Noted {
    pub(super) fn new(body: Body, tape: Tape) -> Self {
        if http_body::Body::is_end_stream(&body) {
            tape.response_ended();
        }
        Self { body, tape }
    }
}

impl http_body::Body for Noted {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(frame) = &polled {
            if let Some(Ok(frame)) = frame
                && let Some(data) = frame.data_ref()
            {
                self.tape.sent(data);
            }
            if frame.is_none() || self.body.is_end_stream() {
                self.tape.response_ended();
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
