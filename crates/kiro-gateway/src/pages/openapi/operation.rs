//! What the description says of each route.

use anthropic_types as anthropic;
use openai_types as openai;
use openai_types::{chat, responses};
use serde_json::{Map, Value, json};

use super::example::{self, Example};
use super::schema::Schemas;
use crate::endpoint::admin::{self, Admin};
use crate::endpoint::{health, info, usage};
use crate::pages::Page;
use crate::routes::{Route, Row};
use crate::surface;
use crate::surface::verdict::{Table, without_links};

/// One operation, before it is written as JSON.
struct Operation {
    tag: &'static str,
    about: &'static str,
    /// What becomes of what is inside of the members of the body.
    inside: &'static [&'static Table],
    /// Names of parameters in `components`.
    parameters: Vec<&'static str>,
    body: Option<Value>,
    answer: Value,
    /// Other ends that are not errors.
    others: Vec<(u16, Value)>,
    errors: Errors,
}

/// How a route refuses.
enum Errors {
    /// It does not.
    None,
    /// In OpenAI's words, without a conversation.
    Small,
    /// In OpenAI's words, as a conversation may be.
    OpenAi,
    /// In Anthropic's words.
    Anthropic,
    /// In OpenAI's words, as the service refuses a credential.
    Usage,
    /// In OpenAI's words, to the operator.
    Admin,
}

/// The operation of a route, as OpenAPI has it.
pub(super) fn of(row: &Row, schemas: &mut Schemas) -> Value {
    let operation = describe(row, schemas);
    let mut responses = Map::new();
    responses.insert("200".to_owned(), operation.answer);
    for (status, answer) in operation.others {
        responses.insert(status.to_string(), answer);
    }
    for (status, name) in operation.errors.of(row.key) {
        let name = format!("{name}{status}");
        let refer = json!({"$ref": format!("#/components/responses/{name}")});
        responses.insert(status.to_string(), refer);
    }
    let parameters = operation.parameters.iter();
    let mut parameters: Vec<Value> = parameters
        .map(|name| json!({"$ref": format!("#/components/parameters/{name}")}))
        .collect();
    parameters.extend(in_path(row.path));
    let security = match (row.route, row.key) {
        (Route::Admin(_), _) => json!([{"admin": []}]),
        (Route::Metrics, _) => json!([{"admin": []}, {"bearer": []}, {"apiKey": []}]),
        (_, true) => json!([{"bearer": []}, {"apiKey": []}]),
        (_, false) => json!([]),
    };
    let mut value = json!({
        "operationId": id(row),
        "tags": [operation.tag],
        "summary": capitalized(row.about),
        "description": description(operation.about, operation.inside),
        "security": security,
        "parameters": parameters,
    });
    if let Some(body) = operation.body {
        value["requestBody"] = body;
    }
    value["responses"] = Value::Object(responses);
    value
}

fn description(about: &str, inside: &[&Table]) -> String {
    let tables = inside.iter();
    let tables = tables.map(|table| format!("\n\n### {}\n\n{table}", table.title));
    about.to_owned() + &without_links(&tables.collect::<String>())
}

