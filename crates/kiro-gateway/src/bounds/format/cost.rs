//! How much work a validator has with a schema and a value, found out with little work.
//!
//! A validator follows references and alternatives blindly, and small schemas can send it around for
//! hours or down until the stack ends: `{"allOf": [{"$ref": B}, {"$ref": B}]}` doubles the work, and
//! twenty of them in a chain make a million of it. Here each pair of a schema and a value is looked at
//! once, and what it would cost is added up.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// Most steps that a validator may take: some tens of milliseconds.
pub(super) const MAX_STEPS: u64 = 1_000_000;

/// Most schemas that apply to one value through each other, a reference being one. A validator's stack
/// grows with them.
const MAX_CHAIN: usize = 100;

/// Most schemas one inside the other, along references and into the value.
const MAX_DEPTH: usize = 400;

/// What a regular expression costs, in steps.
const PATTERN: u64 = 100;

/// Checks that references lead somewhere in the schema, and that chains of them end soon.
pub(super) fn check_references(schema: &Value) -> Result<(), String> {
    let names = Names::of(schema);
    let mut lengths = HashMap::new();
    let mut rest = vec![schema];
    while let Some(value) = rest.pop() {
        match value {
            Value::Object(members) => {
                if let Some(reference) = names.broken(members) {
                    return Err(format!(
                        "the reference \"{reference}\" leads to nothing in the schema"
                    ));
                }
                if chain(&names, value, &mut lengths, 0) > MAX_CHAIN {
                    return Err(format!(
                        "references lead in a circle, or more than {MAX_CHAIN} to each other"
                    ));
                }
                rest.extend(schemas(members));
            }
            Value::Array(items) => rest.extend(items),
            _ => {}
        }
    }
    Ok(())
}

/// The members of a schema, or of a map of them, but for those that are values.
fn schemas(members: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    let is_value = |name: &str| matches!(name, "const" | "default" | "enum" | "examples");
    let schemas = members.iter().filter(move |(name, _)| !is_value(name));
    schemas.map(|(_, schema)| schema)
}

/// The length of the longest chain of schemas that begins here. A circle has no end.
fn chain(
    names: &Names<'_>,
    schema: &Value,
    lengths: &mut HashMap<*const Value, usize>,
    depth: usize,
) -> usize {
    if depth > MAX_CHAIN {
        return MAX_CHAIN + 1;
    }
    if let Some(length) = lengths.get(&std::ptr::from_ref(schema)) {
        return *length;
    }
    lengths.insert(schema, MAX_CHAIN + 1);
    let length = names
        .in_place(schema)
        .map(|next| chain(names, next, lengths, depth + 1).saturating_add(1))
        .max()
        .unwrap_or(0);
    lengths.insert(schema, length);
    length
}

/// An upper bound for the steps of a validator.
pub(super) fn steps(schema: &Value, value: &Value) -> u64 {
    let mut walk = Walk {
        names: Names::of(schema),
        known: HashMap::new(),
        depth: 0,
    };
    walk.steps(schema, value)
}

struct Walk<'a> {
    names: Names<'a>,
    /// By schema and value.
    known: HashMap<(*const Value, *const Value), u64>,
    depth: usize,
}

impl<'a> Walk<'a> {
    fn steps(&mut self, schema: &'a Value, value: &Value) -> u64 {
        let pair = (std::ptr::from_ref(schema), std::ptr::from_ref(value));
        if let Some(steps) = self.known.get(&pair) {
            return *steps;
        }
        if self.depth == MAX_DEPTH {
            return u64::MAX;
        }
        self.depth += 1;
        let in_place: Vec<_> = self.names.in_place(schema).collect();
        let in_place = in_place.into_iter().map(|next| self.steps(next, value));
        let here = in_place.fold(1_u64, u64::saturating_add);
        let inside = match (schema, value) {
            (Value::Object(keywords), Value::Object(members)) => self.members(keywords, members),
            (Value::Object(keywords), Value::Array(items)) => self.items(keywords, items),
            (Value::Object(keywords), _) if keywords.contains_key("pattern") => PATTERN,
            _ => 0,
        };
        self.depth -= 1;
        let steps = here.saturating_add(inside);
        self.known.insert(pair, steps);
        steps
    }

