//! What a bundle must not tell: the secrets that are known, and whatever has the form of one.
//!
//! A secret is written over with `*`, one for each byte, so that lengths and cuts stay what they were. It is found
//! as a whole, and where it is spread over the pieces of a stream: `"content":"aor"`, `"content":"AAAA…"`.

use std::collections::BTreeMap;
use std::ops::Range;

use kiro_auth::{SECRET_FORMS, SECRET_MEMBERS};
use memchr::memmem;

/// The byte that is written over secrets.
const STAR: u8 = b'*';

/// Shorter texts are words that stand anywhere. No key is shorter.
const SHORTEST: usize = 8;

/// How our own keys begin, and how long they are at least.
const OUR_KEYS: (&str, usize) = ("k2a_", 12);

/// What is masked in one bundle.
#[derive(Default)]
pub(super) struct Secrets {
    known: Vec<Vec<u8>>,
}

impl Secrets {
    /// Adds a secret in all ways that it may be written.
    pub(super) fn add(&mut self, secret: &str) {
        let secret = secret.trim();
        if secret.len() < SHORTEST {
            return;
        }
        let mut forms = vec![secret.to_owned(), secret.replace('/', "\\/")];
        // A text as JSON has quotes around it.
        let json = serde_json::to_string(secret).unwrap_or_default();
        let within = json
            .strip_prefix('"')
            .and_then(|json| json.strip_suffix('"'));
        forms.extend(within.map(str::to_owned));
        for form in forms {
            let form = form.into_bytes();
            if !self.known.contains(&form) {
                self.known.push(form);
            }
        }
    }

    /// A text without secrets.
    pub(super) fn mask_text(&self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        self.mask(&mut bytes);
        // Secrets are whole characters, and so is what stands in their place.
        String::from_utf8(bytes).unwrap_or_default()
    }

    /// Writes over the secrets in bytes that are no stream.
    pub(super) fn mask(&self, bytes: &mut [u8]) {
        for found in self.found(bytes) {
            bytes[found].fill(STAR);
        }
    }

    /// Writes over the secrets in a stream, also those that it tells in pieces.
    pub(super) fn mask_stream(&self, bytes: &mut [u8]) {
        self.mask(bytes);
        for pieces in values(bytes).values().filter(|pieces| pieces.len() > 1) {
            let told: Vec<u8> = pieces
                .iter()
                .flat_map(|piece| bytes[piece.clone()].iter().copied())
                .collect();
            for found in self.found(&told) {
                write_over(bytes, pieces, found);
            }
        }
    }

    /// Writes over the last word of bytes that were cut off: half a secret has no form.
    pub(super) fn mask_cut(bytes: &mut [u8]) {
        /// No secret is longer.
        const LONGEST: usize = 8 * 1024;
        let last = bytes.iter().rev().take(LONGEST);
        let length = last.take_while(|byte| is_token(byte)).count();
        let start = bytes.len() - length;
        bytes[start..].fill(STAR);
    }

    /// Where secrets are.
    fn found(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        for secret in &self.known {
            let at = memmem::find_iter(bytes, secret);
            found.extend(at.map(|at| at..at + secret.len()));
        }
        let forms = SECRET_FORMS.iter().map(|form| (form.beginning, form.least));
        for (beginning, least) in forms.chain([OUR_KEYS]) {
            for at in memmem::find_iter(bytes, beginning) {
                let end = end_of_token(bytes, at);
                let is_whole = at == 0 || !is_word(bytes[at - 1]);
                if is_whole && end - at >= least {
                    found.push(at..end);
                }
            }
        }
        found.extend(memmem::find_iter(bytes, "arn:aws").filter_map(|at| profile(bytes, at)));
        for scheme in ["Bearer ", "bearer "] {
            found.extend(memmem::find_iter(bytes, scheme).filter_map(|at| {
                let start = at + scheme.len();
                let end = end_of_token(bytes, start);
                (end - start >= SHORTEST).then_some(start..end)
            }));
        }
        for member in SECRET_MEMBERS {
            found.extend(
                memmem::find_iter(bytes, member)
                    .filter_map(|at| value_behind(bytes, at + member.len())),
            );
        }
        found
    }
}

