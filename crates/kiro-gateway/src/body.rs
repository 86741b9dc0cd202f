//! Bodies: the bounded read of a request's, and the type of a response's.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use tokio::time::Instant;

use crate::admission::{Held, Memory};
use crate::coding;
use crate::error::{Error, ErrorKind};
use crate::values;

/// The body of every response of the gateway. It ends early only when the connection does.
pub type Body = UnsyncBoxBody<Bytes, std::convert::Infallible>;

/// What a body of any kind may fail with.
pub(crate) type DynError = Box<dyn std::error::Error + Send + Sync>;

/// Memory taken before any of it has arrived, when the downstream announces a length. More is taken as
/// it comes, so that an announcement alone costs little.
const FIRST_RESERVATION: usize = 1 << 20;

/// Most that is taken in of a body that was refused, so that the downstream can finish sending it. Twice as
/// much as is usually allowed: those who send more than that have other troubles.
const MAX_DISCARDED: usize = 128 << 20;

/// How long that may take, and how long it waits for more.
const DISCARD_TIME: Duration = Duration::from_secs(30);
const DISCARD_PAUSE: Duration = Duration::from_millis(500);

/// Bytes of a body for which a second is added to the time that it may take: the slowest line that is worth
/// waiting for.
const BYTES_PER_SECOND: f64 = 8.0 * 1024.0;

/// Length from which on the values of a body are counted.
const COUNTED: usize = 8 * 1024;

/// A response body that is there as a whole.
pub(crate) fn full(bytes: Bytes) -> Body {
    http_body_util::Full::new(bytes).boxed_unsync()
}

/// Reads a request's body into one buffer, and undoes what its `content-encoding` says. What is held of the
/// memory for bodies is to be held as long as the body is. The body has to be JSON.
///
/// Memory for an announced length is taken before any of it is read, so that nothing is read in vain; without
/// an announcement, and for what a coding makes of it, it is taken as it comes.
///
/// # Errors
///
/// [`ErrorKind::Overloaded`] when there is no memory for it;
/// [`ErrorKind::TooLarge`] as soon as the announced, the received or the decoded length passes `limit` bytes, and
/// for more than [`values::MOST`] values;
/// [`ErrorKind::SlowBody`] when it does not come within `time` and a second for every eight kibibytes, or stops
/// for `time`;
/// [`ErrorKind::UnknownCoding`]; [`ErrorKind::InvalidRequest`] when the downstream stops in the middle, or
/// when the body does not decode.
pub(crate) async fn read<B>(
    headers: &HeaderMap,
    body: B,
    limit: usize,
    time: Duration,
    memory: &Memory,
) -> Result<(Bytes, Held), Error>
where
    B: http_body::Body<Data = Bytes> + Send,
    B::Error: Into<DynError>,
{
    let codings = coding::codings(headers)?;
    // What counts frames below does not pass this on.
    let announced = body.size_hint().lower();
    if announced > limit as u64 {
        return Err(too_large(limit));
    }
    let mut held = memory.hold(announced)?;
    let due = Due::new(time);
    let body = std::pin::pin!(body.map_frame(|frame| {
        due.arrived(frame.data_ref().map_or(0, Bytes::len));
        frame
    }));
    let whole = async {
        match codings.is_empty() {
            true => collect(body, announced, limit, &mut held).await,
            false => coding::decode(body, &codings, limit, &mut held).await,
        }
    };
    let body = tokio::select! {
        whole = whole => whole?,
        () = due.passed() => return Err(slow(time)),
    };
    hold_values(&body, &mut held)?;
    Ok((body, held))
}

/// Holds memory for what is made of a body, too. Short ones make little of it, however many values they have.
fn hold_values(body: &Bytes, held: &mut Held) -> Result<(), Error> {
    if body.len() < COUNTED {
        return Ok(());
    }
    let n_values = values::count(body);
    if n_values > values::MOST {
        let message = format!(
            "The request body has {n_values} JSON names and values; this gateway takes {} at most. Send fewer messages or tools.",
            values::MOST
        );
        return Err(Error::new(ErrorKind::TooLarge, message));
    }
    held.grow_to(body.len() + n_values * values::BYTES)
}

/// When the next part of a body must have come. Without it, whoever stops in the middle holds the place of
/// another for ever.
///
/// What arrives moves it on, but never further than `time` from then: who has sent much and stops is given up as
/// soon as one who never began.
struct Due {
    time: Duration,
    at: Mutex<Instant>,
}

