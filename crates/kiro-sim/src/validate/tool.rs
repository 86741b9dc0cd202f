//! Declared tools, tool uses and tool results.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::envelope::Opened;
use super::history::Speaker;
use super::message::{context, too_long, tool_results, tools};
use super::schema;
use super::shape::{Kind, Place, check_members, list, object, text};
use super::{Rules, Violation};

/// Checks everything about tools except who answers whom.
pub(super) fn check(request: &Opened<'_>, rules: &Rules) -> Result<(), Violation> {
    let declared = check_declared(request.current, rules)?;
    for (index, entry) in request.history.iter().enumerate() {
        let place = Place::History(index);
        match Speaker::of(entry, place)? {
            Speaker::User(message) => check_results(message, place, rules)?,
            Speaker::Assistant(message) => {
                for tool_use in list(message, "toolUses") {
                    check_use(tool_use, &declared, place, rules)?;
                }
            }
        }
    }
    check_results(request.current, Place::Current, rules)
}

/// Checks the list of tools; answers with their names in lower case.
fn check_declared(
    message: &Map<String, Value>,
    rules: &Rules,
) -> Result<HashSet<String>, Violation> {
    let place = Place::Current;
    let mut names = HashSet::new();
    for entry in tools(message) {
        let entry = object(entry, "tool", place)?;
        check_members(
            entry,
            &[
                ("toolSpecification", Kind::Object),
                ("cachePoint", Kind::Object),
            ],
            place,
            rules,
        )?;
        let specification = match (entry.get("toolSpecification"), entry.get("cachePoint")) {
            (Some(specification), None) => object(specification, "toolSpecification", place)?,
            (None, Some(_)) => continue,
            _ => {
                let detail = format!("{place}: a tool that is not exactly one of its forms");
                return Err(Violation::improper("T11", detail));
            }
        };
        let name = check_specification(specification, rules)?;
        if !names.insert(name.to_ascii_lowercase()) {
            let message = "Duplicate tool name.";
            let detail = format!("{place}: tool {name} is declared twice");
            let reason = Some("TOOL_DUPLICATE");
            return Err(Violation::invalid("T2", reason, message, detail));
        }
    }
    Ok(names)
}

fn check_specification<'a>(
    specification: &'a Map<String, Value>,
    rules: &Rules,
) -> Result<&'a str, Violation> {
    let place = Place::Current;
    check_members(
        specification,
        &[
            ("name", Kind::Text),
            ("description", Kind::Text),
            ("inputSchema", Kind::Object),
        ],
        place,
        rules,
    )?;
    let name = text(specification, "name").unwrap_or_default();
    check_name(name, place, rules)?;
    let description = text(specification, "description").unwrap_or_default();
    let limit = rules.limits.tool_description_bytes;
    if description.trim().is_empty() || description.len() > limit {
        let detail = format!("{place}: tool {name} needs a description of 1 to {limit} bytes");
        return Err(Violation::bad_tool("T3", detail));
    }
    let schema = specification.get("inputSchema").and_then(Value::as_object);
    if let Some(schema) = schema {
        check_members(schema, &[("json", Kind::Any)], place, rules)?;
    }
    schema::check(schema.and_then(|schema| schema.get("json")), name, rules)?;
    Ok(name)
}

/// The service takes letters, digits, `_` and `-`; official clients insist on a leading letter as well.
fn check_name(name: &str, place: Place, rules: &Rules) -> Result<(), Violation> {
    let leading = name
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic());
    if !is_identifier(name) || (rules.is_strict() && !leading) {
        let detail = format!("{place}: tool name {name:?} is not [a-zA-Z][a-zA-Z0-9_-]{{0,63}}");
        return Err(Violation::bad_tool("T1", detail));
    }
    Ok(())
}

fn check_use(
    tool_use: &Value,
    declared: &HashSet<String>,
    place: Place,
    rules: &Rules,
) -> Result<(), Violation> {
    let tool_use = object(tool_use, "toolUse", place)?;
    check_members(
        tool_use,
        &[
            ("toolUseId", Kind::Text),
            ("name", Kind::Text),
            ("input", Kind::Any),
        ],
        place,
        rules,
    )?;
    check_id(tool_use, place)?;
    let name = text(tool_use, "name").unwrap_or_default();
    check_name(name, place, rules)?;
    if !tool_use.get("input").is_some_and(Value::is_object) {
        let detail = format!("{place}: the input of tool {name} is not an object");
        return Err(Violation::bad_tool("T9", detail));
    }
    if !declared.contains(&name.to_ascii_lowercase()) {
        let detail = format!("{place}: tool {name} is used but not declared");
        return Err(Violation::bad_tool("H8", detail));
    }
    Ok(())
}

fn check_results(
    message: &Map<String, Value>,
    place: Place,
    rules: &Rules,
) -> Result<(), Violation> {
    if context(message).is_none() {
        return Ok(());
    }
    for result in tool_results(message) {
        let result = object(result, "toolResult", place)?;
        let known = [
            ("toolUseId", Kind::Text),
            ("status", Kind::Text),
            ("content", Kind::List),
            ("toolName", Kind::Any),
        ];
        check_members(result, &known, place, rules)?;
        check_id(result, place)?;
        check_status(result, place, rules)?;
        check_content(list(result, "content"), place, rules)?;
    }
    Ok(())
}

fn check_id(item: &Map<String, Value>, place: Place) -> Result<(), Violation> {
    match text(item, "toolUseId") {
        Some(id) if is_identifier(id) => Ok(()),
        _ => {
            let detail = format!("{place}: toolUseId is not [a-zA-Z0-9_-]{{1,64}}");
            Err(Violation::bad_tool("T9", detail))
        }
    }
}

/// The model says lower case; two public gateways write upper case and get away with it.
fn check_status(item: &Map<String, Value>, place: Place, rules: &Rules) -> Result<(), Violation> {
    let Some(status) = text(item, "status") else {
        return Ok(());
    };
    let known = match rules.is_strict() {
        true => matches!(status, "success" | "error"),
        false => matches!(status.to_ascii_lowercase().as_str(), "success" | "error"),
    };
    if known {
        return Ok(());
    }
    let detail = format!("{place}: a tool result's status is neither success nor error");
    Err(Violation::improper("T10", detail))
}

fn check_content(content: &[Value], place: Place, rules: &Rules) -> Result<(), Violation> {
    if content.is_empty() {
        let detail = format!("{place}: a tool result without content");
        return Err(Violation::improper("T10", detail));
    }
    let mut chars = 0;
    for block in content {
        let block = object(block, "content block", place)?;
        let known = [("text", Kind::Text), ("json", Kind::Any)];
        check_members(block, &known, place, rules)?;
        chars += text(block, "text").map_or(0, |text| text.chars().count());
    }
    let limit = rules.limits.tool_result_chars;
    if chars > limit {
        return Err(too_long(format!(
            "{place}: a tool result of more than {limit} characters"
        )));
    }
    Ok(())
}

fn is_identifier(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=64).contains(&name.len()) && name.bytes().all(legal)
}
