//! What [`verdicts`] says is what becomes of a request.

use bytes::Bytes;
use serde_json::{Value, json};

use super::CASES;
use crate::surface::chat::verdicts;
use crate::surface::tests::verdicts::{Sample, Tried, with};

const DATA_URL: &str = "data:image/png;base64,iVBORw0KGgo=";

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
        "messages": [{"role": "user", "content": "Hello"}],
    })
}

/// A request with a member, beside those that it needs, which both have.
fn sample(thing: &str, beside: &Value, member: &'static str, value: Value) -> Sample {
    let before = with(plain(), beside);
    Sample {
        thing: thing.to_owned(),
        place: member,
        after: with(before.clone(), &json!({member: value})),
        before,
    }
}

#[test]
fn members() {
    let tools = json!({"tools": [{"type": "function", "function": {"name": "f"}}]});
    let functions = json!({"functions": [{"name": "f"}]});
    let stream = json!({"stream": true});
    let alone = json!({});
    let mut samples = vec![
        sample(
            "tool_choice of auto or none",
            &tools,
            "tool_choice",
            json!("none"),
        ),
        sample("tool_choice", &tools, "tool_choice", json!("required")),
        sample(
            "function_call",
            &functions,
            "function_call",
            json!({"name": "f"}),
        ),
        sample(
            "modalities with audio",
            &alone,
            "modalities",
            json!(["text", "audio"]),
        ),
        sample(
            "stream_options.include_usage",
            &stream,
            "stream_options",
            json!({"include_usage": true}),
        ),
        sample(
            "stream_options.include_obfuscation",
            &stream,
            "stream_options",
            json!({"include_obfuscation": true}),
        ),
    ];
    let alone = [
        ("model", json!("claude-haiku-4-5")),
        (
            "messages",
            json!([{"role": "user", "content": "Something else"}]),
        ),
        ("stream", json!(true)),
        ("tools", tools["tools"].clone()),
        ("parallel_tool_calls", json!(false)),
        ("functions", functions["functions"].clone()),
        ("reasoning_effort", json!("high")),
        ("reasoning", json!({"effort": "high"})),
        ("reasoning", json!({"exclude": true})),
        (
            "thinking",
            json!({"type": "enabled", "budget_tokens": 2000}),
        ),
        ("max_completion_tokens", json!(5)),
        ("max_tokens", json!(5)),
        ("stop", json!(["ell"])),
        ("response_format", json!({"type": "json_object"})),
        ("temperature", json!(0.5)),
        ("top_p", json!(0.5)),
        ("top_k", json!(5)),
        ("min_p", json!(0.5)),
        ("frequency_penalty", json!(0.5)),
        ("presence_penalty", json!(0.5)),
        ("repetition_penalty", json!(1.5)),
        ("seed", json!(5)),
        ("verbosity", json!("low")),
        ("n", json!(2)),
        ("logprobs", json!(true)),
        ("top_logprobs", json!(5)),
        ("logit_bias", json!({"5": 1})),
        ("audio", json!({"voice": "alloy", "format": "mp3"})),
        ("web_search_options", json!({})),
        ("moderation", json!({"model": "m"})),
        ("prediction", json!({"type": "content", "content": "a"})),
        ("service_tier", json!("priority")),
        ("store", json!(true)),
        ("metadata", json!({"a": "b"})),
        ("user", json!("a")),
        ("safety_identifier", json!("a")),
        ("prompt_cache_retention", json!("24h")),
        ("prompt_cache_options", json!({})),
        ("prompt_cache_key", json!("a")),
    ];
    samples.extend(alone.map(|(member, value)| sample(member, &json!({}), member, value)));
    // Two requests that hold none of chat's messages.
    let flat = |input| json!({"model": "claude-sonnet-4-5", "input": input});
    samples.push(Sample {
        thing: "input without messages".to_owned(),
        place: "input",
        before: flat("Hello"),
        after: flat("Something else"),
    });
    tried().check(&verdicts::MEMBERS, &samples);
}

#[test]
fn members_without_which_there_is_no_request() {
    for member in ["model", "messages"] {
        let mut request = plain();
        request.as_object_mut().unwrap().remove(member);
        let refusal = CASES.accept(Bytes::from(request.to_string())).unwrap_err();
        let is_named = refusal.contains(&format!("\"param\":\"{member}\""));
        assert!(refusal.starts_with("400 ") && is_named, "{refusal}");
    }
}

