//! Searches of the web in answers of `/v1/messages`.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use http::{Method, Request};
use http_body_util::Full;
use kiro_sim::{Matcher, Operation, Script, SimOptions};
use serde_json::{Value, json};
use support::{Answer, House, SOON, with};

/// A request that offers the search.
fn asking(text: &str) -> Value {
    json!({
        "model": "claude-sonnet-4-5",
        "max_tokens": 1000,
        "messages": [{"role": "user", "content": text}],
        "tools": [{"type": "web_search_20250305", "name": "web_search"}],
    })
}

fn post(house: &House, body: &Value) -> Request<Full<bytes::Bytes>> {
    let mut request = house.request(Method::POST, "/v1/messages", body.to_string());
    let version = "2023-06-01".parse().unwrap();
    request.headers_mut().insert("anthropic-version", version);
    request
}

async fn ask(house: &House, body: &Value) -> Answer {
    house.ask(post(house, body)).await
}

/// The first reply searches for something, and later ones do what the test says.
fn searches(house: &House, query: &str) {
    let search = Script::new()
        .text("Let me look.")
        .tool("web_search", json!({"query": query}))
        .credits(0.25);
    house.sim.script(Matcher::once(), search);
}

/// The message that the events of a stream make.
fn put_together(answer: &Answer) -> Value {
    let text = std::str::from_utf8(&answer.body).unwrap();
    let mut message = Value::Null;
    let mut input = String::new();
    for event in text.split_terminator("\n\n") {
        let (_, data) = event.split_once("\ndata: ").unwrap();
        let event: Value = serde_json::from_str(data).unwrap();
        let last = || event["index"].as_u64().unwrap() as usize;
        match event["type"].as_str().unwrap() {
            "message_start" => message = event["message"].clone(),
            "content_block_start" => {
                let content = message["content"].as_array_mut().unwrap();
                assert_eq!(content.len(), last());
                content.push(event["content_block"].clone());
            }
            "content_block_delta" => {
                let block = &mut message["content"][last()];
                if let Some(text) = event["delta"]["text"].as_str() {
                    block["text"] = json!(block["text"].as_str().unwrap().to_owned() + text);
                }
                input += event["delta"]["partial_json"].as_str().unwrap_or_default();
            }
            "content_block_stop" if !input.is_empty() => {
                let whole = std::mem::take(&mut input);
                message["content"][last()]["input"] = serde_json::from_str(&whole).unwrap();
            }
            "message_delta" => {
                message["usage"] = event["usage"].clone();
                message["stop_reason"] = event["delta"]["stop_reason"].clone();
            }
            "error" => return event,
            _ => {}
        }
    }
    message
}

fn kinds(message: &Value) -> Vec<&str> {
    let content = message["content"].as_array().unwrap();
    let kinds = content.iter().map(|block| block["type"].as_str().unwrap());
    kinds.collect()
}

const WHOLE: [&str; 4] = ["text", "server_tool_use", "web_search_tool_result", "text"];

#[tokio::test]
async fn the_model_searches_and_goes_on_in_one_answer() {
    let house = House::start().await;
    for stream in [false, true] {
        house.sim.forget_requests();
        searches(&house, "rust async");
        let said = Script::new().text("Here it is.").credits(0.5);
        house.sim.script(Matcher::once(), said);
        let answer = ask(&house, &with(asking("Look"), json!({"stream": stream}))).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        let message = match stream {
            true => put_together(&answer),
            false => answer.json(),
        };
        assert_eq!(kinds(&message), WHOLE, "{message}");
        let [_, asked, found, said] = &message["content"].as_array().unwrap()[..] else {
            panic!()
        };
        assert_eq!(asked["name"], "web_search");
        assert_eq!(asked["input"], json!({"query": "rust async"}));
        assert!(asked["id"].as_str().unwrap().starts_with("srvtoolu_"));
        assert_eq!(found["tool_use_id"], asked["id"]);
        let page = &found["content"][0];
        assert_eq!(page["type"], "web_search_result");
        assert_eq!(page["url"], "https://example.com/1");
        assert_eq!(page["title"], "Result 1 about rust async");
        assert_eq!(page["page_age"], "April 7, 2026");
        assert_eq!(said["text"], "Here it is.");
        assert_eq!(message["stop_reason"], "end_turn");
        assert_eq!(
            message["usage"]["server_tool_use"]["web_search_requests"],
            1
        );
        assert_eq!(message["usage"]["credits_used"], 0.75);

        // The model has read what was found, as the answer to its own call.
        let sent = house.sim.requests_for(Operation::Generate);
        assert_eq!(sent.len(), 2);
        let last: Value = serde_json::from_slice(&sent[1].body).unwrap();
        let text = last.to_string();
        assert!(text.contains("A short text about rust async."), "{text}");
        assert!(text.contains("Quote at most 30 words"), "{text}");
        assert!(text.contains(asked["id"].as_str().unwrap()), "{text}");
    }
}

