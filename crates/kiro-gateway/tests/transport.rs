//! How requests arrive and what every answer carries: codings, lengths, versions of HTTP, browsers.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use async_compression::Level;
use async_compression::tokio::bufread::{BrotliEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder};
use bytes::Bytes;
use http::{HeaderValue, Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use kiro_gateway::AllowedOrigins;
use kiro_sim::{Matcher, Operation, Script};
use serde_json::json;
use support::{Answer, House, KEY, streamed, whole};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const CHAT: &str = "/v1/chat/completions";
const MIB: usize = 1 << 20;

async fn house() -> House {
    House::start().await
}

async fn all(mut reader: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut out = Vec::new();
    reader.read_to_end(&mut out).await.unwrap();
    out
}

async fn encode(name: &str, plain: &[u8]) -> Vec<u8> {
    match name {
        "gzip" | "x-gzip" => all(GzipEncoder::new(plain)).await,
        "deflate" => all(ZlibEncoder::new(plain)).await,
        "br" => all(BrotliEncoder::with_quality(plain, Level::Fastest)).await,
        "zstd" => all(ZstdEncoder::new(plain)).await,
        other => panic!("no such coding: {other}"),
    }
}

async fn chat_encoded(house: &House, coding: &str, body: impl Into<Bytes>) -> Answer {
    let mut request = house.request(Method::POST, CHAT, body);
    let coding = HeaderValue::from_str(coding).unwrap();
    request.headers_mut().insert("content-encoding", coding);
    house.ask(request).await
}

/// Sends bytes on a connection of their own.
async fn raw(house: &House, bytes: &str) -> TcpStream {
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    stream
}

/// The head of a chat request with the key, without the empty line.
fn head(more: &str) -> String {
    format!("POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n{more}")
}

/// Reads until the other side closes.
async fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    tokio::time::timeout(support::SOON, stream.read_to_end(&mut answer))
        .await
        .expect("an end in time")
        .unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_compressed_body_is_understood_in_every_coding() {
    let house = house().await;
    let body = whole(&"hello ".repeat(5000)).to_string();
    for coding in ["gzip", "x-gzip", "deflate", "br", "zstd"] {
        let encoded = encode(coding, body.as_bytes()).await;
        assert!(encoded.len() < body.len() / 10);
        let answer = chat_encoded(&house, coding, encoded).await;
        assert_eq!(answer.status, 200, "{coding}: {:?}", answer.body);
    }
    let twice = encode("zstd", &encode("gzip", body.as_bytes()).await).await;
    assert_eq!(chat_encoded(&house, "gzip, zstd", twice).await.status, 200);
    assert_eq!(chat_encoded(&house, "identity", body).await.status, 200);
    let sent = house.sim.requests_for(Operation::Generate);
    assert_eq!(sent.len(), 7);
}

#[tokio::test]
async fn what_cannot_be_undone_is_refused_before_anything_goes_upstream() {
    let house = House::with(Default::default(), |options| options.max_body = MIB).await;
    let body = whole("hi").to_string();

    let answer = chat_encoded(&house, "compress", body.clone()).await;
    let error = answer.json()["error"].clone();
    assert_eq!(answer.status, 415);
    assert_eq!(error["code"], "unsupported_content_encoding");
    assert_eq!(
        answer.header("accept-encoding"),
        Some("gzip, deflate, br, zstd")
    );
    assert_eq!(answer.header("x-should-retry"), Some("false"));

    for coding in ["gzip", "deflate", "br", "zstd"] {
        let bomb = encode(coding, &vec![b' '; 8 * MIB]).await;
        assert!(bomb.len() < MIB / 10, "{coding}");
        let answer = chat_encoded(&house, coding, bomb).await;
        assert_eq!(answer.status, 413, "{coding}");
        let message = answer.json()["error"]["message"].to_string();
        assert!(message.contains("1048576 bytes"), "{message}");

        let encoded = encode(coding, body.as_bytes()).await;
        let half = encoded[..encoded.len() / 2].to_vec();
        for broken in [half, body.clone().into_bytes()] {
            let answer = chat_encoded(&house, coding, broken).await;
            assert_eq!(answer.status, 400, "{coding}: {:?}", answer.body);
            assert_eq!(answer.json()["error"]["type"], "invalid_request_error");
        }
    }
    assert_eq!(house.sim.requests_for(Operation::Generate).len(), 0);
}

/// A chat request of some length, most of it white space: the simulator refuses large conversations.
fn padded(length: usize) -> Vec<u8> {
    let mut body = whole("hi").to_string().into_bytes();
    body.resize(length, b' ');
    body
}

#[tokio::test]
async fn bodies_up_to_the_limit_are_taken() {
    let house = house().await;
    for length in [3 * MIB, 20 * MIB, 63 * MIB, 64 * MIB] {
        let request = house.request(Method::POST, CHAT, padded(length));
        assert_eq!(house.ask(request).await.status, 200, "{length}");
    }
}

#[tokio::test]
async fn who_reads_nothing_before_everything_is_sent_reads_the_refusal() {
    let house = house().await;
    let no_key = |path| format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
    for (start, length, status) in [
        (head("connection: close\r\n"), 65 * MIB, "413"),
        (
            head("connection: close\r\ncontent-encoding: gzip\r\n"),
            20 * MIB,
            "400",
        ),
        (
            head("connection: close\r\ncontent-encoding: compress\r\n"),
            20 * MIB,
            "415",
        ),
        (no_key(CHAT), 20 * MIB, "401"),
        (no_key("/v2/chat/completions"), 20 * MIB, "404"),
        (no_key("/v1/models"), 20 * MIB, "405"),
    ] {
        for chunked in [false, true] {
            let mut stream = TcpStream::connect(house.address).await.unwrap();
            let start = match chunked {
                false => format!("{start}content-length: {length}\r\n\r\n"),
                true => format!("{start}transfer-encoding: chunked\r\n\r\n{length:x}\r\n"),
            };
            stream.write_all(start.as_bytes()).await.unwrap();
            stream.write_all(&vec![b' '; length]).await.unwrap();
            if chunked {
                stream.write_all(b"\r\n0\r\n\r\n").await.unwrap();
            }
            let answer = rest(stream).await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status}")),
                "{answer}"
            );
            assert_eq!(
                answer.contains("67108864 bytes"),
                status == "413",
                "{answer}"
            );
        }
    }
}

