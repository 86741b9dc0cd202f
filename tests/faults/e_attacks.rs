//! E: attacks.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kiro_auth::Secret;
use kiro_gateway::KeyDigest;
use kiro_sim::{Operation, Script};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::support::http2::{self, frame};
use super::support::{
    Answer, CHAT, Count, House, KEY, MESSAGES, MIB, Plan, RESPONSES, Wire, has_no_secret, refused,
    request, streamed, whole, with,
};

/// A head with these lines and no key, and the answer to it.
async fn ask_raw(house: &House, bytes: impl AsRef<[u8]>) -> Option<Answer> {
    let mut wire = house.wire().await;
    let _ = wire.send(bytes).await;
    wire.try_answer().await
}

/// How many questions the service was asked.
fn asked(house: &House) -> usize {
    house.sim.requests_for(Operation::Generate).len()
}

/// No key, an empty or wrong one, another scheme, a key in the query, and two keys that are wrong are 401, and the
/// service hears nothing of it.
#[tokio::test(flavor = "multi_thread")]
async fn e01_no_key_or_a_wrong_one() {
    let mut house = House::start().await;
    let before = asked(&house);
    let body = whole("hi").to_string();
    let with_lines = |path: &str, lines: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\n{lines}content-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let half = &KEY[..KEY.len() - 1];
    let lines = [
        String::new(),
        "authorization: \r\n".into(),
        "authorization: Bearer\r\n".into(),
        "authorization: Bearer \r\n".into(),
        format!(
            "authorization: Basic {}\r\n",
            STANDARD.encode(format!("x:{KEY}"))
        ),
        format!("authorization: Bearer {half}\r\n"),
        format!("authorization: Bearer {KEY}x\r\n"),
        format!("authorization: Bearer {half} {KEY}\r\n"),
        format!("authorization: Bearer {half}\t\r\n"),
        format!("authorization: Bearer \"{KEY}\"\r\n"),
        "authorization: Bearer wrong\r\nauthorization: Bearer wrong too\r\n".into(),
        "x-api-key: wrong\r\n".into(),
        format!("cookie: key={KEY}\r\n"),
        format!("proxy-authorization: Bearer {KEY}\r\n"),
    ];
    for lines in &lines {
        for path in [CHAT, MESSAGES, RESPONSES] {
            let answer = ask_raw(&house, with_lines(path, lines)).await.unwrap();
            assert_eq!(answer.error().0, 401, "{lines:?}");
        }
    }
    for query in ["key", "api_key", "token", "access_token"] {
        let path = format!("{CHAT}?{query}={KEY}");
        assert_eq!(
            ask_raw(&house, with_lines(&path, "")).await.unwrap().status,
            401
        );
    }
    let nul = with_lines(CHAT, &format!("authorization: Bearer {KEY}\0\r\n"));
    assert!([400, 401].contains(&ask_raw(&house, nul).await.unwrap().status));
    assert_eq!(asked(&house), before);
    house.survives().await;
}

/// No spelling of a path, no other host, no header and no other method gets past the key.
#[tokio::test(flavor = "multi_thread")]
async fn e02_no_way_around_the_key() {
    let mut house = House::start().await;
    let before = asked(&house);
    let body = whole("hi").to_string();
    let paths = [
        "/v1/chat/completions",
        "//v1/chat/completions",
        "/v1//chat/completions",
        "/v1/chat/completions/",
        "/./v1/chat/completions",
        "/v1/../v1/chat/completions",
        "/health/../v1/chat/completions",
        "/health/%2e%2e/v1/chat/completions",
        "/%76%31/chat/completions",
        "/v1%2fchat%2fcompletions",
        "/v1/chat/completions;x",
        "/v1/chat/completions;/health",
        "/v1/chat/completions?/health",
        "/v1/chat/completions%00/health",
        "/V1/CHAT/COMPLETIONS",
        "/openai/v1/chat/completions",
        "/v1/chat/completions%2f..%2f..%2fhealth",
        "/health;/v1/chat/completions",
        "/health#/v1/chat/completions",
        "/v1/messages",
        "/v1/messages/count_tokens",
        "/v1/responses",
        "/v1/models",
        "/v1/responses/resp_1",
        "/metrics",
        "/admin",
        "/v1/../admin",
        "/debug/pprof",
        "/.env",
        "/__sim/state",
        "/actuator/env",
        "http://x/v1/chat/completions",
        "http://x/?/health",
        "https://health/v1/models",
        "*",
    ];
    let lines = [
        "",
        "x-original-url: /health\r\n",
        "x-rewrite-url: /health\r\n",
        "x-forwarded-prefix: /health\r\n",
        "x-http-method-override: GET\r\n",
        "x-forwarded-for: 127.0.0.1\r\n",
        "origin: null\r\n",
    ];
    let open = ["/health", "/healthz", "/", "/api/hello"];
    let methods = [
        "GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "TRACE", "CONNECT", "get",
    ];
    for (n, path) in paths.iter().enumerate() {
        for lines in if n == 0 { &lines[..] } else { &lines[..1] } {
            for method in methods {
                let head = format!(
                    "{method} {path} HTTP/1.1\r\nhost: x/?\r\nconnection: close\r\n{lines}content-length: {}\r\n\r\n{body}",
                    body.len()
                );
                let mut wire = house.wire().await;
                let _ = wire.send(head).await;
                // A response to HEAD has no body to wait for.
                let told = wire.rest().await;
                let status: u16 = told
                    .split(' ')
                    .nth(1)
                    .map_or(0, |status| status.parse().unwrap());
                let refused = [0, 400, 401, 404, 405, 501].contains(&status);
                let is_open = open.contains(
                    &path
                        .trim_start_matches("http://x")
                        .split(['?', '#', ';'])
                        .next()
                        .unwrap(),
                );
                assert!(refused || is_open, "{method} {path} {lines:?}: {told}");
                assert!(!told.contains("claude"), "{method} {path}: {told}");
            }
        }
    }
    assert_eq!(asked(&house), before);
    house.survives().await;
}

