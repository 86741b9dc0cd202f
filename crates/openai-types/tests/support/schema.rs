//! The official schema as a judge.

// Each test binary uses a part of it.
#![allow(dead_code)]

use std::collections::HashMap;
use std::fs;
use std::sync::{LazyLock, Mutex};

use jsonschema::{Draft, Validator};
use serde_json::Value;

/// Said in a way that holds for the neighbouring crates too, which share this file.
const DESCRIPTION: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../openai-types/tests/spec/openai-chat.openapi.json"
);

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(&fs::read_to_string(DESCRIPTION).unwrap()).unwrap());

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

/// The names of all members that an object may have by a schema.
pub(crate) fn members(schema: &str) -> Vec<String> {
    let schema = &DOCUMENT["components"]["schemas"][schema];
    assert!(schema.is_object());
    let mut members = Vec::new();
    collect_members(schema, &mut members);
    members
}

fn collect_members(schema: &Value, members: &mut Vec<String>) {
    let properties = schema["properties"].as_object();
    members.extend(
        properties
            .into_iter()
            .flat_map(|properties| properties.keys().cloned()),
    );
    for part in schema["allOf"].as_array().into_iter().flatten() {
        match part["$ref"].as_str() {
            Some(reference) => members.extend(self::members(reference.rsplit('/').next().unwrap())),
            None => collect_members(part, members),
        }
    }
}

/// What `type` may say in the kinds that a schema is a choice of, sorted.
pub(crate) fn kinds(schema: &str) -> Vec<String> {
    let mut kinds = Vec::new();
    collect_kinds(&DOCUMENT["components"]["schemas"][schema], &mut kinds);
    kinds.sort();
    kinds.dedup();
    kinds
}

fn collect_kinds(schema: &Value, kinds: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap();
        return collect_kinds(&DOCUMENT["components"]["schemas"][name], kinds);
    }
    let kind = &schema["properties"]["type"];
    // One of them may be left out, which is a choice with `null`.
    let choices = [kind, &kind["anyOf"][0]];
    let words = choices
        .into_iter()
        .filter_map(|kind| kind["enum"].as_array());
    let words = words.flatten().filter_map(Value::as_str);
    kinds.extend(words.map(str::to_owned));
    for choice in ["oneOf", "anyOf"] {
        for part in schema[choice].as_array().into_iter().flatten() {
            collect_kinds(part, kinds);
        }
    }
}

/// The words that a schema is a choice of.
pub(crate) fn words(schema: &str) -> Vec<String> {
    let words = DOCUMENT["components"]["schemas"][schema]["enum"].as_array();
    let words = words.unwrap().iter().filter_map(Value::as_str);
    words.map(str::to_owned).collect()
}

pub(crate) fn assert_valid(schema: &str, value: &Value, what: &str) {
    if let Some(errors) = errors(schema, value) {
        panic!("{what} is no {schema}: {errors}\n{value:#}");
    }
}
