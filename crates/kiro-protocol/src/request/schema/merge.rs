//! Several schemas in one.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

/// Adds a schema that must hold as well. Where only one of two can be said, the one that was there stays.
/// Names may be required twice until [`require_once`] is called.
pub(super) fn merge(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (keyword, new) in from {
        match into.get_mut(&keyword) {
            Some(old) => merge_member(&keyword, old, new),
            None => {
                into.insert(keyword, new);
            }
        }
    }
}

fn merge_member(keyword: &str, old: &mut Value, new: Value) {
    match (keyword, old, new) {
        ("properties", Value::Object(old), Value::Object(new)) => {
            for (name, new) in new {
                match (old.get_mut(&name), new) {
                    (None, new) => {
                        old.insert(name, new);
                    }
                    (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
                    (Some(_), _) => {}
                }
            }
        }
        ("items", Value::Object(old), Value::Object(new)) => merge(old, new),
        ("required", Value::Array(old), Value::Array(new)) => old.extend(new),
        ("description", Value::String(old), Value::String(new)) if *old != new => {
            old.push('\n');
            old.push_str(&new);
        }
        _ => {}
    }
}

/// Drops repetitions from the required names.
pub(super) fn require_once(schema: &mut Map<String, Value>) {
    if let Some(Value::Array(names)) = schema.get_mut("required") {
        let mut seen = HashSet::new();
        names.retain(|name| {
            name.as_str()
                .is_some_and(|name| seen.insert(name.to_owned()))
        });
    }
}

/// Adds to the description of a schema.
pub(super) fn describe(schema: &mut Map<String, Value>, words: &str, separator: &str) {
    match schema.get_mut("description") {
        Some(Value::String(description)) if !description.is_empty() => {
            description.push_str(separator);
            description.push_str(words);
        }
        _ => {
            schema.insert("description".to_owned(), words.into());
        }
    }
}

/// Turns a choice into one object with the properties of all branches.
pub(super) fn flatten_choice(schema: &mut Map<String, Value>) {
    let Some(Value::Array(branches)) = schema.shift_remove("anyOf") else {
        return;
    };
    let mut properties = Versions::default();
    let mut required: Vec<Vec<String>> = Vec::new();
    let mut descriptions = Vec::new();
    for branch in branches {
        let Value::Object(mut branch) = branch else {
            continue;
        };
        flatten_choice(&mut branch);
        if let Some(Value::String(description)) = branch.remove("description") {
            descriptions.push(description);
        }
        let (names, members) = (branch.remove("required"), branch.remove("properties"));
        if names.is_some() || members.is_some() {
            required.push(strings(names));
        }
        if let Some(Value::Object(members)) = members {
            members
                .into_iter()
                .for_each(|(name, version)| properties.add(name, version));
        }
    }
    let united = Map::from_iter([("properties".to_owned(), properties.unite().into())]);
    merge(schema, united);
    require_common(schema, &required);
    for description in descriptions {
        describe(schema, &description, "\n");
    }
}

/// Requires what all branches require, and tells what only some of them do.
fn require_common(schema: &mut Map<String, Value>, branches: &[Vec<String>]) {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for name in branches.iter().flatten() {
        *counts.entry(name).or_default() += 1;
    }
    let is_common = |name: &str| counts.get(name) == Some(&branches.len());
    let common = branches.first().into_iter().flatten();
    let common: Vec<Value> = common
        .filter(|name| is_common(name))
        .map(|name| name.as_str().into())
        .collect();
    if !common.is_empty() {
        merge(
            schema,
            Map::from_iter([("required".to_owned(), common.into())]),
        );
        require_once(schema);
    }
    let special = branches.iter().map(|names| {
        let special: Vec<&str> = names
            .iter()
            .map(String::as_str)
            .filter(|name| !is_common(name))
            .collect();
        special.join(" and ")
    });
    let special: Vec<String> = special.filter(|names| !names.is_empty()).collect();
    if !special.is_empty() {
        let words = format!("Give one of: {}.", special.join("; "));
        describe(schema, &words, "\n");
    }
}

fn strings(names: Option<Value>) -> Vec<String> {
    let names = names
        .as_ref()
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let mut seen = HashSet::new();
    let distinct = names
        .filter_map(Value::as_str)
        .filter(|name| seen.insert(*name));
    distinct.map(str::to_owned).collect()
}

/// What the branches of a choice say about each property, in the order of the first mention.
#[derive(Default)]
struct Versions {
    properties: Vec<(String, Vec<Value>)>,
    index: HashMap<String, usize>,
}

impl Versions {
    fn add(&mut self, name: String, version: Value) {
        let next = self.properties.len();
        let at = *self.index.entry(name.clone()).or_insert(next);
        if at == next {
            self.properties.push((name, Vec::new()));
        }
        self.properties[at].1.push(version);
    }

    fn unite(self) -> Map<String, Value> {
        let properties = self.properties.into_iter();
        properties
            .map(|(name, versions)| (name, either(versions)))
            .collect()
    }
}

/// A schema that allows what any of the versions allows.
fn either(versions: Vec<Value>) -> Value {
    let mut seen = HashSet::new();
    let distinct = versions
        .into_iter()
        .filter(|version| seen.insert(version.to_string()));
    let mut versions: Vec<Value> = distinct.collect();
    let kind = versions[0].get("type").cloned();
    let is_like_first =
        |version: &Value| version.get("enum").is_some() && version.get("type") == kind.as_ref();
    if versions.len() == 1 {
        return versions.remove(0);
    }
    if !versions.iter().all(is_like_first) {
        return Map::from_iter([("anyOf".to_owned(), versions.into())]).into();
    }
    unite_enums(versions)
}

/// One schema for versions that differ in the values that they allow, such as the tag of a union.
fn unite_enums(versions: Vec<Value>) -> Value {
    let mut united = Map::new();
    let mut values: Vec<Value> = Vec::new();
    let mut seen = HashSet::new();
    for version in versions {
        let Value::Object(mut version) = version else {
            continue;
        };
        if let Some(Value::Array(allowed)) = version.remove("enum") {
            values.extend(
                allowed
                    .into_iter()
                    .filter(|value| seen.insert(value.to_string())),
            );
        }
        merge(&mut united, version);
    }
    united.insert("enum".to_owned(), values.into());
    united.into()
}
