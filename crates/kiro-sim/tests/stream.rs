//! What a good reply looks like on the wire.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on may as well panic"
)]

mod support;

use std::time::Duration;

use kiro_protocol::Generation;
use kiro_sim::{Matcher, Script, Segmentation};
use serde_json::json;
use support::{Client, ask, krs, of_model, rest, simulator, start, target};

#[tokio::test]
async fn a_reply_of_the_newest_generation_has_the_captured_order_of_events() {
    let sim = simulator().await;
    let credential = sim.issue_social();
    let answer = Client::connect(&sim)
        .await
        .call(krs(&credential, &ask("What is a CRC?")))
        .await;

    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.headers["content-type"],
        "application/vnd.amazon.eventstream"
    );
    assert_eq!(answer.headers["transfer-encoding"], "chunked");
    assert_eq!(
        answer.headers["x-amzn-kiro-conversation-id"],
        "6f1f7a2e-4f0e-4a53-9a9b-0d6b1b0f2c11"
    );
    assert!(answer.headers.contains_key("x-amzn-requestid"));
    assert!(answer.is_whole);
    assert_eq!(
        answer.shape(),
        [
            "initial-response",
            "assistantResponseEvent",
            "metadataEvent",
            "contextUsageEvent",
            "meteringEvent"
        ]
    );
    assert!(answer.text().contains("What is a CRC?"));
    sim.shutdown().await;
}

#[tokio::test]
async fn each_generation_has_its_own_opening_and_end() {
    let sim = simulator().await;
    let credential = sim.issue_social();
    sim.script(Matcher::any(), Script::new().text("Hello"));
    let mut client = Client::connect(&sim).await;

    let first = client
        .call(rest(&credential, "/generateAssistantResponse", &ask("Hi")))
        .await;
    let second = "AmazonCodeWhispererStreamingService.GenerateAssistantResponse";
    let second = client.call(target(&credential, second, &ask("Hi"))).await;

    assert_eq!(
        first.shape(),
        [
            "messageMetadataEvent",
            "assistantResponseEvent",
            "contextUsageEvent",
            "meteringEvent"
        ]
    );
    assert!(
        first
            .headers
            .contains_key("x-amzn-codewhisperer-conversation-id")
    );
    assert_eq!(second.shape()[0], "initial-response");
    assert_eq!(
        second.payloads("metadataEvent"),
        [json!({"stopReason": "END_TURN"})]
    );
    assert_eq!(sim.connections().accepted, 1);
}

#[tokio::test]
async fn amazon_q_spells_generate_in_its_own_way() {
    let sim = simulator().await;
    let credential = sim.issue_social();
    let mut body = ask("Hi");
    body["conversationState"]["currentMessage"]["userInputMessage"]["origin"] = "CLI".into();
    let mut client = Client::connect(&sim).await;
    for name in [
        "AmazonCodeWhispererStreamingService.SendMessage",
        "AmazonQDeveloperStreamingService.SendMessage",
    ] {
        assert_eq!(
            client.call(target(&credential, name, &body)).await.status,
            200,
            "{name}"
        );
    }
    let answer = client
        .call(rest(&credential, "/SendMessageStreaming", &body))
        .await;
    assert_eq!(answer.status, 200);
}

/// The bytes were computed by another program: the tool-call sample of the protocol notes.
#[tokio::test]
async fn frames_are_those_of_the_sample_byte_for_byte() {
    let sample: Vec<u8> = include_str!("data/tool-call.eventstream.hex")
        .lines()
        .flat_map(|line| (0..line.len() / 2).map(|n| &line[2 * n..2 * n + 2]))
        .map(|digits| u8::from_str_radix(digits, 16).unwrap())
        .collect();
    let sim = simulator().await;
    let credential = sim.issue_social();
    let read_file = "tooluse_Qm3vT0n6S0y7l1k2p4r8wA";
    let list_dir = "tooluse_Zb9cX1m2N3v4B5n6M7l8kQ";
    let input =
        |piece: &str, name: &str, id: &str| json!({"input": piece, "name": name, "toolUseId": id});
    let start = |name: &str, id: &str| json!({"name": name, "toolUseId": id});
    let stop = |name: &str, id: &str| json!({"name": name, "stop": true, "toolUseId": id});
    let event = "toolUseEvent";
    let script = Script::new()
        .text("I will look at the manifest")
        .text(" and the folder — naïve first.")
        .event(event, start("read_file", read_file))
        .event(event, input("", "read_file", read_file))
        .event(event, input("{\"path\": \"Car", "read_file", read_file))
        .event(event, input("go.toml\"}", "read_file", read_file))
        .event(event, stop("read_file", read_file))
        .event(event, start("list_dir", list_dir))
        .event(
            event,
            input("{\"path\": \".\", \"depth\": 1}", "list_dir", list_dir),
        )
        .event(event, stop("list_dir", list_dir))
        .stop("TOOL_USE")
        .usage(SAMPLE_USAGE)
        .credits(SAMPLE_CREDITS);
    sim.script(Matcher::any(), script);
    let answer = Client::connect(&sim)
        .await
        .call(krs(&credential, &ask("Go")))
        .await;
    assert_eq!(answer.bytes(), sample);
}

