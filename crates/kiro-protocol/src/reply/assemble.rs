//! What the events of a reply mean together.

use super::blocks::{Blocks, Seen, Taken};
use super::halves::Halves;
use super::thinking::{Part, ThinkingTags};
use super::{ReplyError, ReplyEvent, ReplyOptions, StopReason, TokenUsage, Usage};
use crate::Generation;
use crate::event::{
    AssistantResponse, KiroEvent, Metadata, Metering, ReasoningContent, ReportedUsage,
    ToolUseFragment,
};
use crate::fault::{Fault, FaultKind};
use crate::text::JsonText;

/// Takes events in any order and fills [`Blocks`].
#[derive(Debug)]
pub(super) struct Assembler {
    generation: Generation,
    blocks: Blocks,
    started: bool,
    text: Halves,
    reasoning: Halves,
    thinking: ThinkingTags,
    /// Whether the thoughts between tags never ended.
    thinking_cut: bool,
    usage: Usage,
    stop: Stop,
    model: String,
    ignored: u64,
}

/// What the service said about the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Stop {
    /// Whether it gave a stop reason at all, known or not.
    given: bool,
    reason: Option<StopReason>,
}

impl Assembler {
    pub(super) fn new(options: &ReplyOptions) -> Self {
        Self {
            generation: options.generation,
            blocks: Blocks::new(options.tool_names.clone(), options.max_held_bytes),
            started: false,
            text: Halves::default(),
            reasoning: Halves::default(),
            thinking: ThinkingTags::new(options.thinking_tags),
            thinking_cut: false,
            usage: Usage::default(),
            stop: Stop::default(),
            model: String::new(),
            ignored: 0,
        }
    }

    /// The next event that is ready.
    pub(super) fn pop(&mut self) -> Option<ReplyEvent> {
        self.blocks.ready.pop_front()
    }

    pub(super) fn model(&self) -> Option<&str> {
        (!self.model.is_empty()).then_some(&self.model)
    }

    pub(super) fn ignored(&self) -> u64 {
        self.ignored
    }

    pub(super) fn push(&mut self, event: KiroEvent) -> Result<(), ReplyError> {
        if !matches!(event, KiroEvent::Fault(_)) {
            self.start();
        }
        match event {
            KiroEvent::Fault(fault) => self.fault(*fault),
            KiroEvent::AssistantResponse(event) => self.assistant_response(event),
            KiroEvent::ReasoningContent(event) => self.reasoning_content(event),
            KiroEvent::ToolUse(fragment) => self.tool_use(fragment),
            KiroEvent::Metadata(event) => {
                self.metadata(&event);
                Ok(())
            }
            KiroEvent::ContextUsage(event) => {
                self.context_percentage(event.context_usage_percentage);
                Ok(())
            }
            KiroEvent::Metering(event) => {
                self.metering(&event);
                Ok(())
            }
            KiroEvent::InvalidState(event) => {
                let (reason, message) = (event.reason, event.message);
                Err(
                    Fault::from_error(&reason.unwrap_or_default(), &message.unwrap_or_default())
                        .into(),
                )
            }
            KiroEvent::InitialResponse(_) | KiroEvent::MessageMetadata(_) => Ok(()),
            // They mean nothing to a chat, or nothing that a client could be told.
            KiroEvent::CodeReference(_)
            | KiroEvent::SupplementaryWebLinks(_)
            | KiroEvent::FollowupPrompt(_)
            | KiroEvent::Citation(_)
            | KiroEvent::Code(_)
            | KiroEvent::ToolResult(_)
            | KiroEvent::Intents(_)
            | KiroEvent::InteractionComponents(_)
            | KiroEvent::DryRunSucceeded
            | KiroEvent::Unknown { .. } => {
                self.ignored += 1;
                Ok(())
            }
        }
    }

    /// The stream has ended.
    pub(super) fn finish(&mut self) -> Result<(), ReplyError> {
        self.end_text()?;
        self.end_thinking()?;
        self.end_reasoning()?;
        self.blocks.finish();
        let stop = decide_stop(
            self.generation,
            self.stop,
            self.blocks.seen(),
            self.thinking_cut,
        )?;
        self.start();
        if self.usage != Usage::default() {
            let usage = std::mem::take(&mut self.usage);
            self.blocks.ready.push_back(ReplyEvent::Usage(usage));
        }
        self.blocks.ready.push_back(ReplyEvent::Stop(stop));
        Ok(())
    }

