//! One request from its head to its answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::http::request::Parts;
use hyper::{Request, Response};
use kiro_protocol::Generation;

use crate::operation::{Operation, route};
use crate::plane;
use crate::record::Recorded;
use crate::refusal::Refusal;
use crate::state::Shared;
use crate::stream::{Broken, Line, SimBody};

/// A request that has been read and recorded.
pub(crate) struct Call {
    pub(crate) shared: Arc<Shared>,
    pub(crate) line: Arc<Line>,
    /// Its number in the log.
    pub(crate) number: u64,
    pub(crate) operation: Operation,
    pub(crate) generation: Option<Generation>,
    pub(crate) head: Parts,
    pub(crate) body: Bytes,
}

/// What a request comes to, when it is not refused.
pub(crate) type Outcome = Result<Response<SimBody>, Ending>;

/// Why there is no good response.
pub(crate) enum Ending {
    /// The service refuses.
    Refused(Refusal),
    /// The connection ends here.
    Broken,
}

impl<T: Into<Refusal>> From<T> for Ending {
    fn from(refusal: T) -> Self {
        Self::Refused(refusal.into())
    }
}

/// Answers one request.
///
/// # Errors
///
/// [`Broken`] when the connection is to be closed instead; hyper then drops it.
pub(crate) async fn answer(
    shared: Arc<Shared>,
    line: Arc<Line>,
    connection: u64,
    request: Request<Incoming>,
) -> Result<Response<SimBody>, Broken> {
    let (head, body) = request.into_parts();
    let limited = Limited::new(body, shared.options.max_body).collect().await;
    let (body, too_large) = match limited {
        Ok(collected) => (collected.to_bytes(), false),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => (Bytes::new(), true),
        // The client went away while it was sending.
        Err(_) => return Err(Broken),
    };
    if let Some(path) = head.uri.path().strip_prefix("/__sim/") {
        return Ok(plane::control(&shared, &head, path, &body));
    }
    let call = record(shared, line, connection, head, body);
    let outcome = if too_large {
        Err(body_too_large().into())
    } else {
        plane::serve(&call).await
    };
    let response = match outcome {
        Ok(response) => response,
        Err(Ending::Broken) => return Err(Broken),
        Err(Ending::Refused(refusal)) => {
            call.shared.change(|inner| {
                inner.state.refusals += 1;
                if let Some(recorded) = inner.log.get_mut(call.number) {
                    recorded.refusal = Some(refusal.record());
                }
            });
            tracing::debug!(
                rule = refusal.rule,
                detail = refusal.detail,
                "request refused"
            );
            refusal.response(call.generation)
        }
    };
    Ok(finish(&call, response))
}

fn record(shared: Arc<Shared>, line: Arc<Line>, connection: u64, head: Parts, body: Bytes) -> Call {
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let target = header("x-amz-target");
    let content_type = header(CONTENT_TYPE.as_str());
    let (operation, generation) = route(&head.method, head.uri.path(), target, content_type);
    let mut headers = head.headers.clone();
    if let Some(value) = headers.get_mut(AUTHORIZATION) {
        value.set_sensitive(true);
    }
    let recorded = Recorded {
        number: 0,
        at: since(&shared),
        connection,
        method: head.method.clone(),
        path: head
            .uri
            .path_and_query()
            .map_or_else(String::new, ToString::to_string),
        headers,
        body: body.clone(),
        operation,
        generation,
        target: target.map(str::to_owned),
        account: None,
        status: None,
        refusal: None,
        ended: None,
    };
    let number = shared.change(|inner| {
        inner.state.requests += 1;
        let is_generate = matches!(operation, Operation::Generate | Operation::SendMessage);
        inner.state.generate_calls += u64::from(is_generate);
        inner.log.push(recorded)
    });
    Call {
        shared,
        line,
        number,
        operation,
        generation,
        head,
        body,
    }
}

fn finish(call: &Call, mut response: Response<SimBody>) -> Response<SimBody> {
    let status = response.status().as_u16();
    let id = call.shared.change(|inner| {
        if let Some(recorded) = inner.log.get_mut(call.number) {
            recorded.status = Some(status);
        }
        inner.random.uuid()
    });
    if let Ok(id) = id.parse() {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response
}

fn since(shared: &Shared) -> Duration {
    shared.started.elapsed()
}

fn body_too_large() -> Refusal {
    let message = "Failed to buffer the request body: length limit exceeded";
    Refusal::new("E33", 413, "RequestEntityTooLargeException", message)
}
