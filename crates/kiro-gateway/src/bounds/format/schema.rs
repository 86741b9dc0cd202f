//! A JSON schema from a stranger, compiled within limits.

use std::collections::HashSet;
use std::fmt;

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::{Map, Value};

use super::cost::{self, MAX_BACKTRACKS, MAX_STEPS};

/// Longest schema in bytes. The API itself takes 120,000 characters of names and choices.
const MAX_LENGTH: usize = 256 << 10;

/// Most different regular expressions in a schema, and the size of each when compiled.
const MAX_PATTERNS: usize = 100;
const MAX_PATTERN: usize = 1 << 20;

/// Faults that are named when an answer does not fit.
const MAX_FAULTS: usize = 5;

/// A schema, ready to be used.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    /// As it was written.
    pub(crate) text: String,
    value: Value,
    validator: Validator,
}

/// Why a schema cannot be used.
#[derive(Debug)]
pub(crate) struct SchemaError(String);

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Schema {
    /// Compiles a schema. Nothing is fetched: what it refers to must be in it.
    pub(crate) fn parse(
        name: &str,
        description: Option<&str>,
        text: &str,
    ) -> Result<Self, SchemaError> {
        if text.len() > MAX_LENGTH {
            let length = text.len();
            return Err(SchemaError(format!(
                "it has {length} bytes and may have {MAX_LENGTH}"
            )));
        }
        let value = serde_json::from_str(text).map_err(|error| SchemaError(error.to_string()))?;
        cost::check_references(&value).map_err(SchemaError)?;
        cost::check_unevaluated(&value).map_err(SchemaError)?;
        check_patterns(&value).map_err(SchemaError)?;
        Ok(Self {
            name: name.to_owned(),
            description: description.map(str::to_owned),
            text: text.to_owned(),
            validator: compile(&value)?,
            value,
        })
    }

    /// What is wrong with a value, if anything.
    pub(super) fn check(&self, value: &Value) -> Option<String> {
        if cost::steps(&self.value, value) > MAX_STEPS {
            return Some("it takes too long to compare it with the schema".to_owned());
        }
        if self.validator.is_valid(value) {
            return None;
        }
        let faults = self.validator.iter_errors(value).take(MAX_FAULTS);
        let faults: Vec<String> = faults
            .map(|fault| match fault.instance_path().as_str() {
                "" => fault.to_string(),
                place => format!("{fault} at {place}"),
            })
            .collect();
        Some(faults.join("; "))
    }
}

fn compile(value: &Value) -> Result<Validator, SchemaError> {
    let patterns = PatternOptions::fancy_regex()
        .backtrack_limit(MAX_BACKTRACKS)
        .size_limit(MAX_PATTERN);
    let options = jsonschema::options()
        .with_pattern_options(patterns)
        .with_draft(draft(value));
    options.build(value).map_err(|error| {
        SchemaError(match error.instance_path().as_str() {
            "" => error.to_string(),
            place => format!("{error} at {place}"),
        })
    })
}

/// A regular expression of ten characters can take milliseconds and megabytes to compile.
fn check_patterns(schema: &Value) -> Result<(), String> {
    let mut patterns = HashSet::new();
    let mut rest = vec![schema];
    while let Some(value) = rest.pop() {
        match value {
            Value::Object(members) => {
                patterns.extend(members.get("pattern").and_then(Value::as_str));
                let named = members.get("patternProperties").and_then(Value::as_object);
                patterns.extend(named.into_iter().flat_map(Map::keys).map(String::as_str));
                rest.extend(members.values());
            }
            Value::Array(items) => rest.extend(items),
            _ => {}
        }
    }
    match patterns.len() > MAX_PATTERNS {
        true => Err(format!(
            "it has {} different regular expressions and may have {MAX_PATTERNS}",
            patterns.len()
        )),
        false => Ok(()),
    }
}

/// The draft that a schema names, however the address is written; one that nobody knows is the newest.
fn draft(schema: &Value) -> Draft {
    let name = schema.get("$schema").and_then(Value::as_str);
    let name = name.unwrap_or_default();
    let drafts = [
        ("draft-04", Draft::Draft4),
        ("draft-06", Draft::Draft6),
        ("draft-07", Draft::Draft7),
        ("2019-09", Draft::Draft201909),
    ];
    let named = drafts.into_iter().find(|(part, _)| name.contains(part));
    named.map_or(Draft::Draft202012, |(_, draft)| draft)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(schema: &str) -> String {
        Schema::parse("s", None, schema).unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_schema_is_refused_with_the_place() {
        assert_eq!(
            refused(r#"{"properties":{"a":{"pattern":"("}}}"#),
            "\"(\" is not a \"regex\" at /properties/a/pattern"
        );
        assert!(refused(r#"{"type":"strin"}"#).ends_with("at /type"));
        let long = format!(r#"{{"title":"{}"}}"#, "x".repeat(MAX_LENGTH));
        assert_eq!(refused(&long), "it has 262156 bytes and may have 262144");
    }

    #[test]
    fn regular_expressions_are_few_and_small() {
        let many = |n| {
            let properties: Map<String, Value> = (0..n)
                .map(|at| {
                    (
                        format!("a{at}"),
                        serde_json::json!({"pattern": format!("^{}", at % 101)}),
                    )
                })
                .collect();
            serde_json::json!({"properties": properties}).to_string()
        };
        assert!(Schema::parse("s", None, &many(100)).is_ok());
        let reason = "it has 101 different regular expressions and may have 100";
        assert_eq!(refused(&many(500)), reason);
        let named = many(101)
            .replace("pattern", "x")
            .replace("properties", "patternProperties");
        assert_eq!(refused(&named), reason);
        for large in [r"(?!a)(?:\\w{90}){9}", r"(?:[a-z]{900}){99}x"] {
            let reason = refused(&format!(r#"{{"pattern":"{large}"}}"#));
            assert!(reason.contains("is not a \"regex\""), "{reason}");
        }
    }

    #[test]
    fn nothing_is_fetched() {
        for url in ["http://127.0.0.1:1/x.json", "file:///etc/passwd", "x.json"] {
            let reason = refused(&format!(r#"{{"$ref":"{url}"}}"#));
            assert_eq!(
                reason,
                format!("the reference \"{url}\" leads to nothing in the schema")
            );
        }
    }

    #[test]
    fn a_draft_is_known_by_its_name() {
        // In draft 7 a list of items is what prefixItems is now.
        let items = r#""items":[{"type":"string"}]"#;
        for dialect in [
            "http://json-schema.org/draft-07/schema#",
            "https://json-schema.org/draft-07/schema",
        ] {
            let text = format!(r#"{{"$schema":"{dialect}",{items}}}"#);
            let schema = Schema::parse("s", None, &text).unwrap();
            assert!(schema.check(&serde_json::json!([1])).is_some());
        }
        let items = r#""prefixItems":[{"type":"string"}]"#;
        for dialect in [
            "http://example.com/mine",
            "https://json-schema.org/draft/2020-12/schema",
        ] {
            let text = format!(r#"{{"$schema":"{dialect}",{items}}}"#);
            let schema = Schema::parse("s", None, &text).unwrap();
            assert!(schema.check(&serde_json::json!([1])).is_some());
        }
    }

    #[test]
    fn an_expression_that_steps_back_for_ever_does_not() {
        let schema = Schema::parse("s", None, r#"{"pattern":"^(?:a?){200}a{200}$(?!c)"}"#).unwrap();
        let reason = schema.check(&"a".repeat(200).into()).unwrap();
        assert!(reason.contains("backtracking"), "{reason}");
    }
}
