//! The folder of a vault: its salt, and the room in it.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::record::VaultStore;
use super::seal::{SealKey, keyed_name};
use crate::clock::Clock;
use crate::credential::Credential;
use crate::error::AuthError;
use crate::secret::Secret;

/// Keeps the newest credential of everybody who brings their own, in one folder. Clones share it.
///
/// Several processes may use one folder.
#[derive(Debug, Clone)]
pub struct Vault(Arc<Folder>);

/// How much a [`Vault`] keeps, and for how long.
///
/// ```
/// use kiro_auth::VaultOptions;
///
/// let mut options = VaultOptions::default();
/// options.max_records = 200;
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct VaultOptions {
    /// Most records; when one more comes, those go that have not been refreshed for the longest time.
    /// Default: 10 000, about 60 MB. A record begins with a refresh that succeeded, so strangers cannot fill
    /// the vault.
    pub max_records: usize,
    /// Records that have not been refreshed for this long are removed. Default: 90 days, after which refresh
    /// tokens are dead as well (as long as client registrations were seen to last).
    pub idle_expiry: Duration,
}

impl Default for VaultOptions {
    fn default() -> Self {
        Self {
            max_records: 10_000,
            idle_expiry: Duration::from_secs(90 * 24 * 3600),
        }
    }
}

/// What the vault and its records share.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) path: PathBuf,
    pub(super) clock: Arc<dyn Clock>,
    salt: Vec<u8>,
    options: VaultOptions,
}

/// How long an empty record is kept: much longer than a refresh takes, during which it is locked.
const EMPTY_EXPIRY: Duration = Duration::from_secs(3600);

const SALT_FILE: &str = "salt";
const SALT_BYTES: usize = 32;

impl Vault {
    /// Opens the vault in a folder, which is made if need be, for its owner only. Blocks for a few file
    /// operations.
    ///
    /// # Errors
    ///
    /// [`StoreFailed`](crate::AuthErrorKind::StoreFailed) when the folder or its salt cannot be made or read,
    /// [`Misconfigured`](crate::AuthErrorKind::Misconfigured) when the salt is none.
    pub fn open(
        folder: impl Into<PathBuf>,
        options: VaultOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AuthError> {
        let path = folder.into();
        make_folder(&path).map_err(|error| failed("make", &path, error))?;
        let salt = salt(&path)?;
        let folder = Folder {
            path,
            clock,
            salt,
            options,
        };
        if let Err(error) = folder.make_room(0) {
            tracing::warn!(path = %folder.path.display(), %error, "cannot tidy the vault");
        }
        Ok(Self(Arc::new(folder)))
    }

    /// The store of a credential as its owner sends it, each time with the same refresh token. That token, which
    /// is soon of no other use, finds and opens what took its place. Where there is none, the access token
    /// serves; but then nothing is ever refreshed.
    pub fn store(&self, sent: Credential) -> VaultStore {
        let token = sent.refresh_token.clone().or(sent.access_token.clone());
        let token = token.unwrap_or_else(|| Secret::from(""));
        let salt = &self.0.salt;
        let name = keyed_name(&token, salt, "kiro-auth vault name");
        let key = SealKey::derive(&token, salt, "kiro-auth vault key");
        VaultStore::new(Arc::clone(&self.0), name, key, sent)
    }
}

impl Folder {
    /// Removes what has been idle for too long, and of the rest the longest idle ones, so that there is room for
    /// so many more. Records that are empty, because their owner's first refresh never succeeded, go first:
    /// strangers can make those.
    pub(super) fn make_room(&self, more: usize) -> io::Result<()> {
        let now = self.clock.now();
        let mut records = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_name() == SALT_FILE {
                continue;
            }
            let metadata = entry.metadata()?;
            let refreshed_at = metadata.modified()?;
            let limit = match metadata.len() {
                0 => EMPTY_EXPIRY.min(self.options.idle_expiry),
                _ => self.options.idle_expiry,
            };
            if now.duration_since(refreshed_at).unwrap_or_default() > limit {
                remove(&entry.path())?;
            } else {
                records.push((metadata.len() > 0, refreshed_at, entry.path()));
            }
        }
        records.sort();
        let surplus = (records.len() + more).saturating_sub(self.options.max_records);
        for (_, _, path) in records.iter().take(surplus) {
            remove(path)?;
        }
        Ok(())
    }
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

/// Reads the salt, or draws it. Of several processes that start together one draws and all read the same.
fn salt(folder: &Path) -> Result<Vec<u8>, AuthError> {
    let path = folder.join(SALT_FILE);
    let salt = read_or_draw(&path).map_err(|error| failed("read", &path, error))?;
    if salt.len() != SALT_BYTES {
        return Err(AuthError::misconfigured(format!(
            "{} is not the salt of a vault, and without it no record can be opened: restore it, or remove \
             the folder, and then everybody has to sign in anew",
            path.display()
        )));
    }
    Ok(salt)
}

fn read_or_draw(path: &Path) -> io::Result<Vec<u8>> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    // Given back when the file is closed.
    file.lock()?;
    let mut salt = Vec::new();
    (&file).take(SALT_BYTES as u64 + 1).read_to_end(&mut salt)?;
    if salt.is_empty() {
        salt.resize(SALT_BYTES, 0);
        getrandom::fill(&mut salt).map_err(io::Error::other)?;
        file.write_all(&salt)?;
        file.sync_all()?;
    }
    Ok(salt)
}

pub(super) fn failed(doing: &str, path: &Path, error: io::Error) -> AuthError {
    AuthError::store_failed(format!("cannot {doing} {}", path.display())).with_source(error)
}
