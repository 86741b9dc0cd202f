//! What was found, as data and as text for people.

use std::error::Error;
use std::fmt;
use std::time::SystemTime;

use super::choice::{ChoiceReason, choose};
use super::places::Place;
use crate::credential::Credential;
use crate::error::AuthError;
use crate::expiry::format_rfc3339;
use crate::login::{ApiHost, Login};
use crate::refresh::first_request;
use crate::token::{Freshness, Margins, freshness};

/// What became of a search for logins. It holds no secret.
///
/// Its text is for people: a line for each place where something is, and one for the choice.
///
/// ```text
/// /home/ann/.aws/sso/cache/kiro-auth-token.json (Kiro's IDE): social, expired at 2026-10-20T11:34:56.789Z, can be refreshed
/// /home/ann/.local/share/kiro-cli/data.sqlite3 (kiro-cli): builder-id, valid until 2026-10-20T12:34:56.789Z, can be refreshed
/// nothing in 2 other places
/// best: /home/ann/.local/share/kiro-cli/data.sqlite3 (kiro-cli), because its token is valid, can be renewed and expires last
/// ```
#[derive(Debug, Clone)]
pub struct Discovery {
    finds: Vec<Find>,
    choice: Option<(usize, ChoiceReason)>,
}

impl Discovery {
    pub(super) fn of(finds: Vec<Find>) -> Self {
        let logins = finds.iter().map(|find| find.state.login());
        let choice = choose(logins);
        Self { finds, choice }
    }

    /// What every place holds, in the order in which they were looked at.
    pub fn finds(&self) -> &[Find] {
        &self.finds
    }

    /// The place to take the login from; `None` when no login can be used.
    pub fn chosen(&self) -> Option<&Find> {
        self.finds.get(self.choice?.0)
    }

    /// Why it was chosen.
    pub fn reason(&self) -> Option<ChoiceReason> {
        Some(self.choice?.1)
    }

    /// The places that hold a login, usable or not.
    pub fn logins(&self) -> impl Iterator<Item = &Find> {
        self.finds
            .iter()
            .filter(|find| find.state.login().is_some())
    }
}

impl fmt::Display for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_there = |find: &&Find| !matches!(find.state, PlaceState::Absent);
        let mut n_there = 0;
        for find in self.finds.iter().filter(is_there) {
            n_there += 1;
            writeln!(f, "{find}")?;
        }
        let n_absent = self.finds.len() - n_there;
        if n_absent > 0 {
            let other = if n_there > 0 { "other " } else { "" };
            writeln!(f, "nothing in {n_absent} {other}places")?;
        }
        match (self.chosen(), self.reason()) {
            (Some(find), Some(reason)) => write!(f, "best: {}, because {reason}", find.place),
            _ => f.write_str("no login that could be used"),
        }
    }
}

/// A place and what it holds.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Find {
    /// The place. [`Place::open`] gives its store.
    pub place: Place,
    /// What it holds.
    pub state: PlaceState,
}

impl fmt::Display for Find {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.state)
    }
}

/// What a place holds.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum PlaceState {
    /// There is no such file.
    Absent,
    /// There is a database, and this build has no feature `sqlite`.
    Unsupported,
    /// There is something, and it cannot be read.
    Unreadable(AuthError),
    /// It can be read, and makes no sense.
    NotUnderstood(AuthError),
    /// Nobody is signed in.
    SignedOut,
    /// Somebody is.
    SignedIn(LoginFacts),
}

impl PlaceState {
    /// The login, if there is one.
    pub fn login(&self) -> Option<&LoginFacts> {
        match self {
            Self::SignedIn(facts) => Some(facts),
            _ => None,
        }
    }
}

impl fmt::Display for PlaceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("not there"),
            Self::Unsupported => f.write_str("not supported by this build (feature sqlite)"),
            Self::Unreadable(error) | Self::NotUnderstood(error) => with_causes(error, f),
            Self::SignedOut => f.write_str("nobody is signed in"),
            Self::SignedIn(facts) => write!(f, "{facts}"),
        }
    }
}

fn with_causes(error: &AuthError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{error}")?;
    let mut cause = error.source();
    while let Some(deeper) = cause {
        write!(f, ": {deeper}")?;
        cause = deeper.source();
    }
    Ok(())
}

/// A login as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoginFacts {
    /// How it was obtained.
    pub login: Login,
    /// When its access token expires. `None` for API keys, and where the place does not tell.
    pub expires_at: Option<SystemTime>,
    /// Whether the access token can be used without refreshing it first: it has more than the
    /// [`Margins::blocking`] left, or is an API key.
    pub is_valid: bool,
    /// Whether everything is there that a refresh needs.
    pub is_refreshable: bool,
    /// Whether a call can name its profile, or needs none. Otherwise the profile has to be asked for.
    pub has_profile: bool,
}

impl LoginFacts {
    /// What there is to say about a credential.
    pub fn of(credential: &Credential, now: SystemTime) -> Self {
        let login = credential.login;
        let has_token = credential.access_token.is_some();
        let left = freshness(credential.expires_at, now, &Margins::default());
        let profile = login.profile_arn(ApiHost::Runtime, credential.profile_arn.as_deref());
        Self {
            login,
            expires_at: credential.expires_at,
            is_valid: has_token && (!login.expires() || left != Freshness::Expired),
            // The request is made to see whether it can be, and not sent.
            is_refreshable: first_request(credential).is_ok(),
            has_profile: !login.needs_own_profile() || profile.is_some(),
        }
    }
}

impl fmt::Display for LoginFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, ", self.login)?;
        match (self.expires_at.map(format_rfc3339), self.is_valid) {
            (Some(time), true) => write!(f, "valid until {time}")?,
            (Some(time), false) => write!(f, "expired at {time}")?,
            (None, true) => f.write_str("valid")?,
            (None, false) => f.write_str("without a valid token")?,
        }
        match (self.is_refreshable, self.login.expires()) {
            (true, _) => f.write_str(", can be refreshed")?,
            (false, true) => f.write_str(", cannot be refreshed")?,
            (false, false) => {}
        }
        match self.has_profile {
            true => Ok(()),
            false => f.write_str(", its profile is not known"),
        }
    }
}
