//! What the requests to all sign-in services have in common.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, Request};

use crate::credential::Credential;
use crate::error::AuthError;

pub(crate) fn post(
    url: &str,
    content_type: &'static str,
    body: String,
) -> Result<Request<Bytes>, AuthError> {
    Request::builder()
        .method(Method::POST)
        .uri(url)
        .header(CONTENT_TYPE, content_type)
        .header(ACCEPT, "application/json")
        .body(Bytes::from(body))
        .map_err(|error| {
            AuthError::misconfigured("the sign-in endpoint is not a URL").with_source(error)
        })
}

pub(super) fn refresh_token(credential: &Credential) -> Result<&str, AuthError> {
    match &credential.refresh_token {
        Some(token) => Ok(token.expose()),
        None => Err(AuthError::signed_out("the credential has no refresh token")),
    }
}

/// Something that the kind of login needs and the credential does not have.
pub(super) fn missing(what: &'static str) -> AuthError {
    AuthError::misconfigured(format!("the credential has no {what}"))
}
