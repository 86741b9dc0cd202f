//! The service's own tool server: JSON-RPC with one tool, `web_search`.
//!
//! A word in the query makes a search go wrong: `sim:failed` (the tool says so), `sim:throttled` (429),
//! `sim:broken` (500), `sim:hang` (no answer), `sim:nothing` (no page).

use serde_json::{Value, json};

use super::caller::authenticate;
use super::ok;
use crate::refusal::Refusal;
use crate::service::{Call, Outcome};
use crate::validate::check_profile;

/// `InvokeMCP`: `initialize`, `notifications/initialized`, `tools/list`, `tools/call`.
pub(super) async fn serve(call: &Call) -> Outcome {
    let caller = authenticate(call)?;
    let request: Value = serde_json::from_slice(&call.body).map_err(|error| {
        Refusal::new(
            "JSON",
            400,
            "ValidationException",
            "Improperly formed request.",
        )
        .because("REQUEST_BODY_INVALID_JSON")
        .detailed(error.to_string())
    })?;
    let header = call.head.headers.get("x-amzn-kiro-profile-arn");
    let arn = request.get("profileArn").and_then(Value::as_str);
    let arn = arn.or_else(|| header.and_then(|value| value.to_str().ok()));
    check_profile(arn, &caller.holder)?;
    if asks(&request, "sim:hang") {
        std::future::pending::<()>().await;
    }
    if asks(&request, "sim:throttled") {
        let refusal = Refusal::new("E26", 429, "ThrottlingException", "Too many requests.");
        return Err(refusal.into());
    }
    if asks(&request, "sim:broken") {
        let refusal = Refusal::new("E29", 500, "InternalServerException", "Internal error.");
        return Err(refusal.into());
    }
    Ok(ok(&reply(&request, call.shared.options.hosts_search)))
}

/// Whether the query of a search has a word in it.
fn asks(request: &Value, word: &str) -> bool {
    let query = request.pointer("/params/arguments/query");
    query
        .and_then(Value::as_str)
        .is_some_and(|query| query.contains(word))
}

fn reply(request: &Value, hosts_search: bool) -> Value {
    let id = request.get("id").cloned().unwrap_or_default();
    let error = |code: i64, message: &str| json!({"code": code, "message": message});
    let outcome = match request.get("method").and_then(Value::as_str) {
        Some("initialize") => Ok(json!({
            "protocolVersion": "2024-11-05",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "kiro-sim", "version": "1"},
        })),
        Some("notifications/initialized") => Ok(json!({})),
        Some("tools/list") if !hosts_search => Ok(json!({"tools": []})),
        Some("tools/list") => Ok(json!({"tools": [{
            "name": "web_search",
            "description": "Search the public web.",
            "inputSchema": {
                "type": "object",
                "properties": {"query": {"type": "string"}},
                "required": ["query"],
            },
        }]})),
        Some("tools/call") if asks(request, "sim:failed") => Ok(json!({
            "content": [{"type": "text", "text": "The search failed."}],
            "isError": true,
        })),
        Some("tools/call") if asks(request, "sim:nothing") => {
            let text = json!({"results": [], "totalResults": 0, "error": null}).to_string();
            Ok(json!({"content": [{"type": "text", "text": text}], "isError": false}))
        }
        Some("tools/call") => match search(request.get("params")) {
            Some(result) => Ok(result),
            None => Err(error(-32602, "Unknown tool")),
        },
        _ => Err(error(-32601, "Method not found")),
    };
    match outcome {
        Ok(result) => json!({"id": id, "jsonrpc": "2.0", "result": result}),
        Err(error) => json!({"id": id, "jsonrpc": "2.0", "error": error}),
    }
}

/// Two results that quote the query; the text of the answer is JSON itself.
fn search(params: Option<&Value>) -> Option<Value> {
    let params = params?;
    if params.get("name")?.as_str()? != "web_search" {
        return None;
    }
    let query = params.pointer("/arguments/query")?.as_str()?;
    let found = |n: u32, domain: &str, date: Value| {
        json!({
            "title": format!("Result {n} about {query}"),
            "url": format!("https://{domain}/{n}"),
            "snippet": format!("A short text about {query}."),
            "publishedDate": date,
            "id": n.to_string(),
            "domain": domain,
            "maxVerbatimWordLimit": 30,
            "publicDomain": false,
        })
    };
    let results = json!({
        "results": [
            found(1, "example.com", json!(1_775_520_000_000_u64)),
            found(2, "example.org", Value::Null),
        ],
        "totalResults": 2,
        "query": query,
        "error": null,
    });
    let text = results.to_string();
    Some(json!({"content": [{"type": "text", "text": text}], "isError": false}))
}
