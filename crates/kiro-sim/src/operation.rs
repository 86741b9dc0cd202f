//! The operations of the service and their spellings.

use hyper::Method;
use kiro_protocol::Generation;
use serde::Serialize;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub enum Operation {
    /// Inference.
    Generate,
    /// Inference, as Amazon Q spells it.
    SendMessage,
    /// A call to the service's own tool server.
    InvokeMcp,
    /// Feature flags.
    GetFeatureConfiguration,
    /// The model catalogue.
    ListAvailableModels,
    /// Quota and subscription.
    GetUsageLimits,
    /// The caller's profiles.
    ListAvailableProfiles,
    /// Makes an API key.
    CreateApiKey,
    /// Lists API keys.
    ListApiKeys,
    /// Browser sign-in with Google or GitHub.
    SocialLogin,
    /// Exchange of a social sign-in's code.
    SocialToken,
    /// Refresh of a social login.
    SocialRefresh,
    /// Registration of an OIDC client.
    OidcRegister,
    /// Start of the device-code flow.
    OidcDeviceAuthorization,
    /// Browser sign-in at AWS SSO.
    OidcAuthorize,
    /// Exchange and refresh at AWS SSO.
    OidcToken,
    /// Discovery document of the external identity provider.
    IdpDiscovery,
    /// Browser sign-in at the external identity provider.
    IdpAuthorize,
    /// Exchange and refresh at the external identity provider.
    IdpToken,
    /// The unified browser sign-in.
    PortalSignin,
    /// None that the service knows.
    Unknown,
}

/// Finds the operation of a request.
pub(crate) fn route(
    method: &Method,
    path: &str,
    target: Option<&str>,
    content_type: Option<&str>,
) -> (Operation, Option<Generation>) {
    if let Some(operation) = sign_in(method, path) {
        return (operation, None);
    }
    if let Some(operation) = rest(method, path) {
        return (operation, Some(Generation::Rest));
    }
    // Dispatch by target belongs to AWS-JSON-1.0 and needs its content type.
    let is_aws_json =
        content_type.is_some_and(|value| value.starts_with("application/x-amz-json-1.0"));
    if path == "/"
        && method == Method::POST
        && is_aws_json
        && let Some((operation, generation)) = target.and_then(by_target)
    {
        return (operation, Some(generation));
    }
    (Operation::Unknown, None)
}

fn rest(method: &Method, path: &str) -> Option<Operation> {
    Some(match (method.as_str(), path) {
        ("POST", "/generateAssistantResponse") => Operation::Generate,
        ("POST", "/SendMessageStreaming") => Operation::SendMessage,
        ("POST", "/mcp") => Operation::InvokeMcp,
        ("GET", "/ListAvailableModels" | "/List-Available-Models") => {
            Operation::ListAvailableModels
        }
        ("GET", "/getUsageLimits" | "/Get-Usage-Limits") => Operation::GetUsageLimits,
        ("POST", "/ListAvailableProfiles" | "/List-Available-Profiles") => {
            Operation::ListAvailableProfiles
        }
        _ => return None,
    })
}

/// The service part is compared exactly.
fn by_target(target: &str) -> Option<(Operation, Generation)> {
    use Generation::{Cli, Krs};

    Some(match target {
        "AmazonCodeWhispererStreamingService.GenerateAssistantResponse" => {
            (Operation::Generate, Cli)
        }
        "AmazonCodeWhispererStreamingService.SendMessage"
        | "AmazonQDeveloperStreamingService.SendMessage" => (Operation::SendMessage, Cli),
        "AmazonCodeWhispererService.ListAvailableModels" => (Operation::ListAvailableModels, Cli),
        "AmazonCodeWhispererService.GetUsageLimits" => (Operation::GetUsageLimits, Cli),
        "AmazonCodeWhispererService.ListAvailableProfiles" => {
            (Operation::ListAvailableProfiles, Cli)
        }
        "KiroRuntimeService.GenerateAssistantResponse" => (Operation::Generate, Krs),
        "KiroRuntimeService.InvokeMCP" => (Operation::InvokeMcp, Krs),
        "KiroRuntimeService.GetFeatureConfiguration" => (Operation::GetFeatureConfiguration, Krs),
        "KiroControlPlaneBearerService.ListAvailableModels" => {
            (Operation::ListAvailableModels, Krs)
        }
        "KiroControlPlaneBearerService.GetUsageLimits" => (Operation::GetUsageLimits, Krs),
        "KiroControlPlaneBearerService.ListAvailableProfiles" => {
            (Operation::ListAvailableProfiles, Krs)
        }
        "KiroControlPlaneBearerService.CreateApiKey" => (Operation::CreateApiKey, Krs),
        "KiroControlPlaneBearerService.ListApiKeys" => (Operation::ListApiKeys, Krs),
        _ => return None,
    })
}

fn sign_in(method: &Method, path: &str) -> Option<Operation> {
    Some(match (method.as_str(), path) {
        ("GET", "/login") => Operation::SocialLogin,
        ("POST", "/oauth/token") => Operation::SocialToken,
        ("POST", "/refreshToken") => Operation::SocialRefresh,
        ("POST", "/client/register") => Operation::OidcRegister,
        ("POST", "/device_authorization") => Operation::OidcDeviceAuthorization,
        ("GET", "/authorize") => Operation::OidcAuthorize,
        ("POST", "/token") => Operation::OidcToken,
        ("GET", "/idp/.well-known/openid-configuration") => Operation::IdpDiscovery,
        ("GET", "/idp/authorize") => Operation::IdpAuthorize,
        ("POST", "/idp/token") => Operation::IdpToken,
        ("GET", "/signin") => Operation::PortalSignin,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWS_JSON: Option<&str> = Some("application/x-amz-json-1.0");

    #[test]
    fn the_service_part_of_a_target_is_compared_exactly() {
        let post = |target| route(&Method::POST, "/", Some(target), AWS_JSON);
        let (operation, generation) = post("KiroRuntimeService.GenerateAssistantResponse");
        assert_eq!(
            (operation, generation),
            (Operation::Generate, Some(Generation::Krs))
        );
        for wrong in [
            "KiroRuntimeServiceX.GenerateAssistantResponse",
            "kiroruntimeservice.GenerateAssistantResponse",
            "AmazonCodeWhispererService.GenerateAssistantResponse",
            "KiroRuntimeService.ListAvailableModels",
            "GenerateAssistantResponse",
        ] {
            assert_eq!(post(wrong).0, Operation::Unknown, "{wrong}");
        }
    }

    #[test]
    fn a_target_needs_the_content_type_of_its_binding() {
        let target = Some("KiroRuntimeService.GenerateAssistantResponse");
        let (operation, _) = route(&Method::POST, "/", target, Some("application/json"));
        assert_eq!(operation, Operation::Unknown);
    }

    #[test]
    fn a_rest_path_wins_over_a_target() {
        let target = Some("KiroRuntimeService.GenerateAssistantResponse");
        let path = "/generateAssistantResponse";
        let (operation, generation) = route(&Method::POST, path, target, Some("application/json"));
        assert_eq!(
            (operation, generation),
            (Operation::Generate, Some(Generation::Rest))
        );
    }
}
