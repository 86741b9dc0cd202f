//! The ways of signing in, and what follows from each on the wire.

use std::fmt;

/// How a credential was obtained.
///
/// | login | refreshed at | `TokenType` header |
/// | --- | --- | --- |
/// | social (Google, GitHub) | Kiro's own sign-in service | – |
/// | Builder ID | AWS SSO OIDC in `us-east-1` | – |
/// | IAM Identity Center | AWS SSO OIDC in the directory's region | – |
/// | external identity provider | the provider's token endpoint | `EXTERNAL_IDP` |
/// | API key | never | `API_KEY` |
///
/// Source: the sign-in code and the header interceptor of the public Amazon Q CLI and its successor.
///
/// The list is complete on purpose: no login can stand for one that is not known. It would be refreshed at the wrong
/// service, which is a secret shown to a stranger, and named with the wrong profile. A new one breaks every `match`
/// until it has been thought of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Login {
    /// Kiro's own sign-in with a Google or GitHub account.
    Social,
    /// AWS Builder ID.
    BuilderId,
    /// A directory of AWS IAM Identity Center.
    IdentityCenter,
    /// The customer's identity provider, such as Entra or Okta.
    ExternalIdp,
    /// A key made in Kiro's console (`ksk_…`).
    ApiKey,
}

/// The hosts of the upstream, as far as the profile ARN is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ApiHost {
    /// `runtime.{region}.kiro.dev`: conversations.
    Runtime,
    /// `q.{region}.amazonaws.com` and `codewhisperer.us-east-1.amazonaws.com`: everything, older.
    Legacy,
    /// `management.{region}.kiro.dev`: models, profiles, usage.
    Management,
}

/// The profile that every social login shares (several gateways agree).
pub const SOCIAL_PROFILE_ARN: &str =
    "arn:aws:codewhisperer:us-east-1:699475941385:profile/EHGA3GRVQMUK";

/// The profile that every Builder ID shares on the runtime host (seen with kiro-cli 2.14 by one
/// gateway). The legacy hosts refuse it with 403.
pub const BUILDER_ID_PROFILE_ARN: &str =
    "arn:aws:codewhisperer:us-east-1:638616132270:profile/AAAACCCCXXXX";

