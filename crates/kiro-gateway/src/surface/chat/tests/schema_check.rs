//! Whatever leaves the surface is what the official schema allows, and what our own types read.

use openai_types::chat::{ChatCompletion, ChatCompletionChunk};
use serde_json::Value;

use crate::surface::Mode;
use crate::surface::tests::schema;

/// Checks a whole response.
pub(super) fn response(mode: Mode, response: &str) {
    match mode {
        Mode::Stream => stream(response),
        Mode::Complete => complete(response),
    }
}

/// Checks an error's body.
pub(super) fn error(body: &str) {
    schema::assert_valid("ErrorResponse", &value(body), "the error");
}

fn complete(document: &str) {
    schema::assert_valid(
        "CreateChatCompletionResponse",
        &value(document),
        "the answer",
    );
    let typed: ChatCompletion<'_> = serde_json::from_str(document).unwrap();
    assert_eq!(serde_json::to_string(&typed).unwrap(), document);
}

fn stream(stream: &str) {
    let events: Vec<&str> = stream.split_terminator("\n\n").collect();
    let (done, events) = events.split_last().unwrap();
    assert_eq!(*done, "data: [DONE]");
    for event in events {
        let json = event.strip_prefix("data: ").unwrap();
        assert!(!json.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']));
        if json.starts_with("{\"error\"") {
            error(json);
        } else {
            chunk(json);
        }
    }
}

/// A chunk was put together from constants; the types print the same bytes.
fn chunk(json: &str) {
    let typed: ChatCompletionChunk<'_> = serde_json::from_str(json).unwrap();
    let printed = serde_json::to_string(&typed).unwrap();
    assert_eq!(printed.replace('\u{2028}', "\\u2028"), json);
    // The API streams custom tools like this; its schema knows only functions.
    if !json.contains(r#""type":"custom""#) {
        schema::assert_valid(
            "CreateChatCompletionStreamResponse",
            &value(json),
            "the chunk",
        );
    }
}

fn value(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}