#[test]
fn messages() {
    let user = json!({"role": "user", "content": "Hello"});
    let call =
        json!({"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let called = json!({"role": "assistant", "tool_calls": [call]});
    let asked = json!({"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}});
    let go_on = json!({"role": "user", "content": "Go on."});
    let asks = [
        (
            "system or developer at the beginning",
            json!([user]),
            json!([{"role": "system", "content": "A"}, user]),
        ),
        (
            "system or developer at the beginning",
            json!([user]),
            json!([{"role": "developer", "content": "A"}, user]),
        ),
        (
            "system or developer later",
            json!([user]),
            json!([user, {"role": "system", "content": "A"}]),
        ),
        (
            "system or developer later",
            json!([user]),
            json!([user, {"role": "developer", "content": "A"}]),
        ),
        (
            "user",
            json!([user]),
            json!([user, {"role": "user", "name": "Ann", "content": "More"}]),
        ),
        (
            "assistant",
            json!([user, go_on]),
            json!([user, {"role": "assistant", "content": "Yes."}, go_on]),
        ),
        (
            "assistant.tool_calls",
            json!([user, go_on]),
            json!([user, called, go_on]),
        ),
        (
            "tool",
            json!([user, called, go_on]),
            json!([user, called, {"role": "tool", "tool_call_id": "call_1", "content": "A"}, go_on]),
        ),
        (
            "function",
            json!([user, asked, go_on]),
            json!([user, asked, {"role": "function", "name": "f", "content": "A"}, go_on]),
        ),
        (
            "another role",
            json!([user]),
            json!([user, {"role": "oracle", "content": "A"}]),
        ),
    ];
    let samples = asks.map(|(thing, before, after)| Sample {
        thing: thing.to_owned(),
        place: "messages",
        before: with(plain(), &json!({"messages": before})),
        after: with(plain(), &json!({"messages": after})),
    });
    tried().check(&verdicts::MESSAGES, &samples);
}

#[test]
fn parts() {
    let file = |file: Value| json!({"type": "file", "file": file});
    let image = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
    let nothing = json!({"type": "text", "text": ""});
    let data = "data:text/plain;base64,QQ==";
    let detailed = json!({"type": "image_url", "image_url": {"url": DATA_URL, "detail": "low"}});
    let of_anthropic = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}});
    let asks = [
        (
            "text",
            nothing.clone(),
            json!({"type": "text", "text": "More"}),
        ),
        (
            "image_url with a base64 data URL",
            nothing.clone(),
            image(DATA_URL),
        ),
        (
            "image_url with http(s)://",
            nothing.clone(),
            image("https://a/b.png"),
        ),
        ("image_url.detail", image(DATA_URL), detailed),
        (
            "file with file_data",
            nothing.clone(),
            file(json!({"filename": "a.txt", "file_data": data})),
        ),
        (
            "file with file_id",
            nothing.clone(),
            file(json!({"file_id": "file-1"})),
        ),
        (
            "input_audio",
            nothing.clone(),
            json!({"type": "input_audio", "input_audio": {"data": "QQ==", "format": "wav"}}),
        ),
        (
            "refusal",
            nothing.clone(),
            json!({"type": "refusal", "refusal": "No."}),
        ),
        (
            "tool_use",
            nothing.clone(),
            json!({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}),
        ),
        (
            "tool_result",
            nothing.clone(),
            json!({"type": "tool_result", "tool_use_id": "call_1", "content": "A"}),
        ),
        ("image", nothing.clone(), of_anthropic),
        ("anything else", nothing, json!({"type": "hologram"})),
    ];
    let call =
        json!({"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    // Parts of the model's stand in its message, and results behind its call.
    let messages = |thing: &str, part: Value| {
        let said = json!({"type": "text", "text": "Hello"});
        match thing {
            "tool_use" | "refusal" => json!([
                {"role": "user", "content": "Hello"},
                {"role": "assistant", "content": [said, part]},
                {"role": "user", "content": "Go on."},
            ]),
            "tool_result" => json!([
                {"role": "user", "content": "Hello"},
                {"role": "assistant", "tool_calls": [call]},
                {"role": "user", "content": [said, part]},
            ]),
            _ => json!([{"role": "user", "content": [said, part]}]),
        }
    };
    let samples = asks.map(|(thing, before, after)| Sample {
        thing: thing.to_owned(),
        place: "messages",
        before: with(plain(), &json!({"messages": messages(thing, before)})),
        after: with(plain(), &json!({"messages": messages(thing, after)})),
    });
    tried().check(&verdicts::PARTS, &samples);
}

#[test]
fn tools() {
    let function = |function: Value| json!({"type": "function", "function": function});
    let plainly = function(json!({"name": "f"}));
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let long = "a".repeat(20_000);
    let asks = [
        (
            "names that the service does not take",
            plainly.clone(),
            function(json!({"name": "f.g"})),
        ),
        (
            "JSON schemas",
            plainly.clone(),
            function(json!({"name": "f", "parameters": schema})),
        ),
        (
            "long descriptions",
            plainly.clone(),
            function(json!({"name": "f", "description": long})),
        ),
        (
            "custom tools",
            plainly.clone(),
            json!({"type": "custom", "custom": {"name": "f"}}),
        ),
        (
            "strict",
            plainly.clone(),
            function(json!({"name": "f", "strict": true})),
        ),
        (
            "flat tools",
            plainly.clone(),
            json!({"type": "function", "name": "g"}),
        ),
        (
            "Anthropic's input_schema",
            plainly.clone(),
            json!({"name": "g", "input_schema": schema}),
        ),
        (
            "web_search…",
            plainly.clone(),
            json!({"type": "web_search"}),
        ),
        (
            "other hosted tools",
            plainly,
            json!({"type": "code_interpreter"}),
        ),
    ];
    let mut samples: Vec<Sample> = asks
        .map(|(thing, before, after)| sample_of_tools(thing, &before, &after))
        .into();
    let offered = json!({"tools": [{"type": "function", "function": {"name": "f"}}]});
    let choice = json!({"type": "tool", "name": "f"});
    samples.push(sample(
        "objects for tool_choice",
        &offered,
        "tool_choice",
        choice,
    ));
    tried().check(&verdicts::TOOLS, &samples);
}

fn sample_of_tools(thing: &str, before: &Value, after: &Value) -> Sample {
    Sample {
        thing: thing.to_owned(),
        place: "tools",
        before: with(plain(), &json!({"tools": [before]})),
        after: with(plain(), &json!({"tools": [after]})),
    }
}
