//! Kiro's own JSON cache file, shared with the IDE.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use zeroize::Zeroizing;

use super::lock::PathLock;
use super::replace::{Replaced, replace};
use super::{Claim, CredentialStore, beside_the_runtime, failed};
use crate::BoxFuture;
use crate::credential::{Credential, CredentialId};
use crate::document::Document;
use crate::error::AuthError;
use crate::wire;

/// Keeps a credential in a file of the form of Kiro's cache, usually
/// `~/.aws/sso/cache/kiro-auth-token.json`; the shape is at [`Credential::from_json`].
///
/// The file belongs to another program. Saving therefore replaces the values it knows *in the text* and
/// leaves everything else byte for byte, and it replaces the file in one step:
///
/// ```text
/// .kiro-auth-token.json.{pid}-{n}.tmp   written with the old file's mode and owner, synced
///            │ rename
///            v
/// kiro-auth-token.json                  old or new at every moment, never half; then the folder is synced
/// ```
///
/// A process that is killed in between leaves the temporary file, which is in nobody's way and goes with a
/// write-back that finds it ten minutes old.
///
/// Programs that share the file take turns in refreshing if they [claim](CredentialStore::claim) it. On Unix
/// the claim is a lock (`flock`) on the file itself, elsewhere one on `{name}.kiro-2api.lock` beside it. On a
/// file system without locks one warning says that there are none.
///
/// - A symbolic link stays one: the file it points to is replaced.
/// - A new file gets mode 0600.
/// - A file that is not JSON is never overwritten.
/// - Where the file or its folder is not writable, or the new file could not be given back to its owner,
///   the rotated tokens live in memory only; one warning says so.
/// - A file that is a mount point, as containers make one of a single file, cannot be replaced and is
///   written over instead, in one write: a process that is killed leaves it whole, a system that crashes
///   may not.
/// - When the disk is full the old file stays, and the error says what to do.
/// - Clients of the AWS directories keep their registration in a second file, `{clientIdHash}.json` in
///   the same folder. It is read, never written. Without it the access token is good until it expires.
#[derive(Debug, Clone)]
pub struct FileStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    id: CredentialId,
    path: PathBuf,
    lock: PathLock,
    warned_read_only: AtomicBool,
}

/// A credential file has about two kilobytes; what is larger than this is something else.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

impl FileStore {
    /// The file at this path. Nothing is read yet; the file need not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self(Arc::new(Inner {
            id: CredentialId::of("file", &path.to_string_lossy()),
            lock: PathLock::on(&path),
            path,
            warned_read_only: AtomicBool::new(false),
        }))
    }

    /// The path as it was given.
    pub fn path(&self) -> &Path {
        &self.0.path
    }
}

