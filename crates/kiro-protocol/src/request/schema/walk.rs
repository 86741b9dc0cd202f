//! From a schema to the plain schema that says the same.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value};

use super::keyword::Keyword;
use super::merge::{describe, merge, require_once};
use crate::request::diagnostic::CutReference;

/// Deepest level at which a reference is still followed. What it refers to may nest as deep as any
/// schema, so this also bounds the stack.
const MAX_REFERENCE_LEVEL: usize = 60;

/// One schema on its way through.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    /// Keywords that were taken out.
    pub(super) stripped: BTreeSet<&'static str>,
    /// References that were not followed.
    pub(super) cuts: BTreeMap<&'a str, CutReference>,
    /// Bytes that references may still add.
    pub(super) budget: usize,
    root: &'a Map<String, Value>,
    /// References whose targets are being copied, outermost first.
    following: Vec<&'a str>,
    /// Bytes of what a reference refers to.
    sizes: HashMap<&'a str, usize>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(root: &'a Map<String, Value>, budget: usize) -> Self {
        Self {
            stripped: BTreeSet::new(),
            cuts: BTreeMap::new(),
            budget,
            root,
            following: vec!["#"],
            sizes: HashMap::new(),
        }
    }

    /// The members of a schema, which stands `level` levels of JSON deep.
    pub(super) fn schema_members(
        &mut self,
        schema: &'a Map<String, Value>,
        level: usize,
    ) -> Map<String, Value> {
        let mut plain = Map::with_capacity(schema.len());
        let mut told = Vec::new();
        for (name, value) in schema {
            let (name, value) = match Keyword::of(name) {
                Keyword::Type => ("type", first_type(value)),
                Keyword::Properties => ("properties", self.schemas_by_name(value, level)),
                Keyword::Required => ("required", list(value, Value::is_string)),
                Keyword::Enum => ("enum", list(value, |_| true)),
                Keyword::Const if schema.contains_key("enum") => continue,
                Keyword::Const => ("enum", Some(vec![value.clone()].into())),
                Keyword::Items if plain.contains_key("items") => continue,
                Keyword::Items => ("items", self.items(schema, level)),
                Keyword::Choice => ("anyOf", self.choice(&mut plain, value, level)),
                Keyword::Description => (
                    "description",
                    Some(value).filter(|v| v.is_string()).cloned(),
                ),
                Keyword::Other => (name.as_str(), Some(value).filter(|v| !v.is_null()).cloned()),
                Keyword::Refused(refused) => {
                    self.stripped.insert(refused);
                    told.extend(self.tell(refused, value, level));
                    continue;
                }
                Keyword::Resolved | Keyword::Meaningless => continue,
            };
            if let Some(value) = value {
                plain.insert(name.to_owned(), value);
            }
        }
        self.resolve(&mut plain, schema, level);
        if !told.is_empty() {
            describe(&mut plain, &format!("({})", told.join(", ")), " ");
        }
        plain
    }

    /// A schema. What is no object (`true`, `null`, nonsense) allows everything.
    fn schema(&mut self, schema: &'a Value, level: usize) -> Map<String, Value> {
        match schema {
            Value::Object(members) => self.schema_members(members, level),
            _ => Map::new(),
        }
    }

    fn schemas_by_name(&mut self, schemas: &'a Value, level: usize) -> Option<Value> {
        let schemas = schemas.as_object()?.iter();
        let plain =
            schemas.map(|(name, schema)| (name.clone(), self.schema(schema, level + 2).into()));
        Some(Value::Object(plain.collect()))
    }

    /// The schema of a list's items: given as one schema, or as a tuple in the old or the new spelling.
    fn items(&mut self, schema: &'a Map<String, Value>, level: usize) -> Option<Value> {
        let mut schemas: Vec<&Value> = Vec::new();
        for keyword in ["prefixItems", "items"] {
            match schema.get(keyword) {
                Some(Value::Array(tuple)) => schemas.extend(tuple),
                Some(rest @ Value::Object(_)) => schemas.push(rest),
                _ => {}
            }
        }
        if let [one] = schemas[..] {
            return Some(self.schema(one, level + 1).into());
        }
        let mut plain: Vec<Value> = Vec::new();
        for schema in schemas {
            let schema = self.schema(schema, level + 3).into();
            // Neighbours are enough: the usual tuple is a pair of the same.
            if plain.last() != Some(&schema) {
                plain.push(schema);
            }
        }
        match plain.len() {
            0 => None,
            1 => plain.pop(),
            _ => {
                let choice = Map::from_iter([("anyOf".to_owned(), plain.into())]);
                Some(choice.into())
            }
        }
    }

    /// The branches of a choice, after those of another choice in the same schema.
    fn choice(
        &mut self,
        plain: &mut Map<String, Value>,
        branches: &'a Value,
        level: usize,
    ) -> Option<Value> {
        let mut all = match plain.get_mut("anyOf") {
            Some(Value::Array(before)) => std::mem::take(before),
            _ => Vec::new(),
        };
        for branch in branches.as_array().into_iter().flatten() {
            all.push(self.schema(branch, level + 2).into());
        }
        (!all.is_empty()).then(|| all.into())
    }

    /// Merges what the schema refers to, and its parts.
    fn resolve(
        &mut self,
        plain: &mut Map<String, Value>,
        schema: &'a Map<String, Value>,
        level: usize,
    ) {
        if let Some(Value::String(reference)) = schema.get("$ref") {
            merge(plain, self.follow(reference, level));
        }
        if let Some(Value::Array(parts)) = schema.get("allOf") {
            for part in parts {
                merge(plain, self.schema(part, level + 2));
            }
        }
        require_once(plain);
    }

    fn follow(&mut self, reference: &'a str, level: usize) -> Map<String, Value> {
        let target = self.target(reference);
        match self.may_copy(reference, target, level) {
            Ok(target) => {
                self.following.push(reference);
                let plain = self.schema(target, level + 1);
                self.following.pop();
                plain
            }
            Err(why) => {
                self.cuts.entry(reference).or_insert(why);
                match why {
                    CutReference::Unresolved => Map::new(),
                    _ => stand_in(reference, target),
                }
            }
        }
    }

    /// What a reference refers to, if it is a pointer into this schema (RFC 6901).
    fn target(&self, reference: &str) -> Option<&'a Value> {
        let pointer = reference.strip_prefix("#/")?;
        let (first, rest) = pointer
            .find('/')
            .map_or((pointer, ""), |at| pointer.split_at(at));
        let first = first.replace("~1", "/").replace("~0", "~");
        self.root.get(&first)?.pointer(rest)
    }

    fn may_copy(
        &mut self,
        reference: &'a str,
        target: Option<&'a Value>,
        level: usize,
    ) -> Result<&'a Value, CutReference> {
        if self.following.contains(&reference) {
            return Err(CutReference::Recursive);
        }
        let target = target.ok_or(CutReference::Unresolved)?;
        if level > MAX_REFERENCE_LEVEL {
            return Err(CutReference::TooDeep);
        }
        let size = *self.sizes.entry(reference).or_insert_with(|| size(target));
        self.budget = self
            .budget
            .checked_sub(size)
            .ok_or(CutReference::TooLarge)?;
        Ok(target)
    }

    /// A refused keyword in words, unless it says nothing that a model could heed.
    fn tell(&mut self, keyword: &str, value: &'a Value, level: usize) -> Option<String> {
        let value = match (keyword, value) {
            (_, Value::Null | Value::Bool(false)) => return None,
            (
                "additionalProperties" | "unevaluatedProperties" | "unevaluatedItems",
                Value::Bool(_),
            ) => {
                return None;
            }
            ("patternProperties" | "dependentSchemas", Value::Object(_)) => {
                self.schemas_by_name(value, level)?
            }
            ("dependentRequired" | "dependencies", _) => value.clone(),
            (_, Value::String(text)) => return Some(format!("{keyword}: {text}")),
            (_, Value::Object(_)) => self.schema(value, level + 2).into(),
            _ => value.clone(),
        };
        let says_nothing = value.as_object().is_some_and(Map::is_empty);
        (!says_nothing).then(|| format!("{keyword}: {value}"))
    }
}