/// The check of a key takes the same instructions, to the last one, for every wrong key, however much of its beginning is
/// right, and for every right one, whichever of several it is: counted in the running program, where a comparison that
/// ends early or a look into a table of keys would show.
#[tokio::test(flavor = "multi_thread")]
async fn e03_instructions_of_the_key_check() {
    let more = ["k2a_0123456789-0123456789", "k2a_zyxwvutsrq-zyxwvutsrq"];
    let mut count = Count::new();
    let mut plan = Plan::new().env("LOG_LEVEL", "info").cold();
    for (n, key) in more.iter().enumerate() {
        let digest = KeyDigest::of(&Secret::from(*key));
        plan = plan.file(&format!(
            "[[keys]]\nname = \"key-{n}\"\nhash = \"{digest}\"\n"
        ));
    }
    let plan = plan.set("SERVER__FAILED_KEYS_PER_MINUTE", "0");
    let mut house = count
        .of("kiro_gateway::tenant::Tenants::door", plan)
        .start()
        .await;
    let mut check = async |key: &str, status: u16| {
        let asks = request("HEAD", CHAT, "connection: close\r\n", "");
        let asks = String::from_utf8(asks).unwrap();
        let mut wire = house.wire().await;
        let asks = asks.replace(&format!("Bearer {KEY}"), &format!("Bearer {key}"));
        wire.send(asks).await.unwrap();
        let head = format!("HTTP/1.1 {status}");
        assert!(wire.rest().await.starts_with(&head), "{key}");
        count.taken(&house).await
    };
    // What is done once for a process does not count.
    check(KEY, 200).await;
    let mut wrong = vec![
        "x".repeat(KEY.len()),
        KEY.to_uppercase(),
        KEY.replace("sk-", "k2a"),
    ];
    for right in [KEY, more[0], more[1]] {
        for n_right in [1, right.len() / 2, right.len() - 1] {
            let rest = "~".repeat(right.len() - n_right);
            wrong.push(format!("{}{rest}", &right[..n_right]));
        }
        wrong.push(format!("~{}", &right[1..]));
    }
    let mut taken = BTreeMap::new();
    for key in &wrong {
        taken
            .entry(check(key, 401).await)
            .or_insert(Vec::new())
            .push(key.as_str());
    }
    assert_eq!(taken.len(), 1, "{taken:?}");
    let wrong = *taken.first_key_value().unwrap().0;
    taken.clear();
    for key in [KEY, more[0], more[1]] {
        taken
            .entry(check(key, 200).await)
            .or_insert(Vec::new())
            .push(key);
    }
    assert_eq!(taken.len(), 1, "{taken:?}");
    let right = *taken.first_key_value().unwrap().0;
    assert!(
        wrong > 1000 && right.abs_diff(wrong) < 32,
        "{right} and {wrong}"
    );
    house.survives().await;
}

