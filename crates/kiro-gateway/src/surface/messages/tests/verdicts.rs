//! What [`verdicts`] says is what becomes of a request.

use bytes::Bytes;
use serde_json::{Value, json};

use super::CASES;
use crate::surface::messages::verdicts;
use crate::surface::tests::verdicts::{Sample, Tried, with};

const PNG: &str = "iVBORw0KGgo=";

fn tried() -> Tried<'static> {
    Tried {
        cases: &CASES,
        accept: &|request| CASES.accept(Bytes::from(request.to_string())),
        echo: &[],
    }
}

fn plain() -> Value {
    json!({
        "model": "claude-sonnet-4-5",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "Hello"}],
    })
}

#[test]
fn members() {
    let tools = json!([{"name": "f", "input_schema": {"type": "object"}}]);
    let format = json!({"type": "json_schema", "schema": {"type": "object"}});
    let samples = [
        ("model", json!("claude-haiku-4-5")),
        ("max_tokens", json!(5)),
        (
            "messages",
            json!([{"role": "user", "content": "Something else"}]),
        ),
        ("system", json!("Be brief.")),
        ("stream", json!(true)),
        ("tools", tools.clone()),
        ("tool_choice", json!({"type": "any"})),
        (
            "thinking",
            json!({"type": "enabled", "budget_tokens": 2000}),
        ),
        ("output_config.effort", json!({"effort": "low"})),
        ("output_config.format", json!({"format": format})),
        ("output_format", format.clone()),
        ("stop_sequences", json!(["ell"])),
        ("temperature", json!(0.5)),
        ("top_p", json!(0.5)),
        ("top_k", json!(5)),
        ("metadata", json!({"user_id": "{\"session_id\":\"s\"}"})),
        (
            "cache_control",
            json!({"type": "ephemeral", "scope": "global", "x": 1}),
        ),
        (
            "context_management",
            json!({"edits": [{"type": "clear_thinking_20251015"}]}),
        ),
        ("service_tier", json!("auto")),
        ("speed", json!("fast")),
        ("inference_geo", json!("eu")),
        ("container", json!("a")),
        ("diagnostics", json!({"a": 1})),
        ("betas", json!(["a"])),
        (
            "mcp_servers",
            json!([{"type": "url", "url": "https://a", "name": "a"}]),
        ),
        ("thread", json!({"type": "create"})),
    ];
    let samples = samples.map(|(thing, value)| {
        let member = thing.split('.').next().unwrap();
        let before = match member {
            "tool_choice" => with(plain(), &json!({"tools": tools})),
            // Effort is for a model that thinks.
            "output_config" => with(plain(), &json!({"model": "claude-opus-4-5"})),
            _ => plain(),
        };
        Sample {
            thing: thing.to_owned(),
            place: member,
            after: with(before.clone(), &json!({member: value})),
            before,
        }
    });
    tried().check(&verdicts::MEMBERS, &samples);
}

#[test]
fn members_without_which_there_is_no_request() {
    for member in ["model", "max_tokens", "messages"] {
        let mut request = plain();
        request.as_object_mut().unwrap().remove(member);
        let refusal = CASES.accept(Bytes::from(request.to_string())).unwrap_err();
        assert!(
            refusal.starts_with("400 ") && refusal.contains(member),
            "{refusal}"
        );
    }
}

