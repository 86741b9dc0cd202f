//! The program before a simulated Kiro, and clients that are not polite.

mod answer;
mod clock;
mod count;
pub(crate) mod embedded;
mod house;
pub(crate) mod http2;
mod preload;
mod program;
mod stop;
mod wire;

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

pub(crate) use answer::Answer;
pub(crate) use clock::WallClock;
pub(crate) use count::Count;
pub(crate) use house::{House, Plan, has_no_secret, request, write_login};
pub(crate) use program::refused;
pub(crate) use stop::{Place, StopSign};
pub(crate) use wire::Wire;

/// The key of every gateway here.
pub(crate) const KEY: &str = "sk-faults-0123456789abcdef";

pub(crate) const CHAT: &str = "/v1/chat/completions";
pub(crate) const MESSAGES: &str = "/v1/messages";
pub(crate) const RESPONSES: &str = "/v1/responses";

/// How long anything may take that should happen at once, on a machine that does much else.
pub(crate) const SOON: Duration = Duration::from_secs(180);

pub(crate) const MIB: usize = 1 << 20;

/// A request for a text in one piece.
pub(crate) fn whole(text: &str) -> Value {
    json!({"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": text}]})
}

/// A streamed request for a text.
pub(crate) fn streamed(text: &str) -> Value {
    with(whole(text), json!({"stream": true}))
}

/// A request with more members, or other values.
pub(crate) fn with(mut request: Value, members: Value) -> Value {
    let members = members.as_object().unwrap().clone();
    request.as_object_mut().unwrap().extend(members);
    request
}

/// Asks a gateway that is no house's.
pub(crate) async fn ask(address: SocketAddr, key: &str, body: &Value) -> Answer {
    let bytes = request("POST", CHAT, "connection: close\r\n", body.to_string());
    let text = String::from_utf8(bytes).unwrap();
    let mut wire = Wire::open(address).await;
    let asks = text.replace(&format!("Bearer {KEY}\r\n"), &format!("Bearer {key}\r\n"));
    wire.send(asks).await.unwrap();
    wire.answer().await
}

/// Waits for a condition that nobody announces.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = tokio::time::Instant::now() + SOON;
    while !is_so() {
        assert!(tokio::time::Instant::now() < end, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
