//! A simulator, a gateway before it, and a client that speaks raw HTTP.

// Each test binary uses a part of it.
#![allow(dead_code, unreachable_pub)]

#[path = "../../../../tests/support/log.rs"]
mod log;
pub mod quota;
#[path = "../../../openai-types/tests/support/schema.rs"]
mod schema;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kiro_auth::{
    Credential, HttpRefresher, HttpRefresherOptions, MemoryStore, Pool, Refresher, Secret,
    SystemClock, TokenSource,
};
use kiro_gateway::{Gateway, GatewayOptions, ServerOptions, serve_watched};
use kiro_sim::{SimOptions, Simulator};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// The key of every gateway here.
pub const KEY: &str = "sk-test-0123456789abcdef";

/// How long anything may take that should happen at once. It does, unless the machine is busy with much else.
pub const SOON: Duration = Duration::from_secs(60);

/// A simulator and a gateway before it.
pub struct House {
    pub sim: Simulator,
    pub address: SocketAddr,
    pub gateway: Gateway,
    /// How it is served; sends what changes.
    pub server: watch::Sender<ServerOptions>,
    pool: Pool,
    refresher: Arc<dyn Refresher>,
    stop: Arc<Notify>,
    served: JoinHandle<std::io::Result<()>>,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// A whole response.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl House {
    /// With everything at its default.
    pub async fn start() -> Self {
        Self::with(SimOptions::default(), |_| {}).await
    }

    /// With a simulator of your own and changed options.
    pub async fn with(sim: SimOptions, change: impl FnOnce(&mut GatewayOptions)) -> Self {
        Self::built(sim, client_tls(), ServerOptions::default(), change).await
    }

    /// With several accounts of its own, and the rest at its default.
    pub async fn with_accounts(count: usize) -> Self {
        let (sim, server) = (SimOptions::default(), ServerOptions::default());
        Self::built_for(count, sim, client_tls(), server, |_| {}).await
    }

    /// With all parts of your own.
    pub async fn built(
        sim: SimOptions,
        tls: rustls::ClientConfig,
        server: ServerOptions,
        change: impl FnOnce(&mut GatewayOptions),
    ) -> Self {
        Self::built_for(1, sim, tls, server, change).await
    }

    async fn built_for(
        accounts: usize,
        sim: SimOptions,
        tls: rustls::ClientConfig,
        server: ServerOptions,
        change: impl FnOnce(&mut GatewayOptions),
    ) -> Self {
        let uses_tls = sim.tls.is_some();
        let sim = Simulator::start(sim)
            .await
            .expect("an ephemeral port is free");
        let mut options = HttpRefresherOptions::default();
        options.auth_endpoint = Some(sim.base_url().parse().expect("an address"));
        let refresher: Arc<dyn Refresher> =
            Arc::new(HttpRefresher::new(tls.clone(), options).expect("loopback is allowed"));
        let own = (0..accounts).map(|_| make_source(issued_by(&sim), &refresher));
        let pool = Pool::new(own.collect());
        assert!(!uses_tls || sim.base_url().starts_with("https"));
        let mut options = options_of(&sim, &pool, &refresher, tls);
        change(&mut options);
        let gateway = Gateway::new(options).expect("the options are safe");
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("an ephemeral port is free");
        let address = listener.local_addr().expect("it is bound");
        let stop = Arc::new(Notify::new());
        let (stopped, server) = (stop.clone(), watch::Sender::new(server));
        let changes = server.subscribe();
        let serving = serve_watched(listener, gateway.clone(), changes, async move {
            stopped.notified().await
        });
        Self {
            sim,
            address,
            gateway,
            server,
            pool,
            refresher,
            stop,
            served: tokio::spawn(serving),
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// The options it was made of, as they were before they were changed.
    pub fn options(&self) -> GatewayOptions {
        options_of(&self.sim, &self.pool, &self.refresher, client_tls())
    }

    /// Asks the server to stop.
    pub fn stop(&self) {
        self.stop.notify_one();
    }

    /// Waits until the server has stopped.
    pub async fn stopped(self) {
        tokio::time::timeout(SOON, self.served)
            .await
            .expect("it stops")
            .expect("it does not panic")
            .expect("it does not fail");
    }

    /// Sends a request and returns the response with its body still to come.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> http::Response<Incoming> {
        tokio::time::timeout(SOON, self.client.request(request))
            .await
            .expect("an answer in time")
            .expect("an answer")
    }

    /// A request with the key.
    pub fn request(
        &self,
        method: Method,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Request<Full<Bytes>> {
        Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("authorization", format!("Bearer {KEY}"))
            .header("content-type", "application/json")
            .body(Full::new(body.into()))
            .expect("a valid request")
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(self.request(Method::GET, path, "")).await
    }

    /// Posts a chat request.
    pub async fn chat(&self, body: &Value) -> Answer {
        self.ask(self.request(Method::POST, "/v1/chat/completions", body.to_string()))
            .await
    }

    pub async fn ask(&self, request: Request<Full<Bytes>>) -> Answer {
        let (head, body) = self.send(request).await.into_parts();
        let body = tokio::time::timeout(SOON, body.collect())
            .await
            .expect("a body in time")
            .expect("a whole body");
        let answer = Answer {
            status: head.status,
            headers: head.headers,
            body: body.to_bytes(),
        };
        answer.keeps_the_schema();
        answer
    }

    /// Begins a streamed chat; the body is read by the caller.
    pub async fn open_chat(&self, body: &Value) -> http::Response<Incoming> {
        self.send(self.request(Method::POST, "/v1/chat/completions", body.to_string()))
            .await
    }
}

impl Answer {
    /// Whatever a test asks for is what the official schema allows.
    fn keeps_the_schema(&self) {
        if self.body.starts_with(b"data: ") {
            self.chunks().iter().for_each(keeps_its_schema);
        } else if self.body.starts_with(b"{") {
            keeps_its_schema(&self.json());
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .get(name)
            .map(|value| value.to_str().expect("readable"))
    }

    /// The `data:` lines of an event stream.
    pub fn data(&self) -> Vec<String> {
        let text = String::from_utf8(self.body.to_vec()).expect("UTF-8");
        assert!(text.ends_with("\n\n"), "the last event is whole: {text:?}");
        let events = text.trim_end_matches("\n\n").split("\n\n");
        events
            .map(|event| {
                event
                    .strip_prefix("data: ")
                    .unwrap_or_else(|| panic!("not a data line: {event:?}"))
                    .to_owned()
            })
            .collect()
    }

    /// The chunks of a chat stream, after checking that it ends with `[DONE]`.
    pub fn chunks(&self) -> Vec<Value> {
        let mut data = self.data();
        assert_eq!(data.pop().as_deref(), Some("[DONE]"));
        data.iter()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }

    /// The joined text of a chat stream.
    pub fn streamed_text(&self) -> String {
        let chunks = self.chunks();
        let texts = chunks
            .iter()
            .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str());
        texts.collect()
    }

    /// The finish reasons of a chat stream; a good one has exactly one.
    pub fn finish_reasons(&self) -> Vec<String> {
        let chunks = self.chunks();
        let reasons = chunks
            .iter()
            .filter_map(|chunk| chunk["choices"][0]["finish_reason"].as_str());
        reasons.map(str::to_owned).collect()
    }
}

fn keeps_its_schema(value: &Value) {
    let name = match value["object"].as_str() {
        Some("chat.completion") => "CreateChatCompletionResponse",
        // The API streams custom tools; its schema knows only functions.
        Some("chat.completion.chunk")
            if value["choices"][0]["delta"]["tool_calls"][0]["custom"].is_object() =>
        {
            return;
        }
        Some("chat.completion.chunk") => "CreateChatCompletionStreamResponse",
        Some("list") if value["data"][0]["object"] == "model" => "ListModelsResponse",
        Some("model") => "Model",
        // Anthropic's errors have a type of their own, and no official schema.
        None if value["type"] == "error" => {
            assert!(value["error"]["type"].is_string(), "{value}");
            assert!(value["error"]["message"].is_string(), "{value}");
            assert!(value["request_id"].is_string(), "{value}");
            return;
        }
        None if value.get("error").is_some() => "ErrorResponse",
        // Pages of our own.
        _ => return,
    };
    schema::assert_valid(name, value, "the answer");
}

/// A streamed request for a text.
pub fn streamed(text: &str) -> Value {
    json!({"model": "claude-sonnet-4-5", "stream": true, "messages": [{"role": "user", "content": text}]})
}

/// A request for a text in one piece.
pub fn whole(text: &str) -> Value {
    json!({"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": text}]})
}

