//! Kiro's own sign-in service, for Google and GitHub.

use serde_json::json;
use tokio::time::Instant;

use super::{JsonBody, browser};
use crate::account::Grant;
use crate::plane::ok;
use crate::refusal::{Form, Refusal};
use crate::service::{Call, Outcome};
use crate::sign_in::SignInService;
use crate::validate::SOCIAL_PROFILE_ARN;

/// `POST /oauth/token`: snake case in, camel case out.
pub(in crate::plane) fn exchange(call: &Call) -> Outcome {
    let body = JsonBody::of(call).ok_or_else(|| malformed("the body is not a JSON object"))?;
    let (code, verifier) = (body.text("code"), body.text("code_verifier"));
    let redirect_uri = body.text("redirect_uri");
    let grant = call.shared.change(|inner| {
        let account = browser::take_code(
            inner,
            SignInService::Kiro,
            code,
            verifier,
            redirect_uri,
            None,
        )?;
        Some(inner.accounts.sign_in(account, None, Instant::now()))
    });
    let grant = grant.ok_or_else(|| dead().detailed("the code is unknown or does not fit"))?;
    answer(grant, "")
}

/// `POST /refreshToken`: camel case both ways.
pub(in crate::plane) fn refresh(call: &Call) -> Outcome {
    let body = JsonBody::of(call).ok_or_else(|| malformed("the body is not a JSON object"))?;
    let token = body.text("refreshToken");
    if token.is_empty() {
        return Err(malformed("refreshToken is missing").into());
    }
    let grant = call.shared.change(|inner| {
        let grant = inner
            .accounts
            .refresh(SignInService::Kiro, token, None, Instant::now());
        inner.state.refreshes += u64::from(grant.is_some());
        grant
    });
    answer(
        grant.ok_or_else(|| dead().detailed("the refresh token is dead or unknown"))?,
        token,
    )
}

/// The answer to a refresh token that does not work any more.
pub(super) fn dead() -> Refusal {
    Refusal::new("OAuth", 401, "UnauthorizedException", "Unauthorized").in_form(Form::Message)
}

/// A refresh token that was not rotated is sent back as it came.
fn answer(grant: Grant, unrotated: &str) -> Outcome {
    Ok(ok(&json!({
        "accessToken": grant.access_token,
        "refreshToken": grant.refresh_token.as_deref().unwrap_or(unrotated),
        "profileArn": SOCIAL_PROFILE_ARN,
        "expiresIn": grant.expires_in.as_secs(),
    })))
}

fn malformed(detail: &str) -> Refusal {
    Refusal::new("OAuth", 400, "ValidationException", "Invalid request")
        .in_form(Form::Message)
        .detailed(detail)
}
