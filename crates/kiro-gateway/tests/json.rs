//! `response_format`: what asks for JSON gets JSON, or an error.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use http_body_util::BodyExt as _;
use kiro_sim::{Matcher, Operation, Script, SimOptions};
use serde_json::{Value, json};
use support::{House, streamed, told, whole, with};

/// A request for any object.
fn object(request: Value) -> Value {
    with(request, json!({"response_format": {"type": "json_object"}}))
}

/// A request for a person with a name and an age.
fn person(request: Value) -> Value {
    let schema = json!({
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name", "age"],
        "additionalProperties": false,
    });
    let format =
        json!({"name": "person", "description": "Who it is.", "schema": schema, "strict": true});
    let format = json!({"type": "json_schema", "json_schema": format});
    with(request, json!({"response_format": format}))
}

/// A house whose service says these things one after the other, each in a few pieces.
async fn saying(answers: &[&str]) -> House {
    let house = House::start().await;
    script(&house, answers);
    house
}

fn script(house: &House, answers: &[&str]) {
    for answer in answers {
        let pieces = answer.split_inclusive(' ');
        let script = pieces.fold(Script::new(), |script, piece| script.text(piece));
        house.sim.script(Matcher::once(), script);
    }
}

/// How often the service was asked.
fn n_asked(house: &House) -> usize {
    house.sim.requests_for(Operation::Generate).len()
}

fn lenient(options: &mut kiro_gateway::GatewayOptions) {
    options.pass_invalid_json = true;
}

const ANN: &str = r#"{"name": "Ann", "age": 7}"#;

#[tokio::test]
async fn a_fence_around_the_answer_is_taken_off() {
    for request in [streamed("x"), whole("x")] {
        let house = saying(&[&format!("```json\n{ANN}\n```")]).await;
        let answer = house.chat(&person(request)).await;
        assert_eq!(told(&answer), (ANN.to_owned(), "stop".to_owned()));
        assert_eq!(answer.header("x-gateway-ignored"), None);
        assert_eq!(answer.header("x-gateway-warning"), None);
        assert_eq!(n_asked(&house), 1);
    }
}

#[tokio::test]
async fn the_model_is_told_what_to_write_and_then_what_is_wrong() {
    for request in [streamed("Who?"), whole("Who?")] {
        let house = saying(&["It is Ann, and she is 7.", ANN]).await;
        let answer = house.chat(&person(request)).await;
        assert_eq!(told(&answer), (ANN.to_owned(), "stop".to_owned()));

        let sent = house.sim.requests_for(Operation::Generate);
        let first = sent[0].json()["conversationState"].clone();
        let message = |message: &Value| message["userInputMessage"]["content"].clone();
        let told = message(&first["currentMessage"]);
        let told = told.as_str().unwrap();
        assert!(
            told.starts_with("Who?\n\n<system>\nAnswer with JSON alone"),
            "{told}"
        );
        assert!(told.contains("\"person\" (Who it is.):\n{\""), "{told}");
        let second = sent[1].json()["conversationState"].clone();
        let history = second["history"].as_array().unwrap();
        assert_eq!(message(&history[history.len() - 2]), told);
        let wrong = &history[history.len() - 1]["assistantResponseMessage"]["content"];
        assert_eq!(wrong, "It is Ann, and she is 7.");
        let told = message(&second["currentMessage"]);
        let told = told.as_str().unwrap();
        let reason =
            "The answer was refused: it is not JSON alone (expected value at line 1 column 1).";
        assert!(told.contains(reason), "{told}");
        assert_eq!(house.sim.cancelled_streams(), 0);
    }
}

