//! Halves of surrogate pairs, which some clients send when they cut a text.

use bytes::Bytes;

/// The body with U+FFFD in the place of every half of a surrogate pair, because that is no character.
/// A body without any is not copied, and only looked through for what may be one.
pub(in crate::surface) fn mend(body: Bytes) -> Bytes {
    let begins_half = |at: usize| matches!(body.get(at + 2), Some(b'd' | b'D'));
    if !memchr::memmem::find_iter(&body, br"\u").any(begins_half) {
        return body;
    }
    let mut mended = Vec::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(next) = memchr::memchr(b'\\', &body[at..]) {
        at += next;
        let length = match (half(&body, at), half(&body, at + 6)) {
            (None, _) => 2,
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(_), _) => {
                mended.extend_from_slice(&body[copied..at]);
                mended.extend_from_slice(br"\ufffd");
                copied = at + 6;
                6
            }
        };
        at = (at + length).min(body.len());
    }
    if copied == 0 {
        return body;
    }
    mended.extend_from_slice(&body[copied..]);
    mended.into()
}

/// The half of a pair that is escaped here.
fn half(body: &[u8], at: usize) -> Option<u32> {
    let digits = body.get(at..at + 6)?.strip_prefix(br"\u")?;
    let code = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    (0xd800..=0xdfff).contains(&code).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_replaced_and_pairs_are_kept() {
        for (body, mended) in [
            (r#""a\ud83d""#, r#""a\ufffd""#),
            (r#""\uDC00b\n\ud83d\ude00""#, r#""\ufffdb\n\ud83d\ude00""#),
            (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (r#""\\ud83d\u00e9""#, r#""\\ud83d\u00e9""#),
            (r#""\"#, r#""\"#),
            (r#""\ud8"#, r#""\ud8"#),
        ] {
            let body = Bytes::from_static(body.as_bytes());
            assert_eq!(mend(body.clone()), mended, "{body:?}");
        }
    }
}