#[test]
fn blocks() {
    let call = json!({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}});
    let page = json!({"type": "web_search_result", "url": "https://a", "title": "A", "encrypted_content": "QQ=="});
    let asked = |block: Value| json!([{"role": "user", "content": [{"type": "text", "text": "Hello"}, block]}]);
    let called = |block: Value| {
        json!([
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": [block, {"type": "text", "text": "Yes."}]},
            {"role": "user", "content": "Go on."},
        ])
    };
    let none = called(json!({"type": "text", "text": ""}));
    let searched = |block: Value| {
        let search = json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "a"}});
        called(json!(null))
            .as_array()
            .map(|messages| {
                let mut messages = messages.clone();
                messages[1]["content"] = json!([search, block, {"type": "text", "text": "Yes."}]);
                Value::Array(messages)
            })
            .unwrap()
    };
    let result = |content: Value| {
        json!([
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": content}]},
        ])
    };
    let hello = asked(json!({"type": "text", "text": ""}));
    let found = |content: Value| json!({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": content});
    let asks = [
        (
            "messages with role: \"system\"",
            hello.clone(),
            json!([{"role": "user", "content": "Hello"}, {"role": "system", "content": "Be brief."}]),
        ),
        (
            "text",
            hello.clone(),
            asked(json!({"type": "text", "text": "More"})),
        ),
        (
            "content that is null",
            called(json!({"type": "text", "text": ""})),
            json!([{"role": "user", "content": "Hello"}, {"role": "assistant", "content": null}, {"role": "user", "content": "Go on."}]),
        ),
        (
            "image from base64",
            hello.clone(),
            asked(
                json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}),
            ),
        ),
        (
            "image from a url",
            hello.clone(),
            asked(json!({"type": "image", "source": {"type": "url", "url": "https://a/b.png"}})),
        ),
        (
            "document from text or content",
            hello.clone(),
            asked(
                json!({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "A"}}),
            ),
        ),
        (
            "document from text or content",
            hello.clone(),
            asked(
                json!({"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "A"}]}}),
            ),
        ),
        (
            "search_result",
            hello,
            asked(
                json!({"type": "search_result", "source": "a", "title": "A", "content": [{"type": "text", "text": "B"}]}),
            ),
        ),
        ("tool_use", none.clone(), called(call.clone())),
        ("tool_result", result(json!("A")), result(json!("B"))),
        (
            "thinking",
            none.clone(),
            called(json!({"type": "thinking", "thinking": "Hm.", "signature": "c2ln"})),
        ),
        (
            "redacted_thinking",
            none.clone(),
            called(json!({"type": "redacted_thinking", "data": "c2ln"})),
        ),
        (
            "compaction",
            none.clone(),
            called(json!({"type": "compaction", "content": "A"})),
        ),
        (
            "server_tool_use of web_search",
            none.clone(),
            searched(found(json!([page]))),
        ),
        (
            "web_search_tool_result",
            searched(found(json!([]))),
            searched(found(json!([page]))),
        ),
        (
            "anything else",
            none,
            called(
                json!({"type": "server_tool_use", "id": "srvtoolu_2", "name": "web_fetch", "input": {}}),
            ),
        ),
    ];
    let samples = asks.map(|(thing, before, after)| Sample {
        thing: thing.to_owned(),
        place: "messages",
        before: with(plain(), &json!({"messages": before})),
        after: with(plain(), &json!({"messages": after})),
    });
    tried().check(&verdicts::BLOCKS, &samples);
}

#[test]
fn tools() {
    let tools = [
        (
            "without type",
            json!({"name": "f", "input_schema": {"type": "object"}}),
        ),
        (
            "custom",
            json!({"type": "custom", "name": "f", "input_schema": {"type": "object"}}),
        ),
        ("bash_…", json!({"type": "bash_20250124", "name": "bash"})),
        (
            "text_editor_…",
            json!({"type": "text_editor_20250728", "name": "str_replace_based_edit_tool"}),
        ),
        (
            "memory_…",
            json!({"type": "memory_20250818", "name": "memory"}),
        ),
        (
            "web_search_…",
            json!({"type": "web_search_20250305", "name": "web_search"}),
        ),
        (
            "web_fetch_…",
            json!({"type": "web_fetch_20250910", "name": "web_fetch"}),
        ),
        (
            "code_execution_…",
            json!({"type": "code_execution_20250825", "name": "code_execution"}),
        ),
        (
            "computer_…",
            json!({"type": "computer_20250124", "name": "computer", "display_width_px": 1, "display_height_px": 1}),
        ),
        (
            "mcp_toolset",
            json!({"type": "mcp_toolset", "mcp_server_name": "a"}),
        ),
        (
            "anything else",
            json!({"type": "telepathy_20991231", "name": "a"}),
        ),
    ];
    let samples = tools.map(|(thing, tool)| Sample {
        thing: thing.to_owned(),
        place: "tools",
        before: plain(),
        after: with(plain(), &json!({"tools": [tool]})),
    });
    tried().check(&verdicts::TOOLS, &samples);
}
