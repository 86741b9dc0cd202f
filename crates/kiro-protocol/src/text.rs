//! Text in its JSON-escaped form.
//!
//! Every payload that Kiro sends and every body that a client sends is JSON, and so is everything that
//! goes the other way. Text that is only carried from one to the other is therefore kept escaped: it is
//! validated once, sliced out of the buffer it arrived in and copied between a prefix and a suffix.
//! Whoever must look inside asks for [`JsonText::unescape`].

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;

/// A run of text as the inside of a JSON string, without the quotes.
///
/// ```text
/// the text      He said "hi" ↵ and left
/// escaped       He said \"hi\"\n and left
/// ```
///
/// Guarantees, established by every constructor:
///
/// - it is valid UTF-8 and the inside of a valid JSON string;
/// - every surrogate escape is one half of a complete pair;
/// - no line separator stands raw in it: besides the control characters that JSON forbids, U+0085,
///   U+2028 and U+2029 are always written as escapes, because some readers of server-sent events end
///   a line there (measured with LiteLLM, November 2026).
///
/// So an encoder may copy [`escaped`](Self::escaped) between two quotes onto one line of any stream.
/// Cloning is cheap: the bytes are shared.
///
/// ```
/// use kiro_protocol::text::JsonText;
///
/// let text = JsonText::new("a \"quoted\" word");
/// assert_eq!(text.escaped(), r#"a \"quoted\" word"#);
/// assert_eq!(text.unescape(), "a \"quoted\" word");
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct JsonText(ByteString);

/// The bytes are not the inside of a JSON string.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the inside of a JSON string: {reason} at byte {offset}")]
pub struct TextError {
    /// Where, in bytes from the start of the text.
    pub offset: usize,
    /// What is wrong there.
    pub reason: &'static str,
}

impl JsonText {
    /// Escapes plain text.
    pub fn new(plain: &str) -> Self {
        if plain_prefix(plain.as_bytes()) == plain.len() {
            return Self(plain.into());
        }
        let mut out = String::with_capacity(plain.len() + plain.len() / 8);
        escape_into(plain, &mut out);
        Self(out.into())
    }

    /// Takes text that is already escaped, without its quotes. Shares the bytes; copies them only to
    /// replace a raw U+0085, U+2028 or U+2029.
    ///
    /// # Errors
    ///
    /// [`TextError`] when the bytes are not UTF-8, hold a raw quote or control character, a broken
    /// escape, or half of a surrogate pair.
    pub fn from_escaped(escaped: Bytes) -> Result<Self, TextError> {
        let text = ByteString::try_from(escaped).map_err(|error| TextError {
            offset: error.valid_up_to(),
            reason: "invalid UTF-8",
        })?;
        if is_sound(&text) {
            return Ok(Self(text));
        }
        match check(&text)? {
            Separators::None => Ok(Self(text)),
            Separators::Some => Ok(Self(replace_separators(&text).into())),
        }
    }

    /// Takes one whole JSON string, quotes included, such as a `RawValue` holds.
    ///
    /// # Errors
    ///
    /// As [`from_escaped`](Self::from_escaped); also when the quotes are missing.
    pub fn from_json(json: Bytes) -> Result<Self, TextError> {
        match &json[..] {
            [b'"', .., b'"'] => Self::from_escaped(json.slice(1..json.len() - 1)),
            _ => Err(TextError {
                offset: 0,
                reason: "missing quotes",
            }),
        }
    }

    /// The text as it stands between the quotes of a JSON string.
    pub fn escaped(&self) -> &str {
        &self.0
    }

