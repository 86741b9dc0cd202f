//! What every surface owes its clients, asked of each: the shared path serves them all, and each says it in
//! its own words.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request};
use http_body_util::{BodyExt as _, Full};
use kiro_gateway::{GatewayOptions, ServerOptions};
use kiro_sim::{Matcher, Operation, Script, SimOptions};
use serde_json::{Value, json};
use support::{Answer, House, KEY, SOON, client_tls, with};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// A dialect, as far as its words differ from the others'.
struct Dialect {
    name: &'static str,
    path: &'static str,
    /// The header that holds the key, and what stands before it.
    key: (&'static str, &'static str),
    /// A question in one piece.
    question: fn(&str) -> Value,
    /// What turns it into a streamed one that tells its usage.
    streaming: fn() -> Value,
    /// The member that limits the answer.
    limit: &'static str,
    /// The member that holds the conversation, where errors have a member that names one.
    conversation: Option<&'static str>,
    read_whole: fn(&Value) -> Told,
    read_stream: fn(&str) -> Told,
    /// The words for a normal end and for one at the limit.
    ends: [&'static str; 2],
    /// The class of an error, in its body or event.
    class: fn(&Value) -> Option<&str>,
    words: Words,
}

/// The classes of errors.
struct Words {
    wrong_key: &'static str,
    /// OpenAI has no code for it.
    no_key: Option<&'static str>,
    rate_limit: &'static str,
    overflow: &'static str,
    broken: &'static str,
    shutting_down: (u16, &'static str),
}

/// What an answer says.
#[derive(Debug, Default)]
struct Told {
    text: String,
    /// The word for its end; a stream that broke has none.
    end: Option<String>,
    /// Tokens in and out.
    usage: (u64, u64),
    /// The body of the error that ended it.
    error: Option<Value>,
    /// How many of its events say nothing.
    keep_alives: usize,
}

const OPENAI: Words = Words {
    wrong_key: "invalid_api_key",
    no_key: None,
    rate_limit: "rate_limit_exceeded",
    overflow: "context_length_exceeded",
    broken: "upstream_error",
    shutting_down: (503, "server_shutting_down"),
};

const ANTHROPIC: Words = Words {
    wrong_key: "authentication_error",
    no_key: Some("authentication_error"),
    rate_limit: "rate_limit_error",
    overflow: "invalid_request_error",
    broken: "api_error",
    shutting_down: (529, "overloaded_error"),
};

const DIALECTS: [Dialect; 3] = [
    Dialect {
        name: "chat",
        path: "/v1/chat/completions",
        key: ("authorization", "Bearer "),
        question: support::whole,
        streaming: || json!({"stream": true, "stream_options": {"include_usage": true}}),
        limit: "max_tokens",
        conversation: Some("messages"),
        read_whole: chat_whole,
        read_stream: chat_stream,
        ends: ["stop", "length"],
        class: |body| body["error"]["code"].as_str(),
        words: OPENAI,
    },
    Dialect {
        name: "responses",
        path: "/v1/responses",
        key: ("authorization", "Bearer "),
        question: |text| json!({"model": "claude-sonnet-4-5", "input": text}),
        streaming: || json!({"stream": true}),
        limit: "max_output_tokens",
        conversation: Some("input"),
        read_whole: response,
        read_stream: response_stream,
        ends: ["completed", "incomplete"],
        class: |body| body["error"]["code"].as_str(),
        words: OPENAI,
    },
    Dialect {
        name: "messages",
        path: "/v1/messages",
        key: ("x-api-key", ""),
        question: |text| {
            let messages = json!([{"role": "user", "content": text}]);
            json!({"model": "claude-sonnet-4-5", "max_tokens": 1000, "messages": messages})
        },
        streaming: || json!({"stream": true}),
        limit: "max_tokens",
        conversation: None,
        read_whole: message,
        read_stream: message_stream,
        ends: ["end_turn", "max_tokens"],
        class: |body| body["error"]["type"].as_str(),
        words: ANTHROPIC,
    },
];

fn chat_usage(usage: &Value) -> (u64, u64) {
    let count = |name: &str| usage[name].as_u64().unwrap();
    (count("prompt_tokens"), count("completion_tokens"))
}

fn usage(usage: &Value) -> (u64, u64) {
    let count = |name: &str| usage[name].as_u64().unwrap();
    (count("input_tokens"), count("output_tokens"))
}

fn owned(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn chat_whole(body: &Value) -> Told {
    let choice = &body["choices"][0];
    Told {
        text: owned(&choice["message"]["content"]).unwrap(),
        end: owned(&choice["finish_reason"]),
        usage: chat_usage(&body["usage"]),
        ..Told::default()
    }
}

fn chat_stream(stream: &str) -> Told {
    let mut told = Told::default();
    let stream = stream.strip_suffix("data: [DONE]\n\n").expect(stream);
    for event in stream.split_terminator("\n\n") {
        assert!(told.error.is_none(), "after the error: {event}");
        let chunk: Value = serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap();
        if chunk.get("error").is_some() {
            told.error = Some(chunk);
            continue;
        }
        if chunk["usage"].is_object() {
            told.usage = chat_usage(&chunk["usage"]);
            continue;
        }
        let choice = &chunk["choices"][0];
        if let Some(end) = owned(&choice["finish_reason"]) {
            assert_eq!(told.end.replace(end), None, "one end");
        } else if choice["delta"] == json!({}) {
            told.keep_alives += 1;
        }
        told.text += choice["delta"]["content"].as_str().unwrap_or_default();
    }
    told
}

/// The events of a stream whose events have names.
fn named_events(stream: &str) -> Vec<Value> {
    assert!(stream.ends_with("\n\n"), "the last event is whole");
    let events = stream.split_terminator("\n\n");
    let events = events.filter(|event| !event.starts_with(':'));
    let events = events.map(|event| {
        let (name, data) = event.split_once("\ndata: ").unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!(name, format!("event: {}", data["type"].as_str().unwrap()));
        data
    });
    events.collect()
}

fn response(body: &Value) -> Told {
    let output = body["output"].as_array().unwrap();
    let parts = output
        .iter()
        .flat_map(|item| item["content"].as_array().unwrap());
    Told {
        text: parts.map(|part| part["text"].as_str().unwrap()).collect(),
        end: owned(&body["status"]),
        usage: usage(&body["usage"]),
        ..Told::default()
    }
}

fn response_stream(stream: &str) -> Told {
    let events = named_events(stream);
    let mut told = Told::default();
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number);
        match event["type"].as_str().unwrap() {
            "response.output_text.delta" => told.text += event["delta"].as_str().unwrap(),
            "response.in_progress" => told.keep_alives += 1,
            "error" => told.error = Some(event.clone()),
            "response.completed" | "response.incomplete" => {
                assert!(told.error.is_none() && number + 1 == events.len());
                let last = response(&event["response"]);
                assert_eq!(last.text, told.text, "the end says what the pieces say");
                (told.end, told.usage) = (last.end, last.usage);
            }
            "response.failed" => assert!(told.error.is_some() && number + 1 == events.len()),
            _ => assert!(told.error.is_none(), "after the error: {event}"),
        }
    }
    // The first of them belongs to the beginning.
    told.keep_alives = told.keep_alives.saturating_sub(1);
    let last = events.last().unwrap()["type"].as_str().unwrap();
    assert_eq!(last == "response.failed", told.error.is_some(), "{last}");
    told
}

fn message(body: &Value) -> Told {
    let blocks = body["content"].as_array().unwrap();
    let texts = blocks.iter().map(|block| block["text"].as_str().unwrap());
    Told {
        text: texts.collect(),
        end: owned(&body["stop_reason"]),
        usage: usage(&body["usage"]),
        ..Told::default()
    }
}

fn message_stream(stream: &str) -> Told {
    let events = named_events(stream);
    let mut told = Told::default();
    let (mut open, mut ended) = (None, false);
    for event in &events {
        assert!(!ended && told.error.is_none(), "after the end: {event}");
        match event["type"].as_str().unwrap() {
            "message_start" => assert!(told.text.is_empty() && told.end.is_none()),
            "ping" => told.keep_alives += 1,
            "content_block_start" => assert_eq!(open.replace(event["index"].clone()), None),
            "content_block_delta" => {
                assert_eq!(open.as_ref(), Some(&event["index"]));
                told.text += event["delta"]["text"].as_str().unwrap();
            }
            "content_block_stop" => assert_eq!(open.take().as_ref(), Some(&event["index"])),
            "message_delta" => {
                assert_eq!(open, None, "every block is closed");
                (told.end, told.usage) = (
                    owned(&event["delta"]["stop_reason"]),
                    usage(&event["usage"]),
                );
            }
            "message_stop" => ended = true,
            "error" => told.error = Some(event.clone()),
            other => panic!("no such event: {other}"),
        }
    }
    assert_eq!(ended, told.error.is_none(), "one end or one error");
    assert_eq!(ended, told.end.is_some());
    told
}

impl Dialect {
    fn streamed(&self, text: &str) -> Value {
        with((self.question)(text), (self.streaming)())
    }

