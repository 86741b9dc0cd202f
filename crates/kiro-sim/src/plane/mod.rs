//! The planes of the service: inference, management, sign-in; and the simulator's own control plane.

mod caller;
mod control;
mod generate;
mod management;
mod mcp;
mod sign_in;

use hyper::Response;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde_json::Value;

pub(crate) use control::control;
use sign_in::{browser, idp, oidc, social, tokens};

use crate::operation::Operation;
use crate::playback::Playback;
use crate::refusal::Refusal;
use crate::service::{Call, Outcome};
use crate::sign_in::SignInService;
use crate::stream::{SimBody, whole_body};

/// Sends a call to the plane of its operation.
pub(crate) async fn serve(call: &Call) -> Outcome {
    use kiro_protocol::Generation;

    if let Some(playback) = Playback::of(call) {
        return playback.perform(call).await;
    }
    if call.shared.options.krs_refused && call.generation == Some(Generation::Krs) {
        return Err(unknown_operation("the newest generation is switched off").into());
    }
    match call.operation {
        Operation::Generate | Operation::SendMessage => generate::serve(call).await,
        Operation::InvokeMcp => mcp::serve(call).await,
        Operation::ListAvailableModels => management::list_models(call),
        Operation::GetUsageLimits => management::usage_limits(call),
        Operation::ListAvailableProfiles => management::list_profiles(call),
        Operation::GetFeatureConfiguration => management::feature_configuration(call),
        Operation::CreateApiKey => management::create_api_key(call),
        Operation::ListApiKeys => management::list_api_keys(call),
        Operation::SocialLogin => browser::login(call),
        Operation::SocialToken => tokens(call, SignInService::Kiro, social::exchange).await,
        Operation::SocialRefresh => tokens(call, SignInService::Kiro, social::refresh).await,
        Operation::OidcRegister => oidc::register(call),
        Operation::OidcDeviceAuthorization => oidc::device_authorization(call),
        Operation::OidcAuthorize => browser::authorize(call),
        Operation::OidcToken => tokens(call, SignInService::Aws, oidc::token).await,
        Operation::IdpDiscovery => Ok(ok(&idp::discovery(call))),
        Operation::IdpAuthorize => browser::identity_provider(call),
        Operation::IdpToken => tokens(call, SignInService::Provider, idp::token).await,
        Operation::PortalSignin => browser::portal(call),
        Operation::Unknown => Err(unknown_operation("no such path or target").into()),
    }
}

/// A 200 with JSON.
fn ok(body: &Value) -> Response<SimBody> {
    let mut response = Response::new(whole_body(body.to_string()));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn unknown_operation(detail: &str) -> Refusal {
    Refusal::new("E31", 404, "UnknownOperationException", "").detailed(detail)
}
