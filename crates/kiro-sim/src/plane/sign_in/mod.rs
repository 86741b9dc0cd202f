//! Sign-in and refresh: the social service, AWS SSO OIDC, and a small external identity provider.

mod browser;
mod idp;
mod oidc;
mod social;

use serde_json::Value;
use tokio::time::sleep;

use super::ok;
use crate::operation::Operation;
use crate::refusal::{Form, Refusal};
use crate::service::{Call, Ending, Outcome};
use crate::sign_in::SignInFault;

/// Answers a call of the sign-in plane.
pub(super) async fn serve(call: &Call) -> Outcome {
    let fault = match call.operation {
        Operation::SocialRefresh
        | Operation::SocialToken
        | Operation::OidcToken
        | Operation::IdpToken => call.shared.change(|inner| inner.faults.pop_front()),
        _ => None,
    };
    if let Some(SignInFault::Delayed(delay)) = fault {
        sleep(delay).await;
    }
    if let Some(refusal) = fault.and_then(|fault| refusal_of(fault, call.operation)) {
        return Err(refusal.into());
    }
    let outcome = match call.operation {
        Operation::SocialLogin => browser::login(call),
        Operation::OidcAuthorize => browser::authorize(call),
        Operation::IdpAuthorize => browser::identity_provider(call),
        Operation::PortalSignin => browser::portal(call),
        Operation::SocialToken => social::exchange(call),
        Operation::SocialRefresh => social::refresh(call),
        Operation::OidcRegister => oidc::register(call),
        Operation::OidcDeviceAuthorization => oidc::device_authorization(call),
        Operation::OidcToken => oidc::token(call),
        Operation::IdpDiscovery => Ok(ok(&idp::discovery(call))),
        _ => idp::token(call),
    };
    match fault {
        Some(SignInFault::AnswerLost) => Err(Ending::Broken),
        _ => outcome,
    }
}

/// The refusal that a fault stands for, in the words of the service that was called.
fn refusal_of(fault: SignInFault, operation: Operation) -> Option<Refusal> {
    let social = matches!(operation, Operation::SocialRefresh | Operation::SocialToken);
    Some(
        match (fault, social) {
            (SignInFault::Dead, true) => social::dead(),
            (SignInFault::Dead, false) => invalid_grant(),
            (SignInFault::InvalidClient, _) => invalid_client(),
            (SignInFault::SlowDown, true) => {
                Refusal::new("OAuth", 429, "ThrottlingException", "Too many requests")
                    .in_form(Form::Message)
            }
            (SignInFault::SlowDown, false) => {
                Refusal::oauth(400, "SlowDownException", "slow_down", "Too many requests")
            }
            (SignInFault::ServerError, true) => Refusal::new(
                "OAuth",
                500,
                "InternalServerException",
                "Internal server error",
            )
            .in_form(Form::Message),
            (SignInFault::ServerError, false) => {
                Refusal::oauth(500, "InternalServerException", "server_error", "")
            }
            (SignInFault::Blocked, _) => {
                let page = "<html>request blocked by the edge</html>";
                Refusal::new("OAuth", 403, "Forbidden", page).in_form(Form::Html)
            }
            (SignInFault::Delayed(_) | SignInFault::AnswerLost, _) => return None,
        }
        .detailed("asked for by the test"),
    )
}

fn invalid_grant() -> Refusal {
    let description = "Invalid refresh token provided";
    Refusal::oauth(400, "InvalidGrantException", "invalid_grant", description)
}

fn invalid_client() -> Refusal {
    let description = "Invalid client secret";
    Refusal::oauth(401, "InvalidClientException", "invalid_client", description)
}

fn invalid_request(detail: &str) -> Refusal {
    let description = "Invalid request";
    Refusal::oauth(
        400,
        "InvalidRequestException",
        "invalid_request",
        description,
    )
    .detailed(detail)
}

/// A JSON body, and its text members.
struct JsonBody(Value);

impl JsonBody {
    fn of(call: &Call) -> Option<Self> {
        serde_json::from_slice(&call.body)
            .ok()
            .filter(Value::is_object)
            .map(Self)
    }

    fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A list of texts, empty when there is none.
    fn texts(&self, name: &str) -> Result<Vec<String>, Refusal> {
        let Some(value) = self.0.get(name) else {
            return Ok(Vec::new());
        };
        let texts = value.as_array().and_then(|items| {
            let texts = items.iter().map(|item| item.as_str().map(str::to_owned));
            texts.collect()
        });
        texts.ok_or_else(|| invalid_request(&format!("{name} is not a list of texts")))
    }
}
