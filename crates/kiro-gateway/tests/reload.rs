//! Other options are put in force while it serves.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use kiro_auth::Secret;
use kiro_gateway::{GatewayOptions, ServerOptions, SetupError};
use kiro_sim::{Matcher, Operation, Script, SimOptions};
use rustls::ClientConfig;
use serde_json::json;
use support::{House, KEY, SOON, streamed, whole, with};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const OTHER: &str = "sk-other-0123456789abcdef";

async fn status_with(house: &House, key: &str) -> StatusCode {
    let mut request = house.request(Method::POST, "/v1/chat/completions", whole("x").to_string());
    let bearer = format!("Bearer {key}").parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    house.ask(request).await.status
}

fn with_other_key(house: &House) -> GatewayOptions {
    let mut options = house.options();
    options.key = Some(Secret::from(OTHER));
    options
}

#[tokio::test]
async fn a_new_key_counts_from_then_on_and_an_open_stream_ends_as_it_began() {
    let house = House::start().await;
    house.sim.script(
        Matcher::any(),
        Script::new()
            .text_slowly(&["a ", "b ", "c "], Duration::from_millis(100))
            .stop("END_TURN"),
    );
    let open = house.open_chat(&streamed("x")).await;
    house.gateway.reload(with_other_key(&house)).unwrap();
    // The client keeps its connections, so these come over one that was there before.
    assert_eq!(status_with(&house, KEY).await, 401);
    assert_eq!(status_with(&house, OTHER).await, 200);
    let body = open.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&body);
    assert!(
        text.contains("c ") && text.ends_with("data: [DONE]\n\n"),
        "{text}"
    );
}

#[tokio::test]
async fn what_is_unsafe_is_refused_and_nothing_changes() {
    let house = House::start().await;
    let mut options = with_other_key(&house);
    options.upstream.endpoint = Some("http://example.com".parse().unwrap());
    let refused = house.gateway.reload(options);
    assert!(matches!(refused, Err(SetupError::InsecureEndpoint { .. })));
    assert_eq!(status_with(&house, KEY).await, 200);
}

#[tokio::test]
async fn callers_their_models_and_kept_responses_are_known_afterwards() {
    let house = House::start().await;
    let guest = house.sim.issue_social().refresh_token.unwrap();
    assert_eq!(status_with(&house, &format!("{KEY}:{guest}")).await, 200);
    assert_eq!(house.get("/v1/models").await.status, 200);
    let respond = |body: serde_json::Value| {
        let request = house.request(Method::POST, "/v1/responses", body.to_string());
        house.ask(request)
    };
    let question = json!({"model": "claude-sonnet-4-5", "input": "x"});
    let id = respond(question.clone()).await.json()["id"].clone();
    let asked = |operation| house.sim.requests_for(operation).len();
    let before = (
        asked(Operation::SocialRefresh),
        asked(Operation::ListAvailableModels),
    );

    let mut options = house.options();
    options.models.hidden = vec!["auto".into()];
    house.gateway.reload(options).unwrap();
    assert_eq!(status_with(&house, &format!("{KEY}:{guest}")).await, 200);
    assert_eq!(status_with(&house, KEY).await, 200);
    let models = house.get("/v1/models").await.json().to_string();
    assert!(!models.contains("\"auto\""), "{models}");
    let next = with(question, json!({"previous_response_id": id}));
    assert_eq!(respond(next).await.status, 200);
    let after = (
        asked(Operation::SocialRefresh),
        asked(Operation::ListAvailableModels),
    );
    assert_eq!(
        before, after,
        "nobody signs in again, and no list is fetched again"
    );
}

#[tokio::test]
async fn limits_that_stay_the_same_go_on_counting_and_others_begin_anew() {
    let limited = |options: &mut GatewayOptions, n| {
        options.limits.requests_per_minute = NonZeroU32::new(n);
        options.admission.max_exchanges = NonZeroUsize::new(1);
        options.admission.queue = 0;
    };
    let house = House::with(SimOptions::default(), |options| limited(options, 1)).await;
    assert_eq!(status_with(&house, KEY).await, 200);
    let mut same = house.options();
    limited(&mut same, 1);
    house.gateway.reload(same).unwrap();
    assert_eq!(status_with(&house, KEY).await, 429);
    let mut more = house.options();
    limited(&mut more, 5);
    house.gateway.reload(more).unwrap();

    // The only place of the gateway stays taken by who took it before.
    let hangs = Script::new().text("One ").hang();
    house.sim.script(Matcher::any(), hangs);
    let open = house.open_chat(&streamed("x")).await;
    let mut same = house.options();
    limited(&mut same, 5);
    house.gateway.reload(same).unwrap();
    assert_eq!(status_with(&house, KEY).await, 503);
    drop(open);
}

#[tokio::test]
async fn at_the_drain_deadline_streams_of_before_say_goodbye_too() {
    let mut server = ServerOptions::default();
    server.drain = Duration::from_millis(100);
    let house = House::built(SimOptions::default(), support::client_tls(), server, |_| {}).await;
    house
        .sim
        .script(Matcher::any(), Script::new().text("One ").hang());
    let open = house.open_chat(&streamed("x")).await;
    house.gateway.reload(house.options()).unwrap();
    house.stop();
    let body = open.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&body);
    assert!(text.contains("shutting down"), "{text}");
    house.stopped().await;
}

#[tokio::test]
async fn a_certificate_is_replaced_and_a_connection_of_before_lives_on() {
    let (old, old_client) = support::self_signed();
    let (new, new_client) = support::self_signed();
    let mut server = ServerOptions::default();
    server.tls = Some(old);
    let house = House::built(SimOptions::default(), support::client_tls(), server, |_| {}).await;
    let before = dial(&house, &old_client).await.unwrap();
    house.server.send_modify(|options| options.tls = Some(new));
    dial(&house, &old_client).await.unwrap_err();
    dial(&house, &new_client).await.unwrap();
    let (mut client, connection) =
        hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(before))
            .await
            .unwrap();
    tokio::spawn(connection);
    let mut request = house.request(Method::GET, "/health", "");
    *request.uri_mut() = "/health".parse().unwrap();
    request.headers_mut().insert("host", "x".parse().unwrap());
    assert_eq!(client.send_request(request).await.unwrap().status(), 200);
}

async fn dial(
    house: &House,
    client: &ClientConfig,
) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let stream = TcpStream::connect(house.address).await?;
    let name = house.address.ip().into();
    let connecting = TlsConnector::from(Arc::new(client.clone())).connect(name, stream);
    tokio::time::timeout(SOON, connecting).await.unwrap()
}
