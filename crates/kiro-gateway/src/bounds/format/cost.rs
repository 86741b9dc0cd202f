//! How much work a validator has with a schema and a value, found out with little work.
//!
//! A validator follows references and alternatives blindly, and small schemas can send it around for
//! hours or down until the stack ends: `{"allOf": [{"$ref": B}, {"$ref": B}]}` doubles the work, and
//! twenty of them in a chain make a million of it. Here each pair of a schema and a value is looked at
//! once, and what it would cost is added up.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// Times that a regular expression with look-around may step back in one string.
pub(super) const MAX_BACKTRACKS: usize = 10_000;

/// Most steps that a validator may take: some tens of milliseconds.
pub(super) const MAX_STEPS: u64 = 1_000_000;

/// Most steps that a compiler may take for `unevaluatedProperties` and its like, each of them longer.
const MAX_UNEVALUATED: u64 = 10_000;

/// Most schemas that apply to one value through each other, a reference being one. A validator's stack
/// grows with them.
const MAX_CHAIN: usize = 100;

/// Most schemas one inside the other, along references and into the value.
const MAX_DEPTH: usize = 400;

/// What a regular expression costs, in steps, besides what the length of the text makes.
const PATTERN: u64 = 100;

/// Bytes that a regular expression passes in a step.
const BYTES: u64 = 50;

const REFERENCES: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];

/// Checks that references lead somewhere in the schema, and that chains of them end soon.
pub(super) fn check_references(schema: &Value) -> Result<(), String> {
    let names = Names::of(schema);
    let mut lengths = HashMap::new();
    let mut rest = vec![(schema, false)];
    while let Some((value, is_inner)) = rest.pop() {
        match value {
            Value::Object(members) => {
                let is_inner = is_inner || (has_address(members) && !std::ptr::eq(value, schema));
                if let Some(reference) = local(members).filter(|_| is_inner) {
                    return Err(format!(
                        "the reference \"{reference}\" is in a schema with an $id of its own, and may lead elsewhere"
                    ));
                }
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
                rest.extend(schemas(members).map(|next| (next, is_inner)));
            }
            Value::Array(items) => rest.extend(items.iter().map(|next| (next, is_inner))),
            _ => {}
        }
    }
    Ok(())
}

/// Whether references in a schema start anew from there.
fn has_address(members: &Map<String, Value>) -> bool {
    let address = members.get("$id").and_then(Value::as_str);
    address.is_some_and(|address| !address.starts_with('#'))
}

/// A reference that leads to a place in the innermost schema with an address.
fn local(members: &Map<String, Value>) -> Option<&str> {
    let references = REFERENCES.into_iter();
    let mut references = references.filter_map(|keyword| members.get(keyword)?.as_str());
    references.find(|reference| reference.is_empty() || reference.starts_with('#'))
}

/// Checks that what a schema has looked at, for `unevaluatedProperties` and its like, is soon found out: a
/// compiler writes all of it down, and what references lead to once for each of them.
pub(super) fn check_unevaluated(schema: &Value) -> Result<(), String> {
    let mut walk = walk(schema);
    let mut steps = 0_u64;
    let mut rest = vec![schema];
    while let Some(value) = rest.pop() {
        match value {
            Value::Object(members) => {
                if is_curious(members) {
                    steps = steps.saturating_add(walk.steps(value, &Value::Null));
                }
                rest.extend(schemas(members));
            }
            Value::Array(items) => rest.extend(items),
            _ => {}
        }
    }
    match steps > MAX_UNEVALUATED {
        true => Err("too much is below unevaluatedProperties and unevaluatedItems".to_owned()),
        false => Ok(()),
    }
}

/// Whether a schema asks what other keywords have looked at.
fn is_curious(keywords: &Map<String, Value>) -> bool {
    let names = ["unevaluatedProperties", "unevaluatedItems"];
    names.iter().any(|name| keywords.contains_key(*name))
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
        .into_iter()
        .map(|next| chain(names, next, lengths, depth + 1).saturating_add(1))
        .max()
        .unwrap_or(0);
    lengths.insert(schema, length);
    length
}

