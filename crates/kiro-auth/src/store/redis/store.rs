//! The store, and what it remembers.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tracing::Instrument;

use super::lease;
use super::record::{Record, Tokens};
use super::server::{RedisServer, RedisStoreOptions};
use crate::BoxFuture;
use crate::credential::{Credential, CredentialId};
use crate::error::AuthError;
use crate::secret::Secret;
use crate::store::rotated::Rotated;
use crate::store::{Claim, CredentialStore};

/// Keeps one credential for all replicas of a service, in Redis or Valkey. Tested with Redis 7.0; no command is
/// newer than Redis 4.
///
/// Each replica is configured with the same credential, the **seed**, from which the first of them starts,
/// and with the same **key**. Two entries lie in Redis:
///
/// ```text
/// kiro-2api:{6f0c…}:lease    string  the owner of the lease, at random; lives for as long as the lease
/// kiro-2api:{6f0c…}:record   hash    granted   fence of the last claim
///                                    written   fence of the claim that wrote what is sealed
///                                    sealed    tokens, expiry and profile: version, nonce, ciphertext
/// ```
///
/// - The name in braces is a hash of the seed's refresh token. A credential that is signed in anew is another
///   seed and gets another record, and the old one is forgotten after [`keep_for`](RedisStoreOptions::keep_for).
/// - What is sealed reveals nothing without the key (XChaCha20-Poly1305 under a key derived by
///   HKDF-SHA256), and cannot be moved to another record or given another fence. What the operator
///   configures besides – client, region – stays in the configuration and does not go to Redis.
/// - Nothing is read until the first call; the store connects by itself, again after every failure.
///
/// # Leases and fences
///
/// A [`claim`](CredentialStore::claim) is a lease that runs out after [`lease`](RedisStoreOptions::lease) and
/// is prolonged while the claim is held. So a replica that dies in the middle of a refresh is replaced when
/// the lease has run out. One that was merely too slow goes on, and two may refresh at once; every claim has
/// therefore a **fence**, higher than those before, and a save counts unless a *later claim has written*:
///
/// | the replica that was too slow | the one that took over | the late save |
/// | --- | --- | --- |
/// | was first at the sign-in service | is refused, writes nothing, and looks again | is taken: it holds the only good token |
/// | is refused | was first and has written | does not happen; it looks again and finds the other's tokens |
/// | was served | was served as well, the service being lenient, and has written | is left out: the newer claim's tokens stay |
///
/// Where a refresh token is good for one use, nothing good is ever left out: a later claim can only have
/// written after a refresh that succeeded, and it succeeds only with the token that the slow replica did not
/// use up, or with the one that it has saved.
///
/// # When Redis fails
///
/// A question is repeated while Redis restarts and given up after [`timeout`](RedisStoreOptions::timeout).
/// Nothing is refreshed without a lease, so an expired token cannot be replaced while Redis is away; one
/// that is valid is served from memory by [`TokenSource`](crate::TokenSource).
///
/// How safe a save is depends on Redis: `appendonly yes` with `appendfsync always` keeps what it has confirmed;
/// with `everysec` the writes of a second or two can be lost, also when only its process dies (observed with
/// Redis 7.0). Should it lose the newest record – so, for want of persistence, or by promoting a replica too
/// early –, any process that has seen that record puts it back on its next look. A lost lease may cost a second
/// refresh, as above.
///
/// # Security
///
/// There is no TLS to Redis: `rediss://` is refused. Tokens are sealed before they leave the process, but the
/// password of Redis is not. Use a private network, a Unix socket (`redis+unix:///path`) or a local TLS proxy.
///
/// # Cancel safety
///
/// All methods are cancel safe; a save that is dropped is done whole or not at all. A claim is waited for,
/// prolonged and given back by a task of its own, so it needs a Tokio runtime; at the end of the runtime the
/// lease runs out by itself.
///
/// # Examples
///
/// ```no_run
/// use kiro_auth::{Credential, CredentialStore, RedisStore, RedisStoreOptions, Secret};
///
/// # async fn example(seed: Credential) -> Result<(), kiro_auth::AuthError> {
/// let url = Secret::from("redis://:password@10.0.0.5:6379/0");
/// let key = Secret::from("the same long random text on every replica");
/// let store = RedisStore::new(&url, seed, &key, RedisStoreOptions::default())?;
/// let credential = store.load().await?;
/// # let _ = credential;
/// # Ok(())
/// # }
/// ```
///
/// # Sources
///
/// Leases with fencing tokens: Martin Kleppmann, "How to do distributed locking" (2016). The commands:
/// documentation of Redis, "Distributed locks with Redis" (a single instance) and "Scripting with Lua".
#[derive(Clone)]
pub struct RedisStore(Arc<Shared>);

/// What the store and the tasks of its claims share.
pub(super) struct Shared {
    pub(super) id: CredentialId,
    pub(super) server: RedisServer,
    pub(super) record: Record,
    seed: Credential,
    known: Mutex<Known>,
}

/// What this process knows without asking.
#[derive(Default)]
struct Known {
    /// The fence of our last claim; 0 before the first.
    granted: u64,
    /// The newest record that was read or written here.
    newest: Option<Tokens>,
}

