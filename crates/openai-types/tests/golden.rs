//! Every answer in `golden/` parses, prints back the same, and is what the official schema allows.
//!
//! A file is named after its type and after what it shows: `ChatCompletion.text.json`.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

use openai_types::chat::{ChatCompletion, ChatCompletionChunk, ChatRequest};
use openai_types::{ErrorBody, Model, ModelList};
use support::{round_trip, schema};

#[test]
fn golden_answers_print_back_the_same_and_are_valid() {
    let mut n_files = 0;
    for (name, json) in support::files("golden") {
        let (schema_name, printed) = match name.split('.').next().unwrap() {
            "ChatCompletion" => (
                "CreateChatCompletionResponse",
                round_trip::<ChatCompletion<'_>>(&json),
            ),
            "ChatCompletionChunk" => (
                "CreateChatCompletionStreamResponse",
                round_trip::<ChatCompletionChunk<'_>>(&json),
            ),
            "ErrorBody" => ("ErrorResponse", round_trip::<ErrorBody>(&json)),
            "ModelList" => ("ListModelsResponse", round_trip::<ModelList>(&json)),
            "Model" => ("Model", round_trip::<Model>(&json)),
            other => panic!("no such type: {other}"),
        };
        assert_eq!(printed, support::value(&json), "{name}");
        schema::assert_valid(schema_name, &printed, &name);
        n_files += 1;
    }
    assert!(n_files >= 19, "only {n_files} golden files");
}

#[test]
fn what_the_schema_requires_is_written() {
    // Members that are `null` and required are easily lost to a `skip_serializing_if`.
    for (schema_name, json) in [
        (
            "CreateChatCompletionResponse",
            r#"{"id":"a","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":null},"finish_reason":"stop","logprobs":null}]}"#,
        ),
        (
            "ErrorResponse",
            r#"{"error":{"message":"m","type":"t","param":null}}"#,
        ),
    ] {
        assert!(
            schema::errors(schema_name, &support::value(json)).is_some(),
            "the schema must be able to refuse {json}"
        );
    }
}

#[test]
fn every_member_of_a_request_is_known() {
    // A member that nobody reads is ignored, whatever it holds. One that is read has a type.
    let members = schema::members("CreateChatCompletionRequest");
    assert!(members.len() >= 37, "{members:?}");
    for member in members {
        let refused = ["5.5", "[5.5]", "\"word\""].iter().any(|value| {
            let body = format!(r#"{{"{member}":{value}}}"#);
            serde_json::from_str::<ChatRequest<'_>>(&body).is_err()
        });
        assert!(refused, "{member} is not read");
    }
}
