//! One reply, measured while it goes by.

use std::sync::Arc;

use kiro_protocol::reply::{ReplyEvent, Usage};

use super::tokenizer::{BYTES_PER_TOKEN, Counter, scaled};
use super::{Cached, Consumed, Prompt, Source};

/// Measures one reply while it goes by.
///
/// Tokens come from, in this order: the service's own counts; the share of the context window that the
/// service says is used, less the output as we count it; our own count of what was sent and what came back.
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    prompt: Arc<Prompt>,
    model: String,
    context_window: u32,
    /// Text and calls.
    said: Counter,
    thought: Counter,
    /// Bytes of thoughts that only the model can read.
    redacted: u64,
    /// Whether nobody but the operator is told.
    is_rough: bool,
    reported: Usage,
}

impl Meter {
    /// A meter for the reply of a model, by Kiro's id, with a context window of so many tokens.
    pub(crate) fn new(prompt: Arc<Prompt>, model: &str, context_window: u32) -> Self {
        Self {
            prompt,
            model: model.to_owned(),
            context_window,
            said: Counter::default(),
            thought: Counter::default(),
            redacted: 0,
            is_rough: false,
            reported: Usage::default(),
        }
    }

    /// The same for numbers that nobody is told but the operator: text that the service does not count is not taken
    /// apart for them, only its bytes are counted.
    pub(crate) fn roughly(self) -> Self {
        Self {
            said: Counter::of_bytes(),
            thought: Counter::of_bytes(),
            is_rough: true,
            ..self
        }
    }

    /// Takes notice of an event.
    pub(crate) fn observe(&mut self, event: &ReplyEvent) {
        match event {
            ReplyEvent::Text(delta) | ReplyEvent::ToolInput(delta) => {
                self.said.push_json(delta);
            }
            ReplyEvent::Reasoning(delta) => self.thought.push_json(delta),
            ReplyEvent::Redacted(delta) => self.redacted += delta.len() as u64,
            ReplyEvent::ToolUseStart { name, .. } => {
                self.said.push("\n");
                self.said.push(name);
            }
            ReplyEvent::Usage(usage) => self.reported = usage.clone(),
            // Nothing that the model has written.
            ReplyEvent::Start
            | ReplyEvent::Signature(_)
            | ReplyEvent::ToolUseEnd
            | ReplyEvent::ToolUseCut
            | ReplyEvent::Stop(_) => {}
        }
    }

    /// What was consumed so far.
    pub(crate) fn consumed(&self) -> Consumed {
        let redacted = self.redacted.div_ceil(BYTES_PER_TOKEN);
        let reasoning = scaled(self.thought.tokens(), &self.model) + redacted;
        let output = scaled(self.said.tokens(), &self.model) + reasoning;
        let (prompt, output, source) = self.counts(output);
        Consumed {
            prompt,
            output,
            reasoning: reasoning.min(output),
            cached: self.reported.tokens.map(|tokens| Cached {
                read: tokens.cache_read,
                written: tokens.cache_write,
            }),
            credits: self.reported.credits.filter(|credits| credits.is_finite()),
            source,
        }
    }

    /// Prompt and output from the best source, given our count of the output.
    fn counts(&self, output: u64) -> (u64, u64, Source) {
        if let Some(counted) = self.reported.tokens {
            let prompt = counted
                .uncached_input
                .saturating_add(counted.cache_read)
                .saturating_add(counted.cache_write);
            if prompt > 0 && (counted.output > 0 || output == 0) {
                return (prompt, counted.output, Source::Upstream);
            }
        }
        if let Some(total) = self.context_tokens() {
            let prompt = total.saturating_sub(output).max(1);
            return (prompt, output, Source::ContextPercentage);
        }
        let prompt = match self.is_rough {
            true => self.prompt.rough_tokens(),
            false => self.prompt.tokens(),
        };
        (prompt, output, Source::Estimate)
    }

