//! Content codings: what `content-encoding` says was done to a request's body, undone.
//!
//! Codex compresses its requests in some configurations (`zstd`, observed November 2026), and proxies in
//! front of clients do (`gzip`). Each coding is undone while the body arrives; besides the result only the
//! windows of the decoders are held.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_compression::tokio::bufread::{
    BrotliDecoder, DeflateDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder,
};
use async_compression::zstd::DParameter;
use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, header};
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader, ReadBuf,
};

use crate::admission::Held;
use crate::body::{DynError, cut, too_large};
use crate::error::{Error, ErrorKind};

/// What can be undone, for the error about anything else and for `accept-encoding`.
pub(crate) const KNOWN: &str = "gzip, deflate, br, zstd";

/// Most codings on one body. Nobody needs two; a long chain is work for nothing.
const MAX_CHAIN: usize = 3;

/// Largest window of zstd, as a power of two: 8 MiB, which no sender may exceed (RFC 9659, section 3).
const ZSTD_WINDOW_LOG: u32 = 23;

/// Room that is made for each read of the result.
const READ_SIZE: usize = 64 * 1024;

/// One coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    /// The format of zlib, or what it wraps: senders disagree about the name (RFC 9110, section 8.4.1.2).
    Deflate,
    Brotli,
    Zstd,
}

/// The codings of a body, in the order in which they were applied. `identity` is none.
///
/// # Errors
///
/// [`ErrorKind::UnknownCoding`], which lists the known ones.
pub(crate) fn codings(headers: &HeaderMap) -> Result<Vec<Coding>, Error> {
    let mut codings = Vec::new();
    for value in headers.get_all(header::CONTENT_ENCODING) {
        let value = String::from_utf8_lossy(value.as_bytes());
        for name in value.split(',').map(str::trim) {
            match &*name.to_ascii_lowercase() {
                "" | "identity" => {}
                "gzip" | "x-gzip" => codings.push(Coding::Gzip),
                "deflate" => codings.push(Coding::Deflate),
                "br" => codings.push(Coding::Brotli),
                "zstd" => codings.push(Coding::Zstd),
                _ => return Err(unknown(name)),
            }
        }
    }
    if codings.len() > MAX_CHAIN {
        let message = format!(
            "The request body is encoded {} times; this gateway undoes at most {MAX_CHAIN} codings.",
            codings.len()
        );
        return Err(Error::new(ErrorKind::UnknownCoding, message));
    }
    Ok(codings)
}

/// Reads a body and undoes its codings. Neither the body nor what any coding makes of it may be longer than
/// `limit` bytes.
///
/// # Errors
///
/// [`ErrorKind::TooLarge`] as soon as the limit is passed; [`ErrorKind::InvalidRequest`] when the body
/// breaks off or is not what its codings promise.
pub(crate) async fn decode<B>(
    body: Pin<&mut B>,
    codings: &[Coding],
    limit: usize,
    held: &mut Held,
) -> Result<Bytes, Error>
where
    B: http_body::Body<Data = Bytes> + Send,
    B::Error: Into<DynError>,
{
    let mut reader: Reader<'_> = Box::new(Wire {
        body,
        segment: Bytes::new(),
        left: limit,
        limit,
    });
    for coding in codings.iter().rev() {
        reader = undo(*coding, reader, limit).await.map_err(refusal)?;
    }
    let mut decoded = BytesMut::new();
    loop {
        decoded.reserve(READ_SIZE);
        if reader.read_buf(&mut decoded).await.map_err(refusal)? == 0 {
            return Ok(decoded.freeze());
        }
        held.grow_to(decoded.len())?;
        // A short body can become a long one; others have their turn meanwhile.
        tokio::task::consume_budget().await;
    }
}

type Reader<'a> = Box<dyn AsyncBufRead + Send + Unpin + 'a>;

