//! A piece of text as one event carries it.

use bytes::Bytes;

use crate::text::{JsonText, TextError};

/// A piece of text, still JSON-escaped, that may be cut in the middle of a character.
///
/// A character beyond U+FFFF is written as two `\u` escapes, and the service cuts text anywhere:
///
/// ```text
/// {"content":"ok \ud83d"}   {"content":"\ude00!"}      together: ok 😀!
/// ```
///
/// So a piece may begin with the second half of a pair and end with the first half of one. Whoever
/// joins pieces puts the halves together. A half that stands anywhere else is U+FFFD already.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TextPiece {
    /// The second half of a surrogate pair before the text, 0xDC00 to 0xDFFF.
    pub low: Option<u16>,
    /// The text between the halves.
    pub text: JsonText,
    /// The first half of a surrogate pair after the text, 0xD800 to 0xDBFF.
    pub high: Option<u16>,
}

impl TextPiece {
    /// Takes the inside of a JSON string. Shares the bytes unless there is a half or a separator to
    /// replace.
    ///
    /// # Errors
    ///
    /// As [`JsonText::from_escaped`], except that halves of pairs are welcome.
    pub fn from_escaped(escaped: Bytes) -> Result<Self, TextError> {
        if memchr::memchr(b'\\', &escaped).is_none() {
            return JsonText::from_escaped(escaped).map(Self::from);
        }
        match JsonText::from_escaped(escaped.clone()) {
            Ok(text) => Ok(Self::from(text)),
            Err(error) => Self::with_halves(escaped).ok_or(error),
        }
    }

    /// Whether it carries nothing at all.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && self.low.is_none() && self.high.is_none()
    }

    /// `None` when something else than a half is wrong with the text.
    fn with_halves(escaped: Bytes) -> Option<Self> {
        let low = surrogate_at(&escaped, 0).filter(|half| is_low(*half));
        let inner = escaped.slice(low.map_or(0, |_| ESCAPE_BYTES)..);
        let (inside, high) = replace_halves(&inner);
        Some(Self {
            low,
            text: JsonText::from_escaped(inside).ok()?,
            high,
        })
    }
}

impl From<JsonText> for TextPiece {
    fn from(text: JsonText) -> Self {
        Self {
            text,
            ..Self::default()
        }
    }
}

/// `\uXXXX`
const ESCAPE_BYTES: usize = 6;

fn is_low(half: u16) -> bool {
    (0xdc00..=0xdfff).contains(&half)
}

/// The half of a pair whose escape stands at that place.
fn surrogate_at(escaped: &[u8], at: usize) -> Option<u16> {
    let digits = escaped.get(at..at + ESCAPE_BYTES)?.strip_prefix(b"\\u")?;
    let digits = std::str::from_utf8(digits).ok()?;
    let code = u16::from_str_radix(digits, 16).ok()?;
    (0xd800..=0xdfff).contains(&code).then_some(code)
}

/// Replaces halves without their other half. A first half at the very end is taken off and returned.
fn replace_halves(escaped: &[u8]) -> (Bytes, Option<u16>) {
    let mut out = Vec::with_capacity(escaped.len());
    let mut at = 0;
    while at < escaped.len() {
        if escaped[at] != b'\\' {
            out.push(escaped[at]);
            at += 1;
            continue;
        }
        let Some(half) = surrogate_at(escaped, at) else {
            // An escape of one letter, or the start of `\uXXXX` for a whole character.
            out.extend_from_slice(&escaped[at..escaped.len().min(at + 2)]);
            at += 2;
            continue;
        };
        let next = at + ESCAPE_BYTES;
        let is_pair = !is_low(half) && surrogate_at(escaped, next).is_some_and(is_low);
        if is_pair {
            out.extend_from_slice(&escaped[at..next + ESCAPE_BYTES]);
            at = next + ESCAPE_BYTES;
        } else if !is_low(half) && next == escaped.len() {
            return (out.into(), Some(half));
        } else {
            out.extend_from_slice("\u{fffd}".as_bytes());
            at = next;
        }
    }
    (out.into(), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(escaped: &'static str) -> (Option<u16>, String, Option<u16>) {
        let piece = TextPiece::from_escaped(Bytes::from_static(escaped.as_bytes())).unwrap();
        (piece.low, piece.text.escaped().to_owned(), piece.high)
    }

    #[test]
    fn halves_are_taken_off_both_ends() {
        assert_eq!(piece(r"ok \ud83d"), (None, "ok ".into(), Some(0xd83d)));
        assert_eq!(piece(r"\uDE00!"), (Some(0xde00), "!".into(), None));
        assert_eq!(
            piece(r"\ude00\ud83d"),
            (Some(0xde00), String::new(), Some(0xd83d))
        );
        assert_eq!(
            piece(r"\ude00\n\\ud83d"),
            (Some(0xde00), r"\n\\ud83d".into(), None)
        );
        assert_eq!(
            piece(r"\ude00a\ud83d\ude00"),
            (Some(0xde00), r"a\ud83d\ude00".into(), None)
        );
    }

    #[test]
    fn a_half_in_the_middle_is_replaced() {
        assert_eq!(piece(r"a\ud83db"), (None, "a\u{fffd}b".into(), None));
        assert_eq!(piece(r"a\ude00"), (None, "a\u{fffd}".into(), None));
        assert_eq!(
            piece(r"\ud83d\ud83d"),
            (None, "\u{fffd}".into(), Some(0xd83d))
        );
        assert_eq!(
            piece(r"\ude00\ude00"),
            (Some(0xde00), "\u{fffd}".into(), None)
        );
    }

    #[test]
    fn other_damage_is_still_an_error() {
        for bad in [
            &br"\ud83d\x"[..],
            br"\ud83",
            b"\\ud83d\"",
            b"\\ud83d\xff",
            b"\\ud83d\\",
        ] {
            assert!(TextPiece::from_escaped(Bytes::from_static(bad)).is_err());
        }
    }

    #[test]
    fn whole_text_is_shared() {
        let bytes = Bytes::from_static(br"plain \ud83d\ude00");
        let piece = TextPiece::from_escaped(bytes.clone()).unwrap();
        assert_eq!(piece.text.escaped().as_ptr(), bytes.as_ptr());
    }
}
