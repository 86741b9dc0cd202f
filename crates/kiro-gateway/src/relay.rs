//! The relay phase: reply events go downstream as they come in, until a definite end.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};

use crate::admission::Pass;
use crate::bell::Bell;
use crate::body::Body;
use crate::deadline::Deadlines;
use crate::error::{Error, ErrorKind};
use crate::kept::{Keeper, Owner};
use crate::search::{Event, SearchedReply};
use crate::surface::ReplyEncoder;
use crate::telemetry::{Ending, Record};

/// Events that are readable at once leave in one write, up to about this many bytes. Enough to amortise
/// a write, small against the memory of a stream.
const WRITE_SIZE: usize = 8 * 1024;

/// What a stream that gives out event by event needs for one; it grows to [`WRITE_SIZE`] where more come at once.
const EVENT_SIZE: usize = 1024;

/// The attempts that lead to a reply.
pub(crate) type Opening = Pin<Box<dyn Future<Output = Result<SearchedReply, Error>> + Send>>;

/// A reply, or the attempts that lead to one.
pub(crate) enum Reply {
    /// The head went downstream before the first event, so that keep-alives can flow.
    Opening(Opening),
    /// Events are coming.
    Open(SearchedReply),
}

impl Reply {
    /// Whether its silence is no concern of ours: attempts have limits of their own, and so has a search; a
    /// gap is what lies between two events of one reply.
    fn has_own_limits(&self) -> bool {
        match self {
            Self::Opening(_) => true,
            Self::Open(reply) => reply.has_own_limits(),
        }
    }
}

/// One reply on its way downstream. Yields whole writes; ends after a definite end.
pub(crate) struct Relay {
    reply: Reply,
    /// Rings when there may be news of the reply.
    news: Bell,
    encoder: Box<dyn ReplyEncoder>,
    /// Where the reply is kept, and for whom.
    keeper: Option<(Arc<Keeper>, Arc<Owner>)>,
    silence: Silence,
    /// Ready when the drain deadline has passed and open streams must end.
    drained: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// Rings when one of these two may be due.
    alarm: Bell,
    record: Record,
    /// Given back with the relay.
    pass: Pass,
}

enum Step {
    Event(Event),
    End,
    Failed(Error),
    KeepAlive,
}

impl Relay {
    pub(crate) fn new(
        reply: Reply,
        encoder: Box<dyn ReplyEncoder>,
        silence: Silence,
        draining: watch::Receiver<bool>,
        record: Record,
        pass: Pass,
    ) -> Self {
        let drained = Box::pin(drained(draining));
        Self {
            reply,
            news: Bell::new(),
            encoder,
            keeper: None,
            silence,
            drained,
            alarm: Bell::new(),
            record,
            pass,
        }
    }

    /// Keeps what the encoder leaves of a good reply.
    pub(crate) fn keep_in(&mut self, keeper: Arc<Keeper>, owner: Arc<Owner>) {
        self.keeper = Some((keeper, owner));
    }

    /// The reply as a response body.
    ///
    /// What is logged while it is sent belongs to the request, whose span is the current one here.
    /// Nothing is spawned: when the downstream leaves, hyper drops the body, and with it the upstream
    /// connection.
    pub(crate) fn into_body(mut self) -> Body {
        let writes = async_stream::stream! {
            let mut out = BytesMut::with_capacity(EVENT_SIZE);
            let mut more = true;
            while more {
                let step = std::future::poll_fn(|cx| self.poll_step(cx)).await;
                self.keep_at_end(&step).await;
                more = self.write(step, &mut out);
                while more && out.len() < WRITE_SIZE {
                    let Some(step) = self.ready_step() else { break };
                    self.keep_at_end(&step).await;
                    more = self.write(step, &mut out);
                }
                if !out.is_empty() {
                    self.silence.wrote();
                    yield Ok::<_, Infallible>(Frame::data(out.split().freeze()));
                }
            }
        };
        let body = StreamBody::new(writes).boxed_unsync();
        InSpan::new(tracing::Span::current(), body).boxed_unsync()
    }

    async fn keep_at_end(&mut self, step: &Step) {
        if let (Step::End, Some((keeper, owner))) = (step, &self.keeper) {
            keeper.keep(owner, &mut *self.encoder).await;
        }
    }

