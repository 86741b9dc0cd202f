//! What a good reply looks like on the wire.

mod support;

use kiro_sim::{Matcher, Script, SimOptions, Simulator};
use serde_json::json;
use support::{Client, ask, krs, rest, target};

#[tokio::test]
async fn a_reply_of_the_newest_generation_has_the_captured_order_of_events() {
    let sim = Simulator::start(SimOptions::default()).await.unwrap();
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
    let sim = Simulator::start(SimOptions::default()).await.unwrap();
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
    assert_eq!(second.shape()[0], "initial-response");
    assert_eq!(
        second.payloads("metadataEvent"),
        [json!({"stopReason": "END_TURN"})]
    );
    assert_eq!(sim.connections().accepted, 1);
}
