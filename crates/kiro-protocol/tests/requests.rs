//! Golden requests: `data/requests/NAME.in.json` becomes `NAME.out.json`.
//!
//! The input is a conversation in a short spelling, all parts but `turns` optional:
//!
//! ```text
//! {"profile": "krs", "model": "claude-sonnet-4.5", "id": "…", "system": ["…"],
//!  "turns": [{"user": "text"},
//!            {"assistant": [{"text": "…"}, {"signed": "…"}, {"use": ["id", "name", {…} or "arguments"]}]},
//!            {"user": [{"result": ["id", "text", {"image": "base64"}]}, {"error": ["id"]}, {"image": "base64"}]}],
//!  "tools": [{"name": "…", "description": "…", "schema": {…}}],
//!  "effort": "high", "max_tokens": 100, "fields": {the catalogue's schema of request fields} or "seed",
//!  "login": "social", "arn": "…"}
//! ```
//!
//! Every body also passes the strict rules of the simulator, and has no member that it does not know.
//!
//! To accept what the code writes, delete the output and run the test twice.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use kiro_protocol::conversation::{
    Block, Conversation, Effort, Image, JsonObject, Reasoning, ResultPart, Role, ToolResult,
    ToolSpec, ToolUse, Turn,
};
use kiro_protocol::request::{
    Capabilities, PrepareOptions, Prepared, Region, Target, WireProfile, build, prepare,
};
use kiro_sim::validate::{Rules, validate};
use serde_json::{Map, Value, json};

#[test]
fn golden_requests() {
    let inputs = inputs();
    assert!(!inputs.is_empty());
    let wrong: Vec<String> = inputs.iter().filter_map(|path| difference(path)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each kind of change has a case that shows what becomes of the request. The kinds are read from the enum itself.
#[test]
fn each_kind_of_change_has_a_case() {
    let source = include_str!("../src/request/diagnostic.rs");
    let (_, kinds) = source.split_once("pub enum Diagnostic {\n").unwrap();
    let (kinds, _) = kinds.split_once("\n}\n").unwrap();
    let names = kinds.lines().filter_map(|line| line.strip_prefix("    "));
    let names = names.filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()));
    let kinds: BTreeSet<String> = names
        .map(|name| snake(name.trim_end_matches([',', ' ', '{'])))
        .collect();
    assert!(kinds.len() > 20, "{kinds:?}");
    let met: BTreeSet<String> = inputs()
        .iter()
        .flat_map(|path| prepared(&conversation(&read(path))).diagnostics)
        .map(|change| change.rule().to_owned())
        .collect();
    assert_eq!(met, kinds);
}

/// `TurnMerged` → `turn_merged`.
fn snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// All cases.
fn inputs() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/requests");
    let files = std::fs::read_dir(folder).unwrap();
    let paths = files.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.to_string_lossy().ends_with(".in.json"))
        .collect()
}

fn read(input: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(input).unwrap())
        .unwrap_or_else(|error| panic!("{}: {error}", input.display()))
}

fn prepared(conversation: &Conversation) -> Prepared {
    prepare(conversation, &PrepareOptions::new(b"tenant"))
}

/// Runs one case; what is wrong with it, if anything.
fn difference(input: &Path) -> Option<String> {
    let name = input.to_string_lossy().replace(".in.json", ".out.json");
    let output = PathBuf::from(&name);
    let is = format!("{:#}\n", outcome(&read(input)));
    match std::fs::read_to_string(&output) {
        Ok(expected) if expected == is => None,
        Ok(_) => Some(format!("{name} differs; the request is\n{is}")),
        Err(_) => {
            std::fs::write(&output, is).unwrap();
            Some(format!("{name} is new; check it"))
        }
    }
}

/// The profile that all social logins share.
const SHARED_ARN: &str = "arn:aws:codewhisperer:us-east-1:699475941385:profile/EHGA3GRVQMUK";

