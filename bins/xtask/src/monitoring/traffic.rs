//! What the gateway is asked, so that there is something to measure.

use serde_json::{Value, json};

use crate::Failure;
use crate::http::{Answer, Connection, request};
use crate::stage::KEY;

/// A request, and the status that it must get.
struct Ask {
    path: &'static str,
    key: &'static str,
    body: Value,
    status: u16,
}

/// Asks one of everything: each surface, streamed and not, an answer that breaks off, a model that is not there and a key
/// that is wrong.
///
/// # Errors
///
/// An answer has another status than it must have.
pub(super) fn round(gateway: &str) -> Result<(), Failure> {
    for ask in asks() {
        let authorization = format!("Bearer {}", ask.key);
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/json"),
        ];
        let request = request("POST", ask.path, &headers, &ask.body.to_string());
        let mut answer = Answer::default();
        Connection::open(gateway)?.ask(&request, &mut answer)?;
        if answer.status != ask.status {
            let body = String::from_utf8_lossy(&answer.body);
            return Err(format!("{} answers {}: {body}", ask.path, answer.status).into());
        }
    }
    Ok(())
}

fn asks() -> Vec<Ask> {
    let model = "claude-sonnet-4-5";
    let said = |text: &str| json!([{"role": "user", "content": text}]);
    let ok = |path: &'static str, body: Value| Ask {
        path,
        key: KEY,
        body,
        status: 200,
    };
    let chat = "/v1/chat/completions";
    let whole = json!({"model": model, "messages": said("sim:tokens=20 sim:reasoning")});
    let streamed = json!({"model": model, "stream": true, "messages": said("sim:tokens=20")});
    let broken = json!({"model": model, "stream": true, "messages": said("sim:tokens=9 sim:cut")});
    let message = json!({"model": model, "max_tokens": 100, "stream": true, "messages": said("sim:tokens=9")});
    let response = json!({"model": model, "input": "sim:tokens=9"});
    let nothing = json!({"model": "no-such-model", "messages": said("Hello?")});
    vec![
        ok(chat, whole.clone()),
        ok(chat, streamed),
        ok(chat, broken),
        ok("/v1/messages", message),
        ok("/v1/responses", response),
        Ask {
            status: 404,
            ..ok(chat, nothing)
        },
        Ask {
            status: 401,
            key: "key-of-somebody-else",
            ..ok(chat, whole)
        },
    ]
}
