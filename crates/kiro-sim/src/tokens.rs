//! How long a request is.
//!
//! The service never tells how it counts, so the simulator has a rule of its own that anybody can repeat:
//! the UTF-8 bytes of all texts (messages, reasoning, tool results) and of all free JSON written compactly
//! (tool inputs, JSON results, tool specifications) are added up and divided by four, rounded up, as the
//! official CLI estimates; every picture adds width × height / 750 tokens, at least 256, or 1 600 when its
//! size cannot be read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::picture;

/// Tokens of a Generate body.
pub(crate) fn count(body: &Value) -> u64 {
    let mut tally = Tally::default();
    if let Some(state) = body.get("conversationState") {
        for entry in items(state.get("history")) {
            tally.message(entry.get("userInputMessage"));
            tally.answer(entry.get("assistantResponseMessage"));
        }
        tally.message(state.pointer("/currentMessage/userInputMessage"));
    }
    tally.bytes.div_ceil(4) + tally.picture_tokens
}

#[derive(Debug, Default)]
struct Tally {
    bytes: u64,
    picture_tokens: u64,
}

impl Tally {
    fn message(&mut self, message: Option<&Value>) {
        let Some(message) = message else {
            return;
        };
        self.text(message.get("content"));
        let context = message.get("userInputMessageContext");
        for tool in items(context.and_then(|context| context.get("tools"))) {
            self.json(tool.get("toolSpecification"));
        }
        for result in items(context.and_then(|context| context.get("toolResults"))) {
            for block in items(result.get("content")) {
                self.text(block.get("text"));
                self.json(block.get("json"));
            }
        }
        for image in items(message.get("images")) {
            self.picture_tokens += picture_tokens(image);
        }
    }

    fn answer(&mut self, message: Option<&Value>) {
        let Some(message) = message else {
            return;
        };
        self.text(message.get("content"));
        self.text(message.pointer("/reasoningContent/reasoningText/text"));
        for tool_use in items(message.get("toolUses")) {
            self.text(tool_use.get("name"));
            self.json(tool_use.get("input"));
        }
    }

    fn text(&mut self, text: Option<&Value>) {
        self.bytes += text
            .and_then(Value::as_str)
            .map_or(0, |text| text.len() as u64);
    }

    fn json(&mut self, json: Option<&Value>) {
        self.bytes += json.map_or(0, |json| json.to_string().len() as u64);
    }
}

fn picture_tokens(image: &Value) -> u64 {
    let base64 = image
        .pointer("/source/bytes")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let size = STANDARD
        .decode(base64)
        .ok()
        .and_then(|bytes| picture::inspect(&bytes)?.size);
    match size {
        Some((width, height)) => (u64::from(width) * u64::from(height) / 750).max(256),
        None => 1600,
    }
}

fn items(list: Option<&Value>) -> impl Iterator<Item = &Value> {
    list.and_then(Value::as_array).into_iter().flatten()
}
