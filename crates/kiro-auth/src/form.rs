//! `application/x-www-form-urlencoded`, as in token requests and in the queries of URLs.

/// Encodes a form as the URL standard has it: a space is `+`, everything but a few marks is escaped.
pub(crate) fn encode(form: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (name, value) in form {
        if !out.is_empty() {
            out.push('&');
        }
        encode_into(name, &mut out);
        out.push('=');
        encode_into(value, &mut out);
    }
    out
}

fn encode_into(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
}

/// The same for the query of a URL, where a space is `%20`: not everybody who reads a query takes `+` for
/// one. A plus sign itself has been escaped before.
pub(crate) fn query(form: &[(&str, &str)]) -> String {
    encode(form).replace('+', "%20")
}

/// The pairs of a form or a query, in order. An escape that is none stays as it is.
pub(crate) fn parse(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}

fn decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        match (byte, hex(after)) {
            (b'%', Some(escaped)) => {
                out.push(escaped);
                rest = &after[2..];
            }
            (b'+', _) => out.push(b' '),
            _ => out.push(*byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The byte that two hexadecimal digits at the start stand for.
fn hex(text: &[u8]) -> Option<u8> {
    let digits = text.get(..2)?;
    let both = digits.iter().all(u8::is_ascii_hexdigit);
    let digits = std::str::from_utf8(digits).ok().filter(|_| both)?;
    u8::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escape_that_is_none_stays() {
        let pairs = parse("a=%4&b=%zz&c=1+2&d=%+1&&e");
        let pairs: Vec<(&str, &str)> = pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(
            pairs,
            [
                ("a", "%4"),
                ("b", "%zz"),
                ("c", "1 2"),
                ("d", "% 1"),
                ("e", "")
            ]
        );
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_read_back(name in ".{1,20}", value in ".{0,40}") {
            let form = [(name.as_str(), value.as_str()), ("next", "+")];
            for text in [encode(&form), query(&form)] {
                prop_assert!(text.bytes().all(|byte| byte.is_ascii_graphic()));
                let expected = [(name.clone(), value.clone()), ("next".to_owned(), "+".to_owned())];
                prop_assert_eq!(parse(&text), expected);
            }
        }

        #[test]
        fn no_query_panics(text in ".{0,60}", escapes in "[%+&=0-9a-fA-F]{0,30}") {
            parse(&text);
            parse(&escapes);
        }
    }
}
