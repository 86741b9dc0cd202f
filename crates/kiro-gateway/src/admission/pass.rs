//! What an exchange holds of the limits of its caller, and gives back at its end.

use std::sync::Arc;

use kiro_protocol::reply::ReplyEvent;

use super::gate::Gate;
use super::gcra::Level;
use super::slots::Slot;
use crate::error::Error;
use crate::search::Event;
use crate::usage::{Meter, Prompt};

/// The gates that a caller passes: their own first, then that of their key, so that who is over their own
/// limit takes nothing from the others.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gates(Vec<Arc<Gate>>);

/// What is left of the rates, for the headers of an answer: of each the gate that has the least.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) requests: Option<Level>,
    pub(crate) tokens: Option<Level>,
}

/// One exchange that was let in. Dropped with it, it counts what was used.
#[derive(Debug)]
pub(crate) struct Pass {
    gates: Gates,
    /// Its places among the exchanges under way.
    slots: Vec<Slot>,
    /// Tokens that were taken for the prompt.
    estimated: u64,
    /// Counts the answer, where tokens are limited.
    meter: Option<Meter>,
    /// Whether any of the answer came.
    is_answered: bool,
    credits: f64,
}

impl Gates {
    /// From the inside to the outside.
    pub(crate) fn new(gates: impl IntoIterator<Item = Option<Arc<Gate>>>) -> Self {
        Self(gates.into_iter().flatten().collect())
    }

    /// Lets a request in, or refuses it before its body is read.
    ///
    /// # Errors
    ///
    /// A limit is reached.
    ///
    /// # Cancel safety
    ///
    /// Who leaves while they wait has been counted as a request and holds nothing.
    pub(crate) async fn enter(&self) -> Result<Pass, Error> {
        let mut slots = Vec::new();
        for gate in &self.0 {
            gate.request()?;
        }
        for gate in &self.0 {
            slots.extend(gate.enter().await?);
        }
        Ok(Pass {
            gates: self.clone(),
            slots,
            estimated: 0,
            meter: None,
            is_answered: false,
            credits: 0.0,
        })
    }

    /// What is left.
    pub(crate) fn standing(&self) -> Standing {
        let least = |one: Option<Level>, other: Option<Level>| match (one, other) {
            (Some(one), Some(other)) if other.remaining < one.remaining => Some(other),
            (one, other) => one.or(other),
        };
        let levels = self.0.iter().map(|gate| gate.levels());
        levels.fold(Standing::default(), |standing, (requests, tokens)| {
            Standing {
                requests: least(standing.requests, requests),
                tokens: least(standing.tokens, tokens),
            }
        })
    }
}

impl Pass {
    /// Holds a place among the exchanges of the whole gateway, too.
    pub(crate) fn hold(&mut self, slot: Option<Slot>) {
        self.slots.extend(slot);
    }

    /// Takes the tokens of a prompt.
    ///
    /// # Errors
    ///
    /// There are not so many.
    pub(crate) fn prompt(
        &mut self,
        prompt: &Arc<Prompt>,
        model: &str,
        context_window: u32,
    ) -> Result<(), Error> {
        if !self.gates.0.iter().any(|gate| gate.counts_tokens()) {
            return Ok(());
        }
        let tokens = prompt.tokens();
        for (passed, gate) in self.gates.0.iter().enumerate() {
            if let Err(error) = gate.prompt(tokens) {
                let passed = &self.gates.0[..passed];
                passed.iter().for_each(|gate| gate.settle(tokens, 0, 0.0));
                return Err(error);
            }
        }
        self.estimated = tokens;
        self.meter = Some(Meter::new(prompt.clone(), model, context_window));
        Ok(())
    }

    /// Takes notice of a part of the answer.
    pub(crate) fn observe(&mut self, event: &Event) {
        let Event::Reply(event) = event else { return };
        if self.gates.0.is_empty() {
            return;
        }
        self.is_answered = true;
        if let Some(meter) = &mut self.meter {
            meter.observe(event);
        }
        if let ReplyEvent::Usage(usage) = event {
            let credits = usage.credits.filter(|credits| credits.is_finite());
            self.credits = credits.unwrap_or(0.0);
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let real = match &self.meter {
            Some(meter) if self.is_answered => {
                let consumed = meter.consumed();
                consumed.prompt.saturating_add(consumed.output)
            }
            // The service did nothing.
            _ => 0,
        };
        for gate in &self.gates.0 {
            gate.settle(self.estimated, real, self.credits);
        }
    }
}
