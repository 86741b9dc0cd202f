//! The JSON schemas of shapes that are read by hand, in the words of those that are derived.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::chat::{Content, FunctionChoice, ImageUrl, NamedTool, Part, Role, Stop, ToolChoice};
use crate::json::{Object, Text};
use crate::responses;

/// A type whose schema is written down here: beside others, or with a name of its own.
macro_rules! schema {
    (inline $type:ty, $name:literal, $schema:expr) => {
        schema!($type, $name, true, $schema);
    };
    ($type:ty, $name:literal, $schema:expr) => {
        schema!($type, $name, false, $schema);
    };
    ($type:ty, $name:literal, $inline:literal, $schema:expr) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                Cow::Borrowed($name)
            }

            fn inline_schema() -> bool {
                $inline
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                let schema: fn(&mut SchemaGenerator) -> Schema = $schema;
                schema(generator)
            }
        }
    };
}

schema!(inline Text<'_>, "Text", |_| json_schema!({"type": "string"}));
schema!(inline Object<'_>, "Object", |_| json_schema!({"type": "object"}));
schema!(inline Stop, "Stop", |_| json_schema!({
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
}));
schema!(inline Role, "Role", |_| json_schema!({"type": "string", "enum": Role::NAMES}));
schema!(Content<'_>, "ChatContent", |generator| json_schema!({
    "description": "A string, or parts in order.",
    "anyOf": [
        {"type": "string"},
        {"type": "array", "items": generator.subschema_for::<Part<'_>>()},
    ],
}));
schema!(ImageUrl<'_>, "ChatImageUrl", |_| json_schema!({
    "description": "A picture: an `http`, `https` or `data` URL, in an object or bare.",
    "anyOf": [
        {
            "type": "object",
            "properties": {
                "url": {"type": "string"},
                "detail": {
                    "description": "How closely to look: `auto`, `low`, `high` or `original`.",
                    "type": ["string", "null"],
                },
            },
            "required": ["url"],
        },
        {"type": "string"},
    ],
}));
schema!(NamedTool, "ChatNamedTool", |_| {
    let named = json_schema!({
        "type": "object",
        "properties": {"name": {"type": "string"}},
        "required": ["name"],
    });
    json_schema!({
        "description": "A tool by its name, nested in `function` or `custom`, or flat.",
        "type": "object",
        "properties": {
            "type": {"type": ["string", "null"]},
            "function": named,
            "custom": named,
            "name": {"type": ["string", "null"]},
        },
        "anyOf": [{"required": ["function"]}, {"required": ["custom"]}, {"required": ["name"]}],
    })
});
schema!(ToolChoice, "ChatToolChoice", |generator| json_schema!({
    "description": "Whether the model must use a tool.",
    "anyOf": [
        {"description": "`none`, `auto` or `required`.", "type": "string"},
        {
            "description": "The same as Anthropic has it.",
            "type": "object",
            "properties": {"type": {"enum": ["none", "auto", "any", "required"]}},
            "required": ["type"],
        },
        generator.subschema_for::<NamedTool>(),
        {
            "description": "Some of the tools.",
            "type": "object",
            "properties": {
                "type": {"const": "allowed_tools"},
                "allowed_tools": generator.subschema_for::<crate::chat::AllowedTools>(),
            },
            "required": ["allowed_tools"],
        },
    ],
}));
schema!(FunctionChoice, "ChatFunctionChoice", |_| json_schema!({
    "description": "`none`, `auto`, or one function.",
    "anyOf": [
        {"type": "string"},
        {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
    ],
}));
schema!(
    responses::ToolChoice,
    "ResponsesToolChoice",
    |generator| json_schema!({
        "description": "`auto`, `none`, `required`, or a tool.",
        "anyOf": [
            {"type": "string"},
            generator.subschema_for::<responses::ChosenTool>(),
        ],
    })
);
schema!(
    responses::Input<'_>,
    "ResponsesInput",
    |generator| json_schema!({
        "description": "One text of the user, or items.",
        "anyOf": [
            {"type": "string"},
            {"type": "array", "items": generator.subschema_for::<InputItem>()},
        ],
    })
);

/// One item of the input, which is read by its `type`.
pub(crate) struct InputItem;

schema!(InputItem, "ResponsesInputItem", |generator| {
    let of = |kinds: &[&str], shape: Schema| {
        json_schema!({
            "properties": {"type": {"enum": kinds}},
            "required": ["type"],
            "allOf": [shape],
        })
    };
    let items = [
        of(
            &["message"],
            generator.subschema_for::<responses::Message<'_>>(),
        ),
        of(
            &["function_call"],
            generator.subschema_for::<responses::FunctionCall<'_>>(),
        ),
        of(
            &["custom_tool_call"],
            generator.subschema_for::<responses::CustomToolCall<'_>>(),
        ),
        of(
            &["function_call_output", "custom_tool_call_output"],
            generator.subschema_for::<responses::ToolOutput<'_>>(),
        ),
        of(
            &["reasoning"],
            generator.subschema_for::<responses::Reasoning>(),
        ),
        of(
            &["additional_tools"],
            generator.subschema_for::<responses::AdditionalTools<'_>>(),
        ),
        json_schema!({
            "description": "A message that does not say what it is, or another kind of item.",
            "type": "object",
        }),
    ];
    json_schema!({
        "description": "Something that was said, called, returned or thought.",
        "anyOf": items,
    })
});

/// The content of an item: a string, or pieces.
pub(crate) struct ItemContent;

schema!(ItemContent, "ResponsesContent", |generator| json_schema!({
    "description": "A string, or pieces in order.",
    "anyOf": [
        {"type": "string"},
        {"type": "array", "items": generator.subschema_for::<responses::Part<'_>>()},
    ],
}));
