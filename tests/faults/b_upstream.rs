//! B: what the service does wrong. A broken stream never becomes a normal end.

use std::sync::Arc;
use std::time::Duration;

use kiro_sim::{Matcher, Rotation, Script, SignInFault, SimOptions, Simulator};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::support::{
    CHAT, House, KEY, MESSAGES, MIB, Plan, RESPONSES, SOON, ask, embedded, streamed, until, whole,
    with,
};

const FIRST: &str = "The first half ";

fn begun() -> Script {
    Script::new().text(FIRST)
}

/// A reply that breaks: in each dialect an error and no end, in one piece a status of 5xx; asked once.
async fn breaks(house: &House, name: &str, script: Script) -> Value {
    house.script(name, script);
    let (text, error) = house.chat(&streamed(name)).await.broken_off();
    assert_eq!(text, FIRST, "{name}: what came before is kept");
    assert_eq!(
        house.sent(name).len(),
        1,
        "{name}: no second attempt after the first byte"
    );

    let answer = house.chat(&whole(name)).await;
    assert!(answer.status >= 400, "{name}: {}", answer.text());
    let more = json!({"max_tokens": 100});
    let messages = house
        .post(MESSAGES, with(streamed(name), more).to_string())
        .await
        .text();
    assert!(messages.contains("event: error"), "{messages}");
    assert!(!messages.contains("message_stop"), "{messages}");
    let asked = json!({"model": "claude-sonnet-4-5", "stream": true, "input": name});
    let responses = house.post(RESPONSES, asked.to_string()).await.text();
    assert!(responses.contains("response.failed"), "{responses}");
    assert!(!responses.contains("response.completed"), "{responses}");
    error
}

/// A stream that ends without the last chunk is an error in each dialect, and never a normal end.
#[tokio::test(flavor = "multi_thread")]
async fn b01_end_without_terminating_chunk() {
    let mut house = House::start().await;
    let error = breaks(&house, "b01", begun().cut()).await;
    assert_eq!(error["code"], "upstream_error");
    house.survives().await;
}

/// A reset in the middle of a stream is an error in each dialect, and never a normal end.
#[tokio::test(flavor = "multi_thread")]
async fn b02_reset_in_mid_stream() {
    let mut house = House::start().await;
    breaks(&house, "b02", begun().reset()).await;
    house.survives().await;
}

/// A clean end of the body inside a frame, before or behind a whole one, is an error in each dialect.
#[tokio::test(flavor = "multi_thread")]
async fn b03_clean_end_inside_a_frame() {
    let mut house = House::start().await;
    breaks(&house, "b03-end", begun().end_inside_frame()).await;
    breaks(&house, "b03-cut", begun().cut_inside_frame()).await;
    house.survives().await;
}

/// A frame whose message checksum is wrong is an error; nothing behind it is trusted.
#[tokio::test(flavor = "multi_thread")]
async fn b04_message_crc_wrong_in_one_frame() {
    let mut house = House::start().await;
    let script = begun()
        .bad_message_crc()
        .text("never told")
        .stop("END_TURN");
    breaks(&house, "b04", script).await;
    house.survives().await;
}

/// A frame whose prelude checksum is wrong is an error; nothing behind it is trusted.
#[tokio::test(flavor = "multi_thread")]
async fn b05_prelude_crc_wrong() {
    let mut house = House::start().await;
    let script = begun()
        .bad_prelude_crc()
        .text("never told")
        .stop("END_TURN");
    breaks(&house, "b05", script).await;
    house.survives().await;
}

/// A length of 10 MB that the prelude checksum gives away, and one of 4 GiB that only a limit does, are errors
/// at once: the service hangs behind them, and nobody waits for the rest.
#[tokio::test(flavor = "multi_thread")]
async fn b06_length_field_lies() {
    let mut house = House::start().await;
    let before = house.program.holds().memory;
    breaks(&house, "b06-lie", begun().lying_length().hang()).await;
    breaks(
        &house,
        "b06-large",
        begun().oversize_length(u32::MAX).hang(),
    )
    .await;
    assert!(house.program.holds().memory < before + 64 * MIB);
    house.survives().await;
}

