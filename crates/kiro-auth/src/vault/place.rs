//! The vault itself, wherever it is.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::folder::Folder;
use super::memory::Memory;
use crate::clock::Clock;
use crate::credential::Credential;
use crate::error::AuthError;
use crate::store::CredentialStore;

/// Keeps the newest tokens of everybody who brings a credential of their own. Clones are the same vault.
#[derive(Debug, Clone)]
pub struct Vault(Place);

#[derive(Debug, Clone)]
enum Place {
    Folder(Arc<Folder>),
    Memory(Arc<Memory>),
}

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
    /// Most records; when one more comes, those go that have not been refreshed for the longest time, and before
    /// them those whose owner never succeeded to refresh. Default: 10 000, about 60 MB.
    pub max_records: usize,
    /// Records that have not been refreshed for this long are removed from the folder, counted from the one
    /// that was refreshed last. Default: 90 days, after which refresh tokens are dead as well (as long as client
    /// registrations were seen to last).
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

impl Vault {
    /// Opens the vault in a folder, which is made if need be, for its owner only. Several processes may use one
    /// folder. Blocks for a few file operations.
    ///
    /// Where a record cannot be written, it is kept in memory until it can.
    ///
    /// # Errors
    ///
    /// [`StoreFailed`](crate::AuthErrorKind::StoreFailed) when the folder or its salt cannot be made or read,
    /// [`Misconfigured`](crate::AuthErrorKind::Misconfigured) when the salt is none, or is gone and records are
    /// there.
    pub fn open(
        folder: impl Into<PathBuf>,
        options: VaultOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AuthError> {
        let folder = Folder::open(folder.into(), options, clock)?;
        Ok(Self(Place::Folder(Arc::new(folder))))
    }

    /// A vault that lives as long as the process. Nothing in it expires, and nothing is sealed.
    pub fn in_memory(options: &VaultOptions) -> Self {
        Self(Place::Memory(Arc::new(Memory::new(options.max_records))))
    }

    /// The store of a credential as its owner sends it, each time with the same refresh token. That token, which
    /// is soon of no other use, finds and opens what took its place. Where there is none, the access token
    /// serves; but then nothing is ever refreshed.
    ///
    /// Stores of one owner may be in use at the same time: they take turns in refreshing.
    pub fn store(&self, sent: Credential) -> Arc<dyn CredentialStore> {
        match &self.0 {
            Place::Folder(folder) => Arc::new(Arc::clone(folder).record(sent)),
            Place::Memory(memory) => Arc::new(memory.record(sent)),
        }
    }
}
