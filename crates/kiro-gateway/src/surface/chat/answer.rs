//! What both encoders know from the request, and the decisions on which they must agree.

use std::borrow::Cow;
use std::collections::HashSet;

use kiro_protocol::reply::{ReplyEvent, StopReason};
use openai_types::chat::{CompletionTokensDetails, FinishReason, PromptTokensDetails, Usage};

use crate::options::Reasoning;
use crate::usage::Meter;

/// What is known about an answer before it begins.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// `chatcmpl-…`
    pub(super) id: String,
    /// Seconds since the epoch.
    pub(super) created: u64,
    /// The model by the name that the request gave it.
    pub(super) model: String,
    /// Whether a stream ends with a chunk about usage.
    pub(super) include_usage: bool,
    /// Where thoughts are told.
    pub(super) reasoning: Reasoning,
    /// How tool calls are told.
    pub(super) calls: CallStyle,
    /// Measures the reply.
    pub(super) meter: Meter,
}

/// How tool calls are told.
#[derive(Debug, Clone, Default)]
pub(super) struct CallStyle {
    /// As `function_call`, because the request used `functions`.
    pub(super) legacy: bool,
    /// Tools that take free text. They are offered upstream as functions with one string.
    pub(super) custom: HashSet<String>,
}

/// Follows the tool calls of a reply.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Calls that are complete.
    complete: usize,
    /// Whether a call broke off.
    cut: bool,
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

    /// Why the answer ended.
    ///
    /// `tool_calls` means that the client should carry calls out, so it is said only when there are
    /// complete ones and nothing is wrong with the rest; a reply that was cut says `length` even so.
    pub(super) fn finish_reason(&self, stop: StopReason, style: &CallStyle) -> FinishReason {
        if self.cut {
            return FinishReason::Length;
        }
        match stop {
            StopReason::MaxTokens | StopReason::ContextWindow => FinishReason::Length,
            StopReason::ContentFiltered => FinishReason::ContentFilter,
            _ if self.complete > 0 => style.finish_reason(),
            StopReason::EndTurn
            | StopReason::ToolUse
            | StopReason::StopSequence
            | StopReason::PauseTurn => FinishReason::Stop,
        }
    }
}

impl CallStyle {
    fn finish_reason(&self) -> FinishReason {
        if self.legacy {
            FinishReason::FunctionCall
        } else {
            FinishReason::ToolCalls
        }
    }
}

impl Answer {
    /// What was consumed, as the API tells it.
    pub(super) fn usage(&self) -> Usage {
        let consumed = self.meter.consumed();
        let mut usage = Usage::new(consumed.prompt, consumed.output);
        usage.prompt_tokens_details = consumed
            .cached
            .map(|cached| PromptTokensDetails::cached(cached.read, cached.written));
        usage.completion_tokens_details =
            Some(CompletionTokensDetails::reasoning(consumed.reasoning));
        usage.token_source = Some(Cow::Borrowed(consumed.source.as_str()));
        usage.credits_used = consumed.credits;
        usage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finish_reasons_follow_what_was_told() {
        use FinishReason as F;
        use StopReason as S;
        let style = CallStyle::default();
        for (complete, cut, stop, reason) in [
            (0, false, S::EndTurn, F::Stop),
            (0, false, S::StopSequence, F::Stop),
            (0, false, S::PauseTurn, F::Stop),
            // A tool use was promised and none is usable.
            (0, false, S::ToolUse, F::Stop),
            (1, false, S::ToolUse, F::ToolCalls),
            // Not every generation of the wire tells a stop reason.
            (2, false, S::EndTurn, F::ToolCalls),
            (0, false, S::MaxTokens, F::Length),
            (0, false, S::ContextWindow, F::Length),
            (1, false, S::MaxTokens, F::Length),
            (0, true, S::MaxTokens, F::Length),
            (1, true, S::MaxTokens, F::Length),
            (1, true, S::ToolUse, F::Length),
            (0, false, S::ContentFiltered, F::ContentFilter),
            (1, false, S::ContentFiltered, F::ContentFilter),
        ] {
            let progress = Progress { complete, cut };
            assert_eq!(
                progress.finish_reason(stop, &style),
                reason,
                "{progress:?} {stop:?}"
            );
        }
    }

    #[test]
    fn the_older_form_has_its_own_reason() {
        let style = CallStyle {
            legacy: true,
            ..CallStyle::default()
        };
        let progress = Progress {
            complete: 1,
            cut: false,
        };
        assert_eq!(
            progress.finish_reason(StopReason::ToolUse, &style),
            FinishReason::FunctionCall
        );
    }
}
