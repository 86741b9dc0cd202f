//! Which kind of credential calls, and which host it calls.

use serde::{Deserialize, Serialize};

use crate::sign_in::SignInService;

/// How the holder of a credential signed in.
///
/// The kind decides which profile ARN the service wants and whether a `TokenType` header is needed.
/// Source: the official CLI and several public gateways, 2026.
///
/// The list is complete on purpose: a test that takes a kind for another one tests something else than it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialKind {
    /// Google or GitHub, through Kiro's own sign-in service.
    Social,
    /// AWS Builder ID, through AWS SSO OIDC in `us-east-1`.
    BuilderId,
    /// IAM Identity Center, through AWS SSO OIDC in the directory's region.
    IdentityCenter,
    /// A customer's own identity provider (Entra, Okta).
    ExternalIdp,
    /// A `ksk_` key, used directly as bearer token.
    ApiKey,
}

impl CredentialKind {
    /// Every kind, in the order in which they are declared.
    pub const ALL: &'static [Self] = &[
        Self::Social,
        Self::BuilderId,
        Self::IdentityCenter,
        Self::ExternalIdp,
        Self::ApiKey,
    ];

    /// The `TokenType` header that this kind must send, if any.
    pub fn token_type(self) -> Option<&'static str> {
        match self {
            Self::ExternalIdp => Some("EXTERNAL_IDP"),
            Self::ApiKey => Some("API_KEY"),
            Self::Social | Self::BuilderId | Self::IdentityCenter => None,
        }
    }

    /// Whether the kind refreshes at AWS SSO OIDC.
    pub fn is_oidc(self) -> bool {
        self.service() == Some(SignInService::Aws)
    }

    /// The service that has given its tokens and refreshes them; `None` for what is never refreshed.
    pub(crate) fn service(self) -> Option<SignInService> {
        match self {
            Self::Social => Some(SignInService::Kiro),
            Self::BuilderId | Self::IdentityCenter => Some(SignInService::Aws),
            Self::ExternalIdp => Some(SignInService::Provider),
            Self::ApiKey => None,
        }
    }
}

/// Which of the service's hosts the simulator plays for one request.
///
/// All hosts share one port, so the host is taken from the spelling of the request unless
/// [`SimOptions::data_host`](crate::SimOptions::data_host) fixes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Host {
    /// `runtime.{region}.kiro.dev`: inference and tools of the current clients.
    Runtime,
    /// `q.{region}.amazonaws.com` and `codewhisperer.us-east-1.amazonaws.com`.
    Legacy,
    /// `management.{region}.kiro.dev`: models, profiles, quota.
    Management,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_kinds_are_in_the_list() {
        let source = include_str!("kind.rs");
        let (_, rest) = source.split_once("pub enum CredentialKind {").unwrap();
        let (variants, _) = rest.split_once("\n}").unwrap();
        let declared: Vec<&str> = variants
            .lines()
            .filter_map(|line| line.trim().strip_suffix(','))
            .filter(|line| line.chars().all(char::is_alphanumeric))
            .collect();
        let listed: Vec<String> = CredentialKind::ALL
            .iter()
            .map(|kind| format!("{kind:?}"))
            .collect();
        assert_eq!(listed, declared);
    }

    #[test]
    fn every_kind_is_on_the_page() {
        let page = include_str!("../README.md");
        for kind in CredentialKind::ALL {
            let name = serde_json::to_string(kind).unwrap().replace('"', "`");
            assert!(page.contains(&name), "{name}");
        }
    }
}
