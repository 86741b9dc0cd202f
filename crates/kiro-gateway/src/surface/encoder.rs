//! A reply in a dialect's words.

use bytes::BytesMut;
use kiro_protocol::reply::ReplyEvent;

use crate::error::Error;
use crate::kept::Kept;
use crate::search::{Asked, Found};
use crate::usage::Consumed;

/// Writes one reply in a dialect's words. Every method appends to `out` and flushes nothing.
///
/// It is a value that remembers: ids, numbers, what is open. The grammar of [`ReplyEvent`] and the bounds of the request
/// are guaranteed by the caller.
pub trait ReplyEncoder: Send {
    /// The next event of the reply. A complete-mode encoder collects and writes nothing.
    fn event(&mut self, event: ReplyEvent, out: &mut BytesMut);

    /// The stop sequence that ended the reply, just before its `Stop`. For dialects that tell it.
    fn stopped_at(&mut self, _sequence: &str) {}

    /// The model asks for a search. For dialects that offer it.
    #[doc(hidden)]
    fn search(&mut self, _asked: &Asked, _out: &mut BytesMut) {}

    /// What the search brought.
    #[doc(hidden)]
    fn found(&mut self, _found: &Found, _out: &mut BytesMut) {}

    /// Bytes without meaning, sent so that nobody hangs up. Only called in stream mode.
    fn keep_alive(&mut self, out: &mut BytesMut);

    /// The end of a reply, after `Stop`.
    fn finish(&mut self, out: &mut BytesMut);

    /// What later requests may build on, after `Stop`. It is kept before `finish`, so that the downstream can
    /// go on as soon as it has the last bytes.
    #[doc(hidden)]
    fn keep(&mut self) -> Option<Kept> {
        None
    }

    /// Says that it could not be kept.
    #[doc(hidden)]
    fn not_kept(&mut self) {}

    /// What the reply has consumed so far. Where it is nothing from the beginning, the gateway counts.
    #[doc(hidden)]
    fn consumed(&self) -> Option<Consumed> {
        None
    }

    /// The end of a reply that failed after the commit point, in the dialect's way. Only called in
    /// stream mode.
    fn fail(&mut self, error: &Error, out: &mut BytesMut);
}
