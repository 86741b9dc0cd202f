//! The JSON schemas of shapes that are read by hand, in the words of those that are derived.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::content::{Block, Content, Source};
use crate::json::{Json, Object, Text};

/// A type that has no name of its own in a description.
macro_rules! inline {
    ($type:ty, $name:literal, $schema:tt) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                Cow::Borrowed($name)
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

inline!(Text<'_>, "Text", {"type": "string"});
inline!(Object<'_>, "Object", {"type": "object"});
inline!(Json<'_>, "Json", {});

impl JsonSchema for Content<'_> {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("MessagesContent")
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A string, or blocks in order.",
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": generator.subschema_for::<Block<'_>>()},
            ],
        })
    }
}

/// Where a picture or a document comes from, and of a search result its address.
pub(crate) struct AnySource;

impl JsonSchema for AnySource {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("AnySource")
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [generator.subschema_for::<Source<'_>>(), {"type": "string"}],
        })
    }
}

/// What a tool returned, or whatever else a block holds.
pub(crate) struct AnyContent;

impl JsonSchema for AnyContent {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("AnyContent")
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [generator.subschema_for::<Content<'_>>(), {"type": "object"}],
        })
    }
}