impl Due {
    fn new(time: Duration) -> Self {
        let at = Mutex::new(Instant::now() + time);
        Self { time, at }
    }

    fn arrived(&self, bytes: usize) {
        let latest = Instant::now() + self.time;
        let earned = Duration::from_secs_f64(bytes as f64 / BYTES_PER_SECOND);
        // A panic cannot have left an instant half changed.
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        *at = latest.min(*at + earned);
    }

    /// Ready when it has passed.
    async fn passed(&self) {
        loop {
            let at = *self.at.lock().unwrap_or_else(PoisonError::into_inner);
            if Instant::now() >= at {
                return;
            }
            tokio::time::sleep_until(at).await;
        }
    }
}

async fn collect<B>(
    mut body: Pin<&mut B>,
    announced: u64,
    limit: usize,
    held: &mut Held,
) -> Result<Bytes, Error>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<DynError>,
{
    let mut first = Bytes::new();
    let mut buffer = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| cut().with_source(error.into()))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if first.len() + buffer.len() + data.len() > limit {
            return Err(too_large(limit));
        }
        held.grow_to(first.len() + buffer.len() + data.len())?;
        if first.is_empty() && buffer.is_empty() {
            // Most bodies arrive in one segment and need no copy.
            first = data;
            continue;
        }
        if buffer.is_empty() {
            let expected = usize::try_from(announced)
                .unwrap_or(limit)
                .min(FIRST_RESERVATION);
            buffer.reserve(expected.max(first.len() + data.len()));
            buffer.extend_from_slice(&std::mem::take(&mut first));
        }
        buffer.extend_from_slice(&data);
    }
    Ok(if buffer.is_empty() {
        first
    } else {
        buffer.freeze()
    })
}

/// Receives what is left of a refused request's body, within reason, to forget it.
///
/// Many clients read the answer only after they have sent everything, and a connection that is closed on
/// them before hides it. Who expects a word before sending (`100-continue`) gets the refusal as this word,
/// and sends nothing.
pub(crate) async fn discard<B>(body: &mut B)
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    if body.is_end_stream() || body.size_hint().lower() > MAX_DISCARDED as u64 {
        return;
    }
    // It is no matter whether all of it came.
    let _ = tokio::time::timeout(DISCARD_TIME, discard_all(body)).await;
}

async fn discard_all<B>(body: &mut B)
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let mut discarded = 0;
    while discarded < MAX_DISCARDED
        && let Ok(Some(Ok(frame))) = tokio::time::timeout(DISCARD_PAUSE, body.frame()).await
    {
        discarded += frame.data_ref().map_or(0, Bytes::len);
    }
}

pub(crate) fn too_large(limit: usize) -> Error {
    let message = format!(
        "The request body is larger than {limit} bytes, the limit of this gateway. Send a shorter conversation or fewer images, or raise `[server] max_body`."
    );
    Error::new(ErrorKind::TooLarge, message)
}

fn slow(time: Duration) -> Error {
    let message = format!(
        "The request body did not arrive within {} seconds (`[timeouts] body`, and a second more for every 8 KiB), or stopped for as long. Send it without a pause.",
        time.as_secs_f64()
    );
    Error::new(ErrorKind::SlowBody, message)
}

