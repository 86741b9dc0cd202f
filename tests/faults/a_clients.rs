//! A: what clients do wrong, on purpose or not.

use async_compression::tokio::write::{BrotliEncoder, GzipEncoder, ZstdEncoder};
use kiro_sim::{Ended, Script};
use serde_json::{Value, json};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::task::JoinSet;

use super::support::http2;
use super::support::{
    Answer, CHAT, House, KEY, MESSAGES, MIB, Plan, RESPONSES, SOON, Wire, request, streamed, until,
    whole, with,
};

/// Waits until the service has seen that nobody wants its reply any more.
async fn upstream_is_left(house: &House, name: &str) {
    let is_cancelled = || {
        house
            .sent(name)
            .iter()
            .any(|one| one.ended == Some(Ended::Cancelled))
    };
    until("the cancelled reply", is_cancelled).await;
    assert_eq!(house.sent(name).len(), 1);
    let cancelled = || house.program.log().contains("ending=\"cancelled\"");
    until("the line in the log", cancelled).await;
}

/// A client that leaves in mid-stream ends the reply upstream and is counted as one that has left.
#[tokio::test(flavor = "multi_thread")]
async fn a01_client_closes_during_stream() {
    let mut house = House::start().await;
    house.script("a01", Script::new().text("One ").hang());
    let mut wire = house.open(&streamed("a01")).await;
    assert!(wire.until("One ").await);
    drop(wire);
    upstream_is_left(&house, "a01").await;
    house.survives().await;
}

/// A client that leaves before the first byte ends the request upstream, streamed or not.
#[tokio::test(flavor = "multi_thread")]
async fn a02_client_closes_before_the_first_byte() {
    for asks in [streamed, whole] {
        let mut house = House::start().await;
        house.script("a02", Script::new().hang_before_head());
        let wire = house.open(&asks("a02")).await;
        until("the request upstream", || house.sent("a02").len() == 1).await;
        drop(wire);
        upstream_is_left(&house, "a02").await;
        house.survives().await;
    }
}

/// A client that stops reading stops the service as well: of 256 MB a few stay in buffers, and it is left after
/// the time for a write. So is a client that does not read one stream of HTTP/2, by opening no window for it, while it
/// reads everything else.
#[tokio::test(flavor = "multi_thread")]
async fn a03_client_stops_reading() {
    let plan = Plan::new()
        .env("LOG_LEVEL", "info")
        .set("SERVER__WRITE_TIMEOUT", "2s");
    let mut house = plan.sim(|sim| sim.credit_quota = 1e12).start().await;
    house.script("a03", Script::new().flood(16 << 10, 16 << 10, 1));
    let before = house.program.holds().memory;
    let mut wire = house.open(&streamed("a03")).await;
    assert!(wire.until("data: ").await);
    upstream_is_left(&house, "a03").await;
    let most = house.program.peak() - before;
    assert!(most < 32 * MIB, "{} MiB more at the peak", most / MIB);
    drop(wire);

    house.script("windowless", Script::new().flood(16 << 10, 16 << 10, 1));
    // Settings: an initial window of 1 KiB, which is never opened any further.
    let mut wire = http2::open(&house, &[0, 4, 0, 0, 4, 0]).await;
    let body = streamed("windowless").to_string();
    let head = http2::head("POST", CHAT);
    let head = http2::frame(http2::HEADERS, http2::END_HEADERS, 1, &head);
    let body = http2::frame(http2::DATA, http2::END_STREAM, 1, body.as_bytes());
    wire.send([head, body].concat()).await.unwrap();
    let reading = tokio::spawn(async move {
        while let Some(frame) = http2::next(&mut wire).await {
            match frame.kind {
                // Whoever answers pings is there.
                http2::PING if frame.flags == 0 => {
                    let pong = http2::frame(http2::PING, 1, 0, &frame.payload);
                    wire.send(pong).await.unwrap();
                }
                _ => {}
            }
        }
    });
    upstream_is_left(&house, "windowless").await;
    assert!(!reading.is_finished(), "the connection is there");
    reading.abort();
    let most = house.program.peak() - before;
    assert!(most < 32 * MIB, "{} MiB more at the peak", most / MIB);
    house.survives().await;
}

