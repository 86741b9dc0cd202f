//! How long a request would be.

use serde::{Deserialize, Serialize};

/// The answer to `POST /v1/messages/count_tokens`.
///
/// ```json
/// {"input_tokens": 2095}
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "MessagesTokenCount"))]
#[non_exhaustive]
pub struct TokenCount {
    /// Tokens of everything that would be sent.
    pub input_tokens: u64,
}

impl TokenCount {
    /// So many tokens.
    pub fn new(input_tokens: u64) -> Self {
        Self { input_tokens }
    }
}
