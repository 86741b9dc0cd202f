//! Errors in the words of the Messages API.

use anthropic_types::ErrorBody;
use bytes::Bytes;
use http::StatusCode;

use crate::error::{Error, ErrorKind, Overflow};
use crate::response::in_one_line;

/// The code that makes the SDKs go on without a thread (source: `@anthropic-ai/sdk` 1.12,
/// `lib/internal/threads/ThreadState`).
pub(super) const NO_THREADS: &str = "thread_unsupported_request";

/// The body for an error, as one line of JSON that is safe in a server-sent event.
pub(super) fn body(error: &Error, request_id: Option<&str>) -> Bytes {
    let request_id = request_id.or(error.request_id());
    let mut body = ErrorBody::new(class(error.kind()), message(error), request_id);
    if error.code() == Some(NO_THREADS) {
        let unsupported = error.param().map(str::to_owned).into_iter().collect();
        body = body.with_details(NO_THREADS, unsupported);
    }
    // Strings in a struct have no way to fail.
    let json = serde_json::to_vec(&body).expect("strings are always JSON");
    in_one_line(json.into())
}

/// The status for an error: the usual one, but for what this API has one of its own for.
pub(super) fn status(error: &Error) -> StatusCode {
    match error.kind() {
        ErrorKind::QuotaExhausted => StatusCode::PAYMENT_REQUIRED,
        // Its name is `overloaded`; it is not in the registry of statuses.
        ErrorKind::Overloaded | ErrorKind::ShuttingDown => {
            StatusCode::from_u16(529).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
        }
        kind => kind.status(),
    }
}

fn class(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidRequest
        | ErrorKind::UnknownCoding
        | ErrorKind::MethodNotAllowed
        | ErrorKind::ContextTooLong => "invalid_request_error",
        ErrorKind::TooLarge => "request_too_large",
        ErrorKind::Unauthorized => "authentication_error",
        ErrorKind::Forbidden => "permission_error",
        ErrorKind::NotFound | ErrorKind::ModelNotFound => "not_found_error",
        ErrorKind::RateLimited => "rate_limit_error",
        ErrorKind::QuotaExhausted => "billing_error",
        ErrorKind::Overloaded | ErrorKind::ShuttingDown => "overloaded_error",
        ErrorKind::Timeout | ErrorKind::SlowBody => "timeout_error",
        ErrorKind::UpstreamAuth
        | ErrorKind::UpstreamRefused
        | ErrorKind::UpstreamUnreachable
        | ErrorKind::UpstreamProtocol
        | ErrorKind::Unsatisfied
        | ErrorKind::StoreUnreachable
        | ErrorKind::Internal => "api_error",
    }
}

/// The message. It has to hold what other dialects have members for: the place that is at fault.
fn message(error: &Error) -> String {
    let said = error.public_message();
    if error.kind() == ErrorKind::ContextTooLong {
        return too_long(error.overflow(), said);
    }
    match error.param() {
        _ if error.kind() == ErrorKind::ModelNotFound => format!("model: {said}"),
        Some(param) if !said.contains(param) => format!("{param}: {said}"),
        _ => said.to_owned(),
    }
}

/// Agents compact a conversation when they read these words, and Claude Code reads both numbers (measured,
/// November 2026).
fn too_long(overflow: Option<Overflow>, said: &str) -> String {
    match overflow {
        Some(Overflow { tokens, window }) => {
            format!("prompt is too long: {tokens} tokens > {window} maximum")
        }
        None => format!("prompt is too long: {said}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_status_and_its_words() {
        let words = [
            (ErrorKind::InvalidRequest, 400, "invalid_request_error"),
            (ErrorKind::ContextTooLong, 400, "invalid_request_error"),
            (ErrorKind::Unauthorized, 401, "authentication_error"),
            (ErrorKind::QuotaExhausted, 402, "billing_error"),
            (ErrorKind::Forbidden, 403, "permission_error"),
            (ErrorKind::NotFound, 404, "not_found_error"),
            (ErrorKind::ModelNotFound, 404, "not_found_error"),
            (ErrorKind::MethodNotAllowed, 405, "invalid_request_error"),
            (ErrorKind::SlowBody, 408, "timeout_error"),
            (ErrorKind::TooLarge, 413, "request_too_large"),
            (ErrorKind::UnknownCoding, 415, "invalid_request_error"),
            (ErrorKind::RateLimited, 429, "rate_limit_error"),
            (ErrorKind::Internal, 500, "api_error"),
            (ErrorKind::UpstreamAuth, 502, "api_error"),
            (ErrorKind::UpstreamRefused, 502, "api_error"),
            (ErrorKind::UpstreamUnreachable, 502, "api_error"),
            (ErrorKind::UpstreamProtocol, 502, "api_error"),
            (ErrorKind::Unsatisfied, 502, "api_error"),
            (ErrorKind::StoreUnreachable, 503, "api_error"),
            (ErrorKind::Timeout, 504, "timeout_error"),
            (ErrorKind::Overloaded, 529, "overloaded_error"),
            (ErrorKind::ShuttingDown, 529, "overloaded_error"),
        ];
        assert_eq!(words.len(), ErrorKind::ALL.len());
        for (kind, code, class) in words {
            let error = Error::new(kind, "m");
            assert_eq!(status(&error).as_u16(), code, "{kind:?}");
            let body: ErrorBody = serde_json::from_slice(&body(&error, None)).unwrap();
            assert_eq!(body.error.kind, class, "{kind:?}");
        }
    }

    #[test]
    fn the_place_is_in_the_message_once() {
        let told = |error: &Error| {
            let body: ErrorBody = serde_json::from_slice(&body(error, Some("req_1"))).unwrap();
            assert_eq!(body.request_id.as_deref(), Some("req_1"));
            body.error.message
        };
        assert_eq!(told(&Error::invalid("a.0", None, "no")), "a.0: no");
        assert_eq!(told(&Error::invalid("a.0", None, "no 'a.0'")), "no 'a.0'");
        let long = Error::new(ErrorKind::ContextTooLong, "long");
        assert_eq!(told(&long), "prompt is too long: long");
        let sizes = Overflow {
            tokens: 250_000,
            window: 200_000,
        };
        assert_eq!(
            told(&long.with_overflow(sizes)),
            "prompt is too long: 250000 tokens > 200000 maximum"
        );
    }
}
