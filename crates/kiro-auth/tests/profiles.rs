//! Whose profile goes where, and how tokens are labelled, by our rules and by the simulator's.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use kiro_auth::{ApiHost, Login};
use kiro_sim::validate::{Holder, check_profile};
use kiro_sim::{CredentialKind, Host};

const OWN: &str = "arn:aws:codewhisperer:eu-central-1:111122223333:profile/EXAMPLEPROF1";

const LOGINS: [(Login, CredentialKind); 5] = [
    (Login::Social, CredentialKind::Social),
    (Login::BuilderId, CredentialKind::BuilderId),
    (Login::IdentityCenter, CredentialKind::IdentityCenter),
    (Login::ExternalIdp, CredentialKind::ExternalIdp),
    (Login::ApiKey, CredentialKind::ApiKey),
];

#[test]
fn every_login_is_let_in_on_every_host() {
    for (login, kind) in LOGINS {
        for (api_host, host) in [
            (ApiHost::Runtime, Host::Runtime),
            (ApiHost::Legacy, Host::Legacy),
            (ApiHost::Management, Host::Management),
        ] {
            let mut holder = Holder::new(kind, host);
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
    for (login, kind) in LOGINS {
        assert_eq!(login.token_type(), kind.token_type());
    }
}
