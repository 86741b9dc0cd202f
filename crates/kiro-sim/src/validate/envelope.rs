//! The outside of a request: the top level and `conversationState`.

use kiro_protocol::Generation;
use serde_json::{Map, Value};

use super::shape::{Kind, Place, check_members, list, object, text};
use super::{Rules, Violation};

const TOP: &[(&str, Kind)] = &[
    ("conversationState", Kind::Object),
    ("profileArn", Kind::Text),
    ("agentMode", Kind::Text),
    ("additionalModelRequestFields", Kind::Object),
    ("systemPrompt", Kind::Any),
];

const STATE: &[(&str, Kind)] = &[
    ("currentMessage", Kind::Object),
    ("chatTriggerType", Kind::Text),
    ("conversationId", Kind::Text),
    ("rootConversationId", Kind::Text),
    ("history", Kind::List),
    ("agentContinuationId", Kind::Text),
    ("agentTaskType", Kind::Text),
    ("customizationArn", Kind::Text),
    ("workspaceId", Kind::Text),
];

/// Of `currentMessage` and of an entry of the history.
pub(super) const MESSAGE: &[(&str, Kind)] = &[
    ("userInputMessage", Kind::Any),
    ("assistantResponseMessage", Kind::Any),
];

/// A request whose outside is sound.
#[derive(Debug)]
pub(super) struct Opened<'a> {
    pub(super) top: &'a Map<String, Value>,
    pub(super) profile_arn: Option<&'a str>,
    pub(super) history: &'a [Value],
    /// The members of `currentMessage.userInputMessage`.
    pub(super) current: &'a Map<String, Value>,
}

/// Checks the outside and finds the parts.
pub(super) fn open<'a>(body: &'a Value, rules: &Rules) -> Result<Opened<'a>, Violation> {
    let top = object(body, "body", Place::Top)?;
    check_members(top, TOP, Place::Top, rules)?;
    if top.contains_key("systemPrompt") {
        return Err(Violation::improper(
            "S7",
            "systemPrompt is modelled but refused",
        ));
    }
    check_agent_mode(top, rules)?;

    let state = member(top, "conversationState", Place::Top)?;
    check_members(state, STATE, Place::State, rules)?;
    check_trigger(state)?;
    check_conversation_id(state)?;

    let current = member(state, "currentMessage", Place::State)?;
    check_members(current, MESSAGE, Place::Current, rules)?;
    let Some(message) = current.get("userInputMessage") else {
        let detail = "currentMessage has no userInputMessage";
        return Err(Violation::improper("H4", detail));
    };
    if current.contains_key("assistantResponseMessage") {
        let detail = "currentMessage has an assistantResponseMessage";
        return Err(Violation::improper("H4", detail));
    }
    Ok(Opened {
        top,
        profile_arn: text(top, "profileArn"),
        history: list(state, "history"),
        current: object(message, "userInputMessage", Place::Current)?,
    })
}

fn member<'a>(
    object_: &'a Map<String, Value>,
    name: &str,
    place: Place,
) -> Result<&'a Map<String, Value>, Violation> {
    match object_.get(name) {
        Some(value) => object(value, name, place),
        None => Err(Violation::improper(
            "S1",
            format!("{place}: {name} is missing"),
        )),
    }
}

/// `agentMode` travels in the body of the newest generation only; the first one has a header for it.
fn check_agent_mode(top: &Map<String, Value>, rules: &Rules) -> Result<(), Violation> {
    if !rules.is_strict() || rules.generation != Generation::Krs {
        return Ok(());
    }
    match text(top, "agentMode") {
        Some(mode) if !mode.is_empty() => Ok(()),
        _ => Err(Violation::improper(
            "S5",
            "agentMode is missing from the body",
        )),
    }
}

fn check_trigger(state: &Map<String, Value>) -> Result<(), Violation> {
    match text(state, "chatTriggerType") {
        None | Some("MANUAL" | "DIAGNOSTIC" | "INLINE_CHAT") => Ok(()),
        Some(_) => Err(Violation::improper(
            "S3",
            "chatTriggerType is not a known trigger",
        )),
    }
}

fn check_conversation_id(state: &Map<String, Value>) -> Result<(), Violation> {
    for name in ["conversationId", "rootConversationId"] {
        let Some(id) = text(state, name) else {
            continue;
        };
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
        if id.is_empty() || id.len() > 256 || !id.bytes().all(legal) {
            let message = "Invalid conversation ID.";
            let detail = format!("{name} does not match [A-Za-z0-9._:-]{{1,256}}");
            let reason = Some("INVALID_CONVERSATION_ID");
            return Err(Violation::invalid("S4", reason, message, detail));
        }
    }
    Ok(())
}
