//! From bytes to the request's own types, and from the parser's errors to words that help.

use std::collections::HashMap;

use openai_types::chat::Part;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_path_to_error::{Path, Segment};

use super::missing;
use crate::error::{Error, ErrorKind};

/// Longest piece of a request that is quoted back.
const MAX_QUOTE: usize = 64;

/// Parses a body.
///
/// Only when that fails it is parsed again, to learn where: following the path costs time.
pub(in crate::surface) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| match error.is_data() {
        true => explain::<T>(body, "").unwrap_or_else(|| not_json(&error)),
        false => not_json(&error),
    })
}

/// Parses a part of a body that stands at a place in it.
pub(in crate::surface) fn parse_at<'a, T: Deserialize<'a>>(
    json: &'a str,
    place: &str,
) -> Result<T, Error> {
    serde_json::from_str(json)
        .map_err(|error| explain::<T>(json.as_bytes(), place).unwrap_or_else(|| not_json(&error)))
}

fn not_json(error: &serde_json::Error) -> Error {
    not_a_request(&error.to_string())
}

fn not_a_request(reason: &str) -> Error {
    Error::new(
        ErrorKind::InvalidRequest,
        format!("We could not parse the JSON body of your request: {reason}."),
    )
}

/// Finds the value that has the wrong type and says so, by its path from `place`. `None` if there is none.
fn explain<'a, T: Deserialize<'a>>(body: &'a [u8], place: &str) -> Option<Error> {
    let body = std::str::from_utf8(body).ok()?;
    let mut json = serde_json::Deserializer::from_str(body);
    let error = serde_path_to_error::deserialize::<_, T>(&mut json).err()?;
    let root = place;
    let mut path = error.path().to_string();
    let mut place = value_at(body, error.path());
    let mut reason = error.into_inner().to_string();
    // An array of parts has a parser of its own, which is asked for the rest of the way: the content of a
    // message, and once more the content of a tool result in it.
    for _ in 0..2 {
        let Some(parts) = place.filter(|_| path.ends_with(".content")) else {
            break;
        };
        let mut json = serde_json::Deserializer::from_str(parts);
        let Err(error) = serde_path_to_error::deserialize::<_, Vec<Part<'_>>>(&mut json) else {
            break;
        };
        if error.path().iter().next().is_none() {
            break;
        }
        path.push_str(&error.path().to_string());
        place = value_at(parts, error.path());
        reason = error.into_inner().to_string();
    }
    let path = match (root, &*path) {
        ("", _) => path,
        (_, ROOT) => root.to_owned(),
        // An item of an array.
        _ if path.starts_with('[') => format!("{root}{path}"),
        _ => format!("{root}.{path}"),
    };
    Some(in_words(&path, &reason))
}

/// What serde_path_to_error calls the whole.
const ROOT: &str = ".";

fn value_at<'a>(json: &'a str, path: &Path) -> Option<&'a str> {
    path.iter().try_fold(json, |json, segment| match segment {
        Segment::Seq { index } => {
            let items: Vec<&RawValue> = serde_json::from_str(json).ok()?;
            items.get(*index).map(|item| item.get())
        }
        Segment::Map { key } => {
            let members: HashMap<String, &RawValue> = serde_json::from_str(json).ok()?;
            members.get(key).map(|member| member.get())
        }
        _ => None,
    })
}

/// Says what serde says in the words of the API. Serde's errors have no parts, only a text; its form has
/// not changed since 1.0, and every form that is used here is under test.
fn in_words(path: &str, reason: &str) -> Error {
    let reason = reason.rfind(" at line ").map_or(reason, |at| &reason[..at]);
    let ticked = || reason.split('`').nth(1).unwrap_or_default();
    if reason.starts_with("missing field `") {
        return missing(&join(path, ticked()));
    }
    if let Some((actual, expected)) = types(reason) {
        if path == ROOT {
            return not_a_request(&format!("expected {expected}, but got {actual}"));
        }
        let message = format!("Invalid type for '{path}': expected {expected}, but got {actual}.");
        return Error::invalid(path, Some("invalid_type"), message);
    }
    if reason.starts_with("unknown variant `") {
        let (value, names) = unknown_variant(reason);
        let message = format!("Invalid value: '{value}'. Supported values are: {names}.");
        return Error::invalid(path, Some("invalid_value"), message);
    }
    if reason.starts_with("duplicate field `") {
        let param = join(path, ticked());
        let message = format!("Duplicate parameter: '{param}'.");
        return Error::invalid(param, Some("invalid_value"), message);
    }
    let message = format!("Invalid value for '{path}': {}.", quote(reason));
    Error::invalid(path, Some("invalid_value"), message)
}

