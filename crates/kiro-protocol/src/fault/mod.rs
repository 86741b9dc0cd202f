//! Refusals by the service, classified.
//!
//! A refusal comes as an HTTP answer before the stream ([`Fault::from_response`]) or as an exception frame
//! inside it ([`Fault::from_exception`]). Both become a [`Fault`], whose [`FaultKind`] answers what the
//! caller has to decide: whose fault is it, may the same be tried again, may another credential try, is
//! there a repair.
//!
//! ```text
//! HTTP/1.1 429 Too Many Requests
//! x-amzn-errortype: ThrottlingException
//!
//! {"message":"Credits are being used too fast.",
//!  "reason":"CREDIT_CONSUMPTION_RATE_EXCEEDED","retryAfterMilliseconds":300000}
//! ```
//!
//! ```
//! use std::time::Duration;
//! use http::{HeaderMap, StatusCode};
//! use kiro_protocol::fault::{Fault, FaultKind};
//!
//! let body = br#"{"message":"Credits are being used too fast.",
//!     "reason":"CREDIT_CONSUMPTION_RATE_EXCEEDED","retryAfterMilliseconds":300000}"#;
//! let fault = Fault::from_response(StatusCode::TOO_MANY_REQUESTS, &HeaderMap::new(), body);
//! assert_eq!(fault.kind(), FaultKind::SpendingTooFast);
//! assert_eq!(fault.retry_after(), Some(Duration::from_secs(300)));
//! assert!(fault.kind().may_fail_over());
//! ```
//!
//! The words of the service are recognised in this module and nowhere else; the rest of the world
//! matches on [`FaultKind`].

mod kind;
mod retry_after;
mod rules;
mod shape;

use std::fmt;
use std::time::Duration;

use http::{HeaderMap, StatusCode};

pub use kind::{Blame, FaultKind, Repair};

use rules::Evidence;
use shape::Shape;

/// One refusal by the service.
///
/// `Display` and `Debug` show the service's message, which can name an account: they are for logs, not
/// for clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    kind: FaultKind,
    row: Option<u8>,
    status: Option<u16>,
    name: Option<String>,
    reason: Option<String>,
    message: String,
    retry_after: Option<Duration>,
}

impl Fault {
    /// The number of the last row in the table of refusals. It grows with the table.
    pub const LAST_ROW: u8 = rules::LAST_ROW;

    /// From an HTTP answer that is not a stream.
    ///
    /// Every body is accepted: JSON in any of the service's shapes, a page of HTML from the edge, nothing.
    pub fn from_response(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let mut shape = Shape::of_body(body);
        if let Some(name) = shape::name_of_headers(headers) {
            shape.name = Some(name);
        }
        let waits = shape.retry_after.or_else(|| retry_after::read(headers));
        Self::classify(Some(status.as_u16()), shape, waits)
    }

    /// From the `:exception-type` and the payload of an exception frame.
    pub fn from_exception(name: &str, payload: &[u8]) -> Self {
        let mut shape = Shape::of_body(payload);
        shape.name = Some(shape::bare_name(name).to_owned());
        let waits = shape.retry_after;
        Self::classify(None, shape, waits)
    }

    /// From the `:error-code` and the `:error-message` of an error frame, which carries what the service
    /// has no exception for. Also from the `reason` and the `message` of an `invalidStateEvent`.
    pub fn from_error(code: &str, message: &str) -> Self {
        let shape = Shape {
            name: Some(shape::bare_name(code).to_owned()),
            message: shape::bounded(message),
            ..Shape::default()
        };
        Self::classify(None, shape, None)
    }

    fn classify(status: Option<u16>, shape: Shape, retry_after: Option<Duration>) -> Self {
        let (kind, row) = rules::classify(&Evidence {
            status,
            name: shape.name.as_deref(),
            reason: shape.reason.as_deref(),
            message: &shape.message,
        });
        Self {
            kind,
            row,
            status,
            name: shape.name,
            reason: shape.reason,
            message: shape.message,
            retry_after,
        }
    }

    /// What it is; everything that is to be decided follows from the kind.
    pub fn kind(&self) -> FaultKind {
        self.kind
    }

    /// The row of the table of refusals that recognised it, 1 to [`LAST_ROW`](Self::LAST_ROW); `None` for
    /// [`FaultKind::Other`].
    pub fn row(&self) -> Option<u8> {
        self.row
    }

    /// The service's own short word for it: its reason, else the name of its exception.
    pub fn code(&self) -> Option<&str> {
        self.reason().or_else(|| self.name())
    }

    /// The `reason` that the service gave, for example `MONTHLY_REQUEST_COUNT`.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// The bare name of the exception, for example `ThrottlingException`.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What the service said, at most 1,000 characters; empty when it said nothing legible. Can name an
    /// account.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The HTTP status; `None` for a fault inside a stream.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// How long the service asks to wait: `retryAfterMilliseconds` of the body, else the `retry-after`
    /// header in seconds, or as a date when the answer has a `date` to compare it with.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether the request itself is at fault, so that every credential would get the same answer.
    pub fn is_callers_fault(&self) -> bool {
        self.kind.blame() == Blame::Caller
    }

    /// Whether the same request may be tried again with the same credential after a pause.
    pub fn may_retry_same(&self) -> bool {
        self.kind.may_retry_same()
    }

    /// Whether the same request may succeed with another credential.
    pub fn may_fail_over(&self) -> bool {
        self.kind.may_fail_over()
    }

    /// Whether a new access token may help.
    pub fn refresh_may_help(&self) -> bool {
        self.kind.repair() == Some(Repair::RefreshToken)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the service refused: {}", self.kind.as_str())?;
        if let Some(status) = self.status {
            write!(f, ", status {status}")?;
        }
        for word in [self.name(), self.reason()].into_iter().flatten() {
            write!(f, ", {word}")?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}