    /// The text itself. Borrows unless there is an escape to resolve.
    pub fn unescape(&self) -> Cow<'_, str> {
        if memchr::memchr(b'\\', self.0.as_bytes()).is_none() {
            return Cow::Borrowed(&self.0);
        }
        let mut out = String::with_capacity(self.0.len());
        let mut rest: &str = &self.0;
        while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
            out.push_str(&rest[..at]);
            // The guarantees of the type make this total; a broken escape would be dropped, not panic.
            let (character, length) = read_escape(&rest[at..]).unwrap_or(('\u{fffd}', 1));
            out.push(character);
            rest = &rest[at + length..];
        }
        out.push_str(rest);
        Cow::Owned(out)
    }

    /// Whether there is no text at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether there is nothing but white space (also when there is nothing at all).
    pub fn is_blank(&self) -> bool {
        let mut rest = self.0.trim_start();
        while rest.starts_with('\\') {
            match read_escape(rest) {
                Some((character, length)) if character.is_whitespace() => {
                    rest = rest[length..].trim_start();
                }
                _ => return false,
            }
        }
        rest.is_empty()
    }

    /// Bytes of the escaped form.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The characters of the text, each with the byte of the escaped form at which it begins.
    ///
    /// ```
    /// use kiro_protocol::text::JsonText;
    ///
    /// let text = JsonText::new("a\n😀");
    /// let characters: Vec<_> = text.characters().collect();
    /// assert_eq!(characters, [(0, 'a'), (1, '\n'), (3, '😀')]);
    /// ```
    pub fn characters(&self) -> impl Iterator<Item = (usize, char)> + '_ {
        let mut at = 0;
        std::iter::from_fn(move || {
            let rest = &self.0[at..];
            let raw = rest.chars().next()?;
            let (character, length) = match raw {
                // The guarantees of the type make this total, as in `unescape`.
                '\\' => read_escape(rest).unwrap_or(('\u{fffd}', 1)),
                _ => (raw, raw.len_utf8()),
            };
            let begin = at;
            at += length;
            Some((begin, character))
        })
    }

    /// The text before and from a byte of the escaped form; both share its bytes. `None` when the byte
    /// is inside of a character or an escape, or after the end.
    pub fn split_at(&self, at: usize) -> Option<(Self, Self)> {
        if !self.0.is_char_boundary(at) || self.is_inside_escape(at) {
            return None;
        }
        let (before, after) = self.0.split_at(at);
        Some((Self(before), Self(after)))
    }

    fn is_inside_escape(&self, at: usize) -> bool {
        let mut begin = 0;
        while let Some(next) = memchr::memchr(b'\\', &self.0.as_bytes()[begin..at]) {
            begin += next;
            begin += read_escape(&self.0[begin..]).map_or(1, |(_, length)| length);
            if begin > at {
                return true;
            }
        }
        false
    }
}

impl fmt::Debug for JsonText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

impl From<&str> for JsonText {
    fn from(plain: &str) -> Self {
        Self::new(plain)
    }
}

/// Appends `plain` to `out`, escaped to the guarantees of [`JsonText`].
pub fn escape_into(plain: &str, out: &mut String) {
    let mut copied = 0;
    for (at, character) in plain.char_indices() {
        let escape: Cow<'static, str> = match character {
            '"' => "\\\"".into(),
            '\\' => "\\\\".into(),
            '\n' => "\\n".into(),
            '\r' => "\\r".into(),
            '\t' => "\\t".into(),
            '\u{8}' => "\\b".into(),
            '\u{c}' => "\\f".into(),
            '\0'..='\u{1f}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                format!("\\u{:04x}", u32::from(character)).into()
            }
            _ => continue,
        };
        out.push_str(&plain[copied..at]);
        out.push_str(&escape);
        copied = at + character.len_utf8();
    }
    out.push_str(&plain[copied..]);
}

/// Bytes that may begin something to escape or to check: controls, the quote, the backslash, and the
/// first bytes of U+0085 (C2 85) and U+2028/U+2029 (E2 80 A8, E2 80 A9).
const fn needs_a_look(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, b'"' | b'\\' | 0xc2 | 0xe2)
}

/// The same, to be looked up: one load in place of five comparisons where bytes are looked at one by one.
static NEEDS_A_LOOK: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = needs_a_look(byte as u8);
        byte += 1;
    }
    table
};

/// Bytes at the beginning of which none needs a look. The first ones are looked up, because what needs a look often
/// follows soon; whole blocks after them are folded without a branch for each byte, which compilers turn into vector
/// instructions.
fn plain_prefix(bytes: &[u8]) -> usize {
    const BLOCK: usize = 32;
    let first = &bytes[..bytes.len().min(BLOCK)];
    if let Some(at) = first
        .iter()
        .position(|byte| NEEDS_A_LOOK[usize::from(*byte)])
    {
        return at;
    }
    let bytes = &bytes[first.len()..];
    let mut blocks = bytes.chunks_exact(BLOCK);
    let plain = |block: &&[u8]| {
        !block
            .iter()
            .fold(false, |any, byte| any | needs_a_look(*byte))
    };
    let done = blocks.by_ref().take_while(plain).count() * BLOCK;
    let rest = &bytes[done..];
    let plain = rest
        .iter()
        .position(|byte| NEEDS_A_LOOK[usize::from(*byte)]);
    first.len() + done + plain.unwrap_or(rest.len())
}

