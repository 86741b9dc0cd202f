//! What the upstream cannot do is done here: it is cut off where the request wants the answer to end, and
//! asked again when a tool must be called.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::time::{Duration, Instant};

use kiro_sim::{Matcher, Operation, Script, SimOptions};
use serde_json::{Value, json};
use support::{House, streamed, told, whole, with};

/// How soon the upstream must see that nothing more is wanted.
const PROMPTLY: Duration = Duration::from_millis(100);

fn tool(name: &str) -> Value {
    json!({"type": "function", "function": {
        "name": name,
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    }})
}

/// Asks in both ways an upstream that would never end, and returns what is told.
async fn cut_off(members: Value, script: Script) -> (String, String) {
    let house = House::start().await;
    house.sim.script(Matcher::any(), script.hang());
    let mut all_told = Vec::new();
    for (n, request) in [streamed("x"), whole("x")].into_iter().enumerate() {
        let answer = house.chat(&with(request, members.clone())).await;
        let told_at = Instant::now();
        house
            .sim
            .wait_until(
                |state| state.cancelled_streams == n as u64 + 1,
                support::SOON,
            )
            .await
            .unwrap();
        // A generous multiple, because the machine may be busy; a time-out of ours would be seconds.
        let late = told_at.elapsed();
        assert!(late < PROMPTLY * 10, "{late:?}");
        assert_eq!(answer.header("x-gateway-ignored"), None);
        all_told.push(told(&answer));
    }
    assert_eq!(all_told[0], all_told[1]);
    all_told.remove(0)
}

#[tokio::test]
async fn a_stop_sequence_ends_the_answer_and_closes_the_upstream() {
    let script = Script::new().text("Forty ST").text("OP two");
    let (text, reason) = cut_off(json!({"stop": ["STOP"]}), script).await;
    assert_eq!((&*text, &*reason), ("Forty ", "stop"));
}

#[tokio::test]
async fn the_token_limit_ends_the_answer_and_closes_the_upstream() {
    let script = Script::new().text("One two ").text("three four");
    let (text, reason) = cut_off(json!({"max_tokens": 3}), script).await;
    assert_eq!((&*text, &*reason), ("One two thre", "length"));
}

#[tokio::test]
async fn the_only_call_ends_the_answer_and_closes_the_upstream() {
    let script = Script::new()
        .tool("get_weather", json!({"city": "Paris"}))
        .text("and");
    let members = json!({"tools": [tool("get_weather")], "parallel_tool_calls": false});
    let (text, reason) = cut_off(members, script).await;
    assert_eq!((&*text, &*reason), ("", "tool_calls"));
}

#[tokio::test]
async fn an_answer_that_was_cut_off_proves_the_credential_as_a_whole_one_does() {
    let house = House::start().await;
    let script = Script::new().text("a STOP b").hang();
    house.sim.script(Matcher::any(), script);
    // A token that was never proven and is refused again and again is not replaced for ever.
    for _ in 0..5 {
        let answer = house.chat(&with(whole("x"), json!({"stop": "STOP"}))).await;
        assert_eq!(told(&answer), ("a ".to_owned(), "stop".to_owned()));
        house.sim.expire_access_tokens();
    }
}

fn forced(request: Value) -> Value {
    with(
        request,
        json!({"tools": [tool("get_weather"), tool("other")], "tool_choice": "required"}),
    )
}

/// The current message of each request.
fn asked(house: &House) -> Vec<String> {
    let sent = house.sim.requests_for(Operation::Generate);
    let current = |body: Value| {
        let message = &body["conversationState"]["currentMessage"];
        let content = &message["userInputMessage"]["content"];
        content.as_str().unwrap().to_owned()
    };
    sent.iter().map(|sent| current(sent.json())).collect()
}

#[tokio::test]
async fn a_forced_tool_that_is_called_at_once_is_not_asked_for_twice() {
    for request in [streamed("Paris?"), whole("Paris?")] {
        let house = House::start().await;
        house.sim.script(
            Matcher::any(),
            Script::new()
                .text("I look.")
                .tool("get_weather", json!({"city": "Paris"})),
        );
        let answer = house.chat(&forced(request)).await;
        assert_eq!(
            told(&answer),
            ("I look.".to_owned(), "tool_calls".to_owned())
        );
        assert_eq!(answer.header("x-gateway-warning"), None);
        assert_eq!(answer.header("x-gateway-ignored"), None);
        let asked = asked(&house);
        assert_eq!(asked.len(), 1);
        assert!(asked[0].starts_with("Paris?"), "{asked:?}");
        assert!(asked[0].contains("Answer with a tool call"), "{asked:?}");
    }
}

#[tokio::test]
async fn an_answer_without_the_forced_call_is_not_seen_and_asked_for_again() {
    for request in [streamed("Paris?"), whole("Paris?")] {
        let house = House::start().await;
        house
            .sim
            .script(Matcher::once(), Script::new().text("It is sunny."));
        house.sim.script(
            Matcher::any(),
            Script::new().tool("get_weather", json!({"city": "Paris"})),
        );
        let answer = house.chat(&forced(request)).await;
        assert_eq!(told(&answer), (String::new(), "tool_calls".to_owned()));
        assert_eq!(answer.header("x-gateway-warning"), None);
        let asked = asked(&house);
        assert_eq!(asked.len(), 2);
        assert!(asked[1].starts_with(&asked[0]), "{asked:?}");
        assert!(asked[1].contains("was refused"), "{asked:?}");
        // Both answers were read to their end, so the second came on the same connection.
        assert_eq!(house.sim.cancelled_streams(), 0);
    }
}

