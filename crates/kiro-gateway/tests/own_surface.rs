//! A dialect of the embedder's own: the gateway does for it what it does for its own dialects.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use kiro_gateway::{Accepted, Context, Error, Mode, ReplyEncoder, Surface};
use kiro_protocol::conversation::{Block, Conversation, Role, Turn};
use kiro_protocol::reply::ReplyEvent;
use kiro_sim::{Matcher, Operation, Script, SimOptions};
use support::{House, KEY};

/// A question and an answer in plain text.
struct Plain {
    mode: Mode,
}

static STREAM: Plain = Plain { mode: Mode::Stream };
static COMPLETE: Plain = Plain {
    mode: Mode::Complete,
};

impl Surface for Plain {
    fn name(&self) -> &'static str {
        "plain"
    }

    fn accept(&self, body: Bytes, context: &Context<'_>) -> Result<Accepted, Error> {
        let question = std::str::from_utf8(&body)
            .map_err(|error| Error::invalid("body", None, "no text").with_source(error))?;
        assert!(context.now() > 1_700_000_000 && context.request_id().starts_with("req_"));
        let mut conversation = Conversation::new(context.model_id("claude-sonnet-4.5")?);
        let question = Block::Text(question.into());
        conversation.turns.push(Turn::new(Role::User, [question]));
        let accepted = Accepted::new(conversation, self.mode, Box::new(Words(self.mode)));
        Ok(accepted
            .with_stop(["stop here".to_owned(), String::new()])
            .with_max_tokens(5)
            .with_ignored(["volume"]))
    }

    fn refuse(&self, error: &Error) -> Bytes {
        format!("no: {}", error.public_message()).into()
    }

    fn content_type(&self, _mode: Mode) -> HeaderValue {
        HeaderValue::from_static("text/plain")
    }

    fn status(&self, _error: &Error) -> StatusCode {
        StatusCode::IM_A_TEAPOT
    }
}

struct Words(Mode);

impl ReplyEncoder for Words {
    fn event(&mut self, event: ReplyEvent, out: &mut BytesMut) {
        if let ReplyEvent::Text(delta) = event {
            out.extend_from_slice(delta.unescape().as_bytes());
        }
    }

    fn keep_alive(&mut self, _out: &mut BytesMut) {}

    fn finish(&mut self, out: &mut BytesMut) {
        out.extend_from_slice(b" (end)");
    }

    fn fail(&mut self, error: &Error, out: &mut BytesMut) {
        assert_eq!(self.0, Mode::Stream);
        out.extend_from_slice(format!(" (failed: {:?})", error.kind()).as_bytes());
    }
}

async fn ask(house: &House, surface: &'static Plain, key: &str) -> (StatusCode, HeaderMap, String) {
    let request = Request::post("/anything")
        .header("authorization", format!("Bearer {key}"))
        .body(Full::new(Bytes::from_static(
            "A question with ä".as_bytes(),
        )))
        .unwrap();
    let (head, body) = house.gateway.handle_on(surface, request).await.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8(body.into()).unwrap();
    (head.status, head.headers, text)
}

#[tokio::test]
async fn it_is_asked_and_answered_in_its_own_words() {
    let house = House::start().await;
    let script = Script::new().text("One\n").text("two.").stop("END_TURN");
    house
        .sim
        .script(Matcher::any().text_contains("A question with ä"), script);
    for surface in [&STREAM, &COMPLETE] {
        let (status, headers, text) = ask(&house, surface, KEY).await;
        assert_eq!((status, &*text), (StatusCode::OK, "One\ntwo. (end)"));
        assert_eq!(headers["content-type"], "text/plain");
        assert_eq!(headers["x-gateway-ignored"], "volume");
        assert!(headers.contains_key("x-request-id"));
    }
}

#[tokio::test]
async fn its_bounds_are_kept() {
    let house = House::start().await;
    let long = Script::new().text("no more than twenty bytes of it");
    house
        .sim
        .script(Matcher::any().nth(1), long.stop("END_TURN"));
    let stop = Script::new().text("until st").text("op here or").no_stop();
    house.sim.script(Matcher::any().nth(2), stop);
    assert_eq!(
        ask(&house, &STREAM, KEY).await.2,
        "no more than twenty  (end)"
    );
    assert_eq!(ask(&house, &STREAM, KEY).await.2, "until  (end)");
}

#[tokio::test]
async fn a_refusal_and_a_failure_are_in_its_own_words() {
    let house = House::start().await;
    let (status, _, text) = ask(&house, &STREAM, "a key that is long and wrong").await;
    assert_eq!(status, StatusCode::IM_A_TEAPOT);
    assert!(text.starts_with("no: "), "{text}");
    assert!(house.sim.requests_for(Operation::Generate).is_empty());

    let cut = Script::new().text("half").no_tail();
    house.sim.script(Matcher::any(), cut);
    let (status, _, text) = ask(&house, &STREAM, KEY).await;
    assert_eq!(status, StatusCode::OK);
    assert!(text.starts_with("half (failed: "), "{text}");
    let (status, _, text) = ask(&house, &COMPLETE, KEY).await;
    assert_eq!(status, StatusCode::IM_A_TEAPOT);
    assert!(text.starts_with("no: "), "{text}");
}

#[tokio::test]
async fn it_is_limited_and_counted_like_the_others() {
    let house = House::with(SimOptions::default(), |options| {
        options.limits.requests_per_minute = Some(1.try_into().unwrap());
    })
    .await;
    let words = Script::new().text("words").stop("END_TURN");
    house.sim.script(Matcher::any(), words);
    let (_, headers, _) = ask(&house, &STREAM, KEY).await;
    assert_eq!(headers["x-ratelimit-remaining-requests"], "0");
    let (_, headers, text) = ask(&house, &STREAM, KEY).await;
    assert!(
        headers.contains_key("retry-after") && text.starts_with("no: "),
        "{text}"
    );
    let metrics = house.get("/metrics").await;
    let metrics = String::from_utf8(metrics.body.into()).unwrap();
    // Its encoder counts nothing.
    for kind in ["input", "output"] {
        let mut lines = metrics.lines();
        let kind = format!(r#"kind="{kind}""#);
        let counted = lines.find(|line| line.contains("tokens_total{") && line.contains(&kind));
        let tokens = counted.and_then(|line| line.rsplit(' ').next());
        assert!(tokens.is_some_and(|tokens| tokens != "0"), "{metrics}");
    }
}
