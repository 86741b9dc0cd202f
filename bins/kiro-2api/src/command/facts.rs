//! What there is to say about an account without asking anybody.

use kiro_auth::{AuthError, Clock as _, Credential, CredentialStore as _, LoginFacts, SystemClock};
use serde::Serialize;

use crate::accounts::Member;
use crate::config::Origin;
use crate::present::{duration, masked_arn, time, with_causes};

/// For people and programs; it holds no secret.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Facts {
    pub(super) name: String,
    /// Where the login is kept.
    pub(super) from: String,
    /// What the log calls it.
    pub(super) id: String,
    pub(super) login: Option<String>,
    pub(super) expires_at: Option<String>,
    /// The access token can be used as it is.
    pub(super) is_valid: bool,
    pub(super) is_refreshable: bool,
    pub(super) region: Option<String>,
    pub(super) profile: Option<String>,
    /// Why it cannot be read.
    pub(super) error: Option<String>,
}

/// Facts, and what they are about.
pub(super) struct Read {
    pub(super) facts: Facts,
    pub(super) credential: Result<(Credential, LoginFacts), AuthError>,
}

/// Reads the credential of an account.
pub(super) async fn read(member: &Member) -> Read {
    let now = SystemClock.now();
    let credential = member.store().load().await;
    let credential = credential.map(|credential| {
        let facts = LoginFacts::of(&credential, now);
        (credential, facts)
    });
    let mut facts = Facts {
        name: member.name().to_owned(),
        from: from(member),
        id: member.source().id().to_string(),
        login: None,
        expires_at: None,
        is_valid: false,
        is_refreshable: false,
        region: None,
        profile: None,
        error: None,
    };
    match &credential {
        Ok((credential, login)) => {
            let account = member.account();
            let profile = account.profile_arn.as_ref();
            let profile = profile.or(credential.profile_arn.as_ref());
            let region = account.region.as_deref();
            facts.login = Some(login.login.to_string());
            facts.expires_at = login.expires_at.map(time);
            facts.is_valid = login.is_valid;
            facts.is_refreshable = login.is_refreshable;
            facts.region = Some(region.unwrap_or(credential.service_region()).to_owned());
            facts.profile = profile.map(|arn| masked_arn(arn));
        }
        Err(error) => facts.error = Some(with_causes(error)),
    }
    Read { facts, credential }
}

/// Where the login of an account is kept.
fn from(member: &Member) -> String {
    match member.account().origin() {
        Some(Origin::File(file) | Origin::KiroCli(file)) => file.display().to_string(),
        Some(Origin::RefreshToken(_)) => "the refresh token of the configuration".to_owned(),
        Some(Origin::ApiKey(_)) => "the API key of the configuration".to_owned(),
        None => "found on this machine".to_owned(),
    }
}

/// How long the access token is good, for a table.
pub(super) fn expiry(facts: &LoginFacts) -> String {
    if !facts.login.expires() {
        return "never".to_owned();
    }
    let now = SystemClock.now();
    match facts.expires_at {
        None => "unknown".to_owned(),
        Some(at) => match (at.duration_since(now), now.duration_since(at)) {
            (Ok(left), _) => format!("in {}", duration(left)),
            (_, Ok(ago)) => format!("{} ago", duration(ago)),
            _ => time(at),
        },
    }
}
