//! What the tests of this crate share.

// Each test binary uses a part of it.
#![allow(dead_code)]

pub(crate) mod schema;

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The files of a folder beside the tests, by name.
pub(crate) fn files(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(folder);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).unwrap())
        })
        .collect();
    files.sort();
    files
}

pub(crate) fn value(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error} in {json}"))
}

/// Parses a type and prints it.
pub(crate) fn round_trip<'a, T: Deserialize<'a> + Serialize>(json: &'a str) -> Value {
    let parsed: T = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error} in {json}"));
    value(&serde_json::to_string(&parsed).unwrap())
}
