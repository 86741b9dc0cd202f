//! Joins characters that were cut between two pieces.

use std::fmt::Write as _;

use crate::event::TextPiece;
use crate::text::JsonText;

/// Remembers the first half of a surrogate pair until the second arrives.
#[derive(Debug, Default)]
pub(super) struct Halves {
    high: Option<u16>,
}

impl Halves {
    /// The text that has become certain with this piece. Shares the piece's bytes unless there is a half
    /// to join.
    pub(super) fn join(&mut self, piece: TextPiece) -> JsonText {
        if self.high.is_none() && piece.low.is_none() {
            self.high = piece.high;
            return piece.text;
        }
        if piece.is_empty() {
            return piece.text;
        }
        let mut out = String::with_capacity(12 + piece.text.len());
        match (self.high.take(), piece.low) {
            (Some(high), Some(low)) => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{high:04x}\\u{low:04x}");
            }
            // One half without its other. A piece of nothing but a first half keeps the wait up.
            _ => out.push('\u{fffd}'),
        }
        out.push_str(piece.text.escaped());
        self.high = piece.high;
        escaped(out)
    }

    /// The block has ended: a half that still waits is lost.
    pub(super) fn end(&mut self) -> Option<JsonText> {
        self.high.take().map(|_| JsonText::new("\u{fffd}"))
    }

    /// A piece that is a text of its own.
    pub(super) fn whole(piece: TextPiece) -> JsonText {
        let mut halves = Self::default();
        let text = halves.join(piece);
        match halves.end() {
            None => text,
            Some(lost) => escaped(text.escaped().to_owned() + lost.escaped()),
        }
    }
}

/// The caller joins escaped texts, whole pairs and U+FFFD, so this cannot fail.
pub(super) fn escaped(text: String) -> JsonText {
    JsonText::from_escaped(text.into()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(pieces: &[&'static str]) -> String {
        let mut halves = Halves::default();
        let mut out = String::new();
        for piece in pieces {
            let piece = TextPiece::from_escaped(piece.as_bytes().into()).unwrap();
            out += &halves.join(piece).unescape();
        }
        out += &halves.end().unwrap_or_default().unescape();
        out
    }

    #[test]
    fn a_character_cut_between_pieces_comes_out_whole() {
        assert_eq!(join(&[r"ok \ud83d", r"\ude00!"]), "ok 😀!");
        assert_eq!(join(&[r"\ud83d", "", r"\ude00\ud83d", r"\ude01"]), "😀😁");
    }

    #[test]
    fn a_half_without_its_other_is_replaced() {
        assert_eq!(join(&[r"a\ud83d"]), "a\u{fffd}");
        assert_eq!(join(&[r"\ude00a"]), "\u{fffd}a");
        assert_eq!(join(&[r"a\ud83d", "b"]), "a\u{fffd}b");
        assert_eq!(join(&[r"\ud83d", r"\ud83d", r"\ude00"]), "\u{fffd}😀");
    }
}
