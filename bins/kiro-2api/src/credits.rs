//! Credits that were spent of budgets, in a file of the state folder, so that they survive the process.
//!
//! ```text
//! {folder}/credits.json          hashes of keys and callers, and what each has spent today and this month
//! {folder}/credits.lock          held while a process reads the file and replaces it
//! {folder}/credits.json.broken   what stood in its place and could not be read
//! ```
//!
//! Each process adds what was spent in it, so that several may share the folder. Nothing here is worth refusing
//! to serve: what cannot be read or written is named in the log.

use std::error::Error;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kiro_auth::replace_file;
use kiro_gateway::{CreditBook, Merged};

use crate::config::{Store, StoreKind};
use crate::state;

/// A file with credits, and the book that it is written from.
#[derive(Clone)]
pub(crate) struct CreditFile(Arc<Inner>);

struct Inner {
    path: PathBuf,
    book: CreditBook,
    /// Whether the log has said that it cannot be written.
    has_warned: AtomicBool,
}

/// How often it is written at most, and so how much a process loses that is killed.
const INTERVAL: Duration = Duration::from_secs(3);

/// As many accounts as there may be take a tenth of it.
const MOST_BYTES: u64 = 16 << 20;

/// How long another process may hold the lock. It takes milliseconds, unless that process is stopped.
const LOCK_LIMIT: Duration = Duration::from_secs(2);
const LOCK_PAUSE: Duration = Duration::from_millis(20);

impl CreditFile {
    /// The file of a store, if it has one, read.
    pub(crate) fn open(store: &Store) -> Option<Self> {
        if store.kind != StoreKind::File {
            return None;
        }
        // Without a folder the store of tokens has said so.
        let file = Self::at(state::folder(store)?.join("credits.json"));
        if let Err(error) = file.0.merge() {
            file.0.warn(&error);
        }
        Some(file)
    }

    fn at(path: PathBuf) -> Self {
        Self(Arc::new(Inner {
            path,
            book: CreditBook::default(),
            has_warned: AtomicBool::new(false),
        }))
    }

    pub(crate) fn book(&self) -> CreditBook {
        self.0.book.clone()
    }

    /// Saves what is spent, every few seconds, and what could not be saved as often until it can. Has no end.
    pub(crate) async fn keep(self) {
        loop {
            self.0.book.changed().await;
            tokio::time::sleep(INTERVAL).await;
            while !self.save().await {
                tokio::time::sleep(INTERVAL).await;
            }
        }
    }

    /// Saves what is not saved. Whether it is then.
    pub(crate) async fn save(&self) -> bool {
        let inner = self.0.clone();
        let saving = tokio::task::spawn_blocking(move || {
            let saved = inner.save();
            match &saved {
                Ok(()) => inner.has_warned.store(false, Ordering::Relaxed),
                Err(error) => inner.warn(error),
            }
            saved.is_ok()
        });
        // It does not panic; and when the runtime ends, so does this.
        saving.await.unwrap_or(false)
    }
}

impl Inner {
    fn save(&self) -> io::Result<()> {
        let _lock = lock(&self.path.with_extension("lock"))?;
        let merged = self.merge()?;
        if let Some(text) = merged.text() {
            replace_file(&self.path, text)?;
        }
        merged.done();
        Ok(())
    }

    /// Adds what was spent here to what the file says, which is put aside if it is broken.
    fn merge(&self) -> io::Result<Merged> {
        let text = match read(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            text => Some(text?),
        };
        self.book.merge(text.as_deref()).or_else(|bad| {
            let aside = self.path.with_extension("json.broken");
            fs::rename(&self.path, &aside)?;
            tracing::error!(
                error = &bad as &dyn Error,
                "{} is broken and was put aside as {}: budgets of credits begin anew",
                self.path.display(),
                aside.display()
            );
            self.book.merge(None).map_err(io::Error::other)
        })
    }

    fn warn(&self, error: &io::Error) {
        if !self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::error!(
                error = error as &dyn Error,
                "spent credits cannot be kept in {}: what is not saved is lost with the process",
                self.path.display()
            );
        }
    }
}

/// Nothing for what is too large to be ours; that is as broken as any other.
fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MOST_BYTES + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        bytes.clear();
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Held until it is dropped. The system takes it back from a process that dies.
fn lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            // Where nobody can lock, two processes that write together may count too little.
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
                return Ok(file);
            }
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if started.elapsed() < LOCK_LIMIT => {
                std::thread::sleep(LOCK_PAUSE);
            }
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::other("another process holds the lock"));
            }
        }
    }
}
