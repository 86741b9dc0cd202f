//! What every route answers when it does not answer.

use serde::{Deserialize, Serialize};

/// The body of every error response, and of the error event inside of a stream.
///
/// ```json
/// {"type": "error", "error": {"type": "invalid_request_error", "message": "max_tokens: Field required"},
///  "request_id": "req_1"}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ErrorBody {
    /// `error`
    #[serde(rename = "type")]
    pub kind: String,
    /// The error itself.
    pub error: ErrorObject,
    /// The name of the request.
    pub request_id: Option<String>,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ErrorObject {
    /// The class, for example `invalid_request_error`, `rate_limit_error` or `overloaded_error`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The text for a person. Some clients match words of it.
    pub message: String,
}

impl ErrorBody {
    /// An error.
    pub fn new(
        kind: impl Into<String>,
        message: impl Into<String>,
        request_id: Option<&str>,
    ) -> Self {
        Self {
            kind: "error".to_owned(),
            error: ErrorObject {
                kind: kind.into(),
                message: message.into(),
            },
            request_id: request_id.map(str::to_owned),
        }
    }
}
