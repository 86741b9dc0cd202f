//! Errors in the words of the OpenAI API.

use bytes::Bytes;
use openai_types::{ErrorBody, ErrorObject};

use crate::error::{Error, ErrorKind};
use crate::response::in_one_line;

/// The body for an error, as one line of JSON that is safe in a server-sent event. `conversation` is the member of the
/// request that holds it.
pub(in crate::surface) fn body(error: &Error, conversation: &'static str) -> Bytes {
    let mut body = ErrorBody::new(class(error.kind()), error.public_message());
    let ErrorObject { param, code, .. } = &mut body.error;
    let at_fault = match error.param() {
        // So it is called where the dialect is not known.
        Some("messages") => Some(conversation),
        None if error.kind() == ErrorKind::ContextTooLong => Some(conversation),
        param => param,
    };
    *param = at_fault.map(str::to_owned);
    *code = error
        .code()
        .or(default_code(error.kind()))
        .map(str::to_owned);
    // Strings in a struct have no way to fail.
    let json = serde_json::to_vec(&body).expect("strings are always JSON");
    in_one_line(json.into())
}

/// `type`. Only its broad classes are read by clients; some words are avoided because Codex takes them
/// for the end of an account (`usage_limit_reached`).
pub(in crate::surface) fn class(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidRequest
        | ErrorKind::TooLarge
        | ErrorKind::SlowBody
        | ErrorKind::UnknownCoding
        | ErrorKind::Unauthorized
        | ErrorKind::Forbidden
        | ErrorKind::NotFound
        | ErrorKind::MethodNotAllowed
        | ErrorKind::ModelNotFound
        | ErrorKind::ContextTooLong => "invalid_request_error",
        ErrorKind::RateLimited => "rate_limit_error",
        ErrorKind::QuotaExhausted => "insufficient_quota",
        ErrorKind::Overloaded
        | ErrorKind::UpstreamAuth
        | ErrorKind::UpstreamRefused
        | ErrorKind::UpstreamUnreachable
        | ErrorKind::UpstreamProtocol
        | ErrorKind::Unsatisfied
        | ErrorKind::StoreUnreachable
        | ErrorKind::Timeout
        | ErrorKind::ShuttingDown
        | ErrorKind::Internal => "server_error",
    }
}