#[tokio::test]
async fn a_call_of_a_tool_that_was_not_named_is_no_answer() {
    let house = House::start().await;
    let other = Script::new().tool("get_weather", json!({}));
    house.sim.script(Matcher::once(), other);
    let named = Script::new().tool("other", json!({}));
    house.sim.script(Matcher::any(), named);
    let named = json!({"tool_choice": {"type": "function", "function": {"name": "other"}}});
    let answer = house.chat(&with(forced(whole("x")), named)).await;
    let calls = &answer.json()["choices"][0]["message"]["tool_calls"];
    assert_eq!(calls.as_array().unwrap().len(), 1);
    assert_eq!(calls[0]["function"]["name"], "other");
}

#[tokio::test]
async fn after_the_second_answer_without_a_call_it_is_passed_on_with_a_warning() {
    for request in [streamed("x"), whole("x")] {
        let house = House::start().await;
        house.sim.script(Matcher::once(), Script::new().text("No."));
        house.sim.script(Matcher::any(), Script::new().text("No!"));
        let answer = house.chat(&forced(request)).await;
        assert_eq!(told(&answer), ("No!".to_owned(), "stop".to_owned()));
        let warning = answer.header("x-gateway-warning");
        assert_eq!(warning, Some("tool_choice_unsatisfied"));
        assert_eq!(asked(&house).len(), 2);
    }
}

#[tokio::test]
async fn the_first_answer_is_passed_on_when_the_second_fails() {
    let house = House::start().await;
    house.sim.script(Matcher::once(), Script::new().text("No."));
    house.sim.script(
        Matcher::any(),
        Script::new().http_error(400, json!({"message": "Improperly formed request."}), None),
    );
    let answer = house.chat(&forced(whole("x"))).await;
    assert_eq!(told(&answer), ("No.".to_owned(), "stop".to_owned()));
    let warning = answer.header("x-gateway-warning");
    assert_eq!(warning, Some("tool_choice_unsatisfied"));
}

#[tokio::test]
async fn an_answer_that_was_cut_is_not_asked_for_again() {
    let house = House::start().await;
    house
        .sim
        .script(Matcher::any(), Script::new().text("Well, let me see"));
    let answer = house
        .chat(&with(forced(whole("x")), json!({"max_tokens": 1})))
        .await;
    assert_eq!(told(&answer), ("Well".to_owned(), "length".to_owned()));
    assert_eq!(asked(&house).len(), 1);
}

#[tokio::test]
async fn the_text_of_a_forced_answer_waits_for_the_call_and_the_rest_does_not() {
    let house = House::start().await;
    house.sim.script(
        Matcher::any(),
        Script::new()
            .text("I look.")
            .tool("get_weather", json!({"city": "Paris"}))
            .hang(),
    );
    // The head itself comes with the call; the upstream never ends.
    let response = house.open_chat(&forced(streamed("x"))).await;
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn while_the_call_is_waited_for_keep_alives_flow_and_silence_has_its_limit() {
    let impatient = |options: &mut kiro_gateway::GatewayOptions| {
        options.timeouts.patience = Duration::from_millis(50);
        options.timeouts.keep_alive = Duration::from_millis(50);
        options.timeouts.gap = Duration::from_millis(500);
    };
    let house = House::with(SimOptions::default(), impatient).await;
    let slowly = Script::new().text_slowly(&["No", ", ", "no", "!"], Duration::from_millis(100));
    house.sim.script(Matcher::once(), slowly);
    let script = Script::new().tool("get_weather", json!({}));
    house.sim.script(Matcher::once(), script);
    house
        .sim
        .script(Matcher::any(), Script::new().text("No").hang());

    let answer = house.chat(&forced(streamed("x"))).await;
    assert_eq!(told(&answer), (String::new(), "tool_calls".to_owned()));
    let chunks = answer.chunks();
    assert_eq!(chunks[0]["choices"][0]["delta"], json!({}), "{chunks:?}");

    let answer = house.chat(&forced(whole("x"))).await;
    assert_eq!(answer.status, 504);
    assert_eq!(answer.json()["error"]["code"], "upstream_timeout");
}

async fn strict_house() -> House {
    House::with(SimOptions::default(), |options| {
        options.refuse_ignored = true
    })
    .await
}

#[tokio::test]
async fn a_strict_gateway_refuses_what_would_be_ignored() {
    let house = strict_house().await;
    let request = with(whole("x"), json!({"temperature": 0, "seed": 1}));
    let answer = house.chat(&request).await;
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.json()["error"],
        json!({
            "message": "Unsupported parameter: 'temperature', 'seed' would have no effect here, and this gateway is set to refuse such requests.",
            "type": "invalid_request_error",
            "param": "temperature",
            "code": "unsupported_parameter",
        })
    );
    assert_eq!(house.sim.requests_for(Operation::Generate).len(), 0);
    let honored = json!({"temperature": 1, "stop": "x", "max_tokens": 9, "user": "me"});
    assert_eq!(house.chat(&with(whole("y"), honored)).await.status, 200);
}

#[tokio::test]
async fn a_strict_gateway_has_no_answer_without_the_forced_call() {
    for request in [streamed("x"), whole("x")] {
        let house = strict_house().await;
        house.sim.script(Matcher::any(), Script::new().text("No."));
        let answer = house.chat(&forced(request)).await;
        assert_eq!(answer.status, 502);
        assert_eq!(answer.header("x-should-retry"), Some("false"));
        let error = &answer.json()["error"];
        assert_eq!(error["code"], "tool_choice_unsatisfied");
        assert_eq!(error["param"], "tool_choice");
    }
}
