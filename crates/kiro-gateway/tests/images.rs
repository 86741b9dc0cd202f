//! Pictures by URL: for whom they are fetched, and that the service sees them.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::net::IpAddr;

use http::{Method, StatusCode};
use kiro_gateway::{FetchImages, GatewayOptions};
use kiro_sim::{Operation, SimOptions};
use serde_json::{Value, json};
use support::{House, KEY};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A web server with one picture at every path; its address.
async fn gallery() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 1024];
            let _ = stream.read(&mut head).await;
            let answer = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 8\r\n\r\n\x89PNG\r\n\x1a\n";
            let _ = stream.write_all(answer).await;
        }
    });
    address
}

async fn house(fetch: FetchImages, gallery: std::net::SocketAddr) -> House {
    House::with(SimOptions::default(), |options: &mut GatewayOptions| {
        options.images.fetch = fetch;
        options.images.ports = vec![gallery.port()];
        options.images.allow_private = vec![IpAddr::from([127, 0, 0, 1])];
    })
    .await
}

fn look_at(url: &str) -> Value {
    let content = json!([{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": url}}]);
    json!({"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": content}]})
}

/// The status, and the message of a refusal, for the key with `suffix`.
async fn ask(house: &House, suffix: &str, body: &Value) -> (StatusCode, Value) {
    let mut request = house.request(Method::POST, "/v1/chat/completions", body.to_string());
    let key = format!("Bearer {KEY}{suffix}").parse().unwrap();
    request.headers_mut().insert("authorization", key);
    let answer = house.ask(request).await;
    (answer.status, answer.json()["error"].clone())
}

#[tokio::test]
async fn a_picture_at_a_url_is_seen_by_the_service() {
    let gallery = gallery().await;
    let house = house(FetchImages::Own, gallery).await;
    let body = look_at(&format!("http://{gallery}/a"));
    assert_eq!(ask(&house, "", &body).await, (StatusCode::OK, Value::Null));
    let sent = house.sim.requests_for(Operation::Generate);
    let sent = String::from_utf8(sent[0].body.to_vec()).unwrap();
    assert!(
        sent.contains(r#""images":[{"format":"png","source":{"bytes":"iVBORw0KGgo="}}]"#),
        "{sent}"
    );
}

#[tokio::test]
async fn pictures_are_fetched_for_those_who_may_have_them_fetched() {
    let gallery = gallery().await;
    let body = look_at(&format!("http://{gallery}/a"));
    for (fetch, own, guest) in [
        (FetchImages::Off, 400, 400),
        (FetchImages::Own, 200, 400),
        (FetchImages::All, 200, 200),
    ] {
        let house = house(fetch, gallery).await;
        let token = house.sim.issue_social().refresh_token.unwrap();
        for (suffix, status) in [(String::new(), own), (format!(":{token}"), guest)] {
            let (actual, error) = ask(&house, &suffix, &body).await;
            assert_eq!(actual, status, "{fetch:?} {error}");
            if status == 400 {
                assert_eq!(error["param"], "messages[0].content[1].image_url");
                assert_eq!(error["code"], "invalid_value");
                let message = error["message"].as_str().unwrap();
                assert!(message.contains("does not fetch"), "{message}");
                assert!(message.ends_with("Send the image as a base64 data URL."));
            }
        }
    }
}

#[tokio::test]
async fn nothing_is_sent_upstream_when_a_picture_cannot_be_had() {
    let house = House::start().await;
    let (status, error) = ask(&house, "", &look_at("http://127.0.0.1/a.png")).await;
    assert_eq!(status, 400);
    assert_eq!(
        error["message"],
        "Invalid image: the host of the URL has no public address. Check the URL, or send the image as a base64 data URL."
    );
    let sent = house.sim.requests_for(Operation::Generate);
    assert!(sent.is_empty());
}
