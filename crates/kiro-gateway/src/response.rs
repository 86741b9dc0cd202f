//! Responses that are there as a whole: documents and errors.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Response, header};

use crate::body::{self, Body};
use crate::coding;
use crate::error::{Error, ErrorKind};
use crate::routes::NoRoute;
use crate::surface::{Surface as _, chat};

/// Both names, because the SDKs of the two vendors read different ones.
pub(crate) fn name_request(response: &mut Response<Body>, id: &str) {
    // Hexadecimal digits are valid in a header.
    if let Ok(value) = HeaderValue::from_str(id) {
        response
            .headers_mut()
            .insert(HeaderName::from_static("x-request-id"), value.clone());
        response
            .headers_mut()
            .insert(HeaderName::from_static("request-id"), value);
    }
}

/// An error as a response. `retry-after` is kept within what the SDKs obey: 1 to 60 seconds.
pub(crate) fn refuse(error: &Error, id: &str) -> Response<Body> {
    let status = error.status();
    if status.is_server_error() {
        tracing::warn!(
            request_id = id,
            error = error as &dyn std::error::Error,
            "refused"
        );
    } else {
        tracing::debug!(
            request_id = id,
            error = error as &dyn std::error::Error,
            "refused"
        );
    }
    let mut response = json(status, chat::Chat.refuse(error));
    let headers = response.headers_mut();
    if let Some(after) = error.retry_after() {
        headers.insert(
            header::RETRY_AFTER,
            HeaderValue::from(after.as_secs().clamp(1, 60)),
        );
    }
    if error.kind() == ErrorKind::UnknownCoding {
        headers.insert(
            header::ACCEPT_ENCODING,
            HeaderValue::from_static(coding::KNOWN),
        );
    }
    if !error.kind().may_retry() {
        headers.insert("x-should-retry", HeaderValue::from_static("false"));
    }
    response
}

pub(crate) fn no_such_route(method: &Method, path: &str, no_route: NoRoute) -> Response<Body> {
    match no_route {
        NoRoute::Path { nearest } => {
            let message = format!(
                "Unknown request URL: {method} {path}. The nearest one is {nearest}; GET / lists them all."
            );
            refuse(&Error::new(ErrorKind::NotFound, message), "")
        }
        NoRoute::Method { allow } => {
            let message = format!("Not allowed to {method} on {path}. Allowed: {allow}.");
            let mut response = refuse(&Error::new(ErrorKind::MethodNotAllowed, message), "");
            // The names of methods are valid in a header.
            if let Ok(allow) = HeaderValue::from_str(&allow) {
                response.headers_mut().insert(header::ALLOW, allow);
            }
            response
        }
    }
}

/// A JSON document as a response.
pub(crate) fn json(status: http::StatusCode, document: Bytes) -> Response<Body> {
    let mut response = Response::new(body::full(document));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}