async fn undo(coding: Coding, mut reader: Reader<'_>, limit: usize) -> io::Result<Reader<'_>> {
    // Frames and members may follow each other in one body; anything else behind the end is corruption.
    macro_rules! all_of {
        ($decoder:expr) => {{
            let mut decoder = $decoder;
            decoder.multiple_members(true);
            Box::new(decoder)
        }};
    }
    let decoder: Box<dyn AsyncRead + Send + Unpin + '_> = match coding {
        Coding::Gzip => all_of!(GzipDecoder::new(reader)),
        Coding::Brotli => all_of!(BrotliDecoder::new(reader)),
        Coding::Zstd => all_of!(ZstdDecoder::with_params(
            reader,
            &[DParameter::window_log_max(ZSTD_WINDOW_LOG)]
        )),
        Coding::Deflate => {
            let head = first_two(&mut reader).await?;
            let wrapped = is_zlib(&head);
            let reader = tokio::io::AsyncReadExt::chain(io::Cursor::new(head), reader);
            match wrapped {
                true => all_of!(ZlibDecoder::new(reader)),
                false => all_of!(DeflateDecoder::new(reader)),
            }
        }
    };
    let bounded = Bounded {
        decoder,
        left: limit,
        limit,
    };
    Ok(Box::new(BufReader::with_capacity(READ_SIZE, bounded)))
}

/// The first two bytes, or fewer if there are no more.
async fn first_two(reader: &mut Reader<'_>) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(2);
    while head.len() < 2 {
        let Some(byte) = reader.fill_buf().await?.first().copied() else {
            break;
        };
        reader.consume(1);
        head.push(byte);
    }
    Ok(head)
}

/// Whether data begins with the header of zlib: method 8 and a checksum (RFC 1950, section 2.2).
fn is_zlib(head: &[u8]) -> bool {
    matches!(*head, [method, flags] if method & 0x0f == 8 && u16::from_be_bytes([method, flags]).is_multiple_of(31))
}

/// The body as it arrives.
struct Wire<'a, B> {
    body: Pin<&'a mut B>,
    segment: Bytes,
    left: usize,
    limit: usize,
}

impl<B> AsyncBufRead for Wire<'_, B>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<DynError>,
{
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        while this.segment.is_empty() {
            let data = match ready!(this.body.as_mut().poll_frame(cx)) {
                None => break,
                Some(Err(error)) => {
                    let error = cut().with_source(error.into());
                    return Poll::Ready(Err(io::Error::other(error)));
                }
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            };
            this.left = match this.left.checked_sub(data.len()) {
                Some(left) => left,
                None => return Poll::Ready(Err(io::Error::other(too_large(this.limit)))),
            };
            this.segment = data;
        }
        Poll::Ready(Ok(&this.segment))
    }

    fn consume(mut self: Pin<&mut Self>, amount: usize) {
        self.segment.advance(amount);
    }
}

impl<B> AsyncRead for Wire<'_, B>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<DynError>,
{
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let segment = ready!(self.as_mut().poll_fill_buf(cx))?;
        let amount = segment.len().min(out.remaining());
        out.put_slice(&segment[..amount]);
        self.consume(amount);
        Poll::Ready(Ok(()))
    }
}

/// What a decoder gives, up to a limit. Every decoder has one, because the one behind it may make little
/// out of much.
struct Bounded<'a> {
    decoder: Box<dyn AsyncRead + Send + Unpin + 'a>,
    left: usize,
    limit: usize,
}

impl AsyncRead for Bounded<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = out.filled().len();
        ready!(Pin::new(&mut self.decoder).poll_read(cx, out))?;
        let amount = out.filled().len() - before;
        Poll::Ready(match self.left.checked_sub(amount) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(io::Error::other(too_large(self.limit))),
        })
    }
}

fn unknown(name: &str) -> Error {
    let message = format!(
        "Unsupported content-encoding: '{}'. This gateway takes {KNOWN}, or a body without one.",
        name.escape_debug()
    );
    Error::new(ErrorKind::UnknownCoding, message)
}

