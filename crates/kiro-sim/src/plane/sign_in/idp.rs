//! A small external identity provider: discovery, and a token endpoint that is form-encoded in snake case.

use hyper::header::HOST;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{browser, invalid_grant, invalid_request};
use crate::form;
use crate::plane::ok;
use crate::service::{Call, Outcome};
use crate::sign_in::SignInService;

/// `GET /idp/.well-known/openid-configuration`. The issuer is `{base URL}/idp`.
pub(in crate::plane) fn discovery(call: &Call) -> Value {
    let issuer = issuer(call);
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
    })
}

/// The issuer, as whoever calls can reach it.
pub(super) fn issuer(call: &Call) -> String {
    let host = call
        .head
        .headers
        .get(HOST)
        .and_then(|value| value.to_str().ok());
    let scheme = if call.shared.options.tls.is_some() {
        "https"
    } else {
        "http"
    };
    format!("{scheme}://{}/idp", host.unwrap_or("localhost"))
}

/// `POST /idp/token`. A public client: an id, no secret. `expires_in` is a string, as some providers have it.
pub(in crate::plane) fn token(call: &Call) -> Outcome {
    let Ok(body) = std::str::from_utf8(&call.body) else {
        return Err(invalid_request("the body is not text").into());
    };
    let pairs = form::parse(body);
    let value = |name| form::get(&pairs, name).unwrap_or_default();
    let client_id = Some(value("client_id"));
    let now = Instant::now();
    let grant = call.shared.change(|inner| match value("grant_type") {
        "refresh_token" => {
            let grant = inner.accounts.refresh(
                SignInService::Provider,
                value("refresh_token"),
                client_id,
                now,
            );
            inner.state.refreshes += u64::from(grant.is_some());
            grant.ok_or_else(invalid_grant)
        }
        "authorization_code" => {
            let (code, verifier) = (value("code"), value("code_verifier"));
            browser::take_code(
                inner,
                SignInService::Provider,
                code,
                verifier,
                value("redirect_uri"),
                client_id,
            )
            .map(|account| inner.accounts.sign_in(account, client_id, now))
            .ok_or_else(invalid_grant)
        }
        _ => Err(invalid_request("grant_type is missing or unknown")),
    })?;
    let mut answer = json!({
        "access_token": grant.access_token,
        "token_type": "Bearer",
        "expires_in": grant.expires_in.as_secs().to_string(),
    });
    if let Some(token) = grant.refresh_token {
        answer["refresh_token"] = token.into();
    }
    Ok(ok(&answer))
}
