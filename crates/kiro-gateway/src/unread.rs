//! Streams of an HTTP/2 connection that the client does not read.
//!
//! Each of them has a window of its own. A client that opens none for a stream, and reads everything else, holds the
//! reply upstream, which is paid for, or a whole answer in memory, without the connection ever being full; and the
//! server does not ask a body for more while there is no window, so the body cannot see to it by itself.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use http_body::Body as _;
use hyper::body::{Frame, SizeHint};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::body::Body;

/// Most bytes of a body that are not worth the watch: a stream may hold as many anyway.
const SMALL: u64 = 64 * 1024;

/// Bytes that are given at once. What was given stays with the connection when the rest is left.
const PART: usize = 16 * 1024;

/// The streams of one connection.
#[derive(Debug, Default)]
pub(crate) struct Unread {
    streams: Mutex<Vec<Weak<Mutex<Stream>>>>,
    came: Notify,
}

/// A body on its way to a client.
pub(crate) enum Downstream {
    /// Nobody looks whether it is read: it is small, or the connection tells.
    Plain(Body),
    Watched(Arc<Mutex<Stream>>),
}

/// A body that is left when its client does not take more of it.
#[derive(Debug)]
pub(crate) struct Stream {
    /// Until it is left.
    body: Option<Body>,
    /// What the body has given, and was not given on.
    rest: Bytes,
    /// Of the whole body.
    length: SizeHint,
    /// When the last part was given, until the next one is asked for.
    given: Option<Instant>,
}

/// The client has taken nothing for too long.
#[derive(Debug, thiserror::Error)]
#[error("the client does not read the stream")]
pub(crate) struct NotRead;

impl Unread {
    /// Watches a body, unless it is small.
    pub(crate) fn watched(&self, body: Body) -> Downstream {
        let length = body.size_hint();
        if length.exact().is_some_and(|length| length <= SMALL) {
            return Downstream::Plain(body);
        }
        let stream = Stream {
            body: Some(body),
            rest: Bytes::new(),
            length,
            given: None,
        };
        let stream = Arc::new(Mutex::new(stream));
        let mut streams = lock(&self.streams);
        streams.retain(|stream| stream.strong_count() > 0);
        streams.push(Arc::downgrade(&stream));
        self.came.notify_one();
        Downstream::Watched(stream)
    }

    /// Leaves the streams of which nothing was taken for `limit`. Has no end.
    pub(crate) async fn leave_after(&self, limit: Duration) -> Infallible {
        loop {
            if lock(&self.streams).is_empty() {
                self.came.notified().await;
            }
            // Late by a quarter at most, which is near enough.
            tokio::time::sleep(limit / 4).await;
            self.leave(limit);
        }
    }

    fn leave(&self, limit: Duration) {
        let mut left = Vec::new();
        lock(&self.streams).retain(|stream| {
            let Some(stream) = stream.upgrade() else {
                return false;
            };
            let mut stream = lock(&stream);
            let is_unread = stream.given.is_some_and(|given| given.elapsed() >= limit);
            if is_unread {
                left.extend(stream.body.take());
                stream.rest = Bytes::new();
            }
            !is_unread
        });
        // Dropped without a lock: with it goes all that the exchange holds.
        drop(left);
    }
}

impl Stream {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, NotRead>>> {
        self.given = None;
        let Some(body) = &mut self.body else {
            // It must not look like an end.
            return Poll::Ready(Some(Err(NotRead)));
        };
        if self.rest.is_empty() {
            let frame = ready!(Pin::new(body).poll_frame(cx));
            self.given = Some(Instant::now());
            let Some(frame) = frame else {
                return Poll::Ready(None);
            };
            let frame = frame.map_err(|never| match never {})?;
            match frame.into_data() {
                Ok(data) => self.rest = data,
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            }
        }
        self.given = Some(Instant::now());
        Poll::Ready(Some(Ok(Frame::data(self.part()))))
    }

