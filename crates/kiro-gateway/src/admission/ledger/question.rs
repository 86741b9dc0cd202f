//! What is asked of all gates of a caller at once: everything is taken, or nothing.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;

use super::Core;
use super::script::{Script, month_of};
use crate::admission::budget::Spent;
use crate::admission::gate::{Counted, Gate};
use crate::admission::gcra::Rate;
use crate::error::Error;

/// A question to Redis.
pub(super) struct Question<'a> {
    today: Date,
    /// Gates whose budgets must not be used up: of the day and of the month.
    budgets: Vec<(&'a Gate, [Option<f64>; 2])>,
    rates: Vec<Asked<'a>>,
}

/// Units of a rate.
struct Asked<'a> {
    gate: &'a Gate,
    counted: Counted,
    rate: Rate,
    /// So many must be there.
    needed: u64,
    /// So many are taken.
    taken: u64,
}

/// Which of the sums and rates refuses, or 0; microseconds to wait; the sums; microseconds that each rate is ahead.
pub(super) type Answer = (usize, u64, Vec<f64>, Vec<u64>);

impl<'a> Question<'a> {
    /// May a request come in: is there anything left of the budget, a token, and a request, which is taken?
    pub(super) fn enter(gates: &'a [Arc<Gate>], today: Date) -> Self {
        let mut question = Self {
            today,
            budgets: Vec::new(),
            rates: Vec::new(),
        };
        for gate in gates {
            question
                .budgets
                .extend(gate.budgets().map(|budgets| (&**gate, budgets)));
            question.ask(gate, Counted::Tokens, 1, 0);
            question.ask(gate, Counted::Requests, 1, 1);
        }
        question
    }

    /// May it have the tokens of its prompt, which are taken?
    pub(super) fn prompt(gates: &'a [Arc<Gate>], today: Date, tokens: u64) -> Self {
        let mut question = Self {
            today,
            budgets: Vec::new(),
            rates: Vec::new(),
        };
        for gate in gates {
            question.ask(gate, Counted::Tokens, tokens, tokens);
        }
        question
    }

    fn ask(&mut self, gate: &'a Gate, counted: Counted, needed: u64, taken: u64) {
        if let Some(rate) = gate.rate(counted) {
            self.rates.push(Asked {
                gate,
                counted,
                rate,
                needed,
                taken,
            });
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.budgets.is_empty() && self.rates.is_empty()
    }

    /// The script, with a number that no other question has. Whatever is sent twice counts once.
    pub(super) fn script(&self, core: &Core) -> Script {
        let prefix = &core.prefix;
        let mut script = Script::new(include_str!("take.lua"));
        script.key(format!(
            "{prefix}asked:{}",
            core.name_of(core.next_number())
        ));
        script.arg(core.reach.resent_within().as_millis());
        script.arg(2 * self.budgets.len());
        for (gate, [day, month]) in &self.budgets {
            let name = gate.name().as_str();
            script.key(format!("{prefix}{name}:day:{}", self.today));
            script.key(format!("{prefix}{name}:month:{}", month_of(self.today)));
            for budget in [day, month] {
                script.arg(budget.map_or_else(String::new, |budget| budget.to_string()));
            }
        }
        for asked in &self.rates {
            let name = asked.gate.name().as_str();
            script.key(format!("{prefix}{name}:{}", asked.counted.as_str()));
            let needed = asked.needed.min(asked.rate.limit());
            script.arg(asked.rate.micros(needed));
            script.arg(asked.rate.micros(asked.taken));
        }
        script.key(core.open_key());
        script
    }

    /// The same of this gateway's share, while Redis is away.
    ///
    /// # Errors
    ///
    /// As [`heed`](Self::heed).
    pub(super) fn alone(&self, core: &Core) -> Result<(), Error> {
        let (outage, now) = (core.reach.outage(), core.now());
        for (passed, asked) in self.rates.iter().enumerate() {
            let of = (asked.gate.name(), asked.counted, asked.rate);
            let units = (asked.needed, asked.taken);
            let taken = core.alone.take(of, units, &core.roll, (outage, now));
            if let Err(wait) = taken {
                for given in self.rates[..passed].iter().filter(|given| given.taken > 0) {
                    let name = given.gate.name();
                    core.alone.correct(name, given.counted, given.taken, 0, now);
                }
                return Err(asked.gate.too_fast(asked.rate, asked.counted, wait));
            }
        }
        Ok(())
    }

    /// Lets the gates know what all gateways together have used, and says whether they refuse.
    ///
    /// # Errors
    ///
    /// What the gate that refuses would have said itself.
    pub(super) fn heed(&self, (refused, wait, sums, ahead): Answer) -> Result<(), Error> {
        for ((gate, _), spent) in self.budgets.iter().zip(sums.chunks_exact(2)) {
            gate.learn_credits(Spent::on(self.today, spent[0], spent[1]));
        }
        for (asked, ahead) in self.rates.iter().zip(ahead) {
            asked.gate.saw(asked.counted, Duration::from_micros(ahead));
        }
        let Some(refused) = refused.checked_sub(1) else {
            return Ok(());
        };
        if let Some((gate, _)) = self.budgets.get(refused / 2) {
            // It knows now. Should the day have ended meanwhile, there is nothing to refuse.
            return gate.check_credits();
        }
        let asked = self.rates.get(refused - 2 * self.budgets.len());
        asked.map_or(Ok(()), |asked| {
            let wait = Duration::from_micros(wait);
            Err(asked.gate.too_fast(asked.rate, asked.counted, wait))
        })
    }
}
