//! Kiro's own sign-in: Google and GitHub accounts.
//!
//! ```text
//! POST https://prod.us-east-1.auth.desktop.kiro.dev/refreshToken
//! content-type: application/json
//!
//! {"refreshToken":"aor…"}
//!
//! 200 {"accessToken":"aoa…","refreshToken":"aor…","profileArn":"arn:…","expiresIn":3600}
//! ```
//!
//! | answer | means |
//! | --- | --- |
//! | 401, any text | dead, or rotated by another holder |
//! | 400 that speaks of an invalid refresh token or `invalid_grant` | the same |
//! | 403 | turned away at the edge; the token may be good |
//! | 429, 5xx | weather |
//!
//! Source: several gateways agree; the path is also in the public source of kiro-cli's predecessor.

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use serde_json::json;

use super::answer::{self, Reason};
use super::request::{post, refresh_token};
use super::{Refreshed, Refusal};
use crate::credential::Credential;
use crate::error::AuthError;

/// The only sign-in host known to exist, whatever the region of the service.
const URL: &str = "https://prod.us-east-1.auth.desktop.kiro.dev/refreshToken";

/// The request that refreshes the credential, without a user agent.
///
/// # Errors
///
/// [`SignedOut`](crate::AuthErrorKind::SignedOut) when the credential has no refresh token.
pub fn request(credential: &Credential) -> Result<Request<Bytes>, AuthError> {
    let body = json!({ "refreshToken": refresh_token(credential)? });
    post(URL, "application/json", body.to_string())
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
    if let Some(refusal) = answer::weather(status, headers) {
        return Err(refusal);
    }
    Err(match status {
        StatusCode::UNAUTHORIZED => Refusal::Dead { status },
        StatusCode::BAD_REQUEST if Reason::of(body).is_invalid_grant() => Refusal::Dead { status },
        StatusCode::FORBIDDEN => Refusal::Blocked { status },
        _ => Refusal::Unclear { status },
    })
}
