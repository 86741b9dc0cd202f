//! What goes wrong on our side of the API, and what the downstream is told.

use std::fmt;
use std::time::Duration;

use http::{HeaderMap, StatusCode};

/// A failure of one exchange.
///
/// Two texts live in it: [`public_message`](Self::public_message) goes downstream and never holds an
/// account, a path or a secret; `Display` and the sources go to the log.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    param: Option<Box<str>>,
    code: Option<&'static str>,
    retry_after: Option<Duration>,
    rare: Option<Box<Rare>>,
    request_id: Option<Box<str>>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What few failures have, apart so that the others stay small.
#[derive(Debug, Default)]
struct Rare {
    headers: HeaderMap,
    overflow: Option<Overflow>,
}

/// Characters of a failure that the log holds.
const MAX_LOGGED: usize = 2_000;

/// A character, or its escape when it would move, color or end the line.
fn one_line(character: char) -> impl Iterator<Item = char> {
    let moves = character.is_control() || matches!(character, '\u{2028}' | '\u{2029}');
    let escaped = moves.then(|| character.escape_default());
    let plain = (!moves).then_some(character);
    escaped.into_iter().flatten().chain(plain)
}

/// How much too long a conversation is, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overflow {
    /// What was sent, as far as it is known.
    pub tokens: u64,
    /// What the model takes.
    pub window: u64,
}

/// What the downstream can do about it, and what the operator should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request cannot be served as it is; `param` says which part.
    InvalidRequest,
    /// The request's body is larger than the limit.
    TooLarge,
    /// The request's body does not arrive.
    SlowBody,
    /// The request's body has a `content-encoding` that cannot be undone.
    UnknownCoding,
    /// The key is missing or wrong.
    Unauthorized,
    /// The key is right and does not reach so far.
    Forbidden,
    /// No such route or thing.
    NotFound,
    /// The route exists and not with this method.
    MethodNotAllowed,
    /// No such model.
    ModelNotFound,
    /// The conversation does not fit into the model's context window.
    ContextTooLong,
    /// Too many requests; see `retry_after`.
    RateLimited,
    /// The account's quota is used up.
    QuotaExhausted,
    /// The model or the gateway has no capacity left for now.
    Overloaded,
    /// The upstream does not accept our credential: the operator must act.
    UpstreamAuth,
    /// The upstream refused for a reason of its own.
    UpstreamRefused,
    /// The upstream could not be reached.
    UpstreamUnreachable,
    /// The upstream answered what we cannot believe: a broken frame, a cut stream.
    UpstreamProtocol,
    /// The model did not do what the request demands, and is not likely to.
    Unsatisfied,
    /// What is kept for the downstream cannot be reached.
    StoreUnreachable,
    /// The upstream was silent for longer than the limit.
    Timeout,
    /// The gateway is draining.
    ShuttingDown,
    /// A fault of ours.
    Internal,
}

impl ErrorKind {
    /// Every kind, in the order above.
    pub const ALL: &[Self] = &[
        Self::InvalidRequest,
        Self::TooLarge,
        Self::SlowBody,
        Self::UnknownCoding,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::ModelNotFound,
        Self::ContextTooLong,
        Self::RateLimited,
        Self::QuotaExhausted,
        Self::Overloaded,
        Self::UpstreamAuth,
        Self::UpstreamRefused,
        Self::UpstreamUnreachable,
        Self::UpstreamProtocol,
        Self::Unsatisfied,
        Self::StoreUnreachable,
        Self::Timeout,
        Self::ShuttingDown,
        Self::Internal,
    ];

    /// The HTTP status that says so.
    pub fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest | Self::ContextTooLong => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::UnknownCoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound | Self::ModelNotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RateLimited | Self::QuotaExhausted => StatusCode::TOO_MANY_REQUESTS,
            Self::Overloaded | Self::StoreUnreachable | Self::ShuttingDown => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::UpstreamAuth
            | Self::UpstreamRefused
            | Self::UpstreamUnreachable
            | Self::UpstreamProtocol
            | Self::Unsatisfied => StatusCode::BAD_GATEWAY,
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Whether the same request may succeed later without anyone changing anything. SDKs are told by
    /// `x-should-retry`.
    pub fn may_retry(self) -> bool {
        match self {
            Self::RateLimited
            | Self::Overloaded
            | Self::UpstreamRefused
            | Self::UpstreamUnreachable
            | Self::UpstreamProtocol
            | Self::StoreUnreachable
            | Self::Timeout
            | Self::SlowBody
            | Self::ShuttingDown
            | Self::Internal => true,
            Self::InvalidRequest
            | Self::TooLarge
            | Self::UnknownCoding
            | Self::Unauthorized
            | Self::Forbidden
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::ModelNotFound
            | Self::ContextTooLong
            | Self::QuotaExhausted
            | Self::UpstreamAuth
            | Self::Unsatisfied => false,
        }
    }
}