/// A flood of wrong keys reaches neither the service nor the sign-in service, costs the processor no more than a few
/// requests for `/health`, and does not fill the log: beyond so many in a minute an address gets 429, from which a right
/// key is served all the same. So it goes with made-up logins behind a right key, which are not tried any more, while
/// those who were here before go on.
#[tokio::test(flavor = "multi_thread")]
async fn e04_key_flood() {
    const N: usize = 10_000;
    let plan = Plan::new().env("LOG_LEVEL", "info");
    let mut house = plan
        .set("SERVER__FAILED_KEYS_PER_MINUTE", "30")
        .start()
        .await;
    house.script("a guest", Script::new().text("Yours.").stop("END_TURN"));
    let ask = |key: &str| {
        let asks = request("POST", CHAT, "", whole("a guest").to_string());
        let asks = String::from_utf8(asks).unwrap();
        asks.replace(&format!("Bearer {KEY}"), &format!("Bearer {key}"))
    };
    let guest = || format!("{KEY}:{}", house.sim.issue_social().refresh_token.unwrap());
    let (known, unknown) = (guest(), guest());
    let mut wire = house.wire().await;
    wire.send(ask(&known)).await.unwrap();
    assert_eq!(wire.answer().await.content(), "Yours.");

    let requests = house.sim.state().requests;
    let lines = house.program.log().lines().count();
    let keys = (0..N).map(|n| ask(&format!("sk-faults-{:016x}", n * 0x9e37_79b9)));
    let (flood, told) = cost(&house, keys).await;
    assert_eq!(house.sim.state().requests, requests);
    assert_eq!(told.keys().collect::<Vec<_>>(), [&401, &429], "{told:?}");
    assert!(told[&401] < N / 10, "{told:?}");
    let lines = house.program.log().lines().count() - lines;
    assert!(lines < told[&401] + 10, "{lines} lines of the log");
    let health = || "GET /health HTTP/1.1\r\nhost: x\r\n\r\n".to_owned();
    let (usual, _) = cost(&house, (0..N).map(|_| health())).await;
    assert!(
        flood <= 4 * usual + 20,
        "{flood} ticks, and {usual} for as many of /health"
    );

    let requests = house.sim.state().requests;
    let logins = (0..200).map(|n| ask(&format!("{KEY}:made-up-login-{n}")));
    let (_, told) = cost(&house, logins).await;
    assert_eq!(told.keys().collect::<Vec<_>>(), [&401, &429], "{told:?}");
    let tried = house.sim.state().requests - requests;
    assert_eq!(tried, told[&401] as u64, "one call for each that was tried");
    for (from, key, status) in [
        ("127.0.0.1", &*unknown, 429),
        ("127.0.0.1", &*known, 200),
        ("127.0.0.1", KEY, 200),
        ("127.0.0.2", &*unknown, 200),
        ("127.0.0.2", "sk-faults-wrong", 401),
    ] {
        let mut wire = Wire::open_from(from, house.address()).await;
        wire.send(ask(key)).await.unwrap();
        let answer = wire.answer().await;
        assert_eq!(answer.status, status, "{from}");
        assert_eq!(answer.header("retry-after").is_some(), status == 429);
    }
    let counted = house.metric("kiro_gateway_keys_refused_total").await as usize;
    assert_eq!(counted, N + 200 + 2);
    house.survives().await;
}

/// Sends requests one behind the other: the processor time that they took, in hundredths of a second, and how many got
/// which status.
async fn cost(house: &House, asks: impl Iterator<Item = String>) -> (u64, BTreeMap<u16, usize>) {
    let asks: Vec<String> = asks.collect();
    let mut told = BTreeMap::new();
    let mut wire = house.wire().await;
    let before = house.program.ticks();
    for some in asks.chunks(50) {
        wire.send(some.concat()).await.unwrap();
        for _ in some {
            *told.entry(wire.answer().await.status).or_default() += 1;
        }
    }
    (house.program.ticks() - before, told)
}

/// Two tenants on the same connections see nothing of each other: not in answers, not in what is kept, not in
/// what the service is told; with 200 questions whose answers name who asked.
#[tokio::test(flavor = "multi_thread")]
async fn e05_tenants_see_nothing_of_each_other() {
    let mut house = Plan::new().env("LOG_LEVEL", "info").start().await;
    let guests: Vec<_> = (0..2).map(|_| house.sim.issue_social()).collect();
    let key = |guest: usize| format!("{KEY}:{}", guests[guest].refresh_token.as_deref().unwrap());
    let as_guest = |guest: usize, method: &str, path: &str, body: &str| {
        let bytes = request(method, path, "", body);
        let text = String::from_utf8(bytes).unwrap();
        text.replace(&format!("Bearer {KEY}"), &format!("Bearer {}", key(guest)))
    };
    let mut wires = [house.wire().await, house.wire().await];
    for n in 0..200 {
        let guest = (n / 3) % 2;
        let body = whole(&format!("sim:echo tenant-{guest} {n}")).to_string();
        // Both use both connections.
        let wire = &mut wires[n % 2];
        wire.send(as_guest(guest, "POST", CHAT, &body))
            .await
            .unwrap();
        assert_eq!(wire.answer().await.content(), format!("tenant-{guest} {n}"));
    }
    for one in house.sent("tenant-") {
        let body = String::from_utf8_lossy(&one.body);
        let guest = usize::from(body.contains("tenant-1"));
        assert_eq!(one.account, Some(guests[guest].account), "{body}");
    }
    let asked =
        json!({"model": "claude-sonnet-4-5", "input": "sim:echo kept of tenant-0"}).to_string();
    wires[0]
        .send(as_guest(0, "POST", RESPONSES, &asked))
        .await
        .unwrap();
    let kept = wires[0].answer().await.json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("{RESPONSES}/{kept}");
    let follow = json!({"model": "claude-sonnet-4-5", "input": "x", "previous_response_id": kept})
        .to_string();
    for (guest, status) in [(1, 404), (0, 200)] {
        wires[0]
            .send(as_guest(guest, "GET", &path, ""))
            .await
            .unwrap();
        let answer = wires[0].answer().await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.text().contains("tenant-0"), guest == 0);
        wires[1]
            .send(as_guest(guest, "POST", RESPONSES, &follow))
            .await
            .unwrap();
        let answer = wires[1].answer().await;
        assert_eq!(answer.status == 200, guest == 0, "{}", answer.text());
        assert!(!answer.text().contains("tenant-0") || guest == 0);
    }
    drop(wires);
    house.survives().await;
}