#[tokio::test]
async fn a_length_may_be_missing() {
    let house = house().await;
    let body = whole("hi").to_string();
    let (first, second) = body.split_at(body.len() / 2);
    let chunks = format!(
        "{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
        first.len(),
        second.len()
    );
    let start = head("connection: close\r\ntransfer-encoding: chunked\r\n\r\n");
    let answer = rest(raw(&house, &(start + &chunks)).await).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    // Neither a length nor chunks: there is no body, and nothing to wait for.
    let answer = rest(raw(&house, &head("connection: close\r\n\r\n")).await).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.contains("invalid_request_error"), "{answer}");
}

#[tokio::test]
async fn who_waits_for_a_word_before_sending_gets_it() {
    let house = house().await;
    let body = whole("hi").to_string();
    let expect = format!(
        "expect: 100-continue\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = raw(&house, &head(&expect)).await;
    let mut word = [0; 25];
    stream.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(body.as_bytes()).await.unwrap();
    assert!(rest(stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn who_waits_for_a_word_reads_the_refusal_instead() {
    let house = house().await;
    let too_long = head("expect: 100-continue\r\ncontent-length: 99999999\r\n\r\n");
    let unknown =
        head("expect: 100-continue\r\ncontent-encoding: compress\r\ncontent-length: 9\r\n\r\n");
    let no_key = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n"
    );
    for (request, status) in [(too_long, "413"), (unknown, "415"), (no_key, "401")] {
        let answer = rest(raw(&house, &request).await).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn http_2_needs_no_negotiation() {
    let house = house().await;
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http::<Full<Bytes>>();
    let bodies = [streamed("hi"), whole("hi")].map(|body| body.to_string().into_bytes());
    for body in bodies.into_iter().chain([padded(3 * MIB)]) {
        let response = client.request(house.request(Method::POST, CHAT, body));
        let response = response.await.unwrap();
        assert_eq!(response.version(), http::Version::HTTP_2);
        assert_eq!(response.status(), 200);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(body.ends_with(b"data: [DONE]\n\n") || body.ends_with(b"}"));
    }
}

#[tokio::test]
async fn every_spelling_of_the_url_is_served() {
    let house = house().await;
    let body = whole("hi").to_string();
    for path in [
        "/chat/completions",
        "/v1/v1/chat/completions",
        "//v1//chat//completions",
        "/v1/chat/completions/",
        "/openai/v1/chat/completions",
        "/api/v1/chat/completions?api-version=1",
    ] {
        let start = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: bearer {KEY}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let answer = rest(raw(&house, &(start + &body)).await).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }
}

const PATHS: [&str; 6] = [
    "/",
    "/health",
    "/v1/models",
    "/v1/models/claude-sonnet-4-5",
    "/v1/chat/completions",
    "/chat/completions/",
];

#[tokio::test]
async fn head_is_answered_everywhere_without_a_body_and_asks_nobody() {
    let house = house().await;
    for path in PATHS {
        let answer = house.ask(house.request(Method::HEAD, path, "")).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.body.is_empty() && answer.header("x-request-id").is_some());
    }
    let mut keyless = house.request(Method::HEAD, CHAT, "");
    keyless.headers_mut().remove("authorization");
    assert_eq!(house.ask(keyless).await.status, 401);
    let unknown = house.ask(house.request(Method::HEAD, "/v1/x", "")).await;
    assert_eq!((unknown.status.as_u16(), unknown.body.len()), (404, 0));
    assert_eq!(house.sim.requests_for(Operation::Generate).len(), 0);
}

/// What a browser sends for openai-node with `dangerouslyAllowBrowser`.
const WANTED: &str = "authorization,content-type,dangerously-allow-browser,x-stainless-arch,x-stainless-lang,x-stainless-os,x-stainless-package-version,x-stainless-retry-count,x-stainless-runtime,x-stainless-runtime-version,x-stainless-timeout";

fn preflight(house: &House, path: &str, origin: &str) -> Request<Full<Bytes>> {
    let mut request = house.request(Method::OPTIONS, path, "");
    request.headers_mut().clear();
    for (name, value) in [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", WANTED),
    ] {
        let value = HeaderValue::from_str(value).unwrap();
        request.headers_mut().insert(name, value);
    }
    request
}

#[tokio::test]
async fn a_browser_is_told_on_every_path_that_it_may_send_what_it_asks_for() {
    let house = house().await;
    for path in PATHS.into_iter().chain(["/v1/nothing"]) {
        let answer = house
            .ask(preflight(&house, path, "https://app.example"))
            .await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (204, 0));
        let header = |name| answer.header(name);
        assert_eq!(header("access-control-allow-origin"), Some("*"), "{path}");
        assert_eq!(header("access-control-allow-headers"), Some(WANTED));
        assert_eq!(header("access-control-max-age"), Some("7200"));
        assert_eq!(header("allow"), header("access-control-allow-methods"));
        let post = path.contains("chat") || path.contains("nothing");
        assert_eq!(header("allow").unwrap().contains("POST"), post, "{path}");
        assert_eq!(header("access-control-allow-credentials"), None);
    }
}

fn from_page(mut request: Request<Full<Bytes>>, origin: &'static str) -> Request<Full<Bytes>> {
    let origin = HeaderValue::from_static(origin);
    request.headers_mut().insert("origin", origin);
    request
}

#[tokio::test]
async fn scripts_may_read_answers_streams_and_errors_with_all_of_our_headers() {
    let house = house().await;
    let slow_down = json!({"message": "Too many requests, please wait before trying again.", "reason": "USER_REQUEST_RATE_EXCEEDED"});
    let busy = Script::new().http_error(429, slow_down, Some(std::time::Duration::from_secs(9)));
    let busy_when = Matcher::any().text_contains("busy");
    house.sim.script(busy_when, busy);
    let mut with_seed = whole("hi");
    with_seed["seed"] = json!(7);
    let post = |body: serde_json::Value| house.request(Method::POST, CHAT, body.to_string());
    let mut keyless = house.request(Method::GET, "/v1/models", "");
    keyless.headers_mut().remove("authorization");
    for (request, status, readable) in [
        (post(with_seed), 200, &["x-gateway-ignored"][..]),
        (post(streamed("hi")), 200, &[]),
        (post(whole("busy")), 429, &["retry-after"]),
        (post(json!({})), 400, &["x-should-retry"]),
        (keyless, 401, &["x-should-retry"]),
        (house.request(Method::GET, "/v1/nothing", ""), 404, &[]),
        (house.request(Method::DELETE, CHAT, ""), 405, &["allow"]),
        (house.request(Method::GET, "/health", ""), 200, &[]),
    ] {
        let answer = house.ask(from_page(request, "https://app.example")).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        let exposed = answer.header("access-control-expose-headers").unwrap();
        let exposed: Vec<&str> = exposed.split(", ").collect();
        for name in ["x-request-id", "request-id"].iter().chain(readable) {
            assert!(exposed.contains(name), "{name} in {exposed:?}");
        }
    }
}

#[tokio::test]
async fn only_listed_origins_are_let_in() {
    let house = House::with(Default::default(), |options| {
        options.allowed_origins = AllowedOrigins::Only(vec!["https://app.example".to_owned()]);
    })
    .await;
    for (origin, granted) in [
        ("https://app.example", Some("https://app.example")),
        ("https://evil.example", None),
    ] {
        let asked = house.ask(preflight(&house, CHAT, origin)).await;
        let request = house.request(Method::POST, CHAT, whole("hi").to_string());
        let answer = house.ask(from_page(request, origin)).await;
        for answer in [asked, answer] {
            assert_eq!(answer.header("access-control-allow-origin"), granted);
            let vary = answer.headers.get_all("vary");
            assert!(vary.iter().any(|vary| vary == "origin"));
        }
    }
}

#[tokio::test]
async fn a_request_keeps_its_name_in_every_answer() {
    let house = house().await;
    for (path, status) in [(CHAT, 200), ("/v1/nothing", 404), ("/v1/models", 405)] {
        for body in [streamed("hi"), whole("hi")] {
            let mut request = house.request(Method::POST, path, body.to_string());
            let id = HeaderValue::from_static("trace-1.2:3");
            request.headers_mut().insert("x-request-id", id);
            let answer = house.ask(request).await;
            assert_eq!(answer.status, status);
            assert_eq!(answer.header("x-request-id"), Some("trace-1.2:3"));
            assert_eq!(answer.header("request-id"), Some("trace-1.2:3"));
        }
    }
    let mut request = house.request(Method::GET, "/health", "");
    let id = HeaderValue::from_static("a b\"c");
    request.headers_mut().insert("x-request-id", id);
    let answer = house.ask(request).await;
    assert!(answer.header("x-request-id").unwrap().starts_with("req_"));
}

#[tokio::test]
async fn a_stream_tells_proxies_to_pass_it_on_at_once() {
    let house = house().await;
    let answer = house.chat(&streamed("hi")).await;
    assert_eq!(answer.header("x-accel-buffering"), Some("no"));
    assert_eq!(answer.header("cache-control"), Some("no-cache"));
    assert_eq!(answer.header("content-encoding"), None);
}

#[tokio::test]
async fn line_separators_are_escaped_in_streams_and_documents() {
    const SEPARATORS: &str = "a\u{2028}b\u{2029}c\u{85}d";
    let house = house().await;
    let reply = Script::new()
        .text(SEPARATORS)
        .tool("patch", json!({"input": SEPARATORS}))
        .stop("TOOL_USE");
    house.sim.script(Matcher::any(), reply);
    for mut request in [streamed("x"), whole("x")] {
        request["tools"] = json!([{"type": "custom", "custom": {"name": "patch"}}]);
        let answer = house.chat(&request).await;
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        assert!(!text.contains(['\u{85}', '\u{2028}', '\u{2029}']), "{text}");
        assert_eq!(text.matches(r"a\u2028b\u2029c\u0085d").count(), 2, "{text}");
    }
}