/// `code`, where the error brings none of its own.
pub(in crate::surface) fn default_code(kind: ErrorKind) -> Option<&'static str> {
    Some(match kind {
        // Who sends no key at all is told no code; who sends a wrong one, `invalid_api_key`.
        ErrorKind::InvalidRequest
        | ErrorKind::Unauthorized
        | ErrorKind::NotFound
        | ErrorKind::Internal => return None,
        ErrorKind::TooLarge => "request_too_large",
        ErrorKind::SlowBody => "request_timeout",
        ErrorKind::UnknownCoding => "unsupported_content_encoding",
        ErrorKind::Forbidden => "model_not_allowed",
        ErrorKind::MethodNotAllowed => "method_not_supported",
        ErrorKind::ModelNotFound => "model_not_found",
        ErrorKind::ContextTooLong => "context_length_exceeded",
        ErrorKind::RateLimited => "rate_limit_exceeded",
        ErrorKind::QuotaExhausted => "insufficient_quota",
        ErrorKind::Overloaded => "server_is_overloaded",
        ErrorKind::UpstreamAuth => "upstream_auth_failed",
        ErrorKind::UpstreamRefused
        | ErrorKind::UpstreamUnreachable
        | ErrorKind::UpstreamProtocol => "upstream_error",
        ErrorKind::Unsatisfied => "unsatisfied",
        ErrorKind::StoreUnreachable => "store_unreachable",
        ErrorKind::Timeout => "upstream_timeout",
        ErrorKind::ShuttingDown => "server_shutting_down",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_words() {
        let invalid = "invalid_request_error";
        let server = "server_error";
        let words = [
            (ErrorKind::InvalidRequest, invalid, None),
            (ErrorKind::TooLarge, invalid, Some("request_too_large")),
            (ErrorKind::SlowBody, invalid, Some("request_timeout")),
            (
                ErrorKind::UnknownCoding,
                invalid,
                Some("unsupported_content_encoding"),
            ),
            (ErrorKind::Unauthorized, invalid, None),
            (ErrorKind::Forbidden, invalid, Some("model_not_allowed")),
            (ErrorKind::NotFound, invalid, None),
            (
                ErrorKind::MethodNotAllowed,
                invalid,
                Some("method_not_supported"),
            ),
            (ErrorKind::ModelNotFound, invalid, Some("model_not_found")),
            (
                ErrorKind::ContextTooLong,
                invalid,
                Some("context_length_exceeded"),
            ),
            (
                ErrorKind::RateLimited,
                "rate_limit_error",
                Some("rate_limit_exceeded"),
            ),
            (
                ErrorKind::QuotaExhausted,
                "insufficient_quota",
                Some("insufficient_quota"),
            ),
            (ErrorKind::Overloaded, server, Some("server_is_overloaded")),
            (
                ErrorKind::UpstreamAuth,
                server,
                Some("upstream_auth_failed"),
            ),
            (ErrorKind::UpstreamRefused, server, Some("upstream_error")),
            (
                ErrorKind::UpstreamUnreachable,
                server,
                Some("upstream_error"),
            ),
            (ErrorKind::UpstreamProtocol, server, Some("upstream_error")),
            (ErrorKind::Unsatisfied, server, Some("unsatisfied")),
            (
                ErrorKind::StoreUnreachable,
                server,
                Some("store_unreachable"),
            ),
            (ErrorKind::Timeout, server, Some("upstream_timeout")),
            (
                ErrorKind::ShuttingDown,
                server,
                Some("server_shutting_down"),
            ),
            (ErrorKind::Internal, server, None),
        ];
        assert_eq!(words.len(), ErrorKind::ALL.len());
        for (kind, class, code) in words {
            let body: ErrorBody =
                serde_json::from_slice(&body(&Error::new(kind, "m"), "messages")).unwrap();
            assert_eq!(body.error.kind, class, "{kind:?}");
            assert_eq!(body.error.code.as_deref(), code, "{kind:?}");
        }
    }

    #[test]
    fn all_four_members_are_always_there() {
        assert_eq!(
            body(&Error::new(ErrorKind::Internal, "a \"bug\""), "messages"),
            r#"{"error":{"message":"a \"bug\"","type":"server_error","param":null,"code":null}}"#
        );
        assert_eq!(
            body(
                &Error::invalid("n", Some("unsupported_value"), "no"),
                "messages"
            ),
            r#"{"error":{"message":"no","type":"invalid_request_error","param":"n","code":"unsupported_value"}}"#
        );
        assert_eq!(
            body(&Error::new(ErrorKind::ContextTooLong, "long"), "messages"),
            r#"{"error":{"message":"long","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#
        );
    }

    #[test]
    fn the_conversation_is_named_as_the_dialect_names_it() {
        let long = Error::new(ErrorKind::ContextTooLong, "long");
        let named = Error::new(ErrorKind::ContextTooLong, "long").with_param("messages");
        let empty = Error::invalid("messages", None, "empty");
        for error in [long, named, empty] {
            let body: ErrorBody = serde_json::from_slice(&body(&error, "input")).unwrap();
            assert_eq!(body.error.param.as_deref(), Some("input"), "{error}");
        }
        let other = Error::invalid("tools", None, "no");
        let body: ErrorBody = serde_json::from_slice(&body(&other, "input")).unwrap();
        assert_eq!(body.error.param.as_deref(), Some("tools"));
    }

    #[test]
    fn separators_are_escaped() {
        let error = Error::new(ErrorKind::Internal, "a\u{2028}b\u{2029}c\u{85}d\ne");
        let body = body(&error, "messages");
        let escaped = r"a\u2028b\u2029c\u0085d\ne";
        assert!(std::str::from_utf8(&body).unwrap().contains(escaped));
    }
}
