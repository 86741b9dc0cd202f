//! A credential in the database of a command-line client.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::{ErrorCode, Transaction};
use zeroize::Zeroizing;

use super::database::{BUSY_TIMEOUT, Database, Table, Trouble, Written};
use super::rows::{self, Kind};
use crate::BoxFuture;
use crate::credential::{Credential, CredentialId};
use crate::document::Document;
use crate::error::AuthError;
use crate::store::lock::PathLock;
use crate::store::{Claim, CredentialStore, beside_the_runtime};
use crate::wire;

/// Keeps a credential in the SQLite database of kiro-cli or of the Amazon Q CLI, which goes on using it
/// (feature `sqlite`).
///
/// | platform | kiro-cli | Amazon Q CLI |
/// | --- | --- | --- |
/// | Linux | `~/.local/share/kiro-cli/data.sqlite3` | `~/.local/share/amazon-q/data.sqlite3` |
/// | macOS | `~/Library/Application Support/kiro-cli/data.sqlite3` | `…/amazon-q/data.sqlite3` |
/// | Windows | `%LOCALAPPDATA%\Kiro-Cli\data.sqlite3` | `%LOCALAPPDATA%\amazon-q\data.sqlite3` |
///
/// Logins are JSON in the rows of one table, what the user chose is in another:
///
/// ```text
/// auth_kv (key TEXT PRIMARY KEY, value TEXT)
///   kirocli:odic:token                  {"access_token", "expires_at", "refresh_token", "region"?,
///                                        "start_url"?, "oauth_flow"?, "scopes"?}
///   kirocli:odic:device-registration    {"client_id", "client_secret", "client_secret_expires_at", …}
///   kirocli:social:token                {"access_token", "expires_at", "refresh_token", "provider",
///                                        "profile_arn"?}
///   kirocli:external-idp:token          {"access_token", "expires_at", "refresh_token"?, "issuer_url",
///                                        "token_endpoint", "client_id"}
/// state (key TEXT PRIMARY KEY, value BLOB)
///   api.codewhisperer.profile           {"arn", "profile_name"}
///   auth.idc.start-url, auth.idc.region
/// ```
///
/// `codewhisperer:` is the older spelling of `kirocli:`, and `oidc` is tolerated beside `odic`.
///
/// **Which login.** Where several rows hold one, the one whose access token expires last counts, since it
/// was signed in or refreshed last; where that says nothing, the order above does, the older spelling
/// last. A row that cannot be understood counts only when there is no other.
///
/// **Facts.** A `start_url` other than AWS's own makes the login IAM Identity Center. The profile and the
/// region that the row does not tell are taken from `state` for Identity Center, the profile for external
/// identity providers too.
///
/// **Writing.** Within one transaction the row of the credential's kind is read again, the values that a
/// refresh changes are replaced in its text, and it is written and synced. Everything else in the row and
/// in the database stays as it is.
///
/// - Neither a database nor a row is ever created: who is not signed in there stays so.
/// - A database that another program is writing to is waited for, 5 seconds at most.
/// - Gateways that share the database take turns in refreshing, by a lock on `data.sqlite3.kiro-2api.lock`
///   beside it. The client does not know that lock; what it writes is found before and after asking.
/// - Where the file or its folder is not writable, the rotated tokens live in memory only; one warning says
///   so. A database in write-ahead mode can be read there as long as its `-wal` file is empty or stands
///   beside it with its `-shm`: mount the folder, not the file.
///
/// Source: the database code of the public Amazon Q CLI; the rest was reported by several gateways.
#[derive(Debug, Clone)]
pub struct KiroCliStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    id: CredentialId,
    database: Database,
    lock: PathLock,
    warned_read_only: AtomicBool,
}

impl KiroCliStore {
    /// The database at this path. Nothing is read yet; the file need not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self(Arc::new(Inner {
            id: CredentialId::of("kiro-cli", &path.to_string_lossy()),
            // Beside it: closing any descriptor of the database itself would drop the locks by which SQLite
            // keeps the processes that write to it apart (sqlite.org/howtocorrupt.html, section 2.2).
            lock: PathLock::beside(&path),
            database: Database::new(path),
            warned_read_only: AtomicBool::new(false),
        }))
    }

    /// The path as it was given.
    pub fn path(&self) -> &Path {
        self.0.database.path()
    }
}

impl CredentialStore for KiroCliStore {
    fn id(&self) -> CredentialId {
        self.0.id
    }

