//! Conversations, sound and odd, for property tests.

use kiro_protocol::conversation::{
    Block, Conversation, Image, JsonObject, Reasoning, ResultPart, Role, ToolResult, ToolSpec,
    ToolUse, Turn,
};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Any conversation: whoever says whatever, tools and schemas of any shape.
///
/// It breaks each rule of `src/request/rules/` now and then: without one of them a test that begins with it fails.
pub(crate) fn any_conversation() -> impl Strategy<Value = Conversation> {
    (
        proptest::option::of(any_conversation_id()),
        vec(any_text(), 0..3),
        vec(any_turn(), 0..9),
        vec(any_tool(), 0..5),
    )
        .prop_map(|(id, system, turns, tools)| {
            let mut conversation = conversation(&system, turns, tools);
            conversation.id = id;
            conversation
        })
}

/// A conversation in which everybody says only what they can say, and nothing else is certain.
pub(crate) fn well_spoken_conversation() -> impl Strategy<Value = Conversation> {
    (
        vec(any_text(), 0..3),
        vec(prop_oneof![user_turn(), assistant_turn()], 1..12),
        vec(any_tool(), 0..4),
    )
        .prop_map(|(system, turns, tools)| conversation(&system, turns, tools))
}

/// A conversation that obeys every rule.
pub(crate) fn valid_conversation() -> impl Strategy<Value = Conversation> {
    (
        vec(words(), 0..3),
        vec((valid_exchange(), 0..3_usize), 0..5),
        words(),
    )
        .prop_map(|(system, exchanges, last)| {
            let mut turns = Vec::new();
            let mut answers = Vec::new();
            for (round, ((asked, said), n_uses)) in exchanges.into_iter().enumerate() {
                let mut user = std::mem::take(&mut answers);
                user.extend(asked.map(Block::Text));
                if user.is_empty() {
                    user.push(Block::Text("Go on.".into()));
                }
                let mut assistant: Vec<Block> = said.into_iter().map(Block::Text).collect();
                for index in 0..n_uses {
                    let id = format!("tooluse_{round}-{index}");
                    assistant.push(tool_use(
                        &id,
                        ["read_file", "List-Dir"][index % 2],
                        "{\"a\": 1}",
                    ));
                    answers.push(tool_result(
                        &id,
                        vec![ResultPart::Text("some output".into())],
                        index == 1,
                    ));
                }
                if assistant.is_empty() {
                    assistant.push(Block::Text("Well.".into()));
                }
                turns.push(Turn::new(Role::User, user));
                turns.push(Turn::new(Role::Assistant, assistant));
            }
            answers.push(Block::Text(last));
            turns.push(Turn::new(Role::User, answers));
            let schema = r#"{"type": "object", "properties": {"a": {"type": "integer"}}}"#;
            let tools = ["read_file", "List-Dir"].map(|name| tool(name, "Does it.", schema));
            let system: Vec<String> = system
                .iter()
                .map(|text| text.unescape().into_owned())
                .collect();
            conversation(&system, turns, tools.to_vec())
        })
}

/// A schema in the style of what the libraries of agents write, without recursion.
pub(crate) fn realistic_schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({"type": "string", "description": "A leaf.", "minLength": 1})),
        Just(json!({"type": "integer", "minimum": 0, "maximum": 10, "default": 3})),
        Just(json!({"enum": ["fast", "slow"], "description": "How."})),
        Just(
            json!({"anyOf": [{"type": "string"}, {"type": "null"}], "default": null, "title": "Maybe"})
        ),
        Just(json!({"type": ["number", "null"], "exclusiveMinimum": 0})),
        Just(json!({"$ref": "#/$defs/Place", "description": "Where."})),
        Just(json!({"allOf": [{"$ref": "#/$defs/Kind"}], "description": "What kind."})),
        Just(json!({"type": "string", "format": "date-time", "description": "When."})),
        Just(json!({"type": "object", "additionalProperties": {"type": "string"}})),
    ];
    let schema = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            properties(inner.clone()),
            inner
                .clone()
                .prop_map(|items| json!({"type": "array", "items": items, "maxItems": 9})),
            vec(inner, 1..3)
                .prop_map(|branches| json!({"oneOf": branches, "description": "One of."})),
        ]
    });
    (properties(schema), any::<bool>()).prop_map(|(mut root, strict)| {
        root["$schema"] = "http://json-schema.org/draft-07/schema#".into();
        root["additionalProperties"] = (!strict).into();
        root["$defs"] = json!({
            "Place": {"type": "object", "title": "Place", "properties": {"city": {"type": "string", "description": "City."}, "kind": {"$ref": "#/$defs/Kind"}}, "required": ["city"]},
            "Kind": {"type": "string", "enum": ["home", "work"], "description": "A kind."}
        });
        root
    })
}