/// A thousand clients that read nothing of a reply of 1 MB cost 192 KB each at most, in a build for
/// debugging, and the next one is served.
#[tokio::test(flavor = "multi_thread")]
async fn a04_thousand_slow_readers() {
    let plan = Plan::new()
        .env("LOG_LEVEL", "info")
        .set("SERVER__MAX_EXCHANGES", "2000")
        .sim(|sim| sim.credit_quota = 1e12);
    let mut house = plan.start().await;
    house.script("a04", Script::new().flood(1024, 1024, 1).hang());
    let before = house.program.holds().memory;
    let mut slow = Vec::new();
    let asks = request("POST", CHAT, "", streamed("a04").to_string());
    for _ in 0..1000 {
        let mut wire = Wire::open_narrow(house.address()).await;
        wire.send(&asks).await.unwrap();
        slow.push(wire);
    }
    house
        .sim
        .wait_until(|state| state.open_streams >= 1000, SOON)
        .await
        .unwrap();
    for wire in &mut slow {
        assert!(wire.until("data: ").await);
    }
    let answer = house.chat(&whole("And me?")).await;
    assert_eq!(answer.status, 200);
    let most = house.program.holds().memory.saturating_sub(before);
    assert!(
        most < 1000 * (192 << 10),
        "{} MiB for a thousand",
        most / MIB
    );
    drop(slow);
    house.survives().await;
}

/// A client that closes its half of the connection after the request gets its answer, if `server.half_close` says so;
/// one that leaves is then noticed with the next write. By default both are taken for one that has left, which is told
/// upstream at once.
#[tokio::test(flavor = "multi_thread")]
async fn a05_half_close_after_the_request() {
    let pieces = ["word "; 10];
    let slowly = || Script::new().text_slowly(&pieces, std::time::Duration::from_millis(50));
    let mut house = Plan::new().set("SERVER__HALF_CLOSE", "true").start().await;
    house.script("a05", slowly().stop("END_TURN"));
    let mut stream = house.open(&streamed("a05")).await;
    stream.half_close().await;
    assert_eq!(stream.answer().await.whole_text(), pieces.concat());
    assert_eq!(stream.rest().await, "", "the connection ends");
    let mut document = house.open(&whole("a05")).await;
    document.half_close().await;
    assert_eq!(document.answer().await.content(), pieces.concat());
    house.script("leaves", slowly().hang());
    let mut leaves = house.open(&streamed("leaves")).await;
    assert!(leaves.until("word ").await);
    drop(leaves);
    upstream_is_left(&house, "leaves").await;
    house.survives().await;

    let mut house = House::start().await;
    for (name, hangs) in [
        ("in the middle", Script::new().text("One ").hang()),
        ("before the head", Script::new().hang_before_head()),
    ] {
        house.script(name, hangs);
        let mut stream = house.open(&streamed(name)).await;
        until("the request upstream", || house.sent(name).len() == 1).await;
        stream.half_close().await;
        upstream_is_left(&house, name).await;
    }
    house.survives().await;
}