impl CredentialStore for FileStore {
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
        let text = self.read_settled()?;
        let document = parse(&self.path, &text)?;
        let mut credential = wire::read(&document).map_err(|error| {
            let path = self.path.display();
            AuthError::misconfigured(format!("{path} is no login that can be used"))
                .with_source(error)
        })?;
        credential.id = self.id;
        if let Some(hash) = credential.client_id_hash.clone()
            && credential.client_secret.is_none()
        {
            self.read_registration(&hash, &mut credential)?;
        }
        Ok(credential)
    }

    /// Reads the file; once more after a moment when it is not JSON, because the IDE rewrites it in
    /// place and we may have come in the middle.
    fn read_settled(&self) -> Result<Zeroizing<String>, AuthError> {
        const MOMENT: std::time::Duration = std::time::Duration::from_millis(50);
        let text = self.read()?;
        if Document::parse(&text).is_ok() {
            return Ok(text);
        }
        std::thread::sleep(MOMENT);
        self.read()
    }

    fn read(&self) -> Result<Zeroizing<String>, AuthError> {
        read(&self.path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => AuthError::signed_out(format!(
                "there is no credential file at {}",
                self.path.display()
            )),
            _ => failed("read", &self.path, error),
        })
    }

    fn read_registration(&self, hash: &str, into: &mut Credential) -> Result<(), AuthError> {
        // The hash becomes a file name, and it comes from a file.
        let is_name = hash
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if !is_name || hash.is_empty() || hash.len() > 128 {
            return Err(AuthError::misconfigured(format!(
                "the clientIdHash in {} is not a file name",
                self.path.display()
            )));
        }
        let name = format!("{hash}.json");
        let Some((path, text)) = self.read_beside(&name)? else {
            tracing::warn!(
                credential = %self.id,
                path = %self.path.with_file_name(name).display(),
                "the client registration is missing: the access token can be used and not refreshed"
            );
            return Ok(());
        };
        wire::read_registration(&parse(&path, &text)?, into);
        Ok(())
    }

    /// A file in the folder of the path, or in that of the file that a symbolic link points to.
    fn read_beside(&self, name: &str) -> Result<Option<(PathBuf, Zeroizing<String>)>, AuthError> {
        let target = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        for path in [self.path.with_file_name(name), target.with_file_name(name)] {
            match read(&path) {
                Ok(text) => return Ok(Some((path, text))),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(failed("read", &path, error)),
            }
        }
        Ok(None)
    }

    fn save(&self, credential: &Credential) -> Result<(), AuthError> {
        let target = match fs::canonicalize(&self.path) {
            Ok(target) => target,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let text = Zeroizing::new(wire::write(credential));
                return self.settle(replace(&self.path, &text, None));
            }
            Err(error) => return Err(failed("find", &self.path, error)),
        };
        let old = read(&target).map_err(|error| failed("read", &target, error))?;
        let document = Document::parse(&old).map_err(|error| {
            let path = target.display();
            AuthError::store_failed(format!("{path} cannot be understood and is left as it is"))
                .with_source(error)
        })?;
        let patched = Zeroizing::new(wire::patch(&document, credential));
        if *patched == *old {
            return Ok(());
        }
        let metadata = fs::metadata(&target).map_err(|error| failed("read", &target, error))?;
        self.settle(replace(&target, &patched, Some(&metadata)))
    }

    fn settle(&self, replaced: io::Result<Replaced>) -> Result<(), AuthError> {
        match replaced {
            Ok(Replaced::Done) => Ok(()),
            Ok(Replaced::ReadOnly(error)) => {
                if !self.warned_read_only.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        credential = %self.id,
                        path = %self.path.display(),
                        %error,
                        "credential file is read-only: rotated tokens are not kept in it, and what it \
                         holds may be of no use after the process ends"
                    );
                }
                Ok(())
            }
            Err(error) => Err(failed("write", &self.path, error)),
        }
    }
}

fn parse<'a>(path: &Path, text: &'a str) -> Result<Document<'a>, AuthError> {
    Document::parse(text).map_err(|error| {
        AuthError::misconfigured(format!("{} cannot be understood", path.display()))
            .with_source(error)
    })
}

fn read(path: &Path) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    let read = File::open(path)?
        .take(MAX_FILE_BYTES + 1)
        .read_to_string(&mut text)?;
    if read as u64 > MAX_FILE_BYTES {
        return Err(io::Error::new(ErrorKind::InvalidData, "larger than 1 MiB"));
    }
    // Editors on Windows put a byte order mark in front, which is not JSON.
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::log::Log;

    #[test]
    fn read_only_source_warns_once() {
        let log = Log::start();
        let store = FileStore::new("/nowhere/kiro-auth-token.json");
        for _ in 0..3 {
            let replaced = Replaced::ReadOnly(ErrorKind::PermissionDenied.into());
            store.0.settle(Ok(replaced)).unwrap();
        }
        let logged = log.text();
        assert_eq!(logged.matches("read-only").count(), 1, "{logged}");
    }

    #[test]
    fn full_disk_is_a_failure_that_is_worth_another_try() {
        let store = FileStore::new("/nowhere/kiro-auth-token.json");
        let error = store
            .0
            .settle(Err(ErrorKind::StorageFull.into()))
            .unwrap_err();
        assert_eq!(error.kind(), crate::AuthErrorKind::StoreFailed);
    }
}
