//! A browser at an external identity provider: Entra, Okta and their like, as a public OAuth client.
//!
//! ```text
//! GET {issuer}/.well-known/openid-configuration
//! 200 {"authorization_endpoint":"https://…","token_endpoint":"https://…"}
//!
//! GET {authorization endpoint}?response_type=code&client_id=…&redirect_uri=…&scope=…&state=…
//!     &code_challenge=…&code_challenge_method=S256[&login_hint=…][&audience=…]
//!
//! POST {token endpoint}
//! content-type: application/x-www-form-urlencoded
//!
//! grant_type=authorization_code&client_id=…&code=…&code_verifier=…&redirect_uri=…
//!
//! 200 {"access_token":"eyJ…","expires_in":"3599","refresh_token":"1.A…"}
//! ```
//!
//! Source: the sign-in code of kiro-cli's public predecessor. That the browser may come back to the same
//! ports and path as at Kiro's own sign-in is a guess: it is the provider's registration that decides.

use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};

use super::Pkce;
use crate::credential::Credential;
use crate::error::AuthError;
use crate::form;
use crate::login::Login;
pub use crate::refresh::external::reply;
use crate::refresh::external::{discovered, discovery_of};
use crate::refresh::request::post;
use crate::refresh::{Refreshed, Refusal};
use crate::secret::Secret;

/// An identity provider as an organisation has set it up for Kiro. The portal hands these facts over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IdentityProvider {
    /// Where its endpoints are found.
    pub issuer_url: String,
    /// The public client that Kiro is to it.
    pub client_id: String,
    /// The scopes to ask for, separated by spaces. Without `offline_access` many providers give no refresh
    /// token.
    pub scopes: Option<String>,
    /// Who is expected to sign in.
    pub login_hint: Option<String>,
    /// Whom the tokens are for, where the provider wants to know.
    pub audience: Option<String>,
}

/// Where a browser and where we ask.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoints {
    /// The page to open.
    pub authorization_endpoint: String,
    /// Where the code is exchanged, and the token refreshed later.
    pub token_endpoint: String,
}

impl IdentityProvider {
    /// A provider with what every one needs.
    pub fn new(issuer_url: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self {
            issuer_url: issuer_url.into(),
            client_id: client_id.into(),
            scopes: None,
            login_hint: None,
            audience: None,
        }
    }

    /// With scopes, separated by spaces.
    #[must_use]
    pub fn with_scopes(mut self, scopes: impl Into<String>) -> Self {
        self.scopes = Some(scopes.into());
        self
    }

    /// The credential that a sign-in has brought. `asked_at` is the time before the tokens were asked for.
    pub fn credential(
        &self,
        endpoints: &Endpoints,
        granted: &Refreshed,
        asked_at: SystemTime,
    ) -> Credential {
        Credential {
            client_id: Some(self.client_id.clone()),
            issuer_url: Some(self.issuer_url.clone()),
            token_endpoint: Some(endpoints.token_endpoint.clone()),
            scopes: self.scopes.clone(),
            ..Credential::signed_in(Login::ExternalIdp, granted, asked_at)
        }
    }
}

/// The request that asks the issuer for its endpoints, without a user agent.
///
/// # Errors
///
/// [`Misconfigured`](crate::AuthErrorKind::Misconfigured) when the issuer is not a URL.
pub fn discovery_request(provider: &IdentityProvider) -> Result<Request<Bytes>, AuthError> {
    discovery_of(&provider.issuer_url)
}

/// The endpoints that the issuer names. Whether their hosts are to be believed is for the caller to check.
///
/// # Errors
///
/// A [`Refusal`] when the answer is something else.
pub fn discovery_reply(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Endpoints, Refusal> {
    Ok(Endpoints {
        authorization_endpoint: discovered("authorization_endpoint", status, headers, body)?,
        token_endpoint: discovered("token_endpoint", status, headers, body)?,
    })
}

/// The page to open in a browser.
pub fn authorize_url(
    provider: &IdentityProvider,
    endpoints: &Endpoints,
    pkce: &Pkce,
    redirect_uri: &str,
) -> String {
    let mut members = vec![
        ("response_type", "code"),
        ("client_id", provider.client_id.as_str()),
        ("redirect_uri", redirect_uri),
        ("state", pkce.state().expose()),
        ("code_challenge", pkce.challenge()),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in [
        ("scope", &provider.scopes),
        ("login_hint", &provider.login_hint),
        ("audience", &provider.audience),
    ] {
        members.extend(value.as_deref().map(|value| (name, value)));
    }
    let page = &endpoints.authorization_endpoint;
    // An endpoint may have a query of its own, which has to stay (RFC 6749, section 3.1).
    let separator = if page.contains('?') { '&' } else { '?' };
    format!("{page}{separator}{}", form::query(&members))
}

/// The request that exchanges the code, without a user agent. Its answer is read with [`reply`].
///
/// # Errors
///
/// [`Misconfigured`](crate::AuthErrorKind::Misconfigured) when the token endpoint is not a URL.
pub fn exchange_request(
    provider: &IdentityProvider,
    endpoints: &Endpoints,
    pkce: &Pkce,
    redirect_uri: &str,
    code: &Secret,
) -> Result<Request<Bytes>, AuthError> {
    let members = [
        ("grant_type", "authorization_code"),
        ("client_id", &provider.client_id),
        ("code", code.expose()),
        ("code_verifier", pkce.verifier().expose()),
        ("redirect_uri", redirect_uri),
    ];
    post(
        &endpoints.token_endpoint,
        "application/x-www-form-urlencoded",
        form::encode(&members),
    )
}