/// Messages of which two servers could see two different ends are a 400 and the end of the connection; nothing goes
/// to the service, and nothing behind them is taken for a request.
#[tokio::test(flavor = "multi_thread")]
async fn e06_request_smuggling() {
    let mut house = House::start().await;
    let before = asked(&house);
    let hidden =
        String::from_utf8(request("POST", CHAT, "", whole("smuggled").to_string())).unwrap();
    let n = hidden.len();
    let start = format!("POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n");
    let chunked = "transfer-encoding: chunked\r\n";
    let cases = [
        (
            "length and chunks",
            format!("{start}content-length: 6\r\n{chunked}\r\n0\r\n\r\nG{hidden}"),
        ),
        (
            "chunks and length",
            format!("{start}{chunked}content-length: {n}\r\n\r\n0\r\n\r\n{hidden}"),
        ),
        (
            "two codings",
            format!(
                "{start}{chunked}transfer-encoding: identity\r\ncontent-length: 3\r\n\r\n0\r\n\r\n{hidden}"
            ),
        ),
        (
            "chunked, identity",
            format!("{start}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n{hidden}"),
        ),
        (
            "xchunked",
            format!(
                "{start}transfer-encoding: xchunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n{hidden}"
            ),
        ),
        (
            "space before the colon",
            format!(
                "{start}transfer-encoding : chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n{hidden}"
            ),
        ),
        (
            "folded line",
            format!(
                "{start}x: y\r\n transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n{hidden}"
            ),
        ),
        (
            "bare CR",
            format!(
                "{start}x: y\rtransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n{hidden}"
            ),
        ),
        (
            "plus",
            format!("{start}content-length: +5\r\n\r\n{{}}   {hidden}"),
        ),
        (
            "minus",
            format!("{start}content-length: -5\r\n\r\n{{}}   {hidden}"),
        ),
        (
            "hexadecimal",
            format!("{start}content-length: 0x5\r\n\r\n{{}}   {hidden}"),
        ),
        (
            "a list of lengths",
            format!("{start}content-length: 5, 6\r\n\r\n{{}}   {hidden}"),
        ),
        (
            "two lengths",
            format!("{start}content-length: 5\r\ncontent-length: {n}\r\n\r\n{{}}   {hidden}"),
        ),
        (
            "too long for 64 bits",
            format!("{start}content-length: 18446744073709551621\r\n\r\n{{}}   {hidden}"),
        ),
        (
            "chunk size with a plus",
            format!("{start}{chunked}\r\n+5\r\n{{}}   \r\n0\r\n\r\n{hidden}"),
        ),
        (
            "chunk size in 0x",
            format!("{start}{chunked}\r\n0x5\r\n{{}}   \r\n0\r\n\r\n{hidden}"),
        ),
        (
            "chunk size too large",
            format!("{start}{chunked}\r\n10000000000000005\r\n{{}}   \r\n0\r\n\r\n{hidden}"),
        ),
        (
            "chunk without its end",
            format!("{start}{chunked}\r\n5\r\n{{}}   0\r\n\r\n{hidden}"),
        ),
        (
            "1.0 with chunks",
            format!("{start}{chunked}content-length: 5\r\n\r\n0\r\n\r\n{hidden}")
                .replace(" HTTP/1.1", " HTTP/1.0"),
        ),
    ];
    let mut odd = Vec::new();
    for (name, bytes) in cases {
        let mut wire = house.wire().await;
        let _ = wire.send(&bytes).await;
        let first = wire.try_answer().await;
        let second = wire.try_answer().await;
        let refused = first
            .as_ref()
            .is_none_or(|answer| answer.status >= 400 && answer.status < 500);
        if !refused || second.is_some() {
            odd.push(format!(
                "{name}: {:?} and then {:?}",
                first.map(|a| a.status),
                second.map(|a| a.status)
            ));
        }
    }
    assert!(odd.is_empty(), "{odd:#?}");
    assert_eq!(asked(&house), before, "{:?}", house.sent("smuggled").len());

    // What is only unusual is a message like others: bare line feeds, trailers, an upgrade that nobody makes.
    let body = whole("sim:echo plain").to_string();
    let trailers = format!(
        "{start}{chunked}\r\n{:x}\r\n{body}\r\n0\r\nx-late: host\r\n\r\n",
        body.len()
    );
    let upgrade = format!(
        "{start}connection: upgrade\r\nupgrade: h2c\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    for (name, bytes) in [("trailers", trailers), ("upgrade", upgrade)] {
        let answer = ask_raw(&house, bytes).await.unwrap();
        assert_eq!(answer.content(), "plain", "{name}");
    }
    house.survives().await;
}

