//! What is left of a limit of tokens.

use kiro_protocol::text::JsonText;

use super::tokenizer::BYTES_PER_TOKEN;

/// How much output is left of a limit in tokens, at four bytes for one: the rule of thumb for English and
/// code, and the larger of the two with which Kiro's own programs estimate.
///
/// It is not [`Meter`](super::Meter)'s count, because where the output ends must not depend on how it is cut into events.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    bytes: u64,
}

impl Budget {
    /// A budget of so many tokens.
    pub(crate) fn of(tokens: u64) -> Self {
        Self {
            bytes: tokens.saturating_mul(BYTES_PER_TOKEN),
        }
    }

    /// The tokens that are left of it.
    pub(crate) fn tokens(&self) -> u64 {
        self.bytes / BYTES_PER_TOKEN
    }

    /// Spends on a piece of text. `Some` is the part that there was room for when the rest was too much;
    /// nothing fits after it.
    pub(crate) fn spend(&mut self, text: &JsonText) -> Option<JsonText> {
        let room = usize::try_from(self.bytes).unwrap_or(usize::MAX);
        if text.len() <= room {
            self.bytes -= text.len() as u64;
            return None;
        }
        self.bytes = 0;
        let cut = text.characters().map(|(at, _)| at);
        let cut = cut.take_while(|at| *at <= room).last().unwrap_or(0);
        // A character begins at the cut, so the text can be split there.
        Some(text.split_at(cut).map(|(fits, _)| fits).unwrap_or_default())
    }

    /// Spends on what cannot be cut; `false` when it is too much.
    pub(crate) fn spend_whole(&mut self, bytes: usize) -> bool {
        let rest = self.bytes.checked_sub(bytes as u64);
        self.bytes = rest.unwrap_or(0);
        rest.is_some()
    }
}
