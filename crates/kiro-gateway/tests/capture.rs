//! What is captured of an exchange: all of it, within bounds, and none of its secrets.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use kiro_gateway::capture::{Bundle, CaptureOptions, Content, Ended, Piece, Recorded, Which};
use kiro_protocol::Generation;
use kiro_protocol::reply::{ReplyDecoder, ReplyEvent};
use kiro_sim::{CredentialKind, Matcher, Script, SimOptions};
use serde_json::json;
use support::{House, KEY, SOON, streamed, whole, with};

/// What a gateway has captured.
struct Captures(Mutex<Receiver<Recorded>>);

impl Captures {
    async fn next(&self) -> Bundle {
        let end = tokio::time::Instant::now() + SOON;
        loop {
            if let Some(bundle) = self.now() {
                return bundle;
            }
            assert!(tokio::time::Instant::now() < end, "nothing is captured");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn now(&self) -> Option<Bundle> {
        let recorded = self.0.lock().unwrap().try_recv().ok()?;
        assert_eq!(format!("{recorded:?}"), "Recorded { .. }");
        let bundle = recorded.redact();
        let read: Bundle = serde_json::from_str(&bundle.to_json()).unwrap();
        assert_eq!(read, bundle, "it is read as it was written");
        Some(bundle)
    }
}

/// A house that captures.
async fn house(which: Which, change: impl FnOnce(&mut CaptureOptions)) -> (House, Captures) {
    let (sender, receiver) = channel();
    let mut options = CaptureOptions::new(Arc::new(move |recorded| drop(sender.send(recorded))));
    options.which = which;
    change(&mut options);
    let house = House::with(SimOptions::default(), |gateway| {
        gateway.capture = Some(options);
    });
    (house.await, Captures(Mutex::new(receiver)))
}

fn bytes(pieces: &[Piece]) -> Vec<u8> {
    let bytes = pieces.iter().map(|piece| match &piece.content {
        Content::Text(text) => text.clone().into_bytes(),
        Content::Base64(text) => STANDARD.decode(text).unwrap(),
    });
    bytes.collect::<Vec<_>>().concat()
}

/// The text of a reply, and whether it ended as it should.
fn text_of(reply: &[u8]) -> (String, bool) {
    let mut decoder = ReplyDecoder::new(Generation::Krs);
    decoder.push(Bytes::copy_from_slice(reply));
    let mut text = String::new();
    while let Ok(Some(event)) = decoder.next_event() {
        if let ReplyEvent::Text(delta) = event {
            text += &delta.unescape();
        }
    }
    (text, decoder.finish().is_ok())
}

#[tokio::test]
async fn a_bundle_has_all_of_an_exchange() {
    let (house, captures) = house(Which::All, |_| {}).await;
    let pieces = ["One ", "two ", "three."];
    let slowly = Script::new().text_slowly(&pieces, Duration::from_millis(20));
    house.sim.script(
        Matcher::any().nth(1),
        Script::new().http_error(500, json!({"message": "Internal."}), None),
    );
    house.sim.script(Matcher::any(), slowly.stop("END_TURN"));
    let mut request = house.request(
        Method::POST,
        "/v1/chat/completions?beta=planted",
        streamed("Count!").to_string(),
    );
    let headers = request.headers_mut();
    headers.insert("x-request-id", "req-1".parse().unwrap());
    headers.insert("user-agent", "test/1".parse().unwrap());
    let answer = house.ask(request).await;
    assert_eq!(answer.streamed_text(), pieces.concat());
    let bundle = captures.next().await;

    assert_eq!((bundle.kiro_capture, &*bundle.id), (1, "req-1"));
    assert!(bundle.at.ends_with('Z'), "{}", bundle.at);
    assert_eq!(
        (&*bundle.caller.key, bundle.caller.guest),
        ("default", false)
    );
    assert_eq!(bundle.settings.max_retries, 3);
    let asked = &bundle.request;
    assert_eq!(
        (&*asked.method, &*asked.path),
        ("POST", "/v1/chat/completions")
    );
    let header = |name: &str| {
        let mut headers = asked.head.headers.iter();
        headers
            .find(|(known, _)| known == name)
            .map(|(_, value)| &**value)
    };
    assert_eq!(header("user-agent"), Some("test/1"));
    assert_eq!(header("authorization"), Some("***"));
    let body = Content::Text(streamed("Count!").to_string());
    assert_eq!(asked.body.as_ref().unwrap().content, body);

    let [refused, served] = &*bundle.attempts else {
        panic!("two attempts: {:?}", bundle.attempts)
    };
    let sent = refused.request.as_ref().unwrap();
    assert!(sent.url.starts_with("http://127.0.0.1:"), "{}", sent.url);
    let Content::Text(sent_body) = &sent.body.as_ref().unwrap().content else {
        panic!("it is text")
    };
    assert!(sent_body.contains("Count!"), "{sent_body}");
    assert_eq!(refused.answer.as_ref().unwrap().status, 500);
    let internal = br#"{"message":"Internal."}"#;
    assert_eq!(bytes(&refused.answer.as_ref().unwrap().pieces), internal);
    assert!(refused.failure.as_ref().unwrap().contains("Internal"));
    assert_eq!(
        served.request.as_ref().unwrap().body,
        None,
        "it is the same"
    );
    let reply = served.answer.as_ref().unwrap();
    assert_eq!((reply.status, reply.ended), (200, Ended::Complete));
    assert_eq!(text_of(&bytes(&reply.pieces)), (pieces.concat(), true));
    let times: Vec<f64> = reply.pieces.iter().map(|piece| piece.ms).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert!(times[times.len() - 1] - times[0] >= 40.0, "{times:?}");

    let response = bundle.response.unwrap();
    assert_eq!((response.status, response.ended), (200, Ended::Complete));
    assert_eq!(bytes(&response.pieces), answer.body);
    assert!(response.pieces.len() > 2, "{:?}", response.pieces);
    let outcome = &bundle.outcome;
    assert_eq!((&*outcome.ending, outcome.status), ("complete", Some(200)));
    assert_eq!(
        (&*outcome.model, outcome.stream),
        ("claude-sonnet-4.5", true)
    );
    assert!(outcome.first_event_ms.unwrap() < outcome.total_ms);
}

#[tokio::test]
async fn errors_leaves_out_what_went_well_and_strangers_leave_nothing() {
    let (house, captures) = house(Which::Errors, |_| {}).await;
    let broken = Script::new().text("One ").fault_frame(
        "internalServerException",
        json!({"message": "Something went wrong."}),
    );
    house
        .sim
        .script(Matcher::any().text_contains("break"), broken);
    assert_eq!(house.chat(&whole("hi")).await.status, 200);
    let mut stranger = house.request(Method::POST, "/v1/chat/completions", "{}");
    let wrong = "Bearer sk-wrong-0123456789".parse().unwrap();
    stranger.headers_mut().insert("authorization", wrong);
    assert_eq!(house.ask(stranger).await.status, 401);
    assert_eq!(house.get("/v1/models").await.status, 200);

    let mut stream = house.open_chat(&streamed("break")).await;
    while stream.body_mut().frame().await.is_some() {}
    let bundle = captures.next().await;
    assert_eq!(bundle.outcome.ending, "failed");
    assert_eq!(bundle.outcome.status, Some(200));
    assert_eq!(bundle.outcome.error.unwrap().kind, "UpstreamRefused");

    let refused = house
        .chat(&json!({"model": "no-such-model", "messages": []}))
        .await;
    let bundle = captures.next().await;
    assert_eq!(bundle.response.unwrap().status, refused.status.as_u16());
    assert!(bundle.attempts.is_empty());
    assert!(captures.now().is_none());
}

#[tokio::test]
async fn what_its_client_leaves_is_captured_as_far_as_it_came() {
    let (house, captures) = house(Which::All, |_| {}).await;
    house
        .sim
        .script(Matcher::any(), Script::new().text("One ").hang());
    let mut stream = house.open_chat(&streamed("hi")).await;
    stream.body_mut().frame().await.unwrap().unwrap();
    drop(stream);
    let bundle = captures.next().await;
    assert_eq!(bundle.outcome.ending, "cancelled");
    assert_eq!(bundle.response.unwrap().ended, Ended::Left);
    let reply = bundle.attempts[0].answer.as_ref().unwrap();
    assert_eq!(reply.ended, Ended::Left);
    assert_eq!(text_of(&bytes(&reply.pieces)), ("One ".to_owned(), false));
}

#[tokio::test]
async fn bodies_have_a_bound_and_memory_is_given_back() {
    let small = |options: &mut CaptureOptions| {
        options.max_body = 2_000;
        options.max_memory = 20_000;
    };
    let (house, captures) = house(Which::All, small).await;
    let long = "long ".repeat(2_000);
    house
        .sim
        .script(Matcher::any(), Script::new().text(&*long).stop("END_TURN"));
    for _ in 0..10 {
        assert_eq!(house.chat(&whole(&long)).await.status, 200);
        let bundle = captures.next().await;
        let body = bundle.request.body.unwrap();
        assert!(matches!(&body.content, Content::Text(text) if text.len() == 2_000));
        assert!(body.left_out > 8_000, "{}", body.left_out);
        let reply = bundle.attempts[0].answer.as_ref().unwrap();
        assert!(bytes(&reply.pieces).len() <= 2_000 && reply.left_out > 8_000);
        assert!(bundle.response.unwrap().left_out > 8_000);
    }
}

/// Secrets in every place that they may come from.
#[tokio::test]
async fn no_secret_is_in_a_bundle() {
    let (house, captures) = house(Which::All, |_| {}).await;
    let (own, guest) = (
        house.sim.issue_social(),
        house.sim.issue(CredentialKind::BuilderId),
    );
    let compact = json!({
        "refreshToken": guest.refresh_token, "clientId": guest.client_id,
        "clientSecret": guest.client_secret, "region": guest.region,
    });
    let compact = URL_SAFE_NO_PAD.encode(compact.to_string());
    let arn = own.profile_arn.clone().unwrap();
    let house_token = own.refresh_token.clone().unwrap();
    let planted = [
        ("the key", KEY.to_owned()),
        ("the credential that was sent", compact.clone()),
        ("its refresh token", guest.refresh_token.clone().unwrap()),
        ("its client secret", guest.client_secret.clone().unwrap()),
        ("its access token", guest.access_token.clone()),
        ("another's access token", own.access_token.clone()),
        ("another's refresh token", house_token.clone()),
        (
            "the number of an account",
            arn.split(':').nth(4).unwrap().to_owned(),
        ),
        ("a profile", arn.rsplit('/').next().unwrap().to_owned()),
        ("a cookie", "cookie-planted-0123".to_owned()),
        ("a token of a proxy", "proxy-planted-0123".to_owned()),
        ("a query", "query-planted-0123".to_owned()),
        ("an API key of Kiro", "ksk_planted0123456789".to_owned()),
    ];
    // What no prompt has in a form that could be known: it is in headers and in the address only.
    let unknown = ["a cookie", "a token of a proxy", "a query"];
    let words: Vec<&str> = planted
        .iter()
        .filter(|(what, _)| !unknown.contains(what))
        .map(|(_, secret)| &**secret)
        .filter(|secret| !arn.contains(secret))
        .chain([&*arn])
        .collect();
    let all = words.join(" and ");

    let told = |part: &str| Matcher::any().text_contains(part);
    let script = Script::new;
    let fault = json!({"message": format!("no: {all}"), "accessToken": "unheard-of-0123456789"});
    house
        .sim
        .script(told("text"), script().text(&*all).stop("END_TURN"));
    let letters: Vec<String> = all.chars().map(String::from).collect();
    let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
    house.sim.script(
        told("letters"),
        script().text_slowly(&letters, Duration::ZERO),
    );
    house
        .sim
        .script(told("tool"), script().tool("ls", json!({"path": all})));
    house.sim.script(
        told("refusal"),
        script().http_error(400, fault.clone(), None),
    );
    let frame = script()
        .text("One ")
        .fault_frame("validationException", fault);
    house.sim.script(told("frame"), frame);

    let tool = json!({"tools": [{"type": "function", "function": {"name": "ls", "parameters":
        {"type": "object", "properties": {"path": {"type": "string"}}}}}]});
    for credential in ["", &*format!(":{compact}"), &*format!(":{house_token}")] {
        for kind in ["text", "letters", "tool", "refusal", "frame"] {
            for is_stream in [false, true] {
                let body = with(
                    whole(&format!("{kind}: {all}")),
                    json!({"stream": is_stream}),
                );
                let body = with(body, tool.clone());
                let uri = format!(
                    "http://{}/v1/chat/completions?key=query-planted-0123",
                    house.address
                );
                let request = Request::post(uri)
                    .header("authorization", format!("Bearer {KEY}{credential}"))
                    .header("x-api-key", KEY)
                    .header("cookie", "session=cookie-planted-0123")
                    .header("x-proxy-token", "proxy-planted-0123")
                    .header("user-agent", format!("curl with {all}"))
                    .body(Full::new(Bytes::from(body.to_string())))
                    .unwrap();
                let mut response = house.send(request).await;
                while response.body_mut().frame().await.is_some() {}
                let bundle = captures.next().await;
                assert!(!bundle.attempts.is_empty(), "{bundle:?}");
                no_secret(&format!("{kind} {is_stream}"), &bundle, &planted);
                let answer = bundle.attempts[0].answer.as_ref().unwrap();
                if kind == "letters" {
                    let (text, is_whole) = text_of(&bytes(&answer.pieces));
                    assert!(is_whole, "its frames are sound");
                    assert_eq!(text.len(), all.len());
                    assert!(text.contains("* and *"), "{text}");
                }
            }
        }
    }
}

fn no_secret(place: &str, bundle: &Bundle, planted: &[(&str, String)]) {
    let mut texts = vec![bundle.to_json()];
    let answers = bundle
        .attempts
        .iter()
        .filter_map(|attempt| attempt.answer.as_ref());
    let bodies = answers.map(|answer| &answer.pieces);
    for pieces in bodies.chain(bundle.response.iter().map(|response| &response.pieces)) {
        let bytes = bytes(pieces);
        texts.push(String::from_utf8_lossy(&bytes).into_owned());
        // What a reader of the stream puts together.
        for member in ["content", "input", "arguments"] {
            let text = String::from_utf8_lossy(&bytes);
            let begin = format!("\"{member}\":\"");
            let values = text.split(&*begin).skip(1);
            let values = values.map(|rest| rest.split('"').next().unwrap());
            texts.push(values.collect());
        }
        texts.push(text_of(&bytes).0);
    }
    for (what, secret) in planted {
        for text in &texts {
            assert!(
                !text.contains(&**secret),
                "{what} is in a bundle: {place}: {text}"
            );
        }
    }
    assert!(!texts.concat().contains("unheard-of"), "{place}");
}