    /// The question in one piece and streamed.
    fn both(&self, text: &str) -> [Value; 2] {
        [(self.question)(text), self.streamed(text)]
    }

    fn request(&self, house: &House, key: &str, body: &Value) -> Request<Full<Bytes>> {
        let mut request = house.request(Method::POST, self.path, body.to_string());
        let (header, scheme) = self.key;
        let key = HeaderValue::from_str(&format!("{scheme}{key}")).unwrap();
        request.headers_mut().remove("authorization");
        request.headers_mut().insert(header, key);
        request
    }

    async fn ask(&self, house: &House, body: &Value) -> Answer {
        house.ask(self.request(house, KEY, body)).await
    }

    /// Asks for an answer with status 200, in whichever way, and reads it.
    async fn told(&self, house: &House, body: &Value) -> Told {
        self.read(&self.ask(house, body).await)
    }

    fn read(&self, answer: &Answer) -> Told {
        assert_eq!(answer.status, 200, "{}: {:?}", self.name, answer.body);
        match answer.header("content-type") {
            Some("application/json") => (self.read_whole)(&answer.json()),
            kind => {
                assert_eq!(kind, Some("text/event-stream; charset=utf-8"));
                (self.read_stream)(std::str::from_utf8(&answer.body).unwrap())
            }
        }
    }

