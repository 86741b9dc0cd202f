//! Reads answers leniently.

use serde_json::{Map, Value};

use super::RpcError;

/// The object that an answer is.
pub(super) fn object(operation: &'static str, body: &[u8]) -> Result<Map<String, Value>, RpcError> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(RpcError::NotJson {
            operation,
            offset: 0,
        }),
        Err(error) => Err(RpcError::NotJson {
            operation,
            offset: offset_of(&error, body),
        }),
    }
}

/// The list that an answer is about.
pub(super) fn list<'a>(
    operation: &'static str,
    members: &'a Map<String, Value>,
    member: &'static str,
) -> Result<&'a [Value], RpcError> {
    match members.get(member) {
        Some(Value::Array(items)) => Ok(items),
        _ => Err(RpcError::Missing { operation, member }),
    }
}

/// A text that says something.
pub(super) fn text(value: Option<&Value>) -> Option<String> {
    let text = value?.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// A count; the service writes some as fractions.
pub(super) fn count(value: Option<&Value>) -> Option<u64> {
    let value = value?;
    // Saturates; above 2^53 it rounds, which no count reaches.
    let rounded = || {
        value
            .as_f64()
            .filter(|number| *number >= 0.0)
            .map(|number| number as u64)
    };
    value.as_u64().or_else(rounded)
}

pub(super) fn number(value: Option<&Value>) -> Option<f64> {
    value?.as_f64()
}

fn offset_of(error: &serde_json::Error, body: &[u8]) -> usize {
    let lines = body.split_inclusive(|byte| *byte == b'\n');
    let before: usize = lines
        .take(error.line().saturating_sub(1))
        .map(<[u8]>::len)
        .sum();
    before + error.column()
}
