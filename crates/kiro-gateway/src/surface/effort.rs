//! How hard to think, from the words and numbers of the dialects.

use kiro_protocol::conversation::Effort;

/// A word that nobody here knows asks for something: it is not refused, and it is not nothing.
pub(super) fn named(word: &str) -> Effort {
    match word {
        "none" | "minimal" => Effort::None,
        "low" => Effort::Low,
        "high" => Effort::High,
        "xhigh" => Effort::ExtraHigh,
        "max" => Effort::Max,
        _ => Effort::Medium,
    }
}

/// The effort that comes nearest to a budget in tokens. The steps are those that OpenRouter and LiteLLM
/// take from words to budgets, rounded; a guess in the same direction.
pub(super) fn of_budget(tokens: i64) -> Effort {
    match tokens {
        ..=0 => Effort::None,
        1..=2_048 => Effort::Low,
        2_049..=8_192 => Effort::Medium,
        8_193..=32_768 => Effort::High,
        _ => Effort::ExtraHigh,
    }
}