/// What a client nominates as its connection's business does not take our own headers away, and no header of a
/// client goes on to the service.
#[tokio::test(flavor = "multi_thread")]
async fn e07_nominated_headers() {
    let mut house = House::start().await;
    let lines = "connection: authorization, x-amz-target, content-length, x-internal\r\nx-internal: 1\r\nx-amz-target: Evil\r\nx-forwarded-for: 1.2.3.4\r\ncookie: a=b\r\nte: trailers\r\n";
    let answer = house
        .post_with(CHAT, lines, whole("nominated").to_string())
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let sent = house.sent("nominated");
    assert_eq!(sent.len(), 1);
    for name in ["x-internal", "x-forwarded-for", "cookie", "te"] {
        assert_eq!(sent[0].header(name), None);
    }
    assert_ne!(sent[0].header("x-amz-target"), Some("Evil"));
    assert!(
        sent[0]
            .header("authorization")
            .is_some_and(|value| !value.contains(KEY))
    );
    house.survives().await;
}

/// Line ends in a model's name, a user's id, a key of a session and a request's id add no header, on neither side.
#[tokio::test(flavor = "multi_thread")]
async fn e08_header_injection() {
    let mut house = House::start().await;
    let evil = "x\r\nx-evil: 1\r\n\r\nGET / HTTP/1.1";
    for members in [
        json!({"model": evil}),
        json!({"user": evil, "prompt_cache_key": evil, "safety_identifier": evil}),
        json!({"metadata": {"user_id": evil, evil: evil}}),
        json!({evil: evil}),
        json!({"tools": [{"type": "function", "function": {"name": evil}}]}),
    ] {
        let answer = house.chat(&with(whole("evil"), members)).await;
        assert!(
            [200, 400, 404].contains(&answer.status),
            "{}",
            answer.text()
        );
        assert_eq!(answer.header("x-evil"), None);
    }
    for id in ["a\tb", "a b", "a\"b", &"a".repeat(4096), "\u{1b}[31m"] {
        let answer = house
            .post_with(
                CHAT,
                &format!("x-request-id: {id}\r\n"),
                whole("evil").to_string(),
            )
            .await;
        let name = answer.header("x-request-id").map(str::to_owned);
        assert!(
            answer.status == 400 || name.is_some_and(|name| name.starts_with("req_")),
            "{id:?}"
        );
    }
    for one in house.sent("evil") {
        assert_eq!(one.header("x-evil"), None);
    }
    house.survives().await;
}

/// Line ends, colours and quotes in what a client sends break no line of the log, and long values do not fill it;
/// as text and as JSON.
#[tokio::test(flavor = "multi_thread")]
async fn e09_log_injection() {
    for format in ["text", "json"] {
        let plan = Plan::new()
            .set("LOG__FORMAT", format)
            .env("LOG_LEVEL", "info,kiro_gateway=trace");
        let mut house = plan.start().await;
        let forged =
            "x\n2026-01-01T00:00:00Z  INFO forged: line\r\n{\"level\":\"forged\"} \u{1b}[31m \"}";
        let long = "L".repeat(MIB);
        for text in [forged, &long] {
            let path = format!(
                "/v1/{}",
                text.replace([' ', '\r', '\n', '\u{1b}', '"', '{', '}', '['], "%0A")
            );
            let _ = house.post(&path[..path.len().min(8000)], "{}").await;
            let _ = house.chat(&with(whole("hi"), json!({"model": text}))).await;
            let _ = house
                .chat(&with(
                    whole("hi"),
                    json!({"user": text, "stop": text, "tool_choice": text}),
                ))
                .await;
            house.script(
                "refuse me",
                Script::new().http_error(400, json!({"message": text}), None),
            );
            let _ = house.chat(&whole("refuse me")).await;
            house.sim.clear_scripts();
        }
        house.survives().await;
        let log = house.program.log();
        for line in log.lines() {
            assert!(line.len() < 16 << 10, "{} bytes in a line", line.len());
            assert!(!line.contains('\u{1b}'), "{line}");
            match format {
                "json" => assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}"),
                _ => assert!(
                    line.starts_with("20") && line.as_bytes()[10] == b'T',
                    "{log}"
                ),
            }
            assert!(
                !line.starts_with("2026-01-01T00:00:00Z"),
                "{}",
                &log[..log.find(line).unwrap()][log.find(line).unwrap().saturating_sub(1500)..]
            );
        }
    }
}

/// The key and every token are in no log, no error, no page, and not in the environment or the arguments of the
/// process when they come from files; nor is a core dump written.
#[tokio::test(flavor = "multi_thread")]
async fn e10_secrets_in_no_output() {
    let mut house = Plan::new().in_file().start().await;
    let guest = house.sim.issue_social().refresh_token.unwrap();
    let mut told = String::new();
    house.sim.expire_access_tokens();
    for text in [
        "hi",
        "sim:error=400",
        "sim:error=403",
        "sim:html",
        "sim:cut",
        "sim:fault=internalServerException",
    ] {
        for body in [streamed(text), whole(text)] {
            let bytes = String::from_utf8(request(
                "POST",
                CHAT,
                "connection: close\r\n",
                body.to_string(),
            ))
            .unwrap();
            for key in [
                KEY.to_owned(),
                format!("{KEY}:{guest}"),
                format!("{KEY}:{}x", &guest[..guest.len() - 9]),
            ] {
                let mut wire = house.wire().await;
                wire.send(bytes.replace(&format!("Bearer {KEY}"), &format!("Bearer {key}")))
                    .await
                    .unwrap();
                told += &wire.rest().await;
            }
        }
    }
    for path in ["/", "/health", "/metrics", "/v1/models", "/v1/nothing"] {
        told += &house.get(path).await.text();
    }
    has_no_secret("an answer", &told);
    let process = format!("/proc/{}", house.program.pid());
    for file in ["cmdline", "comm", "limits"] {
        let text = fs::read_to_string(format!("{process}/{file}")).unwrap();
        has_no_secret(file, &text);
        let core = text
            .lines()
            .find(|line| line.starts_with("Max core file size"));
        assert!(
            core.is_none_or(|line| line.split_whitespace().nth(4) == Some("0")),
            "{core:?}"
        );
    }
    let environment = fs::read(format!("{process}/environ")).unwrap();
    let environment =
        String::from_utf8_lossy(&environment).replace(&format!("PROXY_API_KEY={KEY}"), "");
    has_no_secret("the environment", &environment);
    house.rests().await;
}