fn join(path: &str, member: &str) -> String {
    match path {
        ROOT => member.to_owned(),
        _ => format!("{path}.{member}"),
    }
}

/// The type that stands there and the one that should.
fn types(reason: &str) -> Option<(&str, &str)> {
    // Serde fills a struct from an array, member by member, unless there are too few.
    if reason.starts_with("invalid length ") {
        return Some(("an array", "an object"));
    }
    let types = reason.strip_prefix("invalid type: ")?;
    let (actual, expected) = types.rsplit_once(", expected ")?;
    Some((actual_type(actual), expected_type(expected)))
}

fn actual_type(serde: &str) -> &str {
    match serde.split([' ', '`']).next() {
        Some("integer") => "an integer",
        Some("floating") => "a decimal number",
        Some("boolean") => "a boolean",
        Some("string") => "a string",
        Some("sequence") => "an array",
        Some("map") => "an object",
        // In the words of openai-types already, or `null`, which are the same in both.
        _ => serde,
    }
}

fn expected_type(serde: &str) -> &str {
    match serde {
        "i64" | "u64" | "u32" => "an integer",
        "f64" => "a number",
        "a sequence" => "an array",
        "a map" => "an object",
        _ if serde.starts_with("struct ") => "an object",
        _ => serde,
    }
}

/// From ``unknown variant `robot`, expected one of `system`, `user` `` the value and the list.
fn unknown_variant(reason: &str) -> (String, String) {
    let (value, names) = reason.rsplit_once("`, expected ").unwrap_or((reason, ""));
    let value = value.trim_start_matches("unknown variant `");
    let mut names: Vec<String> = names
        .split('`')
        .skip(1)
        .step_by(2)
        .map(|name| format!("'{name}'"))
        .collect();
    if let [.., last] = &mut names[..] {
        last.insert_str(0, "and ");
    }
    (quote(value), names.join(", "))
}