/// Whether all the guarantees hold, without a word for what does not. A short text is looked up byte by byte. A long
/// one is searched for one kind of trouble after the other, because a search for two bytes takes a small part of the
/// time that a look at each byte does, and escapes are the only ones that there are many of.
fn is_sound(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() <= 32 {
        return plain_prefix(bytes) == bytes.len();
    }
    // Compilers make one vector instruction of this for sixteen bytes.
    let least = bytes.iter().fold(u8::MAX, |least, byte| least.min(*byte));
    least >= 0x20 && has_whole_escapes(text) && !has_separator(bytes)
}

/// Whether every escape is whole and no quote stands raw.
fn has_whole_escapes(text: &str) -> bool {
    let mut at = 0;
    while let Some(next) = memchr::memchr2(b'\\', b'"', &text.as_bytes()[at..]) {
        at += next;
        match read_escape(&text[at..]) {
            Some((_, length)) if text.as_bytes()[at] == b'\\' => at += length,
            _ => return false,
        }
    }
    true
}

fn has_separator(bytes: &[u8]) -> bool {
    memchr::memchr2_iter(0xc2, 0xe2, bytes).any(|at| is_separator(&bytes[at..]))
}

enum Separators {
    None,
    Some,
}

fn check(text: &str) -> Result<Separators, TextError> {
    let bytes = text.as_bytes();
    let mut separators = Separators::None;
    let mut at = plain_prefix(bytes);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => match read_escape(&text[at..]) {
                Some((_, length)) => at += length,
                None => {
                    return Err(TextError {
                        offset: at,
                        reason: "broken escape",
                    });
                }
            },
            b'"' => {
                return Err(TextError {
                    offset: at,
                    reason: "raw quote",
                });
            }
            0x00..=0x1f => {
                return Err(TextError {
                    offset: at,
                    reason: "raw control character",
                });
            }
            0xc2 | 0xe2 if is_separator(&bytes[at..]) => {
                separators = Separators::Some;
                at += 2;
            }
            _ => at += 1,
        }
        at += plain_prefix(&bytes[at..]);
    }
    Ok(separators)
}

fn is_separator(bytes: &[u8]) -> bool {
    matches!(bytes, [0xc2, 0x85, ..] | [0xe2, 0x80, 0xa8 | 0xa9, ..])
}

fn replace_separators(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\u{85}' | '\u{2028}' | '\u{2029}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            other => out.push(other),
        }
    }
    out
}

/// Reads the escape that `text` begins with: its character and its length in bytes. A surrogate pair
/// is one escape of twelve bytes; half a pair is none.
fn read_escape(text: &str) -> Option<(char, usize)> {
    let simple = match text.as_bytes().get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return read_unicode_escape(text),
        _ => return None,
    };
    Some((simple, 2))
}

fn read_unicode_escape(text: &str) -> Option<(char, usize)> {
    let first = hex4(text, 2)?;
    match first {
        0xd800..=0xdbff => {
            if text.as_bytes().get(6..8)? != b"\\u" {
                return None;
            }
            let second = hex4(text, 8)?;
            if !(0xdc00..=0xdfff).contains(&second) {
                return None;
            }
            let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            Some((char::from_u32(code)?, 12))
        }
        _ => Some((char::from_u32(first)?, 6)),
    }
}

