//! Which requests get a script.

use std::fmt;
use std::sync::Arc;

use kiro_protocol::Generation;
use serde::{Deserialize, Deserializer, de};

use super::CurrentTurn;
use crate::AccountId;

/// Which Generate calls get a script: those that meet every condition.
///
/// ```
/// use kiro_sim::Matcher;
///
/// let first_question_about_rust = Matcher::any().text_contains("Rust").times(1);
/// # let _ = first_question_about_rust;
/// ```
///
/// As JSON, every member optional: `{"text_contains": "Rust", "body_contains": "…",
/// "model": "claude-sonnet-4.5", "agent_mode": "vibe", "has_tool_results": true, "account": 1, "generation": "krs",
/// "nth": 2, "times": 1}`. The generations are `rest`, `cli` and `krs`.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use]
pub struct Matcher {
    text_contains: Option<String>,
    body_contains: Option<String>,
    model: Option<String>,
    agent_mode: Option<String>,
    has_tool_results: Option<bool>,
    account: Option<AccountId>,
    #[serde(default, deserialize_with = "generation")]
    generation: Option<Generation>,
    #[serde(skip)]
    predicate: Option<Predicate>,
    nth: Option<u64>,
    times: Option<u64>,
}

type Predicate = Arc<dyn Fn(&CurrentTurn<'_>) -> bool + Send + Sync>;

impl Matcher {
    /// Every call.
    pub fn any() -> Self {
        Self::default()
    }

    /// Every call, once.
    pub fn once() -> Self {
        Self::any().times(1)
    }

    /// The current message's text contains this.
    pub fn text_contains(mut self, part: impl Into<String>) -> Self {
        self.text_contains = Some(part.into());
        self
    }

    /// The body, history and all, contains this.
    pub fn body_contains(mut self, part: impl Into<String>) -> Self {
        self.body_contains = Some(part.into());
        self
    }

    /// The model has this wire id.
    pub fn model(mut self, id: impl Into<String>) -> Self {
        self.model = Some(id.into());
        self
    }

    /// The `agentMode` of the body is this.
    pub fn agent_mode(mut self, mode: impl Into<String>) -> Self {
        self.agent_mode = Some(mode.into());
        self
    }

    /// The current message answers tool uses.
    pub fn has_tool_results(mut self) -> Self {
        self.has_tool_results = Some(true);
        self
    }

    /// The current message answers no tool use.
    pub fn has_no_tool_results(mut self) -> Self {
        self.has_tool_results = Some(false);
        self
    }

    /// The token that came with the call is this account's.
    pub fn account(mut self, account: AccountId) -> Self {
        self.account = Some(account);
        self
    }

    /// The call is spelled as in this generation of the wire.
    pub fn generation(mut self, generation: Generation) -> Self {
        self.generation = Some(generation);
        self
    }

    /// The current turn meets a condition of the test's own.
    pub fn when(
        mut self,
        predicate: impl Fn(&CurrentTurn<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.predicate = Some(Arc::new(predicate));
        self
    }

    /// Only the n-th call that meets the other conditions, counted from 1.
    pub fn nth(mut self, n: u64) -> Self {
        self.nth = Some(n);
        self
    }

    /// At most this many calls; later ones are left to the next matcher.
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Whether a turn meets the conditions that concern the turn alone.
    pub(crate) fn fits(&self, turn: &CurrentTurn<'_>) -> bool {
        let same = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| found == Some(wanted))
        };
        let within = |part: &Option<String>, text: &str| {
            part.as_deref().is_none_or(|part| text.contains(part))
        };
        within(&self.text_contains, turn.text)
            && within(&self.body_contains, turn.body)
            && same(&self.model, Some(turn.model))
            && same(&self.agent_mode, turn.agent_mode)
            && self
                .has_tool_results
                .is_none_or(|wanted| wanted != turn.results.is_empty())
            && self
                .account
                .is_none_or(|wanted| turn.account == Some(wanted))
            && self
                .generation
                .is_none_or(|wanted| turn.generation == Some(wanted))
            && self
                .predicate
                .as_ref()
                .is_none_or(|predicate| predicate(turn))
    }

    /// Whether a fitting call that is the n-th of its kind gets the script.
    pub(crate) fn takes(&self, n: u64, used: u64) -> bool {
        self.nth.is_none_or(|nth| nth == n) && self.times.is_none_or(|times| used < times)
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matcher")
            .field("text_contains", &self.text_contains)
            .field("body_contains", &self.body_contains)
            .field("model", &self.model)
            .field("agent_mode", &self.agent_mode)
            .field("has_tool_results", &self.has_tool_results)
            .field("account", &self.account)
            .field("generation", &self.generation)
            .field("has_predicate", &self.predicate.is_some())
            .field("nth", &self.nth)
            .field("times", &self.times)
            .finish()
    }
}

fn generation<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Generation>, D::Error> {
    match &*String::deserialize(from)? {
        "rest" => Ok(Some(Generation::Rest)),
        "cli" => Ok(Some(Generation::Cli)),
        "krs" => Ok(Some(Generation::Krs)),
        other => Err(de::Error::unknown_variant(other, &["rest", "cli", "krs"])),
    }
}
