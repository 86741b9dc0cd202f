//! What `docs/compatibility.md` says of the members, items and tools of a request is what becomes of them.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};

use super::CASES;
use crate::surface::Accepted;
use crate::surface::tests::{schema, script, show};

/// What can be told of a request from outside, beside one without the thing in question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The conversation, the bounds or the answer is another.
    Effect,
    /// The model is told of it in words.
    Words,
    Silent,
    /// As silent, but for `x-gateway-ignored`.
    Named,
    Refused,
}

/// A table of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Table {
    Members,
    Items,
    Tools,
}

impl Table {
    const ALL: [Self; 3] = [Self::Members, Self::Items, Self::Tools];

    fn heading(self) -> &'static str {
        match self {
            Self::Members => "\n### Members of a responses request\n",
            Self::Items => "\n### Items\n",
            Self::Tools => "\n### Tools of a responses request\n",
        }
    }

    /// What a verdict means.
    fn fate(self, verdict: &str) -> Option<Fate> {
        Some(match verdict {
            "emulated" if self == Self::Items => Fate::Words,
            "honored" | "emulated" => Fate::Effect,
            "ignored silently" => Fate::Silent,
            "ignored" => Fate::Named,
            "refused" => Fate::Refused,
            _ => return None,
        })
    }
}

const PAGE: &str = include_str!("../../../../../../docs/compatibility.md");

const PREVIOUS: &str = "resp_0123456789abcdef0123456789abcdef";

/// Something that a model may answer.
const REPLY: &str = r#"start
reasoning "Hm."
signature "c2ln"
text "Hello"
stop end_turn"#;

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

fn with(mut request: Value, members: &Value) -> Value {
    let members = members.as_object().unwrap().clone();
    request.as_object_mut().unwrap().extend(members);
    request
}

/// What becomes of everything that can be asked for.
fn observed() -> BTreeMap<(Table, &'static str), Fate> {
    let mut observed = BTreeMap::new();
    for (name, sample) in members() {
        let param = name.split(['.', ' ']).next().unwrap();
        let fate = fate(&plain(), &with(plain(), &sample), param);
        observed.insert((Table::Members, name), fate);
    }
    for (name, item) in items() {
        let before = with(plain(), &json!({"input": before_items()}));
        let mut after = before.clone();
        after["input"].as_array_mut().unwrap().push(item);
        observed.insert((Table::Items, name), fate(&before, &after, name));
    }
    for (name, tool) in tools() {
        let request = with(plain(), &json!({"tools": [tool]}));
        observed.insert((Table::Tools, name), fate(&plain(), &request, "tools"));
    }
    observed
}

/// What becomes of a request, beside a plain one. `name` is that of the parameter or the item.
fn fate(plain: &Value, request: &Value, name: &str) -> Fate {
    match accept(request) {
        Err(refusal) => {
            assert!(refusal.starts_with("400 "), "{refusal}");
            assert!(
                refusal.contains(&format!("\"param\":\"{name}")),
                "{refusal}"
            );
            Fate::Refused
        }
        Ok(accepted) if !accepted.ignored.is_empty() => {
            let all = accepted
                .ignored
                .iter()
                .all(|ignored| ignored.starts_with(name));
            assert!(all, "{name}: {:?}", accepted.ignored);
            Fate::Named
        }
        Ok(accepted) => {
            let trace = trace(accepted);
            match trace == self::trace(accept(plain).unwrap()) {
                true => Fate::Silent,
                false if trace.contains(&format!("text \"[{name}] ")) => Fate::Words,
                false => Fate::Effect,
            }
        }
    }
}

fn accept(request: &Value) -> Result<Accepted, String> {
    let hello = r#"{"type": "message", "role": "user", "content": "Kept", "id": "msg_1"}"#;
    let kept = format!("{PREVIOUS} input {hello}");
    CASES.accept_after(Bytes::from(request.to_string()), &kept)
}

/// Everything that a request has an effect on.
fn trace(mut accepted: Accepted) -> String {
    let mut response = BytesMut::new();
    script::play(
        REPLY,
        &accepted.bounds,
        &mut *accepted.encoder,
        &mut response,
    );
    let response = CASES.with_fixed_ids(std::str::from_utf8(&response).unwrap());
    // The answer repeats what was asked for, which is no effect.
    let response = response.replace(r#""summary":"detailed""#, r#""summary":null"#);
    let conversation = show::conversation(&accepted.conversation);
    format!("{conversation}{:?}{response}", accepted.bounds)
}

/// The rows of a table: names and verdicts.
fn rows(page: &str, table: Table) -> BTreeMap<String, String> {
    let (_, part) = page.split_once(table.heading()).unwrap();
    let part = part.split("\n### ").next().unwrap();
    let mut rows = BTreeMap::new();
    for row in part.lines().filter(|line| line.starts_with("| ")).skip(2) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        for name in cells[1].replace('`', "").split(", ") {
            rows.insert(name.to_owned(), cells[2].to_owned());
        }
    }
    rows
}

