//! The store as the real one, and as one that is broken on purpose.

use std::sync::Arc;

use kiro_auth::{
    AuthError, BoxFuture, Claim, Credential, CredentialId, CredentialStore, RedisStore, StandIn,
};
use redis::{Cmd, RedisError, Value};

use super::Sabotage;
use crate::dice::Dice;
use crate::line::Store;

/// Asks the store without a way in between.
#[derive(Debug)]
pub(super) struct Direct(pub(super) Arc<Store>);

impl StandIn for Direct {
    fn answer<'a>(&'a self, command: &'a Cmd) -> BoxFuture<'a, Result<Value, RedisError>> {
        let answer = self.0.redis.answer(command, self.0.time.micros());
        Box::pin(std::future::ready(Ok(answer)))
    }
}

/// The real one, but for what is sabotaged.
#[derive(Debug)]
pub(super) struct Sabotaged {
    pub(super) store: RedisStore,
    pub(super) sabotage: Option<Sabotage>,
    pub(super) dice: Dice,
}

impl CredentialStore for Sabotaged {
    fn id(&self) -> CredentialId {
        self.store.id()
    }

    fn load(&self) -> BoxFuture<'_, Result<Credential, AuthError>> {
        self.store.load()
    }

    fn save<'a>(&'a self, credential: &'a Credential) -> BoxFuture<'a, Result<(), AuthError>> {
        match self.sabotage {
            Some(Sabotage::ForgottenSaves) if self.dice.happens(0.5) => {
                Box::pin(std::future::ready(Ok(())))
            }
            _ => self.store.save(credential),
        }
    }

    fn fences_saves(&self) -> bool {
        self.store.fences_saves()
    }

    fn claim(&self) -> BoxFuture<'_, Result<Claim, AuthError>> {
        match self.sabotage {
            Some(Sabotage::ClaimsOfNobody) => Box::pin(std::future::ready(Ok(Claim::unshared()))),
            _ => self.store.claim(),
        }
    }
}
