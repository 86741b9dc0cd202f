//! A lock on a file, by which processes that share a credential take turns.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::beside_the_runtime;
use super::claim::Claim;
use super::replace::give_back;
use crate::error::AuthError;

/// Gives out the claim to what is kept at a path.
///
/// The lock is advisory: it keeps out who asks for it and nobody else, and the system takes it back from
/// a process that dies.
#[derive(Debug)]
pub(crate) struct PathLock {
    path: PathBuf,
    /// Blocks for no longer than opening a file does.
    attempt: fn(&Path) -> Attempt,
    warned_unlockable: AtomicBool,
}

/// How often a lock that somebody holds is asked for. The holder is waiting for a service that takes ten
/// times as long.
const PAUSE: Duration = Duration::from_millis(20);

/// How long somebody else may hold the lock. Longer than asking a service takes with an `HttpRefresher`, which is
/// 65 s: three tries of 15 s and two pauses of at most 10 s. Who has not come back by then is stopped, or has to
/// ask more than once; whoever waited asks again later.
const LIMIT: Duration = Duration::from_secs(75);

impl PathLock {
    /// Locks the file at the path, so that nothing has to be written where nothing can be: a read-only
    /// mount, a container into which one file is mounted.
    ///
    /// Where locks are mandatory, as on Windows, a file beside it is locked instead. The IDE must be able
    /// to read while we refresh.
    pub(crate) fn on(path: &Path) -> Self {
        Self::with(path, if cfg!(unix) { itself } else { beside })
    }

    /// Locks the file `{name}.kiro-2api.lock` beside the one at the path, for files that only their own
    /// library may open. The lock file stays: to remove it would let two processes lock two files.
    #[cfg_attr(not(feature = "sqlite"), allow(dead_code))]
    pub(crate) fn beside(path: &Path) -> Self {
        Self::with(path, beside)
    }

    fn with(path: &Path, attempt: fn(&Path) -> Attempt) -> Self {
        Self {
            path: path.to_owned(),
            attempt,
            warned_unlockable: AtomicBool::new(false),
        }
    }

    /// Waits for the lock. Without a file there is nothing to share, and where a file cannot be locked
    /// nobody can: the claim is an unshared one then.
    ///
    /// # Errors
    ///
    /// As [`CredentialStore::claim`](super::CredentialStore::claim).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: an attempt that nobody waits for any more drops what it has locked.
    pub(crate) async fn claim(&self) -> Result<Claim, AuthError> {
        let started = Instant::now();
        loop {
            match self.attempt().await? {
                Attempt::Locked(lock) => return Ok(Claim::held(lock)),
                Attempt::Missing => return Ok(Claim::unshared()),
                Attempt::Unlockable(error) => {
                    self.warn_unlockable(&error);
                    return Ok(Claim::unshared());
                }
                Attempt::Busy if started.elapsed() >= LIMIT => return Err(self.held_for_too_long()),
                Attempt::Busy => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    async fn attempt(&self) -> Result<Attempt, AuthError> {
        let (path, attempt) = (self.path.clone(), self.attempt);
        beside_the_runtime(move || Ok(attempt(&path))).await
    }

    fn warn_unlockable(&self, error: &io::Error) {
        if !self.warned_unlockable.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                path = %self.path.display(),
                %error,
                "the credential cannot be locked: another process that refreshes it at the same time may \
                 use up its refresh token"
            );
        }
    }

    fn held_for_too_long(&self) -> AuthError {
        AuthError::transient(format!(
            "another process has been refreshing {} for more than {} seconds",
            self.path.display(),
            LIMIT.as_secs()
        ))
    }
}

/// What one attempt to lock a file has come to.
#[derive(Debug)]
enum Attempt {
    Locked(FileLock),
    /// Somebody else holds it.
    Busy,
    /// There is no such file.
    Missing,
    /// It is there and will not be locked.
    Unlockable(io::Error),
}

/// Unlocks when it is dropped.
#[derive(Debug)]
struct FileLock(File);

impl Drop for FileLock {
    fn drop(&mut self) {
        // Closing would do as well, but later, if some other process has inherited the open file.
        let _ = self.0.unlock();
    }
}

/// Locks the file that the path leads to.
fn itself(path: &Path) -> Attempt {
    match fs::metadata(path) {
        // To open a pipe is to take from it.
        Ok(found) if !found.is_file() => {
            return Attempt::Unlockable(ErrorKind::InvalidInput.into());
        }
        Ok(_) => {}
        Err(error) => return unopened(error),
    }
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => return unopened(error),
    };
    match file.try_lock() {
        // NFS turns the lock into one that wants the file open for writing (flock(2), "NFS details").
        // That is the second choice, because it wakes those who watch the file.
        Err(TryLockError::Error(refusal)) => match OpenOptions::new().write(true).open(path) {
            Ok(file) => verified(file.try_lock(), file, path),
            Err(_) => Attempt::Unlockable(refusal),
        },
        locked => verified(locked, file, path),
    }
}