    /// Writes one step; `false` after the last.
    fn write(&mut self, step: Step, out: &mut BytesMut) -> bool {
        match step {
            Step::Event(event) => {
                self.record.event(self.silence.heard);
                self.pass.observe(&event);
                // Only an open reply has events.
                if let Reply::Open(reply) = &self.reply {
                    reply.tell(event, &mut *self.encoder, out);
                }
                return true;
            }
            Step::KeepAlive => {
                self.encoder.keep_alive(out);
                return true;
            }
            Step::End => {
                self.encoder.finish(out);
                self.record.consumed(self.encoder.consumed());
                self.record.end(Ending::Complete);
            }
            Step::Failed(error) => {
                tracing::warn!(error = %error.for_log(), "the stream ends with an error");
                self.encoder.fail(&error, out);
                self.record.consumed(self.encoder.consumed());
                self.record.fail(&error);
            }
        }
        false
    }

    /// What can be written without waiting.
    fn ready_step(&mut self) -> Option<Step> {
        let polled = self
            .news
            .poll_again(|cx| poll_reply(&mut self.reply, &mut self.silence, cx));
        match polled {
            Poll::Ready(step) => Some(step),
            Poll::Pending => None,
        }
    }

    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        let news = |cx: &mut Context<'_>| poll_reply(&mut self.reply, &mut self.silence, cx);
        if let Poll::Ready(step) = self.news.poll(cx, news) {
            return Poll::Ready(step);
        }
        if self.reply.has_own_limits() {
            self.silence.heard();
        }
        self.alarm.poll(cx, |cx| {
            if self.drained.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Step::Failed(shutting_down()));
            }
            match ready!(self.silence.poll(cx)) {
                Due::KeepAlive => Poll::Ready(Step::KeepAlive),
                Due::TimedOut => Poll::Ready(Step::Failed(stalled(self.silence.gap))),
                Due::TooSlow => Poll::Ready(Step::Failed(too_slow(self.silence.total))),
            }
        })
    }
}

fn poll_reply(reply: &mut Reply, silence: &mut Silence, cx: &mut Context<'_>) -> Poll<Step> {
    loop {
        match reply {
            Reply::Opening(opening) => match ready!(opening.as_mut().poll(cx)) {
                Ok(opened) => {
                    *reply = Reply::Open(opened);
                    silence.heard();
                }
                Err(error) => return Poll::Ready(Step::Failed(error)),
            },
            Reply::Open(open) => {
                let event = ready!(open.poll_event(cx));
                silence.heard();
                return Poll::Ready(match event {
                    Ok(Some(event)) => Step::Event(event),
                    Ok(None) => Step::End,
                    Err(error) => Step::Failed(error),
                });
            }
        }
    }
}

/// A body that is sent, and dropped, inside of a span. Its server does both in places of its own.
struct InSpan {
    span: tracing::Span,
    /// Until it is dropped.
    body: Option<Body>,
}

impl InSpan {
    fn new(span: tracing::Span, body: Body) -> Self {
        let body = Some(body);
        Self { span, body }
    }
}

impl http_body::Body for InSpan {
    type Data = bytes::Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<bytes::Bytes>, Infallible>>> {
        let this = self.get_mut();
        let _entered = this.span.enter();
        match &mut this.body {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }
}

impl Drop for InSpan {
    fn drop(&mut self) {
        let _entered = self.span.enter();
        self.body = None;
    }
}

/// How long both sides have been silent. One timer for a stream, moved only when it fires: noting that
/// something was heard or written is a clock reading, not a timer operation.
pub(crate) struct Silence {
    keep_alive: Duration,
    gap: Duration,
    /// When the whole answer must be there.
    end: Option<Instant>,
    total: Duration,
    heard: Instant,
    wrote: Instant,
    timer: Pin<Box<Sleep>>,
}

/// What silence has led to.
#[derive(Debug, PartialEq, Eq)]
enum Due {
    KeepAlive,
    TimedOut,
    /// The whole answer takes too long.
    TooSlow,
}

impl Silence {
    /// `keep_alive`: longest silence towards the downstream.
    pub(crate) fn new(keep_alive: Duration, deadlines: Deadlines) -> Self {
        let now = Instant::now();
        let gap = deadlines.gap;
        let total = deadlines.total.unwrap_or(Duration::MAX);
        let first = keep_alive.min(gap).min(total);
        let timer = Box::pin(tokio::time::sleep_until(now + first));
        Self {
            keep_alive,
            gap,
            end: now.checked_add(total).filter(|_| deadlines.total.is_some()),
            total,
            heard: now,
            wrote: now,
            timer,
        }
    }