    /// What the members of an object cost.
    fn members(&mut self, keywords: &'a Map<String, Value>, members: &Map<String, Value>) -> u64 {
        let mut steps = members.len() as u64;
        let mut add = |more: u64| steps = steps.saturating_add(more);
        for (keyword, schema) in keywords {
            match (&**keyword, schema) {
                ("properties", Value::Object(properties)) => {
                    for (name, schema) in properties {
                        add(members
                            .get(name)
                            .map_or(1, |value| self.steps(schema, value)));
                    }
                }
                ("patternProperties", Value::Object(patterns)) => {
                    for schema in patterns.values() {
                        for value in members.values() {
                            add(PATTERN.saturating_add(self.steps(schema, value)));
                        }
                    }
                }
                ("additionalProperties" | "unevaluatedProperties", schema) => {
                    for value in members.values() {
                        add(self.steps(schema, value));
                    }
                }
                ("propertyNames", _) => add(PATTERN.saturating_mul(members.len() as u64)),
                _ => {}
            }
        }
        steps
    }

    /// What the items of an array cost.
    fn items(&mut self, keywords: &'a Map<String, Value>, items: &[Value]) -> u64 {
        let length = items.len() as u64;
        let mut steps = length;
        for (keyword, schema) in keywords {
            let more = match (&**keyword, schema) {
                ("items" | "prefixItems", Value::Array(schemas)) => schemas
                    .iter()
                    .zip(items)
                    .map(|(schema, item)| self.steps(schema, item))
                    .fold(0, u64::saturating_add),
                ("items" | "additionalItems" | "unevaluatedItems" | "contains", schema) => items
                    .iter()
                    .map(|item| self.steps(schema, item))
                    .fold(0, u64::saturating_add),
                // Each is compared with each.
                ("uniqueItems", Value::Bool(true)) => length.saturating_mul(length),
                _ => 0,
            };
            steps = steps.saturating_add(more);
        }
        steps
    }
}

/// Where the references of a schema lead.
struct Names<'a> {
    root: &'a Value,
    /// Schemas with a name of their own: `$id`, `$anchor` and the like.
    named: HashMap<&'a str, &'a Value>,
}

impl<'a> Names<'a> {
    fn of(root: &'a Value) -> Self {
        let mut named = HashMap::new();
        let mut rest = vec![root];
        while let Some(value) = rest.pop() {
            match value {
                Value::Object(members) => {
                    for keyword in ["$id", "id", "$anchor", "$dynamicAnchor"] {
                        if let Some(name) = members.get(keyword).and_then(Value::as_str) {
                            named.insert(name.trim_matches('#'), value);
                        }
                    }
                    rest.extend(members.values());
                }
                Value::Array(items) => rest.extend(items),
                _ => {}
            }
        }
        Self { root, named }
    }

    /// The schemas that apply to the same value as this one does.
    fn in_place<'s>(&'s self, schema: &'a Value) -> impl Iterator<Item = &'a Value> + 's {
        let keywords = schema.as_object().into_iter().flatten();
        keywords.flat_map(|(keyword, value)| -> Vec<&'a Value> {
            match (&**keyword, value) {
                ("$ref" | "$dynamicRef" | "$recursiveRef", Value::String(reference)) => {
                    self.resolve(reference).into_iter().collect()
                }
                ("allOf" | "anyOf" | "oneOf", Value::Array(schemas)) => schemas.iter().collect(),
                ("not" | "if" | "then" | "else", schema) => vec![schema],
                ("dependentSchemas" | "dependencies", Value::Object(schemas)) => {
                    schemas.values().collect()
                }
                _ => Vec::new(),
            }
        })
    }

    /// The first reference of these members that leads to nothing in the schema.
    fn broken<'m>(&self, members: &'m Map<String, Value>) -> Option<&'m str> {
        ["$ref", "$dynamicRef", "$recursiveRef"]
            .into_iter()
            .filter_map(|keyword| members.get(keyword)?.as_str())
            .find(|reference| self.resolve(reference).is_none())
    }

    /// `#`, `#/$defs/a`, `#name`, `name` and `name#/$defs/a`.
    fn resolve(&self, reference: &str) -> Option<&'a Value> {
        let (document, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let document = match document {
            "" => self.root,
            name => self.named.get(name)?,
        };
        match fragment {
            "" => Some(document),
            pointer if pointer.starts_with('/') => document.pointer(&decoded(pointer)),
            name => self.named.get(name).copied(),
        }
    }
}