/// One header of a frame with its type, as bytes.
fn header(name: &str, kind: u8, value: &[u8]) -> Vec<u8> {
    let length = [u8::try_from(name.len()).unwrap()];
    [&length, name.as_bytes(), &[kind], value].concat()
}

fn text_header(name: &str, value: &str) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap().to_be_bytes();
    header(name, 7, &[&length, value.as_bytes()].concat())
}

/// A frame with both checksums right, whatever its lengths say. `None` takes the true length.
fn frame(headers: &[u8], payload: &[u8], total: Option<u32>, of_headers: Option<u32>) -> Vec<u8> {
    let len = |n: usize| u32::try_from(n).unwrap();
    let total = total.unwrap_or(len(headers.len() + payload.len() + 16));
    let of_headers = of_headers.unwrap_or(len(headers.len()));
    let mut out = [total.to_be_bytes(), of_headers.to_be_bytes()].concat();
    out.extend(crc32fast::hash(&out).to_be_bytes());
    out.extend([headers, payload].concat());
    out.extend(crc32fast::hash(&out).to_be_bytes());
    out
}

/// Lengths that cannot be, headers that overrun, names of no and of too many bytes, and unknown types are clean
/// errors; all ten types of values are read.
#[tokio::test(flavor = "multi_thread")]
async fn b07_frames_that_no_service_writes() {
    let mut house = House::start().await;
    let event = [
        text_header(":event-type", "assistantResponseEvent"),
        text_header(":message-type", "event"),
    ]
    .concat();
    let says = |extra: &[u8]| {
        frame(
            &[&event, extra].concat(),
            b"{\"content\":\"no\"}",
            None,
            None,
        )
    };
    let long = "n".repeat(255);
    let cases = [
        ("shorter than a frame", frame(&[], &[], Some(15), Some(0))),
        ("no length", frame(&[], &[], Some(0), Some(0))),
        (
            "more headers than frame",
            frame(&event, &[], None, Some(4000)),
        ),
        (
            "a header that overruns",
            says(&[3, b'a', b'b', b'c', 7, 255, 255]),
        ),
        ("a name without letters", says(&header("", 0, &[]))),
        ("a type that is none", says(&header("x", 10, &[0; 4]))),
        ("the last type of all", says(&header("x", 255, &[0; 4]))),
        ("a name that overruns", says(&[255, b'a', b'b'])),
    ];
    for (name, bytes) in cases {
        house.script(
            name,
            begun().raw_bytes(bytes).text("never").stop("END_TURN"),
        );
        let (text, _) = house.chat(&streamed(name)).await.broken_off();
        assert_eq!(text, FIRST, "{name}");
    }
    let sizes = [
        (0, 0),
        (1, 0),
        (2, 1),
        (3, 2),
        (4, 4),
        (5, 8),
        (8, 8),
        (9, 16),
    ];
    let mut values: Vec<u8> = sizes
        .iter()
        .flat_map(|(kind, size)| header(&format!("t{kind}"), *kind, &vec![1; *size]))
        .collect();
    values.extend(header("t6", 6, &[0, 2, 9, 9]));
    values.extend(text_header("t7", "text"));
    values.extend(header(&long, 0, &[]));
    house.script(
        "every type",
        Script::new().raw_bytes(says(&values)).stop("END_TURN"),
    );
    assert_eq!(house.chat(&streamed("every type")).await.whole_text(), "no");
    house.survives().await;
}

/// Cut into bytes, cut into any other size, or a hundred frames in one read: the same answer.
#[tokio::test(flavor = "multi_thread")]
async fn b08_frames_split_and_joined() {
    let mut house = House::start().await;
    let text = "Words, größer als 🗼, \"quoted\"\\ and\nbroken. ";
    for bytes in [1, 2, 3, 5, 7, 11, 13, 64, 100_000] {
        let name = format!("cut-into-{bytes}-bytes");
        let reply = Script::new().segments(bytes).text(text);
        let reply = reply.tool("look", json!({"at": text})).stop("TOOL_USE");
        house.script(&name, reply);
        let told = house.chat(&streamed(&name)).await.told();
        assert_eq!(told.text, text, "{bytes}");
        let arguments: Value = serde_json::from_str(&told.arguments).unwrap();
        assert_eq!(arguments, json!({"at": text}), "{bytes}");
        assert_eq!(told.finishes, ["tool_calls"]);
    }
    house.script("joined", Script::new().flood(100, 10, 100).stop("END_TURN"));
    assert_eq!(
        house.chat(&streamed("joined")).await.whole_text().len(),
        1000
    );
    house.survives().await;
}

