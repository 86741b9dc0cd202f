//! A browser at AWS SSO OIDC: Builder ID and IAM Identity Center.
//!
//! ```text
//! GET https://oidc.{region}.amazonaws.com/authorize?response_type=code&client_id=…
//!     &redirect_uri=http%3A%2F%2F127.0.0.1%3A51234%2Foauth%2Fcallback
//!     &scopes=codewhisperer%3Acompletions%20…&state=…&code_challenge=…&code_challenge_method=S256
//!
//! POST https://oidc.{region}.amazonaws.com/token
//! {"clientId":"…","clientSecret":"…","grantType":"authorization_code","code":"…",
//!  "codeVerifier":"…","redirectUri":"http://127.0.0.1:51234/oauth/callback"}
//!
//! 200 {"accessToken":"aoa…","tokenType":"Bearer","expiresIn":3600,"refreshToken":"aor…"}
//! ```
//!
//! The parameter is `scopes`, although OAuth has `scope`. Source: the sign-in code of the public Amazon Q
//! CLI.

use bytes::Bytes;
use http::Request;
use serde_json::json;

use super::{ClientRegistration, Directory, Pkce, SCOPES};
use crate::error::AuthError;
use crate::form;
pub use crate::refresh::oidc::reply;
use crate::refresh::request::post;
use crate::secret::Secret;

/// The page to open in a browser.
pub fn authorize_url(
    directory: &Directory,
    client: &ClientRegistration,
    pkce: &Pkce,
    redirect_uri: &str,
) -> String {
    let scopes = SCOPES.join(" ");
    let query = form::query(&[
        ("response_type", "code"),
        ("client_id", &client.client_id),
        ("redirect_uri", redirect_uri),
        ("scopes", &scopes),
        ("state", pkce.state().expose()),
        ("code_challenge", pkce.challenge()),
        ("code_challenge_method", "S256"),
    ]);
    format!("{}?{query}", directory.url("/authorize"))
}

/// The request that exchanges the code, without a user agent. Its answer is read with [`reply`].
///
/// # Errors
///
/// None for a [`Directory`], whose region is one.
pub fn exchange_request(
    directory: &Directory,
    client: &ClientRegistration,
    pkce: &Pkce,
    redirect_uri: &str,
    code: &Secret,
) -> Result<Request<Bytes>, AuthError> {
    let body = json!({
        "clientId": client.client_id,
        "clientSecret": client.client_secret.expose(),
        "grantType": "authorization_code",
        "code": code.expose(),
        "codeVerifier": pkce.verifier().expose(),
        "redirectUri": redirect_uri,
    });
    post(
        &directory.url("/token"),
        "application/json",
        body.to_string(),
    )
}
