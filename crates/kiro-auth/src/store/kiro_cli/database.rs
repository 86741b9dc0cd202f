//! A SQLite database that belongs to another program: opened for one look or one change, never created.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction};
use rusqlite::{TransactionBehavior, ffi};
use zeroize::Zeroizing;

use crate::error::AuthError;

/// How long another program may hold the database. The CLI's own transactions take milliseconds; other
/// tools that read this database wait as long (reported by one of them).
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// A row has about three kilobytes; what is larger than this is something else.
const MAX_VALUE_BYTES: i64 = 1024 * 1024;

/// The file, and nothing that is kept open: a connection would keep locks and old pages, and the CLI
/// may put another file in the place of this one.
///
/// The file is never opened but by SQLite. Its locks are POSIX locks, and a process loses all of its
/// own on a file when it closes *any* descriptor of it.
#[derive(Debug)]
pub(super) struct Database {
    path: PathBuf,
}

/// Why an answer could not be had.
#[derive(Debug)]
pub(super) enum Trouble {
    /// SQLite could not do it.
    Sqlite(rusqlite::Error),
    /// It could, and what it brought makes no sense.
    Content(AuthError),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<AuthError> for Trouble {
    fn from(error: AuthError) -> Self {
        Self::Content(error)
    }
}

/// What became of a change.
#[derive(Debug)]
pub(super) enum Written {
    /// It is on the disk.
    Done,
    /// Nobody may write here, and trying again would not change that.
    ReadOnly(rusqlite::Error),
}

/// A table of the CLI: `(key TEXT PRIMARY KEY, value)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    /// Logins, as JSON text.
    AuthKv,
    /// Settings that the CLI remembers, as JSON text in a blob.
    State,
}

impl Table {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::AuthKv => "auth_kv",
            Self::State => "state",
        }
    }

    pub(super) fn exists(self, connection: &Connection) -> rusqlite::Result<bool> {
        let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1";
        let found = connection.query_row(sql, [self.name()], |_| Ok(()));
        Ok(found.optional()?.is_some())
    }

    /// The value of a row, if there is one.
    pub(super) fn value(
        self,
        connection: &Connection,
        key: &str,
    ) -> Result<Option<Zeroizing<String>>, Trouble> {
        let table = self.name();
        // `octet_length` does not read the value, so a huge one never gets into memory.
        let sql = format!(
            "SELECT iif(octet_length(value) <= {MAX_VALUE_BYTES}, value, NULL) FROM {table} WHERE key = ?1"
        );
        let text = connection
            .query_row(&sql, [key], |row| Ok(text_of(row.get_ref(0)?)))
            .optional()?;
        match text {
            Some(None) => Err(AuthError::misconfigured(format!(
                "the row {key} of the table {table} holds no text of a sensible size"
            ))
            .into()),
            found => Ok(found.flatten()),
        }
    }

    /// Changes the value of a row that is there.
    pub(super) fn set(
        self,
        transaction: &Transaction<'_>,
        key: &str,
        text: &str,
    ) -> Result<(), Trouble> {
        let table = self.name();
        // Keeps the type: the CLI reads its own columns as what it has put there.
        let sql = format!(
            "UPDATE {table} SET value = iif(typeof(value) = 'blob', CAST(?2 AS BLOB), ?2) WHERE key = ?1"
        );
        transaction.execute(&sql, [key, text])?;
        Ok(())
    }
}

fn text_of(value: ValueRef<'_>) -> Option<Zeroizing<String>> {
    let (ValueRef::Text(bytes) | ValueRef::Blob(bytes)) = value else {
        return None;
    };
    let text = std::str::from_utf8(bytes).ok()?;
    Some(Zeroizing::new(text.to_owned()))
}

impl Database {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Answers questions from one consistent state of the database.
    pub(super) fn read<T>(
        &self,
        question: impl Fn(&Connection) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let ask = |mut connection: Connection| {
            let transaction = connection.transaction()?;
            question(&transaction)
        };
        match self.open(OpenFlags::SQLITE_OPEN_READ_ONLY).and_then(ask) {
            Err(Trouble::Sqlite(error)) if needs_to_write(&error) => match self.is_settled() {
                true => self.open_immutable(),
                // Somebody died in the middle of a transaction, which the next who may write takes back.
                false => self.open(OpenFlags::SQLITE_OPEN_READ_WRITE),
            }
            .and_then(ask),
            answer => answer,
        }
    }

