//! The server, and how its stores behave.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, FromRedisValue};

use super::link::Link;
use super::store::RedisStore;
use crate::credential::Credential;
use crate::error::AuthError;
use crate::secret::Secret;

/// A Redis or Valkey server for the stores of many credentials, which share one connection, and for what else
/// a service keeps there. Clones are the same server.
#[derive(Clone)]
pub struct RedisServer(Arc<Inner>);

struct Inner {
    link: Link,
    options: RedisStoreOptions,
}

/// How a [`RedisStore`] behaves.
///
/// ```
/// use kiro_auth::RedisStoreOptions;
///
/// let mut options = RedisStoreOptions::default();
/// options.prefix = "team-a:kiro:".into();
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RedisStoreOptions {
    /// What begins every key. Default: `kiro-2api:`.
    pub prefix: String,
    /// How long a lease lives without being prolonged, and so how long the others wait for a replica that
    /// has died; at least 100 ms. Default: 10 seconds, which outlasts the pauses of a loaded machine.
    pub lease: Duration,
    /// How long a claim is waited for. Default: 75 seconds, longer than asking a service takes with an
    /// `HttpRefresher`: three tries of 15 seconds and two pauses of at most 10.
    pub claim_limit: Duration,
    /// How long a question to Redis may take, with all tries. Default: 5 seconds, in which a server
    /// restarts.
    pub timeout: Duration,
    /// How long a record is kept that nobody writes or claims; at least as long as a lease. Default: 90
    /// days, as long as the registration of an OIDC client lives.
    pub keep_for: Duration,
}

impl Default for RedisStoreOptions {
    fn default() -> Self {
        Self {
            prefix: "kiro-2api:".to_owned(),
            lease: Duration::from_secs(10),
            claim_limit: Duration::from_secs(75),
            timeout: Duration::from_secs(5),
            keep_for: Duration::from_secs(90 * 24 * 3600),
        }
    }
}

/// A lease must outlive a few round trips and the pauses of a loaded machine.
const SHORTEST_LEASE: Duration = Duration::from_millis(100);

impl RedisServer {
    /// The server of a URL such as `redis://:password@host:6379/0`. Connects when it is first asked.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](crate::AuthErrorKind::Misconfigured) when the URL is not one of Redis or asks for TLS,
    /// or an option is outside of its range.
    pub fn new(url: &Secret, options: RedisStoreOptions) -> Result<Self, AuthError> {
        if options.lease < SHORTEST_LEASE || options.keep_for < options.lease {
            return Err(AuthError::misconfigured(
                "the lease is shorter than 100 ms or longer than the record is kept",
            ));
        }
        let link = Link::new(url, options.timeout)?;
        Ok(Self(Arc::new(Inner { link, options })))
    }

    /// What answers in the place of a server; see [`StandIn`](crate::StandIn).
    #[cfg(any(test, feature = "test-util"))]
    pub fn of_stand_in(stand_in: Arc<dyn super::StandIn>, options: RedisStoreOptions) -> Self {
        let link = Link::to_stand_in(stand_in, options.timeout);
        Self(Arc::new(Inner { link, options }))
    }

    /// The store of one credential; see [`RedisStore::new`].
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](crate::AuthErrorKind::Misconfigured) when the seed holds no token or the key is short.
    pub fn store(&self, seed: Credential, key: &Secret) -> Result<RedisStore, AuthError> {
        RedisStore::on(self.clone(), seed, key)
    }

    /// Whether it can be asked.
    ///
    /// # Errors
    ///
    /// [`StoreFailed`](crate::AuthErrorKind::StoreFailed) when there is no answer in time, or a refusal.
    pub async fn check(&self) -> Result<(), AuthError> {
        self.ask(&redis::cmd("PING")).await
    }

    /// How it is used.
    pub fn options(&self) -> &RedisStoreOptions {
        &self.0.options
    }

    /// Sends a command of the `redis` crate and returns the answer, within
    /// [`RedisStoreOptions::timeout`]. A command whose connection broke is sent again, so it must not matter
    /// whether it is carried out twice.
    ///
    /// # Errors
    ///
    /// [`StoreFailed`](crate::AuthErrorKind::StoreFailed) when there is no answer in time, or a refusal.
    pub async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, AuthError> {
        self.0.link.ask(command).await
    }
}

impl fmt::Debug for RedisServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisServer")
            .field("address", &self.0.link.to_string())
            .field("options", &self.0.options)
            .finish()
    }
}
