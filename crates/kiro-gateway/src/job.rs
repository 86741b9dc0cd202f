//! What an exchange brings to the upstream, however often it asks there.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use kiro_protocol::conversation::{Conversation, Effort};
use kiro_protocol::request::{PrepareOptions, Thinking, prepare};

use crate::bounds::Bounds;
use crate::capture::Tape;
use crate::deadline::Deadlines;
use crate::shared::Shared;
use crate::telemetry::Attempts;
use crate::tenant::Tenant;
use crate::upstream::Order;
use crate::usage::Prompt;

/// All that a reply needs besides the conversation that it answers. One answer may be several replies: where a demand
/// is not met, and where the web is searched.
pub(crate) struct Job {
    pub(crate) shared: Arc<Shared>,
    pub(crate) tenant: Arc<Tenant>,
    /// The prompt, to be counted if the service does not.
    pub(crate) prompt: Arc<Prompt>,
    /// What is left of them, after the replies so far.
    pub(crate) bounds: Bounds,
    /// How long to wait.
    pub(crate) deadlines: Deadlines,
    /// Where it is recorded what becomes of it.
    pub(crate) tape: Tape,
    /// Where attempts are counted.
    pub(crate) attempts: Attempts,
}

impl Job {
    /// What is asked of the upstream for a conversation.
    pub(crate) fn order(&self, conversation: &Conversation) -> Order {
        let id = &conversation.model;
        let models = self.tenant.catalog.current();
        let mut options = PrepareOptions::new(self.tenant.salt.as_bytes());
        options.schemas = Some(&self.shared.schemas);
        if !models.takes_images(id) {
            options.images.count = 0;
        }
        let prepared = prepare(conversation, &options);
        for diagnostic in &prepared.diagnostics {
            tracing::debug!(%diagnostic, "the conversation was repaired");
        }
        // The conversations of a session share much of their beginning, so they go to the same account, too.
        let together = prepared.conversation.session.as_ref();
        let together = together.or(prepared.conversation.id.as_ref());
        let affinity = together.map(|name| {
            let mut hasher = DefaultHasher::new();
            name.hash(&mut hasher);
            hasher.finish()
        });
        let capabilities = models.capabilities(id);
        let effort = conversation.sampling.effort;
        Order {
            prepared,
            first_event: self.deadlines.first_event,
            thinking_tags: capabilities.thinking == Thinking::Tags
                && effort.is_some_and(|effort| effort != Effort::None),
            capabilities,
            prompt: self.prompt.clone(),
            context_window: models.context_window(id),
            invocation_id: uuid::Uuid::new_v4().to_string(),
            affinity,
            tape: self.tape.clone(),
            attempts: self.attempts.clone(),
        }
    }
}