fn conversation(system: &[String], turns: Vec<Turn>, tools: Vec<ToolSpec>) -> Conversation {
    let mut conversation = Conversation::new("claude-sonnet-4.5");
    conversation.system = system.iter().map(|text| text.as_str().into()).collect();
    conversation.turns = turns;
    conversation.tools = tools;
    conversation
}

/// What is asked, if anything, and what is said to that.
fn valid_exchange() -> impl Strategy<
    Value = (
        Option<kiro_protocol::text::JsonText>,
        Option<kiro_protocol::text::JsonText>,
    ),
> {
    (proptest::option::of(words()), proptest::option::of(words()))
}

fn any_conversation_id() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("sess_9-a.b:c".to_owned()),
        Just("c".repeat(257)),
        any::<String>(),
    ]
}

fn any_turn() -> impl Strategy<Value = Turn> {
    let role = prop_oneof![Just(Role::User), Just(Role::Assistant)];
    (role, vec(any_block(), 0..5)).prop_map(|(role, blocks)| Turn::new(role, blocks))
}

fn user_turn() -> impl Strategy<Value = Turn> {
    let block = prop_oneof![
        any_text().prop_map(text),
        any_image().prop_map(Block::Image),
        any_result()
    ];
    vec(block, 0..4).prop_map(|blocks| Turn::new(Role::User, blocks))
}

fn assistant_turn() -> impl Strategy<Value = Turn> {
    let block = prop_oneof![any_text().prop_map(text), any_use(), any_reasoning()];
    vec(block, 0..4).prop_map(|blocks| Turn::new(Role::Assistant, blocks))
}

fn any_block() -> impl Strategy<Value = Block> {
    prop_oneof![
        3 => any_text().prop_map(text),
        1 => any_image().prop_map(Block::Image),
        3 => any_use(),
        3 => any_result(),
        2 => any_reasoning(),
    ]
}

fn text(text: String) -> Block {
    Block::Text(text.as_str().into())
}

/// Text that says something.
fn words() -> impl Strategy<Value = kiro_protocol::text::JsonText> {
    "[A-Za-z\"\\\\\n é\u{2028}😀]{0,12}[a-z]".prop_map(|text| text.as_str().into())
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => "[a-z]{1,8}( [a-z]{1,8}){0,3}",
        1 => Just(String::new()),
        1 => Just(" \n\t".to_owned()),
        1 => any::<String>(),
    ]
}

/// Three small ones, and one of 28 bytes.
fn any_image() -> impl Strategy<Value = Image> {
    proptest::sample::select(vec![
        "iVBORw0KGgo=",
        "/9j/4AAQ",
        "R0lGODlhAQABAAAAACw=",
        "UklGRgAAAABXRUJQAAAAAAAAAAAAAAAAAAAAAA==",
    ])
    .prop_map(|base64| Image::from_base64(base64).unwrap())
}

fn any_use() -> impl Strategy<Value = Block> {
    let input = prop_oneof![
        Just("{}"),
        Just("{ \"a\" : [1, {\"b\": null}] }"),
        Just("broken")
    ];
    (any_id(), any_name(), input).prop_map(|(id, name, input)| tool_use(&id, &name, input))
}

fn any_result() -> impl Strategy<Value = Block> {
    let part = prop_oneof![
        3 => any_text().prop_map(|text| ResultPart::Text(text.as_str().into())),
        1 => any_image().prop_map(ResultPart::Image),
    ];
    (any_id(), vec(part, 0..3), any::<bool>())
        .prop_map(|(id, content, is_error)| tool_result(&id, content, is_error))
}

