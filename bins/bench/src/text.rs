//! A text in the pieces in which a model gives it out.

/// A reply as people see it, with what makes JSON interesting: quotes, line ends, other alphabets.
const TEXT: &str = include_str!("text.md");

/// About two thousand pieces: a word each, with the white space before it.
pub(crate) fn words() -> Vec<&'static str> {
    let once = pieces(TEXT);
    let times = 2_000usize.div_ceil(once.len());
    once.repeat(times)
}

fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut after_word = false;
    for (at, character) in text.char_indices() {
        if character.is_whitespace() && after_word {
            pieces.push(&text[start..at]);
            start = at;
        }
        after_word = !character.is_whitespace();
    }
    pieces.push(&text[start..]);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pieces_make_up_the_text() {
        assert_eq!(pieces("a b\n\nc "), ["a", " b", "\n\nc", " "]);
        assert_eq!(pieces(TEXT).concat(), TEXT);
        assert!(words().len() >= 2_000);
    }
}