impl Login {
    /// Every login, in the order in which they are declared.
    pub const ALL: &'static [Self] = &[
        Self::Social,
        Self::BuilderId,
        Self::IdentityCenter,
        Self::ExternalIdp,
        Self::ApiKey,
    ];

    /// The value of the `TokenType` header that every call with such a token needs, if it needs one.
    /// Without it the upstream answers 403, "The bearer token included in the request is invalid."
    pub fn token_type(self) -> Option<&'static str> {
        match self {
            Self::ExternalIdp => Some("EXTERNAL_IDP"),
            Self::ApiKey => Some("API_KEY"),
            Self::Social | Self::BuilderId | Self::IdentityCenter => None,
        }
    }

    /// Whether an access token of this login expires at all.
    pub fn expires(self) -> bool {
        match self {
            Self::Social | Self::BuilderId | Self::IdentityCenter | Self::ExternalIdp => true,
            Self::ApiKey => false,
        }
    }

    /// Whether requests with such a token are to be begun in kiro-cli's spelling, and not in the IDE's: one gateway
    /// reports that the runtime host refuses API keys in the IDE's, and two that it takes them in the CLI's (October
    /// 2026).
    pub fn speaks_cli(self) -> bool {
        match self {
            Self::ApiKey => true,
            Self::Social | Self::BuilderId | Self::IdentityCenter | Self::ExternalIdp => false,
        }
    }

    /// Whether the credential itself names the service that refreshes it. Whoever wrote the credential may have named
    /// their own, so it is asked only where its host is believed (`HttpRefresherOptions::idp_hosts`).
    pub fn has_own_service(self) -> bool {
        match self {
            Self::ExternalIdp => true,
            Self::Social | Self::BuilderId | Self::IdentityCenter | Self::ApiKey => false,
        }
    }

    /// The profile ARN to send to a host, given the one we know. `None` means that the member must be
    /// left out; an empty string is not the same.
    ///
    /// | login | runtime | legacy | management |
    /// | --- | --- | --- | --- |
    /// | social | known, else the shared one | same | known, else left out |
    /// | Builder ID | known, else the shared one | known, unless it is the shared one | same |
    /// | Identity Center, external | known | known | known |
    /// | API key | left out | left out | left out |
    ///
    /// Where an Identity Center or external login has no known profile, the answer is `None` and the
    /// upstream will refuse: the profile has to be discovered first (`ListAvailableProfiles`).
    pub fn profile_arn(self, host: ApiHost, known: Option<&str>) -> Option<&str> {
        let known = known.filter(|arn| !arn.is_empty());
        match (self, host) {
            (Self::Social, ApiHost::Runtime | ApiHost::Legacy) => {
                known.or(Some(SOCIAL_PROFILE_ARN))
            }
            (Self::BuilderId, ApiHost::Runtime) => known.or(Some(BUILDER_ID_PROFILE_ARN)),
            (Self::BuilderId, ApiHost::Legacy | ApiHost::Management) => {
                known.filter(|arn| *arn != BUILDER_ID_PROFILE_ARN)
            }
            (Self::Social, ApiHost::Management) | (Self::IdentityCenter | Self::ExternalIdp, _) => {
                known
            }
            (Self::ApiKey, _) => None,
        }
    }

    /// Whether conversations need a profile of the credential's own: there is none that all such logins share. One that
    /// nobody knows has to be discovered first (`ListAvailableProfiles`).
    pub fn needs_own_profile(self) -> bool {
        match self {
            Self::IdentityCenter | Self::ExternalIdp => true,
            Self::Social | Self::BuilderId | Self::ApiKey => false,
        }
    }

    /// What people call it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Social => "Google or GitHub",
            Self::BuilderId => "AWS Builder ID",
            Self::IdentityCenter => "IAM Identity Center",
            Self::ExternalIdp => "external identity provider",
            Self::ApiKey => "API key",
        }
    }

    /// The name in logs, metrics and configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Social => "social",
            Self::BuilderId => "builder-id",
            Self::IdentityCenter => "identity-center",
            Self::ExternalIdp => "external-idp",
            Self::ApiKey => "api-key",
        }
    }
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_logins_are_in_the_list() {
        let source = include_str!("login.rs");
        let (_, rest) = source.split_once("pub enum Login {").unwrap();
        let (variants, _) = rest.split_once("\n}").unwrap();
        let declared: Vec<&str> = variants
            .lines()
            .filter_map(|line| line.trim().strip_suffix(','))
            .filter(|line| line.chars().all(char::is_alphanumeric))
            .collect();
        let listed: Vec<String> = Login::ALL
            .iter()
            .map(|login| format!("{login:?}"))
            .collect();
        assert_eq!(listed, declared);
    }

    #[test]
    fn no_two_logins_share_a_name() {
        for name in [Login::name, Login::title] {
            let mut names: Vec<&str> = Login::ALL.iter().map(|login| name(*login)).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), Login::ALL.len());
        }
    }

    #[test]
    fn who_needs_an_own_profile_has_none_without_it() {
        const OWN: Option<&str> = Some("arn:aws:codewhisperer:us-east-1:111122223333:profile/OWN");
        // A login that never says a profile needs none.
        let speaks = |login: &&Login| login.profile_arn(ApiHost::Runtime, OWN).is_some();
        for login in Login::ALL.iter().filter(speaks) {
            let shared = login.profile_arn(ApiHost::Runtime, None);
            assert_eq!(login.needs_own_profile(), shared.is_none(), "{login}");
        }
    }

    #[test]
    fn the_profile_depends_on_login_and_host() {
        use ApiHost::{Legacy, Management, Runtime};
        use Login::*;
        const OWN: &str = "arn:aws:codewhisperer:us-east-1:111122223333:profile/OWN";
        let table = [
            (Social, Runtime, None, Some(SOCIAL_PROFILE_ARN)),
            (Social, Runtime, Some(""), Some(SOCIAL_PROFILE_ARN)),
            (Social, Runtime, Some(OWN), Some(OWN)),
            (Social, Legacy, None, Some(SOCIAL_PROFILE_ARN)),
            (Social, Management, None, None),
            (BuilderId, Runtime, None, Some(BUILDER_ID_PROFILE_ARN)),
            (BuilderId, Legacy, None, None),
            (BuilderId, Legacy, Some(BUILDER_ID_PROFILE_ARN), None),
            (BuilderId, Legacy, Some(OWN), Some(OWN)),
            (BuilderId, Management, None, None),
            (IdentityCenter, Runtime, None, None),
            (IdentityCenter, Runtime, Some(OWN), Some(OWN)),
            (IdentityCenter, Legacy, Some(OWN), Some(OWN)),
            (ExternalIdp, Management, Some(OWN), Some(OWN)),
            (ApiKey, Runtime, Some(OWN), None),
            (ApiKey, Management, Some(OWN), None),
        ];
        for (login, host, known, expected) in table {
            assert_eq!(
                login.profile_arn(host, known),
                expected,
                "{login} {host:?} {known:?}"
            );
        }
        for login in Login::ALL {
            let is_told = table.iter().any(|(told, ..)| told == login);
            assert!(is_told, "{login} has no row");
        }
    }
}
