//! Simplified schemas by their text.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::Plain;

/// Most bytes of one schema that is kept.
const MAX_SCHEMA: usize = 64 << 10;

/// Most bytes that are kept, schemas as they came and simplified counted. The tools of several hundred
/// agents fit.
const MAX_TOTAL: usize = 8 << 20;

/// Remembers simplified schemas, for tools that are declared again in every request.
///
/// An agent sends the same tools with each turn, and simplifying them costs more than all the rest of a
/// request. Simplifying is a function of the text alone, so one cache serves all tenants and threads. It
/// holds at most 8 MiB and starts anew when that is full; it never holds on to the buffer of a request.
#[derive(Debug, Default)]
pub struct SchemaCache {
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    by_text: HashMap<Box<str>, Arc<Plain>>,
    bytes: usize,
}

impl SchemaCache {
    /// An empty cache.
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn get(&self, text: &str) -> Option<Arc<Plain>> {
        // The map is whole after every statement below, so a panic elsewhere cannot have broken it.
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.by_text.get(text).cloned()
    }

    pub(super) fn put(&self, text: &str, plain: &Arc<Plain>) {
        let bytes = text.len() + plain.schema.as_str().len();
        if bytes > MAX_SCHEMA {
            return;
        }
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.bytes + bytes > MAX_TOTAL {
            *entries = Entries::default();
        }
        if entries
            .by_text
            .insert(text.into(), Arc::clone(plain))
            .is_none()
        {
            entries.bytes += bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::JsonObject;
    use crate::request::schema::Simplifier;

    #[test]
    fn a_cached_schema_is_simplified_as_the_first_time() {
        let cache = SchemaCache::new();
        for text in [
            r##"{"properties":{"a":{"$ref":"#/x"},"b":{"minimum":1}},"$schema":"y"}"##,
            r#"{"type":"object","properties":{}}"#,
        ] {
            let schema = JsonObject::parse(text).unwrap();
            let results: Vec<_> = [None, Some(&cache), Some(&cache)]
                .into_iter()
                .map(|cache| {
                    let mut found = Vec::new();
                    (
                        Simplifier::new(cache).simplify("t", &schema, &mut found),
                        found,
                    )
                })
                .collect();
            assert_eq!(results[0], results[1]);
            assert_eq!(results[0], results[2]);
        }
    }

    #[test]
    fn the_cache_is_bounded() {
        let cache = SchemaCache::new();
        for n in 0..1_000 {
            let schema = format!(r#"{{"title":"{n}{}"}}"#, "x".repeat(30_000));
            Simplifier::new(Some(&cache)).simplify(
                "t",
                &JsonObject::parse(schema).unwrap(),
                &mut Vec::new(),
            );
            let entries = cache.entries.lock().unwrap();
            let held = entries
                .by_text
                .iter()
                .map(|(text, plain)| text.len() + plain.schema.as_str().len());
            assert_eq!(held.sum::<usize>(), entries.bytes);
            assert!(0 < entries.bytes && entries.bytes <= MAX_TOTAL);
        }
        let large = format!(r#"{{"title":"{}"}}"#, "x".repeat(MAX_SCHEMA));
        Simplifier::new(Some(&cache)).simplify(
            "t",
            &JsonObject::parse(large.clone()).unwrap(),
            &mut Vec::new(),
        );
        assert!(cache.get(&large).is_none());
    }
}
