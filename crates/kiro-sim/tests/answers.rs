//! Answers that requests choose for themselves: what `demo` and the client tests rely on.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on may as well panic"
)]

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::{Answer, Client, ask, krs, of_model, simulator, with_tool};

async fn answer_to(body: Value) -> Answer {
    let sim = simulator().await;
    let credential = sim.issue_social();
    let answer = Client::connect(&sim)
        .await
        .call(krs(&credential, &body))
        .await;
    let refusals: Vec<_> = sim
        .requests()
        .into_iter()
        .filter_map(|request| request.refusal)
        .collect();
    assert_eq!(refusals, []);
    answer
}

/// The tool calls of a reply: names and whole inputs.
fn calls(answer: &Answer) -> Vec<(String, Value)> {
    let mut calls: Vec<(String, String)> = Vec::new();
    for event in answer.payloads("toolUseEvent") {
        let name = event["name"].as_str().unwrap().to_owned();
        match (event["input"].as_str(), event.get("stop")) {
            (None, None) => calls.push((name, String::new())),
            (Some(piece), _) => calls.last_mut().unwrap().1.push_str(piece),
            _ => {}
        }
    }
    calls
        .into_iter()
        .map(|(name, input)| (name, serde_json::from_str(&input).unwrap()))
        .collect()
}

fn city() -> Value {
    json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
}

#[tokio::test]
async fn a_question_is_repeated_word_by_word_and_always_alike() {
    let answer = answer_to(ask("You are helpful.\n\nWhat is a CRC?\n")).await;
    assert!(answer.text().starts_with("You asked: \"What is a CRC?\". "));
    assert!(answer.payloads("assistantResponseEvent").len() > 20);
    assert_eq!(
        answer.bytes(),
        answer_to(ask("You are helpful.\n\nWhat is a CRC?\n"))
            .await
            .bytes()
    );
}

#[tokio::test]
async fn a_question_about_the_weather_calls_the_weather_tool() {
    let body = with_tool(ask("What is the weather in Paris?"), "read_file", &city());
    let body = with_tool(body, "get_weather", &city());
    let answer = answer_to(body).await;
    assert_eq!(
        calls(&answer),
        [("get_weather".to_owned(), json!({"city": "Paris"}))]
    );
    assert_eq!(
        answer.payloads("metadataEvent"),
        [json!({"stopReason": "TOOL_USE"})]
    );
}

#[tokio::test]
async fn two_cities_are_two_calls() {
    let text = "Compare the weather in both cities: Paris and London.";
    let answer = answer_to(with_tool(ask(text), "get_weather", &city())).await;
    assert_eq!(
        calls(&answer),
        [
            ("get_weather".to_owned(), json!({"city": "Paris"})),
            ("get_weather".to_owned(), json!({"city": "London"})),
        ]
    );
}

#[tokio::test]
async fn tools_are_called_by_name_and_left_alone_otherwise() {
    let both = |text: &str| {
        let body = with_tool(
            ask(text),
            "read_file",
            &json!({"type": "object", "properties": {}}),
        );
        with_tool(
            body,
            "list_dir",
            &json!({"type": "object", "properties": {}}),
        )
    };
    let names = |answer: &Answer| {
        calls(answer)
            .into_iter()
            .map(|(name, _)| name)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(&answer_to(both("please read file now")).await),
        ["read_file"]
    );
    assert_eq!(
        names(&answer_to(both("read_file, then list_dir")).await),
        ["read_file", "list_dir"]
    );
    assert_eq!(names(&answer_to(both("use a tool")).await), ["read_file"]);
    assert_eq!(
        names(&answer_to(both("sim:tool=list_dir sim:calls=3")).await),
        ["list_dir"; 3]
    );
    assert_eq!(names(&answer_to(both("just say hello")).await), [""; 0]);
}