/// A question about a picture.
pub(super) fn look_at(url: &str) -> Value {
    let content = json!([{"type": "text", "text": "picture"}, {"type": "image_url", "image_url": {"url": url}}]);
    json!({"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": content}]})
}

/// Pictures at addresses that are not of the public internet, in every spelling, and by other schemes are
/// refused, and nobody is connected to.
#[tokio::test(flavor = "multi_thread")]
async fn e11_picture_urls_into_the_private_network() {
    let trap = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = trap.local_addr().unwrap().port();
    let ports = format!("80, 443, {port}");
    let mut house = Plan::new()
        .set("IMAGES__PORTS", &ports)
        .set("IMAGES__TIMEOUT", "5s")
        .start()
        .await;
    let before = asked(&house);
    for host in [
        "127.0.0.1",
        "127.1",
        "127.255.255.254",
        "0.0.0.0",
        "0",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "017700000001",
        "0177.0.0.1",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[fd00::1]",
        "[fe80::1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "x@127.0.0.1",
        "1.1.1.1@127.0.0.1",
        "127.0.0.1#@1.1.1.1",
        "127.0.0.1%2f",
    ] {
        let answer = house
            .chat(&look_at(&format!("http://{host}:{port}/a.png")))
            .await;
        assert_eq!(answer.error().0, 400, "{host}");
    }
    for url in [
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "ftp://127.0.0.1/a.png",
        "//127.0.0.1/a.png",
        "http:127.0.0.1",
        "http://",
        "http:///a.png",
        "javascript:1",
        "data:text/html;base64,PGI+",
        "jar:http://127.0.0.1!/",
        &format!("http://127.0.0.1:{port}@127.0.0.1:22/"),
        "http://127.0.0.1:22/",
    ] {
        assert_eq!(house.chat(&look_at(url)).await.error().0, 400, "{url}");
    }
    let came = tokio::time::timeout(std::time::Duration::from_millis(200), trap.accept()).await;
    assert!(came.is_err(), "somebody was connected to");
    assert_eq!(asked(&house), before);
    house.survives().await;
}

/// Members of a request that name another service or another key change nothing about where it goes.
#[tokio::test(flavor = "multi_thread")]
async fn e12_members_that_steer_the_route() {
    let mut house = House::start().await;
    let trap = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", trap.local_addr().unwrap());
    let members = json!({
        "api_base": url, "base_url": url, "endpoint": url, "api_key": "x", "region": "evil", "profileArn": "arn:evil",
        "extra_body": {"api_base": url}, "extra_headers": {"host": "evil"}, "litellm_params": {"api_base": url},
        "metadata": {"base_url": url}, "user_config": {"model_list": [{"litellm_params": {"api_base": url}}]},
    });
    for (path, request) in [
        (CHAT, whole("steered")),
        (MESSAGES, with(whole("steered"), json!({"max_tokens": 100}))),
        (
            RESPONSES,
            json!({"model": "claude-sonnet-4-5", "input": "steered"}),
        ),
    ] {
        let answer = house
            .post(path, with(request, members.clone()).to_string())
            .await;
        assert!(
            [200, 400].contains(&answer.status),
            "{path}: {}",
            answer.text()
        );
    }
    for one in house.sent("steered") {
        let body = String::from_utf8_lossy(&one.body);
        assert!(!body.contains(&url) && !body.contains("evil"), "{body}");
    }
    let came = tokio::time::timeout(std::time::Duration::from_millis(200), trap.accept()).await;
    assert!(came.is_err(), "somebody was connected to");
    house.survives().await;
}

