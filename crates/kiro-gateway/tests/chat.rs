//! Chat completions end to end: simulator, gateway, loopback client.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use http_body_util::BodyExt as _;
use kiro_gateway::Reasoning;
use kiro_sim::{Matcher, Script, SimOptions};
use serde_json::{Value, json};
use support::{House, streamed, whole};

const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAEklEQVR4nGP4z8DA0PCfAUIBACFyBP1TVaZ3AAAAAElFTkSuQmCC";

fn weather_tool() -> Value {
    json!({"type": "function", "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }})
}

#[tokio::test]
async fn a_stream_has_role_text_finish_and_done_in_order() {
    let house = House::start().await;
    house.sim.script(
        Matcher::any(),
        Script::new().text("Hel").text("lo — 😀").stop("END_TURN"),
    );
    let answer = house.chat(&streamed("hi")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("text/event-stream; charset=utf-8")
    );
    assert_eq!(answer.header("x-accel-buffering"), Some("no"));
    assert!(
        answer
            .header("x-request-id")
            .is_some_and(|id| id.starts_with("req_"))
    );
    let chunks = answer.chunks();
    let deltas: Vec<&Value> = chunks
        .iter()
        .map(|chunk| &chunk["choices"][0]["delta"])
        .collect();
    assert_eq!(
        deltas,
        [
            &json!({"role": "assistant", "content": ""}),
            &json!({"content": "Hel"}),
            &json!({"content": "lo — 😀"}),
            &json!({}),
        ]
    );
    assert_eq!(answer.finish_reasons(), ["stop"]);
    assert!(
        chunks.iter().all(|chunk| chunk.get("usage").is_none()),
        "nobody asked for usage"
    );
    assert!(
        chunks
            .iter()
            .all(|chunk| chunk["id"] == chunks[0]["id"] && chunk["model"] == "claude-sonnet-4-5")
    );
}

#[tokio::test]
async fn no_piece_waits_for_the_next_one() {
    let pieces = ["one ", "two ", "three "];
    for n in 1..=pieces.len() {
        let house = House::start().await;
        let script = pieces[..n]
            .iter()
            .fold(Script::new(), |script, piece| script.text(*piece));
        house.sim.script(Matcher::any(), script.hang());
        let mut body = house.open_chat(&streamed("x")).await.into_body();
        let mut came = String::new();
        while !came.contains(pieces[n - 1]) {
            let frame = tokio::time::timeout(support::SOON, body.frame()).await;
            let data = frame.unwrap().unwrap().unwrap().into_data().unwrap();
            came.push_str(std::str::from_utf8(&data).unwrap());
        }
        let contents = came.matches("\"content\":\"").count();
        // The chunk with the role has an empty one.
        assert_eq!(contents, n + 1, "{came}");
    }
}

#[tokio::test]
async fn usage_comes_once_between_finish_and_done_when_asked_for() {
    let house = House::start().await;
    let mut request = streamed("hi");
    request["stream_options"] = json!({"include_usage": true});
    let chunks = house.chat(&request).await.chunks();
    let with_usage: Vec<&Value> = chunks
        .iter()
        .filter(|chunk| chunk["usage"].is_object())
        .collect();
    assert_eq!(with_usage.len(), 1);
    let last = chunks.last().unwrap();
    assert_eq!(last["choices"], json!([]));
    let number = |key: &str| last["usage"][key].as_u64().unwrap();
    assert!(number("prompt_tokens") > 0 && number("completion_tokens") > 0);
    assert_eq!(
        number("total_tokens"),
        number("prompt_tokens") + number("completion_tokens")
    );
}

#[tokio::test]
async fn a_whole_answer_says_the_same_as_the_stream() {
    let house = House::start().await;
    let script = || {
        Script::new()
            .reasoning("Let me see.", "c2ln")
            .text("Forty-")
            .text("two.")
            .stop("END_TURN")
    };
    house.sim.script(Matcher::any(), script());
    let streamed = house.chat(&streamed("what?")).await;
    let answer = house.chat(&whole("what?")).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("content-type")),
        (200, Some("application/json"))
    );
    let document = answer.json();
    let message = &document["choices"][0]["message"];
    assert_eq!(message["content"], "Forty-two.");
    assert_eq!(message["reasoning_content"], "Let me see.");
    assert_eq!(streamed.streamed_text(), "Forty-two.");
    assert_eq!(document["choices"][0]["finish_reason"], "stop");
    assert_eq!(document["object"], "chat.completion");
    assert!(document["usage"]["total_tokens"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn the_conversation_reaches_the_upstream_whole_and_by_its_rules() {
    let house = House::start().await;
    let request = json!({"model": "claude-opus-4-5", "messages": [
        {"role": "system", "content": "Answer briefly."},
        {"role": "developer", "content": "In English."},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "uno"},
        {"role": "user", "content": [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": format!("data:image/jpeg;base64,{PNG}")}}]},
    ]});
    let answer = house.chat(&request).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    let sent = house
        .sim
        .requests_for(kiro_sim::Operation::Generate)
        .remove(0);
    assert_eq!(sent.refusal, None);
    assert!(sent.header("user-agent").unwrap().starts_with("Kiro-2API/"));
    assert_eq!(
        sent.header("x-amz-target"),
        Some("KiroRuntimeService.GenerateAssistantResponse")
    );
    let state = &sent.json()["conversationState"];
    let current = &state["currentMessage"]["userInputMessage"];
    assert_eq!(current["content"], "look");
    assert_eq!(current["modelId"], "claude-opus-4.5");
    assert_eq!(
        current["images"][0]["format"], "png",
        "the label is wrong, the bytes are right"
    );
    let history: Vec<String> = state["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(Value::to_string)
        .collect();
    assert!(history[0].contains("Answer briefly.") && history[0].contains("In English."));
    assert!(history[2].contains("one") && history[3].contains("uno"));
}

#[tokio::test]
async fn a_tool_is_called_in_pieces_and_its_result_leads_to_an_answer() {
    let house = House::start().await;
    house.sim.script(
        Matcher::any().has_no_tool_results(),
        Script::new()
            .text("Looking. ")
            .tool_pieces("get_weather", &["{\"city\": ", "\"Pa", "ris\"}"])
            .stop("TOOL_USE"),
    );
    house.sim.script(
        Matcher::any().has_tool_results(),
        Script::new().text("Sunny.").stop("END_TURN"),
    );
    let mut request = streamed("weather in Paris?");
    request["tools"] = json!([weather_tool()]);
    let answer = house.chat(&request).await;
    assert_eq!(answer.finish_reasons(), ["tool_calls"]);
    let chunks = answer.chunks();
    let calls: Vec<&Value> = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"].get("tool_calls"))
        .map(|calls| &calls[0])
        .collect();
    assert_eq!(calls[0]["function"]["name"], "get_weather");
    assert_eq!(
        (&calls[0]["index"], &calls[0]["type"]),
        (&json!(0), &json!("function"))
    );
    assert!(
        calls[1..]
            .iter()
            .all(|call| call.get("id").is_none() && call["function"].get("name").is_none())
    );
    let arguments: String = calls
        .iter()
        .filter_map(|call| call["function"]["arguments"].as_str())
        .collect();
    assert_eq!(arguments, "{\"city\": \"Paris\"}");

    let id = calls[0]["id"].as_str().unwrap();
    let call = json!({"id": id, "type": "function", "function": {"name": "get_weather", "arguments": arguments}});
    let messages = request["messages"].as_array_mut().unwrap();
    messages.push(json!({"role": "assistant", "content": null, "tool_calls": [call]}));
    messages.push(json!({"role": "tool", "tool_call_id": id, "content": "22 degrees"}));
    let answer = house.chat(&request).await;
    assert_eq!(answer.streamed_text(), "Sunny.");
    let sent = house
        .sim
        .requests_for(kiro_sim::Operation::Generate)
        .remove(1);
    assert!(sent.json().to_string().contains("22 degrees"));
}

#[tokio::test]
async fn parallel_calls_keep_their_own_index_id_and_arguments() {
    let house = House::start().await;
    house.sim.script(
        Matcher::any(),
        Script::new()
            .tool_with_id("tooluse_A", "get_weather", json!({"city": "Paris"}))
            .tool_with_id("tooluse_B", "get_weather", json!({"city": "Rome"}))
            .stop("TOOL_USE"),
    );
    let mut request = whole("both?");
    request["tools"] = json!([weather_tool()]);
    let document = house.chat(&request).await.json();
    let calls = &document["choices"][0]["message"]["tool_calls"];
    assert_eq!(
        (&calls[0]["id"], &calls[1]["id"]),
        (&json!("tooluse_A"), &json!("tooluse_B"))
    );
    let arguments = |n: usize| -> Value {
        serde_json::from_str(calls[n]["function"]["arguments"].as_str().unwrap()).unwrap()
    };
    assert_eq!(
        (arguments(0), arguments(1)),
        (json!({"city": "Paris"}), json!({"city": "Rome"}))
    );
    assert_eq!(document["choices"][0]["message"]["content"], Value::Null);

    request["stream"] = json!(true);
    let chunks = house.chat(&request).await.chunks();
    let indexes: Vec<u64> = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"].get("tool_calls"))
        .filter(|calls| calls[0].get("id").is_some())
        .map(|calls| calls[0]["index"].as_u64().unwrap())
        .collect();
    assert_eq!(indexes, [0, 1]);
}

#[tokio::test]
async fn a_tool_whose_name_kiro_refuses_comes_back_under_its_own_name() {
    let house = House::start().await;
    let name = format!("mcp__plugin.{}__review", "x".repeat(60));
    let mut request = streamed("use it");
    let mut tool = weather_tool();
    tool["function"]["name"] = json!(name);
    request["tools"] = json!([tool]);
    // The built-in behaviour calls a declared tool by the name that was sent upstream.
    request["messages"][0]["content"] = json!("call the tool, please: sim:calls=1");
    let answer = house.chat(&request).await;
    let chunks = answer.chunks();
    let sent = house
        .sim
        .requests_for(kiro_sim::Operation::Generate)
        .remove(0);
    assert_eq!(sent.refusal, None);
    let called = chunks.iter().find_map(|chunk| {
        chunk["choices"][0]["delta"]["tool_calls"][0]["function"]["name"].as_str()
    });
    assert_eq!(called, Some(name.as_str()));
    request["stream"] = json!(false);
    let answer = house.chat(&request).await.json();
    let call = &answer["choices"][0]["message"]["tool_calls"][0];
    assert_eq!(call["function"]["name"], name);
}

#[tokio::test]
async fn a_tool_call_that_was_cut_is_never_presented_as_complete() {
    let house = House::start().await;
    house.sim.script(
        Matcher::any(),
        Script::new()
            .text("Writing. ")
            .tool_without_stop("get_weather", &["{\"city\": \"Pa"])
            .stop("END_TURN"),
    );
    let mut request = whole("weather?");
    request["tools"] = json!([weather_tool()]);
    let document = house.chat(&request).await.json();
    let choice = &document["choices"][0];
    assert_eq!(
        (&choice["finish_reason"], &choice["message"]["content"]),
        (&json!("length"), &json!("Writing. "))
    );
    assert!(choice["message"].get("tool_calls").is_none());
    request["stream"] = json!(true);
    assert_eq!(house.chat(&request).await.finish_reasons(), ["length"]);
}

#[tokio::test]
async fn thoughts_are_told_where_the_operator_wants() {
    for (reasoning, text, thoughts) in [
        (Reasoning::Member, "Four.", Some("Two and two.")),
        (
            Reasoning::Tags,
            "<think>Two and two.</think>\n\nFour.",
            None,
        ),
        (Reasoning::Hidden, "Four.", None),
    ] {
        let house = House::with(SimOptions::default(), |options| {
            options.reasoning = reasoning
        })
        .await;
        house.sim.script(
            Matcher::any(),
            Script::new()
                .thinking("Two and two.")
                .text("Four.")
                .stop("END_TURN"),
        );
        let answer = house.chat(&whole("2 + 2?")).await.json();
        let message = &answer["choices"][0]["message"];
        assert_eq!(message["content"], text);
        assert_eq!(message["reasoning_content"].as_str(), thoughts);
        assert_eq!(house.chat(&streamed("2 + 2?")).await.streamed_text(), text);
    }
}

#[tokio::test]
async fn fields_without_effect_are_named() {
    let house = House::start().await;
    let mut request = whole("hi");
    request["temperature"] = json!(0);
    request["seed"] = json!(7);
    let answer = house.chat(&request).await;
    assert_eq!(answer.status, 200);
    let ignored = answer.header("x-gateway-ignored").unwrap();
    assert!(
        ignored.contains("temperature") && ignored.contains("seed"),
        "{ignored}"
    );
}

/// A conversation with everything that counts, `n` times over.
fn long_conversation(n: usize) -> Value {
    let mut messages = vec![
        json!({"role": "system", "content": "You are a careful programmer who explains each step."}),
    ];
    for turn in 0..n {
        let id = format!("call_{turn}");
        messages.extend([
            json!({"role": "user", "content": format!("Please read file number {turn} and tell me what the function in the middle of it does, and whether its tests cover the error cases.")}),
            json!({"role": "assistant", "content": null, "tool_calls": [{"id": id, "type": "function", "function": {"name": "get_weather", "arguments": "{\"city\": \"Garmisch-Partenkirchen\", \"unit\": \"degrees\"}"}}]}),
            json!({"role": "tool", "tool_call_id": id, "content": "/// Whether a batch is due.\npub fn is_due(&self, now: Instant) -> bool {\n    self.started.is_some_and(|started| now - started >= self.window)\n}\n"}),
            json!({"role": "assistant", "content": "It says whether the window of the batch has passed; the tests cover the case without a start."}),
        ]);
    }
    messages.push(json!({"role": "user", "content": "Thank you. Now the next one."}));
    json!({"model": "claude-opus-4.8", "messages": messages, "tools": [weather_tool()]})
}

#[tokio::test]
async fn our_own_count_comes_near_to_that_of_the_service() {
    let house = House::start().await;
    for n in [1, 40, 400] {
        let request = long_conversation(n);
        let answer =
            "The next one adds a request to the batch, and starts its window if it is the first.";
        let said = Script::new().text(answer).stop("END_TURN");
        house.sim.script(Matcher::once(), said.clone());
        let told = house.chat(&request).await;
        assert!(
            told.header("x-kiro-credits")
                .is_some_and(|credits| credits.parse::<f64>().unwrap() > 0.0)
        );
        let told = told.json()["usage"].clone();
        house.sim.script(Matcher::once(), said.no_tail());
        let silent = house.chat(&request).await;
        assert_eq!(silent.header("x-kiro-credits"), None);
        let silent = silent.json()["usage"].clone();
        assert_eq!(told["token_source"], "context_percentage");
        assert_eq!(silent["token_source"], "estimate");
        assert_eq!(told["completion_tokens"], silent["completion_tokens"]);
        assert_eq!(
            silent.get("prompt_tokens_details"),
            None,
            "nobody spoke of a cache"
        );
        let tokens = |usage: &Value| usage["prompt_tokens"].as_f64().unwrap();
        // The simulator takes four bytes for a token and nothing for what divides messages; the tokenizer
        // finds more tokens in code and JSON than in prose, and compacting early is the better error.
        let ratio = tokens(&silent) / tokens(&told);
        assert!((0.9..1.4).contains(&ratio), "{n} turns: {told} {silent}");
    }
}