    /// Makes a change in one step: after a crash, or when `change` fails, none of it has happened.
    pub(super) fn write(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<(), Trouble>,
    ) -> Result<Written, Trouble> {
        match self.try_write(change) {
            Ok(()) => Ok(Written::Done),
            Err(Trouble::Sqlite(error)) if self.is_read_only(&error) => {
                Ok(Written::ReadOnly(error))
            }
            Err(trouble) => Err(trouble),
        }
    }

    fn try_write(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        let mut connection = self.open(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        // With less, a power cut soon after the commit may bring the deleted journal back, and the next
        // reader would take the change back with it (SQLite's page on `PRAGMA synchronous`).
        connection.pragma_update(None, "synchronous", "EXTRA")?;
        // Takes the right to write before reading, so that what was read is still there when it is
        // written over.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        change(&transaction)?;
        transaction.commit()?;
        Ok(())
    }

    fn open(&self, flags: OpenFlags) -> Result<Connection, Trouble> {
        // An absolute path is never taken for a `file:` URI.
        let path = std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        Ok(connection)
    }

    /// Opens a database in write-ahead mode from a folder where its shared memory cannot be created.
    /// SQLite is told that nobody changes the file while we look.
    fn open_immutable(&self) -> Result<Connection, Trouble> {
        let path = std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_URI;
        let uri = format!("{}?immutable=1", file_uri(&path));
        Ok(Connection::open_with_flags(uri, flags)?)
    }

    /// Whether the file alone tells everything: no change waits beside it in a log or a journal, which
    /// an immutable look would miss.
    fn is_settled(&self) -> bool {
        ["-wal", "-journal"].iter().all(|suffix| {
            let mut beside = self.target().into_os_string();
            beside.push(suffix);
            fs::metadata(beside).map_or(true, |metadata| metadata.len() == 0)
        })
    }

    fn is_read_only(&self, error: &rusqlite::Error) -> bool {
        match error.sqlite_error() {
            // The file was moved away from under us, which passes.
            Some(cause) if cause.extended_code == ffi::SQLITE_READONLY_DBMOVED => false,
            Some(cause) => match cause.code {
                ErrorCode::ReadOnly | ErrorCode::PermissionDenied => true,
                // The journal or the shared memory beside the file. SQLite says the same when the
                // process has too many files open, which passes.
                ErrorCode::CannotOpen => is_read_only_folder(&self.target()),
                _ => false,
            },
            None => false,
        }
    }

    /// The file that a symbolic link leads to. Journals stand beside it and not beside the link.
    fn target(&self) -> PathBuf {
        fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone())
    }
}

/// Whether SQLite failed to read because it would have had to write: shared memory beside the database, or
/// the end of somebody else's transaction.
fn needs_to_write(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly)
    )
}

/// Whether nobody may create a file in the folder of `path`, found out by trying.
fn is_read_only_folder(path: &Path) -> bool {
    let name = format!(".kiro-2api.{}.tmp", std::process::id());
    let probe = path.with_file_name(name);
    match fs::File::create_new(&probe) {
        Ok(_) => {
            let _ = fs::remove_file(&probe);
            false
        }
        Err(error) => matches!(
            error.kind(),
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
        ),
    }
}

/// An absolute path as a `file:` URI, in which SQLite expects `/` between folders and before a drive.
fn file_uri(path: &Path) -> String {
    let mut uri = String::from("file:");
    if cfg!(windows) {
        uri.push('/');
    }
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'\\' if cfg!(windows) => uri.push('/'),
            b'/' | b'-' | b'.' | b'_' | b':' => uri.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(*byte)),
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn no_character_of_a_path_becomes_part_of_the_uri() {
        let path = Path::new("/home/Zoë ?a=b#c%41/data.sqlite3");
        assert_eq!(
            file_uri(path),
            "file:/home/Zo%C3%AB%20%3Fa%3Db%23c%2541/data.sqlite3"
        );
    }

    #[test]
    fn what_may_pass_is_not_taken_for_read_only() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::new(folder.path().join("data.sqlite3"));
        let is_read_only = |code| {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            database.is_read_only(&error)
        };
        for code in [
            ffi::SQLITE_FULL,
            ffi::SQLITE_BUSY,
            ffi::SQLITE_IOERR,
            ffi::SQLITE_CORRUPT,
            ffi::SQLITE_READONLY_DBMOVED,
            ffi::SQLITE_CANTOPEN,
        ] {
            assert!(!is_read_only(code), "{code}");
        }
        for code in [
            ffi::SQLITE_READONLY,
            ffi::SQLITE_READONLY_DIRECTORY,
            ffi::SQLITE_PERM,
        ] {
            assert!(is_read_only(code), "{code}");
        }
        let left = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 0, "the probe is removed");
    }
}