const SAMPLE_USAGE: f64 = 4.217499733;
const SAMPLE_CREDITS: f64 = 0.03812934;

#[tokio::test]
async fn a_tool_use_streams_as_start_pieces_and_end() {
    let sim = simulator().await;
    let credential = sim.issue_social();
    let input = json!({"path": "Cargo.toml", "note": "naïve — always"});
    sim.script(
        Matcher::any(),
        Script::new().tool("read_file", input.clone()),
    );
    let answer = Client::connect(&sim)
        .await
        .call(krs(&credential, &ask("Go")))
        .await;

    let events = answer.payloads("toolUseEvent");
    assert!(events[0].get("input").is_none() && events[0].get("stop").is_none());
    assert_eq!(events.last().unwrap()["stop"], true);
    let joined: String = events
        .iter()
        .filter_map(|event| event["input"].as_str())
        .collect();
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&joined).unwrap(),
        input
    );
    let id = events[0]["toolUseId"].as_str().unwrap();
    assert!(id.starts_with("tooluse_") && id.len() == 30);
    assert!(
        events
            .iter()
            .all(|event| event["toolUseId"] == id && event["name"] == "read_file")
    );
    assert_eq!(
        answer.payloads("metadataEvent"),
        [json!({"stopReason": "TOOL_USE"})]
    );
}

#[tokio::test]
async fn what_the_script_gives_is_not_given_again() {
    let sim = simulator().await;
    let credential = sim.issue_social();
    let script = Script::new()
        .text("Hi")
        .credits(0.5)
        .usage(95.5)
        .stop("MAX_TOKENS");
    sim.script(Matcher::once(), script);
    sim.script(Matcher::once(), Script::new().text("Hi").no_stop());
    sim.script(Matcher::once(), Script::new().text("Hi").no_tail());
    let mut client = Client::connect(&sim).await;
    let mut shape = async || client.call(krs(&credential, &ask("Hi"))).await.shape();

    let start = ["initial-response", "assistantResponseEvent"];
    let end = ["meteringEvent", "contextUsageEvent", "metadataEvent"];
    assert_eq!(shape().await, [&start[..], &end[..]].concat());
    let end = ["contextUsageEvent", "meteringEvent"];
    assert_eq!(shape().await, [&start[..], &end[..]].concat());
    assert_eq!(shape().await, start);
}

#[tokio::test]
async fn the_percentage_follows_the_documented_rule() {
    let sim = simulator().await;
    let credential = sim.issue_social();
    sim.script(Matcher::any(), Script::new().text("y".repeat(400)));
    let body = ask(&"x".repeat(4_000));
    let mut client = Client::connect(&sim).await;

    let answer = client.call(krs(&credential, &body)).await;
    // 1 000 tokens in and 100 out, of 200 000.
    let usage = answer.payloads("contextUsageEvent");
    assert_eq!(
        usage[0]["contextUsagePercentage"],
        1_100.0 / 200_000.0 * 100.0
    );

    let answer = client
        .call(krs(&credential, &of_model(body, "qwen3-coder-next")))
        .await;
    let usage = answer.payloads("contextUsageEvent");
    assert_eq!(
        usage[0]["contextUsagePercentage"],
        1_100.0 / 256_000.0 * 100.0
    );
}

#[tokio::test]
async fn reasoning_is_given_in_deltas_and_signed_as_a_whole() {
    let sim = simulator().await;
    let credential = sim.issue_social();
    sim.script(
        Matcher::once(),
        Script::new().thinking("One, ").signed_reasoning("two."),
    );
    sim.script(Matcher::once(), Script::new().signed_reasoning("One, two."));
    let mut client = Client::connect(&sim).await;
    let first = client
        .call(krs(&credential, &ask("Count")))
        .await
        .payloads("reasoningContentEvent");
    let second = client
        .call(krs(&credential, &ask("Count")))
        .await
        .payloads("reasoningContentEvent");

    assert_eq!(first[0], json!({"text": "One, "}));
    assert_eq!(first[1], json!({"text": "two."}));
    assert_eq!(first[2], second[1]);
    assert!(first[2]["signature"].is_string());
}