fn describe(row: &Row, schemas: &mut Schemas) -> Operation {
    match row.route {
        Route::Surface(dialect) => match dialect.name() {
            "responses" => respond(schemas),
            "messages" => messages(schemas),
            // A test sees to it that no two are described alike.
            _ => chat(schemas),
        },
        Route::CountTokens => Operation {
            body: Some(body(
                schemas.asked::<anthropic::MessagesRequest<'_>>(),
                example::count_tokens(),
            )),
            parameters: vec!["AnthropicVersion"],
            errors: Errors::Anthropic,
            ..json_answer(
                "Anthropic",
                "Counted here, without a call upstream, for any model.",
                schemas.answered::<anthropic::TokenCount>(),
            )
        },
        Route::Models => Operation {
            parameters: vec!["AnthropicVersion"],
            errors: Errors::Small,
            ..json_answer(
                "Models",
                "In Anthropic's form for who sends `anthropic-version`, else in one that clients of both vendors read.",
                any_of([
                    schemas.answered::<openai::ModelList>(),
                    schemas.answered::<anthropic::ModelList>(),
                ]),
            )
        },
        Route::Model => Operation {
            parameters: vec!["AnthropicVersion"],
            errors: Errors::Small,
            ..json_answer(
                "Models",
                "By any of its spellings. The name may hold slashes.",
                any_of([
                    schemas.answered::<openai::Model>(),
                    schemas.answered::<anthropic::Model>(),
                ]),
            )
        },
        Route::Usage => Operation {
            parameters: vec!["AnthropicVersion", "Refresh"],
            errors: Errors::Usage,
            ..json_answer(
                "Gateway",
                "What the service says of the login behind the key, or the sums of the gateway's own accounts for who sends a key alone. Asked for at most every five minutes; when the service does not answer, the last answer comes with `stale`. `refresh=true` asks again, at most every 30 seconds; else `retry-after` says when.",
                schemas.answered::<usage::Usage>(),
            )
        },
        Route::Response => kept(
            "As it was answered.",
            schemas.answered::<responses::Response<'_>>(),
        ),
        Route::DeleteResponse => kept(
            "What went on from it cannot go on further.",
            schemas.answered::<responses::Deleted<'_>>(),
        ),
        Route::CancelResponse => kept(
            "Always 400 for a response that is kept, and 404 for another: there is never one that could be canceled.",
            schemas.answered::<responses::Response<'_>>(),
        ),
        Route::InputItems => Operation {
            parameters: vec!["Limit", "Order", "After"],
            ..kept(
                "The conversation that it went on from, too.",
                schemas.answered::<responses::ItemList<'_>>(),
            )
        },
        Route::Info => json_answer(
            "Gateway",
            "With all routes that are open.",
            schemas.answered::<info::Info>(),
        ),
        Route::Health => json_answer(
            "Gateway",
            "Always 200; what is lacking is in `status`.",
            schemas.answered::<health::Health>(),
        ),
        Route::Ready => {
            let state = json!({
                "type": "object",
                "properties": {"status": {"type": "string", "enum": ["ready", "draining"]}},
                "required": ["status"],
            });
            Operation {
                others: vec![(503, content("About to stop.", state.clone()))],
                ..json_answer("Gateway", "For load balancers.", state)
            }
        }
        Route::Metrics => Operation {
            errors: Errors::Small,
            ..text_answer(
                "Gateway",
                "In the text form of OpenMetrics. Where there is an admin key, it alone opens the page.",
                "application/openmetrics-text",
            )
        },
        Route::Page(page) => of_page(page),
        Route::Admin(admin) => of_admin(admin, schemas),
    }
}

fn chat(schemas: &mut Schemas) -> Operation {
    let document = schemas.answered::<chat::ChatCompletion<'_>>();
    let event = schemas.answered::<chat::ChatCompletionChunk<'_>>();
    let transcript = concat!(
        "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1763800000,",
        "\"model\":\"claude-sonnet-4-5\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",",
        "\"content\":\"Hello\"},\"logprobs\":null,\"finish_reason\":null}]}\n\ndata: [DONE]\n\n",
    );
    Operation {
        tag: "OpenAI",
        about: "One question, one answer or one stream. A member that has no effect here is named in `x-gateway-ignored`.",
        inside: surface::chat::verdicts::INSIDE,
        parameters: vec!["Timeout"],
        body: Some(body(
            schemas.asked_with::<chat::ChatRequest<'_>>(&surface::chat::verdicts::MEMBERS),
            example::chat(),
        )),
        answer: streaming(
            document,
            event,
            "Server-sent events with `stream: true`: each `data:` line is a chunk, the last one `[DONE]`. Lines that begin with a colon are comments. A failure after the first event is an object with `error`, and the end.",
            transcript,
        ),
        others: Vec::new(),
        errors: Errors::OpenAi,
    }
}

