//! Registering a client at AWS SSO OIDC, which comes before everything else there.
//!
//! ```text
//! POST https://oidc.{region}.amazonaws.com/client/register
//! content-type: application/json
//!
//! {"clientName":"Kiro-2API","clientType":"public",
//!  "scopes":["codewhisperer:completions","codewhisperer:analysis","codewhisperer:conversations"],
//!  "grantTypes":["authorization_code","refresh_token"],
//!  "redirectUris":["http://127.0.0.1:51234/oauth/callback"],
//!  "issuerUrl":"https://view.awsapps.com/start"}
//!
//! 200 {"clientId":"…","clientSecret":"…","clientIdIssuedAt":1790000000,"clientSecretExpiresAt":1797776000}
//! ```
//!
//! A device has `urn:ietf:params:oauth:grant-type:device_code` for `authorization_code`, and no
//! `redirectUris`. Times are seconds since the epoch; a registration has been seen to live for 90 days.
//! No name has been seen to be refused. Source: the sign-in code of the public Amazon Q CLI.

use std::fmt;
use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use serde_json::json;

use super::Directory;
use crate::document::Document;
use crate::error::AuthError;
use crate::expiry::parse_expiry;
use crate::refresh::request::post;
use crate::refresh::{Refusal, oidc};
use crate::secret::Secret;

/// What the official CLI asks for; enough for conversations.
pub const SCOPES: [&str; 3] = [
    "codewhisperer:completions",
    "codewhisperer:analysis",
    "codewhisperer:conversations",
];

/// The grant type of a device.
pub(super) const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A client that AWS SSO OIDC knows. It is bound to the region, the grant types and the scopes.
#[derive(Clone)]
#[non_exhaustive]
pub struct ClientRegistration {
    /// Its name.
    pub client_id: String,
    /// Its secret, which every request of a sign-in and of a refresh carries.
    pub client_secret: Secret,
    /// When it stops working, and the tokens with it.
    pub expires_at: Option<SystemTime>,
}

impl fmt::Debug for ClientRegistration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientRegistration")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// The request that registers a client for devices, without a user agent. `client_name` is shown to the
/// person who approves.
///
/// # Errors
///
/// None for a [`Directory`], whose region is one.
pub fn device_request(
    directory: &Directory,
    client_name: &str,
) -> Result<Request<Bytes>, AuthError> {
    let body = json!({
        "clientName": client_name,
        "clientType": "public",
        "scopes": SCOPES,
        "grantTypes": [DEVICE_GRANT, "refresh_token"],
        "issuerUrl": directory.start_url(),
    });
    post(
        &directory.url("/client/register"),
        "application/json",
        body.to_string(),
    )
}

/// The request that registers a client for a browser that comes back to `redirect_uri`.
///
/// # Errors
///
/// None for a [`Directory`], whose region is one.
pub fn browser_request(
    directory: &Directory,
    client_name: &str,
    redirect_uri: &str,
) -> Result<Request<Bytes>, AuthError> {
    let body = json!({
        "clientName": client_name,
        "clientType": "public",
        "scopes": SCOPES,
        "grantTypes": ["authorization_code", "refresh_token"],
        "redirectUris": [redirect_uri],
        "issuerUrl": directory.start_url(),
    });
    post(
        &directory.url("/client/register"),
        "application/json",
        body.to_string(),
    )
}

/// What the answer says.
///
/// # Errors
///
/// A [`Refusal`], by the table of [`oidc`].
pub fn reply(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<ClientRegistration, Refusal> {
    if !status.is_success() {
        return Err(oidc::refusal(status, headers, body));
    }
    registration(body).ok_or(Refusal::Unclear { status })
}

fn registration(body: &[u8]) -> Option<ClientRegistration> {
    let document = Document::parse(std::str::from_utf8(body).ok()?).ok()?;
    let expires_at = document.value(&["clientSecretExpiresAt"]);
    Some(ClientRegistration {
        client_id: document.string(&["clientId"])?,
        client_secret: document.string(&["clientSecret"])?.into(),
        expires_at: expires_at.as_ref().and_then(parse_expiry),
    })
}