/// Heads that come byte by byte are ended after the time for a head; 500 of them hinder nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a06_head_byte_by_byte() {
    let plan = Plan::new()
        .env("LOG_LEVEL", "info")
        .set("SERVER__HEADER_TIMEOUT", "3s");
    let mut house = plan.start().await;
    let mut slow = JoinSet::new();
    for _ in 0..500 {
        let mut wire = house.wire().await;
        slow.spawn(async move {
            for byte in b"GET /health HTTP/1.1\r\nx-slow: "
                .iter()
                .chain([b'y'; 10_000].iter())
            {
                if wire.send([*byte]).await.is_err() {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
            wire.rest().await
        });
    }
    assert_eq!(house.chat(&whole("And me?")).await.status, 200);
    for told in slow.join_all().await {
        assert!(
            told.is_empty() || told.starts_with("HTTP/1.1 408"),
            "{told}"
        );
    }
    house.survives().await;
}

/// Bodies that trickle, stop in the middle or never begin are a 408, however fast they were before, and what was
/// held for them is free again.
#[tokio::test(flavor = "multi_thread")]
async fn a07_body_trickles_or_stops() {
    let plan = Plan::new()
        .set("TIMEOUTS__BODY", "5s")
        .set("SERVER__MAX_BODY", "8MiB")
        .set("SERVER__MAX_BODY_MEMORY", "24MiB");
    let mut house = plan.env("LOG_LEVEL", "info").start().await;
    let before = house.program.holds().memory;
    let around = whole("").to_string().len();
    let body = whole(&"x".repeat(8 * MIB - around)).to_string();
    let asks = request("POST", CHAT, "", &body);
    let head = asks.len() - body.len();
    let mut wires = Vec::new();
    // Never begun, stopped in the middle, and all but the end.
    for sent in [head, head + 4 * MIB, asks.len() - 1] {
        let mut wire = house.wire().await;
        wire.send(&asks[..sent]).await.unwrap();
        wires.push(wire);
    }
    let end = tokio::time::Instant::now() + SOON;
    loop {
        let status = house.chat(&whole("And me?")).await.status;
        if status == 503 {
            break;
        }
        assert_eq!(status, 200);
        let now = tokio::time::Instant::now();
        assert!(now < end, "all of the memory is never held");
    }
    for wire in &mut wires {
        assert_eq!(wire.answer().await.error().0, 408);
    }
    drop(wires);
    let n_given_up = || house.program.log().matches("status=408").count();
    // The line is written when the answer is on its way, and read by a thread of its own.
    until("three lines of the log", || n_given_up() == 3).await;
    let mut trickles = house.wire().await;
    trickles.send(&asks[..head]).await.unwrap();
    for byte in &asks[head..] {
        // The connection may be closed in between.
        let sent = trickles.send([*byte]).await;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        if sent.is_err() || n_given_up() == 4 {
            break;
        }
    }
    assert_eq!(trickles.answer().await.error().0, 408);
    assert_eq!(house.chat(&whole("And me?")).await.status, 200);
    assert_eq!(house.sent("xxx").len(), 0);
    drop(trickles);
    let free = || house.program.holds().memory < before + 16 * MIB;
    until("the memory of the bodies", free).await;
    house.survives().await;
}

/// A body that is too large is a 413 whether its length is announced or not, and takes no memory beyond the
/// limit.
#[tokio::test(flavor = "multi_thread")]
async fn a08_body_larger_than_the_limit() {
    let mut house = Plan::new()
        .env("LOG_LEVEL", "info")
        .set("SERVER__MAX_BODY", "1MiB")
        .start()
        .await;
    let before = house.program.holds().memory;
    let large = vec![b' '; 32 * MIB];
    assert_eq!(house.post(CHAT, &large).await.error().0, 413);
    for path in [CHAT, MESSAGES, RESPONSES] {
        let mut wire = house.wire().await;
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        wire.send(head).await.unwrap();
        for _ in 0..32 {
            let chunk = [format!("{MIB:x}\r\n").as_bytes(), &large[..MIB], b"\r\n"].concat();
            if wire.send(chunk).await.is_err() {
                break;
            }
        }
        let _ = wire.send("0\r\n\r\n").await;
        assert_eq!(wire.answer().await.error().0, 413, "{path}");
    }
    let most = house.program.peak() - before;
    assert!(most < 16 * MIB, "{} MiB more at the peak", most / MIB);
    house.survives().await;
}

/// What is no JSON is a 400 that says where, and none of it is in the log.
#[tokio::test(flavor = "multi_thread")]
async fn a09_malformed_json() {
    let mut house = House::start().await;
    let good = whole("planted-words").to_string();
    let cut = &good.as_bytes()[..good.len() - 3];
    let latin = good.replace("planted", "planted\u{1}").into_bytes();
    let latin: Vec<u8> = latin
        .into_iter()
        .map(|byte| if byte == 1 { 0xff } else { byte })
        .collect();
    for (name, body) in [
        ("nothing", &b""[..]),
        ("cut", cut),
        ("NUL", b"{\"model\": \"planted-words\", \0}"),
        ("UTF-8", &latin),
        ("UTF-16", b"\xff\xfe{\0}\0"),
        ("words", b"planted-words"),
        ("a list", b"[\"planted-words\"]"),
        ("two", b"{}{\"model\": \"planted-words\"}"),
        (
            "NaN",
            b"{\"model\": \"planted-words\", \"temperature\": NaN}",
        ),
    ] {
        for path in [CHAT, MESSAGES, RESPONSES] {
            let (status, message) = house.post(path, body).await.error();
            assert_eq!(status, 400, "{name} {path}: {message}");
        }
    }
    let (_, message) = house.post(CHAT, b"{\n  \"model\": }").await.error();
    assert!(
        message.contains("line 2") && message.contains("column"),
        "{message}"
    );
    // Half a character, as some clients cut texts; and a byte order mark.
    let half = good.replace("planted-words", "planted-words \\ud83d");
    for body in [
        half.into_bytes(),
        [b"\xef\xbb\xbf", good.as_bytes()].concat(),
    ] {
        let answer = house.post(CHAT, body).await;
        assert!([200, 400].contains(&answer.status), "{}", answer.text());
    }
    let log: String = house.program.log();
    assert!(!log.contains("planted-words"), "contents are in the log");
    house.survives().await;
}

/// A depth of 100 000, a number of 10 MB and keys that come twice cost a 400 or nothing, and a million keys a 413; of
/// two equal keys both are not taken.
#[tokio::test(flavor = "multi_thread")]
async fn a10_json_of_odd_shapes() {
    let mut house = Plan::new().env("LOG_LEVEL", "info").start().await;
    let before = house.program.holds().memory;
    let around = |member: &str| {
        format!(
            "{{\"model\": \"claude-sonnet-4-5\", \"messages\": [{{\"role\": \"user\", \"content\": \"odd\"}}], {member}}}"
        )
    };
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_object = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    let mut keys: String = (0..1_000_000).map(|n| format!("\"k{n}\":1,")).collect();
    keys.pop();
    for (name, member, expected) in [
        ("depth", format!("\"x\": {deep}"), &[200, 400][..]),
        (
            "depth of objects",
            format!("\"x\": {deep_object}"),
            &[200, 400],
        ),
        ("depth of contents", format!("\"stop\": {deep}"), &[400]),
        (
            "depth of a schema",
            format!(
                "\"tools\": [{{\"type\": \"function\", \"function\": {{\"name\": \"f\", \"parameters\": {deep_object}}}}}]"
            ),
            &[400],
        ),
        ("keys", keys, &[413]),
        (
            "number",
            format!("\"temperature\": 1{}", "0".repeat(10 * MIB)),
            &[400],
        ),
        (
            "unknown number",
            format!("\"x\": 1{}", "0".repeat(10 * MIB)),
            &[200, 400],
        ),
        (
            "twice",
            "\"model\": \"claude-sonnet-4-5\"".to_owned(),
            &[400],
        ),
    ] {
        let answer = house.post(CHAT, around(&member)).await;
        assert!(
            expected.contains(&answer.status),
            "{name}: {} {}",
            answer.status,
            answer.text()
        );
    }
    let most = house.program.peak() - before;
    assert!(most < 256 * MIB, "{} MiB more at the peak", most / MIB);
    house.survives().await;
}

/// A request in each dialect with all that is often sent.
fn full_requests() -> [(&'static str, Value); 3] {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let function = json!({"name": "look", "description": "d", "parameters": schema});
    let tool = json!({"type": "function", "function": function});
    let chat = with(
        whole("hi"),
        json!({
            "stream": false, "stream_options": null, "temperature": 1, "top_p": 1, "n": 1, "stop": ["x"],
            "max_tokens": 100, "max_completion_tokens": 100, "tools": [tool], "tool_choice": "auto",
            "parallel_tool_calls": true, "response_format": {"type": "text"}, "seed": 1, "user": "u",
            "reasoning_effort": "low", "metadata": {}, "logprobs": false, "top_logprobs": 0,
            "presence_penalty": 0, "frequency_penalty": 0, "logit_bias": {}, "store": false,
            "modalities": ["text"], "prediction": null, "service_tier": "auto", "verbosity": "low",
            "prompt_cache_key": "k", "safety_identifier": "s", "functions": [], "function_call": "auto",
        }),
    );
    let messages = json!({
        "model": "claude-sonnet-4-5", "max_tokens": 100, "stream": false, "system": "s",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        "tools": [{"name": "look", "description": "d", "input_schema": schema}],
        "tool_choice": {"type": "auto"}, "stop_sequences": ["x"], "temperature": 1, "top_k": 1, "top_p": 1,
        "metadata": {"user_id": "u"}, "thinking": {"type": "disabled"}, "service_tier": "auto",
    });
    let responses = json!({
        "model": "claude-sonnet-4-5", "stream": false, "instructions": "i", "store": false,
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
        "tools": [{"type": "function", "name": "look", "parameters": schema}], "tool_choice": "auto",
        "max_output_tokens": 100, "temperature": 1, "top_p": 1, "reasoning": {"effort": "low"},
        "text": {"format": {"type": "text"}}, "metadata": {}, "parallel_tool_calls": true, "include": [],
        "truncation": "auto", "user": "u", "previous_response_id": null, "background": false,
    });
    [(CHAT, chat), (MESSAGES, messages), (RESPONSES, responses)]
}

/// Every place of a JSON document, with the way to it.
fn places(value: &Value, way: &str, found: &mut Vec<String>) {
    let mut visit = |name: &str, inner: &Value| {
        let way = format!("{way}/{name}");
        found.push(way.clone());
        places(inner, &way, found);
    };
    match value {
        Value::Object(members) => members.iter().for_each(|(name, inner)| visit(name, inner)),
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(n, inner)| visit(&n.to_string(), inner));
        }
        _ => {}
    }
}

