//! What [`verdicts`] says is what becomes of a request.

use bytes::Bytes;
use serde_json::{Value, json};

use super::CASES;
use crate::surface::Accepted;
use crate::surface::responses::verdicts;
use crate::surface::tests::verdicts::{Fate, Sample, Tried, with};
use crate::surface::tests::{schema, show};
use crate::surface::verdict::{Row, Table, Verdict};

const PREVIOUS: &str = "resp_0123456789abcdef0123456789abcdef";

/// For each row of the members a request that has it, beside model and input.
fn members() -> Vec<(&'static str, Value)> {
    let function = json!({"type": "function", "name": "f"});
    let format = json!({"type": "json_object"});
    let label = json!({"a": "b"});
    vec![
        ("model", json!({"model": "claude-haiku-4-5"})),
        ("stream", json!({"stream": true})),
        ("input", json!({"input": "Something else"})),
        ("instructions", json!({"instructions": "Be short."})),
        ("tools", json!({"tools": [function]})),
        (
            "tool_choice",
            json!({"tools": [function], "tool_choice": "required"}),
        ),
        (
            "tool_choice of a tool that the server runs",
            json!({"tools": [function], "tool_choice": {"type": "file_search"}}),
        ),
        ("parallel_tool_calls", json!({"parallel_tool_calls": false})),
        ("reasoning.effort", json!({"reasoning": {"effort": "high"}})),
        (
            "reasoning.summary",
            json!({"reasoning": {"summary": "detailed"}}),
        ),
        (
            "reasoning.generate_summary",
            json!({"reasoning": {"generate_summary": "auto"}}),
        ),
        (
            "reasoning.context",
            json!({"reasoning": {"context": "current_turn"}}),
        ),
        ("reasoning.mode", json!({"reasoning": {"mode": "pro"}})),
        ("text.format", json!({"text": {"format": format}})),
        ("text.verbosity", json!({"text": {"verbosity": "low"}})),
        ("max_output_tokens", json!({"max_output_tokens": 5})),
        ("metadata", json!({"metadata": label})),
        (
            "include with reasoning.encrypted_content",
            json!({"include": ["reasoning.encrypted_content"]}),
        ),
        (
            "include with message.output_text.logprobs",
            json!({"include": ["message.output_text.logprobs"]}),
        ),
        (
            "include with anything else",
            json!({"include": ["file_search_call.results"]}),
        ),
        ("store", json!({"store": false})),
        (
            "previous_response_id",
            json!({"previous_response_id": PREVIOUS}),
        ),
        ("truncation", json!({"truncation": "auto"})),
        ("temperature", json!({"temperature": 0.5})),
        ("top_p", json!({"top_p": 0.5})),
        ("max_tool_calls", json!({"max_tool_calls": 5})),
        ("background", json!({"background": true})),
        ("conversation", json!({"conversation": "conv_1"})),
        ("prompt", json!({"prompt": {"id": "pmpt_1"}})),
        ("moderation", json!({"moderation": {"model": "m"}})),
        ("top_logprobs", json!({"top_logprobs": 5})),
        (
            "context_management",
            json!({"context_management": [{"type": "compaction", "compact_threshold": 1000}]}),
        ),
        ("service_tier", json!({"service_tier": "priority"})),
        ("user", json!({"user": "a"})),
        ("safety_identifier", json!({"safety_identifier": "a"})),
        ("prompt_cache_key", json!({"prompt_cache_key": "a"})),
        (
            "prompt_cache_retention",
            json!({"prompt_cache_retention": "24h"}),
        ),
        ("prompt_cache_options", json!({"prompt_cache_options": {}})),
        (
            "stream_options",
            json!({"stream_options": {"include_obfuscation": true}}),
        ),
        ("client_metadata", json!({"client_metadata": label})),
    ]
}