    /// Status and class of a refusal.
    fn refusal(&self, answer: &Answer) -> (u16, Option<String>) {
        let body = answer.json();
        let class = (self.class)(&body).map(str::to_owned);
        (answer.status.as_u16(), class)
    }

    /// Class of the error that ended a stream; it has no normal end beside it.
    fn broken_off(&self, told: &Told) -> String {
        assert_eq!(told.end, None, "{}: {told:?}", self.name);
        let error = told.error.as_ref().unwrap();
        (self.class)(error).unwrap().to_owned()
    }

    /// Sends a request on a connection of its own.
    async fn send_alone(&self, house: &House, body: &Value) -> TcpStream {
        let (body, (header, scheme)) = (body.to_string(), self.key);
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: x\r\n{header}: {scheme}{KEY}\r\ncontent-length: {}\r\n\r\n",
            self.path,
            body.len()
        );
        let mut stream = TcpStream::connect(house.address).await.unwrap();
        stream.write_all((head + &body).as_bytes()).await.unwrap();
        stream
    }
}

/// A house whose service answers every question so.
async fn house_that_says(script: Script) -> House {
    let house = House::start().await;
    house.sim.script(Matcher::any(), script);
    house
}

async fn cancelled(house: &House, n: u64) {
    house
        .sim
        .wait_until(|state| state.cancelled_streams == n, SOON)
        .await
        .unwrap();
}

