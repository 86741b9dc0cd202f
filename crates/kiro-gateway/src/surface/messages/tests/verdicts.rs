//! What `docs/compatibility.md` says of the members of a request is what becomes of them.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};

use super::CASES;

/// The members of the documented request (source: `@anthropic-ai/sdk` 1.12 and 0.137, the types of
/// `messages.create` and `beta.messages.create`).
const MEMBERS: [&str; 25] = [
    "model",
    "max_tokens",
    "messages",
    "system",
    "stream",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "output_format",
    "stop_sequences",
    "temperature",
    "top_p",
    "top_k",
    "metadata",
    "cache_control",
    "context_management",
    "service_tier",
    "speed",
    "inference_geo",
    "container",
    "diagnostics",
    "mcp_servers",
    "thread",
    "betas",
];

/// A value of the member that is not its default, or `None` for members that have none.
fn sample(member: &str) -> Option<Value> {
    let tools = json!([{"name": "f", "input_schema": {"type": "object"}}]);
    Some(match member {
        "model" | "messages" | "max_tokens" => return None,
        "stream" => json!({"stream": true}),
        "tools" => json!({"tools": tools}),
        "tool_choice" => json!({"tools": tools, "tool_choice": {"type": "any"}}),
        "thinking" => json!({"thinking": {"type": "disabled"}}),
        "output_config" | "output_format" => {
            let format = json!({"type": "json_schema", "schema": {"type": "object"}});
            match member {
                "output_config" => json!({"output_config": {"format": format}}),
                _ => json!({"output_format": format}),
            }
        }
        "stop_sequences" | "betas" => json!({member: ["a"]}),
        "temperature" | "top_p" => json!({member: 0.5}),
        "top_k" => json!({member: 5}),
        "metadata" => json!({"metadata": {"user_id": "{\"session_id\":\"s\"}"}}),
        "cache_control" => json!({member: {"type": "ephemeral", "scope": "global", "x": 1}}),
        "context_management" => json!({member: {"edits": [{"type": "clear_thinking_20251015"}]}}),
        "mcp_servers" => json!({member: [{"type": "url", "url": "https://a", "name": "a"}]}),
        "thread" => json!({member: {"type": "create"}}),
        _ => json!({member: "a"}),
    })
}

/// The members that the table names, and its word for each.
fn documented() -> BTreeMap<String, String> {
    let page = include_str!("../../../../../../docs/compatibility.md");
    let (_, part) = page.split_once("## `POST /v1/messages`").unwrap();
    let (_, table) = part.split_once("### Members of a message request").unwrap();
    let (table, _) = table.split_once("\n### ").unwrap();
    let mut verdicts = BTreeMap::new();
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let names = cells[1].split('`').skip(1).step_by(2);
        for name in names {
            let member = name.split('.').next().unwrap().to_owned();
            verdicts
                .entry(member)
                .or_insert_with(|| cells[2].to_owned());
        }
    }
    verdicts
}

#[test]
fn every_member_has_a_verdict_and_the_code_keeps_it() {
    let documented = documented();
    for row in documented.keys() {
        assert!(MEMBERS.contains(&&**row), "`{row}` is no member");
    }
    let plain = json!({
        "model": "claude-sonnet-4-5",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "Hello"}],
    });
    for member in MEMBERS {
        let verdict = documented.get(member);
        let verdict = verdict.unwrap_or_else(|| panic!("`{member}` has no row"));
        let mut request = plain.clone();
        let expected = match sample(member) {
            Some(Value::Object(members)) => {
                request.as_object_mut().unwrap().extend(members);
                &**verdict
            }
            Some(_) => unreachable!("samples are objects"),
            None => {
                request.as_object_mut().unwrap().remove(member);
                "refused"
            }
        };
        let observed = match CASES.accept(Bytes::from(request.to_string())) {
            Err(_) => "refused",
            Ok(accepted) if accepted.ignored.contains(&member) => "ignored",
            Ok(_) => "accepted",
        };
        let expected = match expected {
            "honored" | "emulated" | "ignored silently" => "accepted",
            expected => expected,
        };
        assert_eq!(observed, expected, "{member}");
    }
}
