//! The bounds of a reply, applied to its events.

use std::collections::VecDeque;

use kiro_protocol::reply::{Delta, ReplyEvent, StopReason};

use super::stops::{Found, Stops};
use super::{Bounds, Calls};
use crate::usage::Budget;

/// Passes the events of one reply on as long as they keep its bounds, and then ends the reply.
///
/// What comes out has the grammar of [`ReplyEvent`] if what goes in has.
#[derive(Debug)]
pub(crate) struct Filter {
    stops: Stops,
    budget: Option<Budget>,
    calls: Calls,
    is_over: bool,
    stopped_at: Option<String>,
}

impl Filter {
    pub(crate) fn new(bounds: &Bounds) -> Self {
        Self {
            stops: Stops::new(&bounds.stop),
            budget: bounds.max_tokens.map(Budget::of),
            calls: bounds.calls,
            is_over: false,
            stopped_at: None,
        }
    }

    /// Whether every event passes as it is.
    pub(crate) fn is_idle(&self) -> bool {
        self.stops.is_empty() && self.budget.is_none() && self.calls == Calls::Any
    }

    /// Whether the reply was ended here; nothing that the upstream may add is wanted.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// The stop sequence that ended the reply, if one did.
    pub(crate) fn stopped_at(&self) -> Option<&str> {
        self.stopped_at.as_deref()
    }

    /// What is left of the limit of tokens.
    pub(crate) fn tokens_left(&self) -> Option<u64> {
        self.budget.as_ref().map(Budget::tokens)
    }

    /// Takes an event and appends what comes of it.
    pub(crate) fn push(&mut self, event: ReplyEvent, out: &mut VecDeque<ReplyEvent>) {
        if self.is_over {
            return;
        }
        if let ReplyEvent::Text(delta) = event {
            return match self.stops.push(delta) {
                Found::Text(text) => self.spend(text, ReplyEvent::Text, out),
                Found::Stop(text, sequence) => {
                    self.spend(text, ReplyEvent::Text, out);
                    if !self.is_over {
                        self.stopped_at = Some(sequence);
                    }
                    self.end(StopReason::StopSequence, out);
                }
            };
        }
        let held = self.stops.release();
        self.spend(held, ReplyEvent::Text, out);
        if !self.is_over {
            self.other(event, out);
        }
    }

    /// Everything but text.
    fn other(&mut self, event: ReplyEvent, out: &mut VecDeque<ReplyEvent>) {
        match (event, self.calls) {
            (ReplyEvent::Reasoning(delta), _) => self.spend(delta, ReplyEvent::Reasoning, out),
            // The model has turned to a tool and waits for it.
            (ReplyEvent::ToolUseStart { .. }, Calls::None) => self.end(StopReason::EndTurn, out),
            (ReplyEvent::ToolInput(delta), _) => match self.has_room(delta.len()) {
                true => out.push_back(ReplyEvent::ToolInput(delta)),
                // Half of the arguments are none.
                false => {
                    out.push_back(ReplyEvent::ToolUseCut);
                    self.end(StopReason::MaxTokens, out);
                }
            },
            (ReplyEvent::ToolUseEnd, Calls::One) => {
                out.push_back(ReplyEvent::ToolUseEnd);
                self.end(StopReason::ToolUse, out);
            }
            (event, _) => {
                let size = match &event {
                    ReplyEvent::ToolUseStart { name, .. } => name.len(),
                    ReplyEvent::Redacted(delta)
                    | ReplyEvent::Text(delta)
                    | ReplyEvent::Reasoning(delta)
                    | ReplyEvent::ToolInput(delta) => delta.len(),
                    ReplyEvent::Start
                    | ReplyEvent::Signature(_)
                    | ReplyEvent::ToolUseEnd
                    | ReplyEvent::ToolUseCut
                    | ReplyEvent::Usage(_)
                    | ReplyEvent::Stop(_) => 0,
                };
                match self.has_room(size) {
                    true => out.push_back(event),
                    false => self.end(StopReason::MaxTokens, out),
                }
            }
        }
    }

    /// Passes on as much of a text as there is room for.
    fn spend(
        &mut self,
        delta: Delta,
        event: impl Fn(Delta) -> ReplyEvent,
        out: &mut VecDeque<ReplyEvent>,
    ) {
        let rest = self.budget.as_mut().and_then(|budget| budget.spend(&delta));
        let is_spent = rest.is_some();
        let fits = rest.unwrap_or(delta);
        if !fits.is_empty() {
            out.push_back(event(fits));
        }
        if is_spent {
            self.end(StopReason::MaxTokens, out);
        }
    }

    fn has_room(&mut self, size: usize) -> bool {
        let budget = self.budget.as_mut();
        budget.is_none_or(|budget| budget.spend_whole(size))
    }

    fn end(&mut self, reason: StopReason, out: &mut VecDeque<ReplyEvent>) {
        if !self.is_over {
            self.is_over = true;
            out.push_back(ReplyEvent::Stop(reason));
        }
    }
}