/// Letters, digits and what ids are joined with.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// What tokens are made of.
fn is_token(byte: &u8) -> bool {
    is_word(*byte) || b".~+/=:".contains(byte)
}

/// The end of a run of it.
fn end_of_token(bytes: &[u8], start: usize) -> usize {
    start
        + bytes[start..]
            .iter()
            .take_while(|byte| is_token(byte))
            .count()
}

/// The account and the name in an ARN of a profile: `arn:aws:codewhisperer:us-east-1:` may be read.
fn profile(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let end = end_of_token(bytes, at);
    memmem::find(&bytes[at..end], b":profile/")?;
    let colons = bytes[at..end].iter().enumerate();
    let mut colons = colons.filter(|(_, byte)| **byte == b':');
    let (fourth, _) = colons.nth(3)?;
    Some(at + fourth + 1..end)
}

/// The value behind the name of a member: `":"…"`, `\": \"…`, `=…`.
fn value_behind(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let is_between = |byte: &u8| b"\\\"': =".contains(byte);
    let between = bytes[at..].iter().take_while(|byte| is_between(byte));
    let start = at + between.count();
    let is_told = bytes[at..start].iter().any(|byte| b":=".contains(byte));
    let is_end = |byte: &&u8| b"\\\"' &\r\n".contains(byte);
    let length = bytes[start..]
        .iter()
        .take_while(|byte| !is_end(byte))
        .count();
    (is_told && length >= SHORTEST).then_some(start..start + length)
}

/// The texts of a stream by the names of their members, in order: `"name":"text"`.
fn values(bytes: &[u8]) -> BTreeMap<Vec<u8>, Vec<Range<usize>>> {
    /// No member of a delta has a longer name.
    const LONGEST_NAME: usize = 40;
    let mut values: BTreeMap<Vec<u8>, Vec<Range<usize>>> = BTreeMap::new();
    let mut after = 0;
    for colon in memmem::find_iter(bytes, "\":") {
        if colon < after {
            continue;
        }
        let before = &bytes[colon.saturating_sub(LONGEST_NAME)..colon];
        let Some(quote) = before.iter().rposition(|byte| *byte == b'"') else {
            continue;
        };
        let name = before[quote + 1..].to_vec();
        let start = colon + 2 + usize::from(bytes.get(colon + 2) == Some(&b' '));
        if bytes.get(start) == Some(&b'"') {
            let value = start + 1..end_of_text(bytes, start + 1);
            after = value.end;
            values.entry(name).or_default().push(value);
        }
    }
    values
}