    fn start(&mut self) {
        if !self.started {
            self.started = true;
            self.blocks.ready.push_back(ReplyEvent::Start);
        }
    }

    fn fault(&mut self, fault: Fault) -> Result<(), ReplyError> {
        if fault.kind() != FaultKind::OutputLimit {
            return Err(fault.into());
        }
        self.stop = Stop {
            given: true,
            reason: Some(StopReason::MaxTokens),
        };
        Ok(())
    }

    fn assistant_response(&mut self, event: AssistantResponse) -> Result<(), ReplyError> {
        self.end_reasoning()?;
        if let Some(model) = event.model_id.filter(|model| model.escaped() != self.model) {
            self.model = model.unescape().into_owned();
        }
        let delta = self.text.join(event.content);
        self.push_text(delta)
    }

    fn push_text(&mut self, delta: JsonText) -> Result<(), ReplyError> {
        if self.thinking.is_over() {
            return self.blocks.text(delta);
        }
        let parts = self.thinking.push(delta);
        self.push_parts(parts)
    }

    fn push_parts(&mut self, parts: Vec<Part>) -> Result<(), ReplyError> {
        for part in parts {
            match part {
                Part::Text(text) => self.blocks.text(text)?,
                Part::Reasoning(thoughts) => self.blocks.reasoning(thoughts)?,
            }
        }
        Ok(())
    }

    fn reasoning_content(&mut self, event: ReasoningContent) -> Result<(), ReplyError> {
        self.end_text()?;
        if let Some(text) = event.text {
            let delta = self.reasoning.join(text);
            self.blocks.reasoning(delta)?;
        }
        if let Some(signature) = event.signature {
            self.end_reasoning()?;
            self.blocks.signature(Halves::whole(signature))?;
        }
        if let Some(redacted) = event.redacted {
            self.end_reasoning()?;
            self.blocks.redacted(Halves::whole(redacted))?;
        }
        Ok(())
    }

    fn tool_use(&mut self, fragment: ToolUseFragment) -> Result<(), ReplyError> {
        self.end_text()?;
        self.end_thinking()?;
        self.end_reasoning()?;
        if self.blocks.tool_use(fragment)? == Taken::No {
            self.ignored += 1;
        }
        Ok(())
    }

    /// Something else than text follows: a half that waits for its other is lost.
    fn end_text(&mut self) -> Result<(), ReplyError> {
        match self.text.end() {
            None => Ok(()),
            Some(lost) => self.push_text(lost),
        }
    }

    /// A tool use or the end follows: thoughts between tags end here, closed or not.
    fn end_thinking(&mut self) -> Result<(), ReplyError> {
        if self.thinking.is_over() {
            return Ok(());
        }
        let (parts, is_open) = self.thinking.end();
        self.thinking_cut = is_open;
        self.push_parts(parts)
    }

    fn end_reasoning(&mut self) -> Result<(), ReplyError> {
        match self.reasoning.end() {
            None => Ok(()),
            Some(lost) => self.blocks.reasoning(lost),
        }
    }

    fn metadata(&mut self, event: &Metadata) {
        if event.stop_reason.is_some() {
            self.stop = Stop {
                given: true,
                reason: event.stop(),
            };
        }
        if let Some(reported) = &event.token_usage {
            self.usage.tokens = Some(tokens(reported));
            self.context_percentage(reported.context_usage_percentage);
        }
    }

    fn context_percentage(&mut self, percentage: Option<f64>) {
        self.usage.context_percentage = percentage.or(self.usage.context_percentage);
    }

    fn metering(&mut self, event: &Metering) {
        // A price in another unit cannot be added, and a sum beyond every number could not be told.
        let unit = event.unit.as_deref().unwrap_or("credit");
        let known = event.usage.filter(|_| unit.eq_ignore_ascii_case("credit"));
        let sum = known.map(|price| self.usage.credits.unwrap_or_default() + price);
        match sum.filter(|sum| sum.is_finite()) {
            Some(sum) => self.usage.credits = Some(sum),
            None => self.ignored += 1,
        }
    }
}

fn tokens(reported: &ReportedUsage) -> TokenUsage {
    TokenUsage {
        uncached_input: reported.uncached_input_tokens.unwrap_or_default(),
        cache_read: reported.cache_read_input_tokens.unwrap_or_default(),
        cache_write: reported.cache_write_input_tokens.unwrap_or_default(),
        output: reported.output_tokens.unwrap_or_default(),
    }
}