/// An upper bound for the steps of a validator.
pub(super) fn steps(schema: &Value, value: &Value) -> u64 {
    walk(schema).steps(schema, value)
}

fn walk(schema: &Value) -> Walk<'_> {
    Walk {
        names: Names::of(schema),
        known: HashMap::new(),
        evaluated: HashMap::new(),
        texts: Vec::new(),
        looks: 0,
        depth: 0,
    }
}

/// A schema and a value.
type Pair = (*const Value, *const Value);

struct Walk<'a> {
    names: Names<'a>,
    known: HashMap<Pair, u64>,
    /// What it costs to find out what a schema has looked at, for `unevaluatedProperties` and its like.
    evaluated: HashMap<Pair, u64>,
    /// Names of members as values. They stay, so that no two have the same address.
    texts: Vec<Vec<Value>>,
    /// Each stands for a step at least, so that more than are allowed need not be taken.
    looks: u64,
    depth: usize,
}

impl<'a> Walk<'a> {
    fn steps(&mut self, schema: &'a Value, value: &Value) -> u64 {
        self.looks += 1;
        if self.looks > MAX_STEPS || self.depth == MAX_DEPTH {
            return u64::MAX;
        }
        let pair = (std::ptr::from_ref(schema), std::ptr::from_ref(value));
        if let Some(steps) = self.known.get(&pair) {
            return *steps;
        }
        self.depth += 1;
        let mut steps = 1;
        for next in self.names.in_place(schema) {
            steps = self.steps(next, value).saturating_add(steps);
        }
        if let Value::Object(keywords) = schema {
            steps = steps.saturating_add(self.inside(keywords, value));
            if is_curious(keywords) {
                for next in self.names.in_place(schema) {
                    steps = self.evaluated(next, value).saturating_add(steps);
                }
            }
        }
        self.depth -= 1;
        self.known.insert(pair, steps);
        steps
    }

    /// What it costs to find out which parts of the value a schema has looked at: whether it fits, and then
    /// the same for each schema that it applies in place.
    fn evaluated(&mut self, schema: &'a Value, value: &Value) -> u64 {
        let pair = (std::ptr::from_ref(schema), std::ptr::from_ref(value));
        if let Some(steps) = self.evaluated.get(&pair) {
            return *steps;
        }
        let mut steps = self.steps(schema, value);
        if steps > MAX_STEPS {
            return steps;
        }
        for next in self.names.in_place(schema) {
            steps = self.evaluated(next, value).saturating_add(steps);
        }
        self.evaluated.insert(pair, steps);
        steps
    }