#[tokio::test]
async fn a_conversation_goes_on_from_an_answer_with_a_search() {
    let house = House::start().await;
    searches(&house, "rust async");
    house
        .sim
        .script(Matcher::once(), Script::new().text("Here it is."));
    let message = ask(&house, &asking("Look")).await.json();
    let first = house.sim.requests_for(Operation::Generate);
    let first: Value = serde_json::from_slice(&first[1].body).unwrap();
    house.sim.forget_requests();

    let mut next = asking("Look");
    let messages = next["messages"].as_array_mut().unwrap();
    messages.push(json!({"role": "assistant", "content": message["content"]}));
    messages.push(json!({"role": "user", "content": "And then?"}));
    assert_eq!(ask(&house, &next).await.status, 200);
    let sent = house.sim.requests_for(Operation::Generate);
    let sent: Value = serde_json::from_slice(&sent[0].body).unwrap();
    // What was current is history now, and reads the same, so that the service finds it in its caches.
    let before = &first["conversationState"];
    let after = &sent["conversationState"];
    let history = after["history"].as_array().unwrap();
    let earlier = before["history"].as_array().unwrap();
    assert_eq!(history[..earlier.len()], earlier[..]);
    let results = "/userInputMessage/userInputMessageContext/toolResults";
    assert_eq!(
        history[earlier.len()].pointer(results),
        before["currentMessage"].pointer(results)
    );
}