/// A pointer without the escapes that it has in a URL.
fn decoded(pointer: &str) -> String {
    pointer.replace("%24", "$").replace("%25", "%")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Definitions a0, a1, …, each made of the next one.
    fn chain_of(n: usize, link: impl Fn(Value) -> Value) -> Value {
        let next = |n| json!({"$ref": format!("#/$defs/a{n}")});
        let mut definitions: Map<String, Value> = (0..n)
            .map(|at| (format!("a{at}"), link(next(at + 1))))
            .collect();
        definitions.insert(format!("a{n}"), json!({"type": "object"}));
        json!({"$defs": definitions, "$ref": "#/$defs/a0"})
    }

    #[test]
    fn chains_that_a_stack_cannot_hold_are_refused() {
        assert_eq!(check_references(&chain_of(90, |next| next)), Ok(()));
        for n in [101, 10_000] {
            assert_eq!(
                check_references(&chain_of(n, |next| next)),
                Err("references lead in a circle, or more than 100 to each other".to_owned())
            );
        }
        // These go one level deeper into the value each.
        let deep = chain_of(10_000, |next| json!({"properties": {"x": next}}));
        assert_eq!(check_references(&deep), Ok(()));
    }

    #[test]
    fn work_that_doubles_with_each_step_is_seen_without_doing_it() {
        let twice = |next: Value| json!({"allOf": [next.clone(), next]});
        assert!(steps(&chain_of(10, twice), &json!({})) < 10_000);
        assert!(steps(&chain_of(40, twice), &json!({})) > 1 << 40);
        // Once into the value, twice in each level.
        let tree = json!({"properties": {"x": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}}});
        let value = (0..60).fold(json!({}), |inner, _| json!({"x": inner}));
        assert!(steps(&tree, &value) > 1 << 60);
    }

    #[test]
    fn circles_are_refused() {
        for schema in [
            json!({"$ref": "#"}),
            json!({"allOf": [{"$ref": "#"}, {"type": "object"}]}),
            json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}),
        ] {
            assert!(check_references(&schema).is_err(), "{schema}");
        }
        let tree =
            json!({"properties": {"default": {"$ref": "#"}}, "default": {"$ref": "nowhere"}});
        assert_eq!(check_references(&tree), Ok(()));
    }

    #[test]
    fn a_deep_value_on_long_chains_is_too_much_for_a_stack() {
        let mut schema = chain_of(90, |next| next);
        schema["$defs"]["a90"] = json!({"properties": {"x": {"$ref": "#/$defs/a0"}}});
        assert_eq!(check_references(&schema), Ok(()));
        let value = |depth| (0..depth).fold(json!({}), |inner, _| json!({"x": inner}));
        assert!(steps(&schema, &value(3)) < 1000);
        assert_eq!(steps(&schema, &value(120)), u64::MAX);
    }

    #[test]
    fn every_way_to_name_a_schema_is_followed() {
        let schema = json!({
            "$id": "T0",
            "$defs": {"a b": {"$anchor": "here"}, "$x": {"$id": "inner", "$defs": {"y": {}}}},
            "anyOf": [
                {"items": {"$ref": "T0"}}, {"items": {"$ref": "#"}}, {"$ref": "#here"}, {"$ref": "#/$defs/%24x"}, {"$ref": "inner"},
                {"$ref": "inner#/$defs/y"}, {"$dynamicRef": "#here"},
            ],
        });
        assert_eq!(check_references(&schema), Ok(()));
        let broken = json!({"properties": {"a": {"$ref": "#/$defs/b"}}});
        let error = "the reference \"#/$defs/b\" leads to nothing in the schema";
        assert_eq!(check_references(&broken), Err(error.to_owned()));
    }

    #[test]
    fn ordinary_answers_cost_little() {
        let schema = json!({
            "type": "object",
            "properties": {"people": {"type": "array", "items": {"$ref": "#/$defs/person"}}},
            "$defs": {"person": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "mail": {"pattern": "@"}, "boss": {"anyOf": [{"$ref": "#/$defs/person"}, {"type": "null"}]}},
                "required": ["name"],
                "additionalProperties": false,
            }},
        });
        let person =
            json!({"name": "A", "mail": "a@example.com", "boss": {"name": "B", "boss": null}});
        let people = json!({"people": vec![person; 1000]});
        let steps = steps(&schema, &people);
        assert!(steps < MAX_STEPS / 2, "{steps}");
        assert!(steps > 100_000, "{steps}");
    }
}
