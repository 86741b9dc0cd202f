//! What a refresh asks first: the one place that knows which halves a login has.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};

use super::{Refreshed, Refusal, external, oidc, social};
use crate::credential::Credential;
use crate::error::AuthError;
use crate::login::Login;

/// The second half of a refresh.
pub type TokenReply = fn(StatusCode, &HeaderMap, &[u8]) -> Result<Refreshed, Refusal>;

/// What a refresh asks first. The list is complete on purpose: who performs it has to know what the answer is for.
pub enum FirstRequest {
    /// For the token, and what reads the answer.
    Token(Request<Bytes>, TokenReply),
    /// For the endpoint that gives tokens, which the issuer of the login knows. [`external::discovery_reply`] reads
    /// the answer; with that as its [`token_endpoint`](Credential::token_endpoint) the credential asks for the token.
    Endpoint(Request<Bytes>),
}

impl FirstRequest {
    /// The request, without a user agent.
    pub fn request(&self) -> &Request<Bytes> {
        match self {
            Self::Token(request, _) | Self::Endpoint(request) => request,
        }
    }
}

/// Without the body, which holds a refresh token.
impl fmt::Debug for FirstRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Token(..) => "Token",
            Self::Endpoint(_) => "Endpoint",
        };
        f.debug_tuple(name).field(self.request().uri()).finish()
    }
}

/// The request that begins the refresh of a credential. Where it can be made, everything is there that a refresh needs.
///
/// The host of a login that [has a service of its own](Login::has_own_service) was named by whoever wrote the
/// credential: whether it may be asked is for the caller to decide.
///
/// # Errors
///
/// [`SignedOut`](crate::AuthErrorKind::SignedOut) when the credential has no refresh token, or is an API key;
/// [`Misconfigured`](crate::AuthErrorKind::Misconfigured) when something else is missing that its login needs.
pub fn first_request(credential: &Credential) -> Result<FirstRequest, AuthError> {
    Ok(match credential.login {
        Login::Social => FirstRequest::Token(social::request(credential)?, social::reply),
        Login::BuilderId | Login::IdentityCenter => {
            FirstRequest::Token(oidc::request(credential)?, oidc::reply)
        }
        Login::ExternalIdp if credential.token_endpoint.is_some() => {
            FirstRequest::Token(external::request(credential)?, external::reply)
        }
        Login::ExternalIdp => {
            // An issuer is not asked in vain.
            external::members(credential)?;
            FirstRequest::Endpoint(external::discovery_request(credential)?)
        }
        Login::ApiKey => return Err(AuthError::signed_out("an API key cannot be refreshed")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Credential {
        Credential::from_json(json).unwrap()
    }

    #[test]
    fn a_token_is_asked_for_where_its_endpoint_is_known_and_else_the_issuer() {
        let known =
            r#"{"refreshToken": "1.A", "clientId": "c", "tokenEndpoint": "https://idp.example/t"}"#;
        let first = first_request(&read(known)).unwrap();
        assert!(matches!(first, FirstRequest::Token(..)), "{first:?}");
        assert_eq!(first.request().uri(), "https://idp.example/t");
        let body = std::str::from_utf8(first.request().body()).unwrap();
        assert!(body.contains("1.A") && !format!("{first:?}").contains("1.A"));
        let unknown =
            r#"{"refreshToken": "1.A", "clientId": "c", "issuerUrl": "https://idp.example"}"#;
        let first = first_request(&read(unknown)).unwrap();
        assert!(matches!(first, FirstRequest::Endpoint(_)), "{first:?}");
    }

    #[test]
    fn an_issuer_is_not_asked_for_what_would_be_of_no_use() {
        for useless in [
            r#"{"refreshToken": "1.A", "issuerUrl": "https://idp.example"}"#,
            r#"{"accessToken": "eyJ", "clientId": "c", "issuerUrl": "https://idp.example"}"#,
        ] {
            first_request(&read(useless)).unwrap_err();
        }
    }

    #[test]
    fn an_api_key_is_not_refreshed() {
        let key = Credential::from_api_key("ksk_0123456789").unwrap();
        let error = first_request(&key).unwrap_err();
        assert_eq!(error.kind(), crate::AuthErrorKind::SignedOut);
    }
}
