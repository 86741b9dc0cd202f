//! The official schema as a judge.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::{LazyLock, Mutex};

use jsonschema::{Draft, Validator};
use serde_json::Value;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spec/openai-chat.openapi.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
});

/// Building one takes tens of milliseconds, so each is built once.
static VALIDATORS: LazyLock<Mutex<HashMap<String, Validator>>> = LazyLock::new(Mutex::default);

/// What a schema of the description has against a value.
pub(crate) fn errors(schema: &str, value: &Value) -> Option<String> {
    let mut validators = VALIDATORS.lock().unwrap();
    let validator = validators.entry(schema.to_owned()).or_insert_with(|| {
        let mut document = DOCUMENT.clone();
        document["$ref"] = format!("#/components/schemas/{schema}").into();
        jsonschema::options()
            .with_draft(Draft::Draft202012)
            .build(&document)
            .unwrap()
    });
    let errors: Vec<String> = validator
        .iter_errors(value)
        .map(|error| format!("{error} at {}", error.instance_path()))
        .collect();
    (!errors.is_empty()).then(|| errors.join("\n"))
}

pub(crate) fn assert_valid(schema: &str, value: &Value, what: &str) {
    if let Some(errors) = errors(schema, value) {
        panic!("{what} is no {schema}: {errors}\n{value:#}");
    }
}