    fn heard(&mut self) {
        self.heard = Instant::now();
    }

    /// What is written was heard, or due, a moment ago; a clock is not asked for the difference.
    fn wrote(&mut self) {
        self.wrote = self.wrote.max(self.heard);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Due> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let now = Instant::now();
            let due = if self.end.is_some_and(|end| now >= end) {
                Some(Due::TooSlow)
            } else if now >= self.heard + self.gap {
                Some(Due::TimedOut)
            } else if now >= self.wrote + self.keep_alive {
                self.wrote = now;
                Some(Due::KeepAlive)
            } else {
                None
            };
            let next = (self.heard + self.gap).min(self.wrote + self.keep_alive);
            let next = self.end.map_or(next, |end| next.min(end));
            self.timer.as_mut().reset(next);
            if let Some(due) = due {
                return Poll::Ready(due);
            }
        }
    }
}

/// What is said when the upstream falls silent in the middle of an answer.
pub(crate) fn stalled(gap: Duration) -> Error {
    let message = format!(
        "The upstream sent nothing for {} seconds in the middle of its answer; the answer is incomplete. Try again.",
        gap.as_secs()
    );
    Error::new(ErrorKind::Timeout, message)
}

/// What is said when the whole answer takes too long.
pub(crate) fn too_slow(time: Duration) -> Error {
    let message = format!(
        "The upstream did not finish its answer within {} seconds. Ask with `stream: true`, for less, or with a longer limit.",
        time.as_secs_f64(),
    );
    Error::new(ErrorKind::Timeout, message)
}

/// What is said when the drain deadline cuts an answer off.
pub(crate) fn shutting_down() -> Error {
    Error::new(
        ErrorKind::ShuttingDown,
        "The gateway is shutting down; the answer is incomplete. Try again in a moment.",
    )
}

/// Waits until the drain deadline has passed and open answers must end.
pub(crate) async fn drained(mut draining: watch::Receiver<bool>) {
    if draining.wait_for(|over| *over).await.is_err() {
        // The gateway itself is gone, and with it the reason to end early.
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn due(silence: &mut Silence) -> (Due, u64) {
        let start = Instant::now();
        let due = std::future::poll_fn(|cx| silence.poll(cx)).await;
        (due, start.elapsed().as_secs())
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn silence(keep_alive: u64, gap: u64, total: Option<u64>) -> Silence {
        let deadlines = Deadlines {
            first_event: seconds(1),
            gap: seconds(gap),
            total: total.map(seconds),
        };
        Silence::new(seconds(keep_alive), deadlines)
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_goes_on_for_too_long_ends() {
        let mut silence = silence(15, 40, Some(35));
        assert_eq!(due(&mut silence).await, (Due::KeepAlive, 15));
        silence.heard();
        assert_eq!(due(&mut silence).await, (Due::KeepAlive, 15));
        assert_eq!(due(&mut silence).await, (Due::TooSlow, 5));
    }

    #[tokio::test(start_paused = true)]
    async fn keep_alives_flow_until_the_gap_is_too_long() {
        let mut silence = silence(15, 40, None);
        assert_eq!(due(&mut silence).await, (Due::KeepAlive, 15));
        assert_eq!(due(&mut silence).await, (Due::KeepAlive, 15));
        assert_eq!(due(&mut silence).await, (Due::TimedOut, 10));
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_is_heard_or_written_starts_the_wait_again() {
        let mut silence = silence(15, 40, None);
        for _ in 0..10 {
            tokio::time::advance(seconds(14)).await;
            silence.heard();
            silence.wrote();
        }
        assert_eq!(due(&mut silence).await, (Due::KeepAlive, 15));
    }
}
