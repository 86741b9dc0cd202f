//! Five hundred tools as the servers and plug-ins of agents name and describe them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{HashMap, HashSet};

use kiro_protocol::conversation::{
    Block, Conversation, JsonObject, ResultPart, Role, ToolResult, ToolSpec, ToolUse, Turn,
};
use kiro_protocol::request::{
    PrepareOptions, Prepared, Region, Target, WireProfile, build, prepare,
};
use kiro_sim::validate::{Rules, validate};

const SERVERS: [&str; 20] = [
    "",
    "mcp__github__",
    "mcp__filesystem__",
    "mcp__playwright__",
    "mcp__plugin_compound-engineering_context7__",
    "mcp__claude_ai_Google_Calendar__",
    "mcp__plugin_engineering-workflow-toolkit_continuous-integration__",
    "mcp_io.github.upstash/context7_",
    "io.github.modelcontextprotocol/",
    "io.github.modelcontextprotocol.",
    "functions.",
    "slack:",
    "Notion ",
    "データベース_",
    "server-with-a-name-that-is-on-its-own-almost-as-long-as-allowed_",
    "server-with-a-name-that-is-on-its-own-already-longer-than-the-limit-allows_",
    "_internal_",
    "2fa_",
    "$",
    "MCP__GitHub__",
];

const ACTIONS: [&str; 25] = [
    "read_file",
    "Read",
    "create_issue",
    "create-issue",
    "create.issue",
    "create issue",
    "search_repositories",
    "get_pull_request_review_comments_with_context",
    "get_pull_request_review_comments_with_context_and_threads",
    "browser_take_screenshot",
    "browser_navigate_back",
    "resolve-library-id",
    "get-library-docs",
    "list_events",
    "post_message",
    "query",
    "query_database_with_parameters_and_return_rows_as_objects",
    "sequentialthinking",
    "TodoWrite",
    "WebFetch",
    "web_search",
    "apply_patch",
    "run",
    "execute_command_in_terminal_and_wait_for_completion",
    "суммировать",
];

const SCHEMAS: [&str; 6] = [
    r#"{"type":"object","properties":{},"additionalProperties":false,"$schema":"http://json-schema.org/draft-07/schema#"}"#,
    r#"{"type":"object","properties":{"path":{"type":"string","description":"Absolute path."},"limit":{"type":"number","exclusiveMinimum":0}},"required":["path"],"additionalProperties":false}"#,
    r##"{"$defs":{"Todo":{"properties":{"content":{"minLength":1,"type":"string"},"status":{"$ref":"#/$defs/Status"}},"required":["content","status"],"title":"Todo","type":"object"},"Status":{"enum":["pending","done"],"type":"string"}},"properties":{"todos":{"items":{"$ref":"#/$defs/Todo"},"type":"array"}},"required":["todos"],"title":"Todos","type":"object"}"##,
    r#"{"properties":{"query":{"anyOf":[{"type":"string"},{"type":"null"}],"default":null},"tags":{"type":["array","null"],"items":{"type":"string"},"uniqueItems":true}},"type":"object"}"#,
    r#"{"type":"object","oneOf":[{"properties":{"url":{"type":"string","format":"uri"}},"required":["url"]},{"properties":{"id":{"type":"integer"}},"required":["id"]}]}"#,
    r##"{"type":"object","properties":{"filter":{"$ref":"#/definitions/Filter"}},"required":null,"definitions":{"Filter":{"type":"object","properties":{"and":{"type":"array","items":{"$ref":"#/definitions/Filter"}},"field":{"type":"string","pattern":"^[a-z]+$"}}}}}"##,
];

fn tools() -> Vec<ToolSpec> {
    let names = SERVERS
        .iter()
        .flat_map(|server| ACTIONS.map(|action| format!("{server}{action}")));
    let tool = |(index, name): (usize, String)| ToolSpec {
        description: format!("Does what {name} says.").as_str().into(),
        schema: JsonObject::parse(SCHEMAS[index % SCHEMAS.len()]).unwrap(),
        name,
    };
    names.enumerate().map(tool).collect()
}

/// A conversation in which every tool was used once.
fn conversation(tools: Vec<ToolSpec>) -> Conversation {
    let ids = (0..tools.len()).map(|index| format!("call_{index}"));
    let uses = ids.clone().zip(&tools).map(|(id, tool)| {
        Block::ToolUse(ToolUse {
            id,
            name: tool.name.clone(),
            input: JsonObject::empty(),
        })
    });
    let results = ids.map(|id| {
        Block::ToolResult(ToolResult {
            id,
            content: vec![ResultPart::Text("ok".into())],
            is_error: false,
        })
    });
    let mut conversation = Conversation::new("claude-sonnet-4.5");
    conversation.turns = vec![
        Turn::new(Role::User, [Block::Text("Try them all.".into())]),
        Turn::new(Role::Assistant, uses),
        Turn::new(Role::User, results),
    ];
    conversation.tools = tools;
    conversation
}

fn prepared(tools: Vec<ToolSpec>) -> Prepared {
    prepare(&conversation(tools), &PrepareOptions::default())
}

/// Kiro's names by the client's.
fn names(prepared: &Prepared) -> HashMap<String, String> {
    let tools = prepared.conversation.tools.iter();
    let pair = |tool: &ToolSpec| {
        (
            prepared.tool_names.restore(&tool.name).to_owned(),
            tool.name.clone(),
        )
    };
    tools.map(pair).collect()
}

#[test]
fn five_hundred_tools_are_declared_under_names_that_come_back() {
    let tools = tools();
    let clients: Vec<String> = tools.iter().map(|tool| tool.name.clone()).collect();
    assert_eq!(clients.iter().collect::<HashSet<_>>().len(), 500);
    let prepared = prepared(tools);
    let names = names(&prepared);
    assert_eq!(names.len(), 500);
    let is_legal = |name: &str| {
        name.len() <= 64
            && name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    };
    let mut lower: HashSet<String> = HashSet::new();
    for client in &clients {
        let kiro = &names[client];
        assert!(is_legal(kiro), "{kiro}");
        assert!(
            lower.insert(kiro.to_ascii_lowercase()),
            "{kiro} is not unique"
        );
        let twin = clients
            .iter()
            .any(|other| other != client && other.eq_ignore_ascii_case(client));
        if is_legal(client) && !twin {
            assert_eq!(kiro, client);
        }
    }
    let Some(Turn { blocks, .. }) = prepared.conversation.turns.get(1) else {
        panic!("the turn of the assistant");
    };
    for (block, client) in blocks.iter().zip(&clients) {
        let Block::ToolUse(call) = block else {
            panic!("{block:?}")
        };
        assert_eq!(&call.name, &names[client]);
    }
}

#[test]
fn the_name_of_a_tool_does_not_depend_on_the_others() {
    let all = names(&prepared(tools()));
    for tool in tools() {
        let client = tool.name.clone();
        let alone = names(&prepared(vec![tool]));
        let has_twin = all
            .keys()
            .any(|other| *other != client && other.eq_ignore_ascii_case(&client));
        if !has_twin {
            assert_eq!(alone[&client], all[&client]);
        }
    }
}

#[test]
fn five_hundred_tools_are_taken_in_every_spelling() {
    let prepared = prepared(tools());
    for profile in WireProfile::ALL {
        let base = profile.base(&Region::US_EAST_1).unwrap();
        let request = build(&prepared, &Target::new(profile, &base, "token")).unwrap();
        let body = serde_json::from_slice(request.body()).unwrap();
        validate(&body, &Rules::strict(profile.generation)).unwrap();
    }
}