#[tokio::test]
async fn tool_results_are_quoted() {
    let mut body = with_tool(ask("Tool results provided."), "get_weather", &city());
    let use_of = |id: &str| json!({"toolUseId": id, "name": "get_weather", "input": {"city": id}});
    body["conversationState"]["history"] = json!([
        {"userInputMessage": {"content": "Weather in both?"}},
        {"assistantResponseMessage": {"content": "", "toolUses": [use_of("a"), use_of("b")]}},
    ]);
    body["conversationState"]["currentMessage"]["userInputMessage"]["userInputMessageContext"]["toolResults"] = json!([
        {"toolUseId": "a", "status": "success", "content": [{"text": "18 degrees"}]},
        {"toolUseId": "b", "status": "error", "content": [{"json": {"code": 7}}]},
    ]);
    let text = answer_to(body).await.text();
    assert!(text.contains("The tool answered: 18 degrees."), "{text}");
    assert!(
        text.contains("The tool failed with: {\"code\":7}."),
        "{text}"
    );
}

#[tokio::test]
async fn a_picture_is_described() {
    let mut body = ask("What is this?");
    let png = "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAEklEQVR4nGP4z8DA0PCfAUIBACFyBP1TVaZ3AAAAAElFTkSuQmCC";
    body["conversationState"]["currentMessage"]["userInputMessage"]["images"] =
        json!([{"format": "png", "source": {"bytes": png}}]);
    let text = answer_to(body).await.text();
    assert!(
        text.starts_with("I see a png of 75 bytes, 2 by 2 pixels."),
        "{text}"
    );
}

#[tokio::test]
async fn models_think_when_it_is_their_nature_or_they_are_told_to() {
    let thoughts = |answer: &Answer| answer.payloads("reasoningContentEvent");
    let native = answer_to(of_model(ask("Hi"), "claude-sonnet-4.6")).await;
    assert_eq!(native.shape()[1], "reasoningContentEvent");
    assert!(thoughts(&native).last().unwrap()["signature"].is_string());

    let mut body = of_model(ask("Hi"), "claude-sonnet-4.6");
    body["additionalModelRequestFields"] = json!({"thinking": {"type": "disabled"}});
    assert_eq!(thoughts(&answer_to(body.clone()).await).len(), 0);
    body["additionalModelRequestFields"] =
        json!({"thinking": {"type": "adaptive", "display": "omitted"}});
    assert_eq!(thoughts(&answer_to(body).await).len(), 1);

    assert_eq!(thoughts(&answer_to(ask("sim:reasoning Hi")).await).len(), 3);
    let tags =
        "<thinking_mode>enabled</thinking_mode><max_thinking_length>16000</max_thinking_length>Hi";
    let text = answer_to(ask(tags)).await.text();
    assert!(
        text.starts_with("<thinking>\n") && text.contains("\n</thinking>\n\nYou asked"),
        "{text}"
    );
}

#[tokio::test]
async fn max_tokens_cut_the_answer() {
    let mut body = of_model(ask("Hi"), "claude-sonnet-4.6");
    body["additionalModelRequestFields"] =
        json!({"max_tokens": 5, "thinking": {"type": "disabled"}});
    let answer = answer_to(body).await;
    assert_eq!(answer.text().len(), 20);
    assert_eq!(
        answer.payloads("metadataEvent"),
        [json!({"stopReason": "MAX_TOKENS"})]
    );
}

