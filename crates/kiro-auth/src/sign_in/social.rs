//! A browser at Kiro's own sign-in: Google and GitHub accounts.
//!
//! ```text
//! GET https://prod.us-east-1.auth.desktop.kiro.dev/login?idp=Github
//!     &redirect_uri=http%3A%2F%2Flocalhost%3A49153%2Foauth%2Fcallback
//!     &code_challenge=…&code_challenge_method=S256&state=…
//!
//! POST https://prod.us-east-1.auth.desktop.kiro.dev/oauth/token
//! {"code":"…","code_verifier":"…","redirect_uri":"http://localhost:49153/oauth/callback"}
//!
//! 200 {"accessToken":"aoa…","refreshToken":"aor…","profileArn":"arn:…","expiresIn":3600}
//! 401 {"message":"… invitation …"}
//! ```
//!
//! The request is in `snake_case`, the answer in `camelCase`. The service lets a browser come back to the
//! deep link of the IDE and to [five ports](super::LOCALHOST_PORTS) of `localhost`. Source: the sign-in code
//! of kiro-cli's public predecessor; several gateways agree.

use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use serde_json::json;

use super::Pkce;
use crate::credential::Credential;
use crate::error::AuthError;
use crate::form;
use crate::login::Login;
use crate::refresh::answer::{self, Reason};
use crate::refresh::request::post;
use crate::refresh::{Refreshed, Refusal};
use crate::secret::Secret;

/// The only sign-in host known to exist, whatever the region of the service.
const HOST: &str = "https://prod.us-east-1.auth.desktop.kiro.dev";

/// Whose account one signs in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Provider {
    /// Google.
    Google,
    /// GitHub.
    Github,
}

impl Provider {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Google => "Google",
            Self::Github => "Github",
        }
    }
}

/// The page to open in a browser.
pub fn login_url(provider: Provider, pkce: &Pkce, redirect_uri: &str) -> String {
    let query = form::query(&[
        ("idp", provider.name()),
        ("redirect_uri", redirect_uri),
        ("code_challenge", pkce.challenge()),
        ("code_challenge_method", "S256"),
        ("state", pkce.state().expose()),
    ]);
    format!("{HOST}/login?{query}")
}

/// The request that exchanges the code, without a user agent.
///
/// # Errors
///
/// None: the host is a constant.
pub fn exchange_request(
    pkce: &Pkce,
    redirect_uri: &str,
    code: &Secret,
) -> Result<Request<Bytes>, AuthError> {
    let body = json!({
        "code": code.expose(),
        "code_verifier": pkce.verifier().expose(),
        "redirect_uri": redirect_uri,
    });
    let url = format!("{HOST}/oauth/token");
    post(&url, "application/json", body.to_string())
}

/// What the answer says. A 401 that speaks of an invitation or of paused signups does not mean a bad code.
///
/// # Errors
///
/// A [`Refusal`]: as for a [refresh](crate::refresh::social), and [`Refusal::Uninvited`].
pub fn reply(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<Refreshed, Refusal> {
    if status.is_success() {
        return answer::token(status, body);
    }
    if status == StatusCode::UNAUTHORIZED && Reason::of(body).is_invitation() {
        return Err(Refusal::Uninvited { status });
    }
    crate::refresh::social::reply(status, headers, body)
}

/// The credential that a sign-in has brought. `asked_at` is the time before the tokens were asked for.
pub fn credential(granted: &Refreshed, asked_at: SystemTime) -> Credential {
    Credential::signed_in(Login::Social, granted, asked_at)
}
