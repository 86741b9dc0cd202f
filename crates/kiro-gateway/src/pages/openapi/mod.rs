//! `GET /openapi.json`: the API in OpenAPI 3.1, made from the route table and from the types that requests are
//! read into and answers are written from.

mod example;
mod operation;
mod schema;

use std::sync::LazyLock;

use anthropic_types as anthropic;
use bytes::Bytes;
use openai_types as openai;
use serde_json::{Map, Value, json};

use crate::routes;
use schema::Schemas;

/// The document, made once.
pub(super) fn document() -> Bytes {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| {
        // Keys are strings, so it always serializes.
        serde_json::to_vec(&make()).unwrap_or_default().into()
    });
    DOCUMENT.clone()
}

const ABOUT: &str = "\
The APIs of OpenAI (chat completions, responses) and of Anthropic (messages) for the models of Kiro.

Send the key of the gateway as `Authorization: Bearer KEY` or as `x-api-key: KEY`; with a login of your own behind it, \
`KEY:CREDENTIAL`. Members that are not listed are read over. Each says whether it is honored, emulated by the gateway, ignored, or refused; \
all of that, and every error, is in `docs/compatibility.md` of the project.";

fn make() -> Value {
    let mut schemas = Schemas::new();
    let mut paths = Map::new();
    for row in routes::TABLE {
        let path = paths.entry(row.path).or_insert_with(|| json!({}));
        path[row.method.as_str().to_ascii_lowercase()] = operation::of(row, &mut schemas);
    }
    let responses = errors(&mut schemas);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Kiro-2API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": ".", "description": "This gateway"}],
        "tags": [
            {"name": "OpenAI", "description": "Chat completions and responses."},
            {"name": "Anthropic", "description": "Messages."},
            {"name": "Models"},
            {"name": "Gateway", "description": "The gateway itself."},
            {"name": "Admin", "description": "For the operator."},
            {"name": "Pages", "description": "For people."},
        ],
        "paths": paths,
        "components": {
            "securitySchemes": security_schemes(),
            "parameters": parameters(),
            "headers": headers(),
            "responses": responses,
            "schemas": schemas.all(),
        },
    })
}

fn security_schemes() -> Value {
    json!({
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "The key of the gateway, alone or as `KEY:CREDENTIAL`.",
        },
        "apiKey": {
            "type": "apiKey",
            "in": "header",
            "name": "x-api-key",
            "description": "The same, as Anthropic's clients send it.",
        },
        "admin": {
            "type": "http",
            "scheme": "bearer",
            "description": "The admin key of the gateway.",
        },
    })
}

fn parameters() -> Value {
    let header = |name: &str, about: &str, schema: Value| json!({"name": name, "in": "header", "description": about, "schema": schema});
    let query = |name: &str, about: &str, schema: Value| json!({"name": name, "in": "query", "description": about, "schema": schema});
    let text = || json!({"type": "string"});
    json!({
        "AnthropicVersion": header(
            "anthropic-version",
            "Any version. Errors are in Anthropic's words where it is sent.",
            json!({"type": "string", "examples": ["2023-06-01"]}),
        ),
        "Timeout": header(
            "x-stainless-timeout",
            "How long the client waits for the answer, in seconds, as the SDKs tell it.",
            text(),
        ),
        "Limit": query(
            "limit",
            "Most items, from 1 to 100.",
            json!({"type": "integer", "minimum": 1, "maximum": 100, "default": 20}),
        ),
        "Order": query(
            "order",
            "The newest first, or the oldest.",
            json!({"type": "string", "enum": ["asc", "desc"], "default": "desc"}),
        ),
        "Refresh": query(
            "refresh",
            "Whether to ask the service again although its last answer is not five minutes old.",
            json!({"type": "boolean", "default": false}),
        ),
        "After": query("after", "The id of the item before the first.", text()),
    })
}

fn headers() -> Value {
    let header = |about: &str, kind: &str| json!({"description": about, "schema": {"type": kind}});
    json!({
        "RequestId": header("The name of the request, in the log as well.", "string"),
        "RetryAfter": header("Seconds to wait, 1 to 60.", "integer"),
        "ShouldRetry": header("`false` where the same request will fail again.", "string"),
        "Ignored": header("Members of the request that had no effect.", "string"),
        "Warning": header("What the answer does not keep of the request.", "string"),
        "QuotaRemaining": header("What is left of the account that gave the answer, when it is less than `quota.warn_below` says.", "number"),
        "Credits": header("The price of the answer in the service's credits, of a document.", "number"),
    })
}

/// The refusals: status, in whose words, and when.
const ERRORS: [(u16, &str); 14] = [
    (
        400,
        "The request cannot be served as it is; or the conversation is too long.",
    ),
    (
        401,
        "No key, a wrong one, or a login that is no longer valid.",
    ),
    (402, "The quota is used up."),
    (403, "The service refuses the account."),
    (404, "No such model, response or route."),
    (408, "The body did not arrive in time."),
    (413, "The body is too large."),
    (415, "The `content-encoding` is not known."),
    (429, "Too many requests, or the quota is used up."),
    (500, "A fault of the gateway's."),
    (
        502,
        "The service failed, refuses the gateway's login, or its answer is broken.",
    ),
    (503, "No capacity, or the gateway is about to stop."),
    (504, "The service was silent for too long."),
    (529, "No capacity, or the gateway is about to stop."),
];

fn errors(schemas: &mut Schemas) -> Map<String, Value> {
    let vendors = [
        ("OpenAi", schemas.answered::<openai::ErrorBody>()),
        ("Anthropic", schemas.answered::<anthropic::ErrorBody>()),
    ];
    let mut all = Map::new();
    for (vendor, schema) in vendors {
        for (status, about) in ERRORS {
            // Each vendor has its own word for two of them.
            if matches!((vendor, status), ("OpenAi", 402 | 529) | ("Anthropic", 503)) {
                continue;
            }
            let mut headers = json!({
                "x-request-id": {"$ref": "#/components/headers/RequestId"},
                "x-should-retry": {"$ref": "#/components/headers/ShouldRetry"},
            });
            if matches!(status, 429 | 503 | 529) {
                headers["retry-after"] = json!({"$ref": "#/components/headers/RetryAfter"});
            }
            let answer = json!({
                "description": about,
                "headers": headers,
                "content": {"application/json": {"schema": schema}},
            });
            all.insert(format!("{vendor}{status}"), answer);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, ErrorKind};
    use crate::routes::Route;

    #[test]
    fn every_kind_of_error_has_its_status_in_the_description_of_every_surface() {
        let document = make();
        for row in routes::TABLE {
            let Route::Surface(surface) = row.route else {
                continue;
            };
            let responses = &document["paths"][row.path]["post"]["responses"];
            for &kind in ErrorKind::ALL {
                let is_possible = match kind {
                    // It is about another method.
                    ErrorKind::MethodNotAllowed => false,
                    ErrorKind::StoreUnreachable => surface.name() == "responses",
                    _ => true,
                };
                let status = surface.status(&Error::new(kind, "m")).as_str().to_owned();
                let is_told = responses.get(&status).is_some();
                assert!(is_told || !is_possible, "{}: {kind:?}", row.path);
            }
        }
    }
}
