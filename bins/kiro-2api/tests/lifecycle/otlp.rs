//! Traces and metrics reach a collector before the process ends, and a collector that is not there holds nobody up.

use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use super::*;

/// What a collector was sent: the head and the body, whose texts protobuf leaves as they are.
type Sent = (String, Vec<u8>);

/// A collector that accepts everything.
fn collector() -> (String, Receiver<Sent>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let sender = sender.clone();
            std::thread::spawn(move || {
                let mut stream = BufReader::new(stream.unwrap());
                while let Some(sent) = receive(&mut stream) {
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                    stream.get_mut().write_all(answer).unwrap();
                    let _ = sender.send(sent);
                }
            });
        }
    });
    (address, receiver)
}

fn receive(stream: &mut BufReader<TcpStream>) -> Option<Sent> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.parse().unwrap())
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn contains(body: &[u8], words: &str) -> bool {
    body.windows(words.len())
        .any(|part| part == words.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_is_told_to_the_collector_before_the_end() {
    let (sim, folder) = (simulator().await, tempfile::tempdir().unwrap());
    configure(folder.path(), &sim, &with_account(&sim), "");
    let (address, received) = collector();
    // The names that all programs read.
    let environment = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*address),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "authorization=Bearer of-the-collector",
        ),
        ("OTEL_SERVICE_NAME", "gateway-of-mine"),
    ];
    let served = Logged::serve(folder.path(), "127.0.0.1:0", &environment);
    assert_eq!(served.status(KEY), 200);
    served.send("-TERM");
    let log = served.log.clone();
    assert_eq!(served.ended(), Some(0));
    let mut paths = Vec::new();
    while let Ok((head, body)) = received.try_recv() {
        assert!(
            head.contains("authorization: Bearer of-the-collector"),
            "{head}"
        );
        assert!(contains(&body, "gateway-of-mine"));
        assert!(contains(&body, "claude-sonnet-4.5"));
        for hidden in [KEY, question()["messages"][0]["content"].as_str().unwrap()] {
            assert!(!contains(&body, hidden), "{hidden}");
        }
        paths.push(head.split(' ').nth(1).unwrap().to_owned());
    }
    paths.sort();
    paths.dedup();
    assert_eq!(paths, ["/v1/metrics", "/v1/traces"]);
    let log = fs::read_to_string(log).unwrap();
    assert!(!log.contains("of-the-collector"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_not_there_is_logged_and_no_more() {
    let (sim, folder) = (simulator().await, tempfile::tempdir().unwrap());
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let telemetry = format!("[telemetry]\notlp_endpoint = \"http://{nobody}\"");
    configure(folder.path(), &sim, &with_account(&sim), &telemetry);
    let served = Logged::serve(folder.path(), "127.0.0.1:0", &[]);
    assert_eq!(served.status(KEY), 200);
    served.send("-TERM");
    let log = served.log.clone();
    assert_eq!(served.ended(), Some(0));
    let log = fs::read_to_string(log).unwrap();
    assert!(log.contains("did not reach the collector"), "{log}");
}

#[test]
fn a_collector_without_a_scheme_is_refused_by_name() {
    let environment = [
        ("PROXY_API_KEY", KEY),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
    ];
    for command in ["serve", "check"] {
        let output = output(&[command], &environment);
        assert!(!output.status.success());
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("telemetry.otlp_endpoint"), "{told}");
        assert!(told.contains("http://"), "{told}");
    }
}