/// A PNG whose header promises so many pixels, and so many bytes of nothing behind it.
pub(super) fn png_of(width: u32, height: u32, behind: usize) -> Vec<u8> {
    let mut header = b"IHDR".to_vec();
    header.extend([width.to_be_bytes(), height.to_be_bytes()].concat());
    header.extend([8, 6, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
    png.write_all(&header).unwrap();
    png.extend(crc32fast::hash(&header).to_be_bytes());
    png.resize(png.len() + behind, 0);
    png
}

/// A picture that promises more pixels than memory, and base64 that is none, are refused or passed on, and never
/// unpacked; with and without the setting that makes pictures smaller.
#[tokio::test(flavor = "multi_thread")]
async fn e13_decompression_bombs() {
    for scale in ["false", "true"] {
        let mut house = Plan::new().set("IMAGES__SCALE", scale).start().await;
        let before = house.program.holds().memory;
        for (width, height) in [
            (100_000, 100_000),
            (u32::MAX, u32::MAX),
            (65_500, 65_500),
            (0, 0),
        ] {
            let bomb = STANDARD.encode(png_of(width, height, 4096));
            let answer = house
                .chat(&look_at(&format!("data:image/png;base64,{bomb}")))
                .await;
            assert!(
                [200, 400, 413].contains(&answer.status),
                "{width}: {}",
                answer.text()
            );
        }
        let answer = house.chat(&look_at("data:image/png;base64,!!!!")).await;
        assert_eq!(answer.error().0, 400);
        let most = house.program.peak() - before;
        assert!(most < 256 * MIB, "{} MiB more at the peak", most / MIB);
        house.survives().await;
    }
}

/// HTTP/2 floods end their own connection: resets at once, a head without an end, a head that unpacks to megabytes.
/// Settings and pings without an end, and a window of nothing, hold no memory. The next client is served.
#[tokio::test(flavor = "multi_thread")]
async fn e14_http2_floods() {
    let plan = Plan::new()
        .env("LOG_LEVEL", "info")
        .set("SERVER__HEADER_TIMEOUT", "5s");
    let mut house = plan.start().await;
    let before = house.program.holds().memory;
    let end_of_head = http2::END_HEADERS | http2::END_STREAM;

    let mut resets = http2::open(&house, &[]).await;
    let cancel = 8_u32.to_be_bytes();
    for n in 0..5000 {
        let id = 2 * n + 1;
        let head = frame(
            http2::HEADERS,
            end_of_head,
            id,
            &http2::head("GET", "/health"),
        );
        let reset = frame(http2::RST_STREAM, 0, id, &cancel);
        if resets.send([head, reset].concat()).await.is_err() {
            break;
        }
    }
    assert_ne!(
        http2::goodbye(&mut resets).await,
        Some(0),
        "resets are no good manners"
    );

    let mut endless = http2::open(&house, &[]).await;
    let _ = endless
        .send(frame(http2::HEADERS, 0, 1, &http2::head("GET", "/health")))
        .await;
    let more = frame(
        http2::CONTINUATION,
        0,
        1,
        &http2::literal("x-more", &"y".repeat(8000)),
    );
    for _ in 0..5000 {
        if endless.send(&more).await.is_err() {
            break;
        }
    }
    let _ = http2::goodbye(&mut endless).await;

    // One large header into the table, then thousands of references to it, one byte each.
    let mut packed = http2::open(&house, &[]).await;
    let mut block = http2::head("GET", "/health");
    block.extend([0x40, 1, b'x', 127, 0x81, 0x1e]);
    block.extend([b'y'; 4000]);
    block.extend([0xbe; 12_000]);
    let _ = packed
        .send(frame(http2::HEADERS, end_of_head, 1, &block))
        .await;
    let answered = loop {
        match http2::next(&mut packed).await {
            Some(frame) if frame.stream == 1 => break Some(frame),
            Some(frame) if frame.kind == http2::GOAWAY => break None,
            Some(_) => {}
            None => break None,
        }
    };
    // 431 is spelled out in the head of the answer, or the stream is reset.
    let refused = |frame: http2::Frame| {
        frame.kind == http2::RST_STREAM
            || frame.payload.windows(3).any(|part| part == b"431")
            || frame.flags & http2::END_STREAM != 0
    };
    assert!(answered.is_none_or(refused), "48 MB of headers were read");

    for flood in [
        frame(http2::PING, 0, 0, &[7; 8]),
        frame(http2::SETTINGS, 0, 0, &[]),
    ] {
        let mut wire = http2::open(&house, &[]).await;
        let many = flood.repeat(1000);
        for _ in 0..100 {
            let sending = wire.send(&many);
            // Whoever reads no answers is not read either, at some point.
            match tokio::time::timeout(std::time::Duration::from_millis(500), sending).await {
                Ok(Ok(())) => {}
                _ => break,
            }
        }
    }

    // Settings: an initial window of 0.
    let mut still = http2::open(&house, &[0, 4, 0, 0, 0, 0]).await;
    for n in 0..100 {
        let head = frame(
            http2::HEADERS,
            end_of_head,
            2 * n + 1,
            &http2::head("GET", "/v1/models"),
        );
        still.send(head).await.unwrap();
    }
    let data = |frame: &http2::Frame| frame.kind == http2::DATA && !frame.payload.is_empty();
    for _ in 0..50 {
        let frame = http2::next(&mut still).await.unwrap();
        assert!(!data(&frame), "{frame:?}");
    }
    drop(still);
    let most = house.program.peak() - before;
    assert!(most < 64 * MIB, "{} MiB more at the peak", most / MIB);
    house.survives().await;
}

/// 5 000 connections that send nothing, or half a head, cost 16 KB each at most and hinder nobody.
#[tokio::test(flavor = "multi_thread")]
async fn e15_slowloris_5000() {
    let mut house = Plan::new()
        .env("LOG_LEVEL", "info")
        .set("SERVER__HEADER_TIMEOUT", "20s")
        .start()
        .await;
    let before = house.program.holds().memory;
    let mut slow = Vec::new();
    for n in 0..5000 {
        let mut wire = house.wire().await;
        if n % 2 == 0 {
            wire.send("GET /health HTTP/1.1\r\nx-slow: ").await.unwrap();
        }
        slow.push(wire);
    }
    assert_eq!(house.chat(&whole("And me?")).await.status, 200);
    let most = house.program.holds().memory.saturating_sub(before);
    assert!(most < 5000 * (16 << 10), "{} MiB for 5 000", most / MIB);
    drop(slow);
    house.survives().await;
}

/// 8 MB of one character, of two, and of white space are counted and sent within a request's time.
#[tokio::test(flavor = "multi_thread")]
async fn e16_prompts_that_blow_up_tokenizers() {
    let mut house = Plan::new().env("LOG_LEVEL", "info").start().await;
    for part in ["a", "🗼", " ", "\n", "aA1!"] {
        let text = part.repeat(8 * MIB / part.len());
        let counted =
            json!({"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": text}]});
        let answer = house
            .post(&format!("{MESSAGES}/count_tokens"), counted.to_string())
            .await;
        assert!(
            [200, 400].contains(&answer.status),
            "{part:?}: {}",
            answer.text()
        );
        let answer = house.chat(&whole(&text)).await;
        assert!(
            [200, 400].contains(&answer.status),
            "{part:?}: {}",
            answer.text()
        );
    }
    house.survives().await;
}