#[tokio::test]
async fn a_failed_search_is_told_to_the_client_and_to_the_model() {
    let house = House::start().await;
    for (query, code) in [
        ("sim:failed", "unavailable"),
        ("sim:broken", "unavailable"),
        ("sim:throttled", "too_many_requests"),
        (" ", "invalid_tool_input"),
    ] {
        searches(&house, query);
        house
            .sim
            .script(Matcher::once(), Script::new().text("I could not look."));
        let answer = ask(&house, &asking("Look")).await;
        let message = answer.json();
        assert_eq!(kinds(&message), WHOLE, "{message}");
        assert_eq!(
            message["content"][2]["content"],
            json!({"type": "web_search_tool_result_error", "error_code": code})
        );
        assert_eq!(message["stop_reason"], "end_turn");
        let sent = house.sim.requests_for(Operation::Generate);
        let last = String::from_utf8_lossy(&sent.last().unwrap().body).into_owned();
        assert!(last.contains(r#""status":"error""#), "{last}");
    }
}

#[tokio::test]
async fn no_page_is_an_answer_too_and_unwanted_pages_are_left_out() {
    let house = House::start().await;
    searches(&house, "sim:nothing");
    let message = ask(&house, &asking("Look")).await.json();
    assert_eq!(message["content"][2]["content"], json!([]));

    let mut request = asking("Look");
    request["tools"][0]["allowed_domains"] = json!(["example.org"]);
    searches(&house, "rust");
    let message = ask(&house, &request).await.json();
    let pages = message["content"][2]["content"].as_array().unwrap();
    assert_eq!(pages.len(), 1);
    assert_eq!(pages[0]["url"], "https://example.org/2");
}

#[tokio::test]
async fn the_limit_of_searches_is_kept_and_a_model_without_end_is_paused() {
    let house = House::start().await;
    let search = || Script::new().tool("web_search", json!({"query": "more"}));
    let mut request = asking("Look");
    request["tools"][0]["max_uses"] = json!(1);
    house.sim.script(Matcher::any().times(2), search());
    let message = ask(&house, &request).await.json();
    assert!(message["content"][1]["content"].is_array(), "{message}");
    assert_eq!(
        message["content"][3]["content"]["error_code"],
        "max_uses_exceeded"
    );
    assert_eq!(house.sim.requests_for(Operation::InvokeMcp).len(), 2);

    house.sim.clear_scripts();
    let many = (0..12).fold(Script::new(), |script, _| {
        script.tool("web_search", json!({"query": "more"}))
    });
    house.sim.script(Matcher::once(), many);
    let message = ask(&house, &asking("Look")).await.json();
    let content = message["content"].as_array().unwrap();
    let refused = content
        .iter()
        .filter(|block| block["content"]["error_code"] == "max_uses_exceeded");
    assert_eq!(refused.count(), 2, "{message}");

    house.sim.clear_scripts();
    house.sim.forget_requests();
    house.sim.script(Matcher::any(), search());
    let message = ask(&house, &asking("Look")).await.json();
    assert_eq!(message["stop_reason"], "pause_turn");
    assert_eq!(house.sim.requests_for(Operation::Generate).len(), 10);
}

#[tokio::test]
async fn a_call_of_the_clients_own_tool_beside_a_search_is_the_clients_to_answer() {
    let house = House::start().await;
    let both = Script::new()
        .tool("web_search", json!({"query": "rust"}))
        .tool("read", json!({"path": "a"}));
    house.sim.script(Matcher::once(), both);
    let mut request = asking("Look");
    let read = json!({"name": "read", "input_schema": {"type": "object"}});
    request["tools"].as_array_mut().unwrap().push(read);
    let message = ask(&house, &request).await.json();
    let expected = ["server_tool_use", "tool_use", "web_search_tool_result"];
    assert_eq!(kinds(&message), expected);
    assert_eq!(message["stop_reason"], "tool_use");

    let messages = request["messages"].as_array_mut().unwrap();
    messages.push(json!({"role": "assistant", "content": message["content"]}));
    let result =
        json!({"type": "tool_result", "tool_use_id": message["content"][1]["id"], "content": "it"});
    messages.push(json!({"role": "user", "content": [result]}));
    let answer = ask(&house, &request).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
}

#[tokio::test]
async fn bounds_hold_for_the_whole_answer() {
    let house = House::start().await;
    searches(&house, "rust");
    house
        .sim
        .script(Matcher::once(), Script::new().text("word ".repeat(100)));
    let request = with(asking("Look"), json!({"max_tokens": 20}));
    let message = ask(&house, &request).await.json();
    assert_eq!(message["stop_reason"], "max_tokens");
    let text = message["content"][3]["text"].as_str().unwrap();
    assert!(text.len() < 80, "{text}");

    searches(&house, "rust");
    house
        .sim
        .script(Matcher::once(), Script::new().text("one END two"));
    let request = with(asking("Look"), json!({"stop_sequences": ["END"]}));
    let message = ask(&house, &request).await.json();
    assert_eq!(message["stop_reason"], "stop_sequence");
    assert_eq!(message["stop_sequence"], "END");
    assert_eq!(message["content"][3]["text"], "one ");
}

#[tokio::test]
async fn where_there_is_no_search_the_request_is_refused() {
    let mut options = SimOptions::default();
    options.hosts_search = false;
    let house = House::with(options, |_| {}).await;
    let answer = ask(&house, &asking("Look")).await;
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.json()["error"]["message"],
        "tools.0: tool type 'web_search_20250305' is not supported: the Kiro account has no web search"
    );
    assert_eq!(house.sim.requests_for(Operation::Generate).len(), 0);
    // It was asked once, and is asked again only later.
    ask(&house, &asking("Look")).await;
    assert_eq!(house.sim.requests_for(Operation::InvokeMcp).len(), 1);
}

#[tokio::test]
async fn a_second_reply_that_fails_is_an_error_and_no_end() {
    let house = House::start().await;
    let refusal = json!({"__type": "ValidationException", "message": "Improperly formed request.", "reason": null});
    for stream in [false, true] {
        searches(&house, "rust");
        let fails = Script::new().http_error(400, refusal.clone(), None);
        house.sim.script(Matcher::once(), fails);
        let answer = ask(&house, &with(asking("Look"), json!({"stream": stream}))).await;
        let body = match stream {
            true => put_together(&answer),
            false => answer.json(),
        };
        assert_eq!(body["type"], "error", "{body}");
        assert_eq!(body["error"]["type"], "invalid_request_error");
    }
}

#[tokio::test]
async fn a_client_that_leaves_in_a_search_takes_it_along() {
    let house = House::start().await;
    searches(&house, "sim:hang");
    let request = post(&house, &with(asking("Look"), json!({"stream": true})));
    let response = house.send(request).await;
    let searching = house.sim.wait_until(|state| state.requests == 4, SOON);
    searching.await.unwrap();
    let open = house.sim.connections().open;
    drop(response);
    let closed = house
        .sim
        .wait_until(move |state| state.connections.open < open, SOON);
    closed.await.unwrap();
}
