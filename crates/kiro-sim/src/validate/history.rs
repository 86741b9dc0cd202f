//! The history: who speaks when, and reasoning that comes back.

use serde_json::{Map, Value};

use super::envelope::{MESSAGE, Opened};
use super::message::{check_assistant, check_user};
use super::shape::{Kind, Place, check_members, object, text};
use super::{Rules, Violation};

/// Checks every message and the order of speakers.
pub(super) fn check(request: &Opened<'_>, rules: &Rules) -> Result<(), Violation> {
    let limit = rules.limits.history;
    if rules.is_strict() && request.history.len() > limit {
        let detail = format!("history has more than {limit} messages");
        return Err(Violation::improper("H12", detail));
    }
    let mut before = None;
    for (index, entry) in request.history.iter().enumerate() {
        let place = Place::History(index);
        let speaker = Speaker::of(entry, place)?;
        check_members(object(entry, "entry", place)?, MESSAGE, place, rules)?;
        match speaker {
            Speaker::User(message) => check_user(message, place, rules)?,
            Speaker::Assistant(message) => {
                check_assistant(message, place, rules)?;
                check_reasoning(message, place, rules)?;
            }
        }
        check_order(before, speaker.is_user(), place, rules)?;
        before = Some(speaker.is_user());
    }
    check_order(before.or(Some(false)), true, Place::Current, rules)?;
    check_user(request.current, Place::Current, rules)
}

/// The readable reasoning of a body's history, as pairs of text and signature.
///
/// A service that gave the signatures can compare both with what it gave; the body alone only shows that
/// they are there.
pub fn signed_reasoning(body: &Value) -> impl Iterator<Item = (&str, &str)> {
    let history = body
        .pointer("/conversationState/history")
        .and_then(Value::as_array);
    history.into_iter().flatten().filter_map(|entry| {
        let block = entry.pointer("/assistantResponseMessage/reasoningContent/reasoningText")?;
        Some((
            block.get("text")?.as_str()?,
            block.get("signature")?.as_str()?,
        ))
    })
}

/// Who speaks in a history entry, with what.
#[derive(Debug, Clone, Copy)]
pub(super) enum Speaker<'a> {
    User(&'a Map<String, Value>),
    Assistant(&'a Map<String, Value>),
}

impl<'a> Speaker<'a> {
    pub(super) fn of(entry: &'a Value, place: Place) -> Result<Self, Violation> {
        let entry = object(entry, "entry", place)?;
        match (
            entry.get("userInputMessage"),
            entry.get("assistantResponseMessage"),
        ) {
            (Some(user), None) => Ok(Self::User(object(user, "userInputMessage", place)?)),
            (None, Some(assistant)) => Ok(Self::Assistant(object(
                assistant,
                "assistantResponseMessage",
                place,
            )?)),
            _ => {
                let detail = format!("{place}: not exactly one of user and assistant message");
                Err(Violation::improper("H1", detail))
            }
        }
    }

    fn is_user(self) -> bool {
        matches!(self, Self::User(_))
    }
}

fn check_order(
    before_is_user: Option<bool>,
    is_user: bool,
    place: Place,
    rules: &Rules,
) -> Result<(), Violation> {
    match before_is_user {
        None if !is_user => Err(Violation::improper(
            "H2",
            format!("{place}: the assistant speaks first"),
        )),
        Some(before) if before == is_user && rules.is_strict() => {
            let who = if is_user { "user" } else { "assistant" };
            Err(Violation::improper(
                "H3",
                format!("{place}: the {who} speaks twice in a row"),
            ))
        }
        _ => Ok(()),
    }
}

/// Reasoning is a union of signed text and redacted bytes. The flat form is a shape error; a missing
/// signature has its own reason. Source: several public gateways, 2026.
fn check_reasoning(
    message: &Map<String, Value>,
    place: Place,
    rules: &Rules,
) -> Result<(), Violation> {
    let Some(reasoning) = message.get("reasoningContent") else {
        return Ok(());
    };
    let reasoning = object(reasoning, "reasoningContent", place)?;
    check_members(
        reasoning,
        &[
            ("reasoningText", Kind::Object),
            ("redactedContent", Kind::Text),
        ],
        place,
        rules,
    )?;
    match (
        reasoning.get("reasoningText"),
        reasoning.get("redactedContent"),
    ) {
        (None, Some(_)) => Ok(()),
        (Some(block), None) => {
            check_signature(object(block, "reasoningText", place)?, place, rules)
        }
        _ => {
            let detail = format!("{place}: reasoningContent is not exactly one of its forms");
            Err(Violation::improper("H13", detail))
        }
    }
}

fn check_signature(
    block: &Map<String, Value>,
    place: Place,
    rules: &Rules,
) -> Result<(), Violation> {
    check_members(
        block,
        &[("text", Kind::Text), ("signature", Kind::Text)],
        place,
        rules,
    )?;
    if text(block, "text").is_none() {
        return Err(Violation::improper(
            "S1",
            format!("{place}: reasoningText has no text"),
        ));
    }
    match text(block, "signature") {
        Some(signature) if !signature.is_empty() => Ok(()),
        _ => Err(bad_signature(format!(
            "{place}: reasoning without a signature"
        ))),
    }
}

/// The answer to reasoning that the model did not give.
pub(crate) fn bad_signature(detail: String) -> Violation {
    let message = "Invalid `signature` in `thinking` block";
    Violation::invalid("H13", Some("THINKING_SIGNATURE_INVALID"), message, detail)
}
