//! What a reply must be, besides within its bounds: a call of a tool, or JSON.
//!
//! The model is told. If it does otherwise it is asked once more, which nobody downstream sees: until
//! then its answer is held back.

use std::collections::VecDeque;
use std::time::Duration;

use kiro_protocol::conversation::{Block, Conversation};
use kiro_protocol::reply::{ReplyEvent, StopReason};

use super::BoundedReply;
use super::force::{self, Force};
use super::format::{self, Format};
use crate::error::Error;
use crate::job::Job;
use crate::shared::Shared;
use crate::upstream::SIGNATURE_REFUSED;

/// What a reply must be.
#[derive(Debug, Clone)]
pub(crate) enum Demand {
    Tool(Force),
    Json(Format),
}

impl Demand {
    /// Tells the model.
    pub(crate) fn instruct(&self, conversation: &mut Conversation) {
        match self {
            Self::Tool(force) => force.instruct(conversation),
            Self::Json(format) => format.instruct(conversation),
        }
    }

    /// Tells the model again, after a reply that is something else.
    fn insist(&self, conversation: &mut Conversation, reply: &BoundedReply) {
        match self {
            Self::Tool(force) => force.insist(conversation),
            Self::Json(format) => {
                let fault = reply.fault().unwrap_or_default();
                format.insist(conversation, reply.answer(), fault);
            }
        }
    }

    /// Whether this event of a reply settles it: the rest need not be waited for.
    fn is_met(&self, event: &ReplyEvent, reply: &BoundedReply) -> bool {
        match (self, event) {
            (Self::Tool(force), ReplyEvent::ToolUseStart { name, .. }) => {
                force.names.contains(name)
            }
            // An answer that was cut is told as that; the next one would be cut too.
            (Self::Tool(_), ReplyEvent::Stop(reason)) => was_cut(reason),
            (Self::Json(_), ReplyEvent::ToolUseStart { .. }) => true,
            (Self::Json(format), ReplyEvent::Text(_)) => format.is_live && reply.is_json_so_far(),
            (Self::Json(_), ReplyEvent::Stop(_)) => reply.fault().is_none(),
            _ => false,
        }
    }

    /// What goes downstream when the second reply is something else, too.
    fn give_up(&self, shared: &Shared, mut reply: BoundedReply) -> Result<BoundedReply, Error> {
        tracing::warn!("the model did not do what the request demands");
        let warning = match self {
            Self::Tool(_) if shared.refuse_ignored => return Err(force::unsatisfied()),
            Self::Tool(_) => force::UNSATISFIED,
            Self::Json(_) if shared.pass_invalid_json => format::UNSATISFIED,
            Self::Json(format) => {
                let fault = reply.fault().unwrap_or_default();
                return Err(format.unsatisfied(" after 2 attempts", fault));
            }
        };
        reply.warn(warning);
        Ok(reply)
    }
}

/// Whether a reply did not get as far as the model wanted.
pub(super) fn was_cut(reason: &StopReason) -> bool {
    matches!(
        reason,
        StopReason::MaxTokens | StopReason::ContextWindow | StopReason::ContentFiltered
    )
}

/// Opens a reply within its bounds. With a demand, that is when the demand is met, twice not met, or as
/// good as met.
///
/// # Errors
///
/// As the upstream's; also [`ErrorKind::Unsatisfied`](crate::ErrorKind::Unsatisfied) when the demand is
/// not met and the gateway does not let that pass.
///
/// # Cancel safety
///
/// As the upstream's.
pub(crate) async fn open(job: &Job, mut conversation: Conversation) -> Result<BoundedReply, Error> {
    let Job {
        shared,
        tenant,
        bounds,
        ..
    } = job;
    let order = job.order(&conversation);
    let reply = match shared.upstream.open(tenant, &order).await {
        Err(error) if error.code() == Some(SIGNATURE_REFUSED) => {
            tracing::info!("the thoughts are another's; the conversation is sent without them");
            leave_thoughts_out(&mut conversation);
            let order = job.order(&conversation);
            Box::pin(shared.upstream.open(tenant, &order)).await?
        }
        opened => opened?,
    };
    let mut reply = BoundedReply::new(reply, bounds);
    let Some(demand) = &bounds.demand else {
        return Ok(reply);
    };
    if reply.hold(demand, job).await? {
        return Ok(reply);
    }
    tracing::info!("the model did not do what the request demands; it is asked once more");
    demand.insist(&mut conversation, &reply);
    let order = job.order(&conversation);
    let again = Box::pin(async {
        let again = shared.upstream.open(tenant, &order).await?;
        let mut again = BoundedReply::new(again, bounds);
        let is_met = again.hold(demand, job).await?;
        Ok::<_, Error>((again, is_met))
    });
    match again.await {
        Ok((again, true)) => Ok(again),
        Ok((again, false)) => demand.give_up(shared, again),
        // The first answer is still better than none.
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the second answer failed"
            );
            demand.give_up(shared, reply)
        }
    }
}

/// Thoughts that another service has signed, or another model: nobody can tell by their looks. Leaving them out is
/// always legal.
fn leave_thoughts_out(conversation: &mut Conversation) {
    for turn in &mut conversation.turns {
        turn.blocks
            .retain(|block| !matches!(block, Block::Reasoning(_)));
    }
    conversation.turns.retain(|turn| !turn.blocks.is_empty());
}

impl BoundedReply {
    /// Reads until the demand is met or to the end; `true` if the reply is as good as it gets. Nothing is
    /// lost: what was read is given out again.
    async fn hold(&mut self, demand: &Demand, job: &Job) -> Result<bool, Error> {
        let mut held = VecDeque::new();
        let mut is_met = false;
        while !is_met {
            let Some(event) = self.next(job.deadlines.gap).await? else {
                break;
            };
            is_met = demand.is_met(&event, self);
            held.push_back(event);
        }
        self.put_back(held);
        if is_met && !job.shared.pass_invalid_json {
            self.bind();
        }
        Ok(is_met)
    }

    /// The next event; `gap` is the longest time without one.
    pub(crate) async fn next(&mut self, gap: Duration) -> Result<Option<ReplyEvent>, Error> {
        let next = std::future::poll_fn(|cx| self.poll_event(cx));
        let next = tokio::time::timeout(gap, next).await;
        next.unwrap_or_else(|_| Err(crate::relay::stalled(gap)))
    }
}
