//! A tool that must be called, although the upstream leaves that to the model.
//!
//! The model is told so, and what it answers is held back until it calls one. If it calls none it is
//! asked once more, which nobody downstream sees; then its answer is passed on with a warning.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use kiro_protocol::conversation::{Block, Conversation, Role, Turn};
use kiro_protocol::reply::{ReplyEvent, StopReason};

use super::{BoundedReply, Bounds};
use crate::error::{Error, ErrorKind};
use crate::shared::Shared;
use crate::tenant::Tenant;
use crate::usage::Prompt;

/// What the `x-gateway-warning` header says of a reply that calls no tool although it should.
const UNSATISFIED: &str = "tool_choice_unsatisfied";

/// One of these tools must be called.
#[derive(Debug, Clone)]
pub(crate) struct Force {
    /// By the names that the client knows.
    pub(crate) names: Vec<String>,
}

impl Force {
    /// Tells the model.
    ///
    /// The words come last, as a later system message does, and not into the system prompt: a client that
    /// forces a tool in one turn only would change the beginning of the conversation with it, by which
    /// the upstream finds it again in its caches.
    pub(crate) fn instruct(&self, conversation: &mut Conversation) {
        self.say(
            conversation,
            "Answer with a tool call and not with text alone.",
        );
    }

    /// Tells the model again, after an answer without a call.
    fn insist(&self, conversation: &mut Conversation) {
        self.say(
            conversation,
            "An answer without a tool call was refused. Call the tool now, before anything else. If a value is not known, take the most likely one.",
        );
    }

    fn say(&self, conversation: &mut Conversation, words: &str) {
        let which = match &*self.names {
            [name] if is_plain(name) => format!("Use the tool {name}."),
            [_] => "Use the tool.".to_owned(),
            _ => "Use one of the tools.".to_owned(),
        };
        let text = format!("<system>\n{words} {which}\n</system>");
        let turn = Turn::new(Role::User, [Block::Text((&*text).into())]);
        conversation.turns.push(turn);
    }
}

/// Whether the model sees the tool by this name; others are replaced on the way upstream.
fn is_plain(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    name.len() <= 64 && name.bytes().all(is_plain)
}

/// Opens a reply within its bounds. With a forced tool, that is when the tool is called or the answer has
/// ended without it.
///
/// # Errors
///
/// As the upstream's; also [`ErrorKind::Unsatisfied`] when no tool is called and the gateway is strict.
///
/// # Cancel safety
///
/// As the upstream's.
pub(crate) async fn open(
    shared: &Shared,
    tenant: &Tenant,
    mut conversation: Conversation,
    prompt: Arc<Prompt>,
    bounds: &Bounds,
) -> Result<BoundedReply, Error> {
    let order = shared.order(&conversation, prompt.clone(), tenant);
    let reply = shared.upstream.open(tenant, &order).await?;
    let mut reply = BoundedReply::new(reply, bounds);
    let Some(force) = &bounds.force else {
        return Ok(reply);
    };
    let gap = shared.timeouts.gap;
    if reply.hold(force, gap).await? {
        return Ok(reply);
    }
    tracing::info!("the model called no tool although it should; it is asked once more");
    force.insist(&mut conversation);
    let order = shared.order(&conversation, prompt, tenant);
    let again = async {
        let again = shared.upstream.open(tenant, &order).await?;
        let mut again = BoundedReply::new(again, bounds);
        let is_good = again.hold(force, gap).await?;
        Ok::<_, Error>((again, is_good))
    };
    match again.await {
        Ok((again, true)) => Ok(again),
        Ok((again, false)) => unsatisfied(shared, again),
        // The first answer is still better than none.
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the second answer failed"
            );
            unsatisfied(shared, reply)
        }
    }
}

fn unsatisfied(shared: &Shared, mut reply: BoundedReply) -> Result<BoundedReply, Error> {
    tracing::warn!("the model called no tool although it should");
    if shared.refuse_ignored {
        let message = "The model called no tool although 'tool_choice' requires it, in 2 attempts.";
        return Err(Error::new(ErrorKind::Unsatisfied, message)
            .with_code(UNSATISFIED)
            .with_param("tool_choice"));
    }
    reply.warn(UNSATISFIED);
    Ok(reply)
}

impl BoundedReply {
    /// Reads until one of the tools is called or to the end; `true` if the reply is as good as it gets.
    /// Nothing is lost: what was read is given out again. `gap` is the longest time
    /// between two events.
    async fn hold(&mut self, force: &Force, gap: Duration) -> Result<bool, Error> {
        let mut held = VecDeque::new();
        let mut is_good = false;
        while !is_good {
            let next = std::future::poll_fn(|cx| self.poll_event(cx));
            let next = tokio::time::timeout(gap, next).await;
            let Some(event) = next.unwrap_or_else(|_| Err(crate::relay::stalled(gap)))? else {
                break;
            };
            is_good = match &event {
                ReplyEvent::ToolUseStart { name, .. } => force.names.contains(name),
                // An answer that was cut is told as that; the next one would be cut too.
                ReplyEvent::Stop(reason) => matches!(
                    reason,
                    StopReason::MaxTokens | StopReason::ContextWindow | StopReason::ContentFiltered
                ),
                _ => false,
            };
            held.push_back(event);
        }
        self.put_back(held);
        Ok(is_good)
    }
}
