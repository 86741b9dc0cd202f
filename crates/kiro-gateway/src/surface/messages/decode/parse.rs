//! From JSON to the request's own types, and from the parser's errors to words that help.

use std::fmt;

use serde::Deserialize;
use serde_path_to_error::{Path, Segment};

use crate::error::{Error, ErrorKind};

/// Longest piece of a request that is quoted back.
const MAX_QUOTE: usize = 200;

/// Parses a body, or what stands at a place of it.
///
/// Only when that fails it is parsed again, to learn where: following the path costs time.
pub(super) fn parse<'a, T: Deserialize<'a>>(
    json: &'a [u8],
    place: &dyn fmt::Display,
) -> Result<T, Error> {
    serde_json::from_slice(json).map_err(|error| match error.is_data() {
        true => explain::<T>(json, place).unwrap_or_else(|| not_json(&error)),
        false => not_json(&error),
    })
}

fn not_json(error: &serde_json::Error) -> Error {
    let message = format!("The request body is not valid JSON: {error}");
    Error::new(ErrorKind::InvalidRequest, message)
}

/// Finds the value that has the wrong type and says so.
fn explain<'a, T: Deserialize<'a>>(json: &'a [u8], place: &dyn fmt::Display) -> Option<Error> {
    let mut json = serde_json::Deserializer::from_slice(json);
    let error = serde_path_to_error::deserialize::<_, T>(&mut json).err()?;
    let mut path = place.to_string();
    append(&mut path, error.path());
    let reason = error.into_inner().to_string();
    let reason = reason
        .rfind(" at line ")
        .map_or(&*reason, |at| &reason[..at]);
    let message = in_words(reason);
    Some(match path.is_empty() {
        true => Error::new(ErrorKind::InvalidRequest, message),
        false => Error::invalid(path, None, message),
    })
}

fn append(path: &mut String, rest: &Path) {
    for segment in rest.iter() {
        let step = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.clone(),
            _ => continue,
        };
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(&step);
    }
}

/// Says what serde says in the words of the API. Serde's errors have no parts, only a text; every form
/// that is used here is under test.
fn in_words(reason: &str) -> String {
    // Serde fills a struct from an array, member by member, unless there are too few.
    if reason.starts_with("invalid length ") {
        return "Input should be an object".to_owned();
    }
    let expected = reason.strip_prefix("invalid type: ");
    match expected.and_then(|types| types.rsplit_once(", expected ")) {
        Some((_, expected)) => format!("Input should be {}", in_plain(expected)),
        None => match reason.char_indices().nth(MAX_QUOTE) {
            Some((at, _)) => format!("{}…", &reason[..at]),
            None => reason.to_owned(),
        },
    }
}

fn in_plain(serde: &str) -> &str {
    match serde {
        "i64" => "a valid integer",
        "f64" => "a valid number",
        "a string" => "a valid string",
        "a boolean" => "a valid boolean",
        "a sequence" => "a valid list",
        "a map" => "an object",
        _ if serde.starts_with("struct ") => "an object",
        _ => serde,
    }
}

#[cfg(test)]
mod tests {
    use anthropic_types::{Block, MessagesRequest};

    use super::*;

    fn refusal(body: &str) -> (String, Option<String>) {
        let error = parse::<MessagesRequest<'_>>(body.as_bytes(), &"").unwrap_err();
        let param = error.param().map(str::to_owned);
        (error.public_message().to_owned(), param)
    }

    #[test]
    fn a_wrong_type_is_named_with_its_path() {
        for (body, path, words) in [
            (
                r#"{"max_tokens":"5"}"#,
                "max_tokens",
                "Input should be a valid integer",
            ),
            (
                r#"{"stream":1}"#,
                "stream",
                "Input should be a valid boolean",
            ),
            (
                r#"{"temperature":true}"#,
                "temperature",
                "Input should be a valid number",
            ),
            (
                r#"{"messages":{}}"#,
                "messages",
                "Input should be a valid list",
            ),
            (
                r#"{"messages":["a"]}"#,
                "messages.0",
                "Input should be an object",
            ),
            (
                r#"{"tools":[{"name":1}]}"#,
                "tools.0.name",
                "Input should be a valid string",
            ),
            (
                r#"{"tools":[{"input_schema":1}]}"#,
                "tools.0.input_schema",
                "Input should be an object",
            ),
            (
                r#"{"messages":[{"content":7}]}"#,
                "messages.0.content",
                "Input should be a string or an array of blocks",
            ),
        ] {
            assert_eq!(
                refusal(body),
                (words.to_owned(), Some(path.to_owned())),
                "{body}"
            );
        }
        let error = parse::<Vec<Block<'_>>>(br#"[{"id":1}]"#, &"messages.2.content").unwrap_err();
        assert_eq!(error.param(), Some("messages.2.content.0.id"));
    }

    #[test]
    fn what_is_not_json_is_told_with_its_position() {
        for body in ["", "{\n  \"model\": }", "{} x", "\u{feff}{}"] {
            let (message, param) = refusal(body);
            assert!(message.contains(" at line "), "{message}");
            assert_eq!(param, None);
        }
        assert_eq!(refusal("[]").0, "Input should be an object");
    }
}