fn hex4(text: &str, at: usize) -> Option<u32> {
    let digits = text.as_bytes().get(at..at + 4)?;
    digits.iter().try_fold(0, |value, digit| {
        Some(value * 16 + char::from(*digit).to_digit(16)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn escaped(bytes: &'static [u8]) -> Result<JsonText, TextError> {
        JsonText::from_escaped(Bytes::from_static(bytes))
    }

    #[test]
    fn separators_are_always_escaped() {
        assert_eq!(
            JsonText::new("a\u{2028}b\u{85}c\u{2029}").escaped(),
            r"a\u2028b\u0085c\u2029"
        );
        let taken = escaped("a\u{2028}b\u{85}c\u{2029}é—".as_bytes()).unwrap();
        assert_eq!(taken.escaped(), "a\\u2028b\\u0085c\\u2029é—");
    }

    #[test]
    fn surrogates_must_come_in_pairs() {
        assert_eq!(escaped(br"\ud83d\ude00").unwrap().unescape(), "😀");
        for half in [
            &br"\ud83d"[..],
            br"\ude00",
            br"\ud83dx",
            br"\ud83d\u0041",
            br"\ud83d\n",
        ] {
            assert_eq!(
                JsonText::from_escaped(Bytes::from_static(half))
                    .unwrap_err()
                    .reason,
                "broken escape"
            );
        }
    }

    #[test]
    fn what_could_break_a_line_or_a_string_is_refused() {
        for (bytes, reason, offset) in [
            (&b"a\"b"[..], "raw quote", 1),
            (b"ab\n", "raw control character", 2),
            (b"\\", "broken escape", 0),
            (b"\\x", "broken escape", 0),
            (b"\\u12", "broken escape", 0),
            (b"a\xff", "invalid UTF-8", 1),
        ] {
            let error = JsonText::from_escaped(Bytes::from_static(bytes)).unwrap_err();
            assert_eq!((error.reason, error.offset), (reason, offset));
        }
    }

    /// Long texts are looked through in another way than short ones.
    #[test]
    fn trouble_is_found_wherever_it_is() {
        for length in 0..100 {
            let before = "é\\\"".repeat(length / 4) + &"a".repeat(length % 4);
            for (bytes, reason) in [
                ("\"", "raw quote"),
                ("\u{1f}", "raw control character"),
                (r"\x", "broken escape"),
                (r"\ude00", "broken escape"),
                (r"\ud83d\ud83d", "broken escape"),
            ] {
                let text = format!("{before}{bytes}{}", "b".repeat(40));
                let error = JsonText::from_escaped(text.into()).unwrap_err();
                assert_eq!((error.reason, error.offset), (reason, before.len()));
            }
            for separator in ["\u{85}", "\u{2028}", "\u{2029}"] {
                let text = format!("{before}{separator}");
                let text = JsonText::from_escaped(text.into()).unwrap();
                assert_eq!(text.len(), before.len() + r"\u2028".len());
            }
        }
    }

    #[test]
    fn a_clean_text_is_shared_not_copied() {
        let bytes = Bytes::from_static(b"\"plain text\"");
        let text = JsonText::from_json(bytes.clone()).unwrap();
        assert_eq!(text.escaped().as_ptr(), bytes[1..].as_ptr());
    }

    #[test]
    fn blank_is_what_has_nothing_but_white_space() {
        for (text, blank) in [
            ("", true),
            (" \n\t", true),
            ("\u{2028} \u{85}", true),
            (" x", false),
            ("\n\"", false),
        ] {
            assert_eq!(JsonText::new(text).is_blank(), blank, "{text:?}");
        }
    }

    #[test]
    fn a_text_is_split_between_its_characters_only() {
        let text = escaped(br"a\n\ud83d\ude00b").unwrap();
        for at in 0..=text.len() + 1 {
            let halves = text.split_at(at).map(|(before, after)| {
                assert_eq!(
                    format!("{}{}", before.escaped(), after.escaped()),
                    text.escaped()
                );
                (
                    before.unescape().into_owned(),
                    after.unescape().into_owned(),
                )
            });
            let expected = match at {
                0 => Some(("", "a\n😀b")),
                1 => Some(("a", "\n😀b")),
                3 => Some(("a\n", "😀b")),
                15 => Some(("a\n😀", "b")),
                16 => Some(("a\n😀b", "")),
                _ => None,
            };
            let expected = expected.map(|(before, after)| (before.to_owned(), after.to_owned()));
            assert_eq!(halves, expected, "{at}");
        }
        assert_eq!(JsonText::new("é").split_at(1), None);
    }

    proptest! {
        #[test]
        fn characters_are_those_of_the_text(plain in any::<String>()) {
            let text = JsonText::new(&plain);
            let characters: String = text.characters().map(|(_, character)| character).collect();
            prop_assert_eq!(characters, plain);
            for (at, character) in text.characters() {
                let (_, rest) = text.split_at(at).expect("a character begins there");
                prop_assert_eq!(rest.unescape().chars().next(), Some(character));
            }
        }

        #[test]
        fn unescape_undoes_escape(plain in any::<String>()) {
            let text = JsonText::new(&plain);
            prop_assert_eq!(text.unescape(), plain);
        }

        #[test]
        fn agrees_with_serde_json_on_every_input(bytes in r#"([ -~é\u{2028}]|\\|\\u[0-9a-fD]{4}|\\u[dD][89abcdef][0-9a-f]{2}|")*"#) {
            let quoted = format!("\"{bytes}\"");
            let ours = JsonText::from_escaped(Bytes::from(bytes));
            match serde_json::from_str::<String>(&quoted) {
                Ok(theirs) => {
                    let ours = ours.expect("serde_json takes it");
                    prop_assert_eq!(ours.unescape(), theirs.as_str());
                    let again: String = serde_json::from_str(&format!("\"{}\"", ours.escaped())).unwrap();
                    prop_assert_eq!(again, theirs);
                }
                Err(_) => prop_assert!(ours.is_err()),
            }
        }
    }
}
