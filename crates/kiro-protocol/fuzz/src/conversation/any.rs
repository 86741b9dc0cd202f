//! Conversations out of bytes.

use std::sync::LazyLock;

use arbitrary::{Result, Unstructured};
use kiro_protocol::conversation::{
    Block, Conversation, Effort, Image, JsonObject, Reasoning, ResultPart, Role, ToolResult,
    ToolSpec, ToolUse, Turn,
};
use kiro_protocol::request::{Capabilities, ReasoningHistory};
use kiro_protocol::rpc::{InputType, ModelList};
use kiro_sim::Catalog;
use serde_json::{Map, Value, json};

/// A conversation and the circumstances of its request.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) conversation: Conversation,
    pub(super) model: &'static Model,
    pub(super) reasoning: ReasoningHistory,
    /// Everybody says only what they can say.
    pub(super) is_well_spoken: bool,
    /// Picks the turn after which a shorter conversation ends.
    pub(super) cut_at: u8,
}

/// A model of the catalogue.
#[derive(Debug)]
pub(super) struct Model {
    id: String,
    pub(super) sees: bool,
    pub(super) capabilities: Capabilities,
}

static MODELS: LazyLock<Vec<Model>> = LazyLock::new(|| {
    let answer = Catalog::default().response().to_string();
    let list = ModelList::parse(answer.as_bytes()).expect("the catalogue of the simulator");
    let model = |info: &kiro_protocol::rpc::ModelInfo| Model {
        id: info.id.clone(),
        sees: info.input_types.contains(&InputType::Image),
        capabilities: info.capabilities(),
    };
    list.models.iter().map(model).collect()
});

const PICTURES: [&str; 4] = [
    "iVBORw0KGgo=",
    "/9j/4AAQ",
    "R0lGODlhAQABAAAAACw=",
    "UklGRgAAAABXRUJQ",
];

const NAMES: [&str; 10] = [
    "read",
    "Read",
    "READ",
    "files.read",
    "Files.Read",
    "1st",
    "_x",
    "日本",
    "",
    "files-read",
];

const INPUTS: [&str; 5] = [
    "{}",
    "{ \"a\" : [1, {\"b\": null}] }",
    "broken",
    "{\"\\u0000\":\"\\u2028\"}",
    "",
];

const KEYWORDS: [&str; 24] = [
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
    "format",
    "nullable",
    "a",
];

const WORDS: [&str; 14] = [
    "object",
    "string",
    "null",
    "array",
    "integer",
    "a",
    "#",
    "#/$defs/a",
    "#/properties/a",
    "#/definitions/a/items",
    "#/$defs/a/anyOf/0",
    "#/%24defs/a",
    "elsewhere.json",
    "",
];

impl Case {
    pub(super) fn arbitrary(input: &mut Unstructured<'_>) -> Result<Self> {
        let model = input.choose(&MODELS)?;
        let is_well_spoken = input.ratio(1, 2)?;
        let mut conversation = Conversation::new(&model.id);
        conversation.sampling.effort = effort(input)?;
        conversation.sampling.max_tokens = input.arbitrary()?;
        if input.ratio(1, 8)? {
            conversation.id = Some(text(input)?);
        }
        let reasoning = match input.ratio(1, 8)? {
            true => ReasoningHistory::Drop,
            false => ReasoningHistory::Keep,
        };
        let cut_at = input.arbitrary()?;
        for _ in 0..input.int_in_range(0..=2)? {
            conversation.system.push(text(input)?.as_str().into());
        }
        for _ in 0..input.int_in_range(0..=4)? {
            conversation.tools.push(tool(input)?);
        }
        while !input.is_empty() && conversation.turns.len() < 24 {
            conversation.turns.push(turn(input, is_well_spoken)?);
        }
        Ok(Self {
            conversation,
            model,
            reasoning,
            is_well_spoken,
            cut_at,
        })
    }
}

fn effort(input: &mut Unstructured<'_>) -> Result<Option<Effort>> {
    let efforts = [
        None,
        Some(Effort::None),
        Some(Effort::Low),
        Some(Effort::Medium),
        Some(Effort::High),
        Some(Effort::ExtraHigh),
        Some(Effort::Max),
    ];
    input.choose(&efforts).copied()
}

fn turn(input: &mut Unstructured<'_>, is_well_spoken: bool) -> Result<Turn> {
    let role = match input.arbitrary()? {
        true => Role::User,
        false => Role::Assistant,
    };
    let mut blocks = Vec::new();
    for _ in 0..input.int_in_range(0..=5)? {
        let block = block(input)?;
        if !is_well_spoken || can_say(role, &block) {
            blocks.push(block);
        }
    }
    Ok(Turn::new(role, blocks))
}