/// Characters of two, three and four bytes that are cut between two reads arrive whole.
#[tokio::test(flavor = "multi_thread")]
async fn b09_characters_split_across_reads() {
    let mut house = House::start().await;
    let text = "é塔🗼👩‍👩‍👧 ".repeat(20);
    for bytes in 1..=4 {
        let name = format!("characters-{bytes}");
        house.script(
            &name,
            Script::new().segments(bytes).text(&text).stop("END_TURN"),
        );
        assert_eq!(house.chat(&streamed(&name)).await.whole_text(), text);
        assert_eq!(house.chat(&whole(&name)).await.content(), text);
    }
    house.survives().await;
}

/// The same token three times is told three times.
#[tokio::test(flavor = "multi_thread")]
async fn b10_same_token_three_times() {
    let mut house = House::start().await;
    let reply = || {
        Script::new()
            .text("ha")
            .text("ha")
            .text("ha")
            .stop("END_TURN")
    };
    house.script("laugh", reply());
    assert_eq!(house.chat(&streamed("laugh")).await.whole_text(), "hahaha");
    assert_eq!(house.chat(&whole("laugh")).await.content(), "hahaha");
    house.survives().await;
}

/// An exception in mid-stream is an error with the type that fits it: throttling, a context that is too long, a
/// request that is refused, a failure of the service.
#[tokio::test(flavor = "multi_thread")]
async fn b11_exception_in_mid_stream() {
    for (name, kind, payload, code) in [
        (
            "throttled",
            "ThrottlingException",
            json!({"message": "Too many requests.", "reason": "USER_REQUEST_RATE_EXCEEDED"}),
            json!("rate_limit_exceeded"),
        ),
        (
            "too long",
            "ValidationException",
            json!({"message": "Input is too long.", "reason": "CONTENT_LENGTH_EXCEEDS_THRESHOLD"}),
            json!("context_length_exceeded"),
        ),
        (
            "refused",
            "ValidationException",
            json!({"message": "Improperly formed request."}),
            Value::Null,
        ),
        (
            "internal",
            "InternalServerException",
            json!({"message": "Encountered an unexpected error."}),
            json!("upstream_error"),
        ),
    ] {
        // Its own, because the account rests after the first of them.
        let house = Plan::new().cold().start().await;
        house.script(name, begun().fault_frame(kind, payload));
        let (text, error) = house.chat(&streamed(name)).await.broken_off();
        assert_eq!((&*text, &error["code"]), (FIRST, &code), "{name}: {error}");
        house.log_is_clean();
    }
}

/// A frame of type `error` is an error as an exception is.
#[tokio::test(flavor = "multi_thread")]
async fn b12_error_frame_with_code() {
    let mut house = House::start().await;
    let script = begun().error_frame("InternalServerException", "boom at 10.0.0.1");
    let error = breaks(&house, "b12", script).await;
    assert!(!error.to_string().contains("10.0.0.1"), "{error}");
    house.survives().await;
}

/// Events of an unknown type and members that nobody knows change nothing.
#[tokio::test(flavor = "multi_thread")]
async fn b13_unknown_events_and_members() {
    let mut house = House::start().await;
    let says = json!({"content": "b", "somethingNew": [1, {"x": null}]});
    let reply = Script::new()
        .text("a")
        .unknown_event()
        .event("assistantResponseEvent", says);
    house.script("unknown", reply.unknown_event().text("c").stop("END_TURN"));
    assert_eq!(house.chat(&streamed("unknown")).await.whole_text(), "abc");
    let counted = || house.program.log().contains("ignored=2");
    until("the count in the log", counted).await;
    house.survives().await;
}