/// For each row of the items one of them, after [`before_items`].
fn items() -> Vec<(&'static str, Value)> {
    let tools = json!([{"type": "function", "name": "found"}]);
    let sealed = "kiro1.c52e686e7d3f2698.eyJ0ZXh0IjoiSG0uIiwic2lnbmF0dXJlIjoiYzJsbiJ9";
    let mut items = vec![
        ("message", json!({"role": "user", "content": "More"})),
        (
            "function_call",
            json!({"call_id": "toolu_4", "name": "f", "arguments": "{}"}),
        ),
        (
            "custom_tool_call",
            json!({"call_id": "toolu_5", "name": "g", "input": "a"}),
        ),
        (
            "function_call_output",
            json!({"call_id": "toolu_1", "output": "A"}),
        ),
        (
            "custom_tool_call_output",
            json!({"call_id": "toolu_2", "output": "B"}),
        ),
        (
            "reasoning",
            json!({"summary": [], "encrypted_content": sealed}),
        ),
        ("item_reference", json!({"id": "msg_1"})),
        (
            "additional_tools",
            json!({"role": "developer", "tools": tools}),
        ),
        (
            "tool_search_call",
            json!({"call_id": "toolu_6", "execution": "client", "arguments": {}}),
        ),
        (
            "tool_search_output",
            json!({"call_id": "toolu_3", "tools": tools}),
        ),
    ];
    let foreign = [
        "web_search_call",
        "file_search_call",
        "code_interpreter_call",
        "image_generation_call",
        "computer_call",
        "computer_call_output",
        "local_shell_call",
        "local_shell_call_output",
        "shell_call",
        "shell_call_output",
        "apply_patch_call",
        "apply_patch_call_output",
        "mcp_list_tools",
        "mcp_approval_request",
        "mcp_approval_response",
        "mcp_call",
        "program",
        "program_output",
        "compaction",
        "compaction_trigger",
        "anything else",
    ];
    items.extend(foreign.map(|kind| (kind, json!({"id": "x"}))));
    for (kind, item) in &mut items {
        item["type"] = json!(kind);
    }
    items
}

/// Calls that outputs can answer.
fn before_items() -> Value {
    json!([
        {"role": "user", "content": "Hello"},
        {"type": "function_call", "call_id": "toolu_1", "name": "f", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "toolu_2", "name": "g", "input": "a"},
        {"type": "tool_search_call", "call_id": "toolu_3", "execution": "client", "arguments": {}},
    ])
}

/// For each row of the tools one of them.
fn tools() -> Vec<(&'static str, Value)> {
    let inner = json!([{"type": "function", "name": "f"}]);
    let mut tools = vec![
        (
            "function",
            json!({"name": "f", "parameters": {"type": "object"}}),
        ),
        ("custom", json!({"name": "f"})),
        ("namespace", json!({"name": "n", "tools": inner})),
        (
            "tool_search for the client",
            json!({"execution": "client", "parameters": {"type": "object"}}),
        ),
        ("tool_search for the server", json!({"execution": "server"})),
    ];
    let hosted = [
        "web_search",
        "web_search_2025_08_26",
        "web_search_preview",
        "web_search_preview_2025_03_11",
        "image_generation",
        "local_shell",
        "shell",
        "apply_patch",
        "programmatic_tool_calling",
        "anything else",
        "file_search",
        "code_interpreter",
        "mcp",
        "computer",
        "computer_use_preview",
    ];
    tools.extend(hosted.map(|kind| (kind, json!({}))));
    for (name, tool) in &mut tools {
        let kind = name.split(" for ").next().unwrap();
        tool["type"] = json!(kind);
    }
    tools
}

fn plain() -> Value {
    json!({"model": "claude-sonnet-4-5", "input": "Hello"})
}

fn accept(request: &Value) -> Result<Accepted, String> {
    let hello = r#"{"type": "message", "role": "user", "content": "Kept", "id": "msg_1"}"#;
    let kept = format!("{PREVIOUS} input {hello}");
    CASES.accept_after(Bytes::from(request.to_string()), &kept)
}

