//! One record of a vault, as a store.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::folder::{Folder, failed};
use super::seal::SealKey;
use crate::BoxFuture;
use crate::credential::{Credential, CredentialId};
use crate::error::AuthError;
use crate::store::lock::PathLock;
use crate::store::replace::{Replaced, replace};
use crate::store::rotated::Rotated;
use crate::store::{Claim, CredentialStore, beside_the_runtime};

/// Keeps one credential of a [`Vault`](super::Vault).
///
/// Loading gives what the owner has sent, with the sealed tokens in it when there are some; saving replaces the
/// record in one step; the claim is a lock on the record, so that several processes, and several stores of one
/// owner, take turns. A record that cannot be opened – it was damaged, or belongs to another vault – counts as
/// none, and one warning says so.
#[derive(Clone)]
pub struct VaultStore(Arc<Record>);

struct Record {
    folder: Arc<Folder>,
    name: String,
    lock: PathLock,
    key: SealKey,
    sent: Credential,
}

/// Records are padded to multiples of this, so that their size does not tell what kind of login they hold. The
/// largest seen, with a JWT for an access token, have about four kilobytes.
const PADDED_BYTES: usize = 4096;

impl VaultStore {
    pub(super) fn new(folder: Arc<Folder>, name: String, key: SealKey, sent: Credential) -> Self {
        let lock = PathLock::on(&folder.path.join(&name));
        Self(Arc::new(Record {
            folder,
            name,
            lock,
            key,
            sent,
        }))
    }
}

impl CredentialStore for VaultStore {
    fn id(&self) -> CredentialId {
        self.0.sent.id
    }

    fn load(&self) -> BoxFuture<'_, Result<Credential, AuthError>> {
        let record = Arc::clone(&self.0);
        Box::pin(beside_the_runtime(move || record.load()))
    }

    fn save<'a>(&'a self, credential: &'a Credential) -> BoxFuture<'a, Result<(), AuthError>> {
        let record = Arc::clone(&self.0);
        let credential = credential.clone();
        Box::pin(beside_the_runtime(move || record.save(&credential)))
    }

    fn claim(&self) -> BoxFuture<'_, Result<Claim, AuthError>> {
        Box::pin(self.0.claim())
    }
}

impl Record {
    fn path(&self) -> PathBuf {
        self.folder.path.join(&self.name)
    }

    fn load(&self) -> Result<Credential, AuthError> {
        let path = self.path();
        let text = match fs::read_to_string(&path) {
            Ok(text) if text.is_empty() => return Ok(self.sent.clone()),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(self.sent.clone()),
            Err(error) => return Err(failed("read", &path, error)),
            Ok(text) => text,
        };
        match self.open(&text) {
            Some(rotated) => Ok(rotated.over(&self.sent)),
            None => {
                tracing::warn!(
                    credential = %self.sent.id,
                    path = %path.display(),
                    "the sealed record cannot be opened: it is damaged, and the credential is taken as it \
                     was sent"
                );
                Ok(self.sent.clone())
            }
        }
    }

    /// Makes an empty record, so that there is something to lock before the first refresh.
    fn make(&self) -> Result<(), AuthError> {
        let path = self.path();
        if path.exists() {
            return Ok(());
        }
        if let Err(error) = self.folder.make_room(1) {
            tracing::warn!(path = %self.folder.path.display(), %error, "cannot tidy the vault");
        }
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
        beside_the_runtime(move || record.make()).await?;
        self.lock.claim().await
    }

    fn open(&self, text: &str) -> Option<Rotated> {
        let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        let plain = self.key.open(&sealed, self.name.as_bytes()).ok()?;
        Rotated::from_json(&plain).ok()
    }

    fn save(&self, credential: &Credential) -> Result<(), AuthError> {
        let path = self.path();
        self.make()?;
        let sealed = self.key.seal(&padded(credential), self.name.as_bytes());
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
fn padded(credential: &Credential) -> Zeroizing<Vec<u8>> {
    let json = Rotated::of(credential).to_json();
    let length = json.len().next_multiple_of(PADDED_BYTES);
    let mut plain = Zeroizing::new(vec![b' '; length]);
    plain[..json.len()].copy_from_slice(json.as_bytes());
    plain
}

impl fmt::Debug for VaultStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VaultStore")
            .field("id", &self.0.sent.id)
            .field("name", &self.0.name)
            .finish_non_exhaustive()
    }
}
