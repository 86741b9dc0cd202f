//! What a person can do about what went wrong with an account.

use kiro_auth::{AuthError, AuthErrorKind, Credential, CredentialStore as _, Login};
use kiro_protocol::fault::FaultKind;

use crate::accounts::Member;
use crate::config::Origin;
use crate::service::CallError;

/// How somebody signs in to an account once more: with the options that its login takes, where a command has saved
/// it, and otherwise in the place that it is configured with.
pub(crate) async fn sign_in_again(member: &Member) -> String {
    let (account, name) = (member.account(), member.name());
    if account.is_saved {
        let credential = member.store().load().await.ok();
        return again(name, credential.as_ref());
    }
    match account.origin() {
        Some(Origin::File(file) | Origin::KiroCli(file)) => format!(
            "sign in again in the program that {} belongs to; or take the account `{name}` out of the configuration, and `kiro-2api login`",
            file.display()
        ),
        Some(Origin::RefreshToken(_)) => a_new("refresh token", name),
        Some(Origin::ApiKey(_)) => a_new("API key", name),
        // It was found on the machine.
        None => "sign in again in the program that the login belongs to, or with `kiro-2api login`"
            .to_owned(),
    }
}

fn a_new(what: &str, name: &str) -> String {
    format!(
        "put a new {what} in the place of the old one of the account `{name}` in the configuration (`kiro-2api check` says where that is); or remove it there, and `kiro-2api login`"
    )
}

/// The same for a saved account, by what is known of its login: another way to sign in would put another account in its
/// place.
pub(crate) fn again(name: &str, credential: Option<&Credential>) -> String {
    let Some(credential) = credential else {
        return format!(
            "sign in again in the way that belongs to the account: `kiro-2api login --help` has the options, and `--name {name} --replace` goes with them"
        );
    };
    let (options, or) = match credential.login {
        Login::Social => (" --social google".to_owned(), " (or `github`)"),
        Login::BuilderId => (String::new(), ""),
        Login::IdentityCenter => (directory(credential), ""),
        Login::ExternalIdp => (" --portal".to_owned(), ""),
        Login::ApiKey => {
            return format!(
                "make a new API key, and `kiro-2api accounts add {name} --replace < api-key.txt`"
            );
        }
    };
    format!(
        "sign in again: `kiro-2api login --name {name} --replace{options}`{or}, or in the program that the login belongs to"
    )
}

fn directory(credential: &Credential) -> String {
    let url = credential.start_url.as_deref().unwrap_or("URL");
    let region = credential.auth_region.as_deref();
    let region = region.map_or(String::new(), |region| format!(" --region {region}"));
    format!(" --idc {url}{region}")
}

/// About an account that has no token to give. `again` is how to [`sign_in_again`].
pub(crate) fn of_auth(error: &AuthError, again: &str) -> String {
    match error.kind() {
        AuthErrorKind::SignedOut => again.to_owned(),
        AuthErrorKind::Transient => {
            "try again in a minute; if it stays, look at network, proxy and DNS of this machine"
                .to_owned()
        }
        AuthErrorKind::Misconfigured => {
            "correct the setting or the file that is named, or sign in with `kiro-2api login`"
                .to_owned()
        }
        AuthErrorKind::StoreFailed => {
            "let this user read and write the file that is named, and look whether the disk is full"
                .to_owned()
        }
        AuthErrorKind::NoneAvailable { .. } => {
            "wait until the account is available again, or add another one".to_owned()
        }
    }
}

/// About a call that the service did not answer as it should.
pub(crate) fn of_call(error: &CallError, again: &str) -> String {
    match error {
        CallError::Refused(fault) => of_fault(fault.kind(), again),
        CallError::NoHost => {
            "set the account's `region` to one such as `us-east-1`, or remove it".to_owned()
        }
        CallError::Unreachable { .. } | CallError::Silent { .. } | CallError::Broken { .. } => {
            "look at network, proxy, firewall and DNS of this machine; `upstream.endpoint` names another address, if it is set"
                .to_owned()
        }
        CallError::Unreadable(_) | CallError::Unsendable(_) => {
            "the service may have changed: look for a newer version, and report this one".to_owned()
        }
    }
}

fn of_fault(kind: FaultKind, again: &str) -> String {
    match kind {
        FaultKind::TokenRejected => again.to_owned(),
        FaultKind::Suspended => {
            "the account is suspended: only its provider can lift that; it is used no more".to_owned()
        }
        FaultKind::MonthlyQuota | FaultKind::OverageQuota | FaultKind::DailyQuota => {
            "wait for the reset, or allow overage in the account's plan".to_owned()
        }
        FaultKind::ProfileRequired | FaultKind::AccessDenied | FaultKind::NotFound => {
            "set `profile_arn` of the account to a profile that it may use; an administrator of the organisation assigns them"
                .to_owned()
        }
        FaultKind::WrongCredentialShape => {
            "try another `wire_profile` for the account; see docs/configuration.md".to_owned()
        }
        FaultKind::UnknownModel => "choose one of `kiro-2api models`".to_owned(),
        FaultKind::Capacity | FaultKind::Throttled | FaultKind::SpendingTooFast
        | FaultKind::Internal | FaultKind::Timeout => "try again in a minute".to_owned(),
        _ => look_at_the_log(),
    }
}

/// Where nothing is known that a person could do.
fn look_at_the_log() -> String {
    "look at the log of `LOG_LEVEL=debug kiro-2api doctor`".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A refusal of what our small calls say, or one that nobody here can mend: the log has the service's own words.
    const NOTHING_TO_DO: [FaultKind; 16] = [
        FaultKind::ContextTooLong,
        FaultKind::InvalidRequest,
        FaultKind::ToolFormat,
        FaultKind::ToolResultMismatch,
        FaultKind::ThinkingSignature,
        FaultKind::InvalidTool,
        FaultKind::InvalidAttachment,
        FaultKind::AttachmentTooLarge,
        FaultKind::ConversationRejected,
        FaultKind::FeatureNotSupported,
        FaultKind::Forbidden,
        FaultKind::UnknownOperation,
        FaultKind::TooLarge,
        FaultKind::OutputLimit,
        FaultKind::EncryptionKey,
        FaultKind::Other,
    ];

    #[test]
    fn every_fault_has_its_remedy_or_is_known_to_have_none() {
        let without: Vec<FaultKind> = FaultKind::ALL
            .iter()
            .copied()
            .filter(|kind| of_fault(*kind, "sign in again") == look_at_the_log())
            .collect();
        assert_eq!(without, NOTHING_TO_DO);
    }

    #[test]
    fn who_cannot_be_read_is_not_told_to_sign_in_as_somebody_else() {
        let advice = again("work", None);
        // Without an option it is AWS Builder ID.
        assert!(!advice.contains("`kiro-2api login --name"), "{advice}");
        assert!(advice.contains("--name work --replace"), "{advice}");
    }
}