/// What is shorter than this was not made by a random generator. The key is not stretched like a password.
const SHORTEST_KEY: usize = 16;

impl RedisStore {
    /// The credential that begins with `seed`, in the Redis of a URL such as
    /// `redis://:password@host:6379/0`. All replicas are given the same `seed` and the same `key`.
    ///
    /// The key is a random text of at least 16 bytes, such as the output of `openssl rand -base64 32`. The
    /// seed's own refresh token will do as well: it is on every replica, and nobody else has it.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](crate::AuthErrorKind::Misconfigured) when the URL is not one of Redis or asks for TLS,
    /// the seed holds no token, the key is short, or an option is outside of its range.
    pub fn new(
        url: &Secret,
        seed: Credential,
        key: &Secret,
        options: RedisStoreOptions,
    ) -> Result<Self, AuthError> {
        RedisServer::new(url, options)?.store(seed, key)
    }

    pub(super) fn on(
        server: RedisServer,
        seed: Credential,
        key: &Secret,
    ) -> Result<Self, AuthError> {
        if key.len() < SHORTEST_KEY {
            return Err(AuthError::misconfigured(
                "the key that seals the record is shorter than 16 bytes",
            ));
        }
        let token = seed.refresh_token.as_ref().or(seed.access_token.as_ref());
        let Some(token) = token.filter(|token| !token.is_empty()) else {
            return Err(AuthError::misconfigured("the credential holds no token"));
        };
        let options = server.options();
        Ok(Self(Arc::new(Shared {
            id: seed.id,
            record: Record::new(&options.prefix, token, key, options.keep_for),
            server,
            seed,
            known: Mutex::default(),
        })))
    }
}

impl CredentialStore for RedisStore {
    fn id(&self) -> CredentialId {
        self.0.id
    }

    fn load(&self) -> BoxFuture<'_, Result<Credential, AuthError>> {
        Box::pin(self.0.load())
    }

    fn save<'a>(&'a self, credential: &'a Credential) -> BoxFuture<'a, Result<(), AuthError>> {
        Box::pin(async {
            let fence = self.0.lock().granted;
            let rotated = Rotated::of(credential);
            self.0.save(Tokens { fence, rotated }).await
        })
    }

    fn claim(&self) -> BoxFuture<'_, Result<Claim, AuthError>> {
        Box::pin(async {
            let (sender, receiver) = oneshot::channel();
            tokio::spawn(lease::tenure(Arc::clone(&self.0), sender).in_current_span());
            receiver.await.unwrap_or_else(|_| {
                // The task does not panic; the runtime is going down.
                Err(AuthError::transient("the claim was interrupted"))
            })
        })
    }

    fn fences_saves(&self) -> bool {
        true
    }
}

impl Shared {
    async fn load(&self) -> Result<Credential, AuthError> {
        // Taken before Redis is asked: what it then holds is at least as new, unless it has forgotten.
        let newest = self.lock().newest.clone();
        let found = self
            .record
            .open(self.server.ask(&self.record.load()).await?)?;
        let Some(tokens) = newest_of(found, newest.as_ref()) else {
            return self.restore(newest).await;
        };
        let credential = tokens.rotated.over(&self.seed);
        self.remember(tokens);
        Ok(credential)
    }

    /// Puts back what Redis has lost. Where there never was anything, the seed is the credential.
    async fn restore(&self, lost: Option<Tokens>) -> Result<Credential, AuthError> {
        let Some(lost) = lost else {
            return Ok(self.seed.clone());
        };
        tracing::warn!(
            credential = %self.id,
            "Redis has lost the newest record of the credential; putting it back"
        );
        let credential = lost.rotated.over(&self.seed);
        self.save(lost).await?;
        Ok(credential)
    }

    async fn save(&self, tokens: Tokens) -> Result<(), AuthError> {
        if self.server.ask(&self.record.save(&tokens)?).await? {
            self.remember(tokens);
        } else {
            tracing::debug!(
                credential = %self.id,
                fence = tokens.fence,
                "a replica with a later claim has written already; leaving its record"
            );
        }
        Ok(())
    }

    /// Notes the fence of a claim.
    pub(super) fn granted(&self, fence: u64) {
        let mut known = self.lock();
        known.granted = known.granted.max(fence);
    }

    /// The highest fence that is known here.
    pub(super) fn known_fence(&self) -> u64 {
        let known = self.lock();
        let written = known.newest.as_ref().map_or(0, |tokens| tokens.fence);
        known.granted.max(written)
    }

    fn remember(&self, tokens: Tokens) {
        let mut known = self.lock();
        if known
            .newest
            .as_ref()
            .is_none_or(|newest| newest.fence <= tokens.fence)
        {
            known.newest = Some(tokens);
        }
    }

    /// What is known is consistent between any two statements that hold this lock.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was found, unless there is something newer that must have been lost.
fn newest_of(found: Option<Tokens>, known: Option<&Tokens>) -> Option<Tokens> {
    found.filter(|found| known.is_none_or(|known| known.fence <= found.fence))
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("id", &self.0.id)
            .field("server", &self.0.server)
            .finish_non_exhaustive()
    }
}
