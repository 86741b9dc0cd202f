//! The model, and the knobs that its published schema allows.

use serde_json::{Map, Value};

use super::envelope::Opened;
use super::shape::text;
use super::{Rules, Violation};
use crate::catalog::Model;

/// Finds the model of the current message; `None` when no catalogue is given.
pub(super) fn check_model<'a>(
    request: &Opened<'_>,
    rules: &'a Rules,
) -> Result<Option<&'a Model>, Violation> {
    let Some(catalog) = &rules.catalog else {
        return Ok(None);
    };
    let id = text(request.current, "modelId").unwrap_or("auto");
    match catalog.find(id) {
        Some(model) => Ok(Some(model)),
        None => {
            let message = "Invalid model. Please select a different model to continue.";
            let detail = format!("no model {id:?} in the catalogue");
            Err(Violation::invalid(
                "E2",
                Some("INVALID_MODEL_ID"),
                message,
                detail,
            ))
        }
    }
}

/// Checks `additionalModelRequestFields` against the model's published schema.
///
/// The model families refuse each other's members, and an effort outside the list. Source: several public
/// gateways with probes, 2026.
pub(super) fn check_fields(
    request: &Opened<'_>,
    model: Option<&Model>,
    rules: &Rules,
) -> Result<(), Violation> {
    let fields = request
        .top
        .get("additionalModelRequestFields")
        .and_then(Value::as_object);
    match (fields, model) {
        (Some(fields), Some(model)) if rules.is_strict() => check_object(
            fields,
            model.fields_schema(),
            "additionalModelRequestFields",
        ),
        _ => Ok(()),
    }
}

fn check_object(
    object: &Map<String, Value>,
    schema: Option<&Value>,
    path: &str,
) -> Result<(), Violation> {
    let properties = schema.and_then(|schema| schema.get("properties"));
    for (name, value) in object {
        let path = format!("{path}.{name}");
        match properties.and_then(|properties| properties.get(name)) {
            Some(schema) => check_value(value, schema, &path)?,
            None => return Err(refused(format!("{path} is not in the model's schema"))),
        }
    }
    Ok(())
}

fn check_value(value: &Value, schema: &Value, path: &str) -> Result<(), Violation> {
    let fits = match schema.get("type").and_then(Value::as_str) {
        Some("object") => value.is_object(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        _ => true,
    };
    if !fits {
        return Err(refused(format!("{path} has the wrong type")));
    }
    let allowed = schema.get("enum").and_then(Value::as_array);
    if allowed.is_some_and(|allowed| !allowed.contains(value)) {
        return Err(refused(format!("{path} is not one of the allowed values")));
    }
    let minimum = schema.get("minimum").and_then(Value::as_f64);
    if minimum
        .zip(value.as_f64())
        .is_some_and(|(minimum, value)| value < minimum)
    {
        return Err(refused(format!("{path} is below the minimum")));
    }
    match value {
        Value::Object(object) => check_object(object, Some(schema), path),
        _ => Ok(()),
    }
}

fn refused(detail: String) -> Violation {
    Violation::improper("S8", detail)
}