/// A lock is worth something if the path still leads to the locked file, which the write-back replaces,
/// and if it does not keep readers out, as it would on SMB (flock(2), "CIFS details"): the first of them
/// would be ourselves.
fn verified(locked: Result<(), TryLockError>, file: File, path: &Path) -> Attempt {
    let lock = match held(locked, file) {
        Attempt::Locked(lock) => lock,
        other => return other,
    };
    match read_again(path, &lock.0) {
        Ok(true) => Attempt::Locked(lock),
        Ok(false) => Attempt::Busy,
        Err(error) => unopened(error),
    }
}

/// Whether the path leads to this file, read as everybody else would read it.
fn read_again(path: &Path, file: &File) -> io::Result<bool> {
    let again = File::open(path)?;
    (&again).take(1).read_to_end(&mut Vec::new())?;
    is_same(&again, file)
}

#[cfg(unix)]
fn is_same(one: &File, other: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let (one, other) = (one.metadata()?, other.metadata()?);
    Ok((one.dev(), one.ino()) == (other.dev(), other.ino()))
}

/// The file itself is locked on unix only.
#[cfg(not(unix))]
fn is_same(_one: &File, _other: &File) -> io::Result<bool> {
    Ok(true)
}

/// Locks the lock file beside the one that the path leads to, and makes it if need be.
fn beside(path: &Path) -> Attempt {
    let target = match fs::canonicalize(path) {
        Ok(target) => target,
        Err(error) => return unopened(error),
    };
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let lock_file = lock_file_of(&target);
    let opened = match options.clone().create_new(true).open(&lock_file) {
        Ok(file) => {
            // The owner of the target must be able to open what root has made. Who is not root owns both.
            // What was there already is not given away: it may be a link to something of root's.
            let _ = fs::metadata(&target).and_then(|owner| give_back(&file, &owner));
            Ok(file)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => options.open(&lock_file),
        Err(error) => Err(error),
    };
    match opened {
        Ok(file) => held(file.try_lock(), file),
        Err(error) => Attempt::Unlockable(error),
    }
}

fn lock_file_of(target: &Path) -> PathBuf {
    let mut name: OsString = target.file_name().unwrap_or_default().to_owned();
    name.push(".kiro-2api.lock");
    target.with_file_name(name)
}

/// Whatever hinders a lock but somebody else's – a file system that knows none, a lock server that is
/// away – hinders everybody, and is no reason to serve nobody.
fn held(locked: Result<(), TryLockError>, file: File) -> Attempt {
    match locked {
        Ok(()) => Attempt::Locked(FileLock(file)),
        Err(TryLockError::WouldBlock) => Attempt::Busy,
        Err(TryLockError::Error(error)) => Attempt::Unlockable(error),
    }
}

fn unopened(error: io::Error) -> Attempt {
    match error.kind() {
        ErrorKind::NotFound => Attempt::Missing,
        _ => Attempt::Unlockable(error),
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use tempfile::TempDir;
    use tokio::time::timeout;

    use super::*;
    use crate::error::AuthErrorKind;
    use crate::store::log::Log;

    /// Both ways to lock a file.
    const WAYS: [fn(&Path) -> PathLock; 2] = [PathLock::on, PathLock::beside];

    fn folder_with_a_file() -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credential.json");
        fs::write(&path, "{}").unwrap();
        (folder, path)
    }

    /// Takes the claim, and says whether it is shared with other processes.
    async fn is_held(lock: &PathLock) -> bool {
        let claim = lock.claim().await.unwrap();
        format!("{claim:?}") == "Claim(held)"
    }

    #[tokio::test(start_paused = true)]
    async fn claims_are_given_out_one_at_a_time() {
        let (_folder, path) = folder_with_a_file();
        for lock in WAYS {
            let (one, other) = (lock(&path), lock(&path));
            let claim = one.claim().await.unwrap();
            let waiting = timeout(LIMIT / 2, other.claim());
            waiting.await.expect_err("somebody else has it");
            drop(claim);
            drop(timeout(LIMIT / 2, other.claim()).await.unwrap().unwrap());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_a_claim_has_an_end() {
        let (_folder, path) = folder_with_a_file();
        for lock in WAYS {
            let _claim = lock(&path).claim().await.unwrap();
            let started = Instant::now();
            let error = lock(&path).claim().await.unwrap_err();
            assert_eq!(error.kind(), AuthErrorKind::Transient);
            assert!(error.to_string().contains("another process"), "{error}");
            assert!(started.elapsed() >= LIMIT && started.elapsed() <= LIMIT + PAUSE);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn claim_that_nobody_waits_for_is_given_back() {
        let (_folder, path) = folder_with_a_file();
        for lock in WAYS {
            // Left while the attempt is under way on another thread …
            let one = lock(&path);
            let mut claim = Box::pin(one.claim());
            let _ = claim.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            drop(claim);
            // … and while it waits.
            let claim = lock(&path).claim().await.unwrap();
            timeout(LIMIT / 2, one.claim()).await.unwrap_err();
            drop(claim);
            drop(
                timeout(LIMIT / 2, lock(&path).claim())
                    .await
                    .unwrap()
                    .unwrap(),
            );
        }
    }

    #[tokio::test]
    async fn without_a_file_there_is_nothing_to_share() {
        let (folder, _) = folder_with_a_file();
        let log = Log::start();
        for lock in WAYS {
            assert!(!is_held(&lock(&folder.path().join("none"))).await);
            assert!(!is_held(&lock(&folder.path().join("none/at all"))).await);
        }
        assert_eq!(log.text(), "");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn what_cannot_be_locked_is_used_all_the_same_and_one_warning_says_so() {
        // A folder stands for a file system without locks.
        let (folder, _) = folder_with_a_file();
        let log = Log::start();
        let lock = PathLock::on(folder.path());
        for _ in 0..3 {
            assert!(!is_held(&lock).await);
        }
        let logged = log.text();
        assert_eq!(logged.matches("cannot be locked").count(), 1, "{logged}");
    }

    #[cfg(unix)]
    #[test]
    fn pipe_is_not_opened() {
        let (folder, _) = folder_with_a_file();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let (send, attempts) = std::sync::mpsc::channel();
        std::thread::spawn(move || send.send(itself(&pipe)));
        // To open it would take until somebody writes to it.
        let attempt = attempts.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(matches!(attempt, Attempt::Unlockable(_)), "{attempt:?}");
    }

    /// Who waits for the lock may have opened the file before the holder replaced it. A lock on the old
    /// one protects nothing.
    #[cfg(unix)]
    #[test]
    fn file_that_was_replaced_in_the_meantime_is_not_locked() {
        let (folder, path) = folder_with_a_file();
        let opened = File::open(&path).unwrap();
        let new = folder.path().join("new");
        fs::write(&new, "{}").unwrap();
        fs::rename(&new, &path).unwrap();
        let attempt = verified(opened.try_lock(), opened, &path);
        assert!(matches!(attempt, Attempt::Busy), "{attempt:?}");
        assert!(matches!(itself(&path), Attempt::Locked(_)));
    }

    /// On SMB a lock keeps everybody from reading. Here a folder can be locked and not read.
    #[cfg(unix)]
    #[test]
    fn lock_that_keeps_readers_out_is_not_wanted() {
        let (folder, _) = folder_with_a_file();
        let opened = File::open(folder.path()).unwrap();
        let attempt = verified(opened.try_lock(), opened, folder.path());
        assert!(matches!(attempt, Attempt::Unlockable(_)), "{attempt:?}");
        let again = File::open(folder.path()).unwrap();
        again.try_lock().expect("it has been given back");
    }

    #[cfg(unix)]
    #[tokio::test(start_paused = true)]
    async fn links_to_one_file_share_its_lock() {
        let (_folder, path) = folder_with_a_file();
        let elsewhere = tempfile::tempdir().unwrap();
        let link = elsewhere.path().join("link.json");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        for lock in WAYS {
            let _claim = lock(&path).claim().await.unwrap();
            let other = lock(&link);
            timeout(LIMIT / 2, other.claim()).await.unwrap_err();
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn locking_the_file_leaves_no_trace() {
        let (folder, path) = folder_with_a_file();
        assert!(is_held(&PathLock::on(&path)).await);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(fs::read_to_string(&path).unwrap(), "{}");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn lock_file_is_for_the_owner_of_the_file_beside_it() {
        use std::os::unix::fs::{MetadataExt, chown};

        let (folder, path) = folder_with_a_file();
        // Only root may give files away; for everybody else the owner is the same anyway.
        let _ = chown(&path, Some(65534), Some(65534));
        for _ in 0..2 {
            assert!(is_held(&PathLock::beside(&path)).await);
        }
        let lock = fs::metadata(folder.path().join("credential.json.kiro-2api.lock")).unwrap();
        let owner = fs::metadata(&path).unwrap();
        assert_eq!(lock.mode() & 0o7777, 0o600);
        assert_eq!((lock.uid(), lock.gid()), (owner.uid(), owner.gid()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    /// The owner of the file beside it can put anything where the lock file goes.
    #[cfg(unix)]
    #[tokio::test]
    async fn link_in_the_place_of_the_lock_file_gives_nothing_away() {
        use std::os::unix::fs::{MetadataExt, chown, symlink};

        let (folder, path) = folder_with_a_file();
        let roots = tempfile::tempdir().unwrap();
        let shadow = roots.path().join("shadow");
        fs::write(&shadow, "").unwrap();
        let owner = fs::metadata(&shadow).unwrap().uid();
        let _ = chown(&path, Some(65534), Some(65534));
        symlink(
            &shadow,
            folder.path().join("credential.json.kiro-2api.lock"),
        )
        .unwrap();
        drop(PathLock::beside(&path).claim().await);
        assert_eq!(fs::metadata(&shadow).unwrap().uid(), owner);
    }
}
