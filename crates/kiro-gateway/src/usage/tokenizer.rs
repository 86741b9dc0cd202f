//! Counting tokens where the service does not.

use kiro_protocol::text::JsonText;

/// Bytes that are counted at once. Text is counted while it comes in, so that neither the end of a long
/// reply nor hostile text holds up other exchanges: a batch takes about a millisecond.
const BATCH: usize = 4096;

/// Tokens of a text by `cl100k_base`.
///
/// The vocabulary of the models behind the service is not public; this one is what others count with
/// (source: several gateways, late 2026). It is built at the first use, which takes about 0.1 s and 25 MB.
pub(super) fn count(text: &str) -> u64 {
    let tokenizer = tiktoken_rs::cl100k_base_singleton();
    tokenizer.count_ordinary(text) as u64
}

/// What a number of tokens by [`count`] is for a model.
///
/// Claude's tokens are smaller by about 15 % (source: KiroGate's factor, the only one that is published;
/// in between the 3.5 and 4 bytes for a token with which Kiro's own programs estimate).
pub(super) fn scaled(tokens: u64, model: &str) -> u64 {
    let is_claude = model == "auto" || model.to_ascii_lowercase().starts_with("claude");
    match is_claude {
        true => tokens.saturating_mul(23).saturating_add(10) / 20,
        false => tokens,
    }
}

/// Bytes that are one token where tokens are not counted: for numbers of the operator's alone, for thoughts that only
/// the model can read, and for limits (source: OpenAI's help on tokens, for English and code; Kiro's own programs
/// estimate with 3.5 and 4).
pub(super) const BYTES_PER_TOKEN: u64 = 4;

/// Counts text that comes in pieces. Where the pieces are divided makes no difference, but for a token or
/// so in every [`BATCH`].
#[derive(Debug, Clone, Default)]
pub(super) struct Counter {
    counted: u64,
    pending: String,
    /// Bytes, where nothing but those is counted.
    bytes: Option<u64>,
}

impl Counter {
    /// A counter that counts bytes: nothing of the text is kept, and the vocabulary is not needed.
    pub(super) fn of_bytes() -> Self {
        Self {
            bytes: Some(0),
            ..Self::default()
        }
    }

    pub(super) fn push_json(&mut self, text: &JsonText) {
        match &mut self.bytes {
            Some(bytes) => *bytes += text.len() as u64,
            None => self.push(&text.unescape()),
        }
    }

    pub(super) fn push(&mut self, text: &str) {
        if let Some(bytes) = &mut self.bytes {
            *bytes += text.len() as u64;
            return;
        }
        self.pending.push_str(text);
        while self.pending.len() >= BATCH {
            let end = boundary(&self.pending);
            self.counted += count(&self.pending[..end]);
            self.pending.drain(..end);
        }
    }

    /// Tokens so far.
    pub(super) fn tokens(&self) -> u64 {
        match self.bytes {
            Some(bytes) => bytes.div_ceil(BYTES_PER_TOKEN),
            None if self.pending.is_empty() => self.counted,
            None => self.counted + count(&self.pending),
        }
    }
}

/// Where a batch ends: before its last space, because words are counted with the space before them, or
/// after its last character.
fn boundary(text: &str) -> usize {
    let end = floor(text, BATCH);
    match text[..end].rfind(' ') {
        Some(space) if space > 0 => space,
        _ => end,
    }
}

/// The end of the last whole character within so many bytes.
pub(super) fn floor(text: &str, bytes: usize) -> usize {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tokens_are_those_of_the_vocabulary() {
        // Source: the examples of openai/tiktoken and of the OpenAI cookbook for `cl100k_base`.
        for (text, tokens) in [
            ("", 0),
            ("hello world", 2),
            ("antidisestablishmentarianism", 6),
            ("2 + 2 = 4", 7),
            ("お誕生日おめでとう", 9),
        ] {
            assert_eq!(count(text), tokens, "{text}");
        }
    }

    #[test]
    fn something_is_never_scaled_to_nothing() {
        assert_eq!(scaled(0, "claude-sonnet-4.5"), 0);
        assert_eq!(scaled(1, "claude-sonnet-4.5"), 1);
        assert_eq!(scaled(1000, "CLAUDE_3_7_SONNET_20250219_V1_0"), 1150);
        assert_eq!(scaled(1000, "gpt-5.6-sol"), 1000);
    }

    #[test]
    fn text_without_spaces_is_counted_as_it_comes() {
        let mut counter = Counter::default();
        let text = "é誕".repeat(BATCH);
        counter.push(&text);
        assert!(counter.pending.len() < BATCH);
        let (pieces, whole) = (counter.tokens(), count(&text));
        assert!(pieces.abs_diff(whole) <= 2 * (text.len() / BATCH) as u64);
    }

    #[test]
    fn bytes_alone_are_an_estimate_that_keeps_nothing() {
        let mut counter = Counter::of_bytes();
        let text = "The quick brown fox jumps over the lazy dog. ".repeat(200);
        counter.push(&text);
        counter.push_json(&JsonText::new(&text));
        assert!(counter.pending.is_empty());
        let exact = 2 * count(&text);
        assert!((exact..exact * 2).contains(&counter.tokens()));
        assert_eq!(Counter::of_bytes().tokens(), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20))]
        #[test]
        fn pieces_count_as_the_whole(
            pieces in proptest::collection::vec("[a-z ]{1,9}[ .\n\"{}é誕]{0,3}", 0..2000),
        ) {
            let mut counter = Counter::default();
            for piece in &pieces {
                counter.push(piece);
            }
            let whole = pieces.concat();
            let allowed = (whole.len() / BATCH) as u64 * 2;
            prop_assert!(counter.tokens().abs_diff(count(&whole)) <= allowed);
        }
    }
}
