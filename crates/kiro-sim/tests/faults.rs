//! Everything that goes wrong on purpose, as a client sees it.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on may as well panic"
)]

mod support;

use std::time::Duration;

use kiro_sim::{
    Ended, IssuedCredential, Matcher, Operation, Playback, PlaybackEnd, Script, Simulator,
};
use serde_json::json;
use support::{Answer, Client, DEADLINE, ask, krs, simulator};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

async fn reply_to(script: Script) -> Answer {
    let sim = simulator().await;
    let credential = sim.issue_social();
    sim.script(Matcher::any(), script);
    Client::connect(&sim)
        .await
        .call(krs(&credential, &ask("Hi")))
        .await
}

/// A request as bytes, for tests that watch the socket.
fn raw(credential: &IssuedCredential) -> String {
    let body = ask("Hi").to_string();
    format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-amz-json-1.0\r\n\
         x-amz-target: KiroRuntimeService.GenerateAssistantResponse\r\n\
         authorization: Bearer {}\r\ncontent-length: {}\r\n\r\n{body}",
        credential.access_token,
        body.len()
    )
}

/// Sends a request and reads until the connection ends: what came, and whether it ended without a reset.
async fn read_all(sim: &Simulator, credential: &IssuedCredential) -> (Vec<u8>, bool) {
    let mut stream = TcpStream::connect(sim.address()).await.unwrap();
    stream.write_all(raw(credential).as_bytes()).await.unwrap();
    let mut received = Vec::new();
    let ended = timeout(DEADLINE, stream.read_to_end(&mut received))
        .await
        .unwrap();
    (received, ended.is_ok())
}

#[tokio::test]
async fn an_exception_frame_is_the_last_frame() {
    let payload = json!({"message": "Too many requests.", "reason": "USER_REQUEST_RATE_EXCEEDED"});
    let script = Script::new()
        .text("half")
        .fault_frame("throttlingError", payload.clone())
        .text("never");
    let answer = reply_to(script).await;
    assert!(answer.is_whole);
    assert_eq!(
        answer.events().last().unwrap(),
        &("throttlingError".to_owned(), payload)
    );
    assert_eq!(answer.text(), "half");
}

#[tokio::test]
async fn an_error_frame_has_its_code_in_a_header() {
    let answer = reply_to(
        Script::new()
            .text("half")
            .error_frame("500", "out of order"),
    )
    .await;
    assert_eq!(
        answer.shape(),
        ["initial-response", "assistantResponseEvent", "500"]
    );
}

#[tokio::test]
async fn a_cut_comes_after_the_bytes_before_it_and_without_the_end_of_the_body() {
    let answer = reply_to(Script::new().text("half").cut()).await;
    assert_eq!(answer.text(), "half");
    assert!(!answer.is_whole);
}

#[tokio::test]
async fn a_cut_closes_the_connection_in_an_orderly_way() {
    let sim = simulator().await;
    let credential = sim.issue_social();
    sim.script(Matcher::any(), Script::new().text("half").cut());
    let (received, is_orderly) = read_all(&sim, &credential).await;
    assert!(is_orderly);
    assert!(received.windows(4).any(|window| window == b"half"));
    assert!(!received.ends_with(b"0\r\n\r\n"));
    let state = sim
        .wait_until(|state| state.broken_streams == 1, DEADLINE)
        .await
        .unwrap();
    assert_eq!((state.open_streams, state.cancelled_streams), (0, 0));
    assert_eq!(sim.requests()[0].ended, Some(Ended::Broken));
}

#[tokio::test]
async fn a_reset_is_a_reset() {
    let sim = simulator().await;
    let credential = sim.issue_social();
    sim.script(
        Matcher::any(),
        Script::new()
            .text("half")
            .silence(Duration::from_millis(20))
            .reset(),
    );
    let (_, is_orderly) = read_all(&sim, &credential).await;
    assert!(!is_orderly);
}

