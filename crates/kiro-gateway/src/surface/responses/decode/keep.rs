//! What is kept of a request for later ones.

use openai_types::Text;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::input::Whole;
use crate::kept::Item;

/// The items that the request adds to the conversation, each with an id.
pub(super) fn items(whole: &Whole<'_>) -> Vec<Item> {
    let new = whole.items.iter().filter(|given| given.is_new);
    let items = new.filter_map(|given| item(given.json));
    let text = whole.text.as_ref().and_then(message);
    items.chain(text).collect()
}

/// An item in the full form, in which it can be listed. What cannot be taken apart has no such form and is
/// not kept.
fn item(json: &str) -> Option<Item> {
    let mut members: Map<String, Value> = serde_json::from_str(json).ok()?;
    let kind = members.entry("type").or_insert_with(|| "message".into());
    let kind = kind.as_str().unwrap_or_default().to_owned();
    if kind == "message"
        && let Some(Value::String(text)) = members.get("content")
    {
        let part = match members.get("role").and_then(Value::as_str) {
            Some("assistant") => {
                json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
            }
            _ => json!({"type": "input_text", "text": text}),
        };
        members.insert("content".into(), vec![part].into());
    }
    let id = members.get("id").and_then(Value::as_str).map(str::to_owned);
    let id = id.unwrap_or_else(|| new_id(&kind));
    members.insert("id".into(), id.clone().into());
    finish(id, &members.into())
}

fn message(text: &Text<'_>) -> Option<Item> {
    let id = new_id("message");
    let text = text.to_plain().ok()?;
    let content = json!([{"type": "input_text", "text": text}]);
    let message = json!({"id": id, "type": "message", "role": "user", "content": content});
    finish(id, &message)
}

fn finish(id: String, item: &Value) -> Option<Item> {
    let json: Box<RawValue> = to_raw_value(item).ok()?;
    let json = json.into();
    Some(Item { id, json })
}

fn new_id(kind: &str) -> String {
    let prefix = match kind {
        "message" => "msg",
        "function_call" => "fc",
        "function_call_output" => "fco",
        "custom_tool_call" => "ctc",
        "custom_tool_call_output" => "ctco",
        "reasoning" => "rs",
        _ => "item",
    };
    format!("{prefix}_{}", Uuid::new_v4().simple())
}
