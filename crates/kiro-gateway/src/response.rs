//! Responses that are there as a whole: documents and errors.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, header};

use crate::body::{self, Body};
use crate::coding;
use crate::error::{Error, ErrorKind};
use crate::routes::{self, NoRoute, Row};
use crate::surface::Surface;

/// Both names, because the SDKs of the two vendors read different ones.
pub(crate) fn name_request(response: &mut Response<Body>, id: &str) {
    // The characters of an id are valid in a header.
    if let Ok(value) = HeaderValue::from_str(id) {
        response
            .headers_mut()
            .insert(HeaderName::from_static("x-request-id"), value.clone());
        response
            .headers_mut()
            .insert(HeaderName::from_static("request-id"), value);
    }
}

/// An error as a response, in the words of a dialect. `retry-after` is kept within what the SDKs obey, 1 to
/// 60 seconds, and rounded up: who comes back within the second is refused again.
pub(crate) fn refuse(dialect: &dyn Surface, error: &Error) -> Response<Body> {
    let status = dialect.status(error);
    if status.is_server_error() {
        tracing::warn!(error = %error.for_log(), "refused");
    } else {
        tracing::debug!(error = %error.for_log(), "refused");
    }
    let mut response = json(status, dialect.refuse(error));
    let headers = response.headers_mut();
    headers.extend(error.headers().into_iter().flat_map(HeaderMap::clone));
    if let Some(after) = error.retry_after() {
        let seconds = after.as_millis().div_ceil(1000).clamp(1, 60);
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds as u64));
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

pub(crate) fn no_such_route(
    dialect: &dyn Surface,
    request_id: &str,
    method: &Method,
    path: &str,
    no_route: NoRoute,
) -> Response<Body> {
    let error = |kind, message| Error::new(kind, message).with_request_id(request_id);
    match no_route {
        NoRoute::Path { nearest } => {
            let message = format!(
                "Unknown request URL: {method} {path}. The nearest one is {nearest}; GET / lists them all."
            );
            let error = error(ErrorKind::NotFound, message).with_code("unknown_url");
            refuse(dialect, &error)
        }
        NoRoute::Method { allow } => {
            let message = format!("Not allowed to {method} on {path}. Allowed: {allow}.");
            let mut response = refuse(dialect, &error(ErrorKind::MethodNotAllowed, message));
            // The names of methods are valid in a header.
            if let Ok(allow) = HeaderValue::from_str(&allow) {
                response.headers_mut().insert(header::ALLOW, allow);
            }
            response
        }
    }
}

/// What `HEAD` is told about a route that only works: that it is there.
pub(crate) fn head_of(row: &'static Row) -> Response<Body> {
    let mut response = json(http::StatusCode::OK, Bytes::new());
    // The names of methods are valid in a header.
    if let Ok(allow) = HeaderValue::from_str(&routes::allow([row])) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

/// A JSON document as a response.
pub(crate) fn json(status: http::StatusCode, document: Bytes) -> Response<Body> {
    let mut response = Response::new(body::full(in_one_line(document)));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

/// JSON in which the line separators that JSON allows raw, U+0085, U+2028 and U+2029, are escapes: some
/// readers end a line there. They can only stand inside of strings. A document without any, as nearly all
/// are, is not copied.
pub(crate) fn in_one_line(json: Bytes) -> Bytes {
    // The first bytes of the three; the second look tells them from other characters.
    let separators = memchr::memchr2_iter(0xc2, 0xe2, &json).filter_map(|at| {
        Some(match json[at..] {
            [0xc2, 0x85, ..] => (at, 2, "\\u0085"),
            [0xe2, 0x80, 0xa8, ..] => (at, 3, "\\u2028"),
            [0xe2, 0x80, 0xa9, ..] => (at, 3, "\\u2029"),
            _ => return None,
        })
    });
    let mut safe = Vec::new();
    let mut copied = 0;
    for (at, length, escape) in separators {
        safe.extend_from_slice(&json[copied..at]);
        safe.extend_from_slice(escape.as_bytes());
        copied = at + length;
    }
    if copied == 0 {
        return json;
    }
    safe.extend_from_slice(&json[copied..]);
    safe.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_time_to_wait_is_whole_seconds_that_are_enough_and_obeyed() {
        for (milliseconds, header) in [
            (0, "1"),
            (400, "1"),
            (7_001, "8"),
            (8_000, "8"),
            (60_001, "60"),
            (3_600_000, "60"),
        ] {
            let after = Some(Duration::from_millis(milliseconds));
            let error = Error::new(ErrorKind::RateLimited, "slower").with_retry_after(after);
            assert_eq!(
                refuse(&crate::surface::chat::Chat, &error).headers()["retry-after"],
                header
            );
        }
        let error = Error::new(ErrorKind::RateLimited, "slower");
        assert!(
            !refuse(&crate::surface::chat::Chat, &error)
                .headers()
                .contains_key("retry-after")
        );
    }

    #[test]
    fn separators_are_escaped_and_their_neighbours_kept() {
        let json = "\"\u{2027}\u{2028}\u{2029}\u{202a}\u{84}\u{85}\u{86}é—\u{2028}\"";
        let safe = in_one_line(Bytes::from_static(json.as_bytes()));
        let expected = "\"\u{2027}\\u2028\\u2029\u{202a}\u{84}\\u0085\u{86}é—\\u2028\"";
        assert_eq!(safe, expected);
        let same = |json: &[u8]| serde_json::from_slice::<String>(json).unwrap();
        assert_eq!(same(&safe), same(json.as_bytes()));
    }

    #[test]
    fn a_document_without_separators_is_not_copied() {
        let json = Bytes::from_static("{\"a\":\"é — 中\"}".as_bytes());
        assert_eq!(in_one_line(json.clone()).as_ptr(), json.as_ptr());
    }
}