async fn streaming(house: &House) {
    house
        .sim
        .wait_until(|state| state.open_streams == 1, SOON)
        .await
        .unwrap();
}

#[tokio::test]
async fn an_answer_whole_and_streamed_says_the_same_and_tells_its_usage() {
    let script = Script::new().text("Forty-").text("two — 😀\n\"").text("!");
    let house = house_that_says(script.stop("END_TURN")).await;
    let mut usages = Vec::new();
    for dialect in &DIALECTS {
        for question in dialect.both("what?") {
            let told = dialect.told(&house, &question).await;
            assert_eq!(told.text, "Forty-two — 😀\n\"!", "{}", dialect.name);
            assert_eq!(told.end.as_deref(), Some(dialect.ends[0]));
            assert!(told.usage.0 > 0 && told.usage.1 > 0, "{told:?}");
            usages.push(told.usage);
        }
    }
    let first = usages[0];
    assert!(usages.iter().all(|usage| *usage == first), "{usages:?}");
}

#[tokio::test]
async fn a_wrong_key_and_no_key_are_refused() {
    let house = House::start().await;
    for dialect in &DIALECTS {
        for question in dialect.both("hi") {
            let wrong = house.ask(dialect.request(&house, "sk-wrong", &question));
            let class = Some(dialect.words.wrong_key.to_owned());
            assert_eq!(dialect.refusal(&wrong.await), (401, class));

            let mut request = dialect.request(&house, KEY, &question);
            request.headers_mut().remove(dialect.key.0);
            let none = house.ask(request).await;
            let class = dialect.words.no_key.map(str::to_owned);
            assert_eq!(dialect.refusal(&none), (401, class));
        }
    }
    assert_eq!(house.sim.requests_for(Operation::Generate).len(), 0);
}

#[tokio::test]
async fn a_tenant_is_served_by_a_credential_of_its_own() {
    let house = House::start().await;
    let tenants = [house.sim.issue_social(), house.sim.issue_social()];
    for dialect in &DIALECTS {
        for question in dialect.both("hi") {
            for tenant in &tenants {
                let refresh_token = tenant.refresh_token.as_ref().unwrap();
                let key = format!("{KEY}:{refresh_token}");
                let request = dialect.request(&house, &key, &question);
                dialect.read(&house.ask(request).await);
                let served = house.sim.requests_for(Operation::Generate);
                let served = served.last().unwrap().account;
                assert_eq!(served, Some(tenant.account), "{}", dialect.name);
            }
            dialect.told(&house, &question).await;
            let served = house.sim.requests_for(Operation::Generate);
            let served = served.last().unwrap().account.unwrap();
            assert!(tenants.iter().all(|tenant| tenant.account != served));
        }
    }
}

#[tokio::test]
async fn a_retry_before_the_first_event_is_not_seen() {
    for dialect in &DIALECTS {
        for question in dialect.both("x") {
            let house = House::start().await;
            house
                .sim
                .script(Matcher::once(), Script::new().cut_before_head());
            let script = Script::new().text("At last.").stop("END_TURN");
            house.sim.script(Matcher::any(), script);
            let told = dialect.told(&house, &question).await;
            assert_eq!(told.text, "At last.", "{}", dialect.name);
            assert_eq!(told.end.as_deref(), Some(dialect.ends[0]));
            assert_eq!(house.sim.requests_for(Operation::Generate).len(), 2);
        }
    }
}

#[tokio::test]
async fn a_rate_limit_is_told_with_when_to_come_back() {
    let refusal = json!({"message": "Slow down.", "reason": "USER_REQUEST_RATE_EXCEEDED"});
    for dialect in &DIALECTS {
        for question in dialect.both("x") {
            let pause = Some(Duration::from_secs(45));
            let script = Script::new().http_error(429, refusal.clone(), pause);
            let house = house_that_says(script).await;
            let answer = dialect.ask(&house, &question).await;
            let class = Some(dialect.words.rate_limit.to_owned());
            assert_eq!(dialect.refusal(&answer), (429, class));
            let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((40..=60).contains(&seconds), "{}: {seconds}", dialect.name);
        }
    }
}

