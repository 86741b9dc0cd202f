//! The seam between a dialect and the one pipeline.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
#[cfg(doc)]
use kiro_protocol::{conversation::Conversation, reply::ReplyEvent};

use super::{Accepted, Context, Mode, chat, messages, openai};
use crate::admission::Standing;
use crate::error::Error;
use crate::kept::Recall;

/// One API dialect.
///
/// A surface translates: its request into a [`Conversation`], [`ReplyEvent`]s and errors back into its
/// own words. It does no I/O and knows nothing of credentials. Keys, limits, models, retries, time-outs and logs are
/// the gateway's, the same for every surface.
///
/// ```text
/// body ── accept ──> Accepted { conversation, mode, encoder }    a refusal ── refuse ──> body
///                                                  │
///                      ReplyEvents ── event … finish, or fail ──> bytes
/// ```
///
/// [`Gateway::handle_on`](crate::Gateway::handle_on) serves one of your own; `examples/src/bin/your_own_surface.rs` is one
/// in a file. What is hidden is for what only some of our own dialects have, and may change.
pub trait Surface: Sync {
    /// What metrics and the operator's pages call it: lower case, a word or two.
    fn name(&self) -> &'static str;

    /// What of earlier requests a request builds on: it is looked up before the request is accepted.
    #[doc(hidden)]
    fn recalls(&self, _body: &Bytes) -> Recall {
        Recall::default()
    }

    /// Decodes a request body. It is done twice where the first try ends with
    /// [`ModelNotFound`](crate::ErrorKind::ModelNotFound) and the list of models was not fresh.
    ///
    /// # Errors
    ///
    /// Mostly [`Error::invalid`], which names the part that is at fault.
    fn accept(&self, body: Bytes, context: &Context<'_>) -> Result<Accepted, Error>;

    /// The body of an error response before the commit point, which is sent as `application/json`.
    fn refuse(&self, error: &Error) -> Bytes;

    /// The `content-type` of an answer. Default: `text/event-stream` for a stream, `application/json` for a document.
    fn content_type(&self, mode: Mode) -> HeaderValue {
        HeaderValue::from_static(match mode {
            Mode::Stream => "text/event-stream; charset=utf-8",
            Mode::Complete => "application/json",
        })
    }

    /// Tells what is left of the caller's limits, in the headers of an answer. `now` is in seconds since the
    /// epoch.
    #[doc(hidden)]
    fn tell_limits(&self, standing: &Standing, _now: u64, headers: &mut HeaderMap) {
        openai::limits::tell(standing, headers);
    }

    /// The status of an error response. For dialects that have others than the usual ones.
    fn status(&self, error: &Error) -> StatusCode {
        error.status()
    }
}

/// The dialect that a request speaks where its path does not tell.
pub(crate) fn spoken(headers: &HeaderMap) -> &'static dyn Surface {
    match speaks_messages(headers) {
        true => &messages::Messages,
        false => &chat::Chat,
    }
}

/// Whether whoever asks speaks Anthropic's dialect.
///
/// Clients of Anthropic name a version of the API, and others do not; the key tells nothing, because both send
/// it in the same header (measured, November 2026).
pub(crate) fn speaks_messages(headers: &HeaderMap) -> bool {
    headers.contains_key("anthropic-version")
}
