//! The rows in which kiro-cli and the Amazon Q CLI keep a login, and the credential that follows.
//!
//! Source: `crates/chat-cli/src/database/mod.rs` and `crates/chat-cli/src/auth` of the public Amazon Q
//! CLI and its successor; the rows of the successor were seen in the field (2026).

use rusqlite::Connection;
use zeroize::Zeroizing;

use super::database::{Table, Trouble};
use crate::credential::Credential;
use crate::document::Document;
use crate::error::AuthError;
use crate::login::Login;
use crate::wire;

/// A row that may hold tokens.
struct Row {
    key: &'static str,
    kind: Kind,
    /// The rows that may hold the client that these tokens were issued to.
    registrations: &'static [&'static str],
}

/// The kinds of login, as far as the CLI keeps them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Builder ID and IAM Identity Center.
    Directory,
    Social,
    ExternalIdp,
}

impl Kind {
    /// `None` for API keys, which the CLI does not keep.
    pub(super) fn of(login: Login) -> Option<Self> {
        match login {
            Login::BuilderId | Login::IdentityCenter => Some(Self::Directory),
            Login::Social => Some(Self::Social),
            Login::ExternalIdp => Some(Self::ExternalIdp),
            Login::ApiKey => None,
        }
    }
}

/// The CLI spells it `odic`; `oidc` is tolerated, should that ever be corrected.
const REGISTRATIONS: &[&str] = &[
    "kirocli:odic:device-registration",
    "kirocli:oidc:device-registration",
];
const OLD_REGISTRATIONS: &[&str] = &["codewhisperer:odic:device-registration"];

/// Of rows that are equally good, the first one counts.
const ROWS: [Row; 6] = [
    Row {
        key: "kirocli:odic:token",
        kind: Kind::Directory,
        registrations: REGISTRATIONS,
    },
    Row {
        key: "kirocli:oidc:token",
        kind: Kind::Directory,
        registrations: REGISTRATIONS,
    },
    Row {
        key: "kirocli:social:token",
        kind: Kind::Social,
        registrations: &[],
    },
    Row {
        key: "kirocli:external-idp:token",
        kind: Kind::ExternalIdp,
        registrations: &[],
    },
    Row {
        key: "codewhisperer:odic:token",
        kind: Kind::Directory,
        registrations: OLD_REGISTRATIONS,
    },
    Row {
        key: "codewhisperer:social:token",
        kind: Kind::Social,
        registrations: &[],
    },
];

/// What the CLI remembers in [`Table::State`]: the profile that was chosen, `{"arn", "profile_name"}`,
/// and the directory that was last signed in to.
const PROFILE: &str = "api.codewhisperer.profile";
const START_URL: &str = "auth.idc.start-url";
const REGION: &str = "auth.idc.region";

/// A login as it stands in the database.
#[derive(Debug)]
pub(super) struct Found {
    /// The row of [`Table::AuthKv`] that holds its tokens.
    pub(super) key: &'static str,
    /// What the row holds.
    pub(super) text: Zeroizing<String>,
    /// What follows from it and from the rows that belong to it. Its id is derived from its token.
    pub(super) credential: Credential,
}

/// The login whose access token expires last, of this kind if one is given: it was signed in or
/// refreshed last. A row that cannot be understood counts only when there is no other.
pub(super) fn newest(
    connection: &Connection,
    kind: Option<Kind>,
) -> Result<Option<Found>, Trouble> {
    if !Table::AuthKv.exists(connection)? {
        let reason = "it has no table auth_kv, so it is not a database of kiro-cli";
        return Err(AuthError::misconfigured(reason).into());
    }
    let mut found = Vec::new();
    let mut not_understood = None;
    let is_wanted = |row: &&Row| kind.is_none_or(|kind| row.kind == kind);
    for row in ROWS.iter().filter(is_wanted) {
        match row.read(connection) {
            Ok(login) => found.extend(login),
            Err(Trouble::Content(error)) => {
                not_understood.get_or_insert(error);
            }
            Err(trouble) => return Err(trouble),
        }
    }
    // Of equal ones `max_by_key` takes the last.
    let newest = found
        .into_iter()
        .rev()
        .max_by_key(|login| login.credential.expires_at);
    match (newest, not_understood) {
        (None, Some(error)) => Err(error.into()),
        (newest, _) => Ok(newest),
    }
}

impl Row {
    fn read(&self, connection: &Connection) -> Result<Option<Found>, Trouble> {
        let key = self.key;
        let Some(text) = Table::AuthKv.value(connection, key)? else {
            return Ok(None);
        };
        let document = parse(key, &text)?;
        let login = match self.kind {
            Kind::Directory => wire::directory(&document, ""),
            Kind::Social => Login::Social,
            Kind::ExternalIdp => Login::ExternalIdp,
        };
        let mut credential = wire::read_as(&document, login).map_err(|error| {
            AuthError::misconfigured(format!("the row {key} makes no sense")).with_source(error)
        })?;
        if credential.client_secret.is_none() {
            self.read_registration(connection, &mut credential)?;
        }
        add_remembered(connection, &document, &mut credential)?;
        Ok(Some(Found {
            key,
            text,
            credential,
        }))
    }

    fn read_registration(
        &self,
        connection: &Connection,
        into: &mut Credential,
    ) -> Result<(), Trouble> {
        for key in self.registrations {
            if let Some(text) = Table::AuthKv.value(connection, key)? {
                wire::read_registration(&parse(key, &text)?, into);
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Adds what the CLI keeps apart from the tokens. The profile and the region belong to a login with a profile of its
/// own, a directory of an organisation or its identity provider, and they outlive the sign-in that they were chosen for:
/// a Builder ID or a social login must not inherit them.
fn add_remembered(
    connection: &Connection,
    row: &Document<'_>,
    credential: &mut Credential,
) -> Result<(), Trouble> {
    if !credential.login.needs_own_profile() || !Table::State.exists(connection)? {
        return Ok(());
    }
    if credential.profile_arn.is_none() {
        credential.profile_arn = remembered_profile(connection)?;
    }
    if credential.login == Login::IdentityCenter && credential.auth_region.is_none() {
        let directory = remembered(connection, START_URL)?;
        if directory.is_none() || directory == row.string(&["start_url"]) {
            credential.auth_region = remembered(connection, REGION)?;
        }
    }
    Ok(())
}

/// The ARN of the profile that was chosen with the CLI. It is never written to a row of tokens.
fn remembered_profile(connection: &Connection) -> Result<Option<String>, Trouble> {
    let text = state(connection, PROFILE)?;
    let document = text.as_ref().and_then(|text| Document::parse(text).ok());
    Ok(document.and_then(|document| document.string(&["arn"])))
}

/// A text, which is JSON in some versions of the CLI and bare in others.
fn remembered(connection: &Connection, key: &str) -> Result<Option<String>, Trouble> {
    let text = state(connection, key)?;
    let text = text.map(|text| match serde_json::from_str::<String>(&text) {
        Ok(inner) => inner,
        Err(_) => text.trim().to_owned(),
    });
    Ok(text.filter(|text| !text.is_empty()))
}

/// A row without which the login can be used all the same, so one that makes no sense is none.
fn state(connection: &Connection, key: &str) -> Result<Option<Zeroizing<String>>, Trouble> {
    match Table::State.value(connection, key) {
        Err(Trouble::Content(_)) => Ok(None),
        value => value,
    }
}

fn parse<'a>(key: &str, text: &'a str) -> Result<Document<'a>, AuthError> {
    Document::parse(text).map_err(|error| {
        AuthError::misconfigured(format!("the row {key} cannot be understood")).with_source(error)
    })
}
