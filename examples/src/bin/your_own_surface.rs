//! A dialect of your own in front of the gateway, in the shape of Ollama's `POST /api/generate`:
//! `REFRESH_TOKEN=… PROXY_API_KEY=… your_own_surface`. A surface translates and nothing else; keys, limits, models,
//! retries and logs are the gateway's.
//!
//! ```text
//! {"model":"claude-sonnet-4.5","prompt":"What is a CRC?"}
//! {"response":"A checksum.","done":false}
//! {"response":"","done":true}
//! ```

use bytes::{Bytes, BytesMut};
use http::HeaderValue;
use kiro_examples::{Failure, serve};
use kiro_gateway::{Accepted, Context, Error, Mode, ReplyEncoder, Surface};
use kiro_protocol::conversation::{Block, Conversation, Role, Turn};
use kiro_protocol::reply::ReplyEvent;
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let gateway = kiro_examples::gateway()?;
    serve(move |request| {
        let gateway = gateway.clone();
        async move {
            match request.uri().path() {
                "/api/generate" => gateway.handle_on(&Generate, request).await,
                _ => gateway.handle(request).await,
            }
        }
    })
    .await
}

struct Generate;

impl Surface for Generate {
    fn name(&self) -> &'static str {
        "generate"
    }

    fn accept(&self, body: Bytes, context: &Context<'_>) -> Result<Accepted, Error> {
        let refused = |field, why: String| Error::invalid(field, None, why);
        let asked: Value = serde_json::from_slice(&body)
            .map_err(|error| refused("body", format!("The body is no JSON: {error}.")))?;
        let text = |field| {
            let text = asked[field].as_str();
            text.ok_or_else(|| refused(field, format!("'{field}' must be a string.")))
        };
        let mut conversation = Conversation::new(context.model_id(text("model")?)?);
        let prompt = Block::Text(text("prompt")?.into());
        conversation.turns.push(Turn::new(Role::User, [prompt]));
        let (mode, said) = match asked["stream"] == false {
            true => (Mode::Complete, Some(String::new())),
            false => (Mode::Stream, None),
        };
        Ok(Accepted::new(conversation, mode, Box::new(Lines { said })))
    }

    fn refuse(&self, error: &Error) -> Bytes {
        json!({"error": error.public_message()}).to_string().into()
    }

    fn content_type(&self, mode: Mode) -> HeaderValue {
        HeaderValue::from_static(match mode {
            Mode::Stream => "application/x-ndjson",
            Mode::Complete => "application/json",
        })
    }
}

/// One line for each piece, or one with all that was said. Texts come and go in their escaped form.
struct Lines {
    said: Option<String>,
}

impl ReplyEncoder for Lines {
    fn event(&mut self, event: ReplyEvent, out: &mut BytesMut) {
        match (event, &mut self.said) {
            (ReplyEvent::Text(delta), Some(said)) => *said += delta.escaped(),
            (ReplyEvent::Text(delta), None) => line(delta.escaped(), false, out),
            _ => {}
        }
    }

    fn keep_alive(&mut self, _out: &mut BytesMut) {}

    fn finish(&mut self, out: &mut BytesMut) {
        line(self.said.as_deref().unwrap_or_default(), true, out);
    }

    fn fail(&mut self, error: &Error, out: &mut BytesMut) {
        out.extend_from_slice(&Generate.refuse(error));
    }
}

fn line(text: &str, done: bool, out: &mut BytesMut) {
    let line = format!("{{\"response\":\"{text}\",\"done\":{done}}}\n");
    out.extend_from_slice(line.as_bytes());
}