    /// Tokens that the service says are in the context window.
    fn context_tokens(&self) -> Option<u64> {
        let percentage = self.reported.context_percentage?;
        let tokens = percentage / 100.0 * f64::from(self.context_window);
        // A cast saturates, so a nonsensical percentage cannot overflow.
        (tokens.is_finite() && tokens >= 1.0).then_some(tokens.round() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiro_protocol::conversation::Conversation;
    use kiro_protocol::reply::TokenUsage;
    use kiro_protocol::text::JsonText;
    use proptest::prelude::*;

    fn prompt() -> Arc<Prompt> {
        let mut conversation = Conversation::new("claude-sonnet-4.5");
        conversation.system.push("Be brief.".into());
        Arc::new(Prompt::of(&conversation))
    }

    fn meter(events: impl IntoIterator<Item = ReplyEvent>) -> Meter {
        let mut meter = Meter::new(prompt(), "claude-sonnet-4.5", 200_000);
        for event in events {
            meter.observe(&event);
        }
        meter
    }

    fn usage(change: impl FnOnce(&mut Usage)) -> ReplyEvent {
        let mut usage = Usage::default();
        change(&mut usage);
        ReplyEvent::Usage(usage)
    }

    #[test]
    fn a_rough_meter_takes_nothing_apart_and_the_services_counts_even_so() {
        let mut rough = Meter::new(prompt(), "claude-sonnet-4.5", 200_000).roughly();
        rough.observe(&ReplyEvent::Text("twelve bytes".into()));
        let consumed = rough.consumed();
        // Three tokens at four bytes, and what Claude's tokens are smaller.
        assert_eq!((consumed.output, consumed.source), (3, Source::Estimate));
        assert!(consumed.prompt > 0);
        assert_eq!(*rough.prompt, *prompt(), "the prompt was not counted");
        rough.observe(&usage(|usage| {
            usage.tokens = Some(TokenUsage {
                uncached_input: 100,
                cache_read: 0,
                cache_write: 0,
                output: 7,
            });
        }));
        let consumed = rough.consumed();
        assert_eq!((consumed.prompt, consumed.output), (100, 7));
    }

    #[test]
    fn the_services_own_counts_win() {
        let reported = usage(|usage| {
            usage.context_percentage = Some(50.0);
            usage.credits = Some(0.25);
            usage.tokens = Some(TokenUsage {
                uncached_input: 100,
                cache_read: 20,
                cache_write: 3,
                output: 7,
            });
        });
        let consumed = meter([ReplyEvent::Text("a long text".into()), reported]).consumed();
        assert_eq!(
            consumed,
            Consumed {
                prompt: 123,
                output: 7,
                reasoning: 0,
                cached: Some(Cached {
                    read: 20,
                    written: 3
                }),
                credits: Some(0.25),
                source: Source::Upstream,
            }
        );
    }

    #[test]
    fn the_percentage_is_of_the_models_own_window_and_includes_the_output() {
        let reported = usage(|usage| usage.context_percentage = Some(2.5));
        let consumed = meter([ReplyEvent::Text("Hello, world".into()), reported]).consumed();
        assert_eq!((consumed.prompt, consumed.output), (4997, 3));
        assert_eq!(consumed.source, Source::ContextPercentage);
        assert_eq!(consumed.cached, None);
    }

    #[test]
    fn without_a_word_from_the_service_everything_is_counted() {
        let consumed = meter([
            ReplyEvent::Reasoning("Let me see where it is.".into()),
            ReplyEvent::ToolUseStart {
                id: "t".into(),
                name: "find".into(),
            },
            ReplyEvent::ToolInput(JsonText::new("{\"path\":\"/tmp\"}")),
        ])
        .consumed();
        assert_eq!(
            (consumed.prompt, consumed.output, consumed.reasoning),
            (prompt().tokens(), 8 + 8, 8)
        );
        assert_eq!(consumed.source, Source::Estimate);
    }

    proptest! {
        #[test]
        fn a_turn_that_said_something_costs_something(
            percentage in proptest::option::of(proptest::num::f64::ANY),
            tokens in proptest::option::of((any::<u64>(), any::<u64>(), 0u64..3)),
        ) {
            let reported = usage(|usage| {
                usage.context_percentage = percentage;
                usage.tokens = tokens.map(|(uncached_input, cache_read, output)| TokenUsage {
                    uncached_input, cache_read, output, cache_write: 0,
                });
            });
            let consumed = meter([ReplyEvent::Text("x".into()), reported]).consumed();
            prop_assert!(consumed.prompt > 0 && consumed.output > 0);
            prop_assert!(consumed.reasoning <= consumed.output);
        }
    }
}
