//! What depends on how a credential was obtained: the profile it names and the kind of its token.

/// How a credential was obtained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LoginKind {
    /// Google or GitHub, through Kiro's own sign-in.
    Social,
    /// AWS Builder ID.
    BuilderId,
    /// IAM Identity Center, the directory of an organisation.
    IdentityCenter,
    /// An external identity provider: Entra, Okta and so on.
    ExternalIdp,
    /// A key made in Kiro's console, `ksk_…`.
    ApiKey,
}

/// The planes and ages of hosts that judge a profile ARN differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HostKind {
    /// `runtime.{region}.kiro.dev`
    Runtime,
    /// `q.{region}.amazonaws.com` and `codewhisperer.us-east-1.amazonaws.com`
    Legacy,
    /// `management.{region}.kiro.dev`
    Management,
}

/// The profile that all social logins share, a public constant.
pub const SOCIAL_PROFILE_ARN: &str =
    "arn:aws:codewhisperer:us-east-1:699475941385:profile/EHGA3GRVQMUK";

/// The profile that all Builder IDs share on the runtime host, a public constant.
pub const BUILDER_ID_PROFILE_ARN: &str =
    "arn:aws:codewhisperer:us-east-1:638616132270:profile/AAAACCCCXXXX";

/// What to send as `profileArn`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileArnRule {
    /// The credential's own profile. Without one the service will refuse.
    Send,
    /// The credential's own profile, or else this constant.
    SendShared(&'static str),
    /// Nothing, even if the credential has a profile.
    Omit,
}

impl ProfileArnRule {
    /// The ARN to send for a credential that has `own`. An empty ARN counts as none: the service
    /// refuses an empty string where it takes a missing member.
    pub fn apply(self, own: Option<&str>) -> Option<&str> {
        let own = own.filter(|arn| !arn.is_empty());
        match self {
            Self::Send => own,
            Self::SendShared(shared) => own.or(Some(shared)),
            Self::Omit => None,
        }
    }
}

/// What a host wants to hear about the profile of a credential.
///
/// The profile, not the token, is what most 403 and many 400 answers are about. A wrong one is as bad
/// as none: on the legacy hosts the constant of the Builder IDs gives 403, on the runtime host no ARN
/// gives 400 `profileArn is required for this request.`
///
/// Source: several independent gateways and issue threads, October 2026; each cell of Builder ID and
/// API key rests on one or two of them.
pub fn profile_arn_rule(login: LoginKind, host: HostKind) -> ProfileArnRule {
    match (login, host) {
        (LoginKind::Social, _) => ProfileArnRule::SendShared(SOCIAL_PROFILE_ARN),
        (LoginKind::BuilderId, HostKind::Runtime) => {
            ProfileArnRule::SendShared(BUILDER_ID_PROFILE_ARN)
        }
        (LoginKind::BuilderId, HostKind::Legacy | HostKind::Management) => ProfileArnRule::Omit,
        (LoginKind::IdentityCenter | LoginKind::ExternalIdp, _) => ProfileArnRule::Send,
        (LoginKind::ApiKey, _) => ProfileArnRule::Omit,
    }
}

/// The value of the `TokenType` header. Tokens of the other logins travel without it.
///
/// Source: the official CLI, October 2026. Without the header these two tokens are refused with 403
/// (several reports).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenType {
    /// `EXTERNAL_IDP`
    ExternalIdp,
    /// `API_KEY`
    ApiKey,
}

impl TokenType {
    /// The value on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ExternalIdp => "EXTERNAL_IDP",
            Self::ApiKey => "API_KEY",
        }
    }
}

impl LoginKind {
    /// The kind of this login's tokens, when the service must be told.
    pub fn token_type(self) -> Option<TokenType> {
        match self {
            Self::ExternalIdp => Some(TokenType::ExternalIdp),
            Self::ApiKey => Some(TokenType::ApiKey),
            Self::Social | Self::BuilderId | Self::IdentityCenter => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_login_names_the_profile_that_its_host_takes() {
        use HostKind::{Legacy, Management, Runtime};
        use LoginKind::{ApiKey, BuilderId, ExternalIdp, IdentityCenter, Social};
        let own = Some("arn:own");
        for (login, host, without_own, with_own) in [
            (Social, Runtime, Some(SOCIAL_PROFILE_ARN), own),
            (Social, Legacy, Some(SOCIAL_PROFILE_ARN), own),
            (Social, Management, Some(SOCIAL_PROFILE_ARN), own),
            (BuilderId, Runtime, Some(BUILDER_ID_PROFILE_ARN), own),
            (BuilderId, Legacy, None, None),
            (BuilderId, Management, None, None),
            (IdentityCenter, Runtime, None, own),
            (IdentityCenter, Legacy, None, own),
            (IdentityCenter, Management, None, own),
            (ExternalIdp, Runtime, None, own),
            (ExternalIdp, Legacy, None, own),
            (ExternalIdp, Management, None, own),
            (ApiKey, Runtime, None, None),
            (ApiKey, Legacy, None, None),
            (ApiKey, Management, None, None),
        ] {
            let rule = profile_arn_rule(login, host);
            assert_eq!(rule.apply(None), without_own, "{login:?} on {host:?}");
            assert_eq!(rule.apply(Some("")), without_own, "{login:?} on {host:?}");
            assert_eq!(rule.apply(own), with_own, "{login:?} on {host:?}");
        }
    }

    #[test]
    fn only_two_kinds_of_token_are_labelled() {
        use LoginKind::{ApiKey, BuilderId, ExternalIdp, IdentityCenter, Social};
        for (login, label) in [
            (Social, None),
            (BuilderId, None),
            (IdentityCenter, None),
            (ExternalIdp, Some("EXTERNAL_IDP")),
            (ApiKey, Some("API_KEY")),
        ] {
            assert_eq!(login.token_type().map(TokenType::as_str), label);
        }
    }
}
