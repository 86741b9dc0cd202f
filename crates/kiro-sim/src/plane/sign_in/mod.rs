//! Sign-in and refresh: the social service, AWS SSO OIDC, and a small external identity provider.

pub(super) mod browser;
pub(super) mod idp;
pub(super) mod oidc;
pub(super) mod social;

use serde_json::Value;
use tokio::time::sleep;

use crate::refusal::{Form, Refusal};
use crate::service::{Call, Ending, Outcome};
use crate::sign_in::{SignInFault, SignInService};

/// Answers a call of a token endpoint, which may have been told to do something wrong.
pub(super) async fn tokens(
    call: &Call,
    service: SignInService,
    answer: fn(&Call) -> Outcome,
) -> Outcome {
    let fault = call.shared.change(|inner| inner.faults.pop_front());
    if let Some(SignInFault::Delayed(delay)) = fault {
        sleep(delay).await;
    }
    if let Some(refusal) = fault.and_then(|fault| refusal_of(fault, service)) {
        return Err(refusal.into());
    }
    let outcome = answer(call);
    match fault {
        Some(SignInFault::AnswerLost) => Err(Ending::Broken),
        Some(
            SignInFault::Dead
            | SignInFault::InvalidClient
            | SignInFault::SlowDown
            | SignInFault::ServerError
            | SignInFault::Blocked
            | SignInFault::Delayed(_),
        )
        | None => outcome,
    }
}

/// The refusal that a fault stands for, in the words of the service that was called.
fn refusal_of(fault: SignInFault, service: SignInService) -> Option<Refusal> {
    let kiro = match service {
        SignInService::Kiro => true,
        SignInService::Aws | SignInService::Provider => false,
    };
    Some(
        match (fault, kiro) {
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