fn respond(schemas: &mut Schemas) -> Operation {
    let document = schemas.answered::<responses::Response<'_>>();
    // The many that are a piece of text are written without the type.
    let event = json!({
        "allOf": [schemas.answered::<responses::Event<'_>>()],
        "properties": {"delta": {"description": "A piece of text.", "type": "string"}},
    });
    let transcript = concat!(
        "event: response.output_text.delta\n",
        "data: {\"type\":\"response.output_text.delta\",\"sequence_number\":4,\"output_index\":0,",
        "\"item_id\":\"msg_1\",\"content_index\":0,\"delta\":\"Hello\",\"logprobs\":[]}\n\n",
    );
    Operation {
        tag: "OpenAI",
        about: "The response is kept for `previous_response_id` unless `store` is false.",
        inside: surface::responses::verdicts::INSIDE,
        parameters: vec!["Timeout"],
        body: Some(body(
            schemas.asked_with::<responses::ResponsesRequest<'_>>(
                &surface::responses::verdicts::MEMBERS,
            ),
            example::responses(),
        )),
        answer: streaming(
            document,
            event,
            "Server-sent events with `stream: true`, from `response.created` to `response.completed`, `response.incomplete` or `response.failed`; the `event:` line repeats the `type` of the `data:` line.",
            transcript,
        ),
        others: Vec::new(),
        errors: Errors::OpenAi,
    }
}

fn messages(schemas: &mut Schemas) -> Operation {
    let document = schemas.answered::<anthropic::Message<'_>>();
    let event = schemas.answered::<anthropic::Event<'_>>();
    let transcript = concat!(
        "event: content_block_delta\n",
        "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello\"}}\n\n",
    );
    let request =
        schemas.asked_with::<anthropic::MessagesRequest<'_>>(&surface::messages::verdicts::MEMBERS);
    Operation {
        tag: "Anthropic",
        about: "One question, one answer or one stream. A member that has no effect here is named in `x-gateway-ignored`.",
        inside: surface::messages::verdicts::INSIDE,
        parameters: vec!["AnthropicVersion", "Timeout"],
        body: Some(body(
            json!({"allOf": [request], "required": ["max_tokens"]}),
            example::messages(),
        )),
        answer: streaming(
            document,
            event,
            "Server-sent events with `stream: true`, from `message_start` to `message_stop`; the `event:` line repeats the `type` of the `data:` line. A failure after the first event is an `error` event, and the end.",
            transcript,
        ),
        others: Vec::new(),
        errors: Errors::Anthropic,
    }
}

fn kept(about: &'static str, schema: Value) -> Operation {
    Operation {
        errors: Errors::Small,
        ..json_answer("OpenAI", about, schema)
    }
}

fn of_admin(admin: Admin, schemas: &mut Schemas) -> Operation {
    let about = "404 unless the gateway has an admin key. Tenants are named by the key that they use and a hash; nothing of what they say is told.";
    match admin {
        Admin::Snapshot => Operation {
            errors: Errors::Admin,
            ..json_answer("Admin", about, schemas.answered::<admin::Snapshot>())
        },
        Admin::Usage => Operation {
            parameters: vec!["Refresh"],
            errors: Errors::Admin,
            ..json_answer("Admin", about, schemas.answered::<admin::Usage>())
        },
        Admin::Events => {
            let answer = json!({
                "description": "Once a second at most, as long as it is open.",
                "content": {"text/event-stream": {
                    "schema": {"type": "string", "description": "Server-sent events named `change`: what is new since the one before; the first holds everything."},
                    "x-itemSchema": schemas.answered::<admin::Change>(),
                }},
            });
            Operation {
                errors: Errors::Admin,
                ..plain("Admin", about, answer)
            }
        }
    }
}

fn of_page(page: Page) -> Operation {
    match page {
        Page::OpenApi => json_answer(
            "Pages",
            "In OpenAPI 3.1.",
            json!({"type": "object", "required": ["openapi", "info", "paths"]}),
        ),
        Page::Docs | Page::Redoc => text_answer("Pages", "For a browser.", "text/html"),
        Page::Dashboard => text_answer(
            "Pages",
            "For a browser. 404 unless the gateway has an admin key, which the page asks for; the page itself holds nothing.",
            "text/html",
        ),
        Page::DocsFile | Page::RedocFile | Page::DashboardFile => text_answer(
            "Pages",
            "Scripts and styles of the page.",
            "text/javascript",
        ),
    }
}

