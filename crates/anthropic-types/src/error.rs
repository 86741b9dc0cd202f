//! What every route answers when it does not answer.

use serde::{Deserialize, Serialize};

/// The body of every error response, and of the error event inside of a stream.
///
/// ```json
/// {"type": "error", "error": {"type": "invalid_request_error", "message": "max_tokens: Field required"},
///  "request_id": "req_1"}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "AnthropicError"))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "AnthropicErrorObject"))]
#[non_exhaustive]
pub struct ErrorObject {
    /// The class, for example `invalid_request_error`, `rate_limit_error` or `overloaded_error`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The text for a person. Some clients match words of it.
    pub message: String,
    /// The reason for a program, where the class alone does not say what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<ErrorDetails>,
}

/// The reason of an error, for a program.
///
/// ```json
/// {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "AnthropicErrorDetails"))]
#[non_exhaustive]
pub struct ErrorDetails {
    /// What happened, in one word. Clients take an unknown one for the bare class.
    pub error_code: String,
    /// The parts of the request that are not supported.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsupported: Vec<String>,
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
                details: None,
            },
            request_id: request_id.map(str::to_owned),
        }
    }

    /// Adds the reason for a program.
    #[must_use]
    pub fn with_details(mut self, code: impl Into<String>, unsupported: Vec<String>) -> Self {
        self.error.details = Some(ErrorDetails {
            error_code: code.into(),
            unsupported,
        });
        self
    }
}
