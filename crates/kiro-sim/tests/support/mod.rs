//! A small Kiro client that spells requests by hand and reads replies frame by frame.

#![allow(dead_code, reason = "every test file uses another part")]
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on may as well panic"
)]

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{HeaderMap, Request, Response, StatusCode, body::Incoming};
use hyper_util::rt::TokioIo;
use kiro_protocol::eventstream::FrameDecoder;
use kiro_sim::{IssuedCredential, SimOptions, Simulator};
use serde_json::{Value, json};
use tokio::net::TcpStream;

/// Long enough for anything on loopback, short enough for a person to wait for a failure.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// A simulator with default settings.
pub(crate) async fn simulator() -> Simulator {
    start(|_| {}).await
}

/// A simulator with changed settings.
pub(crate) async fn start(change: impl FnOnce(&mut SimOptions)) -> Simulator {
    let mut options = SimOptions::default();
    change(&mut options);
    Simulator::start(options).await.unwrap()
}

/// A connection to the simulator. Dropping it closes the socket.
pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
    driver: tokio::task::JoinHandle<()>,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Client {
    pub(crate) async fn connect(sim: &Simulator) -> Self {
        let stream = TcpStream::connect(sim.address()).await.unwrap();
        Self::over(stream).await
    }

    pub(crate) async fn over(
        stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    ) -> Self {
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        let driver = tokio::spawn(async move { drop(connection.await) });
        Self { sender, driver }
    }

    pub(crate) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> hyper::Result<Response<Incoming>> {
        self.sender.ready().await?;
        self.sender.send_request(request).await
    }

    /// Sends and reads the whole answer.
    pub(crate) async fn call(&mut self, request: Request<Full<Bytes>>) -> Answer {
        Answer::read(self.send(request).await.unwrap()).await
    }
}

/// A response that has been read to its end, however that was.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// HTTP chunks as they came.
    pub(crate) chunks: Vec<Bytes>,
    /// Whether the body ended as HTTP wants it.
    pub(crate) is_whole: bool,
}

impl Answer {
    pub(crate) async fn read(response: Response<Incoming>) -> Self {
        let (head, mut body) = response.into_parts();
        let mut chunks = Vec::new();
        let is_whole = loop {
            match body.frame().await {
                None => break true,
                Some(Err(_)) => break false,
                Some(Ok(frame)) => chunks.extend(frame.into_data()),
            }
        };
        Self {
            status: head.status,
            headers: head.headers,
            chunks,
            is_whole,
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.chunks.concat()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes()).unwrap()
    }

    /// The frames of the body as `(type, payload)`; the type is that of the event or of the exception.
    pub(crate) fn events(&self) -> Vec<(String, Value)> {
        let mut decoder = FrameDecoder::new();
        decoder.push(self.bytes().into());
        let mut events = Vec::new();
        while let Some(frame) = decoder.next_frame().unwrap() {
            let kind = [":event-type", ":exception-type", ":error-code"]
                .iter()
                .find_map(|name| frame.string_header(name))
                .unwrap()
                .to_owned();
            let payload = serde_json::from_slice(frame.payload_bytes()).unwrap_or_default();
            events.push((kind, payload));
        }
        decoder.finish().unwrap();
        events
    }

    /// The frames before the first that a decoder refuses, and whether it refused any.
    pub(crate) fn sound_frames(&self) -> (usize, bool) {
        let mut decoder = FrameDecoder::new();
        decoder.push(self.bytes().into());
        let mut sound = 0;
        loop {
            match decoder.next_frame() {
                Ok(Some(_)) => sound += 1,
                Ok(None) => return (sound, decoder.finish().is_err()),
                Err(_) => return (sound, true),
            }
        }
    }

    /// Payloads of one kind of event.
    pub(crate) fn payloads(&self, kind: &str) -> Vec<Value> {
        self.events()
            .into_iter()
            .filter(|(name, _)| name == kind)
            .map(|(_, payload)| payload)
            .collect()
    }

    /// All text joined.
    pub(crate) fn text(&self) -> String {
        let deltas = self.payloads("assistantResponseEvent");
        deltas
            .iter()
            .map(|payload| payload["content"].as_str().unwrap())
            .collect()
    }

    /// The names of the events, neighbours of one kind counted once.
    pub(crate) fn shape(&self) -> Vec<String> {
        let mut names: Vec<String> = self.events().into_iter().map(|(name, _)| name).collect();
        names.dedup();
        names
    }
}

/// A Generate body of the newest generation with one user message.
pub(crate) fn ask(text: &str) -> Value {
    json!({
        "agentMode": "vibe",
        "conversationState": {
            "agentTaskType": "vibe",
            "chatTriggerType": "MANUAL",
            "conversationId": "6f1f7a2e-4f0e-4a53-9a9b-0d6b1b0f2c11",
            "currentMessage": {"userInputMessage": {
                "content": text, "modelId": "claude-sonnet-4.5", "origin": "AI_EDITOR",
            }},
        },
        "profileArn": kiro_sim::validate::SOCIAL_PROFILE_ARN,
    })
}

/// A request of the newest generation.
pub(crate) fn krs(credential: &IssuedCredential, body: &Value) -> Request<Full<Bytes>> {
    target(
        credential,
        "KiroRuntimeService.GenerateAssistantResponse",
        body,
    )
}

/// A request by target.
pub(crate) fn target(
    credential: &IssuedCredential,
    target: &str,
    body: &Value,
) -> Request<Full<Bytes>> {
    let request = Request::post("/")
        .header("host", "localhost")
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", target)
        .header(
            "authorization",
            format!("Bearer {}", credential.access_token),
        );
    let request = match credential.kind.token_type() {
        Some(token_type) => request.header("TokenType", token_type),
        None => request,
    };
    request.body(Full::from(body.to_string())).unwrap()
}

/// A request by path, of the first generation.
pub(crate) fn rest(
    credential: &IssuedCredential,
    path: &str,
    body: &Value,
) -> Request<Full<Bytes>> {
    let mut request = post(path, body);
    let bearer = format!("Bearer {}", credential.access_token);
    request
        .headers_mut()
        .insert("authorization", bearer.parse().unwrap());
    request
}

/// A JSON request without a token.
pub(crate) fn post(path: &str, body: &Value) -> Request<Full<Bytes>> {
    Request::post(path)
        .header("host", "localhost")
        .header("content-type", "application/json")
        .body(Full::from(body.to_string()))
        .unwrap()
}

/// A request without a body.
pub(crate) fn get(path: &str) -> Request<Full<Bytes>> {
    Request::get(path)
        .header("host", "localhost")
        .body(Full::default())
        .unwrap()
}

/// A user message's context with one tool.
pub(crate) fn with_tool(mut body: Value, name: &str, schema: &Value) -> Value {
    let message = &mut body["conversationState"]["currentMessage"]["userInputMessage"];
    let tool = json!({"toolSpecification": {
        "name": name, "description": "A tool.", "inputSchema": {"json": schema},
    }});
    match message["userInputMessageContext"]["tools"].as_array_mut() {
        Some(tools) => tools.push(tool),
        None => message["userInputMessageContext"] = json!({"tools": [tool]}),
    }
    body
}

/// The same question to another model.
pub(crate) fn of_model(mut body: Value, model: &str) -> Value {
    body["conversationState"]["currentMessage"]["userInputMessage"]["modelId"] = model.into();
    body
}

/// A form-encoded request without a token.
pub(crate) fn form(path: &str, body: &str) -> Request<Full<Bytes>> {
    Request::post(path)
        .header("host", "localhost")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::from(body.to_owned()))
        .unwrap()
}
