//! Bodies: the bounded read of a request's, and the type of a response's.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;

use crate::error::{Error, ErrorKind};

/// The body of every response of the gateway. It ends early only when the connection does.
pub type Body = UnsyncBoxBody<Bytes, std::convert::Infallible>;

/// What a body of any kind may fail with.
pub(crate) type DynError = Box<dyn std::error::Error + Send + Sync>;

/// Memory taken before any of it has arrived, when the downstream announces a length. More is taken as
/// it comes, so that an announcement alone costs little.
const FIRST_RESERVATION: usize = 1 << 20;

/// A response body that is there as a whole.
pub(crate) fn full(bytes: Bytes) -> Body {
    http_body_util::Full::new(bytes).boxed_unsync()
}

/// Reads a request's body into one buffer.
///
/// # Errors
///
/// [`ErrorKind::TooLarge`] as soon as the announced or the received length passes `limit` bytes;
/// [`ErrorKind::InvalidRequest`] when the downstream stops in the middle.
pub(crate) async fn read<B>(body: B, limit: usize) -> Result<Bytes, Error>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<DynError>,
{
    let announced = body.size_hint().lower();
    if announced > limit as u64 {
        return Err(too_large(limit));
    }
    let mut body = std::pin::pin!(body);
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

fn too_large(limit: usize) -> Error {
    let message = format!(
        "The request body is larger than {limit} bytes, the limit of this gateway. Send a shorter conversation or fewer images, or raise `[server] max_body`."
    );
    Error::new(ErrorKind::TooLarge, message)
}

fn cut() -> Error {
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
    ) -> impl http_body::Body<Data = Bytes, Error = DynError> + use<> {
        let parts: Vec<&'static str> = parts.to_vec();
        StreamBody::new(async_stream::stream! {
            for part in parts {
                yield if part == "!" { Err("reset".into()) } else { Ok(Frame::data(Bytes::from(part))) };
            }
        })
    }

    #[tokio::test]
    async fn a_body_is_the_same_however_it_is_cut() {
        for parts in [&["abcdef"][..], &["abc", "def"], &["a", "b", "cde", "f"]] {
            assert_eq!(read(segments(parts), 6).await.unwrap(), "abcdef");
        }
        assert_eq!(read(segments(&[]), 6).await.unwrap(), "");
    }

    #[tokio::test]
    async fn one_byte_over_the_limit_is_refused_and_names_the_limit() {
        let error = read(segments(&["abc", "def", "g"]), 6).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(error.public_message().contains("6 bytes"));
        let announced = http_body_util::Full::new(Bytes::from_static(b"abcdefg"));
        assert_eq!(
            read(announced, 6).await.unwrap_err().kind(),
            ErrorKind::TooLarge
        );
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_no_body() {
        let error = read(segments(&["abc", "!"]), 6).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    }
}
