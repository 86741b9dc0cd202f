//! The profile ARN, by kind of credential and by host.

use super::Violation;
use crate::{CredentialKind, Host};

/// The profile of every social account. Public constant, the same for everybody.
pub const SOCIAL_PROFILE_ARN: &str =
    "arn:aws:codewhisperer:us-east-1:699475941385:profile/EHGA3GRVQMUK";

/// The profile that the official CLI sends for every Builder ID on the runtime host. Public constant.
pub const BUILDER_ID_PROFILE_ARN: &str =
    "arn:aws:codewhisperer:us-east-1:638616132270:profile/AAAACCCCXXXX";

/// Whose token came with a request, and what the service knows of profiles.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// How the holder signed in.
    pub kind: CredentialKind,
    /// The host that was called.
    pub host: Host,
    /// Profiles that the holder may use.
    pub own: Vec<String>,
    /// Profiles that exist and belong to others.
    pub others: Vec<String>,
}

impl Holder {
    /// A holder with the profiles that its kind has by nature: the shared ones, or none.
    pub fn new(kind: CredentialKind, host: Host) -> Self {
        let own = match kind {
            CredentialKind::Social => vec![SOCIAL_PROFILE_ARN.to_owned()],
            CredentialKind::BuilderId => vec![BUILDER_ID_PROFILE_ARN.to_owned()],
            CredentialKind::IdentityCenter
            | CredentialKind::ExternalIdp
            | CredentialKind::ApiKey => Vec::new(),
        };
        Self {
            kind,
            host,
            own,
            others: Vec::new(),
        }
    }
}

/// Checks the profile ARN of a request against its caller.
///
/// | Credential | runtime | legacy | management |
/// | --- | --- | --- | --- |
/// | social | required, the shared one | optional | optional |
/// | Builder ID | required, the shared one | must be absent | optional |
/// | Identity Center | required, its own | required, its own | optional |
/// | external IdP | required, its own | required, its own | required |
/// | API key | must be absent | must be absent | must be absent |
///
/// Source: public gateways and their issues, 2026; two observers where not otherwise said, one for the
/// Builder ID row.
///
/// # Errors
///
/// `E9` when it is missing on the runtime host, `E17` when it is missing elsewhere or not the caller's,
/// `E3` when no such profile exists.
pub fn check_profile(arn: Option<&str>, holder: &Holder) -> Result<(), Violation> {
    use CredentialKind as Kind;

    let Some(arn) = arn else {
        return match (holder.kind, holder.host) {
            (Kind::ApiKey, _) => Ok(()),
            (_, Host::Runtime) => Err(required()),
            (Kind::Social | Kind::BuilderId, _) => Ok(()),
            (Kind::IdentityCenter, Host::Management) => Ok(()),
            (Kind::IdentityCenter, Host::Legacy) | (Kind::ExternalIdp, _) => {
                Err(unauthorized("the profile ARN is missing"))
            }
        };
    };
    let is_own = holder.own.iter().any(|own| own == arn);
    let is_shared = arn == SOCIAL_PROFILE_ARN || arn == BUILDER_ID_PROFILE_ARN;
    match (holder.kind, holder.host) {
        _ if !is_arn(arn) => Err(Violation::improper("E3", "profileArn is not a profile ARN")),
        (Kind::ApiKey, _) => Err(unauthorized("an API key has no profile")),
        (Kind::BuilderId, Host::Legacy) => Err(unauthorized(
            "the legacy host takes no profile ARN from a Builder ID",
        )),
        _ if is_own => Ok(()),
        _ if is_shared || holder.others.iter().any(|other| other == arn) => {
            Err(unauthorized("the profile is not the caller's"))
        }
        _ => Err(Violation::improper("E3", "no profile has this ARN")),
    }
}

/// `arn:aws:codewhisperer:{region}:{account}:profile/{id}`
fn is_arn(arn: &str) -> bool {
    let fields: Vec<&str> = arn.split(':').collect();
    match fields.as_slice() {
        ["arn", partition, "codewhisperer", region, account, resource] => {
            partition.starts_with("aws")
                && !region.is_empty()
                && account.len() == 12
                && account.bytes().all(|byte| byte.is_ascii_digit())
                && resource
                    .strip_prefix("profile/")
                    .is_some_and(|id| !id.is_empty())
        }
        _ => false,
    }
}

fn required() -> Violation {
    let message = "profileArn is required for this request.";
    Violation::invalid("E9", None, message, "the runtime host wants a profile ARN")
}

fn unauthorized(detail: &str) -> Violation {
    Violation::denied(
        "E17",
        None,
        "User is not authorized to make this call.",
        detail,
    )
}