/// What is wrong with a page.
fn problems(page: &str, observed: &BTreeMap<(Table, &'static str), Fate>) -> Vec<String> {
    let mut problems = Vec::new();
    for table in Table::ALL {
        let mut rows = rows(page, table);
        for (&(_, name), &fate) in observed.iter().filter(|((of, _), _)| *of == table) {
            match rows.remove(name) {
                None => problems.push(format!("{table:?}: `{name}` has no row")),
                Some(verdict) if table.fate(&verdict) != Some(fate) => {
                    problems.push(format!(
                        "{table:?}: `{name}` is {verdict}, and it is {fate:?}"
                    ));
                }
                Some(_) => {}
            }
        }
        let unknown = rows.into_keys();
        problems.extend(unknown.map(|name| format!("{table:?}: nobody tries `{name}`")));
    }
    problems
}

#[test]
fn every_row_is_what_the_code_does() {
    let problems = problems(PAGE, &observed());
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn everything_in_the_official_schema_is_tried() {
    let observed = observed();
    let assert_tried = |table, name: &str| {
        let mut names = observed.keys().filter(|(of, _)| *of == table);
        let is_tried = names.any(|(_, tried)| {
            let rest = tried.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', ' ']))
        });
        assert!(is_tried, "{table:?}: `{name}`");
    };
    for member in schema::members("CreateResponse") {
        assert_tried(Table::Members, &member);
    }
    for (member, of) in [("reasoning", "Reasoning"), ("text", "ResponseTextParam")] {
        for inner in schema::members(of) {
            assert_tried(Table::Members, &format!("{member}.{inner}"));
        }
    }
    for kind in schema::kinds("InputItem") {
        assert_tried(Table::Items, &kind);
    }
    for kind in schema::kinds("Tool") {
        assert_tried(Table::Tools, &kind);
    }
}

#[test]
fn every_choice_and_every_wish_of_the_official_schema_falls_under_its_row() {
    let rows = rows(PAGE, Table::Members);
    for kind in schema::kinds("ToolChoiceParam") {
        let tool = json!({"type": "function", "name": "f"});
        let choice = match &*kind {
            "allowed_tools" => json!({"type": kind, "mode": "required", "tools": [tool]}),
            _ => json!({"type": kind, "name": "f"}),
        };
        let request = with(plain(), &json!({"tools": [tool], "tool_choice": choice}));
        let row = match &*kind {
            "allowed_tools" | "function" | "custom" => "tool_choice",
            _ => "tool_choice of a tool that the server runs",
        };
        let fate = fate(&plain(), &request, "tool_choice");
        assert_eq!(Some(fate), Table::Members.fate(&rows[row]), "{kind}");
    }
    for word in schema::words("IncludeEnum") {
        let request = with(plain(), &json!({"include": [word]}));
        let verdict = rows.get(&format!("include with {word}"));
        let verdict = verdict.unwrap_or(&rows["include with anything else"]);
        let fate = fate(&plain(), &request, "include");
        assert_eq!(Some(fate), Table::Members.fate(verdict), "{word}");
    }
}

#[test]
fn a_row_that_is_missing_or_wrong_is_noticed() {
    let observed = observed();
    let mut n_rows = 0;
    for table in Table::ALL {
        let (before, part) = PAGE.split_once(table.heading()).unwrap();
        let begin = before.len() + table.heading().len();
        let part = part.split("\n### ").next().unwrap();
        for row in part.lines().filter(|line| line.starts_with("| ")).skip(2) {
            n_rows += 1;
            let at = begin + part.find(row).unwrap();
            let page =
                |row: &str, old: &str| format!("{}{row}{}", &PAGE[..at], &PAGE[at + old.len()..]);
            let without = page("", row);
            assert!(!problems(&without, &observed).is_empty(), "without {row}");
            let verdict = row.split('|').nth(2).unwrap();
            for other in [
                "honored",
                "ignored silently",
                "ignored",
                "refused",
                "perhaps",
            ] {
                if table.fate(other) == table.fate(verdict.trim()) {
                    continue;
                }
                let wrong = row.replacen(verdict, &format!(" {other} "), 1);
                let wrong = page(&wrong, row);
                assert!(!problems(&wrong, &observed).is_empty(), "{other}: {row}");
            }
        }
    }
    assert!(n_rows > 30, "{n_rows}");
}
