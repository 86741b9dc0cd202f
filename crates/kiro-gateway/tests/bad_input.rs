//! Bad input gets a clear error in the dialect, with the field and the remedy.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Method, Request};
use http_body_util::Full;
use kiro_sim::{Matcher, Script, SimOptions};
use serde_json::json;
use support::{Answer, House, KEY, whole};

fn error(answer: &Answer) -> (u16, String, Option<String>, Option<String>) {
    let json = answer.json();
    let error = &json["error"];
    let keys: Vec<&String> = error.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["message", "type", "param", "code"]);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let text = |key: &str| error[key].as_str().map(str::to_owned);
    (
        answer.status.as_u16(),
        text("message").unwrap(),
        text("param"),
        text("code"),
    )
}

#[tokio::test]
async fn an_unknown_route_names_the_nearest() {
    let house = House::start().await;
    let (status, message, _, code) = error(&house.get("/v1/chat/completion").await);
    assert_eq!((status, code.as_deref()), (404, Some("unknown_url")));
    assert!(
        message.contains("GET /v1/chat/completion") && message.contains("/v1/chat/completions"),
        "{message}"
    );
}

#[tokio::test]
async fn a_wrong_method_names_the_right_one() {
    let house = House::start().await;
    let answer = house.get("/v1/chat/completions").await;
    let (status, _, _, code) = error(&answer);
    assert_eq!(
        (status, code.as_deref(), answer.header("allow")),
        (
            405,
            Some("method_not_supported"),
            Some("POST, HEAD, OPTIONS")
        )
    );
}

#[tokio::test]
async fn no_key_and_a_wrong_key_are_401_and_are_not_worth_a_retry() {
    let house = House::start().await;
    for (key, expected) in [
        (None, None),
        (Some("Bearer wrong-key-wrong-key"), Some("invalid_api_key")),
    ] {
        for path in ["/v1/models", "/v1/models/claude-sonnet-4-5"] {
            let mut request = house.request(Method::GET, path, "");
            request.headers_mut().remove("authorization");
            if let Some(key) = key {
                request
                    .headers_mut()
                    .insert("authorization", key.parse().unwrap());
            }
            let answer = house.ask(request).await;
            let (status, _, _, code) = error(&answer);
            assert_eq!((status, code.as_deref()), (401, expected));
            assert_eq!(answer.header("x-should-retry"), Some("false"));
        }
    }
    let mut request = house.request(
        Method::POST,
        "/v1/chat/completions",
        whole("hi").to_string(),
    );
    request.headers_mut().remove("authorization");
    assert_eq!(house.ask(request).await.status, 401);
    assert_eq!(house.sim.requests().len(), 0, "nothing went upstream");
}

#[tokio::test]
async fn every_route_asks_for_the_key_unless_it_says_that_it_does_not() {
    let house = House::start().await;
    let info = house.get("/").await.json();
    let routes = info["routes"].as_array().unwrap();
    assert!(routes.len() >= 7);
    for route in routes {
        let text = |member: &str| route[member].as_str().unwrap();
        let is_open = ["/", "/health", "/healthz", "/readyz", "/api/hello"].contains(&text("path"))
            || [
                "/openapi.json",
                "/docs",
                "/docs/{id}",
                "/redoc",
                "/redoc/{id}",
            ]
            .contains(&text("path"));
        let needs_key = !is_open;
        assert_eq!(route["needs_key"], needs_key, "{route}");
        let id = match text("path") {
            "/docs/{id}" => "docs.js",
            "/redoc/{id}" => "redoc.js",
            _ => "claude-sonnet-4-5",
        };
        let path = text("path").replace("{id}", id);
        for method in [text("method"), "HEAD"] {
            for key in [None, Some("Bearer wrong-key-wrong-key")] {
                let method = method.parse().unwrap();
                let mut request = house.request(method, &path, whole("hi").to_string());
                request.headers_mut().remove("authorization");
                let key = key.map(|key| (AUTHORIZATION, HeaderValue::from_static(key)));
                request.headers_mut().extend(key);
                let expected = if needs_key { 401 } else { 200 };
                assert_eq!(house.ask(request).await.status, expected, "{route}");
            }
        }
    }
    assert_eq!(house.sim.requests().len(), 0, "nothing went upstream");
}

#[tokio::test]
async fn malformed_json_is_located() {
    let house = House::start().await;
    let broken = "{\"model\": \"claude-sonnet-4-5\",\n \"messages\": [}";
    let answer = house
        .ask(house.request(Method::POST, "/v1/chat/completions", broken))
        .await;
    let (status, message, _, code) = error(&answer);
    assert_eq!((status, code), (400, None));
    assert!(
        message.contains("line 2") && message.contains("column 15"),
        "{message}"
    );
}