/// A 200 with a page of HTML or a document of JSON is a 502 that tells nothing of it.
#[tokio::test(flavor = "multi_thread")]
async fn b14_200_that_is_no_stream() {
    let mut house = Plan::new().set("UPSTREAM__MAX_RETRIES", "0").start().await;
    let html = "<html>for aorAAAAAGsecretsecretsecretsecretsecret</html>";
    house.script(
        "html",
        Script::new().step(kiro_sim::Step::Html(html.into())),
    );
    let json = br#"{"message": "hello", "token": "aoaAAAAAGsecretsecretsecretsecretsecret"}"#;
    house.script("json", Script::new().raw_bytes(json.to_vec()).no_tail());
    for name in ["html", "json"] {
        for body in [streamed(name), whole(name)] {
            let (status, message) = house.chat(&body).await.error();
            assert_eq!(status, 502, "{name}: {message}");
            assert!(
                !message.contains("secret") && !message.contains("hello"),
                "{message}"
            );
        }
    }
    house.survives().await;
}

/// Silence behind the head of the response is a 504, with keep-alives before it where the stream has begun.
#[tokio::test(flavor = "multi_thread")]
async fn b15_silence_before_the_first_event() {
    let mut house = Plan::new()
        .set("TIMEOUTS__FIRST_EVENT", "2s")
        .set("TIMEOUTS__LEAST_FIRST_EVENT", "2s")
        .set("TIMEOUTS__PATIENCE", "200ms")
        .set("TIMEOUTS__KEEP_ALIVE", "200ms")
        .set("UPSTREAM__MAX_RETRIES", "0")
        .start()
        .await;
    house.script("silence", Script::new().hang());
    assert_eq!(house.chat(&whole("silence")).await.error().0, 504);
    let answer = house.chat(&streamed("silence")).await;
    assert_eq!(answer.broken_off().1["code"], "upstream_timeout");
    assert!(answer.told().keep_alives >= 2, "{}", answer.text());
    until("the end upstream", || house.sim.open_streams() <= 1).await;
    house.survives().await;
}

/// A stream that hangs is an error after the longest gap, and the service's connection is closed.
#[tokio::test(flavor = "multi_thread")]
async fn b16_stream_hangs_in_the_middle() {
    let mut house = Plan::new()
        .set("TIMEOUTS__GAP", "1s")
        .set("TIMEOUTS__LEAST_GAP", "1s")
        .start()
        .await;
    let error = breaks(&house, "b16", begun().hang()).await;
    assert_eq!(error["code"], "upstream_timeout");
    house
        .sim
        .wait_until(|state| state.cancelled_streams == 4, SOON)
        .await
        .unwrap();
    house.survives().await;
}

/// A service that refuses connections, does not answer them, or has no address is a 502 or 504 within the
/// time for a connection.
#[tokio::test(flavor = "multi_thread")]
async fn b17_connection_refused_or_unanswered() {
    // Nobody accepts here, and the queue is full, so that the kernel drops what comes.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let black_hole = socket.listen(1).unwrap();
    let address = black_hole.local_addr().unwrap();
    let mut queue = Vec::new();
    while let Ok(Ok(one)) =
        tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await
    {
        queue.push(one);
        assert!(queue.len() < 64, "the queue is never full");
    }
    let black_hole = format!("http://{address}");
    for upstream in ["http://127.0.0.1:1", &black_hole, "https://nowhere.invalid"] {
        let mut house = Plan::new()
            .upstream(upstream)
            .set("TIMEOUTS__CONNECT", "500ms")
            .set("UPSTREAM__MAX_RETRIES", "1")
            .start()
            .await;
        let (status, message) = house.chat(&whole("hi")).await.error();
        assert!([502, 504].contains(&status), "{upstream}: {message}");
        let health = house.get("/health").await.json();
        assert_eq!(health["upstream"]["state"], "unreachable", "{upstream}");
        house.rests().await;
    }
}

/// A certificate for a name, and its key, as a server of TLS.
fn tls_for(name: &str, ends: i32) -> (Arc<rustls::ServerConfig>, CertificateDer<'static>) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(ends, 1, 1);
    let cert = params.self_signed(&key).unwrap().der().clone();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.clone()], key)
        .unwrap();
    (Arc::new(server), cert)
}