/// A value of the wrong type in every place of a request is a 400 or does nothing, and never a 5xx.
#[tokio::test(flavor = "multi_thread")]
async fn a11_wrong_types_in_every_field() {
    let mut house = Plan::new().env("LOG_LEVEL", "info").start().await;
    let mut odd = Vec::new();
    let mut n = 0;
    for (path, request) in full_requests() {
        let answer = house.post(path, request.to_string()).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let mut all = Vec::new();
        places(&request, "", &mut all);
        let mut wire = house.wire().await;
        for place in all {
            for wrong in [
                json!(null),
                json!(-7.5),
                json!("x"),
                json!([[]]),
                json!({"x": {}}),
                json!(true),
            ] {
                let mut request = request.clone();
                *request.pointer_mut(&place).unwrap() = wrong.clone();
                let asked = self::request("POST", path, "", request.to_string());
                wire.send(asked).await.unwrap();
                let status = wire.answer().await.status;
                n += 1;
                if status >= 500 {
                    odd.push(format!("{path} {place} = {wrong}: {status}"));
                }
            }
        }
    }
    assert!(odd.is_empty(), "{n} asked; {odd:#?}");
    house.survives().await;
}

/// 128 tools with deep schemas, 2 000 messages, and a picture of 20 MB are served or refused, in bounded memory.
#[tokio::test(flavor = "multi_thread")]
async fn a12_large_requests() {
    let mut house = Plan::new().env("LOG_LEVEL", "info").start().await;
    let mut schema = json!({"type": "string"});
    for _ in 0..20 {
        schema = json!({"type": "object", "properties": {"inner": schema, "more": {"type": "array", "items": {"type": "number"}}}});
    }
    let tool = |n: usize| json!({"type": "function", "function": {"name": format!("tool_{n}"), "description": "d", "parameters": schema}});
    let tools: Vec<Value> = (0..128).map(tool).collect();
    let role = |n: usize| {
        if n.is_multiple_of(2) {
            "user"
        } else {
            "assistant"
        }
    };
    let turns = (0..2000).map(|n| json!({"role": role(n), "content": format!("turn {n}")}));
    let mut turns: Vec<Value> = turns.collect();
    turns.push(json!({"role": "user", "content": "The last."}));
    let picture = format!(
        "data:image/png;base64,{}",
        "iVBORw0KGgoA".repeat(20 * MIB / 9)
    );
    let picture = json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": picture}}]}]);
    for (name, members) in [
        ("tools", json!({"tools": tools})),
        ("messages", json!({"messages": turns})),
        ("picture", json!({"messages": picture})),
    ] {
        let body = with(whole("x"), members).to_string();
        let before = house.program.holds().memory;
        let answer = house.post(CHAT, &body).await;
        assert!(
            [200, 400, 413].contains(&answer.status),
            "{name}: {}",
            answer.text()
        );
        let most = house.program.peak().saturating_sub(before);
        assert!(
            most < 4 * body.len() + 64 * MIB,
            "{name}: {} MiB",
            most / MIB
        );
    }
    house.survives().await;
}