/// What is posted and asks no model.
const OTHERS: [&str; 2] = [
    "/v1/messages/count_tokens",
    "/v1/responses/{response_id}/cancel",
];

#[tokio::test]
async fn every_surface_is_asked_here() {
    let house = House::start().await;
    let info = house.get("/").await.json();
    let routes = info["routes"].as_array().unwrap().iter();
    for route in routes.filter(|route| route["method"] == "POST") {
        let path = route["path"].as_str().unwrap();
        let is_asked = DIALECTS.iter().any(|dialect| dialect.path == path);
        assert!(is_asked || OTHERS.contains(&path), "{path}");
    }
}

#[tokio::test]
async fn an_overflow_is_told_in_the_words_that_agents_know() {
    let refusal =
        json!({"message": "Input is too long.", "reason": "CONTENT_LENGTH_EXCEEDS_THRESHOLD"});
    let house = house_that_says(Script::new().http_error(400, refusal, None)).await;
    for dialect in &DIALECTS {
        for question in dialect.both("x") {
            let answer = dialect.ask(&house, &question).await;
            let class = Some(dialect.words.overflow.to_owned());
            assert_eq!(dialect.refusal(&answer), (400, class));
            let message = answer.json()["error"]["message"].to_string();
            let words = match dialect.name {
                "messages" => "prompt is too long: ",
                _ => "maximum context length is 200000 tokens",
            };
            assert!(message.contains(words), "{message}");
            let param = &answer.json()["error"]["param"];
            assert_eq!(param.as_str(), dialect.conversation, "{}", dialect.name);
            assert_eq!(answer.header("retry-after"), None);
        }
    }
    let asked = house.sim.requests_for(Operation::Generate).len();
    assert_eq!(asked, 2 * DIALECTS.len(), "nobody asks again");
}

#[tokio::test]
async fn the_token_limit_ends_the_answer_and_closes_the_upstream() {
    let script = Script::new().text("One two ").text("three four");
    let house = house_that_says(script.hang()).await;
    let mut n_cancelled = 0;
    for dialect in &DIALECTS {
        for question in dialect.both("x") {
            let question = with(question, json!({dialect.limit: 3}));
            let told = dialect.told(&house, &question).await;
            assert_eq!(told.text, "One two thre", "{}", dialect.name);
            assert_eq!(told.end.as_deref(), Some(dialect.ends[1]));
            n_cancelled += 1;
            cancelled(&house, n_cancelled).await;
        }
    }
}

#[tokio::test]
async fn keep_alives_flow_in_silence_and_the_stream_stays_whole() {
    let impatient = |options: &mut GatewayOptions| {
        options.timeouts.patience = Duration::from_millis(50);
        options.timeouts.keep_alive = Duration::from_millis(50);
    };
    let house = House::with(SimOptions::default(), impatient).await;
    let silence = Duration::from_millis(500);
    let script = Script::new().silence(silence).text("Do").silence(silence);
    house
        .sim
        .script(Matcher::any(), script.text("ne.").stop("END_TURN"));
    for dialect in &DIALECTS {
        let told = dialect.told(&house, &dialect.streamed("think")).await;
        assert!(told.keep_alives >= 3, "{}: {told:?}", dialect.name);
        assert_eq!(told.text, "Done.", "{}", dialect.name);
        assert_eq!(told.end.as_deref(), Some(dialect.ends[0]));
    }
}

