//! Every JSON block in the documentation of a type is read by that type, and printed back the same if
//! the type can be printed.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use openai_types::chat::{
    AllowedTools, ChatCompletion, ChatCompletionChunk, ChatRequest, Content, Custom, File,
    Function, ImageUrl, JsonSchemaFormat, Message, Reasoning, ResponseFormat, Source,
    StreamOptions, Thinking, ToolCall, ToolCallFragment, ToolChoice, Usage,
};
use openai_types::responses;
use openai_types::{ErrorBody, Model, ModelList};
use serde::Deserialize;
use support::round_trip;

#[test]
fn documented_json_is_what_it_says() {
    let mut n_blocks = 0;
    for file in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        for (item, json) in blocks(&fs::read_to_string(&file).unwrap()) {
            match file.parent().unwrap().ends_with("src/responses") {
                true => check_responses(&item, &json),
                false => check(&item, &json),
            }
            n_blocks += 1;
        }
    }
    assert!(n_blocks >= 20, "only {n_blocks} blocks were found");
}

fn check(item: &str, json: &str) {
    let printed = match item {
        "ErrorBody" => round_trip::<ErrorBody>(json),
        "Model" => round_trip::<Model>(json),
        "ModelList" => round_trip::<ModelList>(json),
        "ChatCompletion" => round_trip::<ChatCompletion<'_>>(json),
        "ChatCompletionChunk" => round_trip::<ChatCompletionChunk<'_>>(json),
        "ToolCall" => round_trip::<ToolCall<'_>>(json),
        "ToolCallFragment" => round_trip::<ToolCallFragment<'_>>(json),
        "Usage" => round_trip::<Usage>(json),
        "ChatRequest" => return reads::<ChatRequest<'_>>(json),
        "Message" => return reads::<Message<'_>>(json),
        "Content" => return reads::<Content<'_>>(json),
        "ImageUrl" => return reads::<ImageUrl<'_>>(json),
        "File" => return reads::<File<'_>>(json),
        "Source" => return reads::<Source<'_>>(json),
        "StreamOptions" => return reads::<StreamOptions>(json),
        "ResponseFormat" => return reads::<ResponseFormat<'_>>(json),
        "JsonSchemaFormat" => return reads::<JsonSchemaFormat<'_>>(json),
        "Reasoning" => return reads::<Reasoning>(json),
        "Thinking" => return reads::<Thinking>(json),
        "Function" => return reads::<Function<'_>>(json),
        "Custom" => return reads::<Custom<'_>>(json),
        "ToolChoice" => return reads::<ToolChoice>(json),
        "AllowedTools" => return reads::<AllowedTools>(json),
        other => panic!("no check for the JSON of {other:?}: {json}"),
    };
    assert_eq!(printed, support::value(json), "{item}");
}

/// The same names mean other things there.
fn check_responses(item: &str, json: &str) {
    match item {
        // The page of the module.
        "ChatRequest" | "ResponsesRequest" => reads::<responses::ResponsesRequest<'_>>(json),
        "Tool" => reads::<responses::Tool<'_>>(json),
        "ChosenTool" => reads::<responses::ChosenTool>(json),
        "ReasoningOptions" => reads::<responses::ReasoningOptions>(json),
        "TextOptions" => reads::<responses::TextOptions<'_>>(json),
        "Format" => reads::<responses::Format<'_>>(json),
        "Message" => reads::<responses::Message<'_>>(json),
        "Part" => reads::<responses::Part<'_>>(json),
        "FunctionCall" => reads::<responses::FunctionCall<'_>>(json),
        "CustomToolCall" => reads::<responses::CustomToolCall<'_>>(json),
        "ToolOutput" => reads::<responses::ToolOutput<'_>>(json),
        "Reasoning" => reads::<responses::Reasoning>(json),
        "AdditionalTools" => reads::<responses::AdditionalTools<'_>>(json),
        other => panic!("no check for the JSON of {other:?}: {json}"),
    }
}

fn reads<'a, T: Deserialize<'a>>(json: &'a str) {
    if let Err(error) = serde_json::from_str::<T>(json) {
        panic!("{error} in {json}");
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => sources(&path),
            false => vec![path],
        })
        .collect()
}

/// The JSON blocks of a file, each with the type that it documents. Those on the page of a module are
/// told apart by what is in them.
fn blocks(source: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut waiting = Vec::new();
    let mut open: Option<String> = None;
    for line in source.lines() {
        let comment = line.strip_prefix("///").or(line.strip_prefix("//!"));
        match (comment.map(str::trim), &mut open) {
            (Some("```json"), None) => open = Some(String::new()),
            (Some("```"), Some(_)) => waiting.extend(open.take()),
            (Some(comment), Some(json)) => json.push_str(comment),
            (Some(_), None) => {}
            (None, _) => {
                let words: Vec<&str> = line.split([' ', '<', '(', '{']).collect();
                if let ["pub", "struct" | "enum", item, ..] = words[..] {
                    blocks.extend(waiting.drain(..).map(|json| (item.to_owned(), json)));
                } else if line.starts_with("mod ") || line.starts_with("use ") {
                    blocks.extend(waiting.drain(..).map(|json| (page_item(&json), json)));
                }
            }
        }
    }
    assert!(waiting.is_empty() && open.is_none());
    blocks
}

fn page_item(json: &str) -> String {
    let item = match () {
        () if json.contains("chat.completion.chunk") => "ChatCompletionChunk",
        () if json.contains("chat.completion") => "ChatCompletion",
        () => "ChatRequest",
    };
    item.to_owned()
}
