//! What both encoders know from the request, and the decisions on which they must agree.

use std::borrow::Cow;

use anthropic_types::{Message, OutputTokensDetails, ServerToolUsage, StopReason, Usage};
use kiro_protocol::reply::{self, ReplyEvent};

use crate::usage::Meter;

/// What is known about an answer before it begins.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// `msg_…`
    pub(super) id: String,
    /// The model by the name that the request gave it.
    pub(super) model: String,
    /// What is shown of thoughts.
    pub(super) thoughts: Thoughts,
    /// Measures the reply.
    pub(super) meter: Meter,
    /// Searches that the model asked for.
    pub(super) n_searches: u64,
    /// What the request is called.
    pub(super) request_id: String,
}

/// What is shown of thoughts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thoughts {
    /// Nothing. Models think without being asked, and whoever did not ask reads `content[0].text`.
    Hidden,
    /// That there are some, and their signature.
    Omitted,
    /// All of them.
    Shown,
}

/// Follows a reply to the reason of its end.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Calls that are complete.
    complete: usize,
    /// Whether a call broke off.
    cut: bool,
    /// The stop sequence that ended the reply.
    sequence: Option<String>,
}

impl Progress {
    /// Takes notice of an event.
    pub(super) fn observe(&mut self, event: &ReplyEvent) {
        match event {
            ReplyEvent::ToolUseEnd => self.complete += 1,
            ReplyEvent::ToolUseCut => self.cut = true,
            _ => {}
        }
    }

    /// Takes notice of the stop sequence that ended the reply.
    pub(super) fn stopped_at(&mut self, sequence: &str) {
        self.sequence = Some(sequence.to_owned());
    }

    /// Why the answer ended, and at which stop sequence.
    ///
    /// `tool_use` means that the client should carry calls out, so it is said only when there are
    /// complete ones and nothing is wrong with the rest.
    pub(super) fn end(&self, stop: reply::StopReason) -> (StopReason, Option<&str>) {
        use reply::StopReason as S;
        let reason = match stop {
            _ if self.cut => StopReason::MaxTokens,
            S::MaxTokens => StopReason::MaxTokens,
            S::ContextWindow => StopReason::ModelContextWindowExceeded,
            S::ContentFiltered => StopReason::Refusal,
            _ if self.complete > 0 => StopReason::ToolUse,
            S::StopSequence => return (StopReason::StopSequence, self.sequence.as_deref()),
            S::PauseTurn => StopReason::PauseTurn,
            S::EndTurn | S::ToolUse => StopReason::EndTurn,
        };
        (reason, None)
    }
}

impl Answer {
    /// The message as it begins.
    pub(super) fn message(&self) -> Message<'_> {
        let mut message = Message::new(&*self.id, &*self.model);
        message.usage = self.usage();
        message
    }

    /// What was consumed so far, as the API tells it: cached input is not part of `input_tokens`.
    pub(super) fn usage(&self) -> Usage<'static> {
        let consumed = self.meter.consumed();
        let (read, written) = consumed.cached.map_or((0, 0), |of| (of.read, of.written));
        let uncached = consumed.prompt.saturating_sub(read).saturating_sub(written);
        let mut usage = Usage::new(uncached, consumed.output);
        usage.cache_read_input_tokens = read;
        usage.cache_creation_input_tokens = written;
        usage.output_tokens_details = Some(OutputTokensDetails::thinking(consumed.reasoning));
        if self.n_searches > 0 {
            usage.server_tool_use = Some(ServerToolUsage::searches(self.n_searches));
        }
        usage.token_source = Some(Cow::Borrowed(consumed.source.as_str()));
        usage.credits_used = consumed.credits;
        usage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_reasons_follow_what_was_told() {
        use StopReason as A;
        use reply::StopReason as S;
        for (complete, cut, stop, reason) in [
            (0, false, S::EndTurn, A::EndTurn),
            (0, false, S::StopSequence, A::StopSequence),
            (0, false, S::PauseTurn, A::PauseTurn),
            // A tool use was promised and none is usable.
            (0, false, S::ToolUse, A::EndTurn),
            (1, false, S::ToolUse, A::ToolUse),
            // Not every generation of the wire tells a stop reason.
            (2, false, S::EndTurn, A::ToolUse),
            (0, false, S::MaxTokens, A::MaxTokens),
            (1, false, S::MaxTokens, A::MaxTokens),
            (0, false, S::ContextWindow, A::ModelContextWindowExceeded),
            (1, true, S::ToolUse, A::MaxTokens),
            (1, false, S::ContentFiltered, A::Refusal),
        ] {
            let progress = Progress {
                complete,
                cut,
                sequence: None,
            };
            assert_eq!(progress.end(stop), (reason, None), "{progress:?} {stop:?}");
        }
    }
}