/// Requests that are sent before the answer to the one before come back in order; after an error and after a
/// 413 the connection goes on or ends, and no answer goes to another request.
#[tokio::test(flavor = "multi_thread")]
async fn a13_pipelined_and_reused_connections() {
    let mut house = Plan::new().set("SERVER__MAX_BODY", "64KiB").start().await;
    let mut wire = house.wire().await;
    let ask = |n: usize| {
        request(
            "POST",
            CHAT,
            "",
            whole(&format!("sim:echo answer {n}")).to_string(),
        )
    };
    let many: Vec<u8> = (0..10).flat_map(ask).collect();
    wire.send(many).await.unwrap();
    for n in 0..10 {
        assert_eq!(wire.answer().await.content(), format!("answer {n}"));
    }
    for (before, status) in [
        (request("POST", CHAT, "", "{"), 400),
        (request("POST", "/v1/nothing", "", "{}"), 404),
        (request("POST", CHAT, "", vec![b' '; MIB]), 413),
    ] {
        let mut wire = house.wire().await;
        wire.send([before, ask(1)].concat()).await.unwrap();
        assert_eq!(wire.answer().await.status, status);
        if let Some(answer) = wire.try_answer().await {
            assert_eq!(answer.content(), "answer 1", "after {status}");
        }
        assert_eq!(wire.seen(), b"");
    }
    house.script("a13", Script::new().text("One ").hang());
    let mut left = house.open(&streamed("a13")).await;
    assert!(left.until("One ").await);
    drop(left);
    upstream_is_left(&house, "a13").await;
    assert_eq!(house.chat(&whole("sim:echo mine")).await.content(), "mine");
    house.survives().await;
}

