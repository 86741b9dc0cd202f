//! One attempt: build, send, read the head, and wait for the first event that carries meaning.

use std::collections::VecDeque;
use std::sync::Arc;

use http::{Request, Response, StatusCode};
use kiro_auth::Lease;
use kiro_protocol::fault::Fault;
use kiro_protocol::reply::{ReplyDecoder, ReplyEvent, ReplyOptions};
use kiro_protocol::request::{self, WireProfile};
use tokio::time::Instant;

use super::connection::{ResponseBody, SendError};
use super::reply::{ReplyStream, Source};
use super::retry::Failure;
use super::{Order, Upstream};
use crate::capture::Take;

/// The part of an error body that is read: many times the longest one known.
pub(super) const MAX_ERROR_BODY: usize = 64 * 1024;

impl Upstream {
    /// Sends the order once. `number` counts the attempts of the exchange from 1.
    pub(super) async fn attempt(
        &self,
        order: &Order,
        lease: &Lease,
        profile: &'static WireProfile,
        number: u32,
        take: &Take,
    ) -> Result<ReplyStream, Failure> {
        let token = lease.token();
        let base = self.base(profile, token)?;
        let mut target = self.target(profile, &base, token);
        target.invocation_id = &order.invocation_id;
        target.attempt = number;
        target.max_attempts = self.options.max_retries + 1;
        target.capabilities = order.capabilities;
        let request = request::build(&order.prepared, &target).map_err(Failure::Unsendable)?;
        take.send(&request, token);
        // Where it is: a future that is handed on is copied.
        let opening = std::pin::pin!(async {
            let body = self.send(request, take).await?;
            let mut options = ReplyOptions::new(profile.generation);
            options.tool_names = order.prepared.tool_names.clone();
            options.thinking_tags = order.thinking_tags;
            first_event(
                Source::new(body, ReplyDecoder::with_options(options)),
                order,
            )
            .await
        });
        let host = base.authority().map_or("", |authority| authority.as_str());
        let permit = self.circuits.admit(host).map_err(Failure::LeftAlone)?;
        let sent = Instant::now();
        let opened = tokio::time::timeout(order.first_event, opening).await;
        let model = &order.prepared.conversation.model;
        if let Err(_) | Ok(Ok(_)) = opened {
            self.paces.waited_for_first(model, sent.elapsed());
        }
        match opened {
            Ok(Ok(reply)) => {
                permit.succeeded();
                Ok(reply.timed(&self.paces, model))
            }
            Ok(Err(failure)) => {
                if failure.is_the_hosts() {
                    permit.failed();
                } else if failure.is_an_answer() {
                    permit.succeeded();
                }
                Err(failure)
            }
            Err(_) => Err(Failure::Silent),
        }
    }

    /// Sends a request and returns the body of a successful response; anything else is a failure. What comes
    /// back is recorded on the take.
    pub(super) async fn send(
        &self,
        request: Request<bytes::Bytes>,
        take: &Take,
    ) -> Result<ResponseBody, Failure> {
        let mut response = match Arc::clone(&self.connections).send(request).await {
            Ok(response) => response,
            Err(error) => return Err(self.not_sent(error)),
        };
        self.note(true);
        take.head(&response);
        response.body_mut().record_on(take.clone());
        if response.status() == StatusCode::OK {
            return Ok(response.into_body());
        }
        Err(Failure::Fault(refusal(response).await))
    }

    fn not_sent(&self, error: SendError) -> Failure {
        match error {
            SendError::Connect(error) => {
                self.note(false);
                tracing::warn!(error = &*error, "the upstream cannot be reached");
                Failure::Unreachable
            }
            SendError::ConnectTimeout(limit) => {
                self.note(false);
                tracing::warn!(?limit, "connecting to the upstream took too long");
                Failure::Unreachable
            }
            SendError::Broken(error) => {
                tracing::warn!(
                    error = &*error,
                    "the upstream connection broke before an answer"
                );
                Failure::Broken
            }
        }
    }
}

async fn refusal(response: Response<ResponseBody>) -> Fault {
    let (head, mut body) = response.into_parts();
    let body = body.read_up_to(MAX_ERROR_BODY).await;
    Fault::from_response(head.status, &head.headers, &body)
}

/// Reads until the reply has content. `Start` alone commits to nothing: an exception may follow it, and
/// that should become a proper HTTP error.
async fn first_event(mut source: Source, order: &Order) -> Result<ReplyStream, Failure> {
    let mut opening = VecDeque::new();
    loop {
        let event = std::future::poll_fn(|cx| source.poll_event(cx)).await?;
        let Some(event) = event else {
            return Ok(ReplyStream::new(source, opening, order));
        };
        let has_content = match event {
            ReplyEvent::Start => false,
            ReplyEvent::Text(_)
            | ReplyEvent::Reasoning(_)
            | ReplyEvent::Signature(_)
            | ReplyEvent::Redacted(_)
            | ReplyEvent::ToolUseStart { .. }
            | ReplyEvent::ToolInput(_)
            | ReplyEvent::ToolUseEnd
            | ReplyEvent::ToolUseCut
            | ReplyEvent::Usage(_)
            | ReplyEvent::Stop(_) => true,
        };
        opening.push_back(event);
        if has_content {
            return Ok(ReplyStream::new(source, opening, order));
        }
    }
}