fn tried() -> Tried<'static> {
    Tried {
        cases: &CASES,
        accept: &accept,
        // The answer repeats what was asked for.
        echo: &[(r#""summary":"detailed""#, r#""summary":null"#)],
    }
}

fn samples_of_members() -> Vec<Sample> {
    let samples = members().into_iter().map(|(thing, members)| Sample {
        thing: thing.to_owned(),
        place: thing.split(['.', ' ']).next().unwrap(),
        before: plain(),
        after: with(plain(), &members),
    });
    samples.collect()
}

fn samples_of_items() -> Vec<Sample> {
    let samples = items().into_iter().map(|(thing, item)| {
        let before = with(plain(), &json!({"input": before_items()}));
        let mut after = before.clone();
        after["input"].as_array_mut().unwrap().push(item);
        Sample {
            thing: thing.to_owned(),
            place: thing,
            before,
            after,
        }
    });
    samples.collect()
}

fn samples_of_tools() -> Vec<Sample> {
    let samples = tools().into_iter().map(|(thing, tool)| Sample {
        thing: thing.to_owned(),
        place: "tools",
        before: plain(),
        after: with(plain(), &json!({"tools": [tool]})),
    });
    samples.collect()
}

#[test]
fn every_row_is_what_the_code_does() {
    tried().check(&verdicts::MEMBERS, &samples_of_members());
    tried().check(&verdicts::ITEMS, &samples_of_items());
    tried().check(&verdicts::TOOLS, &samples_of_tools());
}

#[test]
fn what_another_server_did_is_told_in_words() {
    for sample in samples_of_items() {
        let row = row(&verdicts::ITEMS, &sample.thing);
        if Fate::of(row.verdict) == Fate::Effect {
            let accepted = accept(&sample.after).unwrap();
            let told = format!("[{}] ", sample.thing);
            let said = show::conversation(&accepted.conversation);
            let is_told = said.contains(&told);
            assert_eq!(is_told, row.verdict == Verdict::Emulated, "{said}");
        }
    }
}

fn row(table: &'static Table, thing: &str) -> &'static Row {
    let mut rows = table.rows.iter();
    rows.find(|row| row.things().any(|known| known == thing))
        .unwrap()
}

#[test]
fn everything_in_the_official_schema_is_tried() {
    let assert_tried = |table: &Table, name: &str| {
        let mut things = table.rows.iter().flat_map(Row::things);
        let is_tried = things.any(|thing| {
            let rest = thing.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', ' ']))
        });
        assert!(is_tried, "{}: `{name}`", table.title);
    };
    for (member, of) in [("reasoning", "Reasoning"), ("text", "ResponseTextParam")] {
        for inner in schema::members(of) {
            assert_tried(&verdicts::MEMBERS, &format!("{member}.{inner}"));
        }
    }
    for kind in schema::kinds("InputItem") {
        assert_tried(&verdicts::ITEMS, &kind);
    }
    for kind in schema::kinds("Tool") {
        assert_tried(&verdicts::TOOLS, &kind);
    }
}

#[test]
fn every_choice_and_every_wish_of_the_official_schema_falls_under_its_row() {
    let assert_falls_under = |thing: &str, place: &'static str, members: &Value| {
        let sample = Sample {
            thing: thing.to_owned(),
            place,
            before: plain(),
            after: with(plain(), members),
        };
        let row = row(&verdicts::MEMBERS, thing);
        assert_eq!(tried().fate(&sample), Fate::of(row.verdict), "{members}");
    };
    for kind in schema::kinds("ToolChoiceParam") {
        let tool = json!({"type": "function", "name": "f"});
        let choice = match &*kind {
            "allowed_tools" => json!({"type": kind, "mode": "required", "tools": [tool]}),
            _ => json!({"type": kind, "name": "f"}),
        };
        let thing = match &*kind {
            "allowed_tools" | "function" | "custom" => "tool_choice",
            _ => "tool_choice of a tool that the server runs",
        };
        let members = json!({"tools": [tool], "tool_choice": choice});
        assert_falls_under(thing, "tool_choice", &members);
    }
    for word in schema::words("IncludeEnum") {
        let own = format!("include with {word}");
        let mut things = verdicts::MEMBERS.rows.iter().flat_map(Row::things);
        let thing = match things.any(|thing| thing == own) {
            true => &*own,
            false => "include with anything else",
        };
        assert_falls_under(thing, "include", &json!({"include": [word]}));
    }
}