fn can_say(role: Role, block: &Block) -> bool {
    match block {
        Block::Text(_) => true,
        Block::Image(_) | Block::ToolResult(_) => role == Role::User,
        _ => role == Role::Assistant,
    }
}

fn block(input: &mut Unstructured<'_>) -> Result<Block> {
    Ok(match input.int_in_range(0..=9)? {
        0..=2 => Block::Text(text(input)?.as_str().into()),
        3 => Block::Image(image(input)?),
        4..=5 => Block::ToolUse(ToolUse {
            id: id(input)?,
            name: name(input)?,
            input: tool_input(input)?,
        }),
        6..=7 => {
            let mut content = Vec::new();
            for _ in 0..input.int_in_range(0..=2)? {
                content.push(match input.ratio(1, 4)? {
                    true => ResultPart::Image(image(input)?),
                    false => ResultPart::Text(text(input)?.as_str().into()),
                });
            }
            let (id, is_error) = (id(input)?, input.arbitrary()?);
            Block::ToolResult(ToolResult {
                id,
                content,
                is_error,
            })
        }
        8 => Block::Reasoning(Reasoning::Signed {
            text: text(input)?.as_str().into(),
            signature: (*input.choose(&["", "c2lnbmF0dXJl"])?).to_owned(),
        }),
        _ => Block::Reasoning(Reasoning::Redacted(
            (*input.choose(&["", "QUJD"])?).to_owned(),
        )),
    })
}

fn text(input: &mut Unstructured<'_>) -> Result<String> {
    Ok(match input.int_in_range(0..=7)? {
        0..=2 => format!("word{}", input.int_in_range(0..=9)?),
        3 => String::new(),
        4 => " \n\t\u{2028}"[..input.int_in_range(0..=3)?].to_owned(),
        _ => input.arbitrary()?,
    })
}

/// Few ids, so that uses and results meet, and repeat.
fn id(input: &mut Unstructured<'_>) -> Result<String> {
    Ok(match input.int_in_range(0..=7)? {
        index @ 0..=4 => ["a", "b", "c", "A", "tooluse_1"][index].to_owned(),
        5 => format!("{}|{}", "c".repeat(41), "f".repeat(41)),
        6 => String::new(),
        _ => input.arbitrary()?,
    })
}

/// Few names, legal and not, that differ in case and beyond the limit.
fn name(input: &mut Unstructured<'_>) -> Result<String> {
    Ok(match input.int_in_range(0..=12)? {
        index @ 0..=9 => NAMES[index].to_owned(),
        10 => "n".repeat(64),
        11 => format!("{}{}", "n".repeat(64), input.int_in_range(0..=3)?),
        _ => input.arbitrary()?,
    })
}

fn image(input: &mut Unstructured<'_>) -> Result<Image> {
    let base64 = input.choose(&PICTURES)?;
    Ok(Image::from_base64(*base64).expect("a picture"))
}

fn tool_input(input: &mut Unstructured<'_>) -> Result<JsonObject> {
    Ok(match input.ratio(1, 4)? {
        true => JsonObject::parse_or_wrap(input.arbitrary::<String>()?),
        false => JsonObject::parse_or_wrap(*input.choose(&INPUTS)?),
    })
}

fn tool(input: &mut Unstructured<'_>) -> Result<ToolSpec> {
    let description = match input.ratio(1, 16)? {
        true => "long ".repeat(2_000) + &text(input)?,
        false => text(input)?,
    };
    let schema = object(input, 5)?;
    Ok(ToolSpec {
        name: name(input)?,
        description: description.as_str().into(),
        schema: JsonObject::parse(schema.to_string()).expect("an object"),
    })
}

/// A value whose members are keywords of schemas.
fn schema(input: &mut Unstructured<'_>, levels: u8) -> Result<Value> {
    Ok(match input.int_in_range(0..=9)? {
        0 => Value::Null,
        1 => input.arbitrary::<bool>()?.into(),
        2 => input.arbitrary::<i32>()?.into(),
        3..=4 => (*input.choose(&WORDS)?).into(),
        5 => text(input)?.into(),
        6 => json!(["string", "null"]),
        7 if levels > 0 => {
            let mut list = Vec::new();
            for _ in 0..input.int_in_range(0..=3)? {
                list.push(schema(input, levels - 1)?);
            }
            list.into()
        }
        8.. if levels > 0 => object(input, levels - 1)?,
        _ => json!({"type": "string"}),
    })
}

fn object(input: &mut Unstructured<'_>, levels: u8) -> Result<Value> {
    let mut members = Map::new();
    for _ in 0..input.int_in_range(0..=5)? {
        let name = match input.ratio(1, 16)? {
            true => text(input)?,
            false => (*input.choose(&KEYWORDS)?).to_owned(),
        };
        members.insert(name, schema(input, levels)?);
    }
    Ok(members.into())
}
