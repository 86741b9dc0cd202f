//! Reads the shapes in which the service writes an error.

use std::time::Duration;

use http::HeaderMap;
use serde_json::{Map, Value};

/// Larger bodies are not looked into: no error of the service has more than a few hundred bytes.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// What is kept of a message.
const MAX_MESSAGE_CHARS: usize = 1_000;

/// The parts of an error, whatever its shape.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) name: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) message: String,
    pub(super) retry_after: Option<Duration>,
}

impl Shape {
    /// ```text
    /// {"message":"…","reason":"…"|null,"__type":"namespace#Name","retryAfterMilliseconds":300000}
    /// {"Message":"…"}                          the edge of AWS
    /// {"error":{"message":"…","reason":"…"}}   reported by several gateways
    /// any other text                           kept as the message, unless it is markup
    /// ```
    pub(super) fn of_body(body: &[u8]) -> Self {
        if body.len() > MAX_BODY_BYTES {
            return Self::default();
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => Self::of_object(&members),
            _ => Self::of_text(&String::from_utf8_lossy(body)),
        }
    }

    fn of_object(members: &Map<String, Value>) -> Self {
        let members = match members.get("error") {
            Some(Value::Object(nested)) => nested,
            _ => members,
        };
        let text = |names: &[&str]| {
            let mut values = names.iter().filter_map(|name| members.get(*name)?.as_str());
            values.find(|value| !value.trim().is_empty())
        };
        let millis = members
            .get("retryAfterMilliseconds")
            .and_then(Value::as_f64);
        Self {
            name: text(&["__type", "code"]).map(|name| bare_name(name).to_owned()),
            reason: text(&["reason"]).map(|reason| reason.trim().to_owned()),
            message: bounded(text(&["message", "Message", "error"]).unwrap_or_default()),
            retry_after: millis
                .and_then(|millis| Duration::try_from_secs_f64(millis / 1_000.0).ok()),
        }
    }

    fn of_text(text: &str) -> Self {
        let text = text.trim();
        let is_markup = text.starts_with('<');
        Self {
            message: if is_markup {
                String::new()
            } else {
                bounded(text)
            },
            ..Self::default()
        }
    }
}

/// The name in the header `x-amzn-errortype`.
pub(super) fn name_of_headers(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("x-amzn-errortype")?.to_str().ok()?;
    let name = bare_name(value);
    (!name.is_empty()).then(|| name.to_owned())
}

/// `namespace#Name:http://…` → `Name`.
pub(super) fn bare_name(name: &str) -> &str {
    let name = name.split(':').next().unwrap_or(name);
    name.rsplit('#').next().unwrap_or(name).trim()
}

pub(super) fn bounded(message: &str) -> String {
    message.trim().chars().take(MAX_MESSAGE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_gives_the_same_parts() {
        let expected = |name: Option<&str>| Shape {
            name: name.map(str::to_owned),
            reason: Some("R".into()),
            message: "m".into(),
            retry_after: None,
        };
        for (body, name) in [
            (r#"{"message":"m","reason":"R"}"#, None),
            (r#"{"Message":"m","reason":" R "}"#, None),
            (
                r#"{"Message":"m","message":"","reason":"R","__type":"X"}"#,
                Some("X"),
            ),
            (
                r#"{"message":"m","reason":"R","__type":"a.b.c#X"}"#,
                Some("X"),
            ),
            (
                r#"{"error":{"message":"m","reason":"R","__type":"X:http://d"}}"#,
                Some("X"),
            ),
        ] {
            assert_eq!(Shape::of_body(body.as_bytes()), expected(name), "{body}");
        }
    }

    #[test]
    fn a_body_that_is_no_object_is_at_most_a_message() {
        for (body, message) in [
            (&b""[..], ""),
            (b"null", "null"),
            (b"[1]", "[1]"),
            (b"<html><body>403 Forbidden</body></html>", ""),
            (
                b" Failed to buffer the request body: length limit exceeded\n",
                "Failed to buffer the request body: length limit exceeded",
            ),
            (b"\xff\xfe", "\u{fffd}\u{fffd}"),
        ] {
            let shape = Shape::of_body(body);
            assert_eq!(shape.message, message);
            assert_eq!(shape.name, None);
        }
        assert_eq!(
            Shape::of_body(&vec![b'x'; MAX_BODY_BYTES + 1]),
            Shape::default()
        );
        let long = Shape::of_body("é".repeat(20_000).as_bytes());
        assert_eq!(long.message.chars().count(), MAX_MESSAGE_CHARS);
    }

    #[test]
    fn wrong_types_are_as_good_as_nothing() {
        let body = br#"{"message":5,"reason":null,"__type":[],"retryAfterMilliseconds":-1}"#;
        assert_eq!(Shape::of_body(body), Shape::default());
    }
}