/// The one function that touches the API.
fn outcome(case: &Value) -> Value {
    let text = |key: &str, default| case[key].as_str().unwrap_or(default).to_owned();
    let profile = WireProfile::by_name(&text("profile", "krs")).expect("a known profile");
    // Whose profile goes where is kiro-auth's to know.
    let own = case["arn"].as_str();
    let (arn, token_type) = match &*text("login", "social") {
        "social" => (own.or(Some(SHARED_ARN)), None),
        "api-key" => (None, Some("API_KEY")),
        "external" => (own, Some("EXTERNAL_IDP")),
        other => panic!("{other}?"),
    };
    let base = profile.base(&Region::US_EAST_1).unwrap();
    let conversation = conversation(case);
    let prepared = prepared(&conversation);
    let mut target = Target::new(profile, &base, "TOKEN");
    target.profile_arn = arn;
    target.token_type = token_type;
    target.user_agent = "Kiro-2API/0.1.0";
    target.invocation_id = "b5c0a4d2-6d4c-4f0b-9c39-0a1b2c3d4e5f";
    target.max_attempts = 3;
    target.capabilities = match &case["fields"] {
        Value::String(_) => Capabilities::seed(&conversation.model),
        schema => Capabilities::from_schema(schema),
    };
    let mut out = Map::new();
    if !prepared.diagnostics.is_empty() {
        let changes = prepared.diagnostics.iter().map(ToString::to_string);
        out.insert("changes".to_owned(), changes.collect());
    }
    match build(&prepared, &target) {
        Err(error) => {
            out.insert("error".to_owned(), error.to_string().into());
        }
        Ok(request) => {
            let line = format!("{} {}", request.method(), request.uri());
            out.insert("request".to_owned(), line.into());
            let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
                (name.to_string(), value.to_str().unwrap().into())
            };
            let headers: Map<String, Value> = request.headers().iter().map(header).collect();
            out.insert("headers".to_owned(), headers.into());
            let body: Value = serde_json::from_slice(request.body()).expect("the body is JSON");
            let mut rules = Rules::strict(profile.generation);
            rules.known_members = true;
            rules.catalog = rules
                .catalog
                .filter(|known| known.find(&conversation.model).is_some());
            validate(&body, &rules).expect("the simulator takes the body");
            out.insert("body".to_owned(), body);
        }
    }
    out.into()
}

fn conversation(case: &Value) -> Conversation {
    let model = case["model"].as_str().unwrap_or("claude-sonnet-4.5");
    let mut conversation = Conversation::new(model);
    conversation.id = case["id"].as_str().map(str::to_owned);
    let system = list(&case["system"]).iter();
    conversation.system = system.map(|text| string(text).into()).collect();
    for turn in list(&case["turns"]) {
        let (speaker, said) = turn.as_object().unwrap().iter().next().unwrap();
        let role = match &**speaker {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            other => panic!("{other}?"),
        };
        let blocks = match said {
            Value::String(text) => vec![Block::Text(text.as_str().into())],
            blocks => list(blocks).iter().map(block).collect(),
        };
        conversation.turns.push(Turn::new(role, blocks));
    }
    let tool = |tool: &Value| ToolSpec {
        name: string(&tool["name"]).to_owned(),
        description: tool["description"].as_str().unwrap_or_default().into(),
        schema: JsonObject::parse(tool.get("schema").unwrap_or(&json!({})).to_string()).unwrap(),
    };
    conversation.tools = list(&case["tools"]).iter().map(tool).collect();
    conversation.sampling.effort = case["effort"]
        .as_str()
        .map(|name| Effort::by_name(name).unwrap());
    conversation.sampling.max_tokens = case["max_tokens"].as_u64().map(|n| n.try_into().unwrap());
    conversation
}

fn block(block: &Value) -> Block {
    let (kind, value) = block.as_object().unwrap().iter().next().unwrap();
    match &**kind {
        "text" => Block::Text(string(value).into()),
        "image" => Block::Image(Image::from_base64(string(value).to_owned()).unwrap()),
        "signed" => Block::Reasoning(Reasoning::Signed {
            text: string(value).into(),
            signature: "RVhBTVBMRQ==".to_owned(),
        }),
        "unsigned" => Block::Reasoning(Reasoning::Signed {
            text: string(value).into(),
            signature: String::new(),
        }),
        "redacted" => Block::Reasoning(Reasoning::Redacted(string(value).to_owned())),
        "use" => Block::ToolUse(ToolUse {
            id: string(&value[0]).to_owned(),
            name: string(&value[1]).to_owned(),
            input: match &value[2] {
                Value::String(arguments) => JsonObject::parse_or_wrap(arguments.clone()),
                object => JsonObject::parse(object.to_string()).unwrap(),
            },
        }),
        "result" | "error" => {
            let part = |part: &Value| match part {
                Value::String(text) => ResultPart::Text(text.as_str().into()),
                image => ResultPart::Image(
                    Image::from_base64(string(&image["image"]).to_owned()).unwrap(),
                ),
            };
            Block::ToolResult(ToolResult {
                id: string(&value[0]).to_owned(),
                content: list(value)[1..].iter().map(part).collect(),
                is_error: kind == "error",
            })
        }
        other => panic!("{other}?"),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn string(value: &Value) -> &str {
    value.as_str().expect("a string")
}
