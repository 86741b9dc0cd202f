//! Responses end to end: simulator, gateway, loopback client.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::time::Duration;

use http::Method;
use http_body_util::BodyExt as _;
use kiro_sim::{Matcher, Operation, Script};
use serde_json::{Value, json};
use support::{Answer, House, KEY, with};

fn asked(input: impl Into<Value>) -> Value {
    json!({"model": "claude-sonnet-4-5", "input": input.into()})
}

async fn respond(house: &House, body: &Value) -> Answer {
    house
        .ask(house.request(Method::POST, "/v1/responses", body.to_string()))
        .await
}

/// The events of a stream.
fn events(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let events = text.split_terminator("\n\n");
    let events = events.filter_map(|event| event.split_once("\ndata: "));
    events
        .map(|(_, json)| serde_json::from_str(json).unwrap())
        .collect()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect()
}

/// What the last request upstream holds, as text.
fn sent(house: &House) -> String {
    let sent = house.sim.requests_for(Operation::Generate);
    sent.last().unwrap().json()["conversationState"].to_string()
}

fn error(answer: &Answer) -> (u16, Value) {
    (answer.status.as_u16(), answer.json()["error"].clone())
}

#[tokio::test]
async fn a_text_comes_whole_and_as_a_stream() {
    let house = House::start().await;
    house.sim.script(
        Matcher::any(),
        Script::new().text("Hel").text("lo").stop("END_TURN"),
    );
    let whole = respond(&house, &asked("hi")).await;
    assert_eq!(whole.header("content-type"), Some("application/json"));
    let whole = whole.json();
    assert_eq!(whole["status"], "completed");
    assert_eq!(whole["output"][0]["content"][0]["text"], "Hello");
    assert!(whole["usage"]["total_tokens"].as_u64().unwrap() > 0);

    let answer = respond(&house, &with(asked("hi"), json!({"stream": true}))).await;
    assert_eq!(
        answer.header("content-type"),
        Some("text/event-stream; charset=utf-8")
    );
    let events = events(&answer);
    assert_eq!(
        kinds(&events),
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    let last = &events.last().unwrap()["response"];
    assert_eq!(last["output"][0]["content"][0]["text"], "Hello");
}

#[tokio::test]
async fn every_way_to_write_the_path_reaches_the_surface() {
    let house = House::start().await;
    for path in ["/responses", "/openai/v1/responses", "/v1/responses/"] {
        let request = house.request(Method::POST, path, asked("hi").to_string());
        assert_eq!(house.ask(request).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn tools_are_told_as_what_they_are() {
    let house = House::start().await;
    let tools = json!([
        {"type": "namespace", "name": "mcp__files", "description": "d", "tools": [
            {"type": "function", "name": "read", "parameters": {"type": "object", "properties": {}}},
        ]},
        {"type": "custom", "name": "apply_patch", "description": "Edits files."},
        {"type": "web_search"},
    ]);
    house.sim.script(
        Matcher::once(),
        Script::new()
            .tool_with_id("toolu_1", "mcp__files__read", json!({"path": "a"}))
            .tool_with_id("toolu_2", "apply_patch", json!({"input": "*** Begin\n"})),
    );
    let answer = respond(&house, &with(asked("go"), json!({"tools": tools}))).await;
    assert_eq!(answer.header("x-gateway-ignored"), Some("tools.web_search"));
    let output = answer.json()["output"].clone();
    let call = &output[0];
    assert_eq!(
        (&call["type"], &call["name"], &call["namespace"]),
        (
            &json!("function_call"),
            &json!("read"),
            &json!("mcp__files")
        )
    );
    let custom = &output[1];
    assert_eq!(
        (&custom["type"], &custom["name"], &custom["input"]),
        (
            &json!("custom_tool_call"),
            &json!("apply_patch"),
            &json!("*** Begin\n")
        )
    );

    // The whole history comes back, as an agent without a store sends it.
    house
        .sim
        .script(Matcher::any(), Script::new().text("Done.").stop("END_TURN"));
    let mut input = vec![json!({"role": "user", "content": "go"})];
    input.extend(output.as_array().unwrap().iter().cloned());
    input.extend(output.as_array().unwrap().iter().map(|call| {
        let kind = format!("{}_output", call["type"].as_str().unwrap());
        json!({"type": kind, "call_id": call["call_id"], "output": "ok"})
    }));
    let next = with(asked(input), json!({"tools": tools, "store": false}));
    let answer = respond(&house, &next).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    assert!(sent(&house).contains("toolUseId"), "{}", sent(&house));
}

#[tokio::test]
async fn a_response_is_gone_on_from_by_its_id() {
    let house = House::start().await;
    house.sim.script(
        Matcher::once(),
        Script::new()
            .signed_reasoning("Hm.")
            .tool_with_id("toolu_1", "add", json!({"a": 1})),
    );
    let tools = json!([{"type": "function", "name": "add", "parameters": {"type": "object", "properties": {}}}]);
    let first = with(
        asked("add one"),
        json!({"tools": tools, "instructions": "Speak like a pirate."}),
    );
    let first = respond(&house, &first).await.json();
    assert_eq!(first["store"], true);
    house
        .sim
        .script(Matcher::any(), Script::new().text("Two.").stop("END_TURN"));
    let output =
        json!([{"type": "function_call_output", "call_id": "toolu_1", "output": "it is two"}]);
    let second = with(
        asked(output),
        json!({"tools": tools, "previous_response_id": first["id"], "stream": true}),
    );
    let events = events(&respond(&house, &second).await);
    let second = events.last().unwrap()["response"].clone();
    assert_eq!(second["previous_response_id"], first["id"]);
    assert!(sent(&house).contains("add one") && sent(&house).contains("it is two"));
    assert!(
        !sent(&house).contains("pirate"),
        "instructions are not inherited"
    );

    // The third goes on from a stream, and the whole conversation is there.
    let third = with(
        asked("and then?"),
        json!({"previous_response_id": second["id"]}),
    );
    let third = respond(&house, &third).await.json();
    assert!(sent(&house).contains("add one") && sent(&house).contains("Two."));

    let id = third["id"].as_str().unwrap();
    let got = house.get(&format!("/v1/responses/{id}")).await;
    assert_eq!(got.json(), third);
    let listed = house
        .get(&format!("/v1/responses/{id}/input_items?order=asc"))
        .await
        .json();
    let types: Vec<&str> = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        types,
        [
            "message",
            "reasoning",
            "function_call",
            "function_call_output",
            "message",
            "message"
        ]
    );
    assert_eq!(listed["has_more"], false);
}

#[tokio::test]
async fn items_are_found_by_their_ids() {
    let house = House::start().await;
    house.sim.script(
        Matcher::any(),
        Script::new()
            .signed_reasoning("Hm.")
            .text("The answer is 42.")
            .stop("END_TURN"),
    );
    let first = respond(&house, &asked("what is it?")).await.json();
    let ids = first["output"].as_array().unwrap().iter();
    let mut input = vec![json!({"role": "user", "content": "what is it?"})];
    input.extend(ids.map(|item| json!({"type": "item_reference", "id": item["id"]})));
    input.push(json!({"role": "user", "content": "sure?"}));
    let answer = respond(&house, &asked(input)).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    assert!(
        sent(&house).contains("The answer is 42."),
        "{}",
        sent(&house)
    );
}

#[tokio::test]
async fn what_is_not_stored_deleted_or_another_tenants_is_unknown() {
    let house = House::start().await;
    let unstored = with(asked("hi"), json!({"store": false}));
    let unstored = respond(&house, &unstored).await.json();
    assert_eq!(unstored["store"], false);
    let unstored = unstored["id"].as_str().unwrap().to_owned();
    let stored = respond(&house, &asked("hi")).await.json();
    let stored = stored["id"].as_str().unwrap().to_owned();

    let go_on = |id: &str| with(asked("go on"), json!({"previous_response_id": id}));
    let not_found = |id: &str| {
        let message = format!("Previous response with id '{id}' not found.");
        let error = json!({"message": message, "type": "invalid_request_error", "param": "previous_response_id", "code": "previous_response_not_found"});
        (400, error)
    };
    assert_eq!(
        error(&respond(&house, &go_on(&unstored)).await),
        not_found(&unstored)
    );

    let token = house.sim.issue_social().refresh_token.unwrap();
    let guest = format!("Bearer {KEY}:{token}");
    let mut request = house.request(Method::POST, "/v1/responses", go_on(&stored).to_string());
    request
        .headers_mut()
        .insert("authorization", guest.parse().unwrap());
    assert_eq!(error(&house.ask(request).await), not_found(&stored));
    let path = format!("/v1/responses/{stored}");
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::GET, format!("{path}/input_items")),
    ] {
        let mut request = house.request(method, &path, "");
        request
            .headers_mut()
            .insert("authorization", guest.parse().unwrap());
        let answer = house.ask(request).await;
        let message = format!("Response with id '{stored}' not found.");
        let expected = json!({"message": message, "type": "invalid_request_error", "param": null, "code": null});
        assert_eq!(error(&answer), (404, expected));
    }

    let deleted = house.ask(house.request(Method::DELETE, &path, "")).await;
    assert_eq!(
        deleted.json(),
        json!({"id": stored, "object": "response", "deleted": true})
    );
    assert_eq!(house.get(&path).await.status, 404);
    assert_eq!(
        error(&respond(&house, &go_on(&stored)).await),
        not_found(&stored)
    );
    let cancel = house.request(Method::POST, &format!("{path}/cancel"), "");
    assert_eq!(house.ask(cancel).await.status, 404);
}

#[tokio::test]
async fn what_cannot_be_done_with_a_kept_response_is_refused() {
    let house = House::start().await;
    let response = respond(&house, &asked("sim:echo Hi")).await.json();
    let path = format!("/v1/responses/{}", response["id"].as_str().unwrap());
    let (status, told) = error(&house.get(&format!("{path}?stream=true")).await);
    assert_eq!((status, &told["param"]), (400, &json!("stream")));
    assert_eq!(
        house.get(&format!("{path}?stream=false")).await.json(),
        response
    );
    let (status, told) = error(&house.get(&format!("{path}/input_items?after=msg_x")).await);
    assert_eq!((status, &told["param"]), (400, &json!("after")));
    let cancel = |path: &str| house.ask(house.request(Method::POST, path, ""));
    let (status, told) = error(&cancel(&format!("{path}/cancel")).await);
    assert_eq!(status, 400);
    assert_eq!(told["message"], "Cannot cancel a synchronous response.");
    let (status, told) = error(&cancel("/v1/responses/resp_x/cancel").await);
    assert_eq!(status, 404);
    assert_eq!(told["message"], "Response with id 'resp_x' not found.");
}

#[tokio::test]
async fn a_conversation_at_fault_is_the_input() {
    let house = House::start().await;
    for input in ["sim:error=400,CONTENT_LENGTH_EXCEEDS_THRESHOLD", " "] {
        let (status, told) = error(&respond(&house, &asked(input)).await);
        assert_eq!((status, &told["param"]), (400, &json!("input")), "{told}");
    }
}

#[tokio::test]
async fn what_nobody_used_for_an_hour_is_unknown() {
    let house = House::start().await;
    let first = respond_alone(&house, &asked("hi")).await.json();
    let other = respond_alone(&house, &asked("hi")).await.json();
    let go_on = |response: &Value| {
        let previous = json!({"previous_response_id": response["id"]});
        with(asked("go on"), previous)
    };
    let refer = |response: &Value| {
        let id = &response["output"][0]["id"];
        asked(json!([{"type": "item_reference", "id": id}]))
    };

    let minute = Duration::from_secs(60);
    later(50 * minute).await;
    assert_eq!(respond_alone(&house, &go_on(&first)).await.status, 200);
    later(20 * minute).await;
    assert_eq!(respond_alone(&house, &refer(&first)).await.status, 200);
    let (status, refusal) = error(&respond_alone(&house, &go_on(&other)).await);
    let code = &refusal["code"];
    assert_eq!((status, code), (400, &json!("previous_response_not_found")));
    assert_eq!(respond_alone(&house, &refer(&other)).await.status, 400);
    later(61 * minute).await;
    assert_eq!(respond_alone(&house, &go_on(&first)).await.status, 400);
    for response in [first, other] {
        let id = response["id"].as_str().unwrap();
        assert_eq!(house.get(&format!("/v1/responses/{id}")).await.status, 404);
    }
}

/// Asks on a connection of its own: the server closes those on which nothing comes for so long.
async fn respond_alone(house: &House, body: &Value) -> Answer {
    let mut request = house.request(Method::POST, "/v1/responses", body.to_string());
    let headers = request.headers_mut();
    headers.insert("connection", "close".parse().unwrap());
    house.ask(request).await
}

/// Lets time pass while nobody asks for anything.
async fn later(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn thoughts_go_back_for_the_caller_who_had_them_and_are_left_out_for_another() {
    let house = House::with(Default::default(), |options| options.refuse_ignored = true).await;
    house.sim.script(
        Matcher::any(),
        Script::new()
            .signed_reasoning("Hm.")
            .text("Hello")
            .stop("END_TURN"),
    );
    let first = with(
        asked("hi"),
        json!({"include": ["reasoning.encrypted_content"]}),
    );
    let first = respond(&house, &first).await.json();
    let mut input = vec![json!({"role": "user", "content": "hi"})];
    input.extend(first["output"].as_array().unwrap().iter().cloned());
    input.push(json!({"role": "user", "content": "go on"}));
    let body = asked(input).to_string();

    let ask = |key: String| {
        let mut request = house.request(Method::POST, "/v1/responses", body.clone());
        let key = format!("Bearer {key}").parse().unwrap();
        request.headers_mut().insert("authorization", key);
        house.ask(request)
    };
    let own = ask(KEY.to_owned()).await;
    assert_eq!(
        (own.status.as_u16(), own.header("x-gateway-ignored")),
        (200, None)
    );
    assert!(sent(&house).contains("Hm."), "{}", sent(&house));

    let token = house.sim.issue_social().refresh_token.unwrap();
    let guest = ask(format!("{KEY}:{token}")).await;
    let ignored = guest.header("x-gateway-ignored");
    assert_eq!(
        (guest.status.as_u16(), ignored),
        (200, Some("reasoning.encrypted_content"))
    );
    assert!(!sent(&house).contains("Hm."), "{}", sent(&house));
}

#[tokio::test]
async fn a_gateway_that_keeps_nothing_says_so() {
    let house = House::with(Default::default(), |options| options.keep.max_bytes = 0).await;
    let answer = respond(&house, &asked("hi")).await.json();
    assert_eq!(answer["store"], false);
    let id = answer["id"].as_str().unwrap();
    assert_eq!(house.get(&format!("/v1/responses/{id}")).await.status, 404);
}

#[tokio::test]
async fn a_fault_in_the_middle_is_an_error_and_a_failed_response() {
    let house = House::start().await;
    house
        .sim
        .script(Matcher::any(), Script::new().text("Hel").cut_inside_frame());
    let answer = respond(&house, &with(asked("hi"), json!({"stream": true}))).await;
    let events = events(&answer);
    let [.., error, failed] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(error["type"], "error");
    assert_eq!(error["message"], error["error"]["message"]);
    assert_eq!(failed["type"], "response.failed");
    assert_eq!(failed["response"]["status"], "failed");
    assert_eq!(failed["response"]["error"]["code"], "server_error");
    let id = failed["response"]["id"].as_str().unwrap();
    assert_eq!(house.get(&format!("/v1/responses/{id}")).await.status, 404);

    let whole = respond(&house, &asked("hi")).await;
    assert_eq!(whole.status, 502);
}

#[tokio::test]
async fn refusals_before_the_beginning_are_http_errors() {
    let house = House::start().await;
    let unknown = json!({"model": "gpt-9", "input": "hi", "stream": true});
    let (status, error) = error(&respond(&house, &unknown).await);
    assert_eq!((status, &error["code"]), (404, &json!("model_not_found")));
    let mut request = house.request(Method::POST, "/v1/responses", asked("hi").to_string());
    request
        .headers_mut()
        .insert("authorization", "Bearer wrong".parse().unwrap());
    assert_eq!(house.ask(request).await.status, 401);
}

#[tokio::test]
async fn keep_alives_are_events() {
    let house = House::with(Default::default(), |options| {
        options.timeouts.patience = Duration::from_millis(50);
        options.timeouts.keep_alive = Duration::from_millis(50);
    })
    .await;
    house.sim.script(
        Matcher::any(),
        Script::new()
            .silence(Duration::from_millis(400))
            .text("Do")
            .silence(Duration::from_millis(400))
            .text("ne.")
            .stop("END_TURN"),
    );
    let answer = respond(&house, &with(asked("hi"), json!({"stream": true}))).await;
    let events = events(&answer);
    let kinds = kinds(&events);
    let first_item = kinds
        .iter()
        .position(|kind| *kind == "response.output_item.added")
        .unwrap();
    assert!(first_item > 2, "{kinds:?}");
    assert!(
        kinds[1..first_item]
            .iter()
            .all(|kind| *kind == "response.in_progress")
    );
    assert!(!kinds[first_item..].contains(&"response.in_progress"));
    assert!(events.iter().any(|event| event["delta"] == ""), "{kinds:?}");
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number);
    }
    assert_eq!(kinds.last(), Some(&"response.completed"));
}

#[tokio::test]
async fn a_downstream_that_leaves_closes_the_upstream_and_nothing_is_kept() {
    let house = House::start().await;
    house
        .sim
        .script(Matcher::any(), Script::new().text("Hel").hang());
    let body = with(asked("hi"), json!({"stream": true})).to_string();
    let mut response = house
        .send(house.request(Method::POST, "/v1/responses", body))
        .await;
    let first = response.body_mut().frame().await.unwrap().unwrap();
    let first = String::from_utf8(first.into_data().unwrap().to_vec()).unwrap();
    let (_, id) = first.split_once("\"id\":\"").unwrap();
    let (id, _) = id.split_once('"').unwrap();
    drop(response);
    house
        .sim
        .wait_until(|state| state.cancelled_streams == 1, support::SOON)
        .await
        .unwrap();
    assert_eq!(house.get(&format!("/v1/responses/{id}")).await.status, 404);
}
