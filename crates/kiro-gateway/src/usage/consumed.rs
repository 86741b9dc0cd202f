//! What a reply consumed, and who says so.

/// What a reply consumed, in tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Consumed {
    /// Input, cached input included. Never zero.
    pub(crate) prompt: u64,
    /// Output, thoughts included. Zero only if the reply was empty.
    pub(crate) output: u64,
    /// Thoughts, as far as they can be told from the rest; at most `output`.
    pub(crate) reasoning: u64,
    /// Input read from a cache and input written to one. `None` unless the service says so.
    pub(crate) cached: Option<Cached>,
    /// The price in credits. `None` unless the service says so.
    pub(crate) credits: Option<f64>,
    /// Where the counts come from.
    pub(crate) source: Source,
}

impl Consumed {
    /// The price in credits, if it is one that can be summed up: the service's number may be anything.
    pub(crate) fn price(&self) -> Option<f64> {
        self.credits.filter(|it| it.is_finite() && *it > 0.0)
    }
}

/// What a cache had to do with the input, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cached {
    /// Read from a cache.
    pub(crate) read: u64,
    /// Written to a cache.
    pub(crate) written: u64,
}

/// Where counts come from, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The service counted.
    Upstream,
    /// The service said how full the context window is; the output is our count.
    ContextPercentage,
    /// The service said nothing: our own count, by a tokenizer that is not the model's.
    Estimate,
}

impl Source {
    /// The word for it in an answer.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::ContextPercentage => "context_percentage",
            Self::Estimate => "estimate",
        }
    }
}
