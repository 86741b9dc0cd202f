//! AWS SSO OIDC: Builder ID and IAM Identity Center.
//!
//! ```text
//! POST https://oidc.{login region}.amazonaws.com/token
//! content-type: application/json
//!
//! {"clientId":"…","clientSecret":"…","grantType":"refresh_token","refreshToken":"aor…"}
//!
//! 200 {"accessToken":"aoa…","tokenType":"Bearer","expiresIn":3600,"refreshToken":"aor…"}
//! 400 {"error":"invalid_grant","error_description":"Invalid refresh token provided"}
//! ```
//!
//! The body is JSON in `camelCase`, although OAuth would have it form-encoded.
//!
//! | answer | means |
//! | --- | --- |
//! | `invalid_grant`, `expired_token` | dead |
//! | `invalid_client`, `unauthorized_client` | the registration has expired |
//! | `slow_down`, 429 | throttled; the token is good |
//! | `invalid_request` | a bug of ours or a broken credential |
//! | 403 | turned away at the edge |
//! | 5xx | weather |
//!
//! Source: the sign-in code of the public Amazon Q CLI, which spares the token in the case of
//! `slow_down` only; gateways agree on the rest.

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use serde_json::json;

use super::answer::{self, Reason};
use super::request::{missing, post, refresh_token};
use super::{Refreshed, Refusal};
use crate::credential::Credential;
use crate::error::AuthError;
use crate::region::is_region;
use crate::secret::Secret;

/// The request that refreshes the credential, without a user agent.
///
/// # Errors
///
/// [`SignedOut`](crate::AuthErrorKind::SignedOut) when the credential has no refresh token,
/// [`Misconfigured`](crate::AuthErrorKind::Misconfigured) when it has no client registration or its
/// region is none.
pub fn request(credential: &Credential) -> Result<Request<Bytes>, AuthError> {
    let region = credential.login_region();
    if !is_region(region) {
        return Err(AuthError::misconfigured(
            "the region of the login is not a region",
        ));
    }
    let client_secret = credential.client_secret.as_ref().map(Secret::expose);
    let body = json!({
        "clientId": credential.client_id.as_deref().ok_or_else(|| missing("client id"))?,
        "clientSecret": client_secret.ok_or_else(|| missing("client secret"))?,
        "grantType": "refresh_token",
        "refreshToken": refresh_token(credential)?,
    });
    let url = format!("https://oidc.{region}.amazonaws.com/token");
    post(&url, "application/json", body.to_string())
}

/// What the answer says.
///
/// # Errors
///
/// A [`Refusal`], by the table of this module's page.
pub fn reply(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<Refreshed, Refusal> {
    if status.is_success() {
        return answer::token(status, body);
    }
    Err(refusal(status, headers, body))
}

/// What an answer that is no success says.
pub(crate) fn refusal(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Refusal {
    let reason = Reason::of(body);
    let retry_after = answer::retry_after(headers);
    match (reason.code(), status) {
        (Some("invalid_client" | "unauthorized_client"), _) => Refusal::Unregistered { status },
        (Some("slow_down"), _) => Refusal::Throttled {
            status,
            retry_after,
        },
        (Some("invalid_request"), _) => Refusal::Malformed { status },
        _ if status.is_client_error() && reason.is_invalid_grant() => Refusal::Dead { status },
        (_, StatusCode::FORBIDDEN) => Refusal::Blocked { status },
        _ => answer::weather(status, headers).unwrap_or(Refusal::Unclear { status }),
    }
}