#[tokio::test]
async fn a_reply_can_end_at_a_byte() {
    let whole = reply_to(Script::new().text("one").text("two"))
        .await
        .bytes();
    for n in [0, 1, 133, 200] {
        let cut = reply_to(Script::new().text("one").text("two").cut_at(n)).await;
        assert_eq!((cut.bytes(), cut.is_whole), (whole[..n].to_vec(), false));
        let script = Script::new().text("one").text("two").reset_at(n);
        assert!(!reply_to(script).await.is_whole);
    }
}

#[tokio::test]
async fn a_frame_can_be_cut_with_the_connection_or_with_the_body() {
    let cut = reply_to(Script::new().text("one").cut_inside_frame()).await;
    assert_eq!((cut.sound_frames(), cut.is_whole), ((2, true), false));
    let ended = reply_to(Script::new().text("one").end_inside_frame()).await;
    assert_eq!((ended.sound_frames(), ended.is_whole), ((2, true), true));
}

#[tokio::test]
async fn damaged_frames_are_refused_by_a_decoder_and_nothing_before_them_is() {
    for script in [
        Script::new().text("one").bad_message_crc().text("two"),
        Script::new().text("one").bad_prelude_crc().text("two"),
        Script::new().text("one").lying_length().text("two"),
        Script::new()
            .text("one")
            .oversize_length(0xffff_ffff)
            .text("two"),
        Script::new()
            .text("one")
            .raw_bytes(*b"no frame at all, and more than a prelude"),
    ] {
        let shown = format!("{script:?}");
        assert_eq!(reply_to(script).await.sound_frames(), (2, true), "{shown}");
    }
}

#[tokio::test]
async fn only_the_named_checksum_is_wrong() {
    let crc = |bytes: &[u8]| crc32fast::hash(bytes).to_be_bytes();
    let last_frame = async |script: Script| {
        let answer = reply_to(script.no_tail()).await;
        answer.chunks.last().unwrap().clone()
    };
    let message = last_frame(Script::new().bad_message_crc()).await;
    assert_eq!(message[8..12], crc(&message[..8]));
    assert_ne!(
        message[message.len() - 4..],
        crc(&message[..message.len() - 4])
    );

    let prelude = last_frame(Script::new().bad_prelude_crc()).await;
    assert_ne!(prelude[8..12], crc(&prelude[..8]));

    let lying = last_frame(Script::new().lying_length()).await;
    assert_eq!(lying[..4], 10_000_000_u32.to_be_bytes());
    assert_ne!(lying[8..12], crc(&lying[..8]));

    let oversize = last_frame(Script::new().oversize_length(1 << 30)).await;
    assert_eq!(oversize[..4], (1_u32 << 30).to_be_bytes());
    assert_eq!(oversize[8..12], crc(&oversize[..8]));
}

#[tokio::test]
async fn a_200_need_not_be_a_stream() {
    let html = reply_to(Script::new().html_200()).await;
    assert_eq!(
        (html.status.as_u16(), &html.headers["content-type"]),
        (200, &"text/html".parse().unwrap())
    );
    let empty = reply_to(Script::new().empty()).await;
    assert_eq!((empty.status.as_u16(), empty.bytes().len()), (200, 0));
    let silent = reply_to(Script::new()).await;
    assert_eq!(
        silent.shape(),
        [
            "initial-response",
            "metadataEvent",
            "contextUsageEvent",
            "meteringEvent"
        ]
    );
}

#[tokio::test]
async fn an_http_error_is_as_scripted() {
    let body = json!({"message": "Slow down.", "reason": "USER_REQUEST_RATE_EXCEEDED"});
    let after = Duration::from_millis(1_500);
    let answer = reply_to(Script::new().http_error(429, body.clone(), Some(after))).await;
    assert_eq!(answer.status, 429);
    assert_eq!(answer.headers["retry-after"], "2");
    assert_eq!(answer.json(), body);

    let answer = reply_to(Script::new().http_error(403, json!("<html>blocked</html>"), None)).await;
    assert_eq!(answer.headers["content-type"], "text/html");
}

#[tokio::test]
async fn the_connection_can_end_before_the_head() {
    let sim = simulator().await;
    let credential = sim.issue_social();
    sim.script(Matcher::any(), Script::new().cut_before_head());
    assert!(
        Client::connect(&sim)
            .await
            .send(krs(&credential, &ask("Hi")))
            .await
            .is_err()
    );
    assert_eq!(sim.state().broken_streams, 1);
}

