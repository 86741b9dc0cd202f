//! One record of a vault, as a store.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::folder::Folder;
use super::seal::SealKey;
use crate::BoxFuture;
use crate::credential::{Credential, CredentialId};
use crate::error::AuthError;
use crate::store::lock::PathLock;
use crate::store::replace::{Replaced, replace};
use crate::store::rotated::Rotated;
use crate::store::{Claim, CredentialStore, beside_the_runtime, failed};

/// Keeps one credential of a vault in its folder.
///
/// Loading gives what the owner has sent, with the sealed tokens in it when there are some; saving replaces the
/// record in one step; the claim is a lock on the record, so that several processes, and several stores of one
/// owner, take turns. A record that cannot be opened – it was damaged, or belongs to another vault – counts as
/// none, and one warning says so.
pub(super) struct Record(Arc<Inner>);

struct Inner {
    folder: Arc<Folder>,
    name: String,
    lock: PathLock,
    key: SealKey,
    sent: Credential,
    /// The newest that was read or written here, should the record disappear: to show what it replaced would
    /// look like theft to a service that watches for the second use of a token.
    newest: Mutex<Option<Rotated>>,
    warned_damaged: AtomicBool,
}

/// Records are padded to multiples of this, so that their size does not tell what kind of login they hold. The
/// largest seen, with a JWT for an access token, have about four kilobytes.
const PADDED_BYTES: usize = 4096;

/// Most bytes of a record that are read: many times what one has.
const MAX_RECORD_BYTES: u64 = 1024 * 1024;

impl Record {
    pub(super) fn new(folder: Arc<Folder>, name: String, key: SealKey, sent: Credential) -> Self {
        let lock = PathLock::on(&folder.path.join(&name));
        Self(Arc::new(Inner {
            folder,
            name,
            lock,
            key,
            sent,
            newest: Mutex::default(),
            warned_damaged: AtomicBool::new(false),
        }))
    }
}

impl CredentialStore for Record {
    fn id(&self) -> CredentialId {
        self.0.sent.id
    }

    fn load(&self) -> BoxFuture<'_, Result<Credential, AuthError>> {
        let record = Arc::clone(&self.0);
        Box::pin(beside_the_runtime(move || record.load()))
    }

    fn save<'a>(&'a self, credential: &'a Credential) -> BoxFuture<'a, Result<(), AuthError>> {
        let record = Arc::clone(&self.0);
        let rotated = Rotated::of(credential);
        Box::pin(beside_the_runtime(move || record.save(rotated)))
    }

    fn claim(&self) -> BoxFuture<'_, Result<Claim, AuthError>> {
        Box::pin(self.0.claim())
    }
}

impl Inner {
    fn path(&self) -> PathBuf {
        self.folder.path.join(&self.name)
    }

    fn load(&self) -> Result<Credential, AuthError> {
        let found = match self.folder.unsaved(&self.name) {
            Some(rotated) => Some(rotated),
            None => self.read()?,
        };
        let mut newest = self.newest();
        if found.is_some() {
            newest.clone_from(&found);
        }
        Ok(match &*newest {
            Some(rotated) => rotated.over(&self.sent),
            None => self.sent.clone(),
        })
    }

    /// The tokens on the disk, if there are some that can be opened.
    fn read(&self) -> Result<Option<Rotated>, AuthError> {
        let path = self.path();
        let text = match read(&path) {
            Ok(text) if text.is_empty() => return Ok(None),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", &path, error)),
            Ok(text) => text,
        };
        let rotated = self.open(&text);
        if rotated.is_none() && !self.warned_damaged.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                credential = %self.sent.id,
                path = %path.display(),
                "the sealed record cannot be opened: it is damaged, and the credential is taken as it was sent"
            );
        }
        Ok(rotated)
    }

    /// Makes an empty record, so that there is something to lock before the first refresh.
    fn make(&self) -> Result<(), AuthError> {
        let path = self.path();
        if path.exists() {
            return Ok(());
        }
        self.folder.tidy(1);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let made = options
            .open(&path)
            .and_then(|file| file.set_modified(self.folder.clock.now()));
        made.map_err(|error| failed("make", &path, error))
    }

    async fn claim(self: &Arc<Self>) -> Result<Claim, AuthError> {
        let record = Arc::clone(self);
        if let Err(error) = beside_the_runtime(move || record.make()).await {
            // A full disk hinders everybody, and is no reason to serve nobody.
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the record of a credential cannot be locked: another gateway with the same folder may use up \
                 its refresh token"
            );
            return Ok(Claim::unshared());
        }
        self.lock.claim().await
    }

    fn open(&self, text: &[u8]) -> Option<Rotated> {
        let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        let plain = self.key.open(&sealed, self.name.as_bytes()).ok()?;
        Rotated::from_json(&plain).ok()
    }

    fn save(&self, rotated: Rotated) -> Result<(), AuthError> {
        let saved = self.write(&rotated);
        match &saved {
            Ok(()) => self.folder.forget_unsaved(&self.name),
            Err(_) => self.folder.keep_unsaved(&self.name, rotated.clone()),
        }
        *self.newest() = Some(rotated);
        saved
    }

    fn write(&self, rotated: &Rotated) -> Result<(), AuthError> {
        let path = self.path();
        self.make()?;
        let sealed = self.key.seal(&padded(rotated), self.name.as_bytes());
        let sealed = sealed.map_err(|error| {
            AuthError::store_failed("the credential cannot be sealed").with_source(error)
        })?;
        match replace(&path, &URL_SAFE_NO_PAD.encode(sealed), None) {
            Ok(Replaced::Done) => {
                self.note_refresh(&path);
                Ok(())
            }
            Ok(Replaced::ReadOnly(error)) | Err(error) => Err(failed("write", &path, error)),
        }
    }

    /// The value is replaced in one step.
    fn newest(&self) -> MutexGuard<'_, Option<Rotated>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Idleness is judged by our clock, and the disk may belong to a machine with another one. Where that does
    /// not work, the disk's own time has to do.
    fn note_refresh(&self, path: &Path) {
        let noted = File::open(path).and_then(|file| file.set_modified(self.folder.clock.now()));
        if let Err(error) = noted {
            tracing::debug!(path = %path.display(), %error, "cannot set the time of a record");
        }
    }
}

/// The tokens as JSON, with white space behind them.
fn padded(rotated: &Rotated) -> Zeroizing<Vec<u8>> {
    let json = rotated.to_json();
    let length = json.len().next_multiple_of(PADDED_BYTES);
    let mut plain = Zeroizing::new(vec![b' '; length]);
    plain[..json.len()].copy_from_slice(json.as_bytes());
    plain
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)?
        .take(MAX_RECORD_BYTES)
        .read_to_end(&mut text)?;
    Ok(text)
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("id", &self.0.sent.id)
            .field("name", &self.0.name)
            .finish_non_exhaustive()
    }
}