/// How the reply ended: the second table on the page of [`reply`](super).
fn decide_stop(
    generation: Generation,
    stop: Stop,
    seen: Seen,
    thinking_cut: bool,
) -> Result<StopReason, ReplyError> {
    if seen.cut {
        return Ok(StopReason::MaxTokens);
    }
    match stop.reason {
        None if !stop.given && generation == Generation::Krs => Err(ReplyError::Unfinished),
        None | Some(StopReason::EndTurn | StopReason::ToolUse) => {
            if seen.tool_use {
                Ok(StopReason::ToolUse)
            } else if !seen.anything {
                Err(ReplyError::Empty)
            } else if thinking_cut && stop.reason.is_none() {
                Ok(StopReason::MaxTokens)
            } else {
                Ok(StopReason::EndTurn)
            }
        }
        Some(reason) => Ok(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stop_reason_follows_from_what_was_given_out() {
        use Generation::{Cli, Krs, Rest};
        use StopReason::{
            ContentFiltered, ContextWindow, EndTurn, MaxTokens, PauseTurn, StopSequence, ToolUse,
        };

        let nothing = Seen::default();
        let text = Seen {
            anything: true,
            ..nothing
        };
        let tool = Seen {
            tool_use: true,
            ..text
        };
        let cut = Seen { cut: true, ..text };
        let tool_and_cut = Seen { cut: true, ..tool };
        let none = Stop::default();
        let unknown = Stop {
            given: true,
            reason: None,
        };
        let said = |reason| Stop {
            given: true,
            reason: Some(reason),
        };

        for (generation, stop, seen, expected) in [
            // Without a stop reason the generation decides whether that is an end.
            (Rest, none, text, Ok(EndTurn)),
            (Cli, none, text, Ok(EndTurn)),
            (Krs, none, text, Err(ReplyError::Unfinished)),
            (Rest, none, tool, Ok(ToolUse)),
            (Krs, none, tool, Err(ReplyError::Unfinished)),
            (Rest, none, nothing, Err(ReplyError::Empty)),
            (Krs, none, nothing, Err(ReplyError::Unfinished)),
            (Krs, unknown, text, Ok(EndTurn)),
            (Krs, unknown, tool, Ok(ToolUse)),
            (Krs, unknown, nothing, Err(ReplyError::Empty)),
            // A tool use counts if it was given out, not if it was announced.
            (Krs, said(EndTurn), text, Ok(EndTurn)),
            (Krs, said(EndTurn), tool, Ok(ToolUse)),
            (Krs, said(ToolUse), tool, Ok(ToolUse)),
            (Krs, said(ToolUse), text, Ok(EndTurn)),
            (Krs, said(EndTurn), nothing, Err(ReplyError::Empty)),
            (Krs, said(ToolUse), nothing, Err(ReplyError::Empty)),
            // A cut tool use outweighs everything, also a missing stop reason.
            (Krs, none, cut, Ok(MaxTokens)),
            (Rest, none, cut, Ok(MaxTokens)),
            (Krs, said(ToolUse), cut, Ok(MaxTokens)),
            (Krs, said(EndTurn), tool_and_cut, Ok(MaxTokens)),
            // These explain themselves, also when nothing was said.
            (Krs, said(MaxTokens), text, Ok(MaxTokens)),
            (Krs, said(MaxTokens), tool, Ok(MaxTokens)),
            (Krs, said(MaxTokens), nothing, Ok(MaxTokens)),
            (Krs, said(ContextWindow), text, Ok(ContextWindow)),
            (Krs, said(ContentFiltered), nothing, Ok(ContentFiltered)),
            (Krs, said(ContentFiltered), text, Ok(ContentFiltered)),
            (Krs, said(StopSequence), text, Ok(StopSequence)),
            (Krs, said(PauseTurn), tool, Ok(PauseTurn)),
        ] {
            let actual = decide_stop(generation, stop, seen, false);
            assert_eq!(actual, expected, "{generation:?} {stop:?} {seen:?}");
        }
    }

    #[test]
    fn thoughts_that_never_close_were_cut() {
        let text = Seen {
            anything: true,
            ..Seen::default()
        };
        let end = |stop| decide_stop(Generation::Rest, stop, text, true);
        assert_eq!(end(Stop::default()), Ok(StopReason::MaxTokens));
        let said = Stop {
            given: true,
            reason: Some(StopReason::EndTurn),
        };
        assert_eq!(end(said), Ok(StopReason::EndTurn));
    }
}
