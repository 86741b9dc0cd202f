//! Where credentials live between refreshes.

mod blocking;
mod claim;
#[cfg(any(test, feature = "test-util"))]
pub mod contract;
mod file;
#[cfg(feature = "sqlite")]
mod kiro_cli;
pub(crate) mod lock;
#[cfg(test)]
mod log;
mod memory;
#[cfg(feature = "redis")]
mod redis;
pub(crate) mod replace;
#[cfg(feature = "vault")]
pub(crate) mod rotated;

use std::fmt;
use std::future::ready;
use std::sync::Arc;

pub(crate) use self::blocking::{beside_the_runtime, failed};
pub use self::claim::Claim;
pub use self::file::FileStore;
#[cfg(feature = "sqlite")]
pub use self::kiro_cli::KiroCliStore;
pub use self::memory::MemoryStore;
#[cfg(all(feature = "redis", any(test, feature = "test-util")))]
pub use self::redis::StandIn;
#[cfg(feature = "redis")]
pub use self::redis::{RedisServer, RedisStore, RedisStoreOptions};
pub use self::replace::replace_file;
use crate::BoxFuture;
use crate::credential::{Credential, CredentialId};
use crate::error::AuthError;

/// Keeps one credential.
///
/// A refresh token is often good for one use only, so losing what [`save`](Self::save) was given means
/// signing in again: an implementation returns from it when the credential would survive a crash.
///
/// Others may change the content at any time – Kiro's IDE does – so [`load`](Self::load) reads the
/// source each time and does not cache.
///
/// An implementation can be checked with the suite in `store::contract` (feature `test-util`).
pub trait CredentialStore: Send + Sync + fmt::Debug {
    /// The name of the credential that is kept here. It stays the same for the life of the store, and
    /// what [`load`](Self::load) returns carries it.
    fn id(&self) -> CredentialId;

    /// Reads the credential.
    ///
    /// # Errors
    ///
    /// [`SignedOut`](crate::AuthErrorKind::SignedOut) when there is none,
    /// [`Misconfigured`](crate::AuthErrorKind::Misconfigured) when there is something else,
    /// [`StoreFailed`](crate::AuthErrorKind::StoreFailed) when the source cannot be read.
    fn load(&self) -> BoxFuture<'_, Result<Credential, AuthError>>;

    /// Writes what a refresh has changed: the tokens, their expiry and the profile. What else the source
    /// holds stays as it is.
    ///
    /// # Errors
    ///
    /// [`StoreFailed`](crate::AuthErrorKind::StoreFailed) when the credential is not safe. The caller
    /// keeps using it and tries again later. A source that is read-only by design is not an error: the
    /// store warns once and returns `Ok`, since trying again changes nothing.
    fn save<'a>(&'a self, credential: &'a Credential) -> BoxFuture<'a, Result<(), AuthError>>;

    /// Waits for the exclusive right to refresh the credential. Under one claim the credential is read
    /// again, refreshed and saved, so that no other process shows the same refresh token meanwhile.
    ///
    /// The default is for stores that belong to this process alone.
    ///
    /// # Errors
    ///
    /// [`Transient`](crate::AuthErrorKind::Transient) when somebody else has held it for too long,
    /// [`StoreFailed`](crate::AuthErrorKind::StoreFailed) when it cannot be asked for. Nothing is refreshed
    /// then.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a claim that nobody waits for any more is given back.
    fn claim(&self) -> BoxFuture<'_, Result<Claim, AuthError>> {
        Box::pin(ready(Ok(Claim::unshared())))
    }

    /// Whether replicas share it, and [`save`](Self::save) leaves out by itself what is older than what another of
    /// them has written. A save that comes late then needs no claim; what the store holds is never older than what
    /// was saved before; and without having read it nobody can know that their refresh token is not spent.
    /// Default: no.
    fn fences_saves(&self) -> bool {
        false
    }
}

impl<S: CredentialStore + ?Sized> CredentialStore for Arc<S> {
    fn id(&self) -> CredentialId {
        (**self).id()
    }

    fn load(&self) -> BoxFuture<'_, Result<Credential, AuthError>> {
        (**self).load()
    }

    fn save<'a>(&'a self, credential: &'a Credential) -> BoxFuture<'a, Result<(), AuthError>> {
        (**self).save(credential)
    }

    fn claim(&self) -> BoxFuture<'_, Result<Claim, AuthError>> {
        (**self).claim()
    }

    fn fences_saves(&self) -> bool {
        (**self).fences_saves()
    }
}
