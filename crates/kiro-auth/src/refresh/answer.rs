//! What the answers of all sign-in services have in common.

use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::{Refreshed, Refusal};
use crate::document::Document;
use crate::secret::Secret;

/// Reads a new token, in `camelCase` or `snake_case`; `expires_in` may be a number or a string (seen with
/// external identity providers).
pub(crate) fn token(status: StatusCode, body: &[u8]) -> Result<Refreshed, Refusal> {
    let unclear = Refusal::Unclear { status };
    let Some(document) = std::str::from_utf8(body)
        .ok()
        .and_then(|text| Document::parse(text).ok())
    else {
        return Err(unclear);
    };
    let Some(access_token) = document.string(&["accessToken", "access_token"]) else {
        return Err(unclear);
    };
    let mut refreshed = Refreshed::new(access_token);
    if let Some(lifetime) = lifetime(&document) {
        refreshed.expires_in = lifetime;
    }
    refreshed.refresh_token = document
        .string(&["refreshToken", "refresh_token"])
        .map(Secret::new);
    refreshed.profile_arn = document.string(&["profileArn", "profile_arn"]);
    Ok(refreshed)
}

fn lifetime(document: &Document<'_>) -> Option<Duration> {
    /// No token has been seen to live for longer than a day; a larger number is milliseconds or nonsense.
    const LONGEST: f64 = 30.0 * 24.0 * 3600.0;
    let seconds = match document.value(&["expiresIn", "expires_in"])? {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    (1.0..=LONGEST)
        .contains(&seconds)
        .then(|| Duration::from_secs_f64(seconds))
}

/// What an answer gives as its reason: the OAuth member `error`, and the free text of a `message`.
pub(crate) struct Reason {
    error: Option<String>,
    message: Option<String>,
}

impl Reason {
    pub(crate) fn of(body: &[u8]) -> Self {
        let document = std::str::from_utf8(body)
            .ok()
            .and_then(|text| Document::parse(text).ok());
        let string = |names| {
            document
                .as_ref()
                .and_then(|document| document.string(names))
        };
        Self {
            error: string(&["error"]),
            message: string(&["message", "error_description"]),
        }
    }

    /// The OAuth error code, if it is one of those that mean something to us.
    pub(crate) fn code(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// Whether new accounts are not let in, or only with an invitation.
    pub(crate) fn is_invitation(&self) -> bool {
        let message = self.message.as_deref().unwrap_or_default();
        let message = message.to_ascii_lowercase();
        ["invitation", "signup", "sign-up"]
            .iter()
            .any(|word| message.contains(word))
    }

    /// Whether the refresh token itself is refused.
    pub(crate) fn is_invalid_grant(&self) -> bool {
        const PHRASE: &str = "invalid refresh token";
        let says_so = |text: &str| text.to_ascii_lowercase().contains(PHRASE);
        matches!(self.code(), Some("invalid_grant" | "expired_token"))
            || self.message.as_deref().is_some_and(says_so)
    }
}

/// The refusals that are the same everywhere: throttling, a timeout of the service, and its failures.
pub(crate) fn weather(status: StatusCode, headers: &HeaderMap) -> Option<Refusal> {
    match status {
        StatusCode::TOO_MANY_REQUESTS => Some(Refusal::Throttled {
            status,
            retry_after: retry_after(headers),
        }),
        StatusCode::REQUEST_TIMEOUT => Some(Refusal::Failed { status }),
        _ if status.is_server_error() => Some(Refusal::Failed { status }),
        _ => None,
    }
}

pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds))
}