/// `Expect: 100-continue` gets its word, HTTP/1.0 an answer with an end that it understands, and a request
/// without a host a 400.
#[tokio::test(flavor = "multi_thread")]
async fn a14_expect_http_1_0_and_no_host() {
    let mut house = House::start().await;
    let body = streamed("sim:echo hello").to_string();
    let lines = |host: &str, more: &str| {
        format!(
            "{host}authorization: Bearer {KEY}\r\n{more}content-length: {}\r\n\r\n",
            body.len()
        )
    };
    let mut wire = house.wire().await;
    let expects = lines("host: x\r\n", "expect: 100-continue\r\n");
    wire.send(format!("POST {CHAT} HTTP/1.1\r\n{expects}"))
        .await
        .unwrap();
    assert_eq!(wire.answer().await.status, 100);
    wire.send(&body).await.unwrap();
    assert_eq!(wire.answer().await.whole_text(), "hello");

    let mut old = house.wire().await;
    old.send(format!("POST {CHAT} HTTP/1.0\r\n{}{body}", lines("", "")))
        .await
        .unwrap();
    let answer = old.answer().await;
    assert_eq!(answer.header("transfer-encoding"), None, "{}", answer.head);
    assert_eq!(answer.whole_text(), "hello");

    let mut nameless = house.wire().await;
    nameless
        .send(format!("POST {CHAT} HTTP/1.1\r\n{}{body}", lines("", "")))
        .await
        .unwrap();
    assert_eq!(nameless.answer().await.status, 400);
    house.survives().await;
}

async fn packed<W: AsyncWrite + Unpin>(mut into: W, n: usize) -> W {
    let spaces = vec![b' '; MIB];
    for _ in 0..n {
        into.write_all(&spaces).await.unwrap();
    }
    into.shutdown().await.unwrap();
    into
}

/// A packed body is limited by what it unpacks to: 512 MB in a few kilobytes are a 413 and take no memory; a
/// coding that nobody can undo is a 415.
#[tokio::test(flavor = "multi_thread")]
async fn a15_compressed_bombs() {
    let mut house = Plan::new()
        .env("LOG_LEVEL", "info")
        .set("SERVER__MAX_BODY", "4MiB")
        .start()
        .await;
    let before = house.program.holds().memory;
    for (coding, bomb) in [
        (
            "gzip",
            packed(GzipEncoder::new(Vec::new()), 512).await.into_inner(),
        ),
        (
            "br",
            packed(
                BrotliEncoder::with_quality(Vec::new(), async_compression::Level::Precise(3)),
                512,
            )
            .await
            .into_inner(),
        ),
        (
            "zstd",
            packed(ZstdEncoder::new(Vec::new()), 512).await.into_inner(),
        ),
    ] {
        assert!(bomb.len() < MIB, "{coding}");
        let coding = format!("content-encoding: {coding}\r\n");
        let answer: Answer = house.post_with(CHAT, &coding, bomb).await;
        assert_eq!(answer.error().0, 413, "{coding}");
    }
    let answer = house
        .post_with(CHAT, "content-encoding: compress\r\n", "x")
        .await;
    assert_eq!(answer.error().0, 415);
    let most = house.program.peak() - before;
    assert!(most < 64 * MIB, "{} MiB more at the peak", most / MIB);
    house.survives().await;
}
