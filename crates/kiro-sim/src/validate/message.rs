//! One message: its members, its text, its origin.

use kiro_protocol::Generation;
use serde_json::{Map, Value};

use super::shape::{Kind, Place, check_members, check_not_empty, list, text};
use super::{Rules, Violation};

const USER: &[(&str, Kind)] = &[
    ("content", Kind::Text),
    ("modelId", Kind::Text),
    ("origin", Kind::Text),
    ("images", Kind::List),
    ("documents", Kind::List),
    ("userInputMessageContext", Kind::Object),
    ("userIntent", Kind::Text),
    ("cachePoint", Kind::Object),
    ("clientCacheConfig", Kind::Object),
];

const CONTEXT: &[(&str, Kind)] = &[
    ("tools", Kind::List),
    ("toolResults", Kind::List),
    ("envState", Kind::Object),
    ("editorState", Kind::Object),
    ("shellState", Kind::Object),
    ("gitState", Kind::Object),
    ("additionalContext", Kind::List),
    ("appStudioContext", Kind::Any),
    ("consoleState", Kind::Any),
    ("diagnostic", Kind::Any),
    ("userSettings", Kind::Any),
];

const ASSISTANT: &[(&str, Kind)] = &[
    ("content", Kind::Text),
    ("toolUses", Kind::List),
    ("messageId", Kind::Text),
    ("reasoningContent", Kind::Object),
    ("cachePoint", Kind::Object),
    ("followupPrompt", Kind::Any),
    ("references", Kind::Any),
    ("supplementaryWebLinks", Kind::Any),
];

/// Values that the model of the service knows. Source: the official streaming SDK.
const ORIGINS: &[&str] = &[
    "AI_EDITOR",
    "CHATBOT",
    "CLI",
    "CONSOLE",
    "DOCUMENTATION",
    "GITLAB",
    "IDE",
    "INLINE_CHAT",
    "KIRO_CLI",
    "KIRO_WEB",
    "MARKETING",
    "MD",
    "MD_CE",
    "MD_IDE",
    "MOBILE",
    "OPENSEARCH_DASHBOARD",
    "Q_DEV_BEXT",
    "SAGE_MAKER",
    "SERVICE_INTERNAL",
    "SM_AI_STUDIO_IDE",
    "UNIFIED_SEARCH",
    "UNKNOWN",
];

/// Checks a `userInputMessage`.
pub(super) fn check_user(
    message: &Map<String, Value>,
    place: Place,
    rules: &Rules,
) -> Result<(), Violation> {
    check_members(message, USER, place, rules)?;
    if let Some(context) = context(message) {
        check_members(context, CONTEXT, place, rules)?;
    }
    check_lists(message, place, rules)?;
    check_origin(message, place, rules)?;
    check_text(message, place, rules)
}

/// Checks an `assistantResponseMessage`, its tool uses and reasoning apart.
pub(super) fn check_assistant(
    message: &Map<String, Value>,
    place: Place,
    rules: &Rules,
) -> Result<(), Violation> {
    check_members(message, ASSISTANT, place, rules)?;
    if message.contains_key("toolUses") {
        check_not_empty(
            list(message, "toolUses"),
            "toolUses",
            place,
            rules.is_strict(),
        )?;
    }
    let Some(content) = text(message, "content") else {
        return Err(Violation::improper(
            "S1",
            format!("{place}: content is missing"),
        ));
    };
    let says_nothing = content.is_empty()
        && list(message, "toolUses").is_empty()
        && !message.contains_key("reasoningContent");
    if rules.is_strict() && says_nothing {
        let detail = format!("{place}: an assistant message without text, tool use or reasoning");
        return Err(Violation::improper("S9", detail));
    }
    Ok(())
}

/// The context of a user message, once its type has been checked.
pub(super) fn context(message: &Map<String, Value>) -> Option<&Map<String, Value>> {
    message
        .get("userInputMessageContext")
        .and_then(Value::as_object)
}

/// The tool results of a user message.
pub(super) fn tool_results(message: &Map<String, Value>) -> &[Value] {
    context(message).map_or(&[], |context| list(context, "toolResults"))
}

/// The declared tools of a user message.
pub(super) fn tools(message: &Map<String, Value>) -> &[Value] {
    context(message).map_or(&[], |context| list(context, "tools"))
}

fn check_lists(message: &Map<String, Value>, place: Place, rules: &Rules) -> Result<(), Violation> {
    let strict = rules.is_strict();
    for name in ["images", "documents"] {
        if message.contains_key(name) {
            check_not_empty(list(message, name), name, place, strict)?;
        }
    }
    let Some(context) = context(message) else {
        return Ok(());
    };
    for name in ["tools", "toolResults"] {
        if context.contains_key(name) {
            check_not_empty(list(context, name), name, place, strict)?;
        }
    }
    if strict && place != Place::Current && context.contains_key("tools") {
        return Err(Violation::improper(
            "H9",
            format!("{place}: tools in the history"),
        ));
    }
    Ok(())
}

/// An unknown origin is a shape error. A known one that does not fit the operation is taken for a wrong
/// credential; source: one public gateway, 2026.
fn check_origin(
    message: &Map<String, Value>,
    place: Place,
    rules: &Rules,
) -> Result<(), Violation> {
    let Some(origin) = text(message, "origin") else {
        return Ok(());
    };
    if !ORIGINS.contains(&origin) {
        return Err(Violation::improper(
            "S6",
            format!("{place}: origin is not a known one"),
        ));
    }
    let fitting: &[&str] = match rules.generation {
        _ if rules.send_message => &["CLI"],
        Generation::Cli => &["KIRO_CLI", "CLI", "AI_EDITOR"],
        _ => &["AI_EDITOR"],
    };
    if rules.is_strict() && !fitting.contains(&origin) {
        let message = "The provided credential is invalid.";
        let detail = format!("{place}: origin {origin} does not fit the operation");
        return Err(Violation::invalid("S6", None, message, detail));
    }
    Ok(())
}

fn check_text(message: &Map<String, Value>, place: Place, rules: &Rules) -> Result<(), Violation> {
    let Some(content) = text(message, "content") else {
        return Err(Violation::improper(
            "S1",
            format!("{place}: content is missing"),
        ));
    };
    let carries = !tool_results(message).is_empty()
        || !list(message, "images").is_empty()
        || !list(message, "documents").is_empty();
    let blank = if rules.is_strict() {
        content.trim().is_empty()
    } else {
        content.is_empty()
    };
    if blank && !carries {
        return Err(Violation::improper(
            "S9",
            format!("{place}: a user message without text"),
        ));
    }
    // The comparison in bytes is cheap and rules out nearly every message.
    let limit = rules.limits.message_chars;
    if content.len() > limit && content.chars().count() > limit {
        let detail = format!("{place}: content is longer than {limit} characters");
        return Err(too_long(detail));
    }
    Ok(())
}

/// The answer to a text over the service's own limit.
pub(super) fn too_long(detail: String) -> Violation {
    let reason = Some("CONTENT_LENGTH_EXCEEDS_THRESHOLD");
    Violation::invalid("S10", reason, "Input is too long.", detail)
}