    /// What the keywords cost that are about the value itself and its parts.
    fn inside(&mut self, keywords: &'a Map<String, Value>, value: &Value) -> u64 {
        let choices = match keywords.get("enum") {
            // Texts are looked up, other values compared with each.
            Some(Value::Array(choices)) if !choices.iter().all(Value::is_string) => {
                choices.len() as u64
            }
            _ => 0,
        };
        let parts = match value {
            Value::Object(members) => self.members(keywords, members),
            Value::Array(items) => self.items(keywords, items),
            Value::String(text) => match keywords.get("pattern") {
                Some(Value::String(pattern)) => search(pattern, text),
                _ => 0,
            },
            _ => 0,
        };
        choices.saturating_add(parts)
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
                    for (pattern, schema) in patterns {
                        for (name, value) in members {
                            add(search(pattern, name).saturating_add(self.steps(schema, value)));
                        }
                    }
                }
                ("additionalProperties" | "unevaluatedProperties", schema) => {
                    for value in members.values() {
                        add(self.steps(schema, value));
                    }
                }
                ("propertyNames", schema) => {
                    let names: Vec<Value> =
                        members.keys().map(|name| name.clone().into()).collect();
                    for name in &names {
                        add(self.steps(schema, name));
                    }
                    self.texts.push(names);
                }
                ("required", Value::Array(names)) => add(names.len() as u64),
                ("dependentRequired" | "dependencies", Value::Object(lists)) => {
                    let lists = lists.values().filter_map(Value::as_array);
                    add(lists.map(|names| 1 + names.len() as u64).sum());
                }
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

/// What it costs to look for a regular expression in a text. With look-around, the rest of the text may be
/// read again each time that the search steps back.
fn search(pattern: &str, text: &str) -> u64 {
    let length = text.len() as u64;
    let times = if is_plain(pattern) {
        1
    } else {
        length.min(MAX_BACKTRACKS as u64)
    };
    PATTERN.saturating_add(length.saturating_mul(times) / BYTES)
}

/// Whether there is neither look-around nor a reference to a group. What looks like it may be something else.
fn is_plain(pattern: &str) -> bool {
    let look = ["(?=", "(?!", "(?<", "(?>"]
        .iter()
        .any(|look| pattern.contains(look));
    let bytes = pattern.as_bytes();
    let back = bytes.windows(2).any(|pair| {
        pair[0] == b'\\' && (pair[1].is_ascii_digit() || matches!(pair[1], b'k' | b'g'))
    });
    !look && !back
}

/// Where the references of a schema lead.
struct Names<'a> {
    root: &'a Value,
    /// Schemas with a name of their own: `$id`, `$anchor` and the like. `None` where two have the same.
    named: HashMap<&'a str, Option<&'a Value>>,
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
                            let known = named.entry(name.trim_matches('#')).or_insert(Some(value));
                            *known = known.filter(|known| std::ptr::eq(*known, value));
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
    fn in_place(&self, schema: &'a Value) -> Vec<&'a Value> {
        let keywords = schema.as_object().into_iter().flatten();
        let in_place = keywords.flat_map(|(keyword, value)| -> Vec<&'a Value> {
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
        });
        in_place.collect()
    }

    /// The first reference of these members that leads to nothing in the schema.
    fn broken<'m>(&self, members: &'m Map<String, Value>) -> Option<&'m str> {
        REFERENCES
            .into_iter()
            .filter_map(|keyword| members.get(keyword)?.as_str())
            .find(|reference| self.resolve(reference).is_none())
    }

    /// `#`, `#/$defs/a`, `#name`, `name` and `name#/$defs/a`.
    fn resolve(&self, reference: &str) -> Option<&'a Value> {
        let (document, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let document = match document {
            "" => self.root,
            name => (*self.named.get(name)?)?,
        };
        match fragment {
            "" => Some(document),
            pointer if pointer.starts_with('/') => document.pointer(&decoded(pointer)?),
            name => self.named.get(name).copied().flatten(),
        }
    }
}

