//! The way of one process to the sign-in service.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kiro_auth::{AuthError, AuthErrorKind, BoxFuture, Credential, Refreshed, Refresher};
use tokio::time::sleep;

use super::World;
use super::service::Answer;
use crate::process::Process;

pub(crate) struct Desk {
    pub(crate) world: Arc<World>,
    pub(crate) replica: usize,
    pub(crate) process: Process,
}

impl Desk {
    async fn ask(&self, credential: &Credential) -> Result<Refreshed, AuthError> {
        let world = &self.world;
        let asked_at = world.time.now();
        world.record.note(|| {
            let left = credential
                .expires_at
                .and_then(|at| at.duration_since(asked_at).ok());
            let life = credential.lifetime;
            format!(
                "{} is about to refresh what is good for {left:?} of {life:?}",
                self.replica
            )
        });
        self.process.go_on().await;
        world.strike(self.replica, &self.process);
        self.process.go_on().await;
        let token = credential
            .refresh_token
            .as_ref()
            .map(|token| token.expose());
        let token = number_of(token.unwrap_or_default());
        sleep(world.latency()).await;
        if world.is_unlucky(world.plan.outage) {
            sleep(Duration::from_secs(5)).await;
            self.process.go_on().await;
            return Err(AuthError::new(
                AuthErrorKind::Transient,
                "the service is overloaded",
            ));
        }
        let answer = world.asked(self, token, asked_at);
        let is_lost = world.is_unlucky(world.plan.lost_answers);
        world.strike(self.replica, &self.process);
        if is_lost {
            world
                .record
                .note(|| format!("{} has no answer from the service", self.replica));
            if let Answer::Issued(number) | Answer::Again(number) = answer {
                let mut family = world.service.family();
                family.issues[number]
                    .holders
                    .retain(|holder| !holder.is(&self.process));
            }
            // As long as three tries.
            sleep(Duration::from_secs(45)).await;
            self.process.go_on().await;
            return Err(AuthError::new(AuthErrorKind::Transient, "no answer"));
        }
        sleep(world.latency()).await;
        self.process.go_on().await;
        match answer {
            Answer::Issued(number) | Answer::Again(number) => {
                let issue_ends = world.service.family().issues[number].expires_at;
                // What is given once more is as old as it is.
                let lifetime = match answer {
                    Answer::Again(_) => issue_ends.duration_since(asked_at),
                    _ => Ok(world.service.lifetime),
                };
                Ok(Refreshed::new(format!("access-{number}"))
                    .with_refresh_token(format!("refresh-{number}"))
                    .with_expires_in(lifetime.unwrap_or_default()))
            }
            Answer::Refused => Err(AuthError::new(
                AuthErrorKind::SignedOut,
                "the refresh token is spent",
            )),
        }
    }
}

/// The number at the end of a token.
pub(crate) fn number_of(token: &str) -> usize {
    let (_, number) = token.rsplit_once('-').unwrap_or_default();
    number.parse().unwrap_or_default()
}

impl Refresher for Desk {
    fn refresh<'a>(
        &'a self,
        credential: &'a Credential,
    ) -> BoxFuture<'a, Result<Refreshed, AuthError>> {
        Box::pin(self.ask(credential))
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk")
            .field("replica", &self.replica)
            .finish_non_exhaustive()
    }
}