fn quote(text: &str) -> String {
    match text.char_indices().nth(MAX_QUOTE) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use openai_types::chat::ChatRequest;

    use super::*;

    fn parse(body: &[u8]) -> Result<ChatRequest<'_>, Error> {
        super::parse(body)
    }

    fn refusal(body: &str) -> (String, Option<String>, Option<&'static str>) {
        let error = parse(body.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        (
            error.public_message().to_owned(),
            error.param().map(str::to_owned),
            error.code(),
        )
    }

    #[test]
    fn a_wrong_type_is_named_with_its_path() {
        for (body, path, words) in [
            (
                r#"{"messages":[{"role":"user","content":42}]}"#,
                "messages[0].content",
                "expected a string or an array of parts, but got an integer",
            ),
            (
                r#"{"messages":[{"role":"user","content":["a"]}]}"#,
                "messages[0].content[0]",
                "expected an object, but got a string",
            ),
            (
                r#"{"messages":[{"role":"user","content":[{"type":"text"},{"type":"image_url","image_url":{"url":1.5}}]}]}"#,
                "messages[0].content[1].image_url.url",
                "expected a string, but got a decimal number",
            ),
            (
                r#"{"messages":[{"role":"user","content":[{"image_url":[]}]}]}"#,
                "messages[0].content[0].image_url",
                "expected an object with a URL, or a URL, but got an array",
            ),
            (
                r#"{"messages":[{"role":"user","content":[{"type":"tool_result","content":[{"text":{}}]}]}]}"#,
                "messages[0].content[0].content[0].text",
                "expected a string, but got an object",
            ),
            (
                r#"{"messages":[{"role":7}]}"#,
                "messages[0].role",
                "expected a string, but got an integer",
            ),
            (
                r#"{"messages":{}}"#,
                "messages",
                "expected an array, but got an object",
            ),
            (
                r#"{"stream":"yes"}"#,
                "stream",
                "expected a boolean, but got a string",
            ),
            (
                r#"{"n":"1, expected 2"}"#,
                "n",
                "expected an integer, but got a string",
            ),
            (
                r#"{"temperature":true}"#,
                "temperature",
                "expected a number, but got a boolean",
            ),
            (
                r#"{"audio":1}"#,
                "audio",
                "expected an object, but got an integer",
            ),
            (
                r#"{"stream_options":5}"#,
                "stream_options",
                "expected an object, but got an integer",
            ),
            (
                r#"{"stop":[null]}"#,
                "stop[0]",
                "expected a string, but got null",
            ),
            (
                r#"{"messages":[{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":[]}}]}]}"#,
                "messages[0].tool_calls[0].function.arguments",
                "expected a string or an object, but got an array",
            ),
        ] {
            assert_eq!(
                refusal(body),
                (
                    format!("Invalid type for '{path}': {words}."),
                    Some(path.to_owned()),
                    Some("invalid_type")
                ),
                "{body}"
            );
        }
    }

    #[test]
    fn a_missing_member_is_named_with_its_path() {
        for (body, path) in [
            (r#"{"messages":[{}]}"#, "messages[0].role"),
            (
                r#"{"messages":[{"role":"user","content":[{"image_url":{}}]}]}"#,
                "messages[0].content[0].image_url.url",
            ),
            (
                r#"{"response_format":{"type":"json_schema","json_schema":{}}}"#,
                "response_format.json_schema.name",
            ),
            (r#"{"tools":[{"function":{}}]}"#, "tools[0].function.name"),
        ] {
            assert_eq!(
                refusal(body),
                (
                    format!("Missing required parameter: '{path}'."),
                    Some(path.to_owned()),
                    Some("missing_required_parameter")
                ),
                "{body}"
            );
        }
    }

    #[test]
    fn an_unknown_role_brings_the_list_of_roles() {
        let (message, param, code) =
            refusal(r#"{"messages":[{"role":"user"},{"role":"user"},{"role":"robot"}]}"#);
        assert_eq!(
            message,
            "Invalid value: 'robot'. Supported values are: 'system', 'assistant', 'user', \
             'function', 'tool', and 'developer'."
        );
        assert_eq!(param.as_deref(), Some("messages[2].role"));
        assert_eq!(code, Some("invalid_value"));
    }

    #[test]
    fn what_is_not_json_is_told_with_its_position() {
        for (body, reason) in [
            ("", "EOF while parsing a value at line 1 column 0"),
            ("{\n  \"model\": }", "expected value at line 2 column 12"),
            ("{} x", "trailing characters at line 1 column 4"),
            ("\u{feff}{}", "expected value at line 1 column 1"),
            ("[]", "expected an object, but got an array"),
            ("\"text\"", "expected an object, but got a string"),
        ] {
            assert_eq!(
                refusal(body),
                (
                    format!("We could not parse the JSON body of your request: {reason}."),
                    None,
                    None
                ),
                "{body}"
            );
        }
        let error = parse(b"{\"model\":\"\xff\"}").unwrap_err();
        assert!(
            error.public_message().contains("at line 1 column"),
            "{error}"
        );
    }

    #[test]
    fn a_duplicate_and_an_impossible_number_are_refused() {
        let (message, param, _) = refusal(r#"{"model":"a","model":"b"}"#);
        assert_eq!(message, "Duplicate parameter: 'model'.");
        assert_eq!(param.as_deref(), Some("model"));
        let (message, param, _) = refusal(r#"{"n":18446744073709551615}"#);
        assert!(message.starts_with("Invalid value for 'n': "), "{message}");
        assert_eq!(param.as_deref(), Some("n"));
    }

    #[test]
    fn deep_nesting_is_an_error_or_ignored() {
        let depth = 100_000;
        let nested = "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse(format!(r#"{{"unknown":{nested}}}"#).as_bytes()).is_ok());
        assert!(parse(format!(r#"{{"messages":{nested}}}"#).as_bytes()).is_err());
        let content = format!(r#"{{"messages":[{{"role":"user","content":{nested}}}]}}"#);
        assert!(parse(content.as_bytes()).is_err());
    }
}
