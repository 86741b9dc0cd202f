//! What every route answers when it does not answer.

use serde::{Deserialize, Serialize};

/// The body of every error response, and the error event inside a chat stream.
///
/// ```json
/// {"error": {"message": "Missing required parameter: 'messages'.",
///            "type": "invalid_request_error", "param": "messages", "code": "missing_required_parameter"}}
/// ```
///
/// In a chat stream the object must hold nothing beside `error`: a reader that tries the chunk first
/// would take a `choices` for one and lose the error (source: zed, `crates/open_ai/src/open_ai.rs`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "OpenAiError"))]
#[non_exhaustive]
pub struct ErrorBody {
    /// The error itself.
    pub error: ErrorObject,
}

/// What went wrong. All four members are always written, as `null` where there is nothing to say: the
/// schema requires them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "OpenAiErrorObject"))]
#[non_exhaustive]
pub struct ErrorObject {
    /// The text for a person. Some clients refuse an error whose message is empty.
    pub message: String,
    /// The class, for example `invalid_request_error`, `rate_limit_error` or `server_error`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The part of the request that is at fault, as a path such as `messages[0].content`.
    pub param: Option<String>,
    /// A word for programs, for example `model_not_found`. Never a number: strict clients cannot read
    /// one (source: async-openai, `src/error.rs`).
    pub code: Option<String>,
}

impl ErrorBody {
    /// An error without `param` and `code`.
    pub fn new(kind: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            error: ErrorObject {
                message: message.into(),
                kind: kind.into(),
                param: None,
                code: None,
            },
        }
    }
}
