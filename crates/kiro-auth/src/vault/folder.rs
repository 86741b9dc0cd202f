//! The folder of a vault: its salt, and the room in it.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::place::VaultOptions;
use super::record::Record;
use super::seal::{SealKey, keyed_name};
use super::token_of;
use crate::clock::Clock;
use crate::credential::Credential;
use crate::error::AuthError;
use crate::store::failed;
use crate::store::rotated::Rotated;

/// What the vault and its records share.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    pub(super) clock: Arc<dyn Clock>,
    salt: Vec<u8>,
    options: VaultOptions,
    /// What the disk did not take, by the name of its record.
    unsaved: Mutex<HashMap<String, Rotated>>,
}

/// How long an empty record is kept: much longer than a refresh takes, during which it is locked.
const EMPTY_EXPIRY: Duration = Duration::from_secs(3600);

const SALT_FILE: &str = "salt";
const SALT_BYTES: usize = 32;

impl Folder {
    pub(super) fn open(
        path: PathBuf,
        options: VaultOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AuthError> {
        make_folder(&path).map_err(|error| failed("make", &path, error))?;
        let folder = Self {
            salt: salt(&path)?,
            path,
            clock,
            options,
            unsaved: Mutex::default(),
        };
        folder.tidy(0);
        Ok(folder)
    }

    pub(super) fn record(self: Arc<Self>, sent: Credential) -> Record {
        let token = token_of(&sent);
        let name = keyed_name(&token, &self.salt, "kiro-auth vault name");
        let key = SealKey::derive(&token, &self.salt, "kiro-auth vault key");
        Record::new(self, name, key, sent)
    }

    /// What could not be written under this name.
    pub(super) fn unsaved(&self, name: &str) -> Option<Rotated> {
        self.lock().get(name).cloned()
    }

    /// Keeps what cannot be written, until it can.
    pub(super) fn keep_unsaved(&self, name: &str, rotated: Rotated) {
        let mut unsaved = self.lock();
        if unsaved.len() < self.options.max_records {
            unsaved.insert(name.to_owned(), rotated);
        }
    }

    pub(super) fn forget_unsaved(&self, name: &str) {
        self.lock().remove(name);
    }

    /// The map is consistent between any two statements that hold this lock.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Rotated>> {
        self.unsaved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes room for so many more records. A folder that cannot be tidied is no reason to serve nobody.
    pub(super) fn tidy(&self, more: usize) {
        if let Err(error) = self.make_room(more) {
            tracing::warn!(path = %self.path.display(), %error, "cannot tidy the vault");
        }
    }

    /// Removes what has been idle for too long, and of the rest the longest idle ones above the limit.
    ///
    /// Idleness is counted from the record that was refreshed last, and not beyond: a clock that is far ahead at
    /// one start must not cost everybody their login.
    fn make_room(&self, more: usize) -> io::Result<()> {
        let mut records = self.records()?;
        let latest = records.iter().map(|record| record.refreshed_at).max();
        let now = latest.map_or(self.clock.now(), |latest| latest.min(self.clock.now()));
        let is_idle = |record: &Found| {
            let limit = if record.is_empty {
                EMPTY_EXPIRY.min(self.options.idle_expiry)
            } else {
                self.options.idle_expiry
            };
            now.duration_since(record.refreshed_at).unwrap_or_default() > limit
        };
        // Empty ones are in front: strangers can make those.
        records.sort_by_key(|record| (!record.is_empty, record.refreshed_at));
        let surplus = (records.len() + more).saturating_sub(self.options.max_records);
        for (place, record) in records.iter().enumerate() {
            if place < surplus || is_idle(record) {
                remove(&record.path)?;
            }
        }
        Ok(())
    }

    /// The records, and nothing else that may lie in the folder.
    fn records(&self) -> io::Result<Vec<Found>> {
        let mut records = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if !is_record(&entry.file_name()) {
                continue;
            }
            // One that has just been removed by somebody else is no concern of ours.
            if let Ok(metadata) = entry.metadata() {
                records.push(Found {
                    path: entry.path(),
                    is_empty: metadata.len() == 0,
                    refreshed_at: metadata.modified()?,
                });
            }
        }
        Ok(records)
    }
}

/// A record in the folder.
struct Found {
    path: PathBuf,
    /// Its owner has not refreshed yet.
    is_empty: bool,
    refreshed_at: SystemTime,
}

/// Whether a file is a record, and not the salt, a temporary file, a lock file, or somebody else's.
fn is_record(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.len() == 32 && name.iter().all(u8::is_ascii_hexdigit)
}

/// Another process may tidy at the same time.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Reads the salt, or draws it where there is none yet.
fn salt(folder: &Path) -> Result<Vec<u8>, AuthError> {
    let path = folder.join(SALT_FILE);
    let salt = match read_salt(&path) {
        Ok(salt) if !salt.is_empty() => salt,
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(failed("read", &path, error));
        }
        _ if has_records(folder) => Vec::new(),
        _ => draw_salt(&path).map_err(|error| failed("make", &path, error))?,
    };
    if salt.len() != SALT_BYTES {
        return Err(AuthError::misconfigured(format!(
            "{} is not the salt of this vault, and without it no record can be opened: restore it, or remove \
             the folder, and then everybody has to sign in anew",
            path.display()
        )));
    }
    Ok(salt)
}

fn read_salt(path: &Path) -> io::Result<Vec<u8>> {
    let mut salt = Vec::new();
    File::open(path)?
        .take(SALT_BYTES as u64 + 1)
        .read_to_end(&mut salt)?;
    Ok(salt)
}

fn has_records(folder: &Path) -> bool {
    let names = fs::read_dir(folder).into_iter().flatten().flatten();
    names
        .map(|entry| entry.file_name())
        .any(|name| is_record(&name))
}

/// Of several processes that start together one draws, and all read the same.
fn draw_salt(path: &Path) -> io::Result<Vec<u8>> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    match file.lock() {
        // Where nobody can lock, two that start together for the first time may draw two.
        Err(error) if error.kind() == ErrorKind::Unsupported => {}
        locked => locked?,
    }
    let drawn = read_salt(path)?;
    if !drawn.is_empty() {
        return Ok(drawn);
    }
    let mut salt = vec![0; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(io::Error::other)?;
    file.write_all(&salt)?;
    file.sync_all()?;
    Ok(salt)
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Folder")
            .field("path", &self.path)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
