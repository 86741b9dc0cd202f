//! What a request broke.

use std::fmt;

/// One broken rule, and what the service answers to it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The rule's name, as in the table of [`validate`](crate::validate).
    pub rule: &'static str,
    /// HTTP status of the answer.
    pub status: u16,
    /// Name of the exception, for example `ValidationException`.
    pub exception: &'static str,
    /// The machine-readable reason, where the service gives one.
    pub reason: Option<&'static str>,
    /// What the service says.
    pub message: String,
    /// What exactly is wrong and where. Only the simulator tells.
    pub detail: String,
}

impl Violation {
    /// A 400 `ValidationException`.
    pub(crate) fn invalid(
        rule: &'static str,
        reason: Option<&'static str>,
        message: &str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            rule,
            status: 400,
            exception: "ValidationException",
            reason,
            message: message.to_owned(),
            detail: detail.into(),
        }
    }

    /// "Improperly formed request.", the answer to most shape errors.
    pub(crate) fn improper(rule: &'static str, detail: impl Into<String>) -> Self {
        let message = "Improperly formed request.";
        Self::invalid(rule, Some("REQUEST_BODY_INVALID"), message, detail)
    }

    /// "Invalid tool use format.", the answer to malformed names, ids and tool lists.
    pub(crate) fn bad_tool(rule: &'static str, detail: impl Into<String>) -> Self {
        let message = "Invalid tool use format.";
        Self::invalid(rule, Some("REQUEST_BODY_INVALID"), message, detail)
    }

    /// A 403 `AccessDeniedException`.
    pub(crate) fn denied(
        rule: &'static str,
        reason: Option<&'static str>,
        message: &str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            status: 403,
            exception: "AccessDeniedException",
            ..Self::invalid(rule, reason, message, detail)
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {} is broken: {}", self.rule, self.detail)
    }
}

impl std::error::Error for Violation {}
