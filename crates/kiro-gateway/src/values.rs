//! How many values a JSON text has: what it takes in memory once it is read depends on them, not on its length.

use memchr::memchr;

/// What is made of one value, in bytes, at most: 83 were measured for messages of one letter.
pub(crate) const BYTES: usize = 96;

/// Most values of one request. The largest that agents send, of thousands of messages and hundreds of tools, have a
/// tenth.
pub(crate) const MOST: usize = 1_000_000;

/// Counts names and values, as far as they are told apart by a comma, a colon or a bracket. What is no JSON has
/// some number, too.
pub(crate) fn count(json: &[u8]) -> usize {
    let (mut rest, mut n_values) = (json, 0);
    while let Some((byte, after)) = rest.split_first() {
        rest = match byte {
            b'"' => after_string(after),
            _ => after,
        };
        n_values += usize::from(matches!(byte, b',' | b':' | b'[' | b'{'));
    }
    n_values
}

/// What follows a string whose first quote is read already.
fn after_string(mut rest: &[u8]) -> &[u8] {
    while let Some(at) = memchr(b'"', rest) {
        let escapes = rest[..at].iter().rev().take_while(|byte| **byte == b'\\');
        let is_escaped = escapes.count() % 2 == 1;
        rest = &rest[at + 1..];
        if !is_escaped {
            return rest;
        }
    }
    &[]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_and_what_is_in_strings_is_not() {
        for (json, n_values) in [
            ("", 0),
            ("1", 0),
            ("[]", 1),
            (r#"{"a":1,"b":[2,3]}"#, 6),
            (r#"["a,b:[{","\"",",\\",","]"#, 4),
            (r#"["\\\",",1]"#, 2),
            // Cut off.
            (r#"["a,"#, 1),
            (r#"["a\"#, 1),
            (r#"["a\","#, 1),
        ] {
            assert_eq!(count(json.as_bytes()), n_values, "{json}");
        }
    }
}
