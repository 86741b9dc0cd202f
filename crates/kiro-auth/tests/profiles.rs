//! Whose profile goes where, and how tokens are labelled, by our rules and by the simulator's.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use kiro_auth::{ApiHost, Login};
use kiro_sim::validate::{Holder, check_profile};
use kiro_sim::{CredentialKind, Host};

const OWN: &str = "arn:aws:codewhisperer:eu-central-1:111122223333:profile/EXAMPLEPROF1";

/// What the simulator calls a login.
fn kind_of(login: Login) -> CredentialKind {
    match login {
        Login::Social => CredentialKind::Social,
        Login::BuilderId => CredentialKind::BuilderId,
        Login::IdentityCenter => CredentialKind::IdentityCenter,
        Login::ExternalIdp => CredentialKind::ExternalIdp,
        Login::ApiKey => CredentialKind::ApiKey,
    }
}

#[test]
fn the_simulator_knows_the_same_logins() {
    let kinds: Vec<_> = Login::ALL.iter().map(|login| kind_of(*login)).collect();
    assert_eq!(kinds, CredentialKind::ALL);
}

#[test]
fn every_login_is_let_in_on_every_host() {
    for login in Login::ALL.iter().copied() {
        for (api_host, host) in [
            (ApiHost::Runtime, Host::Runtime),
            (ApiHost::Legacy, Host::Legacy),
            (ApiHost::Management, Host::Management),
        ] {
            let mut holder = Holder::new(kind_of(login), host);
            let own = holder.own.is_empty().then_some(OWN);
            holder.own.extend(own.map(str::to_owned));
            let arn = login.profile_arn(api_host, own);
            check_profile(arn, &holder).unwrap_or_else(|violation| {
                panic!("{login:?} on {api_host:?}: {violation}");
            });
        }
    }
}

#[test]
fn tokens_are_labelled_as_the_simulator_wants() {
    for login in Login::ALL {
        assert_eq!(login.token_type(), kind_of(*login).token_type());
    }
}