/// Where a text of JSON ends.
fn end_of_text(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Writes over a part of what pieces tell together.
fn write_over(bytes: &mut [u8], pieces: &[Range<usize>], part: Range<usize>) {
    let mut told = 0;
    for piece in pieces {
        let start = part.start.clamp(told, told + piece.len()) - told;
        let end = part.end.clamp(told, told + piece.len()) - told;
        bytes[piece.start + start..piece.start + end].fill(STAR);
        told += piece.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "aorAAAAAGplanted-0123456789:MGUCMQplanted";
    const ARN: &str = "arn:aws:codewhisperer:us-east-1:123456789012:profile/ABCDEFGHIJKL";

    fn with(known: &[&str]) -> Secrets {
        let mut secrets = Secrets::default();
        known.iter().for_each(|secret| secrets.add(secret));
        secrets
    }

    #[test]
    fn forms_of_secrets_are_masked_and_lengths_stay() {
        let none = Secrets::default();
        for text in [
            format!("a {TOKEN} b"),
            format!("KEY:{TOKEN}"),
            "Authorization: Bearer planted-0123".to_owned(),
            r#"{"refreshToken": "planted-0123","b":1}"#.to_owned(),
            r#"{"text":"{\"clientSecret\":\"planted-0123\"}"}"#.to_owned(),
            "grant_type=refresh_token&refresh_token=planted-0123&x=1".to_owned(),
            format!(r#"{{"profileArn":"{ARN}"}}"#).replace("ABC", "planted"),
            "ksk_planted-0123".to_owned(),
            "k2a_planted-0123".to_owned(),
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwbGFudGVkIn0.planted".to_owned(),
        ] {
            let masked = none.mask_text(&text);
            assert!(!masked.contains("planted"), "{masked}");
            assert_eq!(masked.len(), text.len(), "{masked}");
        }
        let masked = none.mask_text(&format!("{ARN} and more"));
        assert!(
            masked.starts_with("arn:aws:codewhisperer:us-east-1:*")
                && masked.ends_with(" and more")
        );
        for harmless in [
            "the refreshToken is refused",
            "a bearer of news",
            "iVBORw0KGgoksk_AAAAAAAAAAAAAAAeyJAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "arn:aws:s3:::bucket/profile",
            "aor",
        ] {
            assert_eq!(none.mask_text(harmless), harmless);
        }
    }

    #[test]
    fn every_form_and_member_that_is_known_is_masked() {
        let forms = SECRET_FORMS.iter().map(|form| (form.beginning, form.least));
        for (beginning, least) in forms.chain([OUR_KEYS]) {
            let rest = "x".repeat(least - beginning.len());
            let masked = Secrets::default().mask_text(&format!("is {beginning}{rest}."));
            assert!(!masked.contains(&rest), "{masked}");
            let shorter = format!("is {beginning}{}", &rest[1..]);
            assert_eq!(Secrets::default().mask_text(&shorter), shorter);
        }
        for member in SECRET_MEMBERS {
            let masked = Secrets::default().mask_text(&format!(r#"{{"{member}":"planted-0123"}}"#));
            assert!(!masked.contains("planted"), "{masked}");
        }
    }

    #[test]
    fn known_secrets_are_masked_in_all_ways_to_write_them() {
        let secrets = with(&["pass/\"word\"", "short"]);
        assert_eq!(secrets.mask_text(r#"a pass/"word" b"#), "a *********** b");
        assert_eq!(secrets.mask_text(r#"pass/\"word\""#), "*************");
        assert_eq!(secrets.mask_text("a short one"), "a short one");
    }

    #[test]
    fn secrets_in_pieces_are_masked_in_every_piece() {
        let stream = TOKEN
            .as_bytes()
            .chunks(3)
            .fold(String::new(), |all, piece| {
                let piece = String::from_utf8_lossy(piece);
                format!(
                    "{all}data: {{\"n\":1,\"content\":\"{piece}\",\"role\": \"assistant\"}}\n\n"
                )
            });
        let mut masked = stream.clone().into_bytes();
        Secrets::default().mask_stream(&mut masked);
        let masked = String::from_utf8(masked).unwrap();
        assert_eq!(masked.len(), stream.len());
        let told: String = masked
            .split("\"content\":\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap())
            .collect();
        assert_eq!(told, "*".repeat(TOKEN.len()));
        assert!(masked.contains("assistant"));
        let mut masked = stream.replace("aor", "xyz").into_bytes();
        with(&[&TOKEN.replace("aor", "xyz")]).mask_stream(&mut masked);
        assert!(!String::from_utf8(masked).unwrap().contains("xyz"));
    }

    #[test]
    fn half_a_secret_at_a_cut_is_masked() {
        let mut cut = b"words and sk-half-of-a-k".to_vec();
        Secrets::mask_cut(&mut cut);
        assert_eq!(cut, b"words and **************");
        Secrets::mask_cut(&mut []);
    }

    /// A text whose end is missing is masked all the same, and nothing is out of bounds.
    #[test]
    fn any_bytes_will_do() {
        for bytes in [
            &b"\"content\":\"aorAAAAAG"[..],
            b"\":\"",
            b"\"a\":\"\\",
            b"Bearer ",
            b"refreshToken",
            b"arn:aws",
            b"\xff\"x\":\xff\"",
        ] {
            let mut bytes = bytes.to_vec();
            with(&["content\""]).mask_stream(&mut bytes);
        }
    }
}
