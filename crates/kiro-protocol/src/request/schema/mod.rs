//! JSON schemas as Kiro takes them.

mod cache;
mod keyword;
mod merge;
mod walk;

use std::sync::Arc;

use serde_json::{Map, Value};

use super::diagnostic::{CutReference, Diagnostic};
use crate::conversation::JsonObject;
pub use cache::SchemaCache;
use walk::Walk;

/// Most bytes that references may add to the schemas of one conversation.
///
/// A few definitions that refer to each other twice can unfold to any size. Real sets of tools add some
/// hundred kilobytes at most.
const MAX_INLINED: usize = 2 << 20;

/// The schema of a tool whose arguments are not known.
pub(super) fn any_object() -> JsonObject {
    JsonObject::known(r#"{"type":"object","properties":{}}"#)
}

/// Simplifies the schemas of one conversation.
///
/// - The root is an object with `properties`. A choice (`anyOf`, `oneOf`) at the root becomes the union
///   of its properties, of which those that every branch requires are required; what only some branches
///   require is told in the description.
/// - `$ref` is replaced by what it refers to. Where that would never end, it is cut and described.
/// - `allOf` is merged, `oneOf` becomes `anyOf`, `const` an `enum` of one, a list of types its first that
///   is not `null`, a tuple a list of any of its items.
/// - `null` and empty lists are left out.
/// - Keywords that the service refuses are taken out; those that tell the model something are told in
///   the description instead, for example `(minimum: 0)`.
///
/// `required`, `enum` and descriptions are kept, and so is the name of every property, also if it looks
/// like a keyword. A schema that is plain already keeps its text.
///
/// Source of what is refused: several gateways on the root, `required`, `properties` and lists of types;
/// one on the keywords (October 2026).
#[derive(Debug)]
pub(super) struct Simplifier<'a> {
    /// Bytes that references may still add.
    budget: usize,
    cache: Option<&'a SchemaCache>,
}

/// A schema as Kiro takes it, and what it was not.
#[derive(Debug)]
struct Plain {
    schema: JsonObject,
    /// Keywords that were taken out; `None` when nothing was changed at all.
    stripped: Option<Vec<&'static str>>,
    cuts: Vec<(String, CutReference)>,
    is_replaced: bool,
    /// Bytes that references added.
    inlined: usize,
}

impl<'a> Simplifier<'a> {
    pub(super) fn new(cache: Option<&'a SchemaCache>) -> Self {
        let budget = MAX_INLINED;
        Self { budget, cache }
    }

    /// The schema as Kiro takes it.
    pub(super) fn simplify(
        &mut self,
        tool: &str,
        schema: &JsonObject,
        found: &mut Vec<Diagnostic>,
    ) -> JsonObject {
        let plain = self.plain(schema.as_str());
        self.budget = self.budget.saturating_sub(plain.inlined);
        let tool = || tool.to_owned();
        found.extend(
            plain
                .cuts
                .iter()
                .map(|(reference, why)| Diagnostic::SchemaReferenceCut {
                    tool: tool(),
                    reference: reference.clone(),
                    why: *why,
                }),
        );
        if plain.is_replaced {
            found.push(Diagnostic::SchemaReplaced { tool: tool() });
        } else if let Some(keywords) = plain.stripped.clone() {
            found.push(Diagnostic::SchemaSimplified {
                tool: tool(),
                keywords,
            });
        }
        plain.schema.clone()
    }

    fn plain(&self, text: &str) -> Arc<Plain> {
        let cached = self.cache.and_then(|cache| cache.get(text));
        if let Some(plain) = cached.filter(|plain| plain.inlined <= self.budget) {
            return plain;
        }
        let plain = Arc::new(plain(text, self.budget));
        let is_exhausted = |(_, why): &(String, CutReference)| *why == CutReference::TooLarge;
        match self.cache {
            // What an exhausted budget has cut may be whole another time.
            Some(cache) if !plain.cuts.iter().any(is_exhausted) => cache.put(text, &plain),
            _ => {}
        }
        plain
    }
}