#[tokio::test]
async fn a_fault_in_the_middle_is_an_error_and_no_end() {
    let house = house_that_says(Script::new().text("The first half ").cut()).await;
    let throttled = json!({"message": "Slow down.", "reason": "USER_REQUEST_RATE_EXCEEDED"});
    let begun = Script::new().text("The first half ");
    let script = begun.fault_frame("throttlingError", throttled);
    for dialect in &DIALECTS {
        let told = dialect.told(&house, &dialect.streamed("x")).await;
        assert_eq!(dialect.broken_off(&told), dialect.words.broken);
        assert_eq!(told.text, "The first half ", "what came before is kept");
        let answer = dialect.ask(&house, &(dialect.question)("x")).await;
        let class = Some(dialect.words.broken.to_owned());
        assert_eq!(dialect.refusal(&answer), (502, class));

        // A house of its own: the account rests afterwards.
        let house = house_that_says(script.clone()).await;
        let told = dialect.told(&house, &dialect.streamed("x")).await;
        assert_eq!(dialect.broken_off(&told), dialect.words.rate_limit);
        assert_eq!(house.sim.requests_for(Operation::Generate).len(), 1);
    }
}

#[tokio::test]
async fn who_leaves_before_the_first_event_closes_the_upstream() {
    for dialect in &DIALECTS {
        for question in dialect.both("x") {
            let house = house_that_says(Script::new().hang()).await;
            let stream = dialect.send_alone(&house, &question).await;
            streaming(&house).await;
            drop(stream);
            cancelled(&house, 1).await;
        }
    }
}

#[tokio::test]
async fn who_leaves_in_the_middle_of_the_text_closes_the_upstream() {
    for dialect in &DIALECTS {
        let house = house_that_says(Script::new().text("One ").hang()).await;
        let request = dialect.request(&house, KEY, &dialect.streamed("x"));
        let mut body = house.send(request).await.into_body();
        let mut read = String::new();
        while !read.contains("One ") {
            let frame = tokio::time::timeout(SOON, body.frame()).await.unwrap();
            let data = frame.unwrap().unwrap().into_data().unwrap();
            read.push_str(&String::from_utf8_lossy(&data));
        }
        drop(body);
        cancelled(&house, 1).await;
    }
}

#[tokio::test]
async fn who_leaves_while_a_whole_answer_is_collected_closes_the_upstream() {
    for dialect in &DIALECTS {
        let house = house_that_says(Script::new().text("One ").hang()).await;
        let stream = dialect.send_alone(&house, &(dialect.question)("x")).await;
        streaming(&house).await;
        drop(stream);
        cancelled(&house, 1).await;
    }
}

/// A house that stops soon, with an answer that never ends.
async fn stopping_house() -> House {
    let mut server = ServerOptions::default();
    server.drain = Duration::from_millis(100);
    let house = House::built(SimOptions::default(), client_tls(), server, |_| {}).await;
    house
        .sim
        .script(Matcher::any(), Script::new().text("One ").hang());
    house
}

#[tokio::test]
async fn at_the_deadline_of_a_drain_a_stream_ends_in_an_error() {
    for dialect in &DIALECTS {
        let house = stopping_house().await;
        let request = dialect.request(&house, KEY, &dialect.streamed("x"));
        let response = house.send(request).await;
        house.stop();
        let body = tokio::time::timeout(SOON, response.into_body().collect()).await;
        let body = body.unwrap().unwrap().to_bytes();
        let told = (dialect.read_stream)(std::str::from_utf8(&body).unwrap());
        assert_eq!(told.text, "One ", "{}", dialect.name);
        assert_eq!(dialect.broken_off(&told), dialect.words.shutting_down.1);
        house.stopped().await;
    }
}

#[tokio::test]
async fn at_the_deadline_of_a_drain_a_whole_answer_is_refused() {
    for dialect in &DIALECTS {
        let house = stopping_house().await;
        let request = dialect.request(&house, KEY, &(dialect.question)("x"));
        let answer = {
            let mut asking = std::pin::pin!(house.ask(request));
            tokio::select! {
                _ = &mut asking => panic!("there is no answer yet"),
                () = streaming(&house) => {}
            };
            house.stop();
            asking.await
        };
        let (status, class) = dialect.words.shutting_down;
        let refusal = dialect.refusal(&answer);
        assert_eq!(refusal, (status, Some(class.to_owned())));
        house.stopped().await;
    }
}