#[tokio::test]
async fn a_tool_use_can_lack_its_end() {
    let answer = reply_to(Script::new().tool_without_stop("write", &["{\"a\":", " \"b"])).await;
    let events = answer.payloads("toolUseEvent");
    assert_eq!(events.len(), 3);
    assert!(events.iter().all(|event| event.get("stop").is_none()));
}

#[tokio::test]
async fn an_unknown_event_is_a_sound_frame() {
    let answer = reply_to(Script::new().text("a").unknown_event().text("b")).await;
    assert_eq!(answer.text(), "ab");
    assert_eq!(answer.payloads("somethingNewEvent").len(), 1);
}

#[tokio::test]
async fn a_hanging_reply_is_cancelled_when_the_client_leaves() {
    for script in [
        Script::new().hang_before_head(),
        Script::new().hang(),
        Script::new().text("half").hang(),
        Script::new().silence(Duration::from_secs(3600)),
    ] {
        let sim = simulator().await;
        let credential = sim.issue_social();
        sim.script(Matcher::any(), script);
        let mut stream = TcpStream::connect(sim.address()).await.unwrap();
        stream.write_all(raw(&credential).as_bytes()).await.unwrap();
        sim.wait_until(|state| state.open_streams == 1, DEADLINE)
            .await
            .unwrap();
        drop(stream);
        let state = sim
            .wait_until(|state| state.cancelled_streams == 1, DEADLINE)
            .await
            .unwrap();
        assert_eq!(state.open_streams, 0);
        assert_eq!(sim.requests()[0].ended, Some(Ended::Cancelled));
    }
}

#[tokio::test]
async fn a_flood_is_cancelled_when_the_client_leaves() {
    let sim = simulator().await;
    let credential = sim.issue_social();
    sim.script(Matcher::any(), Script::new().flood(100_000_000, 50, 10));
    let mut client = Client::connect(&sim).await;
    let response = client.send(krs(&credential, &ask("Hi"))).await.unwrap();
    drop((response, client));
    sim.wait_until(|state| state.cancelled_streams == 1, DEADLINE)
        .await
        .unwrap();
}

/// An answer of old is given to one call, whoever asks, before anything is checked.
#[tokio::test]
async fn what_was_once_answered_is_answered_again() {
    let sim = simulator().await;
    let mut refusal = Playback::new(418);
    refusal.headers = vec![
        ("x-amzn-errortype".into(), "TeapotException".into()),
        ("content-length".into(), "1000000".into()),
    ];
    refusal.pieces = vec![(Duration::ZERO, "{\"message\":\"old\"}".into())];
    sim.play_back(Operation::Generate, refusal);
    let mut reply = Playback::new(200);
    reply.pieces = vec![
        (Duration::ZERO, "half a".into()),
        (Duration::from_millis(30), " frame".into()),
    ];
    reply.end = PlaybackEnd::Cut;
    sim.play_back(Operation::Generate, reply);
    let mut silent = Playback::new(None);
    silent.end = PlaybackEnd::Cut;
    sim.play_back(Operation::Generate, silent);

    let mut credential = sim.issue_social();
    sim.revoke(credential.account);
    let mut client = Client::connect(&sim).await;
    let answer = client.call(krs(&credential, &ask("Hi"))).await;
    assert_eq!(answer.status, 418);
    assert_eq!(answer.headers["x-amzn-errortype"], "TeapotException");
    assert_eq!(answer.bytes(), b"{\"message\":\"old\"}");
    let (received, _) = read_all(&sim, &credential).await;
    let received = String::from_utf8(received).unwrap();
    assert!(
        received.contains("\r\n6\r\nhalf a\r\n6\r\n frame\r\n"),
        "{received}"
    );
    assert!(!received.ends_with("0\r\n\r\n"), "{received}");
    assert!(read_all(&sim, &credential).await.0.is_empty());

    credential = sim.issue_social();
    let mut client = Client::connect(&sim).await;
    let answer = client.call(krs(&credential, &ask("Hi"))).await;
    assert_eq!(answer.status, 200, "then it answers as always");
}
