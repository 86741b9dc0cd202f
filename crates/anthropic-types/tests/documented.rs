//! Documented bodies are read, and written as they were.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use anthropic_types::{
    Block, Content, ErrorBody, Event, Message, MessagesRequest, ModelList, TokenCount,
};
use serde::de::Deserialize;
use serde::ser::Serialize;

fn again<'a, T: Deserialize<'a> + Serialize>(json: &'a str) {
    let value: T = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"));
    assert_eq!(serde_json::to_string(&value).unwrap(), json);
}

#[test]
fn answers_are_written_as_they_are_read() {
    again::<Message<'_>>(
        r#"{"id":"msg_01XFDUDYJgAACzvnptvVoYEL","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"thinking","thinking":"\u00e9…","signature":"EqoB"},{"type":"redacted_thinking","data":"YWJj"},{"type":"text","text":"Let me look."},{"type":"tool_use","id":"toolu_01","name":"get_weather","input":{"n": 1.50}}],"stop_reason":"tool_use","stop_sequence":null,"stop_details":null,"container":null,"usage":{"input_tokens":176,"cache_creation_input_tokens":0,"cache_read_input_tokens":1024,"output_tokens":46,"output_tokens_details":{"thinking_tokens":32}}}"#,
    );
    again::<TokenCount>(r#"{"input_tokens":2095}"#);
    again::<ErrorBody>(
        r#"{"type":"error","error":{"type":"not_found_error","message":"model: x"},"request_id":null}"#,
    );
    again::<ErrorBody>(
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"x","details":{"error_code":"thread_unsupported_request","unsupported":["thread"]}},"request_id":null}"#,
    );
    again::<ModelList>(
        r#"{"data":[{"type":"model","id":"a","display_name":"A","created_at":"2025-09-29T00:00:00Z","max_tokens":64000}],"has_more":false,"first_id":"a","last_id":"a"}"#,
    );
}

#[test]
fn every_event_is_written_as_it_is_read() {
    for event in [
        r#"{"type":"ping"}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_01A","name":"get_weather","input":{}}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Let me "}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqoB"}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hel"}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"city\":"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"stop_sequence","stop_sequence":"END"},"usage":{"input_tokens":1,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":4}}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":1,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":4}}"#,
        r#"{"type":"message_stop"}"#,
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}"#,
    ] {
        again::<Event<'_>>(event);
    }
}

#[test]
fn a_request_of_claude_code_is_read() {
    let body = r#"{"model":"claude-sonnet-4-5","max_tokens":32000,"stream":true,
        "system":[{"type":"text","text":"x-anthropic-billing-header: a"},{"type":"text","text":"You are","cache_control":{"type":"ephemeral","scope":"global"}}],
        "metadata":{"user_id":"{\"session_id\":\"s\"}"},"context_management":{"edits":[{"type":"clear_thinking_20251015","keep":"all"}]},
        "thinking":{"type":"enabled","budget_tokens":31999},"temperature":null,
        "tools":[{"name":"Read","description":"Reads","input_schema":{"$schema":"x","type":"object"},"eager_input_streaming":true}],
        "messages":[{"role":"user","content":"Hello"},{"role":"system","content":"Mind"},
            {"role":"assistant","content":[{"type":"thinking","thinking":"Hm","signature":"EqoB"},{"type":"tool_use","id":"t","name":"Read","input":{"a":1}}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"t","is_error":true,"content":[{"type":"text","text":"no"}],"cache_control":{"type":"ephemeral"}}]}]}"#;
    let request: MessagesRequest<'_> = serde_json::from_str(body).unwrap();
    assert_eq!(request.temperature, None);
    assert_eq!(request.thinking.unwrap().budget_tokens, Some(31999));
    let messages = request.messages.unwrap();
    let Some(Content::Blocks(blocks)) = &messages[3].content else {
        panic!("blocks were sent");
    };
    let blocks: Vec<Block<'_>> = serde_json::from_str(blocks.as_json()).unwrap();
    assert_eq!(blocks[0].is_error, Some(true));
    let content: Content<'_> =
        serde_json::from_str(blocks[0].content.as_ref().unwrap().as_json()).unwrap();
    assert!(matches!(content, Content::Blocks(_)));
}

#[test]
fn what_is_neither_text_nor_blocks_is_refused() {
    for body in [
        r#"{"messages":[{"content":5}]}"#,
        r#"{"system":{}}"#,
        r#"{"messages":{}}"#,
        r#"{"tools":[{"input_schema":[]}]}"#,
    ] {
        assert!(
            serde_json::from_str::<MessagesRequest<'_>>(body).is_err(),
            "{body}"
        );
    }
}
