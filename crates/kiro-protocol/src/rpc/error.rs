//! An answer that cannot be read.

/// The answer to a small call cannot be used, although its status was 200.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RpcError {
    /// The answer is not a JSON object.
    #[error("the answer to {operation} is not a JSON object: wrong at byte {offset}")]
    NotJson {
        /// The call.
        operation: &'static str,
        /// Where reading stopped, in bytes.
        offset: usize,
    },
    /// A member that the answer is about is missing.
    #[error("the answer to {operation} has no {member}")]
    Missing {
        /// The call.
        operation: &'static str,
        /// The member.
        member: &'static str,
    },
    /// The service's tool server refused, by the rules of JSON-RPC.
    #[error("the tool server refused with code {code}: {message}")]
    Tool {
        /// For example -32602 for an unknown tool.
        code: i64,
        /// What it said.
        message: String,
    },
}
