//! Whose profile goes where, by our rule and by the simulator's.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use kiro_protocol::request::{HostKind, LoginKind, TokenType, WireProfile, profile_arn_rule};
use kiro_sim::validate::{Holder, check_profile};
use kiro_sim::{CredentialKind, Host};

const OWN: &str = "arn:aws:codewhisperer:eu-central-1:111122223333:profile/EXAMPLEPROF1";

const LOGINS: [(LoginKind, CredentialKind); 5] = [
    (LoginKind::Social, CredentialKind::Social),
    (LoginKind::BuilderId, CredentialKind::BuilderId),
    (LoginKind::IdentityCenter, CredentialKind::IdentityCenter),
    (LoginKind::ExternalIdp, CredentialKind::ExternalIdp),
    (LoginKind::ApiKey, CredentialKind::ApiKey),
];

#[test]
fn every_login_is_let_in_on_every_host() {
    for (login, kind) in LOGINS {
        for (host_kind, host) in [
            (HostKind::Runtime, Host::Runtime),
            (HostKind::Legacy, Host::Legacy),
            (HostKind::Management, Host::Management),
        ] {
            let mut holder = Holder::new(kind, host);
            let own = holder.own.is_empty().then_some(OWN);
            holder.own.extend(own.map(str::to_owned));
            let arn = profile_arn_rule(login, host_kind).apply(own);
            check_profile(arn, &holder).unwrap_or_else(|violation| {
                panic!("{login:?} on {host_kind:?}: {violation}");
            });
        }
    }
}

#[test]
fn tokens_are_labelled_as_the_simulator_wants() {
    for (login, kind) in LOGINS {
        assert_eq!(login.token_type().map(TokenType::as_str), kind.token_type());
    }
}

#[test]
fn a_profile_that_falls_back_changes_the_host() {
    for profile in WireProfile::ALL {
        if let Some(fallback) = profile.fallback() {
            assert_ne!(profile.host_kind, fallback.host_kind);
        }
    }
}
