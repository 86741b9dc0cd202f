//! Values that fit a JSON schema.

use serde_json::{Map, Value, json};

/// The input of a tool: an object whatever the schema says.
pub(super) fn input(schema: &Value, about: &str, n: usize) -> Value {
    let about = About {
        root: schema,
        about,
        n,
    };
    about.object(schema, 0)
}

/// Any value that fits a schema.
pub(super) fn value(schema: &Value, about: &str) -> Value {
    let about = About {
        root: schema,
        about,
        n: 0,
    };
    about.value(schema, 0)
}

/// Schemas that contain themselves end here.
const MAX_DEPTH: usize = 16;

/// What values are made of.
struct About<'a> {
    root: &'a Value,
    /// The text of texts.
    about: &'a str,
    /// Makes numbers different.
    n: usize,
}

impl About<'_> {
    /// The required members, or all of them when none is required.
    fn object(&self, schema: &Value, depth: usize) -> Value {
        let properties = schema.get("properties").and_then(Value::as_object);
        let required = schema.get("required").and_then(Value::as_array);
        let is_wanted = |name: &str| {
            required.is_none_or(|required| required.iter().any(|required| required == name))
        };
        let members: Map<String, Value> = properties
            .into_iter()
            .flatten()
            .filter(|(name, _)| is_wanted(name))
            .map(|(name, schema)| (name.clone(), self.value(schema, depth + 1)))
            .collect();
        Value::Object(members)
    }

    fn value(&self, schema: &Value, depth: usize) -> Value {
        if let Some(constant) = schema.get("const") {
            return constant.clone();
        }
        if let Some(choice) = first(schema, "enum") {
            return choice.clone();
        }
        if let Some(other) = self.elsewhere(schema).filter(|_| depth < MAX_DEPTH) {
            return self.value(other, depth + 1);
        }
        let kind = match schema.get("type") {
            Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str),
            Some(kind) => kind.as_str(),
            None => schema.get("properties").map(|_| "object"),
        };
        match kind {
            Some("object") => self.object(schema, depth),
            Some("array") => match schema.get("items").filter(|_| depth < MAX_DEPTH) {
                Some(items) => json!([self.value(items, depth + 1)]),
                None => json!([]),
            },
            Some("integer") => json!(self.n + 1),
            Some("number") => json!(self.n as f64 + 0.5),
            Some("boolean") => json!(true),
            Some("null") => Value::Null,
            _ => json!(self.about),
        }
    }

    /// The schema that this one refers to, or its last alternative: the first is often the schema itself.
    fn elsewhere<'s>(&'s self, schema: &'s Value) -> Option<&'s Value> {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            return self.root.pointer(reference.strip_prefix('#')?);
        }
        ["anyOf", "oneOf", "allOf"]
            .into_iter()
            .find_map(|keyword| schema.get(keyword)?.as_array()?.last())
    }
}

fn first<'a>(schema: &'a Value, keyword: &str) -> Option<&'a Value> {
    schema.get(keyword)?.as_array()?.first()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_and_alternatives_are_followed_to_an_end() {
        let schema = json!({
            "$defs": {"node": {
                "type": "object",
                "properties": {
                    "kind": {"const": "node"},
                    "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                    "all": {"type": "array", "items": {"$ref": "#/$defs/leaf"}},
                },
            }, "leaf": {"properties": {"at": {"type": "number"}}}},
            "$ref": "#/$defs/node",
        });
        let expected = json!({"kind": "node", "next": null, "all": [{"at": 0.5}]});
        assert_eq!(value(&schema, "x"), expected);
        let endless = json!({"type": "array", "items": {"$ref": "#"}});
        assert!(value(&endless, "x").is_array());
    }

    #[test]
    fn an_instance_fits_its_schema() {
        let schema = json!({
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "unit": {"type": "string", "enum": ["celsius", "kelvin"]},
                "days": {"type": "integer"},
                "where": {"type": "object", "properties": {"exact": {"type": "boolean"}}},
                "tags": {"type": "array", "items": {"type": "string"}},
                "note": {"type": "string"},
            },
            "required": ["city", "unit", "days", "where", "tags"],
        });
        let expected = json!({
            "city": "Paris", "unit": "celsius", "days": 1, "where": {"exact": true}, "tags": ["Paris"],
        });
        assert_eq!(input(&schema, "Paris", 0), expected);
    }
}