/// A pointer without the escapes that it has in a URL; `None` if they are none.
fn decoded(pointer: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(pointer.len());
    let mut parts = pointer.split('%');
    bytes.extend(parts.next()?.bytes());
    for part in parts {
        let digits = part.get(..2)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend(part[2..].bytes());
    }
    String::from_utf8(bytes).ok()
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
    fn names_of_members_are_values_too() {
        let mut schema = chain_of(40, |next| json!({"allOf": [next.clone(), next]}));
        schema["propertyNames"] = json!({"$ref": "#/$defs/a0"});
        schema["$ref"] = json!("#/$defs/a40");
        assert!(steps(&schema, &json!({"x": 1})) > 1 << 40);
    }

    #[test]
    fn what_was_looked_at_is_found_out_anew_on_each_level() {
        for (keyword, link, value) in [
            ("unevaluatedProperties", "anyOf", json!({"x": 1})),
            ("unevaluatedProperties", "allOf", json!({"x": 1})),
            ("unevaluatedItems", "oneOf", json!([1])),
        ] {
            let nested =
                |n| (0..n).fold(json!({}), |inner, _| json!({link: [inner], keyword: false}));
            assert!(steps(&nested(4), &value) < 1000, "{keyword}");
            assert!(steps(&nested(30), &value) > MAX_STEPS, "{keyword}");
        }
        // Other levels between them make it worse.
        let plain = |inner| (0..9).fold(inner, |inner, _| json!({"anyOf": [inner]}));
        let nested = (0..9).fold(
            json!({}),
            |inner, _| json!({"anyOf": [plain(inner)], "unevaluatedProperties": false}),
        );
        assert!(steps(&nested, &json!({"x": 1})) > MAX_STEPS);
    }

    #[test]
    fn no_more_is_looked_at_than_is_allowed() {
        let schema = json!({"items": {"anyOf": vec![true; 40_000]}});
        let value = Value::from(vec![0; 3_000]);
        let mut walk = walk(&schema);
        assert_eq!(walk.steps(&schema, &value), u64::MAX);
        assert!(walk.known.len() as u64 <= MAX_STEPS);
    }

    #[test]
    fn long_lists_cost_for_each_value() {
        let numbers: Vec<Value> = (0..2000).map(|n| json!([n])).collect();
        let names: Vec<String> = (0..2000).map(|n| n.to_string()).collect();
        for (schema, item) in [
            (json!({"items": {"enum": numbers}}), json!([1999])),
            (json!({"items": {"required": names}}), json!({})),
            (
                json!({"items": {"dependentRequired": {"a": names}}}),
                json!({"a": 1}),
            ),
        ] {
            assert!(steps(&schema, &Value::from(vec![item; 1000])) > MAX_STEPS);
        }
    }

    #[test]
    fn a_long_text_costs_more_with_look_around() {
        let text = json!("a".repeat(20_000));
        assert!(steps(&json!({"pattern": "^[a-z]*$"}), &text) < 1000);
        for pattern in ["(?!.*x.*y)b", "(a*)\\1b", "(?<=a*)b"] {
            assert!(
                steps(&json!({"pattern": pattern}), &text) > MAX_STEPS,
                "{pattern}"
            );
        }
        let name = json!({"a".repeat(20_000): 1});
        assert!(steps(&json!({"patternProperties": {"(?!.*x.*y)b": {}}}), &name) > MAX_STEPS);
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
    fn references_that_may_lead_to_two_places_are_refused() {
        let inner = json!({
            "$defs": {"y": {}, "x": {"$id": "x", "$defs": {"y": {"minLength": 9}}, "$ref": "#/$defs/y"}},
            "$ref": "x",
        });
        let error = "the reference \"#/$defs/y\" is in a schema with an $id of its own, and may lead elsewhere";
        assert_eq!(check_references(&inner), Err(error.to_owned()));
        let twice = json!({"$defs": {"a": {"$anchor": "x"}, "b": {"$anchor": "x"}}, "$ref": "#x"});
        let error = "the reference \"#x\" leads to nothing in the schema";
        assert_eq!(check_references(&twice), Err(error.to_owned()));
        // Those that nobody refers to may be anything, such as members of examples.
        let examples =
            json!({"examples": [{"id": "1"}, {"id": "1"}], "$id": "r", "items": {"$ref": "#"}});
        assert_eq!(check_references(&examples), Ok(()));
    }

    #[test]
    fn escapes_in_references_are_read_as_others_read_them() {
        let schema = json!({
            "$defs": {"%61": {}, "a": {"$ref": "#/$defs/%61"}, "é<b>": {}},
            "anyOf": [{"$ref": "#/$defs/%C3%A9%3cb%3E"}],
        });
        let circle = "references lead in a circle, or more than 100 to each other";
        assert_eq!(check_references(&schema), Err(circle.to_owned()));
        for broken in ["%", "%6", "%+6", "%zz", "%ff", "%6é"] {
            let schema = json!({"$defs": {broken: {}}, "$ref": format!("#/$defs/{broken}")});
            assert!(check_references(&schema).is_err(), "{broken}");
        }
    }

    #[test]
    fn what_a_compiler_would_write_down_for_ever_is_refused() {
        let twice =
            |next: Value| json!({"anyOf": [next.clone(), next], "unevaluatedProperties": false});
        let property = |mut schema: Value| {
            let first = schema["$ref"].take();
            json!({"$defs": schema["$defs"].take(), "properties": {"x": {"$ref": first}}})
        };
        assert_eq!(check_unevaluated(&property(chain_of(4, twice))), Ok(()));
        let error = "too much is below unevaluatedProperties and unevaluatedItems";
        assert_eq!(
            check_unevaluated(&property(chain_of(40, twice))),
            Err(error.to_owned())
        );
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