/// A certificate that has expired, that is another host's, that nobody known has signed, a server that knows TLS 1.0
/// alone, and one that hangs up in the handshake are a 502; nothing is sent to them.
#[tokio::test(flavor = "multi_thread")]
async fn b18_tls_that_cannot_be_trusted() {
    let sim = Simulator::start(SimOptions::default()).await.unwrap();
    let guests = || -> kiro_gateway::MakePool { Box::new(|_| kiro_auth::Pool::new(Vec::new())) };
    for (name, host, ends, trusted) in [
        ("good", "127.0.0.1", 2999, true),
        ("expired", "127.0.0.1", 2020, true),
        ("another host", "kiro.example", 2999, true),
        ("unknown", "127.0.0.1", 2999, false),
    ] {
        let (server, cert) = tls_for(host, ends);
        let mut options = SimOptions::default();
        options.tls = Some(server);
        let upstream = Simulator::start(options).await.unwrap();
        let mut roots = rustls::RootCertStore::empty();
        if trusted {
            roots.add(cert).unwrap();
        }
        let tls = embedded::trusting(roots);
        let address = embedded::gateway(&sim, &upstream.base_url(), tls, guests()).await;
        let answer = ask(address, KEY, &whole(name)).await;
        if name == "good" {
            // Its tokens are another simulator's, so it is refused after the handshake.
            assert!(upstream.state().requests > 0, "{}", answer.text());
        } else {
            assert_eq!(answer.error().0, 502, "{name}");
            assert_eq!(upstream.state().requests, 0, "{name}: nothing is sent");
        }
    }
    // The first bytes of a server that chose TLS 1.0, and none at all.
    for hello in [&b"\x15\x03\x01\0\x02\x02\x46"[..], b""] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let read = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(hello).await;
                assert!(read.is_ok());
            }
        });
        let mut house = Plan::new().upstream(&url).start().await;
        assert_eq!(house.chat(&whole("hi")).await.error().0, 502);
        house.rests().await;
    }
}

/// A connection that the service closed while it was idle costs one attempt on a new one, and no error.
#[tokio::test(flavor = "multi_thread")]
async fn b19_pooled_connection_closed_between_requests() {
    let mut house = House::start().await;
    for n in 0..5 {
        let name = format!("after-close-{n}.");
        house.sim.close_idle_connections();
        assert_eq!(house.chat(&whole(&name)).await.status, 200);
        assert!(house.sent(&name).len() <= 2);
    }
    house.survives().await;
}

/// A 429 goes on to the client with its time to wait; the credential rests meanwhile, and nobody asks.
#[tokio::test(flavor = "multi_thread")]
async fn b20_429_and_a_storm_of_500() {
    let mut house = House::start().await;
    let body = json!({"message": "Too many requests.", "reason": "USER_REQUEST_RATE_EXCEEDED"});
    let slow_down = Script::new().http_error(429, body, Some(Duration::from_secs(120)));
    house
        .sim
        .script(Matcher::any().text_contains("hurry").times(1), slow_down);
    for _ in 0..20 {
        let answer = house.chat(&whole("hurry")).await;
        assert_eq!(answer.error().0, 429);
        let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=120).contains(&wait), "{wait}");
    }
    assert_eq!(house.sent("hurry").len(), 1, "it rests");
    house.rests().await;

    let house = Plan::new().cold().start().await;
    house.script("storm", Script::new().http_error(500, json!({}), None));
    let mut asking = JoinSet::new();
    for _ in 0..50 {
        let mut wire = house.open(&whole("storm")).await;
        asking.spawn(async move { wire.answer().await.error().0 });
    }
    for status in asking.join_all().await {
        assert!([502, 503].contains(&status), "{status}");
    }
    let sent = house.sent("storm").len();
    assert!(sent <= 50 + 10 + 10, "{sent} attempts for 50 requests");
    house.log_is_clean();
}

/// While the service answers 503 to all, it sees at most a fifth more than the clients ask, beyond the ten
/// retries that were saved before.
#[tokio::test(flavor = "multi_thread")]
async fn b21_burst_of_5xx() {
    let mut house = Plan::new().start().await;
    house.script("burst", Script::new().http_error(503, json!({}), None));
    let mut asking = JoinSet::new();
    for _ in 0..100 {
        let mut wire = house.open(&whole("burst")).await;
        asking.spawn(async move { wire.answer().await.status });
    }
    for status in asking.join_all().await {
        assert!([502, 503].contains(&status), "{status}");
    }
    let sent = house.sent("burst").len();
    assert!(sent <= 120 + 10, "{sent} attempts for 100 requests");
    house.rests().await;
}

