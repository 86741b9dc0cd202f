//! Conversations as agents resend them with every step.

use serde_json::{Value, json};

use crate::text;

/// The model that is asked.
pub(crate) const MODEL: &str = "claude-sonnet-4-5";

/// Bytes of [`agent`].
const AGENT_BYTES: usize = 400_000;

const AGENT_MESSAGES: usize = 200;
const AGENT_TOOLS: usize = 60;

/// The request of an agent in the middle of its work, some 400 kB: 200 messages and 60 tools, and a last question.
pub(crate) fn agent(question: &str) -> Value {
    let each = AGENT_BYTES / (AGENT_MESSAGES + AGENT_TOOLS);
    request(
        history(AGENT_MESSAGES, each),
        tools(AGENT_TOOLS, each),
        question,
    )
}

/// A streamed chat request.
pub(crate) fn request(mut messages: Vec<Value>, tools: Vec<Value>, question: &str) -> Value {
    messages.push(json!({"role": "user", "content": question}));
    let mut body = json!({"model": MODEL, "stream": true, "messages": messages});
    if !tools.is_empty() {
        body["tools"] = tools.into();
    }
    body
}

/// So many messages of so many bytes each, by user and assistant in turn.
pub(crate) fn history(messages: usize, bytes: usize) -> Vec<Value> {
    (0..messages)
        .map(|number| {
            let role = ["user", "assistant"][number % 2];
            json!({"role": role, "content": said(number, bytes)})
        })
        .collect()
}

/// So many tools with descriptions of so many bytes each.
pub(crate) fn tools(tools: usize, bytes: usize) -> Vec<Value> {
    (0..tools)
        .map(|number| {
            json!({"type": "function", "function": {
                "name": format!("tool_{number}"),
                "description": said(number, bytes),
                "parameters": {
                    "type": "object",
                    "properties": {
                        "path": {"type": "string", "description": "Where."},
                        "lines": {"type": "array", "items": {"type": "integer"}},
                    },
                    "required": ["path"],
                },
            }})
        })
        .collect()
}

/// Some text, another one for each number.
pub(crate) fn said(number: usize, bytes: usize) -> String {
    let mut said = format!("Step {number}.");
    let words = text::words();
    let mut words = words.into_iter().cycle().skip(number * 7);
    while said.len() < bytes {
        said.extend(words.next());
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agents_request_is_as_large_as_it_says() {
        let length = agent("Go on.").to_string().len();
        assert!(length.abs_diff(AGENT_BYTES) < AGENT_BYTES / 10, "{length}");
    }
}
