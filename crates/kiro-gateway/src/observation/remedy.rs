//! What an operator does about an error.

use crate::error::ErrorKind;

/// A word for a kind of error, and what is to be done.
pub(crate) fn remedy(kind: ErrorKind) -> (&'static str, &'static str) {
    match kind {
        ErrorKind::InvalidRequest => (
            "invalid_request",
            "The client has to send something else; its answer says what.",
        ),
        ErrorKind::TooLarge => ("too_large", "Raise `server.max_body`, or send less."),
        ErrorKind::SlowBody => (
            "slow_body",
            "The client's line is slow or was cut; `timeouts.body` is how long it may take.",
        ),
        ErrorKind::UnknownCoding => (
            "unknown_coding",
            "The client compresses in a way that is not known; its answer lists those that are.",
        ),
        ErrorKind::Unauthorized => (
            "unauthorized",
            "The client sends no key, a wrong one, or a login that has ended: set it anew there.",
        ),
        ErrorKind::Forbidden => (
            "forbidden",
            "The service refuses the account. See Accounts; sign in again or ask its administrator.",
        ),
        ErrorKind::NotFound | ErrorKind::MethodNotAllowed => (
            "not_found",
            "The client asks for what is not there; `GET /` lists the routes.",
        ),
        ErrorKind::ModelNotFound => (
            "model_not_found",
            "Name the model under `[models] aliases`, or set `models.fallback`.",
        ),
        ErrorKind::ContextTooLong => (
            "context_too_long",
            "The conversation does not fit: the client has to compact it, or take a model with a larger window.",
        ),
        ErrorKind::RateLimited => (
            "rate_limited",
            "A limit of the key, or of the service: see `[limits]`, or add an account.",
        ),
        ErrorKind::QuotaExhausted => (
            "quota_exhausted",
            "The quota or the budget is used up. See Accounts for when it is full again; add an account, or raise the budget.",
        ),
        ErrorKind::Overloaded => (
            "overloaded",
            "No capacity. If it is the gateway's, raise `server.max_exchanges` or `server.max_body_memory`; else it passes.",
        ),
        ErrorKind::UpstreamAuth => (
            "upstream_auth",
            "The service does not accept the gateway's login: sign in again with Kiro, or replace the token.",
        ),
        ErrorKind::UpstreamRefused => (
            "upstream_refused",
            "The service refused for a reason of its own; the log has its words.",
        ),
        ErrorKind::UpstreamUnreachable => (
            "upstream_unreachable",
            "No connection to the service: look at DNS, firewall and proxy of this machine.",
        ),
        ErrorKind::UpstreamProtocol => (
            "upstream_protocol",
            "The service's answer was broken or cut. If it goes on, report it with the log.",
        ),
        ErrorKind::Unsatisfied => (
            "unsatisfied",
            "The model did not do what the request demands: another model, or a simpler demand.",
        ),
        ErrorKind::StoreUnreachable => (
            "store_unreachable",
            "Redis does not answer: see `store.url`.",
        ),
        ErrorKind::Timeout => (
            "timeout",
            "The service was silent for too long. If it is always this model, raise `timeouts.multipliers` for it.",
        ),
        ErrorKind::ShuttingDown => (
            "shutting_down",
            "The gateway is about to stop; nothing to do.",
        ),
        ErrorKind::Internal => (
            "internal",
            "A fault of the gateway's: report it with the log.",
        ),
    }
}