/// A request with more members.
pub fn with(mut request: Value, members: Value) -> Value {
    let members = members.as_object().expect("whole").clone();
    request.as_object_mut().expect("whole").extend(members);
    request
}

/// Text and finish reason of either kind of answer.
pub fn told(answer: &Answer) -> (String, String) {
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    if answer.header("content-type") != Some("application/json") {
        return (answer.streamed_text(), answer.finish_reasons().concat());
    }
    let choice = &answer.json()["choices"][0];
    let text = choice["message"]["content"].as_str().unwrap_or_default();
    (
        text.to_owned(),
        choice["finish_reason"].as_str().expect("whole").to_owned(),
    )
}

fn make_source(credential: Credential, refresher: &Arc<dyn Refresher>) -> TokenSource {
    let store = Arc::new(MemoryStore::new(credential));
    TokenSource::new(store, refresher.clone(), Arc::new(SystemClock))
}

fn options_of(
    sim: &Simulator,
    pool: &Pool,
    refresher: &Arc<dyn Refresher>,
    tls: rustls::ClientConfig,
) -> GatewayOptions {
    let refresher = refresher.clone();
    let make_pool = move |credential| Pool::new(vec![make_source(credential, &refresher)]);
    let key = Secret::from(KEY);
    let mut options = GatewayOptions::new(key, Some(pool.clone()), Box::new(make_pool), tls);
    options.upstream.endpoint = Some(sim.base_url().parse().expect("an address"));
    // Nothing is asked of the simulator but what a test asks for.
    options.quota.warn_below = 0.0;
    options
}

/// The credential of a new account.
fn issued_by(sim: &Simulator) -> Credential {
    let token = sim.issue_social().refresh_token;
    let token = token.expect("social accounts have one");
    Credential::from_refresh_token(token).expect("the simulator's tokens are whole")
}

/// Every gateway here is made with it, so this is where the log is turned on.
pub fn client_tls() -> rustls::ClientConfig {
    log::write_log();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has the default versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

/// TLS for a server at 127.0.0.1 with a new certificate, and a client that trusts it.
pub fn self_signed() -> (Arc<rustls::ServerConfig>, rustls::ClientConfig) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])
        .expect("the certificate is good");
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der())
        .expect("the certificate is good");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("the provider has the default versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("the certificate is good");
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(made.cert.der().clone())
        .expect("the certificate is good");
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), client)
}
