//! Where tokens are kept that have no file of their own: those of callers, and `REFRESH_TOKEN`.
//!
//! Each is found again by what was sent in the first place, and sealed with it.

use std::path::PathBuf;
use std::sync::Arc;

use etcetera::{AppStrategy as _, AppStrategyArgs, app_strategy::choose_native_strategy};
use kiro_auth::{
    AuthError, AuthErrorKind, Credential, CredentialStore, MemoryStore, RedisServer,
    RedisStoreOptions, Secret, SystemClock, Vault, VaultOptions,
};

use crate::command::Failure;
use crate::config::{Store, StoreKind};
use crate::setup::home;

/// The place.
pub(crate) enum State {
    /// The process, as long as it lives.
    Memory,
    /// A folder.
    Folder(Vault),
    /// A server that several gateways share.
    Redis(RedisServer),
}

impl State {
    /// Opens what is configured. A folder that cannot be used costs the memory of a restart and not the
    /// service: the log says so, and everything goes on in memory.
    ///
    /// # Errors
    ///
    /// What is there is damaged, so that going on would lose it, or the address of Redis is none.
    pub(crate) fn open(config: &Store) -> Result<Self, Failure> {
        let folder = match config.kind {
            StoreKind::Memory => return Ok(Self::Memory),
            StoreKind::Redis => {
                // `Config::load` has refused Redis without an address.
                let url = config.url.clone().unwrap_or_else(|| Secret::from(""));
                let server = RedisServer::new(&url, RedisStoreOptions::default())?;
                return Ok(Self::Redis(server));
            }
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
    pub(crate) fn store(&self, sent: Credential) -> Arc<dyn CredentialStore> {
        let key = sent.refresh_token.clone();
        match (self, key) {
            (Self::Folder(vault), Some(_)) => Arc::new(vault.store(sent)),
            (Self::Redis(server), Some(key)) => match server.store(sent.clone(), &key) {
                Ok(store) => Arc::new(store),
                Err(error) => {
                    in_memory(&error);
                    Arc::new(MemoryStore::new(sent))
                }
            },
            _ => Arc::new(MemoryStore::new(sent)),
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
