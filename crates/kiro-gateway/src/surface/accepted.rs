//! A request, understood: what a surface may know for it, and what comes of it.

use std::fmt;
use std::sync::Arc;

use kiro_protocol::conversation::Conversation;

use super::ReplyEncoder;
use crate::bounds::Bounds;
use crate::catalog::{Model, Models};
use crate::error::Error;
use crate::image::{Pictures, Wanted};
use crate::kept::Recalled;
use crate::options::Reasoning;
use crate::search::Search;
use crate::usage::Prompt;

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
