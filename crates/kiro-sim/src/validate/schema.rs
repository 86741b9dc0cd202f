//! The input schema of a tool.

use serde_json::{Map, Value};

use super::{Rules, Violation};

/// Keywords that the service has been seen to refuse or ignore. Source: one public gateway, August 2026;
/// another sends two of them without harm, so only strict rules refuse them.
const REFUSED: &[&str] = &[
    "$schema",
    "additionalProperties",
    "const",
    "contains",
    "contentEncoding",
    "contentMediaType",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "if",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "pattern",
    "patternProperties",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
    "uniqueItems",
];

/// Checks `inputSchema.json` of one tool.
pub(super) fn check(json: Option<&Value>, tool: &str, rules: &Rules) -> Result<(), Violation> {
    let Some(Value::Object(root)) = json else {
        return Err(invalid(
            "T4",
            format!("tool {tool}: inputSchema.json is not an object"),
        ));
    };
    if root.get("type").and_then(Value::as_str) != Some("object") {
        return Err(invalid(
            "T4",
            format!("tool {tool}: the schema's root is not of type object"),
        ));
    }
    for composition in ["oneOf", "anyOf", "allOf"] {
        if root.contains_key(composition) {
            return Err(invalid(
                "T4",
                format!("tool {tool}: {composition} at the schema's root"),
            ));
        }
    }
    // Depth is bounded: the whole body has passed `check_depth`.
    check_level(root, tool, rules)
}

fn check_level(schema: &Map<String, Value>, tool: &str, rules: &Rules) -> Result<(), Violation> {
    check_required(schema, tool, rules)?;
    if rules.is_strict() {
        check_keywords(schema, tool)?;
    }
    for map in ["properties", "$defs", "definitions"] {
        let Some(members) = schema.get(map) else {
            continue;
        };
        let Value::Object(members) = members else {
            return Err(invalid(
                "T6",
                format!("tool {tool}: {map} is not an object"),
            ));
        };
        for (name, member) in members {
            let Value::Object(member) = member else {
                return Err(invalid(
                    "T6",
                    format!("tool {tool}: {name} is not a schema"),
                ));
            };
            check_level(member, tool, rules)?;
        }
    }
    for list in ["anyOf", "oneOf", "allOf"] {
        let members = schema
            .get(list)
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        for member in members.filter_map(Value::as_object) {
            check_level(member, tool, rules)?;
        }
    }
    match schema.get("items") {
        Some(Value::Object(items)) => check_level(items, tool, rules),
        _ => Ok(()),
    }
}

fn check_required(schema: &Map<String, Value>, tool: &str, rules: &Rules) -> Result<(), Violation> {
    let Some(required) = schema.get("required") else {
        return Ok(());
    };
    let names = required
        .as_array()
        .filter(|names| names.iter().all(Value::is_string));
    let Some(names) = names else {
        return Err(invalid(
            "T5",
            format!("tool {tool}: required is not a list of strings"),
        ));
    };
    if names.is_empty() && rules.is_strict() {
        return Err(invalid("T5", format!("tool {tool}: required is empty")));
    }
    Ok(())
}

fn check_keywords(schema: &Map<String, Value>, tool: &str) -> Result<(), Violation> {
    if let Some(keyword) = REFUSED
        .iter()
        .find(|keyword| schema.contains_key(**keyword))
    {
        return Err(invalid("T7", format!("tool {tool}: the keyword {keyword}")));
    }
    if schema.get("type").is_some_and(|kind| !kind.is_string()) {
        return Err(invalid(
            "T8",
            format!("tool {tool}: type is not one string"),
        ));
    }
    Ok(())
}

fn invalid(rule: &'static str, detail: String) -> Violation {
    let message = "Invalid tool input schema.";
    Violation::invalid(rule, Some("TOOL_SCHEMA_INVALID"), message, detail)
}