impl Errors {
    /// Status and the beginning of the name of each.
    fn of(&self, key: bool) -> Vec<(u16, &'static str)> {
        let name = match self {
            Self::Anthropic => "Anthropic",
            _ => "OpenAi",
        };
        let statuses: &[u16] = match self {
            Self::None => &[],
            Self::Small => &[400, 404, 429, 500, 503],
            Self::Usage => &[400, 403, 429, 500, 502, 503, 504],
            Self::Admin => &[400, 401, 404, 429, 500],
            Self::OpenAi => &[400, 403, 404, 408, 413, 415, 429, 500, 502, 503, 504],
            Self::Anthropic => &[400, 402, 403, 404, 408, 413, 415, 429, 500, 502, 504, 529],
        };
        let mut all: Vec<u16> = statuses.to_vec();
        if key {
            all.push(401);
        }
        all.sort_unstable();
        all.into_iter().map(|status| (status, name)).collect()
    }
}

fn json_answer(tag: &'static str, about: &'static str, schema: Value) -> Operation {
    plain(tag, about, content("It is there.", schema))
}

fn text_answer(tag: &'static str, about: &'static str, media: &'static str) -> Operation {
    let answer = json!({
        "description": "It is there.",
        "content": {media: {"schema": {"type": "string"}}},
    });
    plain(tag, about, answer)
}

fn plain(tag: &'static str, about: &'static str, answer: Value) -> Operation {
    Operation {
        tag,
        about,
        inside: &[],
        parameters: Vec::new(),
        body: None,
        answer,
        others: Vec::new(),
        errors: Errors::None,
    }
}

fn content(description: &str, schema: Value) -> Value {
    json!({"description": description, "content": {"application/json": {"schema": schema}}})
}

fn any_of(schemas: [Value; 2]) -> Value {
    json!({"anyOf": schemas})
}

/// OpenAPI 3.1 has no word for what an event stream holds; 3.2 calls it `itemSchema`.
fn streaming(document: Value, event: Value, about: &str, transcript: &str) -> Value {
    let header = |name: &str| json!({"$ref": format!("#/components/headers/{name}")});
    json!({
        "description": "The answer: a document, or a stream.",
        "headers": {
            "x-request-id": header("RequestId"),
            "x-gateway-ignored": header("Ignored"),
            "x-gateway-warning": header("Warning"),
            "x-kiro-credits": header("Credits"),
            "x-kiro-quota-remaining": header("QuotaRemaining"),
        },
        "content": {
            "application/json": {"schema": document},
            "text/event-stream": {
                "schema": {"type": "string", "description": about},
                "x-itemSchema": event,
                "example": transcript,
            },
        },
    })
}

fn body(schema: Value, examples: Vec<Example>) -> Value {
    let examples: Map<String, Value> = examples
        .into_iter()
        .map(|example| {
            let value = json!({"summary": example.about, "value": example.body});
            (example.name.to_owned(), value)
        })
        .collect();
    json!({
        "required": true,
        "content": {"application/json": {"schema": schema, "examples": examples}},
    })
}

/// The parameter that a path holds.
fn in_path(path: &str) -> Option<Value> {
    let (_, rest) = path.split_once('{')?;
    let (name, _) = rest.split_once('}')?;
    let example = match (name, path) {
        ("response_id", _) => "resp_1",
        (_, "/docs/{id}") => "docs.js",
        (_, "/redoc/{id}") => "redoc.js",
        (_, "/dashboard/{id}") => "main.js",
        _ => "claude-sonnet-4-5",
    };
    Some(json!({
        "name": name,
        "in": "path",
        "required": true,
        "schema": {"type": "string"},
        "example": example,
    }))
}

/// A name for programs: `post /v1/chat/completions` is `postV1ChatCompletions`.
fn id(row: &Row) -> String {
    let words = row.path.split(|c: char| !c.is_ascii_alphanumeric());
    let words = words.filter(|word| !word.is_empty()).map(capitalized);
    let method = row.method.as_str().to_ascii_lowercase();
    std::iter::once(method).chain(words).collect()
}

fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}
