//! What `docs/compatibility.md` says of the members of a request is what becomes of them.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};

use super::CASES;
use crate::surface::tests::schema;

/// A request with a value of the member that is not its default, or `None` for members that have none:
/// `model` and `messages` are in every request.
fn sample(member: &str) -> Option<Value> {
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let member = match member {
        "model" | "messages" => return None,
        "stream" => json!({"stream": true}),
        "stream_options" => json!({"stream": true, "stream_options": {"include_usage": true}}),
        "tools" => json!({"tools": tools}),
        "tool_choice" => json!({"tools": tools, "tool_choice": "required"}),
        "parallel_tool_calls" => json!({"tools": tools, "parallel_tool_calls": false}),
        "functions" => json!({"functions": [{"name": "f"}]}),
        "function_call" => json!({"functions": [{"name": "f"}], "function_call": {"name": "f"}}),
        "reasoning_effort" => json!({"reasoning_effort": "high"}),
        "reasoning" => json!({"reasoning": {"effort": "high"}}),
        "thinking" => json!({"thinking": {"type": "enabled", "budget_tokens": 2000}}),
        "max_completion_tokens" | "max_tokens" | "top_k" | "seed" => json!({member: 5}),
        "top_logprobs" => json!({"logprobs": true, "top_logprobs": 5}),
        "n" => json!({"n": 2}),
        "stop" => json!({"stop": ["a"]}),
        "response_format" => json!({"response_format": {"type": "json_object"}}),
        "temperature" | "top_p" | "min_p" | "frequency_penalty" | "presence_penalty" => {
            json!({member: 0.5})
        }
        "repetition_penalty" => json!({"repetition_penalty": 1.5}),
        "verbosity" => json!({"verbosity": "low"}),
        "logprobs" | "store" => json!({member: true}),
        "logit_bias" => json!({"logit_bias": {"5": 1}}),
        "modalities" => json!({"modalities": ["text", "audio"]}),
        "audio" => json!({"audio": {"voice": "alloy", "format": "mp3"}}),
        "web_search_options" => json!({"web_search_options": {}}),
        "moderation" => json!({"moderation": {"model": "m"}}),
        "prediction" => json!({"prediction": {"type": "content", "content": "a"}}),
        "metadata" => json!({"metadata": {"a": "b"}}),
        "prompt_cache_options" => json!({"prompt_cache_options": {}}),
        _ => json!({member: "a"}),
    };
    Some(member)
}

/// The members that the table names, and its word for each. In a row with several verdicts the last one
/// is that of a value that is not the default.
fn documented() -> BTreeMap<String, String> {
    let page = include_str!("../../../../../../docs/compatibility.md");
    let (_, table) = page.split_once("### Members of the request").unwrap();
    let (table, _) = table.split_once("\n### ").unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let mut verdicts = BTreeMap::new();
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let verdict = [
            "honored",
            "emulated",
            "ignored silently",
            "ignored",
            "refused",
        ]
        .into_iter()
        .filter_map(|word| cells[2].rfind(word).map(|at| (at, word)))
        .max_by_key(|(at, word)| (*at, word.len()))
        .unwrap()
        .1;
        for name in cells[1].split('`').skip(1).step_by(2) {
            let member = name.split('.').next().unwrap();
            verdicts
                .entry(member.to_owned())
                .or_insert_with(|| verdict.to_owned());
        }
    }
    verdicts
}

/// What becomes of a request, in the words of the table as far as they can be told from outside.
fn observed(request: &Value, member: &str) -> &'static str {
    match CASES.accept(Bytes::from(request.to_string())) {
        Err(_) => "refused",
        Ok(accepted) if accepted.ignored.contains(&member) => "ignored",
        Ok(_) => "accepted",
    }
}

#[test]
fn every_member_has_a_verdict_and_the_code_keeps_it() {
    let documented = documented();
    for member in schema::members("CreateChatCompletionRequest") {
        assert!(documented.contains_key(&*member), "`{member}` has no row");
    }
    let plain = json!({
        "model": "claude-sonnet-4-5",
        "messages": [{"role": "user", "content": "Hello"}],
    });
    for (member, verdict) in &documented {
        let mut request = plain.clone();
        match sample(member) {
            Some(Value::Object(members)) => request.as_object_mut().unwrap().extend(members),
            Some(_) => unreachable!("samples are objects"),
            None => {
                request.as_object_mut().unwrap().remove(member);
                assert_eq!(observed(&request, member), "refused", "without {member}");
                continue;
            }
        }
        if member == "input" {
            request.as_object_mut().unwrap().remove("messages");
        }
        let expected = match &**verdict {
            "honored" | "emulated" | "ignored silently" => "accepted",
            verdict => verdict,
        };
        assert_eq!(observed(&request, member), expected, "{member}");
    }
}