/// An account without quota, and one that is locked, rest; others serve, and when none is left the error says
/// why.
#[tokio::test(flavor = "multi_thread")]
async fn b22_quota_used_up_and_account_locked() {
    let mut house = Plan::new().accounts(3).start().await;
    house.sim.set_credits_used(house.accounts[0].account, 1e9);
    house.sim.suspend(house.accounts[1].account, true);
    for n in 0..12 {
        let answer = house.chat(&whole(&format!("question {n}"))).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let asked = |n: usize| {
        let account = house.accounts[n].account;
        let sent = house.sent("question");
        sent.iter()
            .filter(|one| one.account == Some(account))
            .count()
    };
    assert!(
        asked(0) <= 1 && asked(1) <= 1,
        "they rest after the first refusal"
    );
    house.sim.set_credits_used(house.accounts[2].account, 1e9);
    let answer = house.chat(&whole("the last question")).await;
    let (status, message) = answer.error();
    assert!([429, 503].contains(&status), "{message}");
    assert!(
        !message.contains("login-") && !message.contains("arn:"),
        "{message}"
    );
    house.rests().await;
}

/// 1 000 requests whose access token has expired cost one refresh, and all of them are answered.
#[tokio::test(flavor = "multi_thread")]
async fn b23_403_expired_token_1000_at_once() {
    let mut house = Plan::new().env("LOG_LEVEL", "info").start().await;
    let account = house.accounts[0].account;
    let before = house.sim.refreshes(account);
    house.sim.expire_access_tokens();
    let mut asking = JoinSet::new();
    for _ in 0..1000 {
        let mut wire = house.open(&whole("sim:tokens=2 crowd")).await;
        asking.spawn(async move { wire.answer().await });
    }
    for answer in asking.join_all().await {
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(house.sim.refreshes(account), before + 1);
    house.survives().await;
}

/// A 403 that no new token cures costs one refresh for each request at most, and then it is an error.
#[tokio::test(flavor = "multi_thread")]
async fn b24_403_that_is_no_expiry() {
    let mut house = House::start().await;
    let account = house.accounts[0].account;
    let before = house.sim.refreshes(account);
    let message = "The bearer token included in the request is invalid.";
    let body = json!({"message": message, "reason": null});
    house.script("no entry", Script::new().http_error(403, body, None));
    for _ in 0..5 {
        let (status, message) = house.chat(&whole("no entry")).await.error();
        assert!(status >= 400, "{message}");
    }
    let refreshes = house.sim.refreshes(account) - before;
    assert!(refreshes <= 1, "{refreshes} refreshes");
    assert!(house.sent("no entry").len() <= 10);
    house.rests().await;
}

/// A token that is still valid serves while its refresh fails; an answer that was lost after the rotation is
/// asked for again, and the service goes on.
#[tokio::test(flavor = "multi_thread")]
async fn b25_refresh_slow_failing_or_lost() {
    // Stale from the start, and valid.
    let plan = Plan::new().sim(|sim| sim.token_lifetime = Duration::from_secs(200));
    let mut house = plan.start().await;
    house.sim.fail_sign_in(SignInFault::ServerError);
    assert_eq!(house.chat(&whole("while it fails")).await.status, 200);
    house
        .sim
        .fail_sign_in(SignInFault::Delayed(Duration::from_secs(30)));
    assert_eq!(house.chat(&whole("while it is slow")).await.status, 200);
    house.survives().await;

    let grace = Rotation::AlwaysGrace(Duration::from_secs(600));
    let mut house = Plan::new().sim(|sim| sim.rotation = grace).start().await;
    house.sim.fail_sign_in(SignInFault::AnswerLost);
    house.sim.expire_access_tokens();
    assert_eq!(house.chat(&whole("after the loss")).await.status, 200);
    house.survives().await;
}

/// A refresh token that is dead is not tried again and again; the other account serves, and the log says that
/// a login is over.
#[tokio::test(flavor = "multi_thread")]
async fn b26_invalid_grant() {
    let mut house = Plan::new().accounts(2).start().await;
    let dead = house.accounts[0].account;
    house.sim.revoke(dead);
    let before = house.sim.state().requests;
    for n in 0..20 {
        let answer = house.chat(&whole(&format!("after death {n}"))).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let requests = house.sim.state().requests - before;
    assert!(requests <= 20 + 6, "{requests} requests for 20 answers");
    let told = || house.program.log().contains("must be signed in again");
    until("what the operator learns", told).await;
    house.survives().await;
}

/// A token that is said to live for no time at all is used until it is refused, and not refreshed in a loop.
#[tokio::test(flavor = "multi_thread")]
async fn b27_lifetimes_that_cannot_be() {
    let plan = Plan::new().sim(|sim| sim.token_lifetime = Duration::from_secs(1));
    let house = plan.cold().start().await;
    for n in 0..5 {
        let answer = house.chat(&whole(&format!("short life {n}"))).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let refreshes = house.sim.refreshes(house.accounts[0].account);
    assert!((1..=10).contains(&refreshes), "{refreshes}");
    house.log_is_clean();
}

/// The arguments of a tool call arrive byte for byte, in pieces, empty or not JSON at all.
#[tokio::test(flavor = "multi_thread")]
async fn b28_tool_arguments_in_pieces_and_invalid() {
    let mut house = House::start().await;
    for (name, pieces) in [
        ("whole", &["{\"a\": 1}"][..]),
        ("pieces", &["{\"", "a\\u00", "e9\": \"", "\\\"塔", "\"}"]),
        ("spaces", &["{ \"a\" :", "  1.0e3 , \"a\": 2}"]),
        ("broken", &["{\"a\": ", "[1, 2"]),
        ("no json", &["hello ", "there"]),
    ] {
        let reply = Script::new().tool_pieces("look", pieces).stop("TOOL_USE");
        house.script(&format!("arguments {name}."), reply);
        let told = house
            .chat(&streamed(&format!("arguments {name}.")))
            .await
            .told();
        assert_eq!(told.arguments, pieces.concat(), "{name}");
        // What is no JSON object was cut off, as far as anybody can tell.
        let finish = if serde_json::from_str::<Value>(&told.arguments).is_ok() {
            "tool_calls"
        } else {
            "length"
        };
        assert_eq!(told.finishes, [finish], "{name}");
    }
    house.survives().await;
}

/// A stream without an end costs as much memory as a short one: 128 MB pass through 32.
#[tokio::test(flavor = "multi_thread")]
async fn b29_endless_stream() {
    let plan = Plan::new().sim(|sim| sim.credit_quota = 1e12);
    let mut house = plan.env("LOG_LEVEL", "info").start().await;
    house.script(
        "endless",
        Script::new().flood(16 << 10, 8 << 10, 16).stop("END_TURN"),
    );
    let before = house.program.holds().memory;
    let mut wire = house.open(&streamed("endless")).await;
    let mut passed = 0;
    while passed < 128 * MIB && wire.more().await {
        passed += wire.seen().len();
        wire.drain(wire.seen().len());
    }
    assert_eq!(passed / MIB, 128);
    drop(wire);
    let most = house.program.peak() - before;
    assert!(most < 32 * MIB, "{} MiB more at the peak", most / MIB);
    house.survives().await;
}

/// A redirect of the service is an error, and nobody is asked with the credential where it leads.
#[tokio::test(flavor = "multi_thread")]
async fn b30_redirect_from_upstream() {
    let trap = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = elsewhere.local_addr().unwrap();
    let url = format!("http://{}", trap.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = trap.accept().await {
            let _ = stream.read(&mut [0; 65536]).await;
            let answer = format!(
                "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{target}/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let plan = Plan::new().upstream(&url).set("UPSTREAM__MAX_RETRIES", "0");
    let mut house = plan.start().await;
    for body in [streamed("hi"), whole("hi")] {
        assert_eq!(house.post(CHAT, body.to_string()).await.error().0, 502);
    }
    let came = tokio::time::timeout(Duration::from_millis(200), elsewhere.accept()).await;
    assert!(came.is_err(), "it was followed");
    house.rests().await;
}