#[tokio::test]
async fn a_missing_or_mistyped_field_is_named() {
    let house = House::start().await;
    for (body, param, code) in [
        (
            json!({"model": "claude-sonnet-4-5"}),
            "messages",
            "missing_required_parameter",
        ),
        (
            json!({"messages": [{"role": "user", "content": "x"}]}),
            "model",
            "missing_required_parameter",
        ),
        (
            json!({"model": "claude-sonnet-4-5", "messages": []}),
            "messages",
            "empty_array",
        ),
        (
            json!({"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": 7}]}),
            "messages[0].content",
            "invalid_type",
        ),
        (
            json!({"model": "claude-sonnet-4-5", "messages": [{"role": "robot", "content": "x"}]}),
            "messages[0].role",
            "invalid_value",
        ),
    ] {
        let (status, message, got_param, got_code) = error(&house.chat(&body).await);
        assert_eq!(
            (status, got_param.as_deref(), got_code.as_deref()),
            (400, Some(param), Some(code)),
            "{message}"
        );
    }
    assert_eq!(
        house.sim.requests_for(kiro_sim::Operation::Generate).len(),
        0
    );
}

#[tokio::test]
async fn an_unknown_model_is_404_and_lists_what_exists() {
    let house = House::start().await;
    let mut request = whole("hi");
    request["model"] = json!("gpt-9");
    let (status, message, _, code) = error(&house.chat(&request).await);
    assert_eq!((status, code.as_deref()), (404, Some("model_not_found")));
    assert!(
        message.contains("gpt-9") && message.contains("claude-opus-4-5"),
        "{message}"
    );
    assert_eq!(house.get("/v1/models/gpt-9").await.status, 404);
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_with_and_without_a_length() {
    let house = House::with(Default::default(), |options| options.max_body = 1000).await;
    let (status, message, _, code) = error(&house.chat(&whole(&"x".repeat(1000))).await);
    assert_eq!((status, code.as_deref()), (413, Some("request_too_large")));
    assert!(message.contains("1000 bytes"), "{message}");

    // Chunked, so that only counting can tell.
    let mut stream = tokio::net::TcpStream::connect(house.address).await.unwrap();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    let chunk = format!("{:x}\r\n{}\r\n", 600, "y".repeat(600));
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    stream
        .write_all((head + &chunk + &chunk).as_bytes())
        .await
        .unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[tokio::test]
async fn a_refusal_of_the_upstream_keeps_its_status_in_openais_words() {
    let house = House::start().await;
    for (script, status, code) in [
        (
            Script::new().http_error(429, json!({"message": "Too many requests, please wait before trying again.", "reason": "USER_REQUEST_RATE_EXCEEDED"}), Some(std::time::Duration::from_secs(9))),
            429,
            Some("rate_limit_exceeded"),
        ),
        (
            Script::new().http_error(400, json!({"message": "Input is too long.", "reason": "CONTENT_LENGTH_EXCEEDS_THRESHOLD"}), None),
            400,
            Some("context_length_exceeded"),
        ),
        (Script::new().http_error(400, json!({"message": "Improperly formed request.", "reason": null}), None), 400, None),
        (
            Script::new().http_error(413, json!({"message": "Request entity too large"}), None),
            413,
            Some("request_too_large"),
        ),
        (
            Script::new().http_error(402, json!({"message": "You have reached the limit.", "reason": "MONTHLY_REQUEST_COUNT"}), None),
            429,
            Some("insufficient_quota"),
        ),
    ] {
        let house = if status == 429 { &House::start().await } else { &house };
        house.sim.script(Matcher::once(), script);
        let answer = house.chat(&support::streamed("hi")).await;
        let (got, message, _, got_code) = error(&answer);
        assert_eq!((got, got_code.as_deref()), (status, code), "{message}");
        if code == Some("context_length_exceeded") {
            let sentence = "This model's maximum context length is 200000 tokens. However, your messages resulted in 200001 tokens. Please reduce the length of the messages.";
            assert_eq!(message, sentence);
        }
        if code == Some("request_too_large") {
            assert!(message.contains("Send a shorter conversation"), "{message}");
        }
        if code == Some("rate_limit_exceeded") {
            assert_eq!(answer.header("retry-after"), Some("9"));
            assert!(message.ends_with("(reason: USER_REQUEST_RATE_EXCEEDED)"), "{message}");
        }
    }
}

#[tokio::test]
async fn the_public_pages_need_no_key_and_tell_no_secret() {
    let house = House::start().await;
    house.chat(&whole("hi")).await;
    for path in ["/", "/api/hello", "/health", "/healthz"] {
        let request = Request::builder()
            .uri(format!("http://{}{path}", house.address))
            .body(Full::<Bytes>::default())
            .unwrap();
        let answer = house.ask(request).await;
        assert_eq!(answer.status, 200);
        let text = answer.json().to_string();
        assert!(text.contains(env!("CARGO_PKG_VERSION")));
        assert!(
            !text.contains("aor") && !text.contains("aoa") && !text.contains(KEY),
            "{text}"
        );
    }
    let health = house.get("/health").await.json();
    assert_eq!(health["status"], "ok");
    assert_eq!(
        health["credentials"],
        json!({"mode": "own", "total": 1, "usable": 1})
    );
    assert_eq!(health["upstream"]["state"], "reachable");
    let head = house.ask(house.request(Method::HEAD, "/health", "")).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
}

#[tokio::test]
async fn names_of_the_operators_own_are_listed_and_serve() {
    let house = House::with(SimOptions::default(), |options| {
        let aliases = &mut options.models.aliases;
        aliases.insert("gpt-4o".into(), "claude-opus-4.8".into());
        options.models.fallback = Some("claude-haiku-4.5".into());
        options.models.hidden = vec!["claude-sonnet-4.5".into()];
    })
    .await;
    for (name, id, ignored) in [
        ("gpt-4o", "claude-opus-4.8", None),
        ("claude-opus-4-8", "claude-opus-4.8", None),
        ("claude-sonnet-4-5", "claude-sonnet-4.5", None),
        ("gpt-9", "claude-haiku-4.5", Some("model")),
    ] {
        let mut request = whole("hi");
        request["model"] = name.into();
        let answer = house.chat(&request).await;
        assert_eq!(answer.status, 200, "{name}");
        assert_eq!(answer.json()["model"], name);
        assert_eq!(answer.header("x-gateway-ignored"), ignored, "{name}");
        let sent = house.sim.requests_for(kiro_sim::Operation::Generate);
        let message =
            &sent.last().unwrap().json()["conversationState"]["currentMessage"]["userInputMessage"];
        assert_eq!(message["modelId"], id, "{name}");
    }
    let list = house.get("/v1/models").await.json();
    let ids: Vec<&str> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| model["id"].as_str().unwrap())
        .collect();
    assert!(ids.contains(&"gpt-4o") && !ids.contains(&"claude-sonnet-4-5"));
    for name in ["gpt-4o", "claude-opus-4.8", "claude-sonnet-4-5"] {
        let model = house.get(&format!("/v1/models/{name}")).await.json();
        assert_eq!(model["id"], name);
    }
}

#[tokio::test]
async fn models_are_the_originals_list_and_the_live_ones() {
    let house = House::start().await;
    let list = house.get("/v1/models").await.json();
    let ids: Vec<&str> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| model["id"].as_str().unwrap())
        .collect();
    for id in [
        "claude-opus-4-5",
        "claude-opus-4-5-20251101",
        "claude-sonnet-4-5",
        "claude-sonnet-4-5-20250929",
        "claude-sonnet-4",
        "claude-sonnet-4-20250514",
        "claude-haiku-4-5",
        "claude-haiku-4-5-20251001",
        "claude-3-7-sonnet-20250219",
        "claude-opus-4.8",
    ] {
        assert!(ids.contains(&id), "{id} in {ids:?}");
    }
    let model = house.get("/v1/models/claude-opus-4.8").await.json();
    assert_eq!(model["context_length"], 1_000_000);
    // In both vendors' words.
    let dated = house.get("/v1/models/claude-sonnet-4-5").await.json();
    assert_eq!(dated["created"], 1_759_104_000);
    assert_eq!(dated["created_at"], "2025-09-29T00:00:00Z");
    let able = |vision: bool, efforts: &[&str]| json!({"vision": vision, "tools": true, "reasoning_efforts": efforts});
    assert_eq!(
        model["capabilities"],
        able(true, &["none", "low", "medium", "high", "xhigh", "max"])
    );
    let blind = house.get("/v1/models/deepseek-3.2").await.json();
    assert_eq!(
        blind["capabilities"],
        able(false, &["none", "low", "medium", "high"])
    );
    house.get("/v1/models").await;
    assert_eq!(
        house
            .sim
            .requests_for(kiro_sim::Operation::ListAvailableModels)
            .len(),
        1,
        "the list is cached"
    );
}