/// The type, or the first of several that is not `null`.
fn first_type(value: &Value) -> Option<Value> {
    match value {
        Value::String(_) => Some(value.clone()),
        Value::Array(types) => {
            let is_null = |name: &&Value| name.as_str() == Some("null");
            let types = || types.iter().filter(|name| name.is_string());
            let first = types().find(|name| !is_null(name)).or(types().next());
            first.cloned()
        }
        _ => None,
    }
}

/// The items that are wanted, unless there are none.
fn list(value: &Value, is_wanted: impl Fn(&Value) -> bool) -> Option<Value> {
    let items = value.as_array()?.iter().filter(|item| is_wanted(item));
    let items: Vec<Value> = items.cloned().collect();
    (!items.is_empty()).then(|| items.into())
}

/// What stands for a reference that is not followed: the type of its target, and its name.
fn stand_in(reference: &str, target: Option<&Value>) -> Map<String, Value> {
    let mut plain = Map::new();
    let target = target.and_then(Value::as_object);
    let is_object = reference == "#" || target.is_some_and(|t| t.contains_key("properties"));
    let kind = target
        .and_then(|target| target.get("type"))
        .and_then(first_type);
    if let Some(kind) = kind.or_else(|| is_object.then(|| "object".into())) {
        plain.insert("type".to_owned(), kind);
    }
    let name = match reference.rsplit('/').next() {
        None | Some("" | "#") => "the whole",
        Some(name) => name,
    };
    describe(&mut plain, &format!("Has the same shape as {name}."), " ");
    plain
}

/// About how many bytes a value adds to a document.
fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(size).sum::<usize>() + 2,
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| name.len() + 4 + size(value);
            members.iter().map(member).sum::<usize>() + 2
        }
        Value::String(text) => text.len() + 3,
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
    }
}