impl Error {
    /// A failure with the text that the downstream reads.
    pub fn new(kind: ErrorKind, public_message: impl Into<String>) -> Self {
        Self {
            kind,
            message: public_message.into(),
            param: None,
            code: None,
            retry_after: None,
            rare: None,
            request_id: None,
            source: None,
        }
    }

    /// A refusal of one part of the request: `param` is a path such as `messages[0].content`, `code` a
    /// word of the dialect such as `invalid_type`.
    pub fn invalid(
        param: impl Into<String>,
        code: Option<&'static str>,
        public_message: impl Into<String>,
    ) -> Self {
        Self {
            param: Some(param.into().into_boxed_str()),
            code,
            ..Self::new(ErrorKind::InvalidRequest, public_message)
        }
    }

    /// Adds the cause, for the log.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds how long the downstream should wait.
    #[must_use]
    pub fn with_retry_after(mut self, after: Option<Duration>) -> Self {
        self.retry_after = after;
        self
    }

    /// Adds what the headers of its answer say besides.
    pub(crate) fn with_headers(mut self, headers: HeaderMap) -> Self {
        if !headers.is_empty() {
            self.rare.get_or_insert_default().headers = headers;
        }
        self
    }

    /// Adds a word of the dialect that is more exact than the kind's own.
    #[must_use]
    pub fn with_code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    /// Names the part of the request that is at fault.
    #[must_use]
    pub fn with_param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into().into_boxed_str());
        self
    }

    /// Adds the sizes of a conversation that is too long, for dialects with a sentence of their own.
    #[must_use]
    pub fn with_overflow(mut self, overflow: Overflow) -> Self {
        self.rare.get_or_insert_default().overflow = Some(overflow);
        self
    }

    /// Adds the name of the request, for dialects that tell it in the body.
    #[must_use]
    pub fn with_request_id(mut self, id: &str) -> Self {
        self.request_id = Some(id.into());
        self
    }

    /// What the caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The HTTP status that says so.
    pub fn status(&self) -> StatusCode {
        self.kind.status()
    }

    /// The text for the downstream.
    pub fn public_message(&self) -> &str {
        &self.message
    }

    /// The failure and its causes, for the log: on one line, within bounds and without what looks like a token,
    /// because they repeat what a client has sent, who could forge lines with it, and what the service has said.
    pub(crate) fn for_log(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(deeper) = cause {
            text = format!("{text}; because {deeper}");
            cause = deeper.source();
        }
        let text = crate::capture::without_tokens(&text);
        let n_chars = text.chars().count();
        let shown = text.chars().take(MAX_LOGGED);
        let mut line: String = shown.flat_map(one_line).collect();
        if n_chars > MAX_LOGGED {
            line += &format!("… ({n_chars} characters)");
        }
        line
    }

    /// The part of the request that is at fault, as a path.
    pub fn param(&self) -> Option<&str> {
        self.param.as_deref()
    }

    /// A word of the dialect that is more exact than the kind's own.
    pub fn code(&self) -> Option<&'static str> {
        self.code
    }

    /// The sizes of a conversation that is too long, if they are known.
    pub fn overflow(&self) -> Option<Overflow> {
        self.rare.as_ref()?.overflow
    }

    /// The name of the request, if it is known here.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// What the headers of its answer say besides.
    pub(crate) fn headers(&self) -> Option<&HeaderMap> {
        self.rare.as_ref().map(|rare| &rare.headers)
    }

    /// How long the downstream should wait before it tries again.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.source {
            Some(source) => Some(&**source),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_kinds_is_complete() {
        let source = include_str!("error.rs");
        let (_, declared) = source.split_once("pub enum ErrorKind {").unwrap();
        let (declared, _) = declared.split_once("\n}").unwrap();
        let declared: Vec<&str> = declared
            .lines()
            .filter_map(|line| line.trim().strip_suffix(','))
            .filter(|line| line.chars().all(char::is_alphanumeric))
            .collect();
        let listed = ErrorKind::ALL.iter().map(|kind| format!("{kind:?}"));
        assert_eq!(listed.collect::<Vec<_>>(), declared);
    }

    #[test]
    fn what_is_logged_is_one_line_within_bounds() {
        let forged = "no `x\nINFO forged\r\u{1b}[31m\u{2028}`";
        let error = Error::new(ErrorKind::NotFound, forged).with_source("deep\nwater");
        assert_eq!(
            error.for_log(),
            r"NotFound: no `x\nINFO forged\r\u{1b}[31m\u{2028}`; because deep\nwater"
        );
        let told = "no: aorAAAAAGabcdefghijklmnopqrstuvwxyz0123456789, and no more";
        let told = Error::new(ErrorKind::InvalidRequest, told).for_log();
        assert!(
            told.contains("no: ****") && told.ends_with("*, and no more"),
            "{told}"
        );
        let long = Error::new(ErrorKind::NotFound, "塔".repeat(1 << 20)).for_log();
        assert!(long.chars().count() < MAX_LOGGED + 100, "{}", long.len());
        assert!(long.ends_with("(1048586 characters)"));
    }
}
