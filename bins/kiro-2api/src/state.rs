//! Where tokens are kept that have no file of their own: those of callers, and `REFRESH_TOKEN`.

use std::path::PathBuf;
use std::sync::Arc;

use etcetera::{AppStrategy as _, AppStrategyArgs, app_strategy::choose_native_strategy};
use kiro_auth::{
    AuthError, AuthErrorKind, Credential, CredentialStore, Login, MemoryStore, Secret, SystemClock,
    Vault, VaultOptions,
};

use crate::command::Failure;
use crate::config::{Store, StoreKind};
use crate::setup::home;

/// What was rotated, found again by what was sent in the first place.
pub(crate) enum State {
    /// As long as the process lives.
    Memory,
    /// Sealed, in a folder.
    Folder(Vault),
}

impl State {
    /// Opens what is configured. A folder that cannot be used costs the memory of a restart and not the
    /// service: the log says so, and everything goes on in memory.
    ///
    /// # Errors
    ///
    /// What is there is damaged, so that going on would lose it.
    pub(crate) fn open(config: &Store) -> Result<Self, Failure> {
        let folder = match config.kind {
            StoreKind::Memory => return Ok(Self::Memory),
            StoreKind::File => config.path.as_deref().map(home).or_else(default_folder),
        };
        let Some(folder) = folder else {
            tracing::error!(
                "there is no home folder to keep rotated tokens in: they are kept in memory and lost with \
                 the process; set KIRO_2API_STORE__PATH to a folder"
            );
            return Ok(Self::Memory);
        };
        let vault = Vault::open(
            folder.join("vault"),
            VaultOptions::default(),
            Arc::new(SystemClock),
        );
        match vault {
            Ok(vault) => Ok(Self::Folder(vault)),
            Err(error) if error.kind() == AuthErrorKind::StoreFailed => {
                in_memory(&error);
                Ok(Self::Memory)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The store of a credential that was sent to us. An API key does not change, so there is nothing to
    /// keep.
    pub(crate) fn store(&self, sent: &Secret, credential: Credential) -> Arc<dyn CredentialStore> {
        match self {
            Self::Folder(vault) if credential.login != Login::ApiKey => {
                Arc::new(vault.store(sent, credential))
            }
            _ => Arc::new(MemoryStore::new(credential)),
        }
    }
}

fn in_memory(error: &AuthError) {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "rotated tokens are kept in memory and lost with the process: make the folder writable, or set \
         KIRO_2API_STORE__PATH to one that is"
    );
}

/// `~/.local/state/kiro-2api` on Linux, `~/Library/Application Support/kiro-2api` on macOS,
/// `%APPDATA%\kiro-2api\data` on Windows.
fn default_folder() -> Option<PathBuf> {
    let names = AppStrategyArgs {
        top_level_domain: String::new(),
        author: String::new(),
        app_name: "kiro-2api".to_owned(),
    };
    let folders = choose_native_strategy(names).ok()?;
    Some(folders.state_dir().unwrap_or_else(|| folders.data_dir()))
}
