//! Requests that work, to begin with. A test sends each of them.

use serde_json::{Value, json};

/// A request and what it shows.
pub(super) struct Example {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) body: Value,
}

/// A picture of 8 by 8 pixels.
macro_rules! png {
    () => {
        "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAbElEQVR42hXNQRUAUQhCUaMYhShGeVGIQhSizB+XXA7ODDtouIHBQ4YOM8suWm5h8ZKl+0CskDiBsIioHhx76LiDw0eO3oN/4FVf+J8h0PduzBqZ8x/bxNQPwgaFy192SGgelC0q13/CJaXlA8Z7WAFXOTbyAAAAAElFTkSuQmCC"
    };
}

const DATA_URL: &str = concat!("data:image/png;base64,", png!());

pub(super) fn chat() -> Vec<Example> {
    vec![
        Example {
            name: "stream",
            about: "A streamed answer",
            body: json!({
                "model": "claude-sonnet-4-5",
                "messages": [{"role": "user", "content": "Say hello."}],
                "stream": true,
                "stream_options": {"include_usage": true},
            }),
        },
        Example {
            name: "document",
            about: "An answer in one piece",
            body: json!({
                "model": "claude-sonnet-4-5",
                "messages": [
                    {"role": "system", "content": "Be brief."},
                    {"role": "user", "content": "Say hello."},
                ],
                "max_completion_tokens": 1000,
            }),
        },
        Example {
            name: "tool",
            about: "A tool that the model may call",
            body: json!({
                "model": "claude-sonnet-4-5",
                "messages": [{"role": "user", "content": "What is the weather in Paris?"}],
                "tools": [{
                    "type": "function",
                    "function": {
                        "name": "get_weather",
                        "description": "The weather of a city",
                        "parameters": {
                            "type": "object",
                            "properties": {"city": {"type": "string"}},
                            "required": ["city"],
                        },
                    },
                }],
            }),
        },
        Example {
            name: "picture",
            about: "A question about a picture",
            body: json!({
                "model": "claude-sonnet-4-5",
                "messages": [{"role": "user", "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": DATA_URL}},
                ]}],
            }),
        },
    ]
}

pub(super) fn responses() -> Vec<Example> {
    vec![
        Example {
            name: "stream",
            about: "A streamed answer",
            body: json!({"model": "claude-sonnet-4-5", "input": "Say hello.", "stream": true}),
        },
        Example {
            name: "document",
            about: "An answer in one piece, from items",
            body: json!({
                "model": "claude-sonnet-4-5",
                "instructions": "Be brief.",
                "input": [{
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": "Say hello."}],
                }],
                "reasoning": {"effort": "low"},
            }),
        },
    ]
}

pub(super) fn messages() -> Vec<Example> {
    vec![
        Example {
            name: "stream",
            about: "A streamed answer",
            body: json!({
                "model": "claude-sonnet-4-5",
                "max_tokens": 1000,
                "messages": [{"role": "user", "content": "Say hello."}],
                "stream": true,
            }),
        },
        Example {
            name: "document",
            about: "An answer in one piece, with a tool",
            body: json!({
                "model": "claude-sonnet-4-5",
                "max_tokens": 1000,
                "system": "Be brief.",
                "messages": [{"role": "user", "content": "What is the weather in Paris?"}],
                "tools": [{
                    "name": "get_weather",
                    "description": "The weather of a city",
                    "input_schema": {
                        "type": "object",
                        "properties": {"city": {"type": "string"}},
                        "required": ["city"],
                    },
                }],
            }),
        },
        Example {
            name: "picture",
            about: "A question about a picture",
            body: json!({
                "model": "claude-sonnet-4-5",
                "max_tokens": 1000,
                "messages": [{"role": "user", "content": [
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": png!()}},
                    {"type": "text", "text": "What is this?"},
                ]}],
            }),
        },
    ]
}

pub(super) fn count_tokens() -> Vec<Example> {
    vec![Example {
        name: "question",
        about: "A question with a system prompt",
        body: json!({
            "model": "claude-sonnet-4-5",
            "system": "Be brief.",
            "messages": [{"role": "user", "content": "Say hello."}],
        }),
    }]
}