pub(crate) fn cut() -> Error {
    Error::new(
        ErrorKind::InvalidRequest,
        "The request body ended before it was complete.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::StreamBody;
    use hyper::body::Frame;

    fn segments(
        parts: &[&'static str],
    ) -> impl http_body::Body<Data = Bytes, Error = DynError> + Send + use<> {
        let parts: Vec<&'static str> = parts.to_vec();
        StreamBody::new(async_stream::stream! {
            for part in parts {
                yield if part == "!" { Err("reset".into()) } else { Ok(Frame::data(Bytes::from(part))) };
            }
        })
    }

    const SOON: Duration = Duration::from_secs(30);

    async fn read<B>(headers: &HeaderMap, body: B, limit: usize) -> Result<Bytes, Error>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: Into<DynError>,
    {
        let read = super::read(headers, body, limit, SOON, &Memory::new(0)).await;
        read.map(|(body, _)| body)
    }

    #[tokio::test]
    async fn memory_is_taken_before_reading_or_as_it_comes() {
        let memory = Memory::new(4096);
        let headers = HeaderMap::new();
        let taken = memory.hold(2048).unwrap();
        let announced = http_body_util::Full::new(Bytes::from(vec![b' '; 3000]));
        let refused = super::read(&headers, announced.clone(), 8192, SOON, &memory).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Overloaded);
        let half: &'static str = " ".repeat(1500).leak();
        let refused = super::read(&headers, segments(&[half, half]), 8192, SOON, &memory).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Overloaded);
        drop(taken);
        let (_, held) = super::read(&headers, announced, 8192, SOON, &memory)
            .await
            .unwrap();
        assert!(memory.hold(2048).is_err());
        drop(held);
        let read = super::read(&headers, segments(&[half, half]), 8192, SOON, &memory).await;
        assert!(read.is_ok() && memory.hold(2048).is_err());
        drop(read);
        assert!(memory.hold(4096).is_ok());
    }

    #[tokio::test]
    async fn what_is_made_of_many_values_is_held_and_bounded() {
        let many = |n_values: usize| {
            let body = format!("[{}]", vec!["1"; n_values].join(","));
            http_body_util::Full::new(Bytes::from(body))
        };
        let headers = HeaderMap::new();
        let memory = Memory::new(16 << 20);
        let read = |body| super::read(&headers, body, 1 << 30, SOON, &memory);
        let held = read(many(100_000)).await.unwrap();
        assert!(memory.hold((16 << 20) - 100_000 * 96).is_err());
        // One mebibyte, of which more than all of the memory is made.
        let refused = read(many(500_000)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Overloaded);
        drop(held);
        assert!(read(many(500_000)).await.is_ok());
        let refused = read(many(values::MOST + 1)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::TooLarge);
        assert!(refused.public_message().contains("1000001 JSON names"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_or_trickles_is_given_up_and_a_slow_line_is_not() {
        let slowly = |size: usize, pause: u64| {
            StreamBody::new(async_stream::stream! {
                for _ in 0..100 {
                    tokio::time::sleep(Duration::from_secs(pause)).await;
                    yield Ok::<_, DynError>(Frame::data(Bytes::from(vec![b' '; size])));
                }
            })
        };
        for (size, pause, is_read) in [
            (1, 0, true),
            // A byte a second is no body.
            (1, 1, false),
            // It begins and stops.
            (1 << 20, 1_000, false),
            // As slow as a line may be.
            (8 * 1024, 1, true),
            (4 * 1024, 2, false),
        ] {
            let begun = Instant::now();
            let read = read(&HeaderMap::new(), slowly(size, pause), 1 << 30).await;
            assert_eq!(read.is_ok(), is_read, "{size} bytes every {pause} s");
            if let Err(error) = read {
                assert_eq!(error.kind(), ErrorKind::SlowBody);
                assert!(begun.elapsed() < Duration::from_secs(100));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_came_fast_buys_no_time_to_stop() {
        let body = StreamBody::new(async_stream::stream! {
            yield Ok::<_, DynError>(Frame::data(Bytes::from(vec![b' '; 16 << 20])));
            std::future::pending::<()>().await;
        });
        let begun = Instant::now();
        let error = read(&HeaderMap::new(), body, 1 << 30).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SlowBody);
        // Its 16 MiB would have been worth half an hour.
        assert_eq!(begun.elapsed().as_secs(), SOON.as_secs());
    }

    #[tokio::test]
    async fn a_body_is_the_same_however_it_is_cut() {
        for parts in [&["abcdef"][..], &["abc", "def"], &["a", "b", "cde", "f"]] {
            assert_eq!(
                read(&HeaderMap::new(), segments(parts), 6).await.unwrap(),
                "abcdef"
            );
        }
        assert_eq!(read(&HeaderMap::new(), segments(&[]), 6).await.unwrap(), "");
    }

    #[tokio::test]
    async fn one_byte_over_the_limit_is_refused_and_names_the_limit() {
        let error = read(&HeaderMap::new(), segments(&["abc", "def", "g"]), 6)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(error.public_message().contains("6 bytes"));
        let announced = http_body_util::Full::new(Bytes::from_static(b"abcdefg"));
        assert_eq!(
            read(&HeaderMap::new(), announced, 6)
                .await
                .unwrap_err()
                .kind(),
            ErrorKind::TooLarge
        );
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_no_body() {
        let error = read(&HeaderMap::new(), segments(&["abc", "!"]), 6)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    }
}
