//! External identity providers: Entra, Okta and their like, as public OAuth clients.
//!
//! ```text
//! POST {token endpoint}
//! content-type: application/x-www-form-urlencoded
//!
//! grant_type=refresh_token&client_id=…&refresh_token=…&scope=…
//!
//! 200 {"access_token":"eyJ…","expires_in":"3599","refresh_token":"1.A…"}
//! ```
//!
//! Where the credential does not know the endpoint, the issuer tells it:
//!
//! ```text
//! GET {issuer}/.well-known/openid-configuration
//!
//! 200 {"token_endpoint":"https://…"}
//! ```
//!
//! Any 4xx but a timeout or throttling means that the refresh token is dead; everything else is weather.
//! Source: the sign-in code of kiro-cli's public predecessor; the scope is sent by some clients.

use bytes::Bytes;
use http::header::ACCEPT;
use http::{HeaderMap, Request, StatusCode};

use super::answer::{self, Reason};
use super::request::{missing, post, refresh_token};
use super::{Refreshed, Refusal};
use crate::credential::Credential;
use crate::document::Document;
use crate::error::AuthError;
use crate::form;

/// The request that refreshes the credential, without a user agent.
///
/// # Errors
///
/// [`SignedOut`](crate::AuthErrorKind::SignedOut) when the credential has no refresh token,
/// [`Misconfigured`](crate::AuthErrorKind::Misconfigured) when it has no token endpoint (see
/// [`discovery_request`]) or no client id.
pub fn request(credential: &Credential) -> Result<Request<Bytes>, AuthError> {
    let members = members(credential)?;
    let endpoint = credential.token_endpoint.as_deref();
    let endpoint = endpoint.ok_or_else(|| missing("token endpoint"))?;
    post(
        endpoint,
        "application/x-www-form-urlencoded",
        form::encode(&members),
    )
}

/// What the endpoint is shown, wherever it is.
pub(super) fn members(credential: &Credential) -> Result<Vec<(&str, &str)>, AuthError> {
    let client_id = credential.client_id.as_deref();
    let mut members = vec![
        ("grant_type", "refresh_token"),
        ("client_id", client_id.ok_or_else(|| missing("client id"))?),
        ("refresh_token", refresh_token(credential)?),
    ];
    if let Some(scopes) = &credential.scopes {
        members.push(("scope", scopes));
    }
    Ok(members)
}

/// What the answer says.
///
/// # Errors
///
/// A [`Refusal`], as this module's page tells.
pub fn reply(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<Refreshed, Refusal> {
    if status.is_success() {
        return answer::token(status, body);
    }
    if let Some(refusal) = answer::weather(status, headers) {
        return Err(refusal);
    }
    Err(match Reason::of(body).code() {
        Some("invalid_client" | "unauthorized_client") => Refusal::Unregistered { status },
        Some("temporarily_unavailable" | "slow_down") => Refusal::Throttled {
            status,
            retry_after: answer::retry_after(headers),
        },
        _ if status.is_client_error() => Refusal::Dead { status },
        _ => Refusal::Unclear { status },
    })
}

/// The request that asks the issuer for its endpoints.
///
/// # Errors
///
/// [`Misconfigured`](crate::AuthErrorKind::Misconfigured) when the credential names no issuer.
pub fn discovery_request(credential: &Credential) -> Result<Request<Bytes>, AuthError> {
    let issuer = credential.issuer_url.as_deref();
    discovery_of(issuer.ok_or_else(|| missing("token endpoint and no issuer"))?)
}

/// The request that asks an issuer for its endpoints.
pub(crate) fn discovery_of(issuer: &str) -> Result<Request<Bytes>, AuthError> {
    let url = format!(
        "{}/.well-known/openid-configuration",
        issuer.trim_end_matches('/')
    );
    Request::get(url)
        .header(ACCEPT, "application/json")
        .body(Bytes::new())
        .map_err(|error| AuthError::misconfigured("the issuer is not a URL").with_source(error))
}

/// The token endpoint that the issuer names.
///
/// # Errors
///
/// A [`Refusal`] when the answer is something else. It is never [`Dead`](Refusal::Dead): no token was
/// shown.
pub fn discovery_reply(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<String, Refusal> {
    discovered("token_endpoint", status, headers, body)
}

/// One of the endpoints that the issuer names.
pub(crate) fn discovered(
    name: &str,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<String, Refusal> {
    if let Some(refusal) = answer::weather(status, headers) {
        return Err(refusal);
    }
    std::str::from_utf8(body)
        .ok()
        .filter(|_| status.is_success())
        .and_then(|text| Document::parse(text).ok()?.string(&[name]))
        .ok_or(Refusal::Unclear { status })
}