/// Errors of ours travel through the decoders; the others are theirs.
fn refusal(error: io::Error) -> Error {
    error.downcast::<Error>().unwrap_or_else(|error| {
        Error::new(
            ErrorKind::InvalidRequest,
            "The request body is not what its content-encoding says: the compressed data is corrupt or incomplete.",
        )
        .with_source(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_compression::Level;
    use async_compression::tokio::bufread::{
        BrotliEncoder, DeflateEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder,
    };
    use http_body_util::StreamBody;
    use hyper::body::Frame;

    const LIMIT: usize = 1 << 20;

    async fn all(mut reader: impl AsyncRead + Unpin) -> Vec<u8> {
        let mut out = Vec::new();
        reader.read_to_end(&mut out).await.unwrap();
        out
    }

    /// The names that a header may give, and data so encoded.
    async fn encode(name: &str, plain: &[u8]) -> Vec<u8> {
        match name {
            "gzip" | "x-gzip" => all(GzipEncoder::new(plain)).await,
            "deflate" => all(ZlibEncoder::new(plain)).await,
            "raw" => all(DeflateEncoder::new(plain)).await,
            "br" => all(BrotliEncoder::with_quality(plain, Level::Fastest)).await,
            "zstd" => all(ZstdEncoder::new(plain)).await,
            other => panic!("no such coding: {other}"),
        }
    }

    fn header(value: &'static str) -> HeaderMap {
        let value = http::HeaderValue::from_static(value);
        HeaderMap::from_iter([(header::CONTENT_ENCODING, value)])
    }

    /// Decodes a body that arrives in pieces of some length.
    async fn decoded(
        codings: &[Coding],
        body: &[u8],
        piece: usize,
        limit: usize,
    ) -> Result<Bytes, Error> {
        let pieces: Vec<Bytes> = body.chunks(piece).map(Bytes::copy_from_slice).collect();
        let body = StreamBody::new(async_stream::stream! {
            for piece in pieces {
                yield Ok::<_, DynError>(Frame::data(piece));
            }
        });
        let mut held = crate::admission::Memory::new(0).hold(0)?;
        decode(std::pin::pin!(body), codings, limit, &mut held).await
    }

    fn named(name: &str) -> Coding {
        match name {
            "gzip" => Coding::Gzip,
            "deflate" | "raw" => Coding::Deflate,
            "br" => Coding::Brotli,
            _ => Coding::Zstd,
        }
    }

    const NAMES: [&str; 5] = ["gzip", "deflate", "raw", "br", "zstd"];

    fn text() -> Vec<u8> {
        (0..20_000_u32)
            .flat_map(|number| format!("{{\"n\":{number}}},").into_bytes())
            .collect()
    }

    #[test]
    fn the_header_names_codings_in_the_order_of_their_use() {
        for (value, expected) in [
            ("", &[][..]),
            ("identity", &[]),
            ("GZip", &[Coding::Gzip]),
            ("x-gzip", &[Coding::Gzip]),
            ("deflate, br", &[Coding::Deflate, Coding::Brotli]),
            ("zstd,identity", &[Coding::Zstd]),
        ] {
            assert_eq!(codings(&header(value)).unwrap(), expected, "{value}");
        }
        let mut two = header("gzip");
        two.append(header::CONTENT_ENCODING, "zstd".parse().unwrap());
        assert_eq!(codings(&two).unwrap(), [Coding::Gzip, Coding::Zstd]);
        for value in ["compress", "gzip, snappy", "gzip, gzip, gzip, gzip"] {
            let error = codings(&header(value)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnknownCoding, "{value}");
        }
        let error = codings(&header("compress")).unwrap_err();
        assert!(error.public_message().contains(KNOWN));
    }

    #[tokio::test]
    async fn every_coding_is_undone_however_the_body_is_cut() {
        let text = text();
        for name in NAMES {
            let body = encode(name, &text).await;
            assert!(body.len() < text.len() / 2, "{name}");
            for piece in [1, 7, 4096, usize::MAX] {
                let got = decoded(&[named(name)], &body, piece, LIMIT).await.unwrap();
                assert_eq!(got, text, "{name} in pieces of {piece}");
            }
        }
    }

    #[tokio::test]
    async fn chained_codings_are_undone_from_the_last_to_the_first() {
        let text = text();
        for first in NAMES {
            for second in NAMES {
                let body = encode(second, &encode(first, &text).await).await;
                let got = decoded(&[named(first), named(second)], &body, 1000, LIMIT).await;
                assert_eq!(got.unwrap(), text, "{first}, {second}");
            }
        }
    }

    #[tokio::test]
    async fn exactly_the_limit_passes_and_one_byte_more_does_not() {
        let plain = vec![b'x'; 100_000];
        for name in NAMES {
            let body = encode(name, &plain).await;
            let coding = [named(name)];
            assert_eq!(
                decoded(&coding, &body, 100, 100_000).await.unwrap().len(),
                100_000
            );
            let error = decoded(&coding, &body, 100, 99_999).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TooLarge, "{name}");
            assert!(error.public_message().contains("99999 bytes"), "{name}");
        }
    }

    #[tokio::test]
    async fn a_bomb_in_the_middle_of_a_chain_is_found_there() {
        // Members of nothing: a long inner stream, which makes no output at all.
        let nothing = encode("gzip", b"").await.repeat(100_000);
        let body = encode("zstd", &nothing).await;
        let chain = [Coding::Gzip, Coding::Zstd];
        let error = decoded(&chain, &body, 4096, LIMIT).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    }

    #[tokio::test]
    async fn every_truncation_and_trailing_garbage_are_refused() {
        let text = b"{\"model\": \"claude-sonnet-4-5\", \"messages\": []}";
        for name in NAMES {
            let body = encode(name, text).await;
            for end in 1..body.len() {
                let got = decoded(&[named(name)], &body[..end], 8, LIMIT).await;
                let kind = got.as_ref().map_err(Error::kind);
                assert_eq!(kind, Err(ErrorKind::InvalidRequest), "{name} cut at {end}");
            }
            let garbage = [&body[..], b"\xffgarbage"].concat();
            let got = decoded(&[named(name)], &garbage, 8, LIMIT).await;
            assert_eq!(
                got.map_err(|error| error.kind()),
                Err(ErrorKind::InvalidRequest),
                "{name} with garbage"
            );
        }
    }

    #[tokio::test]
    async fn checksums_are_checked() {
        let text = text();
        for name in ["gzip", "deflate"] {
            let mut body = encode(name, &text).await;
            // Both end with a checksum or what follows it.
            let at = body.len() - 5;
            let at = if name == "deflate" {
                body.len() - 1
            } else {
                at
            };
            body[at] ^= 1;
            let got = decoded(&[named(name)], &body, 4096, LIMIT).await;
            assert_eq!(
                got.map_err(|error| error.kind()),
                Err(ErrorKind::InvalidRequest),
                "{name}"
            );
        }
    }

    #[tokio::test]
    async fn a_window_that_would_take_much_memory_is_refused() {
        // The head of a frame: magic, no checksum and no size, a window of 128 MiB; then one empty block.
        let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 17 << 3, 0x01, 0x00, 0x00];
        let got = decoded(&[Coding::Zstd], &frame, 100, LIMIT).await;
        assert_eq!(got.unwrap_err().kind(), ErrorKind::InvalidRequest);
        let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 13 << 3, 0x01, 0x00, 0x00];
        let got = decoded(&[Coding::Zstd], &frame, 100, LIMIT).await;
        assert!(got.unwrap().is_empty());
    }
}
