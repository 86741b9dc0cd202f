//! What an exchange holds of the limits of its caller, and gives back at its end.

use std::sync::Arc;

use kiro_protocol::reply::ReplyEvent;

use super::gate::Gate;
use super::gcra::Level;
use super::ledger::Ledger;
use super::slots::Slot;
use crate::error::Error;
use crate::search::Event;
use crate::usage::{Meter, Prompt};

/// The gates that a caller passes: their own first, then that of their key, so that who is over their own
/// limit takes nothing from the others.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gates {
    gates: Vec<Arc<Gate>>,
    /// Where other gateways count the same, if there are any.
    ledger: Option<Arc<Ledger>>,
}

/// What is left of the rates, for the headers of an answer: of each the gate that has the least.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    pub(crate) requests: Option<Level>,
    pub(crate) tokens: Option<Level>,
}

/// One exchange that was let in. Dropped with it, it counts what was used.
#[derive(Debug)]
pub(crate) struct Pass {
    gates: Gates,
    /// Its places among the exchanges under way.
    slots: Vec<Slot>,
    /// Tokens that were taken for the prompt, and those that were in the ledger.
    estimated: u64,
    shared: u64,
    /// Whether those were taken for all gateways, and not of the share of this one.
    is_shared: bool,
    /// Counts the answer, where tokens are limited.
    meter: Option<Meter>,
    /// Whether any of the answer came.
    is_answered: bool,
    credits: f64,
}

impl Gates {
    /// From the inside to the outside.
    pub(crate) fn new(
        gates: impl IntoIterator<Item = Option<Arc<Gate>>>,
        ledger: Option<&Arc<Ledger>>,
    ) -> Self {
        let gates: Vec<_> = gates.into_iter().flatten().collect();
        let ledger = ledger.filter(|_| !gates.is_empty()).cloned();
        Self { gates, ledger }
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
        self.request()?;
        if let Some(ledger) = &self.ledger
            && let Err(error) = ledger.enter(&self.gates).await
        {
            self.gates.iter().for_each(|gate| gate.forget_request());
            return Err(error);
        }
        let mut slots = Vec::new();
        for gate in &self.gates {
            slots.extend(gate.enter(self.ledger.as_ref()).await?);
        }
        Ok(Pass {
            gates: self.clone(),
            slots,
            estimated: 0,
            shared: 0,
            is_shared: false,
            meter: None,
            is_answered: false,
            credits: 0.0,
        })
    }

    /// Counts a request, at all gates or at none.
    fn request(&self) -> Result<(), Error> {
        for (passed, gate) in self.gates.iter().enumerate() {
            if let Err(error) = gate.request() {
                let passed = &self.gates[..passed];
                passed.iter().for_each(|gate| gate.forget_request());
                return Err(error);
            }
        }
        Ok(())
    }

    /// What is left.
    pub(crate) fn standing(&self) -> Standing {
        let least = |one: Option<Level>, other: Option<Level>| match (one, other) {
            (Some(one), Some(other)) if other.remaining < one.remaining => Some(other),
            (one, other) => one.or(other),
        };
        let levels = self.gates.iter().map(|gate| gate.levels());
        levels.fold(Standing::default(), |standing, (requests, tokens)| {
            Standing {
                requests: least(standing.requests, requests),
                tokens: least(standing.tokens, tokens),
            }
        })
    }
}

impl Pass {
    /// Holds a place among the exchanges of the whole gateway, too. It is given back first, so that whoever waits for
    /// one of the others does not find it taken.
    pub(crate) fn hold(&mut self, slot: Slot) {
        self.slots.insert(0, slot);
    }

    /// Takes the tokens of a prompt.
    ///
    /// # Errors
    ///
    /// There are not so many.
    pub(crate) async fn prompt(
        &mut self,
        prompt: &Arc<Prompt>,
        model: &str,
        context_window: u32,
    ) -> Result<(), Error> {
        let gates = &self.gates.gates;
        if !gates.iter().any(|gate| gate.counts_tokens()) {
            return Ok(());
        }
        let tokens = prompt.tokens();
        for (passed, gate) in gates.iter().enumerate() {
            if let Err(error) = gate.prompt(tokens) {
                let passed = &gates[..passed];
                passed.iter().for_each(|gate| gate.settle(tokens, 0, 0.0));
                return Err(error);
            }
        }
        // From here on it is given back here when nothing comes of it, also by who leaves while Redis is asked. What
        // others gave, too, would come back if it were given back there without having been taken; so that is done
        // only once Redis has said so, and who leaves before pays for it, as does who has no answer.
        self.estimated = tokens;
        if let Some(ledger) = &self.gates.ledger {
            self.is_shared = ledger.prompt(gates, tokens).await?;
            self.shared = tokens;
        }
        self.meter = Some(Meter::new(prompt.clone(), model, context_window));
        Ok(())
    }

    /// Takes notice of a part of the answer.
    pub(crate) fn observe(&mut self, event: &Event) {
        let Event::Reply(event) = event else { return };
        if self.gates.gates.is_empty() {
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
        let Gates { gates, ledger } = &self.gates;
        for gate in gates {
            gate.settle(self.estimated, real, self.credits);
        }
        if let Some(ledger) = ledger {
            ledger.settle(gates, self.shared, real, self.is_shared);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::super::{CreditBook, GateName, Limits};
    use super::*;
    use crate::key::KeyDigest;

    fn gate(whose: &str, requests: u32) -> Option<Arc<Gate>> {
        let limits = Limits {
            requests_per_minute: NonZeroU32::new(requests),
            ..Limits::default()
        };
        let name = GateName::of_key(&KeyDigest::of_text(whose));
        Gate::new(whose.to_owned(), name, &limits, &CreditBook::default()).map(Arc::new)
    }

    #[tokio::test(start_paused = true)]
    async fn what_one_gate_refuses_is_counted_by_none() {
        let (own, key) = (gate("own", 3), gate("key", 1));
        let gates = Gates::new([own.clone(), key], None);
        assert!(gates.enter().await.is_ok());
        for _ in 0..3 {
            let refused = gates.enter().await.unwrap_err();
            assert!(refused.public_message().contains("Limit of key reached"));
        }
        assert_eq!(own.unwrap().levels().0.unwrap().remaining, 2);
    }
}