/// Simplifies one schema; references may add so many bytes.
fn plain(text: &str, budget: usize) -> Plain {
    // A JsonObject always parses.
    let root: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
    let mut walk = Walk::new(&root, budget);
    let mut members = walk.schema_members(&root, 1);
    merge::flatten_choice(&mut members);
    members.shift_remove("type");
    let mut simplified = Map::from_iter([("type".to_owned(), "object".into())]);
    simplified.extend(members);
    let properties = simplified.entry("properties");
    properties.or_insert_with(|| Map::new().into());

    let is_changed = simplified != root;
    let schema = match is_changed {
        true => JsonObject::try_from(&simplified),
        // A copy: the text may be a part of a large buffer.
        false => JsonObject::parse(text.to_owned()),
    };
    let cuts = walk.cuts.into_iter();
    Plain {
        is_replaced: schema.is_err(),
        schema: schema.unwrap_or_else(|_| any_object()),
        stripped: is_changed.then(|| walk.stripped.into_iter().collect()),
        cuts: cuts
            .map(|(reference, why)| (reference.to_owned(), why))
            .collect(),
        inlined: budget - walk.budget,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn simplify(schema: Value) -> (Value, Vec<Diagnostic>) {
        let schema = JsonObject::try_from(schema.as_object().unwrap()).unwrap();
        let mut found = Vec::new();
        let simplified = Simplifier::new(None).simplify("t", &schema, &mut found);
        (serde_json::from_str(simplified.as_str()).unwrap(), found)
    }

    #[track_caller]
    fn assert_becomes(before: Value, after: Value) {
        let (simplified, _) = simplify(before);
        assert_eq!(simplified.to_string(), after.to_string());
        let (again, found) = simplify(simplified.clone());
        assert_eq!(
            (again, found),
            (simplified, vec![]),
            "a second time changes nothing"
        );
    }

    #[test]
    fn the_root_is_an_object() {
        let empty = json!({"type": "object", "properties": {}});
        assert_becomes(json!({}), empty.clone());
        assert_becomes(
            json!({"type": "object", "properties": null, "required": null}),
            empty.clone(),
        );
        assert_becomes(
            json!({"type": ["null", "object"], "required": []}),
            empty.clone(),
        );
        assert_becomes(
            json!({"type": "string"}),
            json!({"type": "object", "properties": {}}),
        );
    }

    #[test]
    fn refused_keywords_are_told_in_the_description() {
        assert_becomes(
            json!({
                "$schema": "http://json-schema.org/draft-07/schema#",
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "age": {"type": "integer", "minimum": 0, "description": "Years."},
                    "id": {"type": "string", "pattern": "^[a-z]+$", "format": "slug", "title": "Id"},
                    "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": true, "default": []},
                    "env": {"type": "object", "additionalProperties": {"type": "string", "minLength": 1}}
                },
                "required": ["age", "id", 5]
            }),
            json!({
                "type": "object",
                "properties": {
                    "age": {"type": "integer", "description": "Years. (minimum: 0)"},
                    "id": {"type": "string", "title": "Id", "description": "(pattern: ^[a-z]+$, format: slug)"},
                    "tags": {"type": "array", "items": {"type": "string"}, "default": [], "description": "(uniqueItems: true)"},
                    "env": {"type": "object", "description": "(additionalProperties: {\"type\":\"string\",\"description\":\"(minLength: 1)\"})"}
                },
                "required": ["age", "id"]
            }),
        );
    }

    #[test]
    fn a_property_may_be_called_like_a_keyword() {
        let schema = json!({"type": "object", "properties": {
            "pattern": {"type": "string"}, "format": {"type": "string"}, "$ref": {"type": "string"},
            "properties": {"type": "object", "properties": {"const": {"type": "integer"}}},
            "required": {"type": "boolean"}, "anyOf": {"type": "string"}, "$schema": {"type": "string"}
        }, "required": ["pattern", "$ref"]});
        assert_becomes(schema.clone(), schema);
    }

    #[test]
    fn types_tuples_and_constants_are_spelled_simply() {
        assert_becomes(
            json!({"type": "object", "properties": {
                "a": {"type": ["string", "null"], "enum": ["x", null]},
                "b": {"const": "only"},
                "c": {"type": "array", "items": [{"type": "number"}, {"type": "number"}], "additionalItems": false},
                "d": {"type": "array", "prefixItems": [{"type": "number"}, {"type": "string"}], "items": false},
                "e": {"oneOf": [{"type": "string"}, {"type": "object", "properties": null}]},
                "f": true,
                "g": null,
                "h": {"type": "string", "default": null, "title": null}
            }}),
            json!({"type": "object", "properties": {
                "a": {"type": "string", "enum": ["x", null]},
                "b": {"enum": ["only"]},
                "c": {"type": "array", "items": {"type": "number"}},
                "d": {"type": "array", "items": {"anyOf": [{"type": "number"}, {"type": "string"}]}},
                "e": {"anyOf": [{"type": "string"}, {"type": "object"}]},
                "f": {},
                "g": {},
                "h": {"type": "string"}
            }}),
        );
    }

    #[test]
    fn references_are_replaced_by_what_they_refer_to() {
        assert_becomes(
            json!({
                "$defs": {"Point": {"type": "object", "description": "A place.", "properties": {"x": {"$ref": "#/definitions/a~1b"}}, "required": ["x"]}},
                "definitions": {"a/b": {"type": "number", "maximum": 9}},
                "type": "object",
                "properties": {
                    "from": {"$ref": "#/$defs/Point"},
                    "to": {"description": "The end.", "$ref": "#/$defs/Point"},
                    "via": {"allOf": [{"$ref": "#/$defs/Point"}, {"required": ["y"], "properties": {"y": {"type": "number"}}}]}
                }
            }),
            json!({
                "type": "object",
                "properties": {
                    "from": {"type": "object", "description": "A place.", "properties": {"x": {"type": "number", "description": "(maximum: 9)"}}, "required": ["x"]},
                    "to": {"description": "The end.\nA place.", "type": "object", "properties": {"x": {"type": "number", "description": "(maximum: 9)"}}, "required": ["x"]},
                    "via": {"type": "object", "description": "A place.", "properties": {"x": {"type": "number", "description": "(maximum: 9)"}, "y": {"type": "number"}}, "required": ["x", "y"]}
                }
            }),
        );
    }

    #[test]
    fn recursion_is_cut_and_described() {
        let (simplified, found) = simplify(json!({
            "$defs": {"Node": {"type": "object", "properties": {"name": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}}}}},
            "properties": {"tree": {"$ref": "#/$defs/Node"}, "self": {"$ref": "#"}, "lost": {"$ref": "other.json#/x", "description": "Lost."}}
        }));
        assert_eq!(
            simplified["properties"],
            json!({
                "tree": {"type": "object", "properties": {"name": {"type": "string"}, "children": {"type": "array", "items": {"type": "object", "description": "Has the same shape as Node."}}}},
                "self": {"type": "object", "description": "Has the same shape as the whole."},
                "lost": {"description": "Lost."}
            })
        );
        let cut = |reference: &str, why| Diagnostic::SchemaReferenceCut {
            tool: "t".to_owned(),
            reference: reference.to_owned(),
            why,
        };
        assert_eq!(
            found[..3],
            [
                cut("#", CutReference::Recursive),
                cut("#/$defs/Node", CutReference::Recursive),
                cut("other.json#/x", CutReference::Unresolved),
            ]
        );
    }

    #[test]
    fn a_choice_at_the_root_becomes_one_object() {
        assert_becomes(
            json!({"description": "Edits a file.", "oneOf": [
                {"description": "Whole.", "type": "object", "properties": {"kind": {"const": "write"}, "path": {"type": "string"}, "text": {"type": "string"}}, "required": ["kind", "path", "text"]},
                {"description": "Part.", "type": "object", "properties": {"kind": {"const": "cut"}, "path": {"type": "string"}, "text": {"type": "integer"}}, "required": ["path", "kind"]}
            ]}),
            json!({
                "type": "object",
                "description": "Edits a file.\nGive one of: text.\nWhole.\nPart.",
                "properties": {
                    "kind": {"enum": ["write", "cut"]},
                    "path": {"type": "string"},
                    "text": {"anyOf": [{"type": "string"}, {"type": "integer"}]}
                },
                "required": ["kind", "path"]
            }),
        );
    }

    #[test]
    fn definitions_that_unfold_without_end_are_limited() {
        let mut definitions = Map::new();
        for level in 0..40 {
            let next = json!({"$ref": format!("#/$defs/d{}", level + 1)});
            let fat = "x".repeat(1000);
            let node =
                json!({"type": "object", "description": fat, "properties": {"a": next, "b": next}});
            definitions.insert(format!("d{level}"), node);
        }
        let (simplified, found) = simplify(json!({"$defs": definitions, "$ref": "#/$defs/d0"}));
        assert!(simplified.to_string().len() < 2 * MAX_INLINED);
        let is_cut = |found: &Diagnostic| {
            matches!(
                found,
                Diagnostic::SchemaReferenceCut {
                    why: CutReference::TooLarge | CutReference::TooDeep,
                    ..
                }
            )
        };
        assert!(found.iter().any(is_cut));
    }

    #[test]
    fn the_deepest_schema_is_still_an_object() {
        let mut schema = json!({"type": "string"});
        for _ in 0..48 {
            schema = json!({"properties": {"a": schema}});
        }
        let referring = json!({"$defs": {"deep": schema.clone()}, "properties": {"a": {"properties": {"b": {"$ref": "#/$defs/deep"}}}}});
        let (kept, _) = simplify(schema);
        assert!(kept.to_string().contains("string"));
        let (replaced, found) = simplify(referring);
        assert_eq!(replaced, json!({"type": "object", "properties": {}}));
        assert!(found.contains(&Diagnostic::SchemaReplaced {
            tool: "t".to_owned()
        }));
    }
}
