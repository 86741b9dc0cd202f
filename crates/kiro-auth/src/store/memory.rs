//! A credential that lives as long as the process.

use std::future::ready;
use std::sync::{Mutex, PoisonError};

use super::CredentialStore;
use crate::BoxFuture;
use crate::credential::{Credential, CredentialId};
use crate::error::AuthError;

/// Keeps a credential in memory: for tenants, who bring their own, and for tests. What a refresh has
/// rotated is lost with the process.
#[derive(Debug)]
pub struct MemoryStore {
    id: CredentialId,
    credential: Mutex<Credential>,
}

impl MemoryStore {
    /// Keeps this credential.
    pub fn new(credential: Credential) -> Self {
        Self {
            id: credential.id,
            credential: Mutex::new(credential),
        }
    }

    /// Puts another credential in its place, under the same name, as if somebody had signed in anew.
    pub fn replace(&self, credential: Credential) {
        let id = self.id;
        self.set(Credential { id, ..credential });
    }

    fn set(&self, credential: Credential) {
        *self
            .credential
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = credential;
    }
}

impl CredentialStore for MemoryStore {
    fn id(&self) -> CredentialId {
        self.id
    }

    fn load(&self) -> BoxFuture<'_, Result<Credential, AuthError>> {
        let credential = self
            .credential
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Box::pin(ready(Ok(credential.clone())))
    }

    fn save<'a>(&'a self, credential: &'a Credential) -> BoxFuture<'a, Result<(), AuthError>> {
        self.replace(credential.clone());
        Box::pin(ready(Ok(())))
    }
}
