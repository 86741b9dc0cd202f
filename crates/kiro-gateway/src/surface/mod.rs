//! The dialects that we serve, and the seam between them and the one pipeline.

pub(crate) mod chat;
mod dialogue;
mod effort;
mod image;
mod mend;
pub(crate) mod messages;
pub(crate) mod metered;
mod openai;
pub(crate) mod responses;
mod source;
#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "pages"))]
pub(crate) mod verdict;
mod words;

use std::fmt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, StatusCode};
use kiro_protocol::conversation::Conversation;
use kiro_protocol::reply::ReplyEvent;

use crate::admission::Standing;
use crate::bounds::Bounds;
use crate::catalog::{Model, Models};
use crate::error::Error;
use crate::image::{Pictures, Wanted};
use crate::kept::{Kept, Recall, Recalled};
use crate::options::Reasoning;
use crate::search::{Asked, Found, Search};
use crate::usage::{Consumed, Prompt};

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

/// What a surface may know while it accepts a request.
#[derive(Debug)]
pub struct Context<'a> {
    /// The public names of the models and what they are called upstream.
    pub(crate) models: &'a Models,
    /// The pictures that were fetched so far.
    pub(crate) pictures: &'a Pictures,
    /// What was found of what the request builds on.
    pub(crate) recalled: &'a Recalled,
    /// Seconds since the epoch, for `created`.
    pub(crate) now: u64,
    /// What the request is called, for dialects that tell it in their errors.
    pub(crate) request_id: &'a str,
    /// Whether the list is as fresh as it gets, so that a name that is not in it is nobody's.
    pub(crate) is_final: bool,
    /// Where thoughts are told.
    pub(crate) reasoning: Reasoning,
    /// Tells the caller from others in what comes back sealed.
    pub(crate) salt: &'a str,
}

/// What `x-gateway-ignored` says of thoughts that another server sealed, or that somebody changed. A
/// conversation that moves here may be full of them, so that it is never refused for it.
pub(crate) const FOREIGN_THOUGHTS: &str = "reasoning.encrypted_content";

impl<'a> Context<'a> {
    /// Kiro's id of the model that serves a public name, for [`Conversation::model`]. A name that nobody knows is served
    /// by the model that the operator has set for that, if there is one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ModelNotFound`](crate::ErrorKind::ModelNotFound), to be returned as it is.
    pub fn model_id(&self, name: &str) -> Result<&'a str, Error> {
        self.model(name).map(|(model, _)| &*model.id)
    }

    /// When the request came, in seconds since the epoch.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// What the request is called in logs and in the `x-request-id` header.
    pub fn request_id(&self) -> &'a str {
        self.request_id
    }

    /// The model that serves a name, and whether it is only a stand-in for one that nobody knows.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ModelNotFound`](crate::ErrorKind::ModelNotFound).
    pub(crate) fn model(&self, name: &str) -> Result<(&'a Model, bool), Error> {
        match (self.models.resolve(name), self.models.fallback()) {
            (Ok(model), _) => Ok((model, false)),
            (Err(_), Some(model)) if self.is_final => Ok((model, true)),
            (Err(error), _) => Err(error),
        }
    }
}

/// A request, understood.
#[must_use]
pub struct Accepted {
    /// What is sent upstream. Where it wants pictures, this is not yet all of it.
    pub(crate) conversation: Conversation,
    /// The pictures that it needs and that are not among those of the context: the request is accepted
    /// once more when they are.
    pub(crate) wanted: Vec<Wanted>,
    /// The prompt, to be counted if the service does not.
    pub(crate) prompt: Arc<Prompt>,
    /// What the reply must keep to and the upstream cannot.
    pub(crate) bounds: Bounds,
    /// Searches of the web that the answer may have in it, for dialects that can tell them.
    pub(crate) search: Option<Search>,
    /// How the answer goes back.
    pub(crate) mode: Mode,
    /// Turns the reply into the dialect's words and remembers what that needs.
    pub(crate) encoder: Box<dyn ReplyEncoder>,
    /// Fields that were accepted and have no effect although they could change the answer, for the
    /// `x-gateway-ignored` header.
    pub(crate) ignored: Vec<&'static str>,
}

impl Accepted {
    /// A conversation, and how its reply is told.
    pub fn new(conversation: Conversation, mode: Mode, encoder: Box<dyn ReplyEncoder>) -> Self {
        let prompt = Arc::new(Prompt::of(&conversation));
        Self {
            conversation,
            wanted: Vec::new(),
            prompt,
            bounds: Bounds::default(),
            search: None,
            mode,
            encoder,
            ignored: Vec::new(),
        }
    }

    /// Ends the reply where one of these texts begins. Empty ones are left out. Default: none.
    pub fn with_stop(mut self, stop: impl IntoIterator<Item = String>) -> Self {
        self.bounds.stop = stop.into_iter().filter(|text| !text.is_empty()).collect();
        self
    }

    /// Ends the reply after about so many tokens of output, thoughts included. Default: the model's own limit.
    pub fn with_max_tokens(mut self, tokens: u64) -> Self {
        self.bounds.max_tokens = Some(tokens);
        self
    }

    /// Names fields that have no effect although they could change the answer, for the `x-gateway-ignored` header.
    pub fn with_ignored(mut self, fields: impl IntoIterator<Item = &'static str>) -> Self {
        self.ignored.extend(fields);
        self
    }
}

impl fmt::Debug for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither what was said nor an encoder is for a log.
        f.debug_struct("Accepted")
            .field("model", &self.conversation.model)
            .field("mode", &self.mode)
            .field("ignored", &self.ignored)
            .finish_non_exhaustive()
    }
}

/// How the answer goes back. There is no third way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// While it comes in, mostly as server-sent events.
    Stream,
    /// As one JSON document at the end, so that a failure in its middle is a proper HTTP error.
    Complete,
}

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