    /// Takes of the rest what is given next. A copy, where more is left: a slice would hold all of it.
    fn part(&mut self) -> Bytes {
        if self.rest.len() <= PART {
            return std::mem::take(&mut self.rest);
        }
        let part = Bytes::copy_from_slice(&self.rest[..PART]);
        self.rest.advance(PART);
        part
    }

    fn is_at_end(&self) -> bool {
        let body = self.body.as_ref();
        self.rest.is_empty() && body.is_some_and(Body::is_end_stream)
    }
}

impl http_body::Body for Downstream {
    type Data = Bytes;
    type Error = NotRead;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, NotRead>>> {
        match self.get_mut() {
            Self::Plain(body) => Pin::new(body)
                .poll_frame(cx)
                .map_err(|never| match never {}),
            Self::Watched(stream) => lock(stream).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Plain(body) => body.is_end_stream(),
            Self::Watched(stream) => lock(stream).is_at_end(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Plain(body) => body.size_hint(),
            Self::Watched(stream) => lock(stream).length,
        }
    }
}

/// A panic while the lock was held leaves a body that is not polled again.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt as _, StreamBody};

    const LIMIT: Duration = Duration::from_secs(60);

    /// A body that always has more, and says when it is dropped.
    fn endless(held: Arc<()>) -> Body {
        let frames = async_stream::stream! {
            loop {
                let _held = &held;
                yield Ok(Frame::data(Bytes::from_static(b"more")));
            }
        };
        StreamBody::new(frames).boxed_unsync()
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_read_is_left_and_fails_and_what_is_read_goes_on() {
        let (unread, held) = (Unread::default(), Arc::new(()));
        let mut idle = unread.watched(endless(held.clone()));
        let mut read = unread.watched(endless(held.clone()));
        let watching = unread.leave_after(LIMIT);
        let mut watching = std::pin::pin!(watching);
        for body in [&mut idle, &mut read] {
            assert!(body.frame().await.unwrap().is_ok());
        }
        for _ in 0..3 {
            assert_eq!(Arc::strong_count(&held), 3);
            let _ = tokio::time::timeout(LIMIT / 3, &mut watching).await;
            assert!(read.frame().await.unwrap().is_ok());
        }
        let _ = tokio::time::timeout(LIMIT / 3, &mut watching).await;
        assert_eq!(Arc::strong_count(&held), 2);
        assert!(idle.frame().await.unwrap().is_err());
        assert!(read.frame().await.unwrap().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_is_silent_is_no_client_that_does_not_read() {
        let unread = Unread::default();
        let silent = StreamBody::new(async_stream::stream! {
            tokio::time::sleep(LIMIT * 10).await;
            yield Ok(Frame::data(Bytes::from_static(b"late")));
        });
        let mut body = unread.watched(silent.boxed_unsync());
        tokio::select! {
            frame = body.frame() => assert!(frame.unwrap().is_ok()),
            never = unread.leave_after(LIMIT) => match never {},
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_whole_answer_that_is_not_read_is_left_too_and_is_whole_when_it_is_read() {
        let answer: Bytes = (0..300_000).map(|n| n as u8).collect();
        let unread = Unread::default();
        let mut idle = unread.watched(crate::body::full(answer.clone()));
        let read = unread.watched(crate::body::full(answer.clone()));
        assert_eq!(read.size_hint().exact(), Some(300_000));
        let first = idle.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(first, answer[..PART]);
        assert!(!idle.is_end_stream());
        assert_eq!(read.collect().await.unwrap().to_bytes(), answer);
        let _ = tokio::time::timeout(LIMIT * 2, unread.leave_after(LIMIT)).await;
        assert!(idle.frame().await.unwrap().is_err());
        assert!(answer.is_unique(), "what was given is a copy");
    }

    #[test]
    fn what_is_small_is_not_watched() {
        let body = Unread::default().watched(crate::body::full(Bytes::from_static(b"{}")));
        assert!(matches!(body, Downstream::Plain(_)));
        assert_eq!(body.size_hint().exact(), Some(2));
    }
}
