//! A limit for the first bytes of a connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// What a client begins with that speaks HTTP/2 (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream that fails if its first bytes do not tell the version of HTTP in time. The server waits for
/// them without a limit; all of its own begin after that.
pub(crate) struct Beginning<S> {
    stream: S,
    /// Bytes of the preface so far.
    seen: usize,
    /// `None` once the version is known.
    limit: Option<Pin<Box<Sleep>>>,
}

impl<S> Beginning<S> {
    pub(crate) fn new(stream: S, limit: Duration) -> Self {
        Self {
            stream,
            seen: 0,
            limit: Some(Box::pin(tokio::time::sleep(limit))),
        }
    }

    /// Takes note of bytes. No more are needed after a whole preface, or none of it.
    fn note(&mut self, bytes: &[u8]) {
        let rest = &PREFACE[self.seen..];
        self.seen += bytes.len().min(rest.len());
        let is_preface = rest.iter().zip(bytes).all(|(a, b)| a == b);
        if bytes.is_empty() || !is_preface || self.seen == PREFACE.len() {
            self.limit = None;
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Beginning<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let start = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        let Some(limit) = &mut self.limit else {
            return read;
        };
        if read.is_pending() {
            let late = || Err(io::ErrorKind::TimedOut.into());
            return limit.as_mut().poll(cx).map(|()| late());
        }
        self.note(&buf.filled()[start..]);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Beginning<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