#[tokio::test]
async fn any_segmentation_gives_the_same_bytes() {
    let mut replies = Vec::new();
    for segmentation in [
        Segmentation::AsWritten,
        Segmentation::Bytes(1),
        Segmentation::Bytes(97),
    ] {
        let sim = start(|options| options.segmentation = segmentation).await;
        let credential = sim.issue_social();
        sim.script(
            Matcher::any(),
            Script::new().text("Zwölf Boxkämpfer").tool("go", json!({})),
        );
        let answer = Client::connect(&sim)
            .await
            .call(krs(&credential, &ask("Hi")))
            .await;
        assert!(answer.is_whole);
        if let Segmentation::Bytes(size) = segmentation {
            let last = answer.chunks.len() - 1;
            assert!(
                answer.chunks[..last]
                    .iter()
                    .all(|chunk| chunk.len() == size)
            );
        }
        replies.push(answer.bytes());
    }
    assert_eq!(replies[0], replies[1]);
    assert_eq!(replies[0], replies[2]);
}

#[tokio::test]
async fn a_flood_has_as_many_events_as_it_says() {
    let sim = simulator().await;
    let credential = sim.issue_social();
    sim.script(Matcher::once(), Script::new().flood(1_003, 20, 10));
    sim.script(Matcher::once(), Script::new().flood(3, 5, 10));
    let mut client = Client::connect(&sim).await;
    for (n, bytes) in [(1_003, 20), (3, 5)] {
        let answer = client.call(krs(&credential, &ask("Hi"))).await;
        assert_eq!(answer.payloads("assistantResponseEvent").len(), n);
        assert_eq!(answer.text().len(), n * bytes);
    }
}

#[tokio::test(start_paused = true)]
async fn pauses_follow_the_clock_of_the_runtime() {
    let sim = simulator().await;
    let credential = sim.issue_social();
    let script = Script::new()
        .delay(Duration::from_secs(60))
        .text_slowly(&["a", "b"], Duration::from_secs(5))
        .silence(Duration::from_secs(30))
        .paced_flood(4, 1, 2, Duration::from_secs(1));
    sim.script(Matcher::any(), script);
    let begun = tokio::time::Instant::now();
    let answer = Client::connect(&sim)
        .await
        .call(krs(&credential, &ask("Hi")))
        .await;
    assert_eq!(answer.text(), "abxxxx");
    let seconds = begun.elapsed().as_secs();
    assert!((102..110).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn scripts_are_taken_in_the_order_of_adding_and_as_often_as_they_may() {
    let sim = simulator().await;
    let credential = sim.issue_social();
    sim.script(
        Matcher::any().text_contains("rust").times(1),
        Script::new().text("once"),
    );
    sim.script(
        Matcher::any().text_contains("rust").nth(3),
        Script::new().text("third"),
    );
    sim.script(
        Matcher::any().model("claude-haiku-4.5"),
        Script::new().text("haiku"),
    );
    sim.script(
        Matcher::any().has_tool_results(),
        Script::new().text("never"),
    );
    sim.script(
        Matcher::any().when(|turn| turn.text.len() == 3),
        Script::new().text("short"),
    );
    sim.script(
        Matcher::any().agent_mode("vibe"),
        Script::new().text("rest"),
    );
    let mut client = Client::connect(&sim).await;
    let mut said = Vec::new();
    for body in [
        ask("rust 1"),
        ask("rust 2"),
        ask("rust 3"),
        of_model(ask("rust 4"), "claude-haiku-4.5"),
        ask("abc"),
    ] {
        said.push(client.call(krs(&credential, &body)).await.text());
    }
    assert_eq!(said, ["once", "rest", "third", "haiku", "short"]);
}

#[tokio::test]
async fn a_script_can_be_meant_for_one_account_or_one_generation() {
    let sim = simulator().await;
    let (one, two) = (sim.issue_social(), sim.issue_social());
    sim.script(
        Matcher::any().account(one.account),
        Script::new().text("one"),
    );
    sim.script(
        Matcher::any().generation(Generation::Rest),
        Script::new().text("rest"),
    );
    sim.script(Matcher::any(), Script::new().text("else"));
    let mut client = Client::connect(&sim).await;
    let mut said = Vec::new();
    for request in [
        rest(&one, "/generateAssistantResponse", &ask("Hi")),
        rest(&two, "/generateAssistantResponse", &ask("Hi")),
        krs(&two, &ask("Hi")),
    ] {
        said.push(client.call(request).await.text());
    }
    assert_eq!(said, ["one", "rest", "else"]);
    assert_eq!(sim.state().generate_calls, 3);
}
