//! A response that is kept says the same to the model as one that the client sends back.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use kiro_protocol::conversation::Conversation;
use kiro_protocol::reply::ReplyEvent;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::CASES;
use crate::kept::{Kept, Recalled};
use crate::surface::tests::replies::reply;

/// What comes of a request and its reply: the document, and what is kept.
fn answered(request: &Value, events: &[ReplyEvent]) -> (Value, Kept) {
    let accepted = CASES.accept(Bytes::from(request.to_string()));
    let mut encoder = accepted.unwrap().encoder;
    let mut out = BytesMut::new();
    for event in events {
        encoder.event(event.clone(), &mut out);
    }
    encoder.finish(&mut out);
    (
        serde_json::from_slice(&out).unwrap(),
        encoder.keep().unwrap(),
    )
}

/// What goes upstream of a request.
fn conversation(request: &Value, recalled: &Recalled) -> Conversation {
    let accepted = CASES.accept_recalling(Bytes::from(request.to_string()), recalled);
    accepted.unwrap().conversation
}

proptest! {
    #[test]
    fn going_on_by_id_is_the_same_as_sending_everything_again(
        (events, _) in reply(),
        (more_events, _) in reply(),
    ) {
        // Some of the tools that replies call are told in another way than the rest.
        let tools = json!([
            {"type": "custom", "name": "x", "description": "Takes a text."},
            {"type": "tool_search", "execution": "client", "parameters": {"type": "object"}},
        ]);
        let base = json!({
            "model": "claude-sonnet-4-5",
            "tools": tools,
            "include": ["reasoning.encrypted_content"],
        });
        let request = |members: Value| {
            let mut request = base.clone();
            let members = members.as_object().unwrap().clone();
            request.as_object_mut().unwrap().extend(members);
            request
        };
        let (first, kept_first) = answered(&request(json!({"input": "Hi"})), &events);
        let (second, kept_second) = answered(&request(json!({"input": "More"})), &more_events);

        let mut whole = vec![json!({"role": "user", "content": "Hi"})];
        whole.extend(first["output"].as_array().unwrap().iter().cloned());
        whole.push(json!({"role": "user", "content": "More"}));
        whole.extend(second["output"].as_array().unwrap().iter().cloned());
        whole.push(json!({"role": "user", "content": "Go on"}));
        let sent_again = conversation(&request(json!({"input": whole})), &Recalled::default());

        let items = kept_first.output.iter().chain(&kept_second.output);
        let items = items.map(|item| (item.id.clone(), item.json.clone()));
        let recalled = Recalled {
            items: items.collect::<HashMap<_, _>>(),
            history: Some(vec![Arc::new(kept_first), Arc::new(kept_second)]),
            keeps: true,
        };
        let by_id = json!({"previous_response_id": second["id"], "input": "Go on"});
        prop_assert_eq!(&conversation(&request(by_id), &recalled), &sent_again);

        for item in &mut whole {
            if let Some(id) = item.get("id") {
                *item = json!({"type": "item_reference", "id": id});
            }
        }
        let by_items = request(json!({"input": whole}));
        prop_assert_eq!(&conversation(&by_items, &recalled), &sent_again);
    }
}
