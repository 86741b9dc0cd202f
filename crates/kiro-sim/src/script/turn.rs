//! The part of a request that an answer is chosen by.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kiro_protocol::Generation;
use serde_json::Value;

use crate::{AccountId, picture};

/// The current message of a request, with what matters for choosing an answer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CurrentTurn<'a> {
    /// The text of the current message.
    pub text: &'a str,
    /// The wire id of the model; `auto` when the request names none.
    pub model: &'a str,
    /// The `agentMode` of the body, if any.
    pub agent_mode: Option<&'a str>,
    /// The tools on offer, in order.
    pub tools: Vec<DeclaredTool<'a>>,
    /// The tool results in the current message, in order.
    pub results: Vec<ToolAnswer>,
    /// The pictures in the current message, in order.
    pub pictures: Vec<Picture>,
    /// `additionalModelRequestFields`, if any.
    pub fields: Option<&'a Value>,
    /// Messages in the history.
    pub history_len: usize,
    /// The whole body as received.
    pub body: &'a str,
    /// Whose token came with it.
    pub account: Option<AccountId>,
    /// The spelling of the request.
    pub generation: Option<Generation>,
}

/// A tool on offer.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct DeclaredTool<'a> {
    /// Its name.
    pub name: &'a str,
    /// The JSON schema of its input.
    pub schema: &'a Value,
}

/// A tool result.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolAnswer {
    /// The id of the tool use.
    pub id: String,
    /// Its texts joined by newlines; JSON blocks as compact JSON.
    pub text: String,
    /// Whether the tool failed.
    pub is_error: bool,
}

/// A picture, as far as its first bytes tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Picture {
    /// The name of its format, for example `png`.
    pub format: &'static str,
    /// Its length in bytes, after base64.
    pub n_bytes: usize,
    /// Width and height in pixels, where the header could be read.
    pub size: Option<(u32, u32)>,
}

impl<'a> CurrentTurn<'a> {
    /// Reads a body that has passed [`validate`](crate::validate::validate); what is missing is empty. Account and
    /// generation are no part of the body, and left open.
    pub fn of(json: &'a Value, body: &'a str) -> Self {
        let state = json.get("conversationState");
        let message = state.and_then(|state| state.pointer("/currentMessage/userInputMessage"));
        let text = |name| {
            message
                .and_then(|message| message.get(name))
                .and_then(Value::as_str)
        };
        let list = |path| items(message.and_then(|message| message.pointer(path)));
        Self {
            text: text("content").unwrap_or_default(),
            model: text("modelId").unwrap_or("auto"),
            agent_mode: json.get("agentMode").and_then(Value::as_str),
            tools: list("/userInputMessageContext/tools")
                .filter_map(tool)
                .collect(),
            results: list("/userInputMessageContext/toolResults")
                .map(result)
                .collect(),
            pictures: list("/images").filter_map(image).collect(),
            fields: json.get("additionalModelRequestFields"),
            history_len: items(state.and_then(|state| state.get("history"))).count(),
            body,
            account: None,
            generation: None,
        }
    }
}

fn items(list: Option<&Value>) -> impl Iterator<Item = &Value> {
    list.and_then(Value::as_array).into_iter().flatten()
}

fn tool(entry: &Value) -> Option<DeclaredTool<'_>> {
    let specification = entry.get("toolSpecification")?;
    Some(DeclaredTool {
        name: specification.get("name")?.as_str()?,
        schema: specification.pointer("/inputSchema/json")?,
    })
}

fn result(entry: &Value) -> ToolAnswer {
    let status = entry
        .get("status")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let texts: Vec<String> = items(entry.get("content"))
        .filter_map(|block| match (block.get("text"), block.get("json")) {
            (Some(Value::String(text)), _) => Some(text.clone()),
            (_, Some(json)) => Some(json.to_string()),
            _ => None,
        })
        .collect();
    ToolAnswer {
        id: entry
            .get("toolUseId")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        text: texts.join("\n"),
        is_error: status.eq_ignore_ascii_case("error"),
    }
}

fn image(entry: &Value) -> Option<Picture> {
    let bytes = STANDARD
        .decode(entry.pointer("/source/bytes")?.as_str()?)
        .ok()?;
    let seen = picture::inspect(&bytes)?;
    Some(Picture {
        format: seen.format.name(),
        n_bytes: bytes.len(),
        size: seen.size,
    })
}
