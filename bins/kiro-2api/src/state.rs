//! Where tokens are kept that have no file of their own: those of callers, and `REFRESH_TOKEN`. And where
//! responses are.
//!
//! Each is found again by what was sent in the first place, and sealed with it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use etcetera::{AppStrategy as _, AppStrategyArgs, app_strategy::choose_native_strategy};
use kiro_auth::{
    AuthErrorKind, Credential, CredentialStore, MemoryStore, RedisServer, RedisStoreOptions,
    Secret, SystemClock, Vault, VaultOptions,
};

use crate::command::Failure;
use crate::config::{Store, StoreKind};
use crate::setup::home;

/// The place.
pub(crate) enum State {
    /// A folder, or the process as long as it lives.
    Vault(Vault),
    /// A server that several gateways share.
    Redis {
        server: RedisServer,
        /// For what is too short to be sealed with.
        rest: Vault,
    },
}

impl State {
    /// Opens what is configured. A folder that cannot be used costs the memory of a restart and not the
    /// service: the log says so, and everything goes on in memory.
    ///
    /// # Errors
    ///
    /// What is there is damaged, so that going on would lose it, or the address of Redis is none.
    pub(crate) fn open(config: &Store) -> Result<Self, Failure> {
        match config.kind {
            StoreKind::Memory => Ok(Self::Vault(in_memory())),
            StoreKind::Redis => {
                // `Config::load` has refused Redis without an address.
                let url = config.url.clone().unwrap_or_else(|| Secret::from(""));
                Ok(Self::Redis {
                    server: RedisServer::new(&url, RedisStoreOptions::default())?,
                    rest: in_memory(),
                })
            }
            StoreKind::File => Ok(Self::Vault(in_folder(folder(config))?)),
        }
    }

    /// The store of a credential that was sent to us. An API key does not change, so there is nothing to
    /// keep.
    pub(crate) fn store(&self, sent: Credential) -> Arc<dyn CredentialStore> {
        let Some(key) = sent.refresh_token.clone() else {
            return Arc::new(MemoryStore::new(sent));
        };
        match self {
            Self::Vault(vault) => vault.store(sent),
            Self::Redis { server, rest } => match server.store(sent.clone(), &key) {
                Ok(store) => Arc::new(store),
                Err(error) => {
                    tracing::debug!(%error, "a credential is kept in memory");
                    rest.store(sent)
                }
            },
        }
    }
}

/// How long a request waits for Redis because of responses that are kept there. It is answered all the same
/// when its response cannot be kept, so this is short.
const KEPT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a request waits for Redis because of limits that are shared there. While it does not answer, nobody
/// asks it a second time.
const LIMITS_TIMEOUT: Duration = Duration::from_millis(250);

/// Where responses are kept, if not in the process. It has a connection of its own, so that large responses do
/// not hold up tokens.
///
/// # Errors
///
/// The address of Redis is none.
pub(crate) fn kept_responses(config: &Store) -> Result<Option<RedisServer>, Failure> {
    server(config, KEPT_TIMEOUT)
}

/// Where limits are shared, if they are. It has a connection of its own, too.
///
/// # Errors
///
/// The address of Redis is none.
pub(crate) fn shared_limits(config: &Store) -> Result<Option<RedisServer>, Failure> {
    server(config, LIMITS_TIMEOUT)
}

fn server(config: &Store, timeout: Duration) -> Result<Option<RedisServer>, Failure> {
    let (StoreKind::Redis, Some(url)) = (config.kind, &config.url) else {
        return Ok(None);
    };
    let mut options = RedisStoreOptions::default();
    options.timeout = timeout;
    Ok(Some(RedisServer::new(url, options)?))
}

/// The folder of what outlives the process. `None` for a user without a home.
pub(crate) fn folder(config: &Store) -> Option<PathBuf> {
    config.path.as_deref().map(home).or_else(default_folder)
}

fn in_folder(folder: Option<PathBuf>) -> Result<Vault, Failure> {
    let Some(folder) = folder else {
        tracing::error!(
            "there is no home folder to keep rotated tokens in: they are kept in memory and lost with the \
             process; set KIRO_2API_STORE__PATH to a folder"
        );
        return Ok(in_memory());
    };
    let options = VaultOptions::default();
    match Vault::open(folder.join("vault"), options, Arc::new(SystemClock)) {
        Err(error) if error.kind() == AuthErrorKind::StoreFailed => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "rotated tokens are kept in memory and lost with the process: make the folder writable, or \
                 set KIRO_2API_STORE__PATH to one that is"
            );
            Ok(in_memory())
        }
        opened => Ok(opened?),
    }
}

fn in_memory() -> Vault {
    Vault::in_memory(&VaultOptions::default())
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