#[tokio::test]
async fn directives_shape_the_answer() {
    assert_eq!(
        answer_to(ask("sim:echo  exactly\nthis")).await.text(),
        " exactly\nthis"
    );
    assert_eq!(
        answer_to(ask("sim:tokens=500 sim:delay=0ms"))
            .await
            .text()
            .len(),
        2_000
    );
    let answer = answer_to(ask("sim:usage=95.5 sim:credits=2 sim:stop=PAUSE_TURN Hi")).await;
    assert_eq!(
        answer.payloads("contextUsageEvent")[0]["contextUsagePercentage"],
        95.5
    );
    assert_eq!(answer.payloads("meteringEvent")[0]["usage"], 2.0);
    assert_eq!(
        answer.payloads("metadataEvent"),
        [json!({"stopReason": "PAUSE_TURN"})]
    );
    assert_eq!(
        answer_to(ask("sim:no-stop Hi"))
            .await
            .payloads("metadataEvent")
            .len(),
        0
    );
    assert_eq!(
        answer_to(ask("sim:no-tail Hi"))
            .await
            .payloads("meteringEvent")
            .len(),
        0
    );
    assert!(answer_to(ask("sim:segments=7 sim:echo a")).await.chunks[0].len() == 7);
    assert!(
        answer_to(ask("sim:typo Hi"))
            .await
            .text()
            .starts_with("The directive sim:typo is not known.")
    );
}

#[tokio::test]
async fn directives_ask_for_faults() {
    let error = answer_to(ask(
        "sim:error=429,INSUFFICIENT_MODEL_CAPACITY sim:retry-after=7s",
    ))
    .await;
    assert_eq!(
        (error.status.as_u16(), &error.headers["retry-after"]),
        (429, &"7".parse().unwrap())
    );
    assert_eq!(error.json()["reason"], "INSUFFICIENT_MODEL_CAPACITY");

    let fault = answer_to(ask("sim:fault=throttlingError sim:after=2 Hi")).await;
    assert_eq!(fault.payloads("assistantResponseEvent").len(), 2);
    assert_eq!(fault.shape().last().unwrap(), "throttlingError");

    let cut = answer_to(ask("sim:cut Hi")).await;
    assert!(!cut.is_whole && cut.text().starts_with("You asked"));
    for directive in [
        "cut-inside-frame",
        "end-inside-frame",
        "bad-message-crc",
        "bad-prelude-crc",
        "lying-length",
        "oversize-length",
    ] {
        let (frames, is_broken) = answer_to(ask(&format!("sim:{directive}")))
            .await
            .sound_frames();
        assert!(frames > 2 && is_broken, "{directive}");
    }
    assert!(!answer_to(ask("sim:reset")).await.is_whole);
    assert_eq!(
        answer_to(ask("sim:unknown-event"))
            .await
            .payloads("somethingNewEvent")
            .len(),
        1
    );
    assert_eq!(
        answer_to(ask("sim:html")).await.headers["content-type"],
        "text/html"
    );
    assert_eq!(answer_to(ask("sim:empty")).await.bytes(), b"");
}

#[tokio::test(start_paused = true)]
async fn directives_take_their_time() {
    let begun = tokio::time::Instant::now();
    answer_to(ask(
        "sim:first=60s sim:silence=2m sim:delay=1s sim:tokens=10",
    ))
    .await;
    let seconds = begun.elapsed().as_secs();
    // Ten tokens are 40 bytes, here five words.
    assert!((183..190).contains(&seconds), "{seconds}");
    assert!(Duration::from_secs(seconds) < Duration::from_secs(190));
}

#[tokio::test]
async fn directives_can_keep_a_client_waiting_for_ever() {
    for directive in ["sim:hang", "sim:hang-before-head"] {
        let sim = simulator().await;
        let credential = sim.issue_social();
        let mut client = Client::connect(&sim).await;
        let sent = tokio::spawn({
            let request = krs(&credential, &ask(directive));
            async move { client.call(request).await }
        });
        sim.wait_until(|state| state.open_streams == 1, support::DEADLINE)
            .await
            .unwrap();
        sent.abort();
        sim.wait_until(|state| state.cancelled_streams == 1, support::DEADLINE)
            .await
            .unwrap();
    }
    let sim = simulator().await;
    let credential = sim.issue_social();
    let mut client = Client::connect(&sim).await;
    assert!(
        client
            .send(krs(&credential, &ask("sim:cut-before-head")))
            .await
            .is_err()
    );
}