#[tokio::test]
async fn an_answer_that_does_not_fit_its_schema_is_repaired() {
    let house = saying(&[r#"{"name": "Ann", "age": "seven"}"#, ANN]).await;
    let answer = house.chat(&person(whole("x"))).await;
    assert_eq!(told(&answer), (ANN.to_owned(), "stop".to_owned()));
    let sent = house.sim.requests_for(Operation::Generate);
    assert!(sent[1].json().to_string().contains("is not of type"));
}

#[tokio::test]
async fn after_the_second_wrong_answer_there_is_an_error() {
    for request in [streamed("x"), whole("x")] {
        let house = saying(&["No.", "No JSON today."]).await;
        let answer = house.chat(&object(request)).await;
        assert_eq!(answer.status, 502);
        assert_eq!(answer.header("x-should-retry"), Some("false"));
        assert_eq!(
            answer.json()["error"],
            json!({
                "message": "The model output did not satisfy response_format after 2 attempts: it is not JSON alone (expected value at line 1 column 1).",
                "type": "server_error",
                "param": "response_format",
                "code": "structured_output_failed",
            })
        );
        assert_eq!(n_asked(&house), 2);
    }
}

#[tokio::test]
async fn a_lenient_gateway_passes_on_what_the_model_wrote() {
    let wrong = "Here it is:\n```json\n{}\n```";
    for request in [streamed("x"), whole("x")] {
        let house = House::with(SimOptions::default(), lenient).await;
        script(&house, &["No.", wrong]);
        let answer = house.chat(&object(request)).await;
        assert_eq!(told(&answer), (wrong.to_owned(), "stop".to_owned()));
        let warning = answer.header("x-gateway-warning");
        assert_eq!(warning, Some("response_format_unsatisfied"));
    }
    // With its fence, too.
    let wrong = "```json\n{\"age\": 7}\n```";
    let house = House::with(SimOptions::default(), lenient).await;
    script(&house, &["No.", wrong]);
    let answer = house.chat(&person(whole("x"))).await;
    assert_eq!(told(&answer), (wrong.to_owned(), "stop".to_owned()));
}

#[tokio::test]
async fn the_first_answer_is_judged_when_the_second_fails() {
    for is_lenient in [true, false] {
        let change = |options: &mut kiro_gateway::GatewayOptions| {
            options.pass_invalid_json = is_lenient;
        };
        let house = House::with(SimOptions::default(), change).await;
        script(&house, &["No."]);
        let fails =
            Script::new().http_error(400, json!({"message": "Improperly formed request."}), None);
        house.sim.script(Matcher::any(), fails);
        let answer = house.chat(&object(whole("x"))).await;
        match is_lenient {
            true => assert_eq!(told(&answer).0, "No."),
            false => assert_eq!(answer.json()["error"]["code"], "structured_output_failed"),
        }
    }
}

#[tokio::test]
async fn json_is_streamed_while_it_comes_in() {
    let house = House::start().await;
    house.sim.script(
        Matcher::any(),
        Script::new()
            .text("```json\n")
            .text("{\"name\": ")
            .text("\"Ann\"")
            .hang(),
    );
    let mut body = house.open_chat(&person(streamed("x"))).await.into_body();
    let mut seen = String::new();
    while !seen.contains("Ann") {
        let frame = tokio::time::timeout(support::SOON, body.frame()).await;
        let frame = frame.unwrap().unwrap().unwrap();
        seen.push_str(&String::from_utf8_lossy(frame.data_ref().unwrap()));
    }
    assert!(!seen.contains("```"), "{seen}");
}

#[tokio::test]
async fn a_stream_that_turns_out_wrong_ends_in_an_error_and_not_in_a_second_answer() {
    for (wrong, passed) in [
        (r#"{"name": "Ann"}"#, r#"{"name": "Ann"}"#),
        ("```json\n{\"name\": 1}\n``` Sorry.", r#"{"name": 1}"#),
    ] {
        let house = saying(&[wrong]).await;
        let answer = house.chat(&person(streamed("x"))).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.finish_reasons(), Vec::<String>::new());
        assert_eq!(answer.streamed_text(), passed);
        let chunks = answer.chunks();
        let error = &chunks.last().unwrap()["error"];
        assert_eq!(error["code"], "structured_output_failed");
        let message = error["message"].as_str().unwrap();
        assert!(
            message.starts_with("The model output did not satisfy response_format: "),
            "{message}"
        );
        assert_eq!(n_asked(&house), 1);
    }
    let house = House::with(SimOptions::default(), lenient).await;
    script(&house, &["{\"a\": 1} Done."]);
    let answer = house.chat(&person(streamed("x"))).await;
    assert_eq!(
        told(&answer),
        ("{\"a\": 1} Done.".to_owned(), "stop".to_owned())
    );
}

#[tokio::test]
async fn the_format_is_that_of_an_answer_and_not_of_what_leads_to_a_tool() {
    let tools = json!({"tools": [{"type": "function", "function": {"name": "find"}}]});
    for request in [streamed("x"), whole("x")] {
        let house = House::start().await;
        let script = Script::new().text("I look.").tool("find", json!({}));
        house.sim.script(Matcher::any(), script);
        let answer = house.chat(&with(object(request), tools.clone())).await;
        assert_eq!(
            told(&answer),
            ("I look.".to_owned(), "tool_calls".to_owned())
        );
        assert_eq!(n_asked(&house), 1);
    }
}

#[tokio::test]
async fn an_answer_that_was_cut_is_not_judged() {
    for request in [streamed("x"), whole("x")] {
        for (members, reason, text) in [
            (json!({"max_tokens": 2}), "length", r#"{"name"#),
            (json!({"stop": "Ann"}), "stop", r#"{"name": ""#),
        ] {
            let house = saying(&[&format!("```json\n{ANN}\n```")]).await;
            let request = with(person(request.clone()), members);
            let answer = house.chat(&request).await;
            let (said, why) = told(&answer);
            assert_eq!((said.trim_end(), &*why), (text, reason));
            assert_eq!(n_asked(&house), 1);
        }
    }
}

#[tokio::test]
async fn the_simulator_obeys() {
    let house = House::start().await;
    for request in [
        streamed("Where is Ann today?"),
        whole("Where is Ann today?"),
    ] {
        let answer = house.chat(&person(request)).await;
        let told: Value = serde_json::from_str(&told(&answer).0).unwrap();
        assert_eq!(told, json!({"name": "Ann", "age": 1}));
    }
    let answer = house.chat(&object(whole("Hello"))).await;
    assert_eq!(told(&answer).0, r#"{"answer":"You asked: \"Hello\"."}"#);
    let echo = "sim:echo {\"name\": \"Bob\", \"age\": 1}";
    assert_eq!(
        told(&house.chat(&person(whole(echo))).await).0,
        r#"{"name": "Bob", "age": 1}"#
    );
    assert_eq!(n_asked(&house), 4);
}