/// There is no password to begin with and nothing to administer: without a good key it does not start, and it
/// listens on loopback unless it is told otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn e17_no_default_password() {
    for (key, words) in [
        (None, "PROXY_API_KEY is not set"),
        (Some(""), "PROXY_API_KEY"),
        (Some("changeme"), "characters"),
    ] {
        let said = refused(key.map(|key| ("PROXY_API_KEY", key)).as_slice());
        assert!(said.contains(words), "{said}");
    }
    let mut house = House::start().await;
    assert!(house.address().ip().is_loopback());
    for path in [
        "/admin",
        "/ui",
        "/dashboard",
        "/config",
        "/v1/admin",
        "/api/settings",
        "/key/generate",
        "/login",
    ] {
        assert_eq!(house.get(path).await.status, 404, "{path}");
    }
    house.survives().await;
}

/// A key is its bytes: no other case, no other form of a letter and no space around is the same key.
#[tokio::test(flavor = "multi_thread")]
async fn e18_keys_are_bytes() {
    let mut house = House::start().await;
    let before = asked(&house);
    let body = whole("hi").to_string();
    let wide: String = KEY.replace('s', "ｓ");
    for key in [
        KEY.to_uppercase(),
        wide,
        KEY.replace('-', "%2d"),
        KEY.replace('-', "–"),
        format!("{KEY}\u{301}"),
    ] {
        for line in [
            format!("authorization: Bearer {key}\r\n"),
            format!("x-api-key: {key}\r\n"),
        ] {
            let asked = format!(
                "POST {CHAT} HTTP/1.1\r\nhost: x\r\n{line}content-length: {}\r\n\r\n{body}",
                body.len()
            );
            assert_eq!(ask_raw(&house, asked).await.unwrap().status, 401, "{line}");
        }
    }
    assert_eq!(asked(&house), before);
    house.survives().await;
}

/// Nothing is answered from a cache: the same question twice is two questions, whatever headers say.
#[tokio::test(flavor = "multi_thread")]
async fn e19_no_answer_from_a_cache() {
    let mut house = House::start().await;
    for n in 1..=4 {
        let lines = format!(
            "x-forwarded-host: evil-{n}\r\ncache-control: max-age=600\r\nif-none-match: *\r\n"
        );
        let answer = house
            .post_with(CHAT, &lines, whole("the same").to_string())
            .await;
        assert_eq!(answer.status, 200);
        assert!(!answer.head.contains("evil"), "{}", answer.head);
        assert_eq!(house.sent("the same").len(), n);
    }
    house.survives().await;
}

/// Every crate that the program is built from is locked with its checksum and comes from the public registry, and
/// the workflow checks advisories and licences.
#[test]
fn e20_dependencies_are_locked() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let read = |file: &str| fs::read_to_string(format!("{root}/{file}")).unwrap();
    let lock = read("Cargo.lock");
    let foreign: Vec<&str> = lock
        .split("[[package]]")
        .filter(|one| one.contains("source = "))
        .collect();
    assert!(foreign.len() > 100);
    for one in foreign {
        assert!(
            one.contains("registry+https://github.com/rust-lang/crates.io-index"),
            "{one}"
        );
        assert!(one.contains("checksum = "), "{one}");
    }
    let deny = read("deny.toml");
    assert!(
        deny.contains("unknown-registry = \"deny\"") && deny.contains("unknown-git = \"deny\"")
    );
    assert!(
        read(".github/workflows/ci.yml").contains("cargo-deny"),
        "the workflow runs it"
    );
}
