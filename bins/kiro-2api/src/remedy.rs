//! What a person can do about what went wrong with an account.

use kiro_auth::{AuthError, AuthErrorKind};
use kiro_protocol::fault::FaultKind;

use crate::service::CallError;

/// About an account that has no token to give. `name` is what `login --name` takes.
pub(crate) fn of_auth(error: &AuthError, name: &str) -> String {
    match error.kind() {
        AuthErrorKind::SignedOut => format!(
            "sign in again: `kiro-2api login --name {name} --replace`, or in the program that the login belongs to"
        ),
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
        _ => "wait until the account is available again, or add another one".to_owned(),
    }
}

/// About a call that the service did not answer as it should.
pub(crate) fn of_call(error: &CallError, name: &str) -> String {
    match error {
        CallError::Refused(fault) => of_fault(fault.kind(), name),
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

fn of_fault(kind: FaultKind, name: &str) -> String {
    match kind {
        FaultKind::TokenRejected => {
            format!("sign in again: `kiro-2api login --name {name} --replace`")
        }
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
        _ => "look at the log of `LOG_LEVEL=debug kiro-2api doctor`".to_owned(),
    }
}
