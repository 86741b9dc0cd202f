//! The pages that a browser opens. The person behind it agrees at once, so each answers with a redirect.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::header::{HeaderValue, LOCATION};
use hyper::{Response, StatusCode};
use sha2::{Digest, Sha256};

use super::invalid_request;
use crate::account::AccountId;
use crate::refusal::Refusal;
use crate::service::{Call, Outcome};
use crate::sign_in::Code;
use crate::state::Inner;
use crate::stream::whole_body;
use crate::{CredentialKind, form};

/// `GET /login`, `/authorize`, `/idp/authorize`: redirects back with a code for a new account.
pub(super) fn authorize(call: &Call, kind: CredentialKind) -> Outcome {
    let query = form::parse(call.head.uri.query().unwrap_or_default());
    let redirect_uri = required(&query, "redirect_uri")?.to_owned();
    if kind == CredentialKind::Social {
        let idp = required(&query, "idp")?;
        if !matches!(idp, "Google" | "Github" | "Cognito") {
            return Err(invalid_request("idp is not a known provider").into());
        }
    } else {
        required(&query, "client_id")?;
    }
    let code = new_code(call, &query, kind, redirect_uri.clone())?;
    redirect(
        &redirect_uri,
        &[("code", &code), ("state", required(&query, "state")?)],
    )
}

/// `GET /signin`: the unified page. The person chooses Google.
pub(super) fn portal(call: &Call) -> Outcome {
    let query = form::parse(call.head.uri.query().unwrap_or_default());
    let callback = format!("{}/oauth/callback", required(&query, "redirect_uri")?);
    // The exchange presents the callback as it was called, option and all.
    let redirect_uri = format!("{callback}?login_option=google");
    let code = new_code(call, &query, CredentialKind::Social, redirect_uri)?;
    let state = required(&query, "state")?;
    redirect(
        &callback,
        &[
            ("login_option", "google"),
            ("code", &code),
            ("state", state),
        ],
    )
}

/// Takes a code if it fits its verifier, redirect and client; it is good for one exchange.
pub(super) fn take_code(
    inner: &mut Inner,
    code: &str,
    verifier: &str,
    redirect_uri: &str,
    client_id: Option<&str>,
) -> Option<AccountId> {
    let held = inner.flows.codes.get(code)?;
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    let fits = held.challenge == challenge
        && held.redirect_uri == redirect_uri
        && held.client_id.as_deref() == client_id;
    if !fits {
        return None;
    }
    inner.flows.codes.remove(code).map(|held| held.account)
}

fn new_code(
    call: &Call,
    query: &[(String, String)],
    kind: CredentialKind,
    redirect_uri: String,
) -> Result<String, Refusal> {
    let challenge = required(query, "code_challenge")?.to_owned();
    if required(query, "code_challenge_method")? != "S256" {
        return Err(invalid_request("the challenge method is not S256"));
    }
    let client_id = form::get(query, "client_id").map(str::to_owned);
    Ok(call.shared.change(|inner| {
        let account = inner.accounts.open(kind);
        let code = inner.random.base64url(40);
        let held = Code {
            account,
            challenge,
            redirect_uri,
            client_id,
        };
        inner.flows.codes.insert(code.clone(), held);
        code
    }))
}

fn required<'a>(query: &'a [(String, String)], name: &str) -> Result<&'a str, Refusal> {
    form::get(query, name)
        .filter(|value| !value.is_empty())
        .ok_or_else(|| invalid_request(&format!("{name} is missing")))
}

fn redirect(to: &str, pairs: &[(&str, &str)]) -> Outcome {
    let query: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", form::encode(value)))
        .collect();
    let location = format!("{to}?{}", query.join("&"));
    let location = HeaderValue::from_str(&location)
        .map_err(|_| invalid_request("redirect_uri is not a URL"))?;
    let mut response = Response::new(whole_body(""));
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}