fn any_reasoning() -> impl Strategy<Value = Block> {
    let signature = prop_oneof![Just(""), Just("c2lnbmF0dXJl")];
    prop_oneof![
        (any_text(), signature).prop_map(|(text, signature)| Reasoning::Signed {
            text: text.as_str().into(),
            signature: signature.to_owned(),
        }),
        prop_oneof![Just(""), Just("QUJD")]
            .prop_map(|base64| Reasoning::Redacted(base64.to_owned())),
    ]
    .prop_map(Block::Reasoning)
}

/// Few ids, so that uses and results meet, and repeat.
fn any_id() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[a-d]",
        1 => Just(format!("{}|{}", "c".repeat(41), "f".repeat(41))),
        1 => Just(String::new()),
        1 => any::<String>(),
    ]
}

/// Few names, legal and not, that differ in case and beyond the limit.
fn any_name() -> impl Strategy<Value = String> {
    let long = |end: &str| format!("{}{end}", "n".repeat(64));
    prop_oneof![
        6 => proptest::sample::select(vec!["read", "Read", "READ", "files.read", "Files.Read", "1st", "_x", "日本", ""])
            .prop_map(str::to_owned),
        1 => proptest::sample::select(vec![long(""), long("a"), long("b")]),
        1 => any::<String>(),
    ]
}

fn any_tool() -> impl Strategy<Value = ToolSpec> {
    let description = prop_oneof![
        3 => any_text(),
        // Longer than what any client sends.
        1 => Just("long ".repeat(2_100)),
    ];
    let schema = prop_oneof![any_schema(), realistic_schema()];
    (any_name(), description, schema)
        .prop_map(|(name, description, schema)| tool(&name, &description, &schema.to_string()))
}

/// An object whose members are keywords of schemas, with values of any kind.
fn any_schema() -> impl Strategy<Value = Value> {
    const KEYWORDS: [&str; 22] = [
        "type",
        "properties",
        "required",
        "enum",
        "const",
        "items",
        "prefixItems",
        "anyOf",
        "oneOf",
        "allOf",
        "$ref",
        "$defs",
        "definitions",
        "description",
        "additionalProperties",
        "pattern",
        "minimum",
        "not",
        "default",
        "title",
        "patternProperties",
        "a",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        Just(json!(7)),
        proptest::sample::select(vec![
            "object",
            "string",
            "null",
            "a",
            "#",
            "#/$defs/a",
            "#/properties/a",
            "#/definitions/a/items",
            "elsewhere.json",
        ])
        .prop_map(Value::from),
        Just(json!(["string", "null"])),
        Just(json!(["a", "type"])),
    ];
    let value = leaf.prop_recursive(5, 48, 5, |inner| {
        let object = vec(
            (proptest::sample::select(&KEYWORDS[..]), inner.clone()),
            0..5,
        );
        prop_oneof![
            object.prop_map(members),
            vec(inner, 0..4).prop_map(Value::from)
        ]
    });
    vec((proptest::sample::select(&KEYWORDS[..]), value), 0..6).prop_map(members)
}

fn members(members: Vec<(&str, Value)>) -> Value {
    let members = members
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value));
    Value::Object(members.collect())
}

/// An object schema, every second of its properties required.
fn properties(schema: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let names = ["path", "pattern", "required", "limit", "kind"];
    vec(schema, 0..names.len()).prop_map(move |schemas| {
        let properties: Map<String, Value> =
            names.map(str::to_owned).into_iter().zip(schemas).collect();
        let required: Vec<String> = properties.keys().step_by(2).cloned().collect();
        json!({"type": "object", "properties": properties, "required": required})
    })
}

fn tool_use(id: &str, name: &str, input: &'static str) -> Block {
    Block::ToolUse(ToolUse {
        id: id.to_owned(),
        name: name.to_owned(),
        input: JsonObject::parse_or_wrap(input),
    })
}

fn tool_result(id: &str, content: Vec<ResultPart>, is_error: bool) -> Block {
    Block::ToolResult(ToolResult {
        id: id.to_owned(),
        content,
        is_error,
    })
}

pub(crate) fn tool(name: &str, description: &str, schema: &str) -> ToolSpec {
    ToolSpec {
        name: name.to_owned(),
        description: description.into(),
        schema: JsonObject::parse(schema.to_owned()).unwrap(),
    }
}