    fn load(&self) -> BoxFuture<'_, Result<Credential, AuthError>> {
        let inner = Arc::clone(&self.0);
        Box::pin(beside_the_runtime(move || inner.load()))
    }

    fn save<'a>(&'a self, credential: &'a Credential) -> BoxFuture<'a, Result<(), AuthError>> {
        let inner = Arc::clone(&self.0);
        let credential = credential.clone();
        Box::pin(beside_the_runtime(move || inner.save(&credential)))
    }

    fn claim(&self) -> BoxFuture<'_, Result<Claim, AuthError>> {
        Box::pin(self.0.lock.claim())
    }
}

impl Inner {
    fn load(&self) -> Result<Credential, AuthError> {
        let path = self.database.path().display();
        if !self.exists()? {
            let reason = format!("there is no database at {path}");
            return Err(AuthError::signed_out(reason));
        }
        let found = self
            .database
            .read(|connection| rows::newest(connection, None))
            .map_err(|trouble| self.explain("read", trouble))?;
        let Some(found) = found else {
            let reason = format!("nobody is signed in by the database at {path}");
            return Err(AuthError::signed_out(reason));
        };
        let credential = found.credential;
        if Kind::of(credential.login) == Some(Kind::Directory) && credential.client_secret.is_none()
        {
            tracing::warn!(
                credential = %self.id,
                path = %path,
                row = found.key,
                "the client registration is missing: the access token can be used and not refreshed"
            );
        }
        Ok(Credential {
            id: self.id,
            ..credential
        })
    }

    fn exists(&self) -> Result<bool, AuthError> {
        let path = self.database.path();
        path.try_exists().map_err(|error| {
            AuthError::store_failed(format!("cannot find {}", path.display())).with_source(error)
        })
    }

    fn save(&self, credential: &Credential) -> Result<(), AuthError> {
        if !self.exists()? {
            let path = self.database.path().display();
            let reason = format!("the database at {path} is gone and is not created again");
            return Err(AuthError::store_failed(reason));
        }
        let written = self
            .database
            .write(|transaction| self.put(transaction, credential))
            .map_err(|trouble| match trouble {
                Trouble::Content(error) => self.left_alone(error),
                trouble => self.explain("write", trouble),
            })?;
        if let Written::ReadOnly(error) = written
            && !self.warned_read_only.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                credential = %self.id,
                path = %self.database.path().display(),
                %error,
                "the database is read-only: rotated tokens are not kept in it, and what it holds may be of no \
                 use after the process ends"
            );
        }
        Ok(())
    }

    /// Puts the tokens into the row that holds this kind of login.
    fn put(&self, transaction: &Transaction<'_>, credential: &Credential) -> Result<(), Trouble> {
        let found = match Kind::of(credential.login) {
            Some(kind) => rows::newest(transaction, Some(kind))?,
            None => None,
        };
        let Some(found) = found else {
            let reason = format!("no row holds a login of the kind {}", credential.login);
            return Err(AuthError::signed_out(reason).into());
        };
        let mut news = credential.clone();
        if news.profile_arn == found.credential.profile_arn {
            // It may have come from the other table, and a copy in the row would hide a later choice.
            news.profile_arn = None;
        }
        let document = Document::parse(&found.text).map_err(|error| {
            AuthError::misconfigured("the row cannot be understood").with_source(error)
        })?;
        let patched = Zeroizing::new(wire::patch(&document, &news));
        if *patched == *found.text {
            return Ok(());
        }
        Table::AuthKv.set(transaction, found.key, &patched)
    }

    fn left_alone(&self, error: AuthError) -> AuthError {
        let path = self.database.path().display();
        AuthError::store_failed(format!("{path} is left as it is")).with_source(error)
    }

    fn explain(&self, doing: &str, trouble: Trouble) -> AuthError {
        let path = self.database.path().display();
        let error = match trouble {
            Trouble::Sqlite(error) => error,
            Trouble::Content(error) => {
                return AuthError::misconfigured(format!("{path} cannot be understood"))
                    .with_source(error);
            }
        };
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                AuthError::misconfigured(format!("{path} is not a whole SQLite database"))
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                AuthError::store_failed(format!(
                    "cannot {doing} {path}: another program has held it for {} seconds",
                    BUSY_TIMEOUT.as_secs()
                ))
            }
            _ => AuthError::store_failed(format!("cannot {doing} {path}")),
        }
        .with_source(error)
    }
}
